/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which flows are translated, and to what. TCP and UDP that leave a pool with nat-outgoing by an uplink get
 * its address and a port of the reserved range, for as long as the flow lives. The entry in flow4 says so;
 * its twin in nat4 holds the port, under the tuple that others see. All else is the kernel's: protocols
 * without ports, the identifiers of pings (the host's own use any), and flows that find no port.
 */
#ifndef NAT_H
#define NAT_H

#include "context.h"
#include "flow_table.h"
#include "forward.h"
#include "parse.h"

/* At random, so that ports cannot be guessed: with nine of ten taken, 4 of 5 flows find one. */
#define NAT_PROBES 16

static __always_inline bool is_nat_port(__u16 port)
{
	return (__u16)(port - settings.nat_port_first) < settings.nat_ports;
}

static __always_inline bool is_nat_protocol(__u8 protocol)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP;
}

static __always_inline __be32 nat_address(const struct uplink *up)
{
	__be32 address;

	__builtin_memcpy(&address, up->address, sizeof(address));
	return address;
}

/* Whether the uplink still has the address; of several it is not known. */
static __always_inline bool nat_has_address(const struct uplink *up, __be32 address)
{
	return !nat_address(up) || nat_address(up) == address;
}

static __always_inline bool nat_leaves_by(__u32 ifindex, __be32 address)
{
	const struct uplink *up = bpf_map_lookup_elem(&uplink, &ifindex);

	return up && nat_has_address(up, address);
}

/* What others see of a packet from the flow's opener, if `out`, else of one to it. The result is as from it.
 */
static __always_inline void nat_outside(const struct tuple *inside, bool out, const struct flow *flow,
					struct tuple *ret)
{
	__builtin_memset(ret, 0, sizeof(*ret));
	__builtin_memcpy(ret->source, flow->nat_address, sizeof(flow->nat_address));
	ret->source_port = bpf_htons(flow->nat_port);
	ret->destination[0] = out ? inside->destination[0] : inside->source[0];
	ret->destination_port = out ? inside->destination_port : inside->source_port;
	ret->protocol = inside->protocol;
	ret->family = 4;
}

/*
 * What changes in the twin while the flow lives. Only a flow in its quietest state lets its answers take the
 * fast path.
 */
static __always_inline void nat_copy(struct flow *twin, const struct flow *flow, __u32 dir)
{
	__u32 opener = flow->flags & FLOW_OPENER;
	__u32 flags = dir | FLOW_TRANSLATED | (flow->flags & FLOW_DIRECT);

	if (!(flow->flags & (FLOW_RST | FLOW_RST << 1)))
		flags |= flow->flags & FLOW_ESTABLISHED;
	twin->end[dir & 1] = flow->end[opener];
	twin->end[!dir] = flow->end[!opener];
	twin->flags = flags;
	twin->seen = flow->seen;
}

/* Of two flows that want a port to the same end, one gets it. */
static __always_inline int nat_insert(const struct flow4_key *key, struct flow *twin)
{
	twin->check = twin->check_behind = flow_sum((const __u32 *)key, FLOW4_WORDS);
	return bpf_map_update_elem(&nat4, key, twin, BPF_NOEXIST);
}

/*
 * One attempt to take a port for the flow of which the packet at hand is the first. Global: verified once,
 * not for each attempt. It looks the packet up by itself, since kernel 6.1 lets no map take a value from what
 * a global function is given.
 */
__noinline int nat_probe(struct flow *flow)
{
	struct packet *p = packet_at_hand();
	struct flow4_key key;
	struct tuple outside;
	__u32 dir;

	if (!p || !flow)
		return -1;
	__builtin_memset(&p->twin, 0, sizeof(p->twin));
	__builtin_memcpy(p->twin.nat_address, p->tuple.source, sizeof(p->twin.nat_address));
	p->twin.nat_port = bpf_ntohs(p->tuple.source_port);
	flow->nat_port =
		settings.nat_port_first + (__u16)((__u64)bpf_get_prandom_u32() * settings.nat_ports >> 32);
	nat_outside(&p->tuple, true, flow, &outside);
	dir = tuple_direction(&outside);
	nat_copy(&p->twin, flow, dir);
	flow4_key(&outside, dir, &key);
	return nat_insert(&key, &p->twin);
}

/* Gives a new flow a port of the uplink's address. */
static __always_inline bool nat_reserve(struct flow *flow, const struct uplink *up)
{
	int r = -EEXIST;

	if (!nat_address(up))
		return false;
	__builtin_memcpy(flow->nat_address, up->address, sizeof(flow->nat_address));
	for (int i = 0; i < NAT_PROBES && r == -EEXIST; i++)
		r = nat_probe(flow);
	return !r;
}

