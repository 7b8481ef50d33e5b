/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Before policy: neighbour discovery of IPv6 endpoints, and the traffic without which an address does not
 * work. Felix let the same pass ahead of every policy, from unknown endpoints too.
 */
#ifndef NEIGHBOUR_H
#define NEIGHBOUR_H

#include "context.h"
#include "identity.h"
#include "judge.h"
#include "parse.h"

#define ND_HOP_LIMIT	  255
#define ND_OPTION_TARGET  2
#define ND_FLAG_ROUTER	  0x80
#define ND_FLAG_SOLICITED 0x40
#define ND_FLAG_OVERRIDE  0x20

struct nd_message {
	__u8 type, code;
	__be16 checksum;
	__u8 flags, reserved[3];
	__be32 target[4];
};
ABI_ASSERT_SIZE(struct nd_message, 24);

/* With the pseudo header that the checksum covers, and the only option that we send. */
struct nd_answer {
	__be32 source[4], destination[4];
	__be32 length, protocol;
	struct nd_message message;
	__u8 option, option_length; /* in 8 bytes */
	__u8 mac[6];
};
ABI_ASSERT_SIZE(struct nd_answer, 72);

#define ND_ANSWER_LENGTH (sizeof(struct nd_answer) - offsetof(struct nd_answer, message))

static __always_inline __sum16 checksum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

/* Source of a message to the host itself: an own address, or none yet. */
static __always_inline bool source_is_plausible(const struct packet *p)
{
	if (p->source.flags & ADDRESS_LOCAL)
		return p->source.endpoint == p->from.endpoint;
	switch (address_kind(p->tuple.family, p->tuple.source)) {
	case KIND_UNSPECIFIED:
	case KIND_LINK_LOCAL:
		return true;
	case KIND_UNICAST: /* an unknown endpoint's addresses are unknown; they are nobody else's */
		return !(p->flags & PACKET_ACTIVE) && !(p->source.flags & ADDRESS_HOST);
	default:
		return false;
	}
}

static __always_inline int nd_write(struct __sk_buff *skb, struct packet *p, struct nd_answer *nd)
{
	struct ethhdr eth = {.h_proto = bpf_htons(ETH_P_IPV6)};
	struct ipv6hdr ip = {
		.version = 6,
		.payload_len = bpf_htons(ND_ANSWER_LENGTH),
		.nexthdr = PROTOCOL_ICMPV6,
		.hop_limit = ND_HOP_LIMIT,
	};

	__builtin_memcpy(eth.h_dest, p->source_mac, sizeof(eth.h_dest));
	__builtin_memcpy(eth.h_source, nd->mac, sizeof(eth.h_source));
	__builtin_memcpy(&ip.saddr, nd->source, sizeof(ip.saddr));
	__builtin_memcpy(&ip.daddr, nd->destination, sizeof(ip.daddr));
	if (bpf_skb_change_tail(skb, ETH_LENGTH + sizeof(ip) + ND_ANSWER_LENGTH, 0) < 0 ||
	    bpf_skb_store_bytes(skb, 0, &eth, sizeof(eth), 0) < 0 ||
	    bpf_skb_store_bytes(skb, ETH_LENGTH, &ip, sizeof(ip), 0) < 0 ||
	    bpf_skb_store_bytes(skb, ETH_LENGTH + sizeof(ip), &nd->message, ND_ANSWER_LENGTH, 0) < 0)
		return -DROP_REASON_INTERNAL;
	return ANSWER;
}

/* Answers with the host's MAC. As a proxy without the override flag (RFC 4861 7.2.8). */
static __noinline int nd_answer(struct __sk_buff *skb, struct packet *p,
				const struct nd_message *solicitation, bool gateway)
{
	struct nd_answer nd = {
		.length = bpf_htonl(ND_ANSWER_LENGTH),
		.protocol = bpf_htonl(PROTOCOL_ICMPV6),
		.message = {.type = ICMPV6_NEIGHBOUR_ADVERTISEMENT, .flags = ND_FLAG_ROUTER},
		.option = ND_OPTION_TARGET,
		.option_length = 1,
	};

	if (gateway)
		nd.message.flags |= ND_FLAG_OVERRIDE;
	__builtin_memcpy(nd.source, solicitation->target, sizeof(nd.source));
	__builtin_memcpy(nd.message.target, solicitation->target, sizeof(nd.message.target));
	host_mac_copy(nd.mac);
	if (address_kind(6, p->tuple.source) == KIND_UNSPECIFIED) {
		nd.destination[0] = bpf_htonl(0xff020000);
		nd.destination[3] = bpf_htonl(1);
	} else {
		nd.message.flags |= ND_FLAG_SOLICITED;
		__builtin_memcpy(nd.destination, p->tuple.source, sizeof(nd.destination));
	}
	nd.message.checksum = checksum_fold(bpf_csum_diff(NULL, 0, (__be32 *)&nd, sizeof(nd), 0));
	return nd_write(skb, p, &nd);
}

