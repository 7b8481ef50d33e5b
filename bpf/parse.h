/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Headers, read carefully: any length, options, fragments, extension headers. Reads by bpf_skb_load_bytes(),
 * since headers of a packet off the fast path need not be in linear memory.
 */
#ifndef PARSE_H
#define PARSE_H

#include "context.h"

#define IPV4_MORE_FRAGMENTS  0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_MORE_FRAGMENTS  0x0001
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define EXTENSION_HEADERS    8

enum l4_length { TCP_LENGTH = 20, UDP_LENGTH = 8, ICMP_LENGTH = 8, SCTP_LENGTH = 12, DCCP_LENGTH = 12 };

struct arp_packet {
	__be16 hardware, protocol;
	__u8 hardware_length, protocol_length;
	__be16 operation;
	__u8 sender_mac[6];
	__u8 sender[4];
	__u8 target_mac[6];
	__u8 target[4];
};
ABI_ASSERT_SIZE(struct arp_packet, 28);

enum address_kind {
	KIND_UNICAST,
	KIND_UNSPECIFIED,
	KIND_LINK_LOCAL, /* IPv6 only: those of IPv4 are routed like others */
	KIND_MULTICAST,	 /* or broadcast */
	KIND_MARTIAN,
};

static __always_inline enum address_kind address_kind(__u8 family, const __be32 *address)
{
	__u32 first = bpf_ntohl(address[0]);

	if (family == 4) {
		if (!first)
			return KIND_UNSPECIFIED;
		if (first >> 28 == 0xe || first == 0xffffffff)
			return KIND_MULTICAST;
		return first >> 24 == 0 || first >> 24 == 127 || first >> 28 == 0xf ? KIND_MARTIAN
										    : KIND_UNICAST;
	}
	if (first >> 24 == 0xff)
		return KIND_MULTICAST;
	if (first >> 22 == 0xfe80 >> 6)
		return KIND_LINK_LOCAL;
	if (address[0] || address[1])
		return KIND_UNICAST;
	if (!address[2] && !address[3])
		return KIND_UNSPECIFIED;
	/* ::1, and IPv4 addresses in IPv6 clothes. */
	return !address[2] || address[2] == bpf_htonl(0xffff) ? KIND_MARTIAN : KIND_UNICAST;
}

static __always_inline enum rule_class packet_class(const struct tuple *tuple)
{
	if (tuple->protocol == PROTOCOL_TCP)
		return CLASS_TCP;
	if (tuple->protocol == PROTOCOL_UDP)
		return CLASS_UDP;
	if (tuple->protocol == (tuple->family == 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6))
		return CLASS_ICMP;
	return CLASS_OTHER;
}

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == PROTOCOL_SCTP ||
	       protocol == PROTOCOL_UDPLITE || protocol == PROTOCOL_DCCP;
}

static __always_inline bool has_connections(__u8 protocol)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_SCTP || protocol == PROTOCOL_DCCP;
}

static __always_inline __u16 l4_minimum(const struct tuple *tuple)
{
	switch (tuple->protocol) {
	case PROTOCOL_TCP:
		return TCP_LENGTH;
	case PROTOCOL_SCTP:
		return SCTP_LENGTH;
	case PROTOCOL_DCCP:
		return DCCP_LENGTH;
	case PROTOCOL_UDP:
	case PROTOCOL_UDPLITE:
		return UDP_LENGTH;
	}
	return packet_class(tuple) == CLASS_ICMP ? ICMP_LENGTH : 0;
}

/* Makes the ports readable for rules, once protocol and ports of the tuple are known. */
static __always_inline void packet_classify(struct packet *p)
{
	p->class = packet_class(&p->tuple);
	if (has_ports(p->tuple.protocol)) {
		p->flags |= PACKET_PORTS;
		p->source_port = bpf_ntohs(p->tuple.source_port);
		p->destination_port = bpf_ntohs(p->tuple.destination_port);
	}
}

