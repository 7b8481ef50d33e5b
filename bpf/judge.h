/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Judges the packet that opens a flow: who sends it, where it goes, and the policies of those of its two ends
 * that live on this host. The order of the checks is Felix's, and decides what a packet is counted under.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "context.h"
#include "identity.h"
#include "parse.h"
#include "policy.h"

enum port {
	PORT_DNS = 53,
	PORT_DHCP_SERVER = 67,
	PORT_DHCP_CLIENT = 68,
	PORT_DHCPV6_CLIENT = 546,
	PORT_DHCPV6_SERVER = 547,
	PORT_L2TP = 1701,
	PORT_GRE = 4754, /* in UDP (RFC 8086) */
	PORT_VXLAN = 4789,
	PORT_VXLAN_GPE = 4790,
	PORT_GUE = 6080,
	PORT_GENEVE = 6081,
	PORT_MPLS = 6635,	 /* in UDP (RFC 7510) */
	PORT_VXLAN_LINUX = 8472, /* the kernel's default */
};

static __always_inline bool is_udp(const struct packet *p, __u16 sport, __u16 dport)
{
	return p->class == CLASS_UDP && p->source_port == sport && p->destination_port == dport;
}

/* MLD and neighbour discovery; version 2 of MLD came after the list in the specification. */
static __always_inline bool is_discovery(__u8 icmp_type)
{
	return (icmp_type >= ICMPV6_MLD_QUERY && icmp_type <= ICMPV6_NEIGHBOUR_ADVERTISEMENT &&
		icmp_type != ICMPV6_ROUTER_ADVERTISEMENT) ||
	       icmp_type == ICMPV6_MLD2_REPORT;
}

/* Traffic that makes an address work at all; allowed before any policy, and for unknown endpoints too. */
static __always_inline bool is_bootstrap(const struct packet *p)
{
	if (p->tuple.family == 4)
		return is_udp(p, PORT_DHCP_CLIENT, PORT_DHCP_SERVER);
	if (p->class == CLASS_ICMP)
		return is_discovery(p->icmp_type);
	return is_udp(p, PORT_DHCPV6_CLIENT, PORT_DHCPV6_SERVER);
}

static __always_inline bool is_dns(const struct packet *p)
{
	return p->class == CLASS_UDP && p->destination_port == PORT_DNS;
}

/* Carries whole packets, without a proof of who sent them. port: of the tunnel's end, if the class is UDP. */
static __always_inline bool is_encapsulation(const struct packet *p, __u16 port)
{
	if (p->class == CLASS_UDP)
		return port == PORT_VXLAN || port == PORT_VXLAN_LINUX || port == PORT_VXLAN_GPE ||
		       port == PORT_GENEVE || port == PORT_GRE || port == PORT_GUE || port == PORT_MPLS ||
		       port == PORT_L2TP;
	switch (p->tuple.protocol) {
	case PROTOCOL_IPIP:
	case PROTOCOL_IPV6:
	case PROTOCOL_GRE:
	case PROTOCOL_MINIMAL:
	case PROTOCOL_IPIP_OLD:
	case PROTOCOL_ETHERIP:
	case PROTOCOL_ENCAP:
	case PROTOCOL_L2TP:
	case PROTOCOL_MPLS:
		return true;
	}
	return false;
}

/*
 * Encapsulation to a tunnel's end would carry packets past every policy. Hosts may be one by any kind of it,
 * whatever pool their addresses are in; what is known of neither may be one by those that hosts of the field
 * use.
 */
static __always_inline bool is_tunnel(const struct packet *p)
{
	if ((p->flags & PACKET_TO_HOST) || (p->destination.flags & ADDRESS_NODE))
		return is_encapsulation(p, p->destination_port);
	if (p->destination.flags & (ADDRESS_LOCAL | ADDRESS_REMOTE | ADDRESS_IN_POOL))
		return false;
	if (p->class == CLASS_UDP)
		return p->destination_port == PORT_VXLAN || p->destination_port == PORT_VXLAN_LINUX;
	return p->tuple.protocol == PROTOCOL_IPIP || p->tuple.protocol == PROTOCOL_IPV6;
}

/* From a host to an endpoint here, so that an answer would be what is_tunnel() refuses: there is none. */
static __always_inline bool is_tunnel_from_host(const struct packet *p)
{
	return !p->host && (p->destination.flags & ADDRESS_LOCAL) &&
	       ((p->flags & PACKET_FROM_HOST) || (p->source.flags & (ADDRESS_HOST | ADDRESS_NODE))) &&
	       is_encapsulation(p, p->source_port);
}

static __always_inline bool source_is_own(const struct packet *p)
{
	return (p->source.flags & ADDRESS_LOCAL) && p->source.endpoint == p->from.endpoint;
}

/* The host's NAT has changed the source of an approved packet, whose sender was judged before that. */
static __always_inline bool is_translated(const struct packet *p)
{
	return p->to.endpoint && !(p->source.flags & ADDRESS_LOCAL);
}

