/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The work list: objects leave notes on it, each once, and policy_commit() walks it. */
#include "policy/engine.h"

int place_queue(struct policy_engine *engine, struct place *place)
{
	int r;

	if (place->queued)
		return 0;
	r = vector_push(&engine->queued_places, place);
	if (r == 0)
		place->queued = true;
	return r;
}

int cohort_queue(struct policy_engine *engine, struct cohort *cohort)
{
	int r;

	if (cohort->queued)
		return 0;
	r = vector_push(&engine->queued_cohorts, cohort);
	if (r == 0)
		cohort->queued = true;
	return r;
}

int slot_queue(struct policy_engine *engine, __u32 number)
{
	struct slot *slot = &engine->slots[number];
	int r;

	if (slot->queued)
		return 0;
	r = vector_push(&engine->queued_slots, slot);
	if (r == 0)
		slot->queued = true;
	return r;
}

int ruleset_queue(struct policy_engine *engine, struct ruleset *set)
{
	int r;

	if (set->queued)
		return 0;
	r = vector_push(&engine->queued_rulesets, set);
	if (r == 0)
		set->queued = true;
	return r;
}

int limbo_add(struct policy_engine *engine, enum limbo_kind kind, void *object, __u32 number)
{
	struct limbo_item item = {.kind = kind, .number = number, .object = object};

	return buffer_add(&engine->limbo, &item, sizeof(item));
}

int generation_bump(struct policy_engine *engine, __u32 slot)
{
	__u8 bit = (__u8)(1 << (slot % 8));
	int r;

	if (slot >= engine->sink.capacity[MAP_GENERATION] || engine->bumped[slot / 8] & bit)
		return 0;
	r = buffer_add(&engine->bumps, &slot, sizeof(slot));
	if (r == 0)
		engine->bumped[slot / 8] |= bit;
	return r;
}
