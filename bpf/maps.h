/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All maps of the dataplane. Every object defines all of them; the loader makes the objects share one set,
 * and sets the sizes: the numbers of entries here are only defaults. Meaning of keys and values:
 * include/abi.h, include/flow.h.
 */
#ifndef MAPS_H
#define MAPS_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "flow.h"
#include "reasons.h"

/* ---- policy, written by the daemon ---- */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 65536);
} identity SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct address4_key);
	__type(value, struct address);
	__uint(max_entries, 16384);
} address4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct address6_key);
	__type(value, struct address);
	__uint(max_entries, 16384);
} address6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct prefix4_key);
	__type(value, struct address);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} prefix4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct prefix6_key);
	__type(value, struct address);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} prefix6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct portset);
	__uint(max_entries, 256);
} portset SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct policy_rule);
	__uint(max_entries, 65536);
} rule SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct rule_info);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} rule_info SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct log_prefix);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} log_prefix SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct policy_step);
	__uint(max_entries, 65536);
} step SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct policy_list);
	__uint(max_entries, 8192);
} list SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct endpoint_policy);
	__uint(max_entries, 1024);
} endpoint_policy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 32768);
} generation SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct endpoint);
	__uint(max_entries, 1024);
} endpoint SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct interface);
	__uint(max_entries, 1024);
} interface SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct uplink);
	__uint(max_entries, 64);
} uplink SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct host_interface);
	__uint(max_entries, 256);
} host_interface SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct portset);
	__uint(max_entries, FAILSAFE_COUNT);
} failsafe SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct prefix4_key);
	__type(value, struct blocked);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} blocked4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct prefix6_key);
	__type(value, struct blocked);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} blocked6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct screening);
	__uint(max_entries, 1);
} screening SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct routing);
	__uint(max_entries, 1);
} routing SEC(".maps");

/* ---- written by the programs from here on ---- */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct cached_verdict);
	__uint(max_entries, VERDICTS);
} verdict_cache SEC(".maps");

/* ---- flows ---- */

/*
 * Plain hashes, preallocated: an LRU table would let one endpoint evict the flows of all others. See
 * flow_room.h.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct flow4_key);
	__type(value, struct flow);
	__uint(max_entries, 65536);
} flow4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct flow6_key);
	__type(value, struct flow);
	__uint(max_entries, 65536);
} flow6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct flow4_key);
	__type(value, struct flow);
	__uint(max_entries, 65536);
} nat4 SEC(".maps");

/* Evicting a fragment's record costs one datagram, so these may be LRU and need no sweep. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct fragment4_key);
	__type(value, struct fragment);
	__uint(max_entries, 4096);
} fragment4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct fragment6_key);
	__type(value, struct fragment);
	__uint(max_entries, 4096);
} fragment6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct opened4);
	__uint(max_entries, 131072);
} opened4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct opened6);
	__uint(max_entries, 131072);
} opened6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct flow_table);
	__uint(max_entries, 2);
} flow_table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct account);
	__uint(max_entries, 1024);
} account SEC(".maps");

/* Bounded and LRU: a flood from many sources evicts budgets, and then passes as if there were none. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct address6_key);
	__type(value, struct source_budget);
	__uint(max_entries, 16384);
} source SEC(".maps");

/*
 * What the addresses of a packet from outside decide, in short memory: the entry that their hash names. True
 * while nothing that it was concluded from has changed, and for a second: routes change without notice.
 */
struct screened {
	__be32 source[4], destination[4];
	__u8 family;	     /* 0: empty */
	signed char verdict; /* enum screen_verdict, or a negative drop reason */
	/* What policy has refused last between these two; nothing if denied_reason is 0. */
	__u8 denied_reason;
	__u8 denied_protocol;
	__u16 denied_port; /* destination, host order */
	__u16 denied_rule; /* that refused it, or 0 */
	__u16 denied_slot; /* of the endpoint whose policy did */
	__u16 serial;	   /* of `screening`, low half: more often it does not change in a second */
	__u32 source_slot, source_generation;
	__u32 destination_slot, destination_generation;
	__u32 seen; /* low half of jiffies */
};
ABI_ASSERT_SIZE(struct screened, 64);

#define SCREENED_BITS 12

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct screened);
	__uint(max_entries, 1 << SCREENED_BITS);
} screened SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct next_hop);
	__uint(max_entries, NEXT_HOPS);
} next_hop SEC(".maps");

/* What sweeps while the daemon is dead. A new generation has its own; the timer ends with the map's last pin.
 */
struct sweeper {
	struct bpf_timer timer;
	__u32 swept; /* low half of jiffies */
	__u32 padding;
	struct sweep sweep;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct sweeper);
	__uint(max_entries, 1);
} sweeper SEC(".maps");

/* ---- counters and events ---- */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct traffic);
	__uint(max_entries, 65536);
} rule_hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, struct drop_key);
	__type(value, struct traffic);
	__uint(max_entries, 8192);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct traffic);
	__uint(max_entries, DROP_REASON_COUNT);
} drop_totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} events_lost SEC(".maps");

#endif
