/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entries of the flow tables: keys, age, currency, creation and deletion. */
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include "context.h"
#include "identity.h"

/* Seconds without a packet, about those of Linux's conntrack: idle connections live as long as with it. */
enum flow_timeout {
	TIMEOUT_TCP_OPENING = 60,
	TIMEOUT_TCP_ESTABLISHED = 432000,
	TIMEOUT_TCP_HALF_CLOSED = 120,
	TIMEOUT_TCP_CLOSED = 30,
	TIMEOUT_TCP_RESET = 10,
	TIMEOUT_UNREPLIED = 30,
	TIMEOUT_UDP_ANSWERED = 30,
	TIMEOUT_UDP_STREAM = 120,
	TIMEOUT_ICMP = 30,
	TIMEOUT_OTHER = 600,
};

/* No timeout of a flow that the fast path serves is shorter: below this age it need not know which it is. */
#define TIMEOUT_MINIMUM TIMEOUT_UNREPLIED

static __always_inline __u32 flow_timeout(__u8 protocol, __u32 flags)
{
	if (protocol == PROTOCOL_TCP) {
		if (flags & (FLOW_RST | FLOW_RST << 1))
			return TIMEOUT_TCP_RESET;
		if ((flags & FLOW_FIN) && (flags & FLOW_FIN << 1))
			return TIMEOUT_TCP_CLOSED;
		if (!(flags & FLOW_ESTABLISHED))
			return TIMEOUT_TCP_OPENING;
		if (flags & (FLOW_FIN | FLOW_FIN << 1))
			return TIMEOUT_TCP_HALF_CLOSED;
		return TIMEOUT_TCP_ESTABLISHED;
	}
	if (!(flags & FLOW_REPLIED))
		return TIMEOUT_UNREPLIED;
	if (protocol == PROTOCOL_UDP)
		return flags & FLOW_STREAM ? TIMEOUT_UDP_STREAM : TIMEOUT_UDP_ANSWERED;
	if (protocol == PROTOCOL_ICMP || protocol == PROTOCOL_ICMPV6)
		return TIMEOUT_ICMP;
	return TIMEOUT_OTHER;
}

/* `seen` may be ahead of `time` by what another CPU did meanwhile: signed, also for the wrap of jiffies. */
static __always_inline bool flow_expired(__u8 protocol, const struct flow *flow, __u32 time)
{
	__s32 idle = time - flow->seen;

	return idle > 0 && (__u32)idle > flow_timeout(protocol, flow->flags) * settings.hz;
}

static __always_inline bool flow_closing(__u32 flags)
{
	return (flags & (FLOW_RST | FLOW_RST << 1)) || ((flags & FLOW_FIN) && (flags & FLOW_FIN << 1));
}

static __always_inline bool end_current(const struct flow_end *end)
{
	return end->generation == generation_read(end->generation_slot);
}

/* True while no policy that concerns the flow has changed since it was judged. */
static __always_inline bool flow_current(const struct flow *flow)
{
	return settings.keep_established || (end_current(&flow->end[0]) && end_current(&flow->end[1]));
}

static __always_inline bool address_above(const __be32 *a, const __be32 *b)
{
	for (int i = 0; i < 4; i++) {
		if (a[i] != b[i])
			return a[i] > b[i];
	}
	return false;
}

/* Which end of its flow the tuple's source is: 0 or 1. */
static __always_inline __u32 tuple_direction(const struct tuple *tuple)
{
	return address_above(tuple->source, tuple->destination) ||
	       (address_equal(tuple->source, tuple->destination) &&
		tuple->source_port > tuple->destination_port);
}

static __always_inline void flow4_key(const struct tuple *tuple, __u32 dir, struct flow4_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	__builtin_memcpy(key->address[0], dir ? tuple->destination : tuple->source, 4);
	__builtin_memcpy(key->address[1], dir ? tuple->source : tuple->destination, 4);
	key->port[0] = bpf_ntohs(dir ? tuple->destination_port : tuple->source_port);
	key->port[1] = bpf_ntohs(dir ? tuple->source_port : tuple->destination_port);
	key->protocol = tuple->protocol;
}

