/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Places: exact addresses and prefixes, and the sets that each is in. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

static int place_find(struct policy_engine *engine, const struct place_key *key, struct place **ret)
{
	struct place *place;

	HASH_FIND(hh, engine->places, key, sizeof(*key), place);
	if (!place) {
		place = calloc(1, sizeof(*place));
		if (!place)
			return -ENOMEM;
		place->key = *key;
		HASH_ADD(hh, engine->places, key, sizeof(*key), place);
		if (HASH_FAILED(place)) {
			free(place);
			return -ENOMEM;
		}
	}
	*ret = place;
	return 0;
}

int place_get(struct policy_engine *engine, const struct addr *addr, struct place **ret)
{
	struct place_key key = {.family = addr->family, .length = (__u8)addr_bits(addr)};

	memcpy(key.bytes, addr->bytes, addr_bits(addr) / 8);
	return place_find(engine, &key, ret);
}

static struct place_key prefix_key(const struct cidr *masked)
{
	struct place_key key = {.family = masked->addr.family, .prefix = 1, .length = masked->length};

	memcpy(key.bytes, masked->addr.bytes, addr_bits(&masked->addr) / 8);
	return key;
}

int place_get_prefix(struct policy_engine *engine, const struct cidr *masked, struct place **ret)
{
	struct place_key key = prefix_key(masked);

	return place_find(engine, &key, ret);
}

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

struct addr place_addr(const struct place *place)
{
	struct addr addr = {.family = place->key.family};

	memcpy(addr.bytes, place->key.bytes, sizeof(addr.bytes));
	return addr;
}

struct cidr place_cidr(const struct place *place)
{
	return (struct cidr){.addr = place_addr(place), .length = place->key.length};
}

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

static int hold(void *arg, struct atom *atom)
{
	struct policy_engine *engine = arg;

	if (atom->mark == engine->mark)
		return 0;
	atom->mark = engine->mark;
	return vector_push(&engine->holding, atom);
}

/* Fills engine->holding with all atoms that are true of the place. */
static int collect_atoms(struct policy_engine *engine, const struct place *place)
{
	int r = 0;

	engine->mark++;
	engine->holding.count = 0;
	for (const struct claim *claim = place->claims; r == 0 && claim; claim = claim->next)
		r = cohort_each_atom(claim->member->cohort, hold, engine);
	return r < 0 ? r : each_net(engine, place, hold, engine);
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

const struct place *place_around(struct policy_engine *engine, const struct place *place)
{
	int length = place->key.length;

	if (place->key.prefix)
		length--;
	for (; length >= 0; length--) {
		struct cidr net = place_cidr(place);
		struct place_key key;
		struct place *found;

		net.length = (uint8_t)length;
		cidr_mask(&net);
		key = prefix_key(&net);
		HASH_FIND(hh, engine->places, &key, sizeof(key), found);
		if (found && found->published)
			return found;
	}
	return NULL;
}
