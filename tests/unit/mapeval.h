/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy maps as arrays, and what a BPF program would conclude from them by include/abi.h. Stands in for
 * the kernel in tests of the policy engine.
 */
#ifndef TESTS_UNIT_MAPEVAL_H
#define TESTS_UNIT_MAPEVAL_H

#include "policy/policy.h"

struct probe {
	struct addr src, dst; /* of one family */
	__u8 protocol;
	__u16 sport, dport;
	__u8 icmp_type, icmp_code;
};

struct entry; /* of a hash or prefix map */

struct maps {
	struct policy_sink sink; /* onto this */
	void *array[POLICY_MAP_COUNT];
	struct entry *hash[POLICY_MAP_COUNT];
	__u32 hash_count[POLICY_MAP_COUNT];
	__u32 lengths[POLICY_MAP_COUNT][129]; /* of the prefix maps: how many have it */
	__u64 writes, fences;
	/* Called after every write and erase. */
	void (*after)(void *arg, enum policy_map map, const void *key);
	void (*at_fence)(void *arg);
	void *arg;
	/* The write after so many more fails with -EIO, or every one to failing_map does. */
	__u64 fail_after;
	bool failing[POLICY_MAP_COUNT];
	bool failing_fence;
};

/* Capacities that no test fills by accident. */
void maps_init(struct maps *maps);
/* The same with capacities; 0: as maps_init(). */
void maps_init_sizes(struct maps *maps, const __u32 capacity[POLICY_MAP_COUNT]);
void maps_done(struct maps *maps);

/* What the programs find for an address; all zero (but for the generation slot): unknown. */
struct address maps_address(const struct maps *maps, const struct addr *addr);
bool maps_in_set(const struct maps *maps, const struct address *address, __u32 set);
__u32 maps_generation(const struct maps *maps, __u32 slot);
struct endpoint_policy maps_policy(const struct maps *maps, __u32 slot);

struct judgement {
	bool allowed;
	int step; /* enum step_kind that decided, 0: none */
	__u32 rule_id;
	int logs;
	__u32 log_prefixes[8];
};
struct judgement maps_judge(const struct maps *maps, __u32 slot, bool inbound, const struct probe *probe);
/* With lists and addresses as they were at some moment: for a packet that is still under way. */
struct sight {
	struct address src, dst;
	struct endpoint_policy policy;
};
struct sight maps_look(const struct maps *maps, __u32 slot, const struct probe *probe);
struct judgement maps_judge_sight(const struct maps *maps, const struct sight *sight, bool inbound,
				  const struct probe *probe);
/* NULL: there is none. */
const struct rule_info *maps_rule_info(const struct maps *maps, __u32 id);
const char *maps_log_prefix(const struct maps *maps, __u32 id);

#endif
