/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Senders with several endpoints: whose packet it is when the interface does not tell. */
#ifndef CONTAINER_H
#define CONTAINER_H

#include "context.h"
#include "identity.h"

/*
 * A packet with the address of another endpoint of the same container counts as if that had sent it by its
 * own interface: its policy, its flows. Any other foreign address stays a forgery.
 */
static __noinline int sender_resolve(struct packet *p)
{
	__u32 slot = p->from.endpoint;
	const struct endpoint *own = bpf_map_lookup_elem(&endpoint, &slot);
	struct address owner;

	if (!own || !own->sandbox || !p->tuple.family ||
	    address_find(p->tuple.family, p->tuple.source, &owner) <= 0 || !(owner.flags & ADDRESS_LOCAL) ||
	    owner.endpoint == p->from.endpoint || !is_one_container(p->from.endpoint, owner.endpoint))
		return 0;
	slot = owner.endpoint;
	own = bpf_map_lookup_elem(&endpoint, &slot);
	if (!own)
		return 0;
	p->from.endpoint = slot;
	p->from.ifindex = own->ifindex;
	/* The flow must not learn the other interface's, which was looked at already. */
	__builtin_memcpy(p->source_mac, own->mac, sizeof(p->source_mac));
	return 0;
}

#endif
