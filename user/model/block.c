/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses of an allocation block: which are free, who has the others. */
#include "model/block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void block_free(struct block *block)
{
	if (!block)
		return;
	free(block->affinity);
	json_decref(block->attributes);
	json_decref(block->raw);
	free(block);
}

struct block *block_new(const struct cidr *cidr, const char *host, bool strict)
{
	struct block *block = calloc(1, sizeof(*block));

	if (!block)
		return NULL;
	block->cidr = *cidr;
	block->strict_affinity = strict;
	block->attributes = json_array();
	block->affinity = host ? strdup(host) : NULL;
	if (!block->attributes || (host && !block->affinity)) {
		block_free(block);
		return NULL;
	}
	for (uint8_t i = 0; i < BLOCK_SIZE; i++) {
		block->allocations[i] = -1;
		block->unallocated[i] = i;
	}
	block->unallocated_count = BLOCK_SIZE;
	return block;
}

struct cidr block_cidr_of(const struct addr *addr)
{
	struct cidr cidr = {.addr = *addr, .length = addr->family == 6 ? BLOCK_BITS6 : BLOCK_BITS4};

	cidr_mask(&cidr);
	return cidr;
}

/* Position in the block, or -ERANGE. */
static int ordinal_of(const struct block *block, const struct addr *addr)
{
	if (!cidr_contains(&block->cidr, addr))
		return -ERANGE;
	return addr->bytes[addr_bits(addr) / 8 - 1] % BLOCK_SIZE;
}

/* Absent and null are the same. */
static bool member_equal(const json_t *a, const json_t *b, const char *name)
{
	json_t *value_a = json_object_get(a, name), *value_b = json_object_get(b, name);

	if (!value_a || json_is_null(value_a))
		return !value_b || json_is_null(value_b);
	return json_equal(value_a, value_b);
}

/* Index of the attribute, which is added where it is new; -ENOMEM. */
static int attribute_index(struct block *block, json_t *attribute)
{
	json_t *present;
	size_t i;

	json_array_foreach (block->attributes, i, present)
		if (member_equal(present, attribute, "handle_id") &&
		    member_equal(present, attribute, "secondary"))
			return (int)i;
	if (json_array_append_new(block->attributes, json_deep_copy(attribute)) < 0)
		return -ENOMEM;
	return (int)i;
}

/* Takes the ordinal at that place of the queue. */
static void take(struct block *block, size_t place, int attribute)
{
	block->allocations[block->unallocated[place]] = attribute;
	block->unallocated_count--;
	memmove(block->unallocated + place, block->unallocated + place + 1, block->unallocated_count - place);
}

size_t block_assign_any(struct block *block, size_t wanted, const struct block_filter *filter,
			json_t *attribute, struct addr *ret)
{
	size_t count = 0, place = 0;

	while (count < wanted && place < block->unallocated_count) {
		struct addr addr = addr_add(&block->cidr.addr, block->unallocated[place]);
		int index;

		if (filter && !filter->may(filter->arg, &addr)) {
			place++;
			continue;
		}
		index = attribute_index(block, attribute);
		if (index < 0)
			break;
		take(block, place, index);
		ret[count++] = addr;
	}
	return count;
}

int block_assign(struct block *block, const struct addr *addr, json_t *attribute)
{
	int ordinal = ordinal_of(block, addr), index;
	size_t place = 0;

	if (ordinal < 0)
		return ordinal;
	if (block->allocations[ordinal] >= 0)
		return -EEXIST;
	index = attribute_index(block, attribute);
	if (index < 0)
		return index;
	while (block->unallocated[place] != ordinal)
		place++;
	take(block, place, index);
	return 0;
}

static bool attribute_used(const struct block *block, int index)
{
	for (size_t i = 0; i < BLOCK_SIZE; i++)
		if (block->allocations[i] == index)
			return true;
	return false;
}

static void attribute_drop(struct block *block, int index)
{
	json_array_remove(block->attributes, (size_t)index);
	for (size_t i = 0; i < BLOCK_SIZE; i++)
		if (block->allocations[i] > index)
			block->allocations[i]--;
}

int block_release(struct block *block, const struct addr *addr, char **ret_handle)
{
	int ordinal = ordinal_of(block, addr), index;
	const char *handle;

	if (ordinal < 0)
		return ordinal;
	index = block->allocations[ordinal];
	if (index < 0)
		return -ENOENT;
	handle = json_string_value(
		json_object_get(json_array_get(block->attributes, (size_t)index), "handle_id"));
	if (ret_handle) {
		*ret_handle = handle ? strdup(handle) : NULL;
		if (handle && !*ret_handle)
			return -ENOMEM;
	}
	block->allocations[ordinal] = -1;
	block->unallocated[block->unallocated_count++] = (uint8_t)ordinal;
	if (!attribute_used(block, index))
		attribute_drop(block, index);
	return 0;
}

json_t *block_attribute(const struct block *block, const struct addr *addr)
{
	int ordinal = ordinal_of(block, addr);

	if (ordinal < 0 || block->allocations[ordinal] < 0)
		return NULL;
	return json_array_get(block->attributes, (size_t)block->allocations[ordinal]);
}

size_t block_used(const struct block *block)
{
	return BLOCK_SIZE - block->unallocated_count;
}

bool block_empty(const struct block *block)
{
	return block_used(block) == 0;
}
