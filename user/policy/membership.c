/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Membership joins places, cohorts and atoms: which sets hold at a place, which places a set may concern. */
#include <string.h>

#include "policy/engine.h"

/* The net atoms that cover a place: each length in use is one lookup. */
static int each_net(struct policy_engine *engine, const struct place *place,
		    int (*fn)(void *arg, struct atom *atom), void *arg)
{
	const __u32 *lengths = engine->net_lengths[place->key.family == 6];
	int r = 0;

	for (int length = 0; r == 0 && length <= place->key.length; length++) {
		struct cidr net = place_cidr(place);
		struct atom *atom;

		if (!lengths[length])
			continue;
		net.length = (uint8_t)length;
		cidr_mask(&net);
		atom = atom_find_net(engine, &net);
		if (atom)
			r = fn(arg, atom);
	}
	return r;
}

/* ---- from a place to its sets ---- */

static int hold(void *arg, struct atom *atom)
{
	struct policy_engine *engine = arg;

	if (atom->mark == engine->mark)
		return 0;
	atom->mark = engine->mark;
	return vector_push(&engine->holding, atom);
}

static int hold_of_member(struct policy_engine *engine, const struct member *member)
{
	int r = 0;

	if (!member->sandbox)
		return cohort_each_atom(member->cohort, hold, engine);
	for (member = member->sandbox->members; r == 0 && member; member = member->sandbox_next)
		r = cohort_each_atom(member->cohort, hold, engine);
	return r;
}

/* Fills engine->holding with all atoms that are true of the place. */
static int collect_atoms(struct policy_engine *engine, const struct place *place)
{
	int r = 0;

	engine->mark++;
	engine->holding.count = 0;
	for (const struct claim *claim = place->claims; r == 0 && claim; claim = claim->next)
		r = hold_of_member(engine, claim->member);
	return r < 0 ? r : each_net(engine, place, hold, engine);
}

/* For an address whose atoms are marked with engine->mark. */
static bool set_holds(const struct policy_engine *engine, const struct set *set)
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

int place_row(struct policy_engine *engine, const struct place *place, const struct row **ret)
{
	__u32 first = UINT32_MAX, last = 0;
	int r = collect_atoms(engine, place);

	if (r < 0)
		return r;
	for (size_t i = 0; i < engine->holding.count; i++) {
		const struct atom *atom = engine->holding.items[i];

		for (size_t j = 0; j < atom->sets.count; j++) {
			struct set *set = atom->sets.items[j];
			__u32 word = set->number / 64;

			if (set->seen == engine->mark)
				continue;
			set->seen = engine->mark;
			if (!set_holds(engine, set))
				continue;
			engine->scratch_bits[word] |= 1ULL << (set->number % 64);
			first = word < first ? word : first;
			last = word > last ? word : last;
		}
	}
	*ret = NULL;
	if (first == UINT32_MAX)
		return 0;
	memset(engine->scratch, 0, sizeof(*engine->scratch));
	engine->scratch->first_word = (__u16)first;
	engine->scratch->words = (__u16)(last - first + 1);
	memcpy(engine->scratch->bits, engine->scratch_bits + first, (last - first + 1) * sizeof(__u64));
	memset(engine->scratch_bits + first, 0, (last - first + 1) * sizeof(__u64));
	*ret = engine->scratch;
	return 0;
}

/* ---- from sets to places ---- */

static int check_touched(void *arg, struct atom *atom)
{
	bool *touched = arg;

	*touched |= atom->touched;
	return 0;
}

static bool any_net_touched(struct policy_engine *engine)
{
	for (const struct atom *atom = engine->atoms; atom; atom = atom->hh.next) {
		if (atom->touched && atom->kind == ATOM_NET)
			return true;
	}
	return false;
}

int places_queue_within(struct policy_engine *engine, const struct cidr *net)
{
	int r = 0;

	if (!net && !any_net_touched(engine))
		return 0;
	for (struct place *place = engine->places; place; place = place->hh.next) {
		bool within = false;

		if (place->queued)
			continue;
		if (net) {
			struct addr addr = place_addr(place);

			within = place->key.length >= net->length && cidr_contains(net, &addr);
		} else {
			each_net(engine, place, check_touched, &within);
		}
		if (within)
			r = place_queue(engine, place);
		if (r < 0)
			break;
	}
	return r;
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

int queue_members(struct policy_engine *engine, const struct vector *sets)
{
	int r = 0;

	if (sets->count == 0)
		return 0;
	for (size_t i = 0; i < sets->count; i++)
		touch(sets->items[i]);
	for (struct cohort *cohort = engine->cohorts; cohort; cohort = cohort->hh.next) {
		bool touched = false;

		r = cohort_each_atom(cohort, check_touched, &touched);
		if (r == 0 && touched)
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
