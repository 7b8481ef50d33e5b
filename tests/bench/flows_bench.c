/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fills the flow table with connections that stay: as a host with many clients has them. There must be a
 * flow.
 *
 * usage: flows_bench PINS WANTED
 * Prints how many there are: at most three quarters of what the table holds, since from 80 % on it is under
 * pressure.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>

#include "bench/bench.h"
#include "flow.h"

#define CLIENTS 0x0a430000 /* 10.67.0.0 */
#define SERVER	0x0a410003 /* 10.65.0.3 */

static __u32 table_size(int map)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(map, &info, &size) < 0)
		bench_fail_errno(errno, "flow4");
	return info.max_entries;
}

int main(int argc, char **argv)
{
	struct flow4_key key = {.protocol = IPPROTO_TCP};
	struct flow flow = {0};
	char path[512];
	__u32 wanted, most;
	int map;

	if (argc != 3)
		bench_fail("usage: flows_bench PINS WANTED");
	snprintf(path, sizeof(path), "%s/flow4", argv[1]);
	map = bpf_obj_get(path);
	if (map < 0)
		bench_fail_errno(errno, path);
	wanted = (__u32)atoi(argv[2]);
	most = table_size(map) / 4 * 3;
	if (wanted > most)
		wanted = most;
	struct flow4_key any;
	if (bpf_map_get_next_key(map, NULL, &any) < 0 || bpf_map_lookup_elem(map, &any, &flow) < 0)
		bench_fail("the flow table is empty");
	flow.flags = FLOW_REPLIED | FLOW_ESTABLISHED;
	for (__u32 i = 0; i < wanted; i++) {
		key.address[0] = htonl(SERVER);
		key.address[1] = htonl(CLIENTS + i / 8);
		key.port[0] = htons(80);
		key.port[1] = htons((uint16_t)(32768 + i));
		if (bpf_map_update_elem(map, &key, &flow, BPF_ANY) < 0)
			bench_fail_errno(errno, "writing a flow");
	}
	printf("%u\n", wanted);
	return 0;
}
