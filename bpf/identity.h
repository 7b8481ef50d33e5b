/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is known about an address, and whether it is in a set. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "context.h"

static __always_inline const struct address *address4_find(__be32 address)
{
	struct address4_key exact = {.address = address};
	struct prefix4_key prefix = {.prefix_length = 32, .address = address};
	const struct address *found = bpf_map_lookup_elem(&address4, &exact);

	return found ? found : bpf_map_lookup_elem(&prefix4, &prefix);
}

static __always_inline const struct address *address6_find(const __be32 *address)
{
	struct prefix6_key prefix = {.prefix_length = 128};
	const struct address *found;

	__builtin_memcpy(prefix.address, address, sizeof(prefix.address));
	/* The exact key is the prefix key's tail. */
	found = bpf_map_lookup_elem(&address6, prefix.address);
	return found ? found : bpf_map_lookup_elem(&prefix6, &prefix);
}

/* Fills *ret; an address that nothing is known about is in no set. */
static __noinline void identity_find(__u8 family, const __be32 *address, struct address *ret)
{
	const struct address *found = family == 4 ? address4_find(address[0]) : address6_find(address);
	const __u8 *bytes = (const __u8 *)address;
	struct address none = {};

	*ret = found ? *found : none;
	/* Prefixes have no generation of their own: see GENERATION_UNKNOWN. */
	if (!(ret->flags & (ADDRESS_LOCAL | ADDRESS_HOST | ADDRESS_REMOTE)))
		ret->generation_slot = family == 4 ? bytes[3] : bytes[15];
}

static __always_inline __u32 generation_read(__u32 slot)
{
	__u32 *value = bpf_map_lookup_elem(&generation, &slot);

	return settings.generation_base + (value ? *(volatile __u32 *)value : 0);
}

/*
 * Generations are read before policy is: a change that comes in between makes the flow look outdated, never
 * the other way round.
 */
static __always_inline void packet_identify(struct packet *p)
{
	identity_find(p->tuple.family, p->tuple.source, &p->source);
	identity_find(p->tuple.family, p->tuple.destination, &p->destination);
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
