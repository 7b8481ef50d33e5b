/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Screening: what arrives at an uplink and can never be delivered, found by its addresses before anybody
 * spends work on it. By XDP where the driver has it, else by from_uplink. Whatever is not certain passes, and
 * so does all that is for the host itself: its NAT and the policy of its own interfaces come later.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include "context.h"
#include "identity.h"
#include "parse.h"
#include "verdict.h"

enum screen_verdict {
	SCREEN_PASS = 0,
	SCREEN_ENDPOINT = 1, /* for an endpoint of this host */
};

/* A bit more of a packet than its tuple. */
struct arrival {
	struct tuple tuple;
	bool opens; /* has its ports, and opens a flow if there is none */
	__u8 icmp_type, icmp_code;
};

static __always_inline void arrival_l4(struct arrival *a, const __u8 *l4, const void *end)
{
	__u8 protocol = a->tuple.protocol;

	if ((const void *)l4 + UDP_LENGTH > end)
		return;
	if (protocol == PROTOCOL_TCP) {
		if ((const void *)l4 + TCP_LENGTH > end)
			return;
		a->opens = (l4[13] & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
	} else if (protocol == PROTOCOL_UDP) {
		a->opens = true;
	} else if (protocol == (a->tuple.family == 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6)) {
		a->icmp_type = l4[0];
		a->icmp_code = l4[1];
		a->opens = icmp_ports(&a->tuple, l4) &&
			   a->icmp_type == icmp_question(a->tuple.family, a->icmp_type);
		return;
	} else if (!has_ports(protocol)) {
		return;
	}
	__builtin_memcpy(&a->tuple.source_port, l4, 2);
	__builtin_memcpy(&a->tuple.destination_port, l4 + 2, 2);
}

static __always_inline bool arrival_ipv4(struct arrival *a, const struct iphdr *ip, const void *end)
{
	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return false;
	a->tuple.family = 4;
	a->tuple.protocol = ip->protocol;
	a->tuple.source[0] = ip->saddr;
	a->tuple.destination[0] = ip->daddr;
	if (ip->ihl == 5 && !(ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)))
		arrival_l4(a, (const __u8 *)(ip + 1), end);
	return true;
}

static __always_inline bool arrival_ipv6(struct arrival *a, const struct ipv6hdr *ip, const void *end)
{
	if ((const void *)(ip + 1) > end || ip->version != 6)
		return false;
	a->tuple.family = 6;
	a->tuple.protocol = ip->nexthdr;
	__builtin_memcpy(a->tuple.source, &ip->saddr, sizeof(a->tuple.source));
	__builtin_memcpy(a->tuple.destination, &ip->daddr, sizeof(a->tuple.destination));
	arrival_l4(a, (const __u8 *)(ip + 1), end);
	return true;
}

/* False: nothing can be said about it. */
static __always_inline bool arrival_read(struct arrival *a, const void *data, const void *end)
{
	const struct ethhdr *eth = data;

	/* To a group, also where the IP address is not: the stack knows who listens. */
	if ((const void *)(eth + 1) > end || (eth->h_dest[0] & 1))
		return false;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return arrival_ipv4(a, (const void *)(eth + 1), end);
	return eth->h_proto == bpf_htons(ETH_P_IPV6) && arrival_ipv6(a, (const void *)(eth + 1), end);
}

static __always_inline bool source_blocked(const struct tuple *tuple)
{
	struct prefix4_key key4 = {.prefix_length = 32};
	struct prefix6_key key6 = {.prefix_length = 128};

	if (tuple->family == 4) {
		__builtin_memcpy(key4.address, tuple->source, sizeof(key4.address));
		return bpf_map_lookup_elem(&blocked4, &key4);
	}
	__builtin_memcpy(key6.address, tuple->source, sizeof(key6.address));
	return bpf_map_lookup_elem(&blocked6, &key6);
}

/*
 * False: nobody of this host has the address, since the routing table sends it nowhere, or back to where
 * addresses outside are. Not inline: so the route is not on the stack together with anything else.
 */
static __noinline bool has_way(void *ctx, const struct packet *p)
{
	struct bpf_fib_lookup route = {
		.family = p->tuple.family == 4 ? AF_INET : AF_INET6,
		.l4_protocol = p->tuple.protocol,
		.ifindex = p->blame,
	};
	__u32 ifindex;

	__builtin_memcpy(route.ipv6_src, p->tuple.source, sizeof(route.ipv6_src));
	__builtin_memcpy(route.ipv6_dst, p->tuple.destination, sizeof(route.ipv6_dst));
	switch (bpf_fib_lookup(ctx, &route, sizeof(route), 0)) {
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return false;
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		ifindex = route.ifindex;
		return !bpf_map_lookup_elem(&uplink, &ifindex);
	}
	return true;
}

