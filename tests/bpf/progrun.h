/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The real BPF objects, loaded with one shared set of maps and run on single packets by BPF_PROG_TEST_RUN;
 * nothing is attached. A redirect is only reported by the kernel, not performed. Needs root.
 *
 * Failures of the harness itself (a map that is missing, a program that does not load) fail the running test.
 */
#ifndef TESTS_BPF_PROGRUN_H
#define TESTS_BPF_PROGRUN_H

#include <stdbool.h>

#include "abi.h"
#include "flow.h"
#include "packet.h"
#include "reasons.h"

enum program {
	FROM_ENDPOINT,
	TO_ENDPOINT,
	FROM_UPLINK,
	TO_UPLINK,
	SCREEN_UPLINK,
	SWEEP_FLOWS,
	PURGE_FLOWS,
	PROGRAM_COUNT
};

struct progrun;

/* What the daemon would set on this kernel, with DropActionOverride and host action at their defaults. */
void progrun_default_settings(struct settings *ret);
/* NULL after printing why. */
struct progrun *progrun_open(const struct settings *settings);
void progrun_close(struct progrun *progrun);

struct run {
	int action; /* TC_ACT_*, also for what XDP says */
	__u32 mark;
	enum drop_reason reason; /* counted by this run in drop_totals; DROP_NONE: nothing was counted */
	unsigned int drops;	 /* how many were counted, over all reasons: 0 or 1 */
	struct packet packet;	 /* as the program left it */
};
/* Interfaces must exist in this namespace, and for XDP's test runs have an XDP program. */
struct hook {
	enum program program;
	unsigned int ifindex; /* where the packet arrives or leaves */
	unsigned int ingress; /* where it came into the host; 0: the host itself sends it */
	__u32 mark;
};
void progrun_packet(struct progrun *progrun, const struct hook *hook, const struct packet *packet,
		    struct run *ret);
/* The same of a super-packet, to be cut into parts of that size. */
void progrun_super_packet(struct progrun *progrun, const struct hook *hook, const struct packet *packet,
			  __u32 gso_size, struct run *ret);
/* Runs one of the sweep programs on `sweep` in place. */
void progrun_sweep(struct progrun *progrun, enum program program, struct sweep *sweep);

/* Descriptors for tests that need more than one packet at a time. */
int progrun_program(const struct progrun *progrun, enum program program);
/* The object that made the maps. */
struct bpf_object *progrun_object(const struct progrun *progrun);

/* Maps by name. Sizes of key and value are those of the map. */
int progrun_map(struct progrun *progrun, const char *map);
__u32 progrun_capacity(struct progrun *progrun, const char *map);
void progrun_put(struct progrun *progrun, const char *map, const void *key, const void *value);
bool progrun_get(struct progrun *progrun, const char *map, const void *key, void *ret_value);
void progrun_delete(struct progrun *progrun, const char *map, const void *key);
/* Entries of a hash map. */
unsigned int progrun_count(struct progrun *progrun, const char *map);
/* One entry of a hash map; returns how many there are. */
unsigned int progrun_first(struct progrun *progrun, const char *map, void *ret_key, void *ret_value);
/* Empties a hash map. */
void progrun_clear(struct progrun *progrun, const char *map);
/* A counter of drop_totals, drops or rule_hits (per-CPU struct traffic), summed; absent: zero. */
struct traffic progrun_traffic(struct progrun *progrun, const char *map, const void *key);
/* The counters of the ids 0 .. count-1 of drop_totals or rule_hits. */
void progrun_counters(struct progrun *progrun, const char *map, __u32 count, struct traffic *ret);
/* Sets all entries of an array to zero, per CPU or not. */
void progrun_zero(struct progrun *progrun, const char *map);
/* Events in the ring since the last call; up to `capacity` of them are stored in order. */
unsigned int progrun_events(struct progrun *progrun, struct packet_event *ret, unsigned int capacity);

#endif
