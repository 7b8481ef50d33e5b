/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ARP of endpoints. The host is the next hop to every other address, as with the kernel's proxy_arp: all are
 * answered for with its own MAC. What an endpoint says about itself goes to the host's stack.
 */
#ifndef ARP_H
#define ARP_H

#include "context.h"
#include "identity.h"
#include "parse.h"

enum arp_operation { ARP_REQUEST = 1, ARP_REPLY = 2 };

static __always_inline bool arp_is_own(const struct packet *p, const __u8 *bytes)
{
	struct address owner;
	__be32 address[4] = {};

	__builtin_memcpy(address, bytes, 4);
	identity_find(4, address, &owner);
	return (owner.flags & ADDRESS_LOCAL) && owner.endpoint == p->from.endpoint;
}

/* Linux asks by any interface with the address that a packet has which waits for the answer. */
static __always_inline bool arp_is_of_container(const struct packet *p, const __u8 *bytes)
{
	struct address owner;
	__be32 address[4] = {};

	__builtin_memcpy(address, bytes, 4);
	identity_find(4, address, &owner);
	return (owner.flags & ADDRESS_LOCAL) && is_one_container(p->from.endpoint, owner.endpoint);
}

static __always_inline bool is_zero(const __u8 *bytes)
{
	return !(bytes[0] | bytes[1] | bytes[2] | bytes[3]);
}

/* Turns the request into its answer, in place. */
static __always_inline int arp_answer(struct __sk_buff *skb, struct packet *p, struct arp_packet *arp)
{
	struct ethhdr eth = {.h_proto = bpf_htons(ETH_P_ARP)};
	struct arp_packet answer = *arp;

	__builtin_memcpy(eth.h_dest, p->source_mac, sizeof(eth.h_dest));
	host_mac_copy(eth.h_source);
	answer.operation = bpf_htons(ARP_REPLY);
	__builtin_memcpy(answer.sender_mac, eth.h_source, sizeof(answer.sender_mac));
	__builtin_memcpy(answer.sender, arp->target, sizeof(answer.sender));
	__builtin_memcpy(answer.target_mac, arp->sender_mac, sizeof(answer.target_mac));
	__builtin_memcpy(answer.target, arp->sender, sizeof(answer.target));
	if (bpf_skb_store_bytes(skb, 0, &eth, sizeof(eth), 0) < 0 ||
	    bpf_skb_store_bytes(skb, ETH_LENGTH, &answer, sizeof(answer), 0) < 0)
		return -DROP_REASON_INTERNAL;
	return ANSWER;
}

__noinline int arp_input(struct __sk_buff *skb, struct packet *p)
{
	struct arp_packet arp;

	if (!p || p->tuple.family)
		return p ? 0 : -DROP_REASON_INTERNAL;
	if (!(p->flags & PACKET_ACTIVE)) /* the host's stack may know what to do with it */
		return PASS;
	if (bpf_skb_load_bytes(skb, ETH_LENGTH, &arp, sizeof(arp)) < 0)
		return -DROP_REASON_SHORT;
	if (arp.hardware != bpf_htons(1) || arp.protocol != bpf_htons(ETH_P_IP) || arp.hardware_length != 6 ||
	    arp.protocol_length != 4)
		return -DROP_REASON_MALFORMED;
	if ((p->flags & PACKET_BAD_MAC) || !mac_equal(arp.sender_mac, p->source_mac))
		return -DROP_REASON_SPOOFED_ARP;
	/* A probe (RFC 5227) has no sender address yet. */
	if (!arp_is_own(p, arp.sender) && !arp_is_of_container(p, arp.sender) &&
	    !(is_zero(arp.sender) && arp.operation == bpf_htons(ARP_REQUEST)))
		return -DROP_REASON_SPOOFED_ARP;
	if (arp.operation == bpf_htons(ARP_REQUEST) && !arp_is_own(p, arp.target))
		return arp_answer(skb, p, &arp);
	return PASS;
}

#endif
