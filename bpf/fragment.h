/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fragments after the first belong to the flow of the first. The record only says which flow that is: whether
 * they pass is decided as for every other packet of it. One that overtakes its first fragment is dropped.
 */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include "context.h"
#include "parse.h"

#define FRAGMENT_SECONDS 5

static __always_inline void fragment4_key(const struct packet *p, struct fragment4_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	__builtin_memcpy(key->source, p->tuple.source, sizeof(key->source));
	__builtin_memcpy(key->destination, p->tuple.destination, sizeof(key->destination));
	key->id = p->fragment_id;
	key->protocol = p->fragment_protocol;
}

static __always_inline void fragment6_key(const struct packet *p, struct fragment6_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	__builtin_memcpy(key->source, p->tuple.source, sizeof(key->source));
	__builtin_memcpy(key->destination, p->tuple.destination, sizeof(key->destination));
	key->id = p->fragment_id;
	key->protocol = p->fragment_protocol;
}

/* Called when the first fragment has passed. */
static __noinline void fragment_record(const struct packet *p)
{
	struct fragment record = {
		.source_port = bpf_ntohs(p->tuple.source_port),
		.destination_port = bpf_ntohs(p->tuple.destination_port),
		.protocol = p->tuple.protocol,
		.seen = now(),
	};
	struct fragment4_key key4;
	struct fragment6_key key6;

	if (p->tuple.family == 4) {
		fragment4_key(p, &key4);
		bpf_map_update_elem(&fragment4, &key4, &record, BPF_ANY);
	} else {
		fragment6_key(p, &key6);
		bpf_map_update_elem(&fragment6, &key6, &record, BPF_ANY);
	}
}

static __always_inline const struct fragment *fragment_find(const struct packet *p)
{
	struct fragment4_key key4;
	struct fragment6_key key6;

	if (p->tuple.family == 4) {
		fragment4_key(p, &key4);
		return bpf_map_lookup_elem(&fragment4, &key4);
	}
	fragment6_key(p, &key6);
	return bpf_map_lookup_elem(&fragment6, &key6);
}

/* Gives a later fragment the ports of the first. */
static __noinline int fragment_resolve(struct packet *p)
{
	const struct fragment *record;

	if (!(p->flags & PACKET_LATER_FRAGMENT))
		return 0;
	record = fragment_find(p);
	if (!record || now() - record->seen > FRAGMENT_SECONDS * settings.hz)
		return -DROP_REASON_FRAGMENT_ORPHAN;
	p->tuple.source_port = bpf_htons(record->source_port);
	p->tuple.destination_port = bpf_htons(record->destination_port);
	p->tuple.protocol = record->protocol;
	packet_classify(p);
	if (p->tuple.protocol == PROTOCOL_TCP)
		p->tcp_flags = TCP_ACK;
	return 0;
}

#endif