static __always_inline int nd_solicited(struct __sk_buff *skb, struct packet *p, const struct nd_message *nd)
{
	__be32 gateway[4] = {settings.gateway6[0], settings.gateway6[1], settings.gateway6[2],
			     settings.gateway6[3]};
	struct address owner;

	if (address_equal(nd->target, gateway))
		return nd_answer(skb, p, nd, true);
	/* The host answers for its own link-local addresses, and nobody for the endpoint's. */
	if (address_kind(6, nd->target) != KIND_UNICAST)
		return 0;
	identity_find(6, nd->target, &owner);
	if ((owner.flags & ADDRESS_LOCAL) && owner.endpoint == p->from.endpoint)
		return 0;
	return nd_answer(skb, p, nd, false);
}

static __always_inline int nd_advertised(struct packet *p, const struct nd_message *nd)
{
	struct address owner;

	if (address_kind(6, nd->target) == KIND_LINK_LOCAL)
		return 0;
	identity_find(6, nd->target, &owner);
	return (owner.flags & ADDRESS_LOCAL) && owner.endpoint == p->from.endpoint ? 0
										   : -DROP_REASON_SPOOFED_ARP;
}

__noinline int neighbour_input(struct __sk_buff *skb, struct packet *p)
{
	struct nd_message nd;

	if (!p)
		return -DROP_REASON_INTERNAL;
	if (p->tuple.protocol != PROTOCOL_ICMPV6 || p->tuple.family != 6 ||
	    (p->flags & PACKET_LATER_FRAGMENT))
		return 0;
	if (p->icmp_type == ICMPV6_ROUTER_ADVERTISEMENT)
		return -DROP_REASON_ROUTER_ADVERTISEMENT;
	if ((p->icmp_type != ICMPV6_NEIGHBOUR_SOLICITATION &&
	     p->icmp_type != ICMPV6_NEIGHBOUR_ADVERTISEMENT) ||
	    !(p->flags & PACKET_ACTIVE))
		return 0;
	if (p->l4_length < sizeof(nd) || bpf_skb_load_bytes(skb, p->l4_offset, &nd, sizeof(nd)) < 0)
		return -DROP_REASON_SHORT;
	packet_identify(p);
	if (!source_is_plausible(p))
		return -DROP_REASON_SPOOFED_ARP;
	/* RFC 4861: 255 proves that no router forwarded it; RFC 6980: never fragmented. */
	if (p->hops != ND_HOP_LIMIT || nd.code || (p->flags & PACKET_FIRST_FRAGMENT))
		return -DROP_REASON_MALFORMED;
	return p->icmp_type == ICMPV6_NEIGHBOUR_SOLICITATION ? nd_solicited(skb, p, &nd)
							     : nd_advertised(p, &nd);
}

/* Before any policy, also for endpoints that are unknown or inactive; what else those send is dropped. */
static __noinline int bootstrap_input(struct packet *p)
{
	bool active = p->flags & PACKET_ACTIVE;
	int otherwise = 0;

	if (!active)
		otherwise =
			p->from.endpoint ? -DROP_REASON_ENDPOINT_INACTIVE : -DROP_REASON_UNKNOWN_INTERFACE;
	if (!is_bootstrap(p) && (active || !is_dns(p)))
		return otherwise;
	packet_identify(p);
	switch (address_kind(p->tuple.family, p->tuple.destination)) {
	case KIND_MULTICAST:
		if (!is_bootstrap(p))
			return otherwise;
		break;
	case KIND_LINK_LOCAL:
		break;
	default:
		if (!(p->destination.flags & ADDRESS_HOST))
			return otherwise;
	}
	return source_is_plausible(p) ? PASS : -DROP_REASON_SPOOFED_IP;
}

#endif
