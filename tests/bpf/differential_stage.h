/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A host for the differential tests: the fixture's interfaces and programs, the policy engine on their maps,
 * and the documents that the engine was told about. Endpoints of slots 1 .. SLOTS have an interface each.
 */
#ifndef TESTS_BPF_DIFFERENTIAL_STAGE_H
#define TESTS_BPF_DIFFERENTIAL_STAGE_H

#include "differential_random.h"
#include "fixture.h"
#include "policy/policy.h"

/* More than any stage has rules. */
#define RULE_IDS 8192

struct hit {
	__u32 rule_id;
	__u32 times;
};

/* What a packet did. */
struct observation {
	struct packet sent;
	struct run run;
	struct hit hits[64]; /* by id; what rule_hits counted */
	size_t hit_count;
	struct packet_event events[64];
	size_t event_count;
	bool flow;  /* is in the flow table now */
	bool early; /* XDP dropped it */
};

struct stage {
	struct fixture *fixture;
	struct policy_sink sink;
	struct policy_engine *engine;
	struct world world;
	char problem[512]; /* "": the engine has none */
	char origin[64];   /* of the documents in force, for messages: seed and round */
	unsigned int shots;
	__u32 rule_ids; /* one more than the highest in use */
	struct rule_info rules[RULE_IDS];
	__u64 hits[RULE_IDS]; /* as counted so far */
	struct traffic *counters;
	__u32 serial;				 /* of the block list */
	uint8_t last_mac[SLOTS + 2][MAC_LENGTH]; /* by slot: what a document said last; zero: nothing */
	int screener;				 /* enum screener in force; -1: to be written */
};

/* NULL after printing why. */
struct stage *stage_new(const struct settings *settings);
void stage_free(struct stage *stage);
/* Everything as it was at first: a new engine on empty maps. */
void stage_clear(struct stage *stage);

/* Tells the engine; a text that is not valid counts as deleted. */
void stage_change(struct stage *stage, const struct change *change);
/* Puts everything told in force, with the endpoints as the agent would write them. */
void stage_commit(struct stage *stage);

/* Sends the packet. Its flow, if it made one, is forgotten again unless `keep`. */
void stage_shoot(struct stage *stage, const struct shot *shot, bool keep, struct observation *ret);
/* Parts of it, for packets that pass several programs: ret->sent; and all but ret->run behind the last. */
void stage_build(struct stage *stage, const struct shot *shot, struct observation *ret);
void stage_observe(struct stage *stage, const struct shot *shot, bool keep, struct observation *ret);
/* Deletes the packet's flow; tells whether there was one. */
bool stage_forget(struct stage *stage, const struct shot *shot);

#endif