/* The type of the question that an ICMP message asks or answers; 0: it does neither. */
static __always_inline __u8 icmp_question(__u8 family, __u8 type)
{
	__u8 odd = (type - 1) | 1; /* of a pair that begins with an odd number */

	if (family == 4) {
		if (type == ICMP_ECHO || type == ICMP_ECHO_REPLY)
			return ICMP_ECHO;
		if (type == ICMP_EXTENDED_ECHO || type == ICMP_EXTENDED_ECHO + 1)
			return ICMP_EXTENDED_ECHO;
		return type >= ICMP_TIMESTAMP && type <= ICMP_ADDRESS_MASK + 1 ? odd : 0;
	}
	if (type == ICMPV6_NODE_INFORMATION || type == ICMPV6_NODE_INFORMATION + 1)
		return ICMPV6_NODE_INFORMATION;
	type &= ~1;
	return type == ICMPV6_ECHO || type == ICMPV6_EXTENDED_ECHO ? type : 0;
}

/*
 * The ports of an ICMP question and of its answer: the identifier is that of the end that asks, and the
 * identifier plus the question's type that of the other end. So a flow's key tells who asks and what: the
 * same question from the other end, or another one, belongs to another flow. header: type, code, checksum,
 * identifier. False: the message is neither.
 */
static __always_inline bool icmp_ports(struct tuple *tuple, const __u8 *header)
{
	__u8 question = icmp_question(tuple->family, header[0]);
	__u16 id = header[4] << 8 | header[5];
	bool asks = header[0] == question;

	if (!question)
		return false;
	tuple->source_port = bpf_htons(asks ? id : id + question);
	tuple->destination_port = bpf_htons(asks ? id + question : id);
	return true;
}

/* Of a tuple from the end that asks. */
static __always_inline __u8 icmp_asked(const struct tuple *tuple)
{
	return bpf_ntohs(tuple->destination_port) - bpf_ntohs(tuple->source_port);
}

