/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is known about an address, and whether it is in a set. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "context.h"

/* Keys are copied to the stack: 6.1's verifier takes them from there but not from a function's argument. */
static __always_inline const struct address *address4_find(const __be32 *address)
{
	struct address4_key key;

	__builtin_memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(&address4, &key);
}

static __always_inline const struct address *address6_find(const __be32 *address)
{
	struct address6_key key;

	__builtin_memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(&address6, &key);
}

static __always_inline const struct address *prefix4_find(const __be32 *address)
{
	struct prefix4_key key = {.prefix_length = 32};

	__builtin_memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(&prefix4, &key);
}

static __always_inline const struct address *prefix6_find(const __be32 *address)
{
	struct prefix6_key key = {.prefix_length = 128};

	__builtin_memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(&prefix6, &key);
}

/* More than a packet meets in a row, unless its processor is stopped between any two instructions. */
#define ADDRESS_READS 4

/*
 * address: four words, also of IPv4. Fills *ret with what the map of exact addresses says: 1. Nothing: 0. -1:
 * what was read each time belonged to another address by then.
 *
 * That there is nothing counts when it was found twice: a replaced entry goes into another chain at once, and
 * takes along who stands at it. Lookups notice by where the chain ends, unless the entry is back by then.
 */
static __noinline int address_find(__u8 family, const __be32 *address, struct address *ret)
{
	int missed = 0;

	for (int i = 0; i < ADDRESS_READS; i++) {
		const struct address *found = family == 4 ? address4_find(address) : address6_find(address);

		if (!found && missed++)
			return 0;
		if (!found)
			continue;
		*ret = *found;
		/* Checked is the copy. */
		asm volatile("" ::: "memory");
		if (ret->check == address_check(address, ret))
			return 1;
	}
	return -1;
}

/* Fills *ret; an address that nothing is known about is in no set. -1: not to be found out. */
static __noinline int identity_find(__u8 family, const __be32 *address, struct address *ret)
{
	const __u8 *bytes = (const __u8 *)address;
	const struct address *around;
	struct address none = {};
	int found = address_find(family, address, ret);

	if (found > 0)
		return 0;
	*ret = none;
	if (found < 0)
		return found;
	around = family == 4 ? prefix4_find(address) : prefix6_find(address);
	if (around)
		*ret = *around;
	/* Prefixes have no generation of their own: see GENERATION_UNKNOWN. */
	ret->generation_slot = family == 4 ? bytes[3] : bytes[15];
	return 0;
}

/* Of the endpoint of this host that has the slot; 0: there is none. */
static __always_inline __u32 endpoint_interface(__u32 slot)
{
	const struct endpoint *local = bpf_map_lookup_elem(&endpoint, &slot);

	return local ? local->ifindex : 0;
}

/*
 * Whether both endpoints are of one container. It has the addresses of both, and sends by whichever interface
 * its routing table names.
 */
static __always_inline bool is_one_container(__u32 slot, __u32 other)
{
	const struct endpoint *a = bpf_map_lookup_elem(&endpoint, &slot);
	const struct endpoint *b;

	if (!a || !a->sandbox || a->state != ENDPOINT_ACTIVE)
		return false;
	b = bpf_map_lookup_elem(&endpoint, &other);
	return b && b->sandbox == a->sandbox && b->state == ENDPOINT_ACTIVE;
}

static __always_inline __u32 generation_read(__u32 slot)
{
	__u32 *value = bpf_map_lookup_elem(&generation, &slot);

	return settings.generation_base + (value ? *(volatile __u32 *)value : 0);
}

static __always_inline __u32 epoch_read(void)
{
	__u32 slot = GENERATION_EPOCH;
	__u32 *value = bpf_map_lookup_elem(&generation, &slot);

	return value ? *(volatile __u32 *)value : 0;
}

/*
 * Generations are read before policy is: a change that comes in between makes the flow look outdated, never
 * the other way round.
 */
static __always_inline void packet_identify(struct packet *p)
{
	p->epoch = epoch_read();
	if (identity_find(p->tuple.family, p->tuple.source, &p->source) < 0 ||
	    identity_find(p->tuple.family, p->tuple.destination, &p->destination) < 0)
		p->flags |= PACKET_FAULT;
	p->source_generation = generation_read(p->source.generation_slot);
	p->destination_generation = generation_read(p->destination.generation_slot);
}

/* Set 0 means any address. A missing word of the map is a fault: neither "in" nor "outside" would be safe. */
static __always_inline bool set_matches(struct packet *p, const struct address *address, __u32 set,
					bool outside)
{
	__u32 word = (set >> 6) - address->first_word;
	const __u64 *bits;
	bool inside = false;

	if (!set)
		return true;
	if (word < address->words) {
		word += address->row;
		bits = bpf_map_lookup_elem(&identity, &word);
		if (!bits)
			p->flags |= PACKET_FAULT;
		else
			inside = *bits >> (set & 63) & 1;
	}
	return inside != outside;
}

#endif
