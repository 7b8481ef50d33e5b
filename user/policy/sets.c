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
		r = atoms_release(engine, set->atoms, set->count);
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
