/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What both hooks of an uplink share. Most packets there are the host's own: they are recognised by their
 * addresses alone, before anything is parsed, and left alone whatever they contain.
 */
#ifndef UPLINK_H
#define UPLINK_H

#include "context.h"
#include "identity.h"

/* Family and addresses of the packet's IP header; family 0: none. A tagged frame is another interface's. */
static __always_inline void uplink_addresses(struct __sk_buff *skb, struct tuple *ret)
{
	__be16 type = 0;

	if (skb->vlan_present || bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_proto), &type, 2) < 0)
		return;
	if (type == bpf_htons(ETH_P_IP)) {
		if (!bpf_skb_load_bytes(skb, ETH_LENGTH + offsetof(struct iphdr, saddr), ret->source, 4) &&
		    !bpf_skb_load_bytes(skb, ETH_LENGTH + offsetof(struct iphdr, daddr), ret->destination, 4))
			ret->family = 4;
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		if (!bpf_skb_load_bytes(skb, ETH_LENGTH + offsetof(struct ipv6hdr, saddr), ret->source, 16) &&
		    !bpf_skb_load_bytes(skb, ETH_LENGTH + offsetof(struct ipv6hdr, daddr), ret->destination,
					16))
			ret->family = 6;
	}
}

/* The slot of the endpoint of this host that has the address, or 0. */
static __always_inline __u32 uplink_slot(__u8 family, const __be32 *address)
{
	const struct address *known = family == 4 ? address4_find(address) : address6_find(address);

	return known && (known->flags & ADDRESS_LOCAL) ? known->endpoint : 0;
}

static __always_inline __u32 uplink_interface(__u32 slot)
{
	const struct endpoint *local = bpf_map_lookup_elem(&endpoint, &slot);

	return local ? local->ifindex : 0;
}

#endif
