/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes of the maps, and taking over flows and counters. */
#include "dataplane/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "reasons.h"

#define LEAST_FLOWS	  65536
#define MOST_FLOWS	  262144 /* unless told otherwise, from 8 GB of memory on: as the kernel's own table */
#define PARTS_SHIFT	  14	 /* see settings.opened_shift */
#define DEFAULT_ENDPOINTS 4096
#define DEFAULT_ADDRESSES 131072
#define DEFAULT_RULES	  65536
#define MAX_ENDPOINTS	  65535 /* struct address and struct flow_end hold the slot in 16 bits */
#define MAX_ENTRIES	  (1U << 24)

static __u32 capacity(__u32 wanted, __u32 standard, __u32 most)
{
	__u32 n = wanted ? wanted : standard;

	if (n > most)
		return most;
	return n < 16 ? 16 : n;
}

static __u32 power_above(__u32 n)
{
	__u32 power = 1;

	while (power < n)
		power *= 2;
	return power;
}

/* A machine that is sold with 8 GB has a little less. */
__u32 maps_default_flows(__u64 memory)
{
	__u64 flows = LEAST_FLOWS, step = 7ULL << 28;

	while (flows < MOST_FLOWS && memory >= step * flows / LEAST_FLOWS * 2)
		flows *= 2;
	return (__u32)flows;
}

static __u64 memory_of_machine(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	return pages > 0 && page > 0 ? (__u64)pages * (__u64)page : 0;
}

/*
 * Kernel memory with the defaults, two CPUs. A slot of a hash's table takes 16 bytes from the start, for each
 * of the capacity rounded up to a power of two; its entries 48 bytes more than key and value, from the start
 * unless the hash is sparse.
 *
 *	identity	 262144 x 8		 2.0 MB
 *	address4	 131072 slots		 2.0 MB	 + 72 B per address
 *	address6	  65536 slots		 1.0 MB	 + 80 B per address
 *	prefix4, prefix6			 0	 + about 100 B per prefix
 *	blocked4, blocked6			 0	 + about 100 B per prefix
 *	source		  16384 x (16 + 88)	 1.7 MB
 *	screened	   4096 x 64 per CPU	 0.5 MB
 *	next_hop	   2048 x 88 per CPU	 0.3 MB
 *	portset		    256 x 8192		 2.0 MB
 *	rule		  65536 x 48		 3.0 MB
 *	rule_info	  16384 slots		 0.3 MB	 + 340 B per rule
 *	log_prefix	   4096 slots		 0.1 MB
 *	step		  65536 x 16		 1.0 MB
 *	list		  16384 x 40		 0.6 MB
 *	endpoint, endpoint_policy, interface,
 *	account		   4096 x (48+8+32), 16	 0.4 MB
 *	generation	 196864 x 8		 1.5 MB
 *	flow4		 262144 x (16 + 128)	37.7 MB	 on machines with less than 8 GB of memory these four
 *	flow6		 131072 x (16 + 152)	22.0 MB	 are half as large, or with less than 4 GB a quarter
 *	opened4		 524288 x 16		 8.4 MB
 *	opened6		 262144 x 40		10.5 MB
 *	nat4					 0	 1.25 x flow4 if the programs translate
 *	fragment4, 6	   4096 x (16 + ~86)	 0.8 MB
 *	rule_hits	  16385 x 16 per CPU	 0.5 MB
 *	verdict_cache	   2048 x 32 per CPU	 0.1 MB
 *	drops		   8192 x (16+64+16/CPU) 0.9 MB
 *	events					 0.3 MB
 *						97 MB
 */
