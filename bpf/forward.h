/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a decided packet becomes. */
#ifndef FORWARD_H
#define FORWARD_H

#include "context.h"
#include "verdict.h"

static __always_inline bool is_approved(const struct __sk_buff *skb)
{
	return (skb->mark & settings.mark_approved) == settings.mark_approved && settings.mark_approved;
}

/* Marks the packet for the host's stack: approved, so that its FORWARD chain and to_endpoint can tell. */
static __always_inline int forward_route(struct __sk_buff *skb, bool nat_out)
{
	skb->mark = (skb->mark & ~settings.mark_mask) | settings.mark_approved |
		    (nat_out ? settings.mark_nat_out : 0);
	return TC_ACT_OK;
}

static __always_inline int hops_decrement(struct __sk_buff *skb, const struct packet *p)
{
	__u8 hops = p->hops - 1;
	__be16 before, after; /* TTL and protocol share a word of the checksum */

	if (p->tuple.family == 6)
		return bpf_skb_store_bytes(skb, ETH_LENGTH + offsetof(struct ipv6hdr, hop_limit), &hops, 1,
					   BPF_F_RECOMPUTE_CSUM);
	before = bpf_htons(p->hops << 8 | p->fragment_protocol);
	after = bpf_htons(hops << 8 | p->fragment_protocol);
	if (bpf_l3_csum_replace(skb, ETH_LENGTH + offsetof(struct iphdr, check), before, after, 2) < 0)
		return -1;
	return bpf_skb_store_bytes(skb, ETH_LENGTH + offsetof(struct iphdr, ttl), &hops, 1, 0);
}

/* The stack is the fallback for all that needs more than new MACs: it answers expired TTLs, asks for MACs. */
static __always_inline int forward_peer(struct __sk_buff *skb, const struct packet *p)
{
	__u8 macs[12];

	if (p->hops <= 1 ||
	    !(p->out_mac[0] | p->out_mac[1] | p->out_mac[2] | p->out_mac[3] | p->out_mac[4] | p->out_mac[5]))
		return forward_route(skb, false);
	__builtin_memcpy(macs, p->out_mac, 6);
	host_mac_copy(macs + 6);
	if (hops_decrement(skb, p) < 0 || bpf_skb_store_bytes(skb, 0, macs, sizeof(macs), 0) < 0) {
		drop_overridden(p, DROP_REASON_INTERNAL);
		return TC_ACT_SHOT;
	}
	return bpf_redirect_peer(p->out_ifindex, 0);
}

/*
 * Sends the packet to its next hop as the routing table says. `route` has family, addresses, ports and the
 * length of the largest packet that will be on the wire. False: that is the stack's to do, which sends errors
 * and fragments, and knows interfaces that are no uplinks. The hop limit is the caller's.
 */
static __always_inline bool uplink_find(struct __sk_buff *skb, struct bpf_fib_lookup *route)
{
	__u32 ifindex;
	long r;

	route->ifindex = skb->ifindex;
	r = bpf_fib_lookup(skb, route, sizeof(*route), 0);
	if (r != BPF_FIB_LKUP_RET_SUCCESS && r != BPF_FIB_LKUP_RET_NO_NEIGH)
		return false;
	ifindex = route->ifindex;
	return bpf_map_lookup_elem(&uplink, &ifindex);
}

/* By way of the neighbour table, which notices when the next hop has moved. */
static __always_inline int uplink_send(struct __sk_buff *skb, const struct bpf_fib_lookup *route)
{
	struct bpf_redir_neigh next = {.nh_family = route->family};

	__builtin_memcpy(next.ipv6_nh, route->ipv6_dst, sizeof(next.ipv6_nh));
	forward_route(skb, false);
	return bpf_redirect_neigh(route->ifindex, &next, sizeof(next), 0);
}

#endif
