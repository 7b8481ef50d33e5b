/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The engine itself, private to user/policy.
 *
 * Failures come in two kinds. What does not fit into a map, or that the sink refuses (-ENOSPC inside), denies
 * the endpoints concerned and is tried again. Running out of our own memory (-ENOMEM) leaves derived state
 * half made: the engine then denies every endpoint and stays so, because a guess would be worse.
 */
#ifndef POLICY_ENGINE_H
#define POLICY_ENGINE_H

#include "policy/identity.h"
#include "policy/policy.h"
#include "policy/rulebook.h"
#include "policy/space.h"

/* Highest set number + 1; what struct address can express is more. */
#define SETS_MAX (1U << 20)

struct slot {
	struct member *owner;
	struct list *lists[2]; /* as published; NULL: deny */
	bool queued;
};

/* References to drop, and numbers to free, once no packet can see them. */
enum limbo_kind { LIMBO_LIST, LIMBO_ROW, LIMBO_SET, LIMBO_GENERATION };
struct limbo_item {
	enum limbo_kind kind;
	__u32 number; /* LIMBO_GENERATION */
	void *object;
};

/* What a queued place should become. */
struct change {
	struct place *place;
	struct address value;
	struct row *row; /* holds a reference */
	bool present;
	bool live;  /* rules in force can tell the difference */
	bool stuck; /* its row does not fit */
};

struct policy_engine {
	struct policy_sink sink;
	void (*problem)(void *arg, const char *object, const char *text);
	void *problem_arg;
	__u64 writes;
	__u64 pass, mark, sequence;
	__u32 entries[POLICY_MAP_COUNT]; /* of the hash and prefix maps */
	int error;			 /* first failure of the sink in this pass */
	__u32 lacking;			 /* bit per map that had no room in this pass */
	bool broken;			 /* out of memory: everything is denied */

	/* to be looked at in the next pass */
	bool profiles_changed, tiers_changed, rulesets_changed;
	bool sweep; /* a profile or policy may be unused */

	/* found out in this pass */
	bool places_failed;
	bool rulesets_stale;
	bool cohorts_closed; /* the next pass must give them lists */
	bool does_not_fit;   /* some ruleset or list: to be tried again when there is room */

	/* the model */
	struct profile *profiles;
	struct tier *tiers;
	struct vector policies; /* of tiers with metadata, in order of evaluation */
	struct vector removed;	/* policies that lists may still use */
	struct pool_entry *pools;
	struct block_entry *blocks;
	struct member *members;
	struct sandbox *sandboxes;
	struct cohort *cohorts;

	/* identities */
	struct atom *atoms;
	struct vector selectors, new_selectors; /* atoms */
	struct vector holding;			/* atoms that hold for the address at hand */
	__u32 net_lengths[2][129];		/* how many net atoms have it; IPv4, IPv6 */
	__u32 atom_ids;
	__u32 set_room;
	struct set *sets;
	struct set **set_by_number;
	struct space set_numbers;
	struct vector fresh_sets, dying_sets, dead_sets;
	struct row *rows;
	struct row *scratch; /* with room for all sets */
	__u64 *scratch_bits; /* all words */
	struct space words;
	struct place *places;
	struct vector queued_places;
	struct buffer changes; /* of struct change */

	/* rules */
	struct vector queued_rulesets, queued_cohorts;
	struct ports *ports;
	struct ports **ports_by_number;
	struct space port_numbers;
	struct log_text *logs;
	struct log_text **log_by_number;
	struct space log_numbers;
	__u32 *rule_refs;
	struct space rule_ids;
	struct page *pages;
	struct space rules;
	struct run *runs;
	struct space steps;
	struct list *lists;
	struct space list_numbers;
	__u32 serial;
	__u32 two_sided; /* lists that are */

	/* publishing */
	struct slot *slots;
	__u32 slot_count;
	__u32 host_slots; /* how many of them are host endpoints' */
	__u32 generation;
	__u32 epoch; /* as written to GENERATION_EPOCH */
	struct vector queued_slots;
	struct space generation_slots;
	struct buffer bumps; /* __u32 generation slots to be written */
	__u8 *bumped;	     /* bit per generation slot */
	struct buffer limbo; /* of struct limbo_item */
};

/* ---- sink.c ---- */

/* Both return 0 or -ENOSPC and keep the sink's own code in engine->error. An absent key is erased already. */
int sink_write(struct policy_engine *engine, enum policy_map map, const void *key, const void *value);
int sink_erase(struct policy_engine *engine, enum policy_map map, const void *key);
void engine_error(struct policy_engine *engine, int code);
/* space_take(), and remembers which map had no room. */
int engine_take(struct policy_engine *engine, enum policy_map map, struct space *space, __u32 count,
		__u32 *ret_first);
/* Remembers that memory ran out; returns r. */
int engine_result(struct policy_engine *engine, int r);

/* ---- worklist.c: each returns 0 or -ENOMEM ---- */

int place_queue(struct policy_engine *engine, struct place *place);
int cohort_queue(struct policy_engine *engine, struct cohort *cohort);
int ruleset_queue(struct policy_engine *engine, struct ruleset *set);
/* The slot's owner, lists or readiness changed. */
int slot_queue(struct policy_engine *engine, __u32 slot);
/* Flows that stored the generation of this slot are to be judged again. */
int generation_bump(struct policy_engine *engine, __u32 slot);
/* Keeps the object until no packet can see it. */
int limbo_add(struct policy_engine *engine, enum limbo_kind kind, void *object, __u32 number);

/* ---- slots.c ---- */

int cohort_queue_slots(struct policy_engine *engine, const struct cohort *cohort);
/* Closes what must not be judged by a mixture of old and new. */
int slots_hold(struct policy_engine *engine);
int slots_publish(struct policy_engine *engine);
/* Denies everything; needs no memory. */
void slots_deny_all(struct policy_engine *engine);

/* ---- retire.c ---- */

/* Drops what waited for the fence. */
void limbo_drain(struct policy_engine *engine);
/* Takes unused sets out of all rows; their numbers are free after a fence. */
int sets_bury(struct policy_engine *engine);
/* Frees profiles and policies that nothing uses any more. */
void retire_models(struct policy_engine *engine);

#endif
