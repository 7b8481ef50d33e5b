/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets between this host itself and what is behind an interface that has a host endpoint. What the host
 * forwards is no matter of it. Failsafe ports come before everything and need no flow: the answers of the
 * host's own servers are known by their port, those to its clients by their socket. So neither a policy nor a
 * full flow table locks anybody out.
 */
#ifndef HOST_H
#define HOST_H

#include "context.h"
#include "failsafe.h"
#include "fragment.h"
#include "icmp.h"
#include "judge.h"
#include "track.h"

/* No action yet: the packet is not of an endpoint here, nor for one. */
#define OF_HOST (-2)

#define LOOPBACK_IFINDEX 1 /* in every namespace */

static __always_inline __u8 ip_family(const struct __sk_buff *skb)
{
	/* A tagged frame is another interface's. */
	if (skb->vlan_present)
		return 0;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return 4;
	return skb->protocol == bpf_htons(ETH_P_IPV6) ? 6 : 0;
}

/* Slot of the host endpoint that judges packets of the host on this interface, or 0. */
static __always_inline __u32 host_slot(const struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	const struct host_interface *known = bpf_map_lookup_elem(&host_interface, &ifindex);
	__u8 family = ip_family(skb);

	if (!known || !family)
		return 0;
	return family == 4 ? known->endpoint4 : known->endpoint6;
}

/* What is not routed elsewhere is taken for the host's: so is an address that it has only just got. */
static __noinline bool is_forwarded(struct __sk_buff *skb)
{
	struct bpf_fib_lookup route = {.ifindex = skb->ifindex};
	__u8 family = ip_family(skb);
	__be32 ends[2][4] = {};
	struct address known;
	long r;

	if (family == 4)
		r = bpf_skb_load_bytes(skb, ETH_LENGTH + offsetof(struct iphdr, saddr), &ends[0][0], 4) |
		    bpf_skb_load_bytes(skb, ETH_LENGTH + offsetof(struct iphdr, daddr), &ends[1][0], 4);
	else
		r = bpf_skb_load_bytes(skb, ETH_LENGTH + offsetof(struct ipv6hdr, saddr), ends, sizeof(ends));
	if (r < 0 || address_kind(family, ends[1]) != KIND_UNICAST)
		return false;
	if (address_find(family, ends[1], &known) > 0 && (known.flags & ADDRESS_HOST))
		return false;
	route.family = family == 4 ? AF_INET : AF_INET6;
	__builtin_memcpy(route.ipv6_src, ends[0], sizeof(route.ipv6_src));
	__builtin_memcpy(route.ipv6_dst, ends[1], sizeof(route.ipv6_dst));
	r = bpf_fib_lookup(skb, &route, sizeof(route), 0);
	return r == BPF_FIB_LKUP_RET_SUCCESS || r == BPF_FIB_LKUP_RET_NO_NEIGH ||
	       r == BPF_FIB_LKUP_RET_FRAG_NEEDED || r == BPF_FIB_LKUP_RET_UNSUPP_LWT;
}

/* A connection of this host, or one that it has just closed; servers do not count. */
static __noinline bool has_socket(struct __sk_buff *skb, const struct packet *p)
{
	bool ipv4 = p->tuple.family == 4, connected;
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *socket;

	if (ipv4) {
		tuple.ipv4.saddr = p->tuple.source[0];
		tuple.ipv4.daddr = p->tuple.destination[0];
		tuple.ipv4.sport = p->tuple.source_port;
		tuple.ipv4.dport = p->tuple.destination_port;
		socket = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, p->tuple.source, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, p->tuple.destination, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = p->tuple.source_port;
		tuple.ipv6.dport = p->tuple.destination_port;
		socket = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!socket)
		return false;
	connected = socket->state != BPF_TCP_LISTEN;
	bpf_sk_release(socket);
	return connected;
}

