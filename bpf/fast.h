/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The established path: TCP and UDP without anything unusual, one lookup. It only serves packets that change
 * nothing about their flow; every other packet goes to the stages that handle all cases, which decide the
 * same about a packet that the fast path would have served.
 */
#ifndef FAST_H
#define FAST_H

#include "context.h"
#include "flow_table.h"
#include "forward.h"
#include "parse.h"

#define SLOW (-1)

/* What the address families have in common of a packet on the fast path. */
struct fast {
	struct flow *flow;
	const __u16 *mac; /* source, in the packet */
	__u32 dir;
	__u8 protocol;
	__u8 tcp_flags;
};

static __always_inline bool fast_state(const struct fast *f)
{
	__u32 flags = f->flow->flags, time = now();
	__u32 idle = time - f->flow->seen;

	if (f->protocol == PROTOCOL_TCP) {
		if ((f->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) ||
		    (flags & (FLOW_ESTABLISHED | FLOW_RST << f->dir)) != FLOW_ESTABLISHED)
			return false;
	} else if (!(flags & FLOW_ESTABLISHED) && f->dir != (flags & FLOW_OPENER)) {
		return false;
	}
	if (idle > settings.hz / 4) {
		/* Also when another CPU's clock is ahead: rare, and the slow path compares signed. */
		if (idle > TIMEOUT_MINIMUM * settings.hz)
			return false;
		f->flow->seen = time;
	}
	return true;
}

static __always_inline bool fast_from_endpoint(struct __sk_buff *skb, const struct fast *f)
{
	const struct flow_end *from = &f->flow->end[f->dir & 1];

	return from->ifindex == skb->ifindex && mac_equal(from->mac, f->mac) && flow_current(f->flow) &&
	       !(f->flow->flags & FLOW_ROUTED) && fast_state(f);
}

static __always_inline bool fast_to_endpoint(struct __sk_buff *skb, const struct fast *f)
{
	/* What another endpoint sent is rare here; its approval is checked off the fast path. */
	return f->flow->end[!f->dir].ifindex == skb->ifindex && !f->flow->end[f->dir & 1].ifindex &&
	       flow_current(f->flow) && fast_state(f);
}

static __always_inline bool mac_known(const struct flow_end *end)
{
	const __u16 *mac = (const __u16 *)end->mac;

	return mac[0] | mac[1] | mac[2];
}

static __always_inline void fast_address(struct ethhdr *eth, const struct flow_end *to)
{
	__builtin_memcpy(eth->h_dest, to->mac, sizeof(eth->h_dest));
	host_mac_copy(eth->h_source);
}

/* The L4 header behind the IP header; false: too short for it, or another protocol. */
static __always_inline bool fast_l4(struct fast *f, const void *l4, const void *end)
{
	const __u8 *bytes = l4;

	if (f->protocol == PROTOCOL_UDP)
		return true; /* its ports were in bounds already */
	if (f->protocol != PROTOCOL_TCP || l4 + TCP_LENGTH > end)
		return false;
	f->tcp_flags = bytes[13];
	return bytes[12] >> 4 >= TCP_LENGTH / 4;
}

static __always_inline int fast_send4(struct __sk_buff *skb, const struct fast *f, struct ethhdr *eth,
				      struct iphdr *ip)
{
	const struct flow_end *to = &f->flow->end[!f->dir];
	__u32 check;

	if (!fast_from_endpoint(skb, f))
		return SLOW;
	if (!to->ifindex)
		return forward_route(skb, f->flow->flags & FLOW_NAT_OUT);
	if (ip->ttl <= 1 || !mac_known(to))
		return SLOW;
	ip->ttl--;
	/* RFC 1141: the TTL is the upper byte of its word. */
	check = ip->check + bpf_htons(0x0100);
	ip->check = check + (check >> 16);
	fast_address(eth, to);
	return bpf_redirect_peer(to->ifindex, 0);
}

static __always_inline int fast_send6(struct __sk_buff *skb, const struct fast *f, struct ethhdr *eth,
				      struct ipv6hdr *ip)
{
	const struct flow_end *to = &f->flow->end[!f->dir];

	if (!fast_from_endpoint(skb, f))
		return SLOW;
	if (!to->ifindex)
		return forward_route(skb, f->flow->flags & FLOW_NAT_OUT);
	if (ip->hop_limit <= 1 || !mac_known(to))
		return SLOW;
	ip->hop_limit--;
	fast_address(eth, to);
	return bpf_redirect_peer(to->ifindex, 0);
}

static __always_inline int fast_ipv4(struct __sk_buff *skb, bool sending)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);
	__be16 *port = (void *)(ip + 1);
	struct flow4_key key = {};
	struct fast f = {.mac = (__u16 *)eth->h_source};
	bool swap;

	if ((void *)port + UDP_LENGTH > end || *(__u8 *)ip != 0x45 ||
	    (ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) ||
	    bpf_ntohs(ip->tot_len) > skb->len - ETH_LENGTH)
		return SLOW;
	f.protocol = ip->protocol;
	if (!fast_l4(&f, port, end))
		return SLOW;
	swap = ip->saddr > ip->daddr || (ip->saddr == ip->daddr && port[0] > port[1]);
	__builtin_memcpy(key.address[0], swap ? &ip->daddr : &ip->saddr, sizeof(key.address[0]));
	__builtin_memcpy(key.address[1], swap ? &ip->saddr : &ip->daddr, sizeof(key.address[1]));
	key.port[0] = bpf_ntohs(swap ? port[1] : port[0]);
	key.port[1] = bpf_ntohs(swap ? port[0] : port[1]);
	key.protocol = f.protocol;
	f.dir = swap;
	f.flow = bpf_map_lookup_elem(&flow4, &key);
	if (!f.flow)
		return SLOW;
	if (sending)
		return fast_send4(skb, &f, eth, ip);
	return fast_to_endpoint(skb, &f) ? TC_ACT_OK : SLOW;
}

static __always_inline int fast_ipv6(struct __sk_buff *skb, bool sending)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	__be16 *port = (void *)(ip + 1);
	struct flow6_key key;
	struct tuple tuple = {};
	struct fast f = {.mac = (__u16 *)eth->h_source};

	if ((void *)port + UDP_LENGTH > end || ip->version != 6 ||
	    bpf_ntohs(ip->payload_len) > skb->len - ETH_LENGTH - sizeof(*ip))
		return SLOW;
	f.protocol = ip->nexthdr;
	if (!fast_l4(&f, port, end))
		return SLOW;
	__builtin_memcpy(tuple.source, &ip->saddr, sizeof(tuple.source));
	__builtin_memcpy(tuple.destination, &ip->daddr, sizeof(tuple.destination));
	tuple.source_port = port[0];
	tuple.destination_port = port[1];
	tuple.protocol = f.protocol;
	f.dir = tuple_direction(&tuple);
	flow6_key(&tuple, f.dir, &key);
	f.flow = bpf_map_lookup_elem(&flow6, &key);
	if (!f.flow)
		return SLOW;
	if (sending)
		return fast_send6(skb, &f, eth, ip);
	return fast_to_endpoint(skb, &f) ? TC_ACT_OK : SLOW;
}

/* A TC action, or SLOW. sending: the packet comes from an endpoint, else it goes to one. */
static __always_inline int fast_path(struct __sk_buff *skb, bool sending)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;

	if ((void *)(eth + 1) > end || skb->vlan_present || (eth->h_dest[0] & 1))
		return SLOW;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return fast_ipv4(skb, sending);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return fast_ipv6(skb, sending);
	return SLOW;
}

#endif
