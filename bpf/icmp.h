/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors: they pass when they are about a packet of a known flow, and never open or refresh one. */
#ifndef ICMP_H
#define ICMP_H

#include "context.h"
#include "failsafe.h"
#include "flow_table.h"
#include "parse.h"
#include "track.h"

#define ICMP_HEADER 8

/* The embedded packet may be cut after 8 bytes of its L4 header (RFC 792). */
static __always_inline int embedded_l4(struct __sk_buff *skb, __u32 offset, struct tuple *inner)
{
	__u8 header[8];

	if (has_ports(inner->protocol) || packet_class(inner) == CLASS_ICMP) {
		if (bpf_skb_load_bytes(skb, offset, header, sizeof(header)) < 0)
			return -DROP_REASON_SHORT;
		if (has_ports(inner->protocol)) {
			__builtin_memcpy(&inner->source_port, header, 2);
			__builtin_memcpy(&inner->destination_port, header + 2, 2);
			return 0;
		}
		if (!icmp_ports(inner, header))
			return -DROP_REASON_ICMP_UNRELATED;
	}
	return 0;
}

static __always_inline int embedded_ipv4(struct __sk_buff *skb, __u32 offset, struct tuple *inner)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) < 0)
		return -DROP_REASON_SHORT;
	if (ip.version != 4 || ip.ihl < 5 || (ip.frag_off & bpf_htons(IPV4_FRAGMENT_OFFSET)))
		return -DROP_REASON_ICMP_UNRELATED;
	inner->source[0] = ip.saddr;
	inner->destination[0] = ip.daddr;
	inner->protocol = ip.protocol;
	return embedded_l4(skb, offset + ip.ihl * 4, inner);
}

static __always_inline int embedded_ipv6(struct __sk_buff *skb, __u32 offset, __u32 end, struct tuple *inner)
{
	struct extension_walk walk = {.offset = offset + sizeof(struct ipv6hdr), .end = end};
	struct ipv6hdr ip;
	int r;

	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) < 0)
		return -DROP_REASON_SHORT;
	walk.protocol = ip.nexthdr;
	r = parse_extensions(skb, &walk);
	if (r)
		return r;
	if (ip.version != 6 ||
	    (walk.fragmented && (bpf_ntohs(walk.fragment.frag_off) & IPV6_FRAGMENT_OFFSET)))
		return -DROP_REASON_ICMP_UNRELATED;
	__builtin_memcpy(inner->source, &ip.saddr, sizeof(inner->source));
	__builtin_memcpy(inner->destination, &ip.daddr, sizeof(inner->destination));
	inner->protocol = walk.protocol;
	return embedded_l4(skb, walk.offset, inner);
}

/*
 * The error goes to whom sent the embedded packet. If an endpoint reports it, it must be the one that the
 * packet was for, under its own address; from elsewhere it may be any router on the way.
 */
static __always_inline int related_outcome(struct packet *p, const struct tuple *inner)
{
	__u32 dir;
	const struct flow *flow = flow_find(inner, &dir);
	const struct flow_end *sender, *receiver;
	int r;

	/* Failsafe ports need no flow. */
	if (p->host && inner->protocol == PROTOCOL_TCP &&
	    address_equal(p->tuple.destination, inner->source) &&
	    failsafe_sends(bpf_ntohs(inner->source_port), bpf_ntohs(inner->destination_port)))
		return PASS;
	if (!flow || flow_expired(inner->protocol, flow, now()) || !flow_current(flow))
		return -DROP_REASON_ICMP_UNRELATED;
	sender = &flow->end[dir & 1];
	receiver = &flow->end[!dir];
	if (!address_equal(p->tuple.destination, inner->source) || receiver->ifindex != p->from.ifindex ||
	    (p->from.ifindex && !address_equal(p->tuple.source, inner->destination)) ||
	    (p->to.ifindex && sender->ifindex != p->to.ifindex))
		return -DROP_REASON_ICMP_UNRELATED;
	r = flow_outcome(p, flow, sender);
	if (flow->flags & FLOW_TRANSLATED) {
		p->tuple.source_port = inner->destination_port;
		p->tuple.destination_port = inner->source_port;
	}
	return flow_still(inner, flow) ? r : -DROP_REASON_ICMP_UNRELATED;
}

/* From another host, about a packet of a flow that it knows under another address. */
static __always_inline void related_inside(struct packet *p, struct tuple *inner)
{
	if (address_equal(p->tuple.destination, inner->source) && nat_inside(p, inner, true))
		__builtin_memcpy(p->tuple.destination, inner->source, sizeof(inner->source));
}

__noinline int icmp_error(struct __sk_buff *skb, struct packet *p)
{
	struct tuple inner = {};
	__u32 offset;
	int r;

	if (!p)
		return -DROP_REASON_INTERNAL;
	if (p->class != CLASS_ICMP || !is_icmp_error(p->tuple.family, p->icmp_type) ||
	    (p->flags & PACKET_LATER_FRAGMENT))
		return 0;
	/* Quench and redirect would let one endpoint steer another's traffic. */
	if (p->tuple.family == 4 && (p->icmp_type == ICMP_SOURCE_QUENCH || p->icmp_type == ICMP_REDIRECT))
		return -DROP_REASON_ICMP_UNRELATED;
	if (p->flags & PACKET_BAD_MAC)
		return -DROP_REASON_SPOOFED_MAC;
	offset = p->l4_offset + ICMP_HEADER;
	inner.family = p->tuple.family;
	if (inner.family == 4)
		r = embedded_ipv4(skb, offset, &inner);
	else
		r = embedded_ipv6(skb, offset, p->l4_offset + p->l4_length, &inner);
	if (r)
		return r;
	if (p->flags & PACKET_UPLINK)
		related_inside(p, &inner);
	return related_outcome(p, &inner);
}

#endif