static __always_inline bool is_icmp_error(__u8 family, __u8 type)
{
	if (family == 6)
		return type <= ICMPV6_PARAMETER_PROBLEM;
	return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

static __always_inline int parse_tcp(struct packet *p, const __u8 *header)
{
	__u16 length = (header[12] >> 4) * 4;
	__u8 flags = header[13];

	if (length < TCP_LENGTH || (length > p->l4_length && !(p->flags & PACKET_FIRST_FRAGMENT)))
		return -DROP_REASON_MALFORMED;
	if (length > p->l4_length)
		return -DROP_REASON_FRAGMENT_TINY;
	if (!(flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) ||
	    ((flags & TCP_SYN) && (flags & (TCP_FIN | TCP_RST))))
		return -DROP_REASON_MALFORMED;
	p->tcp_flags = flags;
	p->asks = (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	return 0;
}

static __always_inline int parse_icmp(struct packet *p, const __u8 *header)
{
	p->icmp_type = header[0];
	p->icmp_code = header[1];
	if (!icmp_ports(&p->tuple, header))
		p->flags |= PACKET_STATELESS;
	return 0;
}

static __always_inline int parse_l4(struct __sk_buff *skb, struct packet *p)
{
	__u16 minimum = l4_minimum(&p->tuple);
	__u8 header[16] = {};
	__u16 udp_length;

	if (p->flags & PACKET_LATER_FRAGMENT) {
		if (p->fragment_offset + p->l4_length > 0xffff)
			return -DROP_REASON_MALFORMED;
		/* Would overwrite what the first fragment was judged by (RFC 1858, RFC 3128). */
		return p->fragment_offset < minimum ? -DROP_REASON_FRAGMENT_TINY : 0;
	}
	if (!minimum)
		return 0;
	if (p->l4_length < minimum)
		return p->flags & PACKET_FIRST_FRAGMENT ? -DROP_REASON_FRAGMENT_TINY : -DROP_REASON_SHORT;
	if (bpf_skb_load_bytes(skb, p->l4_offset, header, 8) < 0 ||
	    (has_connections(p->tuple.protocol) && p->l4_length >= sizeof(header) &&
	     bpf_skb_load_bytes(skb, p->l4_offset, header, sizeof(header)) < 0))
		return -DROP_REASON_SHORT;
	if (packet_class(&p->tuple) == CLASS_ICMP)
		return parse_icmp(p, header);
	__builtin_memcpy(&p->tuple.source_port, header, 2);
	__builtin_memcpy(&p->tuple.destination_port, header + 2, 2);
	if (p->tuple.protocol == PROTOCOL_TCP)
		return parse_tcp(p, header);
	/* The first chunk is INIT; the packet is a Request. */
	p->asks = p->tuple.protocol == PROTOCOL_SCTP   ? header[12] == 1
		  : p->tuple.protocol == PROTOCOL_DCCP ? (header[8] & 0x1e) == 0
						       : false;
	udp_length = header[4] << 8 | header[5];
	if (p->tuple.protocol == PROTOCOL_UDP &&
	    (udp_length < UDP_LENGTH || (udp_length > p->l4_length && !(p->flags & PACKET_FIRST_FRAGMENT))))
		return -DROP_REASON_MALFORMED;
	return 0;
}

/*
 * Length of the IP packet whose header says 0: one that is to be segmented may be longer than the header can
 * say (BIG TCP). In IPv6 it may have an option that says so, or none. 0: it is none.
 */
static __always_inline __u32 super_length(const struct __sk_buff *skb, __u8 protocol)
{
	return skb->gso_size && protocol == PROTOCOL_TCP ? skb->len - ETH_LENGTH : 0;
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct packet *p)
{
	struct iphdr ip;
	__u16 header, fragment;
	__u32 total;

	if (bpf_skb_load_bytes(skb, ETH_LENGTH, &ip, sizeof(ip)) < 0)
		return -DROP_REASON_SHORT;
	header = ip.ihl * 4;
	total = bpf_ntohs(ip.tot_len) ?: super_length(skb, ip.protocol);
	if (ip.version != 4 || header < sizeof(ip) || total < header)
		return -DROP_REASON_MALFORMED;
	if (total > p->length - ETH_LENGTH)
		return -DROP_REASON_SHORT;
	p->tuple.family = 4;
	p->tuple.source[0] = ip.saddr;
	p->tuple.destination[0] = ip.daddr;
	p->tuple.protocol = ip.protocol;
	p->hops = ip.ttl;
	p->l4_offset = ETH_LENGTH + header;
	p->l4_length = total - header;
	fragment = bpf_ntohs(ip.frag_off);
	p->fragment_offset = (fragment & IPV4_FRAGMENT_OFFSET) * 8;
	p->fragment_protocol = ip.protocol;
	__builtin_memcpy(&p->fragment_id, &ip.id, sizeof(ip.id));
	if (p->fragment_offset)
		p->flags |= PACKET_LATER_FRAGMENT;
	else if (fragment & IPV4_MORE_FRAGMENTS)
		p->flags |= PACKET_FIRST_FRAGMENT;
	/* No endpoint needs them, and a source route leads elsewhere than to the address that is judged. */
	return header > sizeof(ip) ? -DROP_REASON_IP_OPTIONS : 0;
}

struct extension_walk {
	__u32 offset; /* of the header that `protocol` names, in the frame */
	__u32 end;    /* of the packet, in the frame */
	__u8 protocol;
	bool fragmented;
	struct frag_hdr fragment;
};

/* Finds the final header. A later fragment has none: `protocol` is then what the fragment header names. */
__noinline int parse_extensions(struct __sk_buff *skb, struct extension_walk *walk)
{
	if (!walk)
		return -DROP_REASON_INTERNAL;
	for (int i = 0; i <= EXTENSION_HEADERS; i++) {
		struct frag_hdr header; /* its first two bytes are those of every extension header */

		if (walk->protocol != PROTOCOL_HOP_BY_HOP && walk->protocol != PROTOCOL_ROUTING &&
		    walk->protocol != PROTOCOL_FRAGMENT && walk->protocol != PROTOCOL_AH &&
		    walk->protocol != PROTOCOL_DESTINATION)
			return 0;
		if (walk->offset + sizeof(header) > walk->end ||
		    bpf_skb_load_bytes(skb, walk->offset, &header, sizeof(header)) < 0)
			return -DROP_REASON_SHORT;
		if (walk->protocol == PROTOCOL_FRAGMENT) {
			if (walk->fragmented)
				return -DROP_REASON_MALFORMED;
			walk->fragment = header;
			walk->fragmented = true;
			walk->offset += sizeof(header);
		} else if (walk->protocol == PROTOCOL_AH) {
			walk->offset += (header.reserved + 2) * 4;
		} else {
			/* Byte 3 of a routing header: hops after which the destination is another one. */
			if (walk->protocol == PROTOCOL_ROUTING && (bpf_ntohs(header.frag_off) & 0xff))
				return -DROP_REASON_IP_OPTIONS;
			walk->offset += (header.reserved + 1) * 8;
		}
		walk->protocol = header.nexthdr;
		if (walk->fragmented && (bpf_ntohs(walk->fragment.frag_off) & IPV6_FRAGMENT_OFFSET))
			return 0;
	}
	return -DROP_REASON_IP_OPTIONS;
}

static __always_inline __u32 super_payload(const struct __sk_buff *skb, __u8 protocol)
{
	__u32 length =
		super_length(skb, protocol ?: PROTOCOL_TCP); /* behind the option that says its length */

	return length > sizeof(struct ipv6hdr) ? length - sizeof(struct ipv6hdr) : 0;
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct packet *p)
{
	struct extension_walk walk = {.offset = ETH_LENGTH + sizeof(struct ipv6hdr)};
	struct ipv6hdr ip;
	__u16 fragment;
	int r;

	if (bpf_skb_load_bytes(skb, ETH_LENGTH, &ip, sizeof(ip)) < 0)
		return -DROP_REASON_SHORT;
	walk.end = walk.offset + bpf_ntohs(ip.payload_len);
	if (!ip.payload_len)
		walk.end += super_payload(skb, ip.nexthdr);
	if (ip.version != 6)
		return -DROP_REASON_MALFORMED;
	if (walk.end > p->length)
		return -DROP_REASON_SHORT;
	p->tuple.family = 6;
	__builtin_memcpy(p->tuple.source, &ip.saddr, sizeof(p->tuple.source));
	__builtin_memcpy(p->tuple.destination, &ip.daddr, sizeof(p->tuple.destination));
	p->hops = ip.hop_limit;
	walk.protocol = ip.nexthdr;
	r = parse_extensions(skb, &walk);
	if (walk.fragmented) {
		fragment = bpf_ntohs(walk.fragment.frag_off);
		p->fragment_offset = fragment & IPV6_FRAGMENT_OFFSET;
		p->fragment_protocol = walk.fragment.nexthdr;
		p->fragment_id = walk.fragment.identification;
		if (p->fragment_offset)
			p->flags |= PACKET_LATER_FRAGMENT;
		else if (fragment & IPV6_MORE_FRAGMENTS)
			p->flags |= PACKET_FIRST_FRAGMENT;
	}
	p->tuple.protocol = walk.protocol;
	p->l4_offset = walk.offset;
	if (!r && walk.offset > walk.end)
		r = -DROP_REASON_SHORT;
	/* RFC 7112: the first fragment holds all headers. */
	if (r == -DROP_REASON_SHORT && (p->flags & PACKET_FIRST_FRAGMENT))
		r = -DROP_REASON_FRAGMENT_TINY;
	p->l4_length = walk.end - walk.offset;
	return r;
}

/* Fills p->tuple and what belongs to it. ARP leaves p->tuple.family 0. */
__noinline int packet_parse(struct __sk_buff *skb, struct packet *p)
{
	struct ethhdr eth;
	int r;

	if (!p)
		return -DROP_REASON_INTERNAL;
	p->length = skb->len;
	if (bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)) < 0)
		return -DROP_REASON_SHORT;
	__builtin_memcpy(p->source_mac, eth.h_source, sizeof(p->source_mac));
	/* The tag of a received frame is no longer in its bytes. */
	if (skb->vlan_present)
		return -DROP_REASON_VLAN;
	switch (bpf_ntohs(eth.h_proto)) {
	case ETH_P_IP:
		r = parse_ipv4(skb, p);
		break;
	case ETH_P_IPV6:
		r = parse_ipv6(skb, p);
		break;
	case ETH_P_ARP:
		return p->length < ETH_LENGTH + sizeof(struct arp_packet) ? -DROP_REASON_SHORT : 0;
	case ETH_P_8021Q:
	case ETH_P_8021AD:
		return -DROP_REASON_VLAN;
	default:
		return -DROP_REASON_ETHERTYPE;
	}
	if (!r)
		r = parse_l4(skb, p);
	if (!r && (eth.h_dest[0] & 1) && address_kind(p->tuple.family, p->tuple.destination) == KIND_UNICAST)
		r = -DROP_REASON_BROADCAST;
	packet_classify(p);
	return r;
}

#endif