static __always_inline bool is_failsafe(struct __sk_buff *skb, const struct packet *p)
{
	bool answer = !p->asks;

	if (p->class != CLASS_TCP)
		return false;
	if (p->flags & PACKET_FROM_HOST)
		return answer ? failsafe_sends(p->source_port, p->destination_port)
			      : failsafe_has(FAILSAFE_OUTBOUND, p->destination_port);
	return failsafe_has(FAILSAFE_INBOUND, p->destination_port) ||
	       (answer && failsafe_has(FAILSAFE_OUTBOUND, p->source_port) && has_socket(skb, p));
}

/* Without these the host would lose its neighbours or its address, and failsafe ports would be of no use. */
static __always_inline bool is_upkeep(const struct packet *p)
{
	bool outbound = p->flags & PACKET_FROM_HOST;

	if (p->flags & PACKET_LATER_FRAGMENT)
		return false;
	if (p->tuple.family == 6 && p->class == CLASS_ICMP)
		return is_discovery(p->icmp_type) || p->icmp_type == ICMPV6_ROUTER_ADVERTISEMENT;
	if (p->tuple.family == 4)
		return outbound ? is_udp(p, PORT_DHCP_CLIENT, PORT_DHCP_SERVER)
				: is_udp(p, PORT_DHCP_SERVER, PORT_DHCP_CLIENT);
	return outbound ? is_udp(p, PORT_DHCPV6_CLIENT, PORT_DHCPV6_SERVER)
			: is_udp(p, PORT_DHCPV6_SERVER, PORT_DHCPV6_CLIENT);
}

/* The flow is one that the host forwards under its own address: what it is allowed, others have decided. */
static __noinline bool is_answer_to_translated(struct packet *p)
{
	struct flow *flow;
	__u32 dir;

	/* Who asks is not answering. */
	if ((p->flags & PACKET_STATELESS) || p->asks)
		return false;
	flow = flow_find(&p->tuple, &dir);
	if (!flow || !(flow->flags & FLOW_ROUTED) || flow_expired(p->tuple.protocol, flow, now()))
		return false;
	flow_update(p, flow, dir & 1);
	return true;
}

/* An outcome, or a negative drop reason. */
static __always_inline int host_judge(struct __sk_buff *skb, struct packet *p)
{
	int r = fragment_resolve(p);

	if (r)
		return r;
	if (is_failsafe(skb, p) || is_upkeep(p))
		return PASS;
	/* The host only reports about packets that it was allowed to receive or to forward. */
	if ((p->flags & PACKET_FROM_HOST) && p->class == CLASS_ICMP &&
	    is_icmp_error(p->tuple.family, p->icmp_type))
		return PASS;
	r = icmp_error(skb, p);
	if (!r && is_answer_to_translated(p))
		r = PASS;
	if (!r)
		r = flow_continue(p);
	if (!r)
		r = flow_open(skb, p);
	return r;
}

#define IPV4_OPTIONS_MAX 40

enum ipv4_option { OPTION_END = 0, OPTION_NOP = 1, OPTION_LOOSE_ROUTE = 131, OPTION_STRICT_ROUTE = 137 };

/*
 * The rest of packet_parse() for a packet with IP options: the host's own IGMP has one. Only a source route
 * makes a difference to policy, since it leads elsewhere than to the address that is judged.
 */
__noinline int host_parse_options(struct __sk_buff *skb, struct packet *p)
{
	__u32 offset = ETH_LENGTH + sizeof(struct iphdr);
	int r;

	if (!p)
		return -DROP_REASON_INTERNAL;
	for (int i = 0; i < IPV4_OPTIONS_MAX && offset < p->l4_offset; i++) {
		__u8 option[2] = {};

		/* The last byte may be all that is left of them, but never of the packet. */
		if (bpf_skb_load_bytes(skb, offset, option, sizeof(option)) < 0 &&
		    bpf_skb_load_bytes(skb, offset, option, 1) < 0)
			return -DROP_REASON_SHORT;
		if (option[0] == OPTION_END)
			break;
		if (option[0] == OPTION_LOOSE_ROUTE || option[0] == OPTION_STRICT_ROUTE)
			return -DROP_REASON_IP_OPTIONS;
		if (option[0] != OPTION_NOP && option[1] < sizeof(option))
			return -DROP_REASON_MALFORMED;
		offset += option[0] == OPTION_NOP ? 1 : option[1];
	}
	r = parse_l4(skb, p);
	packet_classify(p);
	return r;
}

