/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes the translation of a flow into its packets, with every checksum that covers it. Whether the L4
 * checksum is complete, or left to the device, the kernel's helper knows.
 */
#ifndef REWRITE_H
#define REWRITE_H

#include "checksum.h"
#include "context.h"
#include "nat.h"
#include "parse.h"
#include "track.h"

struct translation {
	__be32 from, to;
	__be16 from_port, to_port;
};

/* The packet's IP header and, unless it is a later fragment, its TCP or UDP header. */
static __always_inline int rewrite_packet(struct __sk_buff *skb, const struct packet *p,
					  const struct translation *t, bool source)
{
	__u32 at = ETH_LENGTH + (source ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr));
	__u32 check = p->l4_offset + (p->class == CLASS_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
	__u64 flags = p->class == CLASS_UDP ? BPF_F_MARK_MANGLED_0 : 0;

	if (bpf_l3_csum_replace(skb, ETH_LENGTH + IP_CHECKSUM, t->from, t->to, 4) < 0 ||
	    bpf_skb_store_bytes(skb, at, &t->to, 4, 0) < 0)
		return -DROP_REASON_INTERNAL;
	if (p->flags & PACKET_LATER_FRAGMENT)
		return 0;
	if (bpf_l4_csum_replace(skb, check, t->from, t->to, BPF_F_PSEUDO_HDR | flags | 4) < 0 ||
	    bpf_l4_csum_replace(skb, check, t->from_port, t->to_port, flags | 2) < 0 ||
	    bpf_skb_store_bytes(skb, p->l4_offset + (source ? 0 : 2), &t->to_port, 2, 0) < 0)
		return -DROP_REASON_INTERNAL;
	return 0;
}

/* A word of what an ICMP error quotes; the error's own checksum covers it. */
static __always_inline int quoted_store(struct __sk_buff *skb, const struct packet *p, __u32 offset,
					__u32 from, __u32 to, __u32 size)
{
	if (bpf_l4_csum_replace(skb, p->l4_offset + ICMP_CHECKSUM, from, to, size) < 0)
		return -1;
	return bpf_skb_store_bytes(skb, offset, &to, size, 0);
}

/* The quoted packet's own checksum, which its receiver does not verify; it may be cut off (RFC 792). */
static __always_inline int quoted_checksum(struct __sk_buff *skb, const struct packet *p, __u32 l4,
					   const struct translation *t, __u8 protocol)
{
	__u32 offset = l4 + (protocol == PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
	__u16 check, changed;

	if (offset + sizeof(check) > (__u32)p->l4_offset + p->l4_length ||
	    bpf_skb_load_bytes(skb, offset, &check, sizeof(check)) < 0 ||
	    (protocol == PROTOCOL_UDP && !check))
		return 0;
	changed = checksum_replace(check, t->from, t->to);
	changed = checksum_replace(changed, t->from_port, t->to_port);
	return quoted_store(skb, p, offset, check, changed, sizeof(check));
}

/* The packet that the error is about went the other way: where the error has its source, that has its
 * destination. */
static __always_inline int rewrite_quoted(struct __sk_buff *skb, const struct packet *p,
					  const struct translation *t, bool source)
{
	__u32 offset = p->l4_offset + ICMP_LENGTH, l4;
	struct iphdr ip;
	__u32 at = offset + (source ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr));

	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) < 0)
		return -DROP_REASON_INTERNAL;
	l4 = offset + ip.ihl * 4;
	if (quoted_store(skb, p, at, t->from, t->to, 4) < 0 ||
	    quoted_store(skb, p, offset + IP_CHECKSUM, ip.check, checksum_replace(ip.check, t->from, t->to),
			 2) < 0 ||
	    quoted_store(skb, p, l4 + (source ? 0 : 2), t->from_port, t->to_port, 2) < 0 ||
	    quoted_checksum(skb, p, l4, t, ip.protocol) < 0)
		return -DROP_REASON_INTERNAL;
	return 0;
}

static __always_inline int rewrite_error(struct __sk_buff *skb, const struct packet *p,
					 const struct translation *t, bool source)
{
	__u32 at = ETH_LENGTH + (source ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr));

	if (bpf_l3_csum_replace(skb, ETH_LENGTH + IP_CHECKSUM, t->from, t->to, 4) < 0 ||
	    bpf_skb_store_bytes(skb, at, &t->to, 4, 0) < 0)
		return -DROP_REASON_INTERNAL;
	return rewrite_quoted(skb, p, t, !source);
}

/* 0 or a negative drop reason. `p` describes the packet as the endpoint knows it, whatever it is at the
 * moment. */
static __noinline int rewrite(struct __sk_buff *skb, const struct packet *p, const struct translation *t,
			      bool source)
{
	return p->class == CLASS_ICMP ? rewrite_error(skb, p, t, source) : rewrite_packet(skb, p, t, source);
}

/* A packet from the endpoint leaves by the uplink. Where the address is not the uplink's any more the flow
 * ends. */
static __always_inline int rewrite_source(struct __sk_buff *skb, const struct packet *p,
					  const struct uplink *up)
{
	struct translation t = {.from = p->tuple.source[0],
				.to = p->nat_address,
				.from_port = p->tuple.source_port,
				.to_port = p->nat_port};

	/* While a new run takes over the uplinks, none is known for a moment. */
	if (up && !nat_has_address(up, p->nat_address)) {
		flow_delete(&p->tuple);
		return -DROP_REASON_NAT_LOST;
	}
	return rewrite(skb, p, &t, true);
}

/* A packet to the endpoint has arrived. */
static __always_inline int rewrite_destination(struct __sk_buff *skb, const struct packet *p)
{
	struct translation t = {.from = p->nat_address,
				.to = p->tuple.destination[0],
				.from_port = p->nat_port,
				.to_port = p->tuple.destination_port};

	return rewrite(skb, p, &t, false);
}

#endif
