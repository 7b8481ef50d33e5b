/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The engine's half about rules.
 *
 *	ruleset	 the rules of one profile or policy, compiled once for all endpoints
 *	page	 up to RULES_PER_STEP consecutive compiled rules; equal pages are one
 *	run	 consecutive steps: one class of a list
 *	list	 what one direction of an endpoint is decided by; equal lists are one
 *
 * References go list -> run -> page -> sets, port sets, log prefixes, rule ids. What is published is held by
 * references, and those are dropped after a fence; so whatever reaches zero may be reused at once.
 */
#ifndef POLICY_RULEBOOK_H
#define POLICY_RULEBOOK_H

#include "abi.h"
#include "model/profile.h"
#include "policy/grow.h"
#include "policy/hash.h"

struct policy_engine;
struct atom;
struct cohort;
struct profile;

enum direction { INBOUND, OUTBOUND };

/* ---- rulesets ---- */

struct ruleset {
	char *title;			   /* "profile web", "policy t/n" */
	const struct rules_list *rules[2]; /* by direction; NULL: missing or invalid */
	__u32 *ids[2];			   /* rule id by position; 0: none yet */
	struct vector pages[2][CLASS_COUNT];
	__u32 users;	     /* lists of cohorts with local endpoints */
	bool compiled;	     /* pages are those of the rules */
	bool queued;	     /* something changed: look at it in the next pass */
	bool changed;	     /* in this pass: lists with it are to be built again */
	bool stale;	     /* a set of its rules is not in the maps as it should be */
	const char *failure; /* why it could not be compiled; NULL: it could */
	const char *problem; /* as reported */
};

static inline bool ruleset_denies(const struct ruleset *set)
{
	return set->failure || set->stale;
}
int ruleset_init(struct ruleset *set, const char *kind, const char *tier, const char *name);
void ruleset_done(struct ruleset *set);
/* Rule ids stay with the positions whose rules are equal in both. The lists are borrowed; the old ones must
 * still be valid. NULL: none. */
int ruleset_set(struct policy_engine *engine, struct ruleset *set, const struct rules_list *inbound,
		const struct rules_list *outbound);
/* Tells what is wrong with it (NULL: nothing), if that is news. */
void ruleset_report(struct policy_engine *engine, struct ruleset *set, const char *text);
/* Compiles those that are used and changed, drops those that are not used. */
int rulesets_compile(struct policy_engine *engine);
/* Finds out which of them look at a stale set. */
void rulesets_check_stale(struct policy_engine *engine);
int compile_direction(struct policy_engine *engine, struct ruleset *set, enum direction direction);

/* ---- tiers ---- */

struct tier_policy {
	UT_hash_handle hh;
	struct tier *tier;
	struct ruleset rules;
	struct policy *model;
	char name[];
};

struct tier {
	UT_hash_handle hh;
	struct tier_policy *policies;
	double order;
	bool known; /* has valid metadata; else its policies do not count */
	char name[];
};

enum use_kind { USE_POLICY = 1, USE_TIER_END, USE_PROFILE };
struct use {
	struct ruleset *rules; /* NULL: USE_TIER_END */
	enum use_kind kind;
};

struct tier *tier_find(struct policy_engine *engine, const char *name);
int tier_get(struct policy_engine *engine, const char *name, struct tier **ret);
/* Frees it when it has neither metadata nor policies. */
void tier_release(struct policy_engine *engine, struct tier *tier);
struct tier_policy *tier_policy_find(const struct tier *tier, const char *name);
int tier_policy_get(struct tier *tier, const char *name, struct tier_policy **ret);
void tier_policy_free(struct tier_policy *policy);
/* Puts engine->policies in order of evaluation. */
int tiers_sort(struct policy_engine *engine);
/* Finds out which rulesets decide for the cohort. */
int cohort_resolve(struct policy_engine *engine, struct cohort *cohort);

/* ---- what rules refer to by number; each reference is counted ---- */

struct ports {
	UT_hash_handle hh;
	__u32 number, refs;
	size_t count;
	struct port_range ranges[]; /* sorted, never adjacent; the key */
};

struct log_text {
	UT_hash_handle hh;
	__u32 number, refs;
	char text[];
};

int ports_get(struct policy_engine *engine, const struct port_range *ranges, size_t count, __u32 *ret);
int log_text_get(struct policy_engine *engine, const char *text, __u32 *ret);
int rule_id_get(struct policy_engine *engine, const struct rule_info *info, __u32 *ret);
void rule_id_unref(struct policy_engine *engine, __u32 id);
void rule_release(struct policy_engine *engine, const struct policy_rule *rule);
/* One more reference to everything that the rule names. */
void rule_ref(struct policy_engine *engine, const struct policy_rule *rule);

/*
 * The ports that are in `positive` (all, when that is empty) and not in `negative`, as sorted ranges that
 * never touch. *ret is malloc'd; a count of 0: no port at all.
 */
int port_ranges_resolve(const struct port_ranges *positive, const struct port_ranges *negative,
			struct port_range **ret, size_t *ret_count);

/* ---- pages, runs, lists ---- */

struct page {
	UT_hash_handle hh;
	__u32 first, count, refs;
	bool sources, destinations; /* a rule names a source (destination) set */
	__u32 flags;		    /* enum list_flags */
	struct policy_rule rules[];
};
/* Takes the references that the rules hold, also when it fails. */
int page_get(struct policy_engine *engine, const struct policy_rule *rules, __u32 count, struct page **ret);
void page_unref(struct policy_engine *engine, struct page *page);

struct run {
	UT_hash_handle hh;
	__u32 first, count, refs;
	struct page **pages;
	size_t page_count;
	struct policy_step steps[];
};

struct list {
	UT_hash_handle hh;
	__u32 number, refs;
	__u64 checked; /* engine->pass of the two answers below */
	bool source_changes, destination_changes;
	bool two_sided;		       /* names source sets and destination sets */
	struct run *runs[CLASS_COUNT]; /* the key; NULL: no steps */
};
/* The list of a cohort; *ret NULL when it has no steps at all. -ENOSPC: does not fit. */
int list_build(struct policy_engine *engine, const struct cohort *cohort, enum direction direction,
	       struct list **ret);
void list_ref(struct list *list);
void list_unref(struct policy_engine *engine, struct list *list);
/* Fills source_changes and destination_changes: does it look at sets that change in this pass? */
void list_check_changes(struct policy_engine *engine, struct list *list);

#endif