/* As packet_parse(). The host is on the link: to it a broadcast may be addressed. */
static __always_inline int host_parse(struct __sk_buff *skb, struct packet *p)
{
	int r = packet_parse(skb, p);

	if (r == -DROP_REASON_IP_OPTIONS && p->tuple.family == 4)
		r = host_parse_options(skb, p);
	return r == -DROP_REASON_BROADCAST ? 0 : r;
}

/* The packet is the host's, in the direction that `direction` says (0 or PACKET_FROM_HOST). */
__noinline int host_packet(struct __sk_buff *skb, __u32 slot, __u32 direction)
{
	struct packet *p = packet_new();
	int r;

	if (!p)
		return TC_ACT_SHOT;
	p->blame = skb->ifindex;
	p->host = slot;
	p->host_both = skb->ifindex == LOOPBACK_IFINDEX;
	p->flags = direction;
	r = host_parse(skb, p);
	if (!r)
		r = host_judge(skb, p);
	if (r < 0)
		return drop_overridden(p, -r) ? TC_ACT_OK : TC_ACT_SHOT;
	if (p->flags & PACKET_FIRST_FRAGMENT)
		fragment_record(p);
	return TC_ACT_OK;
}

static __always_inline int host_arrive(struct __sk_buff *skb)
{
	__u32 slot = host_slot(skb);

	if (!slot || is_forwarded(skb))
		return TC_ACT_OK;
	return host_packet(skb, slot, 0);
}

/*
 * The host's NAT has given a packet that it forwards the host's own address. The answers come to that, where
 * they look like the host's: they are known by a flow of their own, on the host endpoint's account.
 */
static __always_inline void translated_open(struct packet *p, __u32 slot, __u32 dir)
{
	struct flow flow = {.flags = dir | FLOW_ROUTED, .nat_port = p->icmp_code, .seen = now()};

	end_fill(&flow.end[dir & 1], &p->source, p->source_generation);
	end_fill(&flow.end[!dir], &p->destination, p->destination_generation);
	flow.end[dir & 1].endpoint = slot;
	p->flags |= PACKET_REPLACE_FLOW;
	flow_create(p, &flow);
}

static __noinline int translated_leave(struct __sk_buff *skb, __u32 slot)
{
	struct packet *p = packet_new();
	struct flow *flow;
	__u32 dir;

	if (!p || host_parse(skb, p) < 0 || (p->flags & (PACKET_STATELESS | PACKET_LATER_FRAGMENT)))
		return TC_ACT_OK;
	packet_identify(p);
	if (!(p->source.flags & ADDRESS_HOST))
		return TC_ACT_OK;
	flow = flow_find(&p->tuple, &dir);
	if (flow && !flow_expired(p->tuple.protocol, flow, now()) &&
	    ((flow->flags & FLOW_HOST) || flow_current(flow)))
		flow_update(p, flow, dir & 1);
	else if (can_open(p))
		translated_open(p, slot, dir);
	return TC_ACT_OK;
}

static __always_inline int host_leave(struct __sk_buff *skb)
{
	__u32 slot = host_slot(skb);

	if (!slot)
		return TC_ACT_OK;
	return skb->ingress_ifindex ? translated_leave(skb, slot) : host_packet(skb, slot, PACKET_FROM_HOST);
}

#endif
