/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Places, second part: what queued ones should be in the maps, and writing that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

static __u16 net_flags(const struct policy_engine *engine, const struct place *place)
{
	struct addr addr = place_addr(place);
	__u16 flags = 0;

	for (const struct pool_entry *pool = engine->pools; pool; pool = pool->hh.next) {
		if (pool->cidr.length > place->key.length || !cidr_contains(&pool->cidr, &addr))
			continue;
		flags |= ADDRESS_IN_POOL;
		if (pool->masquerade)
			flags |= ADDRESS_NAT_OUT;
	}
	for (const struct block_entry *block = engine->blocks; block; block = block->hh.next) {
		if (block->cidr.length <= place->key.length && cidr_contains(&block->cidr, &addr))
			flags |= ADDRESS_BLOCK;
	}
	return flags;
}

/* Who has the address: the local endpoint that was set last, else any other workload. */
static void judge_owner(const struct place *place, struct address *value)
{
	const struct member *owner = NULL;
	bool other = false;

	for (const struct claim *claim = place->claims; claim; claim = claim->next) {
		const struct member *member = claim->member;

		if (member->host)
			value->flags |= ADDRESS_NODE;
		else if (!member_is_local(member))
			other = true;
		else if (!owner || member->sequence > owner->sequence)
			owner = member;
	}
	if (owner) {
		value->flags |= ADDRESS_LOCAL;
		value->endpoint = (__u16)owner->slot;
		value->generation_slot = GENERATION_FIRST + owner->slot;
	} else if (other) {
		value->flags |= ADDRESS_REMOTE;
	}
}

/* Shared by all unknown addresses with the same last byte. */
static __u32 unknown_slot(const struct place *place)
{
	return place->key.bytes[place->key.length / 8 - 1];
}

/*
 * Programs use the shared slot for every address without an owner. An address that finds no free slot uses it
 * too: its flows are re-checked more often than needed.
 */
static int choose_generation_slot(struct policy_engine *engine, struct place *place, struct address *value)
{
	int r = 0;

	if (value->flags & ADDRESS_LOCAL)
		return 0;
	value->generation_slot = unknown_slot(place);
	if (!(value->flags & (ADDRESS_HOST | ADDRESS_REMOTE)))
		return 0;
	if (!place->own_slot)
		r = space_take(&engine->generation_slots, 1, &place->own_slot);
	if (place->own_slot)
		value->generation_slot = place->own_slot;
	return r == -ENOMEM ? r : 0;
}

static bool place_wanted(const struct place *place)
{
	return place->key.prefix ? place->nets > 0 : place->claims || place->host || place->node;
}

/* The change's value, and *ret_row as wanted: of the place itself, or what shows when it is gone. */
static int judge(struct policy_engine *engine, struct place *place, struct change *change,
		 const struct row **ret_row)
{
	const struct place *around;
	int r;

	if (!change->present) {
		around = place_around(engine, place);
		*ret_row = around ? around->row : NULL;
		change->value.flags = around ? around->value.flags : 0;
		return 0;
	}
	r = place_row(engine, place, ret_row);
	if (r < 0)
		return r;
	change->value.flags = net_flags(engine, place);
	if (place->key.prefix)
		return 0;
	judge_owner(place, &change->value);
	if (place->host)
		change->value.flags |= ADDRESS_HOST;
	if (place->node)
		change->value.flags |= ADDRESS_NODE;
	return choose_generation_slot(engine, place, &change->value);
}

/* Does the change matter to what rules in force conclude? Marks the sets that the address enters or leaves.
 */
static bool is_live(struct policy_engine *engine, const struct place *place, const struct change *change,
		    const struct row *wanted)
{
	const struct place *old = place->published ? place : place_around(engine, place);
	bool live = row_compare(engine, old ? old->row : NULL, wanted, change->stuck);

	if (!place->key.prefix && place->published != change->present)
		return true;
	return live || change->value.flags != (old ? old->value.flags : 0) ||
	       (!place->key.prefix && change->present &&
		change->value.generation_slot != place->value.generation_slot);
}

static void place_drop(struct policy_engine *engine, struct place *place)
{
	HASH_DEL(engine->places, place);
	if (place->own_slot)
		space_give(&engine->generation_slots, place->own_slot, 1);
	free(place);
}

/* What is told about the endpoints of this host that claim it may change. */
static int queue_claimants(struct policy_engine *engine, const struct place *place)
{
	int r = 0;

	for (const struct claim *claim = place->claims; r == 0 && claim; claim = claim->next) {
		if (member_is_local(claim->member))
			r = slot_queue(engine, claim->member->slot);
	}
	return r;
}

static int place_set_failed(struct policy_engine *engine, struct place *place, bool failed)
{
	if (place->failed == failed)
		return 0;
	place->failed = failed;
	return queue_claimants(engine, place);
}

static int plan(struct policy_engine *engine, struct place *place)
{
	struct change change = {.place = place, .present = place_wanted(place)};
	const struct row *wanted;
	int r = judge(engine, place, &change, &wanted);

	if (r == 0 && change.present && wanted) {
		r = row_get(engine, wanted, &change.row);
		if (r == -ENOSPC) {
			change.stuck = true;
			r = 0;
		}
	}
	if (r < 0)
		return r;
	if (change.row) {
		change.value.row = change.row->index;
		change.value.first_word = change.row->first_word;
		change.value.words = change.row->words;
	}
	change.live = is_live(engine, place, &change, wanted);
	if (!change.stuck && change.present == place->published &&
	    (!change.present || memcmp(&change.value, &place->value, sizeof(change.value)) == 0)) {
		row_unref(engine, change.row);
		place->queued = false;
		r = place_set_failed(engine, place, false);
		if (!change.present)
			place_drop(engine, place);
		return r;
	}
	return buffer_add(&engine->changes, &change, sizeof(change));
}

