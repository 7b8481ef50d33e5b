/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Verdicts of policy lists that were found before, for packets that their rules cannot tell from those:
 * however long the list is, the next new flow of the kind costs one lookup.
 */
#ifndef VERDICT_CACHE_H
#define VERDICT_CACHE_H

#include "context.h"
#include "identity.h"

/* What the verdict follows from. Rules that look at more forbid it (LIST_NO_CACHE). */
static __always_inline void cached_key(struct packet *p, __u32 number, bool inbound)
{
	p->verdict.list = number;
	/* Rows with equal bits are one, and none begins within another. */
	p->verdict.source = p->source.words ? p->source.row : 0;
	p->verdict.destination = p->destination.words ? p->destination.row : 0;
	p->verdict.port = p->class == CLASS_ICMP ? p->icmp_type << 8 | p->icmp_code : p->destination_port;
	p->verdict.protocol = p->tuple.protocol;
	p->verdict.family = p->tuple.family;
	p->verdict.inbound = inbound;
}

static __always_inline struct cached_verdict *cached_place(const struct cached_verdict *key)
{
	__u64 hash = key->list * 0x9e3779b97f4a7c15ULL;
	__u32 index;

	hash = (hash ^ (hash >> 32) ^ key->source) * 0xc2b2ae3d27d4eb4fULL;
	hash = (hash ^ (hash >> 32) ^ key->destination) * 0x165667b19e3779f9ULL;
	hash = (hash ^ (hash >> 32) ^ key->port ^ key->protocol << 16) * 0x9e3779b97f4a7c15ULL;
	index = (hash >> 32) % VERDICTS;
	return bpf_map_lookup_elem(&verdict_cache, &index);
}

/*
 * The verdict about p->verdict that was kept, or NULL. The packet's epoch is that in which it found rows and
 * list: one that is found under a number of its second life is found later than that life began.
 */
static __always_inline const struct cached_verdict *cached_find(const struct packet *p)
{
	const struct cached_verdict *entry = cached_place(&p->verdict), *key = &p->verdict;

	if (entry && entry->list == key->list && entry->source == key->source &&
	    entry->destination == key->destination && entry->port == key->port &&
	    entry->protocol == key->protocol && entry->family == key->family &&
	    entry->inbound == key->inbound && entry->epoch == p->epoch)
		return entry;
	return NULL;
}

/*
 * Stored with the epoch from before anything was looked up: were it to change meanwhile, what was judged by
 * might get another meaning. The place is found anew, or the verifier would go through the rules twice.
 */
static __always_inline void cached_store(struct packet *p, int result)
{
	struct cached_verdict *place = cached_place(&p->verdict);

	if (!place)
		return;
	p->verdict.epoch = p->epoch;
	p->verdict.reason = -result;
	p->verdict.passed = p->scan.passed;
	p->verdict.decided = p->scan.decided;
	*place = p->verdict;
}

#endif