/* Also fills in what is known about both addresses. */
static __always_inline int screen_judge(void *ctx, struct packet *p)
{
	const __u32 here = ADDRESS_IN_POOL | ADDRESS_BLOCK;
	enum address_kind kind = address_kind(p->tuple.family, p->tuple.source);
	__u32 flags;

	packet_identify(p);
	flags = p->destination.flags;
	if ((p->flags & PACKET_FAULT) || (flags & ADDRESS_HOST) ||
	    address_kind(p->tuple.family, p->tuple.destination) != KIND_UNICAST)
		return SCREEN_PASS;
	if ((p->source.flags & ADDRESS_LOCAL) || kind == KIND_MULTICAST || kind == KIND_MARTIAN)
		return -DROP_REASON_MARTIAN;
	if (source_blocked(&p->tuple))
		return -DROP_REASON_BLOCKED;
	if (flags & ADDRESS_LOCAL)
		return SCREEN_ENDPOINT;
	/* Another host's endpoint may have borrowed the address. */
	if ((flags & (here | ADDRESS_REMOTE)) == here && !has_way(ctx, p))
		return -DROP_REASON_NO_DESTINATION;
	return SCREEN_PASS;
}

static __noinline int screen_fill(void *ctx, __u32 ifindex, const struct tuple *tuple, struct screened *entry,
				  __u16 serial)
{
	struct packet *p = packet_new();

	if (!p)
		return SCREEN_PASS;
	p->tuple = *tuple;
	p->flags = PACKET_UPLINK;
	p->blame = ifindex;
	entry->family = 0;
	entry->denied_reason = 0;
	entry->verdict = screen_judge(ctx, p);
	__builtin_memcpy(entry->source, tuple->source, sizeof(entry->source));
	__builtin_memcpy(entry->destination, tuple->destination, sizeof(entry->destination));
	entry->serial = serial;
	entry->source_slot = p->source.generation_slot;
	entry->source_generation = p->source_generation;
	entry->destination_slot = p->destination.generation_slot;
	entry->destination_generation = p->destination_generation;
	entry->seen = now();
	if (!(p->flags & PACKET_FAULT))
		entry->family = tuple->family;
	return entry->verdict;
}

static __always_inline bool screened_holds(const struct screened *entry, const struct tuple *tuple,
					   __u16 serial)
{
	return entry->family == tuple->family && address_equal(entry->source, tuple->source) &&
	       address_equal(entry->destination, tuple->destination) && entry->serial == serial &&
	       now() - entry->seen < settings.hz &&
	       entry->source_generation == generation_read(entry->source_slot) &&
	       entry->destination_generation == generation_read(entry->destination_slot);
}

/* By the last word of both addresses, which differs most; golden ratio hashing. */
static __always_inline struct screened *screened_place(const struct tuple *tuple)
{
	__u32 last = tuple->family == 4 ? 0 : 3;
	__u32 mixed = tuple->source[last] * 0x9e3779b1 + tuple->destination[last];
	__u32 index = (mixed * 0x9e3779b1) >> (32 - SCREENED_BITS);

	return bpf_map_lookup_elem(&screened, &index);
}

/* enum screen_verdict, or a negative drop reason. */
static __always_inline int screen(void *ctx, __u32 ifindex, const struct tuple *tuple)
{
	__u32 zero = 0;
	__u16 serial;
	const struct screening *state = bpf_map_lookup_elem(&screening, &zero);
	struct screened *entry = screened_place(tuple);

	if (!state || !entry)
		return SCREEN_PASS;
	serial = *(volatile const __u32 *)&state->serial;
	if (screened_holds(entry, tuple, serial))
		return entry->verdict;
	return screen_fill(ctx, ifindex, tuple, entry, serial);
}

/* Drops are more than counted: they have events, or are overridden. */
static __always_inline bool drops_are_told(void)
{
	return settings.drop_action != DROP_DROP || settings.drop_events;
}

static __noinline bool screen_drop_told(__u32 ifindex, const struct arrival *a, __u32 length, __u32 reason)
{
	struct packet *p = packet_new();

	if (!p)
		return true;
	p->tuple = a->tuple;
	p->class = packet_class(&p->tuple);
	p->icmp_type = a->icmp_type;
	p->icmp_code = a->icmp_code;
	p->length = length;
	p->blame = ifindex;
	return !drop_overridden(p, reason);
}

/* False: DropActionOverride lets it pass. */
static __always_inline bool screen_drop(__u32 ifindex, const struct arrival *a, __u32 length, __u32 reason)
{
	if (drops_are_told())
		return screen_drop_told(ifindex, a, length, reason);
	drop_count(ifindex, reason, length);
	return true;
}

/*
 * False: the source has opened more flows than it may. Two CPUs may give the same one away; nobody is refused
 * for want of memory.
 */
static __noinline bool source_may_open(const struct tuple *tuple)
{
	__u32 limit = settings.source_limit, time = now(), elapsed, more;
	struct address6_key key = {};
	struct source_budget *budget;

	if (!limit)
		return true;
	if (tuple->family == 4) {
		key.address[10] = key.address[11] = 0xff;
		__builtin_memcpy(key.address + 12, tuple->source, 4);
	} else {
		__builtin_memcpy(key.address, tuple->source, sizeof(key.address));
	}
	budget = bpf_map_lookup_elem(&source, &key);
	if (!budget) {
		struct source_budget fresh = {.flows = limit - 1, .filled = time};

		bpf_map_update_elem(&source, &key, &fresh, BPF_ANY);
		return true;
	}
	elapsed = time - budget->filled;
	if (elapsed > settings.hz)
		elapsed = settings.hz;
	more = (__u64)elapsed * limit / settings.hz;
	if (more) {
		budget->flows = budget->flows + more < limit ? budget->flows + more : limit;
		budget->filled = time;
	}
	if (!budget->flows)
		return false;
	budget->flows--;
	return true;
}

#endif