int places_plan(struct policy_engine *engine)
{
	int r = 0;

	engine->changes.size = 0;
	for (size_t i = 0; r == 0 && i < engine->queued_places.count; i++)
		r = plan(engine, engine->queued_places.items[i]);
	engine->queued_places.count = 0;
	return r;
}

union place_map_key {
	struct address4_key address4;
	struct address6_key address6;
	struct prefix4_key prefix4;
	struct prefix6_key prefix6;
};

static enum policy_map map_key_of(const struct place *place, union place_map_key *key)
{
	bool v6 = place->key.family == 6;
	size_t size = v6 ? 16 : 4;

	*key = (union place_map_key){};
	if (!place->key.prefix) {
		memcpy(key, place->key.bytes, size);
		return v6 ? MAP_ADDRESS6 : MAP_ADDRESS4;
	}
	/* Both kinds of prefix begin with the length. */
	key->prefix4.prefix_length = place->key.length;
	memcpy(&key->prefix4.address, place->key.bytes, size);
	return v6 ? MAP_PREFIX6 : MAP_PREFIX4;
}

static int write_place(struct policy_engine *engine, const struct change *change)
{
	const struct place *place = change->place;
	struct address value = change->value;
	struct addr addr = place_addr(place);
	__be32 words[4];
	union place_map_key key;
	enum policy_map map = map_key_of(place, &key);
	int r;

	if (!change->present)
		return sink_erase(engine, map, &key);
	if (!place->published && engine->entries[map] >= engine->sink.capacity[map]) {
		engine->lacking |= 1U << map;
		engine_error(engine, -ENOSPC);
		return -ENOSPC;
	}
	memcpy(words, addr.bytes, sizeof(words));
	if (!place->key.prefix)
		value.check = address_check(words, &value);
	r = sink_write(engine, map, &key, &value);
	if (r == 0 && !place->published)
		engine->entries[map]++;
	return r;
}

/* The host's end of a flow knows the generation of the host endpoint that judged it, not of the address. */
static int bump_host_endpoints(struct policy_engine *engine)
{
	int r = 0;

	for (__u32 slot = 1; r == 0 && engine->host_slots && slot < engine->slot_count; slot++) {
		if (engine->slots[slot].owner && engine->slots[slot].owner->host)
			r = generation_bump(engine, GENERATION_FIRST + slot);
	}
	return r;
}

/* Established flows with the address are to be judged again. */
static int bump(struct policy_engine *engine, const struct place *place)
{
	bool of_host = place->host || (place->value.flags & ADDRESS_HOST);
	int r = of_host ? bump_host_endpoints(engine) : 0;

	if (r < 0)
		return r;
	if (!place->key.prefix)
		return generation_bump(engine,
				       place->published ? place->value.generation_slot : unknown_slot(place));
	for (__u32 slot = 0; r == 0 && slot < GENERATION_UNKNOWN; slot++)
		r = generation_bump(engine, slot);
	return r;
}

static int settle(struct policy_engine *engine, const struct change *change)
{
	struct place *place = change->place;
	union place_map_key key;
	int r = 0;

	if (change->live)
		r = bump(engine, place);
	if (r == 0 && place->row)
		r = limbo_add(engine, LIMBO_ROW, place->row, 0);
	if (place->published && !change->present)
		engine->entries[map_key_of(place, &key)]--;
	if (r == 0 && place->value.endpoint != change->value.endpoint)
		r = queue_claimants(engine, place);
	place->row = change->row;
	place->value = change->value;
	place->published = change->present;
	if (r == 0 && place->own_slot && place->value.generation_slot != place->own_slot) {
		r = limbo_add(engine, LIMBO_GENERATION, NULL, place->own_slot);
		place->own_slot = 0;
	}
	place->queued = false;
	if (r == 0)
		r = place_set_failed(engine, place, false);
	if (!change->present)
		place_drop(engine, place);
	return r;
}

static int fail(struct policy_engine *engine, const struct change *change)
{
	struct place *place = change->place;
	const struct place *around = place_around(engine, place);
	const struct place *old = place->published ? place : around;
	const struct row *wanted = change->present ? change->row : around ? around->row : NULL;
	int r = 0;

	if (!change->stuck)
		row_compare(engine, old ? old->row : NULL, wanted, true);
	row_unref(engine, change->row);
	place->queued = false;
	engine->places_failed = true;
	if (change->live)
		r = place_set_failed(engine, place, true);
	return r < 0 ? r : place_queue(engine, place);
}

int places_apply(struct policy_engine *engine)
{
	const struct change *changes = (const struct change *)engine->changes.data;
	size_t count = engine->changes.size / sizeof(*changes);
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (changes[i].stuck || write_place(engine, &changes[i]) < 0)
			r = fail(engine, &changes[i]);
		else
			r = settle(engine, &changes[i]);
	}
	engine->changes.size = 0;
	return r;
}
