/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts a program of floor.bpf.c on an interface of a namespace, by the hook that the daemon would use.
 *
 * usage: floor_bench NAMESPACE BPFFS PROGRAM INTERFACE
 */
#include <errno.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <net/if.h>

#include "bench/bench.h"
#include "dataplane/attach.h"
#include "tests/bench/floor.skel.h"

int main(int argc, char **argv)
{
	const struct attach_ops *ops = attach_tcx_probe() ? &attach_tcx : &attach_clsact;
	struct floor_bpf *floor = floor_bpf__open_and_load();
	struct bpf_program *program;
	struct attach_point point;
	struct err err;
	struct pins *pins;
	int r;

	if (argc != 5)
		bench_fail("usage: floor_bench NAMESPACE BPFFS PROGRAM INTERFACE");
	if (!floor)
		bench_fail_errno(errno, "the programs cannot be loaded");
	program = bpf_object__find_program_by_name(floor->obj, argv[3]);
	if (!program)
		bench_fail_errno(ENOENT, argv[3]);
	bench_enter(argv[1]);
	if (pins_open(argv[2], &pins, &err) < 0)
		bench_fail("%s", err.text);
	point = (struct attach_point){.pins = pins, .ifindex = (int)if_nametoindex(argv[4]), .name = argv[4]};
	r = ops->set(&point, bpf_program__fd(program));
	if (r < 0)
		bench_fail_errno(-r, argv[4]);
	return 0;
}