static __always_inline void flow6_key(const struct tuple *tuple, __u32 dir, struct flow6_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	__builtin_memcpy(key->address[0], dir ? tuple->destination : tuple->source, 16);
	__builtin_memcpy(key->address[1], dir ? tuple->source : tuple->destination, 16);
	key->port[0] = bpf_ntohs(dir ? tuple->destination_port : tuple->source_port);
	key->port[1] = bpf_ntohs(dir ? tuple->source_port : tuple->destination_port);
	key->protocol = tuple->protocol;
}

#define FLOW4_WORDS (sizeof(struct flow4_key) / sizeof(__u32))
#define FLOW6_WORDS (sizeof(struct flow6_key) / sizeof(__u32))

/* Of the key's words: products of pairs, each word plus a number of its own (the hash NH of RFC 4418). */
static __always_inline __u32 flow_sum(const __u32 *key, __u32 words)
{
	static const __u32 own[FLOW6_WORDS] = {0x52e6b439, 0xf2a74de5, 0x269e0d37, 0x6513270f, 0xa6a3a451,
					       0x0c5c7fd1, 0x128b2f33, 0xd23f0825, 0x892f902b, 0x1818e811};
	__u64 sum = 0;

#pragma unroll
	for (__u32 i = 0; i < words; i += 2)
		sum += (__u64)(__u32)(key[i] + own[i]) * (__u32)(key[i + 1] + own[i + 1]);
	return sum ^ sum >> 32;
}

/* Is the entry still that of the key with this sum? Asked when all that matters of it has been read. */
static __always_inline bool flow_is_of(const struct flow *flow, __u32 sum)
{
	asm volatile("" ::: "memory");
	return *(volatile const __u32 *)&flow->check == sum &&
	       *(volatile const __u32 *)&flow->check_behind == sum;
}

/* Not inline: so the keys are not on the stack together with what policy needs. */
static __noinline struct flow *flow_find(const struct tuple *tuple, __u32 *ret_dir)
{
	struct flow4_key key4;
	struct flow6_key key6;

	*ret_dir = tuple_direction(tuple);
	if (tuple->family == 4) {
		flow4_key(tuple, *ret_dir, &key4);
		return bpf_map_lookup_elem(&flow4, &key4);
	}
	flow6_key(tuple, *ret_dir, &key6);
	return bpf_map_lookup_elem(&flow6, &key6);
}

/* False: what has been read is, or may be in part, another flow's. */
static __noinline bool flow_still(const struct tuple *tuple, const struct flow *flow)
{
	struct flow4_key key4;
	struct flow6_key key6;

	if (tuple->family == 4) {
		flow4_key(tuple, tuple_direction(tuple), &key4);
		return flow_is_of(flow, flow_sum((const __u32 *)&key4, FLOW4_WORDS));
	}
	flow6_key(tuple, tuple_direction(tuple), &key6);
	return flow_is_of(flow, flow_sum((const __u32 *)&key6, FLOW6_WORDS));
}

/* Of the question that opened the flow, if it is one of ICMP. */
static __always_inline __u8 flow_icmp_code(const struct flow *flow)
{
	return flow->nat_port;
}

/* Whether the flow is translated, to this address and port. */
static __always_inline bool nat_is(const struct flow *flow, const __be32 *address, __be16 port)
{
	__be32 translated;

	__builtin_memcpy(&translated, flow->nat_address, sizeof(translated));
	return (flow->flags & FLOW_TRANSLATED) && translated == *address && flow->nat_port == bpf_ntohs(port);
}

/* On whose account a flow is: the opening endpoint's, or the receiver's if that is elsewhere. */
static __always_inline __u32 flow_account(const struct flow *flow)
{
	__u32 opener = flow->flags & FLOW_OPENER;

	return flow->end[opener].endpoint ? flow->end[opener].endpoint : flow->end[!opener].endpoint;
}

#endif
