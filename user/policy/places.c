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
