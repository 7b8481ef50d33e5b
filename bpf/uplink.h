/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What both hooks of an uplink share. Most packets there are the host's own: they are recognised by their
 * addresses alone, before anything is parsed, and left alone whatever they contain.
 */
#ifndef UPLINK_H
#define UPLINK_H

#include "context.h"
#include "identity.h"

/* The slot of the endpoint of this host that has the address, or 0. */
static __always_inline __u32 uplink_slot(__u8 family, const __be32 *address)
{
	struct address known;

	return address_find(family, address, &known) > 0 && (known.flags & ADDRESS_LOCAL) ? known.endpoint
											  : 0;
}

/* Slots of the endpoints of this host that the packet's source and destination belong to; 0: none. */
#define SOURCE_SLOT(slots)	((slots) >> 16)
#define DESTINATION_SLOT(slots) ((slots)&0xffff)

static __always_inline __u32 uplink_slots4(struct __sk_buff *skb)
{
	__be32 ends[2], source[4] = {}, destination[4] = {};

	if (bpf_skb_load_bytes(skb, ETH_LENGTH + offsetof(struct iphdr, saddr), ends, sizeof(ends)) < 0)
		return 0;
	source[0] = ends[0];
	destination[0] = ends[1];
	return uplink_slot(4, source) << 16 | uplink_slot(4, destination);
}

static __always_inline __u32 uplink_slots6(struct __sk_buff *skb)
{
	__be32 ends[2][4];

	if (bpf_skb_load_bytes(skb, ETH_LENGTH + offsetof(struct ipv6hdr, saddr), ends, sizeof(ends)) < 0)
		return 0;
	return uplink_slot(6, ends[0]) << 16 | uplink_slot(6, ends[1]);
}

/* Not inline: so the addresses are not on the stack together with what policy needs. */
static __noinline __u32 uplink_slots(struct __sk_buff *skb)
{
	__be16 type;

	/* A tagged frame is another interface's. */
	if (skb->vlan_present ||
	    bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type)) < 0)
		return 0;
	if (type == bpf_htons(ETH_P_IP))
		return uplink_slots4(skb);
	return type == bpf_htons(ETH_P_IPV6) ? uplink_slots6(skb) : 0;
}

/* Interfaces with a host endpoint carry the uplink's programs too, and need not be one. */
static __always_inline bool is_uplink(const struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;

	return !settings.host_endpoints || bpf_map_lookup_elem(&uplink, &ifindex);
}

#endif
