/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Retirement: what ends after a fence, when no packet can see it any more. */
#include <stdlib.h>

#include "policy/engine.h"

/* ---- what waited for the fence ---- */

static void set_free(struct policy_engine *engine, struct set *set)
{
	engine->set_by_number[set->number] = NULL;
	space_give(&engine->set_numbers, set->number, 1);
	free(set);
}

static void limbo_release(struct policy_engine *engine, const struct limbo_item *item)
{
	switch (item->kind) {
	case LIMBO_LIST:
		list_unref(engine, item->object);
		return;
	case LIMBO_ROW:
		row_unref(engine, item->object);
		return;
	case LIMBO_SET:
		set_free(engine, item->object);
		return;
	case LIMBO_GENERATION:
		space_give(&engine->generation_slots, item->number, 1);
		return;
	}
}

void limbo_drain(struct policy_engine *engine)
{
	const struct limbo_item *items = (const struct limbo_item *)engine->limbo.data;

	for (size_t i = 0; i < engine->limbo.size / sizeof(*items); i++)
		limbo_release(engine, &items[i]);
	engine->limbo.size = 0;
}

/* ---- sets without users ---- */

static int set_detach(struct policy_engine *engine, struct set *set)
{
	int r = vector_push(&engine->dead_sets, set);

	if (r < 0)
		return r;
	set->dead = true;
	HASH_DEL(engine->sets, set);
	for (__u32 i = 0; i < set->count; i++)
		vector_remove(&set->atoms[i]->sets, set);
	return atoms_release(engine, set->atoms, set->count);
}

/* Splits off those that are in use again. */
static void keep_unused(struct vector *sets)
{
	size_t kept = 0;

	for (size_t i = 0; i < sets->count; i++) {
		struct set *set = sets->items[i];

		if (set->refs == 0)
			sets->items[kept++] = set;
		else
			set->dying = false;
	}
	sets->count = kept;
}

static int dead_to_limbo(struct policy_engine *engine)
{
	int r = 0;

	while (r == 0 && engine->dead_sets.count > 0)
		r = limbo_add(engine, LIMBO_SET, engine->dead_sets.items[--engine->dead_sets.count], 0);
	return r;
}

int sets_bury(struct policy_engine *engine)
{
	int r;

	keep_unused(&engine->dying_sets);
	r = queue_members(engine, &engine->dying_sets);
	for (size_t i = 0; r == 0 && i < engine->dying_sets.count; i++)
		r = set_detach(engine, engine->dying_sets.items[i]);
	engine->dying_sets.count = 0;
	if (r < 0 || engine->dead_sets.count == 0)
		return r;
	r = places_plan(engine);
	if (r == 0)
		r = places_apply(engine);
	/* A row that could not be replaced keeps the bit, so its number must not get another meaning. */
	if (r < 0 || engine->queued_places.count > 0)
		return r;
	return dead_to_limbo(engine);
}

/* ---- profiles and policies without users ---- */

void retire_models(struct policy_engine *engine)
{
	size_t left = 0;

	if (!engine->sweep)
		return;
	engine->sweep = false;
	profiles_sweep(engine);
	for (size_t i = 0; i < engine->removed.count; i++) {
		struct tier_policy *policy = engine->removed.items[i];

		if (policy->rules.users || policy->rules.queued) {
			engine->removed.items[left++] = policy;
			engine->sweep = true;
			continue;
		}
		tier_policy_free(policy);
	}
	engine->removed.count = left;
}
