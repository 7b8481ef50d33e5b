/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where packets of established flows leave for other hosts: what the routing table said, in short memory. All
 * that it looks at is compared, but for marks, which it is not told: so rules by source, port or TOS hold,
 * and each flow keeps to its one of several ways.
 */
#ifndef NEXT_HOP_H
#define NEXT_HOP_H

#include "context.h"
#include "forward.h"

/* sum: flow_sum() of the packet's flow. */
static __always_inline struct next_hop *next_hop_place(__u32 sum)
{
	__u32 index = (sum * 0x9e3779b1) >> 16 & (NEXT_HOPS - 1);

	return bpf_map_lookup_elem(&next_hop, &index);
}

/* Is it that of a packet of the family from `ifindex`, and still to be believed? */
static __always_inline bool next_hop_current(const struct next_hop *hop, __u8 family, __u32 ifindex)
{
	__u32 zero = 0;
	const struct routing *state = bpf_map_lookup_elem(&routing, &zero);

	return hop->family == family && hop->from == ifindex && state &&
	       hop->serial == *(const volatile __u32 *)&state->serial &&
	       bpf_jiffies64() - hop->found < settings.hz / 4;
}

static __always_inline bool ports_equal(const struct next_hop *hop, const __be16 *port)
{
	return hop->source_port == port[0] && hop->destination_port == port[1];
}

static __always_inline bool next_hop_is4(const struct next_hop *hop, const struct __sk_buff *skb,
					 const struct iphdr *ip)
{
	return hop->source[0] == ip->saddr && hop->destination[0] == ip->daddr &&
	       ports_equal(hop, (const __be16 *)(ip + 1)) && hop->protocol == ip->protocol &&
	       hop->tos == ip->tos && next_hop_current(hop, 4, skb->ifindex);
}

static __always_inline __be32 flow_info(const struct ipv6hdr *ip)
{
	return *(const __be32 *)ip & bpf_htonl(0x0fffffff);
}

/* What the header names first: nothing but a jumbogram's length may come before TCP (see fast_ipv6()). */
static __always_inline __u8 next_header(const struct ipv6hdr *ip)
{
	return ip->nexthdr == PROTOCOL_HOP_BY_HOP ? PROTOCOL_TCP : ip->nexthdr;
}

/* port: of the L4 header. */
static __always_inline bool next_hop_is6(const struct next_hop *hop, const struct __sk_buff *skb,
					 const struct ipv6hdr *ip, const __be16 *port)
{
	return address_equal(hop->source, (const __be32 *)&ip->saddr) &&
	       address_equal(hop->destination, (const __be32 *)&ip->daddr) && ports_equal(hop, port) &&
	       hop->protocol == next_header(ip) && hop->tos == flow_info(ip) &&
	       next_hop_current(hop, 6, skb->ifindex);
}

/*
 * Looks `route` up, and writes what it says into an entry for packets of its addresses, ports and TOS. False:
 * see UPLINK_NONE. The entry holds for one packet only if the MTU is not known.
 */
static __always_inline bool next_hop_fill(struct __sk_buff *skb, struct bpf_fib_lookup *route,
					  struct next_hop *hop, __u8 family)
{
	__u32 zero = 0;
	const struct routing *state = bpf_map_lookup_elem(&routing, &zero);
	enum uplink_found found;

	hop->family = 0;
	if (!state)
		return false;
	/* Before it is looked up: so a change that comes in between makes it void. */
	hop->serial = *(const volatile __u32 *)&state->serial;
	hop->found = bpf_jiffies64();
	found = uplink_find(skb, route);
	if (found == UPLINK_NONE)
		return false;
	hop->from = skb->ifindex;
	hop->ifindex = route->ifindex;
	hop->mtu = route->mtu_result;
	hop->next_family = route->family;
	__builtin_memcpy(hop->next, route->ipv6_dst, sizeof(hop->next));
	if (found == UPLINK_FOUND)
		hop->family = family;
	return true;
}

/* Not inline: so the route is only on the stack while it is looked up. */
static __noinline bool next_hop_find4(struct __sk_buff *skb, const struct iphdr *ip, struct next_hop *hop,
				      __u32 length)
{
	const __be16 *port = (const __be16 *)(ip + 1);
	struct bpf_fib_lookup route = {
		.family = AF_INET,
		.l4_protocol = ip->protocol,
		.sport = port[0],
		.dport = port[1],
		.tot_len = length,
		.tos = ip->tos,
		.ipv4_src = ip->saddr,
		.ipv4_dst = ip->daddr,
	};

	hop->source[0] = ip->saddr;
	hop->destination[0] = ip->daddr;
	hop->source_port = port[0];
	hop->destination_port = port[1];
	hop->protocol = ip->protocol;
	hop->tos = ip->tos;
	return next_hop_fill(skb, &route, hop, 4);
}

static __noinline bool next_hop_find6(struct __sk_buff *skb, const struct ipv6hdr *ip, const __be16 *port,
				      struct next_hop *hop, __u32 length)
{
	struct bpf_fib_lookup route = {
		.family = AF_INET6,
		.l4_protocol = next_header(ip),
		.sport = port[0],
		.dport = port[1],
		.tot_len = length,
		.flowinfo = flow_info(ip),
	};

	__builtin_memcpy(route.ipv6_src, &ip->saddr, sizeof(route.ipv6_src));
	__builtin_memcpy(route.ipv6_dst, &ip->daddr, sizeof(route.ipv6_dst));
	__builtin_memcpy(hop->source, &ip->saddr, sizeof(hop->source));
	__builtin_memcpy(hop->destination, &ip->daddr, sizeof(hop->destination));
	hop->source_port = port[0];
	hop->destination_port = port[1];
	hop->protocol = next_header(ip);
	hop->tos = flow_info(ip);
	return next_hop_fill(skb, &route, hop, 6);
}

/* By way of the neighbour table, which notices when the next hop has moved. */
static __always_inline int next_hop_send(struct __sk_buff *skb, struct next_hop *hop)
{
	forward_route(skb, false);
	return bpf_redirect_neigh(hop->ifindex, (struct bpf_redir_neigh *)&hop->next_family,
				  sizeof(struct bpf_redir_neigh), 0);
}

#endif
