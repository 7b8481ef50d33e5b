/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose flows there are, and in which order they were opened. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "context.h"

static __always_inline struct flow_table *flow_table_of(__u32 family)
{
	__u32 index = family == 6;

	return bpf_map_lookup_elem(&flow_table, &index);
}

static __always_inline struct flow_share *share_of(struct account *owner, __u32 family)
{
	return family == 4 ? &owner->ipv4 : &owner->ipv6;
}

/* At most this part of the table is anybody's own, however few there are: those who come next have room, too.
 */
#define SHARES 8

static __always_inline __u32 flow_table_share(__u32 family, __u32 accounts)
{
	__u32 flows = family == 4 ? settings.flows[0] : settings.flows[1];

	return flows / (accounts < SHARES ? SHARES : accounts + 1);
}

static __always_inline __u32 opened_size(__u32 family)
{
	return family == 4 ? settings.opened[0] : settings.opened[1];
}

static __always_inline __u32 opened_shift(__u32 family)
{
	return family == 4 ? settings.opened_shift[0] : settings.opened_shift[1];
}

static __always_inline __u16 opened_part(__u32 family, __u32 place)
{
	return place >> opened_shift(family);
}

static __noinline void opened4_write(const struct flow4_key *key, __u32 place, __u32 slot)
{
	__u32 index = place & (settings.opened[0] - 1);
	struct opened4 *record = bpf_map_lookup_elem(&opened4, &index);

	if (!record)
		return;
	__builtin_memcpy(record, key, offsetof(struct opened4, protocol));
	record->protocol = key->protocol;
	record->account = slot;
}

static __noinline void opened6_write(const struct flow6_key *key, __u32 place, __u32 slot)
{
	__u32 index = place & (settings.opened[1] - 1);
	struct opened6 *record = bpf_map_lookup_elem(&opened6, &index);

	if (!record)
		return;
	__builtin_memcpy(record, key, offsetof(struct opened6, protocol));
	record->protocol = key->protocol;
	record->account = slot;
}

#endif
