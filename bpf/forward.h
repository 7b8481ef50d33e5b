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

/* A driver may have summed the whole packet; in IPv4 the header's checksum makes up for a lower TTL. */
static __always_inline void hop_limit_sum(struct __sk_buff *skb)
{
	bpf_csum_update(skb, (__u16)~bpf_htons(1));
}

static __always_inline void hops_decrement4(struct iphdr *ip)
{
	/* RFC 1141: the TTL is the upper byte of its word. */
	__u32 check = ip->check + bpf_htons(0x0100);

	ip->ttl--;
	ip->check = check + (check >> 16);
}

static __always_inline void macs_write(struct ethhdr *eth, const __u8 *receiver)
{
	__builtin_memcpy(eth->h_dest, receiver, sizeof(eth->h_dest));
	host_mac_copy(eth->h_source);
}

/* As a router would. False: the headers cannot be written. */
static __always_inline bool peer_address(struct __sk_buff *skb, const struct packet *p)
{
	__u32 length = ETH_LENGTH + (p->tuple.family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	struct ethhdr *eth;

	if (skb->data_end - skb->data < length && bpf_skb_pull_data(skb, length) < 0)
		return false;
	eth = (void *)(long)skb->data;
	if (p->tuple.family == 4) {
		struct iphdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > (void *)(long)skb->data_end)
			return false;
		hops_decrement4(ip);
		macs_write(eth, p->out_mac);
	} else {
		struct ipv6hdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > (void *)(long)skb->data_end)
			return false;
		ip->hop_limit--;
		macs_write(eth, p->out_mac);
		hop_limit_sum(skb);
	}
	return true;
}

/* The stack is the fallback for all that needs more than new MACs: it answers expired TTLs, asks for MACs. */
static __always_inline int forward_peer(struct __sk_buff *skb, const struct packet *p)
{
	if (p->hops <= 1 ||
	    !(p->out_mac[0] | p->out_mac[1] | p->out_mac[2] | p->out_mac[3] | p->out_mac[4] | p->out_mac[5]))
		return forward_route(skb, false);
	if (!peer_address(skb, p)) {
		drop_overridden(p, DROP_REASON_INTERNAL);
		return TC_ACT_SHOT;
	}
	return bpf_redirect_peer(p->out_ifindex, 0);
}

enum uplink_found {
	UPLINK_NONE,   /* the stack's to do, which sends errors and fragments, and knows all interfaces */
	UPLINK_FOUND,  /* with the MTU of the route */
	UPLINK_NO_MTU, /* bpf_fib_lookup() does not say it before the next hop has answered */
};

/*
 * The next hop as the routing table says. `route` has family, addresses, ports and the length of the largest
 * packet that will be on the wire. The hop limit is the caller's.
 */
static __always_inline enum uplink_found uplink_find(struct __sk_buff *skb, struct bpf_fib_lookup *route)
{
	__u32 ifindex;
	long r;

	route->ifindex = skb->ifindex;
	r = bpf_fib_lookup(skb, route, sizeof(*route), 0);
	if (r != BPF_FIB_LKUP_RET_SUCCESS && r != BPF_FIB_LKUP_RET_NO_NEIGH)
		return UPLINK_NONE;
	ifindex = route->ifindex;
	if (!bpf_map_lookup_elem(&uplink, &ifindex))
		return UPLINK_NONE;
	return r == BPF_FIB_LKUP_RET_SUCCESS ? UPLINK_FOUND : UPLINK_NO_MTU;
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