void maps_plan(const struct dataplane_config *config, struct map_plan plan[MAP_PLANS])
{
	const __u32 flows =
		capacity(config->flow_capacity, maps_default_flows(memory_of_machine()), MAX_ENTRIES);
	const __u32 endpoints = capacity(config->endpoint_capacity, DEFAULT_ENDPOINTS, MAX_ENDPOINTS);
	const __u32 addresses = capacity(config->address_capacity, DEFAULT_ADDRESSES, MAX_ENTRIES);
	const __u32 rules = capacity(config->rule_capacity, DEFAULT_RULES, MAX_ENTRIES);
	const struct map_plan all[MAP_PLANS] = {
		{"identity", PLAIN, 2 * addresses},
		{"address4", SPARSE, addresses},
		{"address6", SPARSE, addresses / 2},
		{"prefix4", SPARSE, 16384},
		{"prefix6", SPARSE, 16384},
		{"portset", PLAIN, 256},
		{"rule", PLAIN, rules},
		/* One rule of the datastore becomes up to one entry of `rule` for each class and family. */
		{"rule_info", SPARSE, rules / 4},
		{"rule_hits", PLAIN, rules / 4 + 1},
		{"log_prefix", SPARSE, 4096},
		{"step", PLAIN, rules},
		{"list", PLAIN, rules / 4},
		{"endpoint_policy", PLAIN, endpoints},
		{"endpoint", PLAIN, endpoints},
		{"account", PLAIN, endpoints},
		{"interface", SPARSE, endpoints},
		{"blocked4", SPARSE, 131072},
		{"blocked6", SPARSE, 131072},
		{"source", PLAIN, 16384},
		{"generation", PLAIN, GENERATION_FIRST + addresses + addresses / 2},
		/* Preallocated: the packet path must not depend on the allocator. */
		{"flow4", KEPT, flows},
		{"flow6", KEPT, flows / 2},
		/* Larger: entries of flows that are gone stay until the next sweep. */
		{"nat4", KEPT, config->settings.nat_ports ? flows + flows / 4 : 1},
		{"opened4", KEPT, power_above(2 * flows)},
		{"opened6", KEPT, power_above(flows)},
		{"flow_table", KEPT, 2},
		{"fragment4", KEPT, 4096},
		{"fragment6", KEPT, 4096},
		{"drops", KEPT, 8192},
		{"drop_totals", KEPT, DROP_REASON_COUNT},
		/* Anew, because rule numbers are: those of an earlier generation mean other rules. */
		{"events", PLAIN, 1 << 18},
		{"events_lost", PLAIN, 1},
	};

	memcpy(plan, all, sizeof(all));
}

void maps_settings(const struct map_plan plan[MAP_PLANS], struct settings *settings)
{
	static const char *const flows[] = {"flow4", "flow6"}, *const opened[] = {"opened4", "opened6"};

	for (int i = 0; i < 2; i++) {
		settings->flows[i] = maps_entries(plan, flows[i]);
		settings->opened[i] = maps_entries(plan, opened[i]);
		settings->opened_shift[i] = 0;
		while (settings->opened[i] >> settings->opened_shift[i] > 1U << PARTS_SHIFT)
			settings->opened_shift[i]++;
	}
}

__u32 maps_entries(const struct map_plan plan[MAP_PLANS], const char *name)
{
	for (size_t i = 0; i < MAP_PLANS; i++) {
		if (!strcmp(plan[i].name, name))
			return plan[i].entries;
	}
	return 0;
}

/* The borrowed map of an earlier generation, if its layout is that of `map`; else -1. */
static int find_fitting_pin(const struct bpf_map *map, const struct pins *pins)
{
	int fd = pins_get(pins, "", bpf_map__name(map));
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	if (fd < 0)
		return -1;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == bpf_map__type(map) &&
	    info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
	    info.max_entries == bpf_map__max_entries(map) && info.map_flags == bpf_map__map_flags(map))
		return fd;
	return -1;
}

int maps_configure(struct bpf_object *object, const struct map_plan plan[MAP_PLANS], const struct pins *pins)
{
	for (size_t i = 0; i < MAP_PLANS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, plan[i].name);
		int rc, fd;

		if (!map)
			return -ENOENT;
		rc = bpf_map__set_max_entries(map, plan[i].entries);
		if (!rc && plan[i].kind == SPARSE)
			rc = bpf_map__set_map_flags(map, bpf_map__map_flags(map) | BPF_F_NO_PREALLOC);
		if (rc)
			return rc;
		fd = plan[i].kind == KEPT && pins ? find_fitting_pin(map, pins) : -1;
		if (fd < 0)
			continue;
		rc = bpf_map__reuse_fd(map, fd);
		if (rc)
			return rc;
	}
	return 0;
}

__u32 maps_capacity(int fd)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.max_entries;
}