/* Whether the programs translate a new flow that needs it, decided once and for all. */
__noinline int nat_open(struct __sk_buff *skb, const struct packet *p, struct flow *flow)
{
	struct bpf_fib_lookup route = {
		.family = AF_INET, .tot_len = sizeof(struct iphdr), /* only where, not whether at once */
	};
	const struct uplink *up;
	__u32 ifindex;

	if (!p || !flow || !settings.nat_ports || p->to.ifindex || !is_nat_protocol(p->tuple.protocol))
		return false;
	route.l4_protocol = p->tuple.protocol;
	route.sport = p->tuple.source_port;
	route.dport = p->tuple.destination_port;
	route.ipv4_src = p->tuple.source[0];
	route.ipv4_dst = p->tuple.destination[0];
	if (uplink_find(skb, &route) == UPLINK_NONE)
		return false;
	ifindex = route.ifindex;
	up = bpf_map_lookup_elem(&uplink, &ifindex);
	return up && nat_reserve(flow, up);
}

static __noinline void nat_release(const struct tuple *inside, const struct flow *flow)
{
	struct flow4_key key;
	struct tuple outside;

	nat_outside(inside, true, flow, &outside);
	flow4_key(&outside, tuple_direction(&outside), &key);
	bpf_map_delete_elem(&nat4, &key);
}

/*
 * A packet of a translated flow has passed: its twin follows. False: the port is not the flow's any more.
 * That is so after a change of the range, or when the twin was lost and somebody else has taken the port.
 */
static __noinline bool nat_refresh(const struct tuple *inside, bool out, const struct flow *flow)
{
	__be32 address = out ? inside->source[0] : inside->destination[0];
	__be16 port = out ? inside->source_port : inside->destination_port;
	struct flow4_key key;
	struct tuple outside;
	struct flow *twin, new = {};
	__u32 dir;

	nat_outside(inside, out, flow, &outside);
	dir = tuple_direction(&outside);
	flow4_key(&outside, dir, &key);
	nat_copy(&new, flow, dir);
	/* Another flow's by now: whoever has the packet finds that out, too. */
	if (!flow_still(inside, flow))
		return true;
	if (!is_nat_port(bpf_ntohs(outside.source_port)))
		return false;
	twin = bpf_map_lookup_elem(&nat4, &key);
	if (!twin) {
		__builtin_memcpy(new.nat_address, &address, sizeof(address));
		new.nat_port = bpf_ntohs(port);
		return !nat_insert(&key, &new);
	}
	if (!nat_is(twin, &address, port) || !flow_is_of(twin, flow_sum((const __u32 *)&key, FLOW4_WORDS)))
		return false;
	twin->end[0] = new.end[0];
	twin->end[1] = new.end[1];
	twin->flags = new.flags;
	twin->seen = new.seen;
	return true;
}

static __always_inline void end_replace(struct tuple *tuple, bool source, __be32 address, __be16 port)
{
	if (source) {
		tuple->source[0] = address;
		tuple->source_port = port;
	} else {
		tuple->destination[0] = address;
		tuple->destination_port = port;
	}
}

/*
 * Replaces what others see by the endpoint's own address and port: at the source of a tuple, or at its
 * destination. False: it belongs to no flow that is translated, and stays as it is.
 */
__noinline int nat_inside(struct packet *p, struct tuple *tuple, bool at_source)
{
	const struct flow *twin, *flow;
	struct flow4_key key;
	__be32 address, inside;
	__be16 port;
	__u32 dir;

	if (!p || !tuple)
		return false;
	port = at_source ? tuple->source_port : tuple->destination_port;
	address = at_source ? tuple->source[0] : tuple->destination[0];
	if (tuple->family != 4 || !is_nat_port(bpf_ntohs(port)) || !is_nat_protocol(tuple->protocol))
		return false;
	dir = tuple_direction(tuple);
	flow4_key(tuple, dir, &key);
	twin = bpf_map_lookup_elem(&nat4, &key);
	if (!twin || (twin->flags & FLOW_OPENER) != (at_source ? dir : !dir))
		return false;
	__builtin_memcpy(&inside, twin->nat_address, sizeof(inside));
	end_replace(tuple, at_source, inside, bpf_htons(twin->nat_port));
	/* Whatever the twin says, it needs this flow's consent. */
	flow = flow_find(tuple, &dir);
	if (flow && nat_is(flow, &address, port)) {
		p->blame = flow->end[flow->flags & FLOW_OPENER].ifindex;
		if (flow_still(tuple, flow))
			return true;
	}
	end_replace(tuple, at_source, address, port);
	return false;
}

/* What the flow is translated to: its address, and in the upper half its port, in network order. 0: it is
 * not. */
static __always_inline __u64 nat_read(const struct flow *flow)
{
	__be32 address;

	if (!(flow->flags & FLOW_TRANSLATED))
		return 0;
	__builtin_memcpy(&address, flow->nat_address, sizeof(address));
	return address | (__u64)bpf_htons(flow->nat_port) << 32;
}

/* Takes over from the flow how its packets are translated. */
static __always_inline void nat_note(struct packet *p, const struct flow *flow)
{
	if (!(flow->flags & FLOW_TRANSLATED))
		return;
	p->flags |= PACKET_TRANSLATE;
	p->nat_port = bpf_htons(flow->nat_port);
	__builtin_memcpy(&p->nat_address, flow->nat_address, sizeof(p->nat_address));
}

#endif
