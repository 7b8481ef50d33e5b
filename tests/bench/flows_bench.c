/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fills the flow table with connections that stay: as a host with many clients has them. There must be a
 * flow.
 *
 * usage: flows_bench PINS FLOWS
 * Prints how many there are: at most three quarters of what the table holds, since from 80 % on it is under
 * pressure.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <netinet/in.h>

#include "bench/bench.h"
#include "flow.h"

#define FLOWS_OF_CLIENT 8

int main(int argc, char **argv)
{
	/* From clients in 10.64.0.0/14 to a server with a lower address. */
	struct flow4_key key = {.address = {{10, 65, 0, 3}, {10, 67}}, .port = {80}, .protocol = IPPROTO_TCP};
	struct flow4_key any;
	struct flow flow = {0};
	char path[512];
	__u32 flows;
	int map;

	if (argc != 3)
		bench_fail("usage: flows_bench PINS FLOWS");
	snprintf(path, sizeof(path), "%s/flow4", argv[1]);
	map = bpf_obj_get(path);
	if (map < 0)
		bench_fail_errno(errno, path);
	flows = (__u32)atoi(argv[2]);
	if (bpf_map_get_next_key(map, NULL, &any) < 0 || bpf_map_lookup_elem(map, &any, &flow) < 0)
		bench_fail("the flow table is empty");
	flow.flags = FLOW_REPLIED | FLOW_ESTABLISHED;
	for (__u32 i = 0; i < flows; i++) {
		key.address[1][2] = (__u8)(i / FLOWS_OF_CLIENT / 256);
		key.address[1][3] = (__u8)(i / FLOWS_OF_CLIENT);
		key.port[1] = (__u16)(32768 + i % FLOWS_OF_CLIENT);
		if (bpf_map_update_elem(map, &key, &flow, BPF_ANY) < 0)
			bench_fail_errno(errno, "writing a flow");
	}
	return 0;
}
