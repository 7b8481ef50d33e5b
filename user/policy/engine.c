/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The engine: beginning, end, and what it uses. */
#include "policy/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- beginning ---- */

/* Number 0 means "none" or "deny" in most maps; a hash has its full capacity besides. */
static int init_spaces(struct policy_engine *engine)
{
	const __u32 *capacity = engine->sink.capacity;
	struct {
		struct space *space;
		__u32 first, end;
	} spaces[] = {
		{&engine->words, 1, capacity[MAP_IDENTITY]},
		{&engine->set_numbers, 1, SETS_MAX},
		{&engine->port_numbers, 1, capacity[MAP_PORTSET]},
		{&engine->log_numbers, 1, capacity[MAP_LOG_PREFIX] + 1},
		{&engine->rule_ids, 1, capacity[MAP_RULE_INFO]},
		{&engine->rules, 0, capacity[MAP_RULE]},
		{&engine->steps, 0, capacity[MAP_STEP]},
		{&engine->list_numbers, 1, capacity[MAP_LIST]},
		{&engine->generation_slots, GENERATION_FIRST + engine->slot_count, capacity[MAP_GENERATION]},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(spaces) / sizeof(spaces[0]); i++)
		r = space_init(spaces[i].space, spaces[i].first, spaces[i].end);
	return r;
}

static int init_tables(struct policy_engine *engine)
{
	const __u32 *capacity = engine->sink.capacity;

	/* Slot numbers must fit into struct address. */
	engine->slot_count = capacity[MAP_ENDPOINT_POLICY] < 65536 ? capacity[MAP_ENDPOINT_POLICY] : 65536;
	engine->slots = calloc(engine->slot_count + 1, sizeof(*engine->slots));
	engine->ports_by_number = calloc(capacity[MAP_PORTSET] + 1, sizeof(struct ports *));
	engine->log_by_number = calloc(capacity[MAP_LOG_PREFIX] + 1, sizeof(struct log_text *));
	engine->rule_refs = calloc(capacity[MAP_RULE_INFO] + 1, sizeof(*engine->rule_refs));
	engine->bumped = calloc(capacity[MAP_GENERATION] / 8 + 1, 1);
	if (!engine->slots || !engine->ports_by_number || !engine->log_by_number || !engine->rule_refs ||
	    !engine->bumped)
		return -ENOMEM;
	return init_spaces(engine);
}

int policy_engine_new(const struct policy_sink *sink,
		      void (*problem)(void *arg, const char *object, const char *text), void *problem_arg,
		      struct policy_engine **ret)
{
	struct policy_engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return -ENOMEM;
	engine->sink = *sink;
	engine->problem = problem;
	engine->problem_arg = problem_arg;
	r = init_tables(engine);
	if (r < 0) {
		policy_engine_free(engine);
		return r;
	}
	*ret = engine;
	return 0;
}

/* ---- end: everything is freed as it lies, without following references ---- */

/* The elements stay chained when their table is gone. */
#define FREE_ALL(type, table, release)                                                                       \
	do {                                                                                                 \
		struct type *item_ = (table), *next_;                                                        \
		HASH_CLEAR(hh, table);                                                                       \
		for (; item_; item_ = next_) {                                                               \
			next_ = item_->hh.next;                                                              \
			release(item_);                                                                      \
		}                                                                                            \
	} while (0)

static void tier_free(struct tier *tier)
{
	FREE_ALL(tier_policy, tier->policies, tier_policy_free);
	free(tier);
}

static void run_free(struct run *run)
{
	free(run->pages);
	free(run);
}

static void free_model(struct policy_engine *engine)
{
	FREE_ALL(member, engine->members, member_free);
	FREE_ALL(sandbox, engine->sandboxes, free);
	FREE_ALL(cohort, engine->cohorts, cohort_free);
	FREE_ALL(profile, engine->profiles, profile_free);
	FREE_ALL(tier, engine->tiers, tier_free);
	FREE_ALL(pool_entry, engine->pools, free);
	FREE_ALL(block_entry, engine->blocks, free);
	for (size_t i = 0; i < engine->removed.count; i++)
		tier_policy_free(engine->removed.items[i]);
}

