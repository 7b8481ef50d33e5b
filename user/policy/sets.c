/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sets: address predicates with a number, one for all rules that ask the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

static size_t key_size(__u32 count)
{
	return sizeof(struct set) + count * sizeof(struct atom *) - offsetof(struct set, positive);
}

static int by_id(const void *a, const void *b)
{
	const struct atom *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

/* An unpublished set of the predicate, without number. A single negated atom is that atom, negated. */
static struct set *set_alloc(const struct predicate *predicate, bool *ret_not)
{
	__u32 count = predicate->positives + predicate->negatives;
	struct set *set = calloc(1, sizeof(*set) + count * sizeof(struct atom *));

	if (!set)
		return NULL;
	*ret_not = predicate->positives == 0;
	set->positive = count == 1 ? 1 : predicate->positives;
	set->count = count;
	memcpy(set->atoms, predicate->positive, predicate->positives * sizeof(struct atom *));
	memcpy(set->atoms + predicate->positives, predicate->negative,
	       predicate->negatives * sizeof(struct atom *));
	qsort(set->atoms, predicate->positives, sizeof(struct atom *), by_id);
	qsort(set->atoms + predicate->positives, predicate->negatives, sizeof(struct atom *), by_id);
	return set;
}

/* Makes the arrays that are indexed by set, or have a bit per set, large enough. */
static int sets_reserve(struct policy_engine *engine, __u32 number)
{
	__u32 room = engine->set_room ? engine->set_room : 64;
	struct set **sets;
	struct row *scratch;
	__u64 *bits;

	if (number < engine->set_room)
		return 0;
	while (room <= number)
		room *= 2;
	sets = reallocarray(engine->set_by_number, room, sizeof(struct set *));
	if (!sets)
		return -ENOMEM;
	memset(sets + engine->set_room, 0, (room - engine->set_room) * sizeof(struct set *));
	engine->set_by_number = sets;
	scratch = realloc(engine->scratch, sizeof(*scratch) + room / 8);
	if (!scratch)
		return -ENOMEM;
	engine->scratch = scratch;
	bits = realloc(engine->scratch_bits, room / 8);
	if (!bits)
		return -ENOMEM;
	memset(bits, 0, room / 8);
	engine->scratch_bits = bits;
	engine->set_room = room;
	return 0;
}

static int set_insert(struct policy_engine *engine, struct set *set)
{
	int r = engine_take(engine, MAP_IDENTITY, &engine->set_numbers, 1, &set->number);

	if (r < 0)
		return r;
	r = sets_reserve(engine, set->number);
	if (r < 0)
		return r;
	HASH_ADD_KEYPTR(hh, engine->sets, &set->positive, key_size(set->count), set);
	if (HASH_FAILED(set))
		return -ENOMEM;
	engine->set_by_number[set->number] = set;
	set->fresh = true;
	r = vector_push(&engine->fresh_sets, set);
	for (__u32 i = 0; r == 0 && i < set->count; i++)
		r = vector_push(&set->atoms[i]->sets, set);
	return r;
}

static int release_atoms(struct policy_engine *engine, struct atom *const *atoms, __u32 count)
{
	int r = 0;

	for (__u32 i = 0; r == 0 && i < count; i++)
		r = atom_release(engine, atoms[i]);
	return r;
}

int set_get(struct policy_engine *engine, struct predicate *predicate, struct set **ret, bool *ret_not)
{
	struct set *set, *found;
	int r = 0;

	set = set_alloc(predicate, ret_not);
	if (!set)
		return -ENOMEM;
	HASH_FIND(hh, engine->sets, &set->positive, key_size(set->count), found);
	if (found) {
		free(set);
		found->refs++;
		*ret = found;
		return 0;
	}
	r = set_insert(engine, set);
	if (r == -ENOSPC) {
		r = release_atoms(engine, set->atoms, set->count);
		free(set);
		return r < 0 ? r : -ENOSPC;
	}
	if (r < 0) {
		if (HASH_FAILED(set))
			free(set); /* else policy_engine_free() finds it */
		return r;
	}
	set->refs = 1;
	*ret = set;
	return 0;
}

void set_unref(struct policy_engine *engine, __u32 number)
{
	struct set *set = engine->set_by_number[number];

	if (--set->refs > 0 || set->dying)
		return;
	set->dying = true;
	engine_result(engine, vector_push(&engine->dying_sets, set));
}

/* For an address whose atoms are marked with engine->mark. */
bool set_holds(const struct policy_engine *engine, const struct set *set)
{
	for (__u32 i = 0; i < set->count; i++) {
		bool holds = set->atoms[i]->mark == engine->mark;

		if (set->positive == 0 && holds)
			return true;
		if (set->positive > 0 && holds != (i < set->positive))
			return false;
	}
	return set->positive > 0;
}

/* Marks the atoms by which the addresses of a set are found: nets are looked for one by one, so not by them.
 */
static void touch(struct set *set)
{
	if (set->positive == 0) {
		for (__u32 i = 0; i < set->count; i++)
			set->atoms[i]->touched = true;
		return;
	}
	for (__u32 i = 0; i < set->positive; i++) {
		if (set->atoms[i]->kind != ATOM_NET) {
			set->atoms[i]->touched = true;
			return;
		}
	}
	set->atoms[0]->touched = true;
}

static void untouch(struct set *set)
{
	for (__u32 i = 0; i < set->count; i++)
		set->atoms[i]->touched = false;
}

struct touched {
	struct policy_engine *engine;
	bool found;
};

static int check_touched(void *arg, struct atom *atom)
{
	struct touched *touched = arg;

	touched->found |= atom->touched;
	return 0;
}

/* Queues every place that may be in one of the sets. */
static int queue_members(struct policy_engine *engine, const struct vector *sets)
{
	int r = 0;

	if (sets->count == 0)
		return 0;
	for (size_t i = 0; i < sets->count; i++)
		touch(sets->items[i]);
	for (struct cohort *cohort = engine->cohorts; cohort; cohort = cohort->hh.next) {
		struct touched touched = {.engine = engine};

		r = cohort_each_atom(cohort, check_touched, &touched);
		if (r == 0 && touched.found)
			r = cohort_queue_places(engine, cohort);
		if (r < 0)
			return r;
	}
	r = places_queue_within(engine, NULL);
	for (size_t i = 0; i < sets->count; i++)
		untouch(sets->items[i]);
	return r;
}

int sets_settle(struct policy_engine *engine)
{
	return queue_members(engine, &engine->fresh_sets);
}

static int set_detach(struct policy_engine *engine, struct set *set)
{
	int r = vector_push(&engine->dead_sets, set);

	if (r < 0)
		return r;
	set->dead = true;
	HASH_DEL(engine->sets, set);
	for (__u32 i = 0; i < set->count; i++)
		vector_remove(&set->atoms[i]->sets, set);
	return release_atoms(engine, set->atoms, set->count);
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
