/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts the program of floor.bpf.c on interfaces of a namespace, by the hook that the daemon would use.
 *
 * usage: floor_bench NAMESPACE BPFFS INTERFACE...
 */
#include <errno.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <net/if.h>

#include "bench/bench.h"
#include "dataplane/attach.h"
#include "dataplane/bpffs.h"
#include "tests/bench/floor.skel.h"

int main(int argc, char **argv)
{
	const struct attach_ops *ops = attach_tcx_probe() ? &attach_tcx : &attach_clsact;
	struct floor_bpf *floor = floor_bpf__open_and_load();
	struct err err;

	if (argc < 4)
		bench_fail("usage: floor_bench NAMESPACE BPFFS INTERFACE...");
	if (!floor)
		bench_fail_errno(errno, "the program cannot be loaded");
	bench_enter(argv[1]);
	if (bpffs_prepare(argv[2], &err) < 0)
		bench_fail("%s", err.text);
	for (int i = 3; i < argc; i++) {
		struct attach_point point = {
			.bpffs = argv[2], .ifindex = (int)if_nametoindex(argv[i]), .name = argv[i]};
		int r = ops->set(&point, bpf_program__fd(floor->progs.pass_to_other));

		if (r < 0)
			bench_fail_errno(-r, argv[i]);
	}
	return 0;
}