static void free_derived(struct policy_engine *engine)
{
	const struct limbo_item *limbo = (const struct limbo_item *)engine->limbo.data;

	for (size_t i = 0; i < engine->limbo.size / sizeof(*limbo); i++) {
		if (limbo[i].kind == LIMBO_SET)
			free(limbo[i].object);
	}
	for (size_t i = 0; i < engine->dead_sets.count; i++)
		free(engine->dead_sets.items[i]);
	FREE_ALL(set, engine->sets, free);
	FREE_ALL(atom, engine->atoms, atom_free);
	FREE_ALL(row, engine->rows, free);
	FREE_ALL(place, engine->places, free);
	FREE_ALL(list, engine->lists, free);
	FREE_ALL(run, engine->runs, run_free);
	FREE_ALL(page, engine->pages, free);
	FREE_ALL(ports, engine->ports, free);
	FREE_ALL(log_text, engine->logs, free);
}

static void free_tables(struct policy_engine *engine)
{
	struct vector *vectors[] = {
		&engine->policies,	&engine->removed,	  &engine->selectors,
		&engine->new_selectors, &engine->fresh_sets,	  &engine->dying_sets,
		&engine->dead_sets,	&engine->holding,	  &engine->queued_places,
		&engine->queued_slots,	&engine->queued_rulesets, &engine->queued_cohorts,
	};
	struct space *spaces[] = {
		&engine->set_numbers, &engine->words,	     &engine->port_numbers,
		&engine->log_numbers, &engine->rule_ids,     &engine->rules,
		&engine->steps,	      &engine->list_numbers, &engine->generation_slots,
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		vector_done(vectors[i]);
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		space_done(spaces[i]);
	buffer_done(&engine->changes);
	buffer_done(&engine->bumps);
	buffer_done(&engine->limbo);
	free(engine->set_by_number);
	free(engine->scratch);
	free(engine->scratch_bits);
	free(engine->ports_by_number);
	free(engine->log_by_number);
	free(engine->rule_refs);
	free(engine->slots);
	free(engine->bumped);
}

void policy_engine_free(struct policy_engine *engine)
{
	if (!engine)
		return;
	free_model(engine);
	free_derived(engine);
	free_tables(engine);
	free(engine);
}

/* ---- usage ---- */

void policy_usage(const struct policy_engine *engine, struct policy_usage *ret)
{
	*ret = (struct policy_usage){
		.sets = HASH_COUNT(engine->sets),
		.rows = HASH_COUNT(engine->rows),
		.lists = HASH_COUNT(engine->lists),
		.writes = engine->writes,
		.lacking = engine->lacking,
	};
	memcpy(ret->used, engine->entries, sizeof(ret->used));
	memcpy(ret->capacity, engine->sink.capacity, sizeof(ret->capacity));
	ret->used[MAP_IDENTITY] = engine->words.used;
	ret->used[MAP_PORTSET] = engine->port_numbers.used;
	ret->used[MAP_RULE] = engine->rules.used;
	ret->used[MAP_RULE_INFO] = engine->rule_ids.used;
	ret->used[MAP_LOG_PREFIX] = engine->log_numbers.used;
	ret->used[MAP_STEP] = engine->steps.used;
	ret->used[MAP_LIST] = engine->list_numbers.used;
	ret->used[MAP_GENERATION] = engine->generation_slots.used;
	for (__u32 i = 0; i < engine->slot_count; i++)
		ret->used[MAP_ENDPOINT_POLICY] +=
			engine->slots[i].lists[INBOUND] || engine->slots[i].lists[OUTBOUND];
}