static __always_inline int judge_inbound(struct packet *p)
{
	__u32 slot = p->destination.endpoint;
	const struct endpoint *receiver = bpf_map_lookup_elem(&endpoint, &slot);
	__u32 blame = p->blame;
	int r;

	if (!receiver)
		return -DROP_REASON_INTERNAL;
	p->blame = receiver->ifindex;
	if (receiver->state != ENDPOINT_ACTIVE)
		return -DROP_REASON_ENDPOINT_INACTIVE;
	r = policy_evaluate(p, slot, true);
	if (!r)
		p->blame = blame;
	return r;
}

static __always_inline int judge_destination(struct packet *p)
{
	switch (address_kind(p->tuple.family, p->tuple.destination)) {
	case KIND_MULTICAST:
		return -DROP_REASON_BROADCAST;
	case KIND_UNSPECIFIED:
	case KIND_MARTIAN:
		return -DROP_REASON_MARTIAN;
	case KIND_LINK_LOCAL: /* on a veth only the host is there */
		p->flags |= PACKET_TO_HOST;
		break;
	case KIND_UNICAST:
		if (p->destination.flags & ADDRESS_HOST)
			p->flags |= PACKET_TO_HOST;
	}
	return 0;
}

/* The source is in a pool with nat-outgoing, and the destination in none. */
static __always_inline bool nat_is_wanted(const struct packet *p)
{
	return p->tuple.family == 4 && (p->source.flags & ADDRESS_NAT_OUT) &&
	       !(p->destination.flags & ADDRESS_IN_POOL);
}

static __always_inline int judge_outbound(struct packet *p)
{
	__u32 slot = p->from.endpoint;
	const struct endpoint *sender = bpf_map_lookup_elem(&endpoint, &slot);
	int r;

	if (!sender)
		return -DROP_REASON_INTERNAL;
	if (sender->state != ENDPOINT_ACTIVE)
		return -DROP_REASON_ENDPOINT_INACTIVE;
	if (!source_is_own(p))
		return -DROP_REASON_SPOOFED_IP;
	r = judge_destination(p);
	if (r)
		return r;
	if ((p->flags & PACKET_TO_HOST) && is_dns(p))
		return 0;
	if (p->flags & PACKET_BAD_MAC)
		return -DROP_REASON_SPOOFED_MAC;
	if (is_tunnel(p))
		return -DROP_REASON_TUNNEL;
	if ((p->flags & PACKET_TO_HOST) && settings.host_action == HOST_DROP)
		return -DROP_REASON_HOST_ACTION;
	if (nat_is_wanted(p) && !(p->flags & PACKET_TO_HOST))
		p->flags |= PACKET_NAT_OUT;
	return policy_evaluate(p, slot, false);
}

/*
 * Between the host and elsewhere. The host's end becomes like an endpoint's: it follows the generation of the
 * host endpoint.
 */
static __always_inline int judge_host(struct packet *p)
{
	bool outbound = p->flags & PACKET_FROM_HOST;
	struct address *own = outbound ? &p->source : &p->destination;
	__u32 slot = p->host, generation = generation_read(GENERATION_FIRST + slot);
	int r;

	own->flags |= ADDRESS_LOCAL;
	own->endpoint = slot;
	own->generation_slot = GENERATION_FIRST + slot;
	if (outbound)
		p->source_generation = generation;
	else
		p->destination_generation = generation;
	r = policy_evaluate(p, slot, !outbound);
	return r || !p->host_both ? r : policy_evaluate(p, slot, outbound);
}

/* As judge(), or EVALUATE_AGAIN: policy was published meanwhile. */
__noinline int judge_once(struct packet *p)
{
	int r;

	if (!p)
		return -DROP_REASON_INTERNAL;
	p->flags &= ~(PACKET_TO_HOST | PACKET_NAT_OUT);
	packet_identify(p);
	if (p->flags & PACKET_FAULT)
		return -DROP_REASON_INTERNAL;
	if (p->host)
		return judge_host(p);
	if (p->flags & PACKET_FROM_HOST)
		return 0;
	if (p->from.endpoint && !is_translated(p)) {
		r = judge_outbound(p);
		if (r)
			return r;
	} else if (p->source.flags & ADDRESS_LOCAL) {
		return -DROP_REASON_MARTIAN;
	}
	/* Nothing but the endpoint's own addresses is forwarded to it, whatever the routing table says. */
	if (p->to.endpoint &&
	    !((p->destination.flags & ADDRESS_LOCAL) && p->destination.endpoint == p->to.endpoint))
		return -DROP_REASON_MARTIAN;
	return p->destination.flags & ADDRESS_LOCAL ? judge_inbound(p) : 0;
}

/* More publications than one packet meets, unless its processor is stopped again and again. */
#define JUDGE_TRIES 4

/*
 * 0: allowed; else a negative drop reason. Tells by p->from.endpoint and PACKET_FROM_HOST who sends; fills in
 * what is known about both addresses.
 */
static __always_inline int judge(struct packet *p)
{
	__u32 blame = p->blame;
	int r;

	for (int i = 0; i < JUDGE_TRIES; i++) {
		p->blame = blame;
		r = judge_once(p);
		if (r != EVALUATE_AGAIN)
			return r;
	}
	return -DROP_REASON_INTERNAL;
}

#endif
