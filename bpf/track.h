/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a flow: opened when judged, continued while nothing changes, else judged again. */
#ifndef TRACK_H
#define TRACK_H

#include "context.h"
#include "flow_room.h"
#include "flow_table.h"
#include "judge.h"
#include "nat.h"

static __noinline void flow_delete(const struct tuple *tuple)
{
	struct flow4_key key4;
	struct flow6_key key6;

	if (tuple->family == 4) {
		flow4_key(tuple, tuple_direction(tuple), &key4);
		bpf_map_delete_elem(&flow4, &key4);
		return;
	}
	flow6_key(tuple, tuple_direction(tuple), &key6);
	bpf_map_delete_elem(&flow6, &key6);
}

/* How a packet continues to the flow's end `to`. */
static __always_inline int flow_outcome(struct packet *p, const struct flow *flow, const struct flow_end *to)
{
	if (p->to.ifindex)
		return PASS;
	/* As it was decided when the flow was opened, not as it would be now. */
	p->flags &= ~(PACKET_NAT_OUT | PACKET_TRANSLATE);
	if (flow->flags & FLOW_NAT_OUT)
		p->flags |= PACKET_NAT_OUT;
	nat_note(p, flow);
	if (flow->flags & FLOW_DIRECT) {
		if (!to->ifindex)
			return UPLINK;
	} else if (!to->ifindex || (flow->flags & FLOW_ROUTED) || (p->flags & PACKET_UPLINK)) {
		return ROUTE;
	}
	p->out_ifindex = to->ifindex;
	__builtin_memcpy(p->out_mac, to->mac, sizeof(p->out_mac));
	return PEER;
}

static __always_inline void end_fill(struct flow_end *end, const struct address *address, __u32 generation)
{
	__u32 slot = address->endpoint;
	const struct endpoint *local = NULL;

	end->generation_slot = address->generation_slot;
	end->generation = generation;
	if (address->flags & ADDRESS_LOCAL)
		local = bpf_map_lookup_elem(&endpoint, &slot);
	end->endpoint = local ? slot : 0;
	end->ifindex = local ? local->ifindex : 0;
	if (local)
		__builtin_memcpy(end->mac, local->mac, sizeof(end->mac));
}

static __always_inline void swap_words(__be32 *a, __be32 *b)
{
	for (int i = 0; i < 4; i++) {
		__be32 word = a[i];

		a[i] = b[i];
		b[i] = word;
	}
}

/* Turns a packet into one of the other direction, as far as policy looks at it. */
static __always_inline void packet_reverse(struct packet *p)
{
	__be16 port = p->tuple.source_port;

	p->tuple.source_port = p->tuple.destination_port;
	p->tuple.destination_port = port;
	swap_words(p->tuple.source, p->tuple.destination);
	if (p->flags & PACKET_PORTS) {
		p->source_port = bpf_ntohs(p->tuple.source_port);
		p->destination_port = bpf_ntohs(p->tuple.destination_port);
	}
}

/*
 * The slot of the flow's opener as it is now: after a restart, endpoints may have others than the flow
 * remembers. What it remembers of an interface proves the address (see flow_is_theirs()). An end that has
 * none, but an endpoint, is who has the address.
 */
static __noinline __u32 opener_slot(const struct tuple *tuple, const struct flow_end *opener)
{
	__u32 ifindex = opener->ifindex, slot = opener->endpoint;
	const struct interface *known;
	struct address owner;

	if (!slot)
		return 0;
	if (!ifindex)
		return address_find(tuple->family, tuple->source, &owner) > 0 && (owner.flags & ADDRESS_LOCAL)
			       ? owner.endpoint
			       : slot;
	known = bpf_map_lookup_elem(&interface, &ifindex);
	return known ? known->endpoint : slot;
}

/* Judges the flow's opening packet again, whichever direction the packet at hand has. */
static __always_inline int flow_recheck(struct packet *p, struct flow *flow, __u32 dir)
{
	struct attachment from = p->from, to = p->to;
	__u32 opener = flow->flags & FLOW_OPENER;
	__u8 icmp_type = p->icmp_type, icmp_code = p->icmp_code;
	__u16 flags = p->flags;
	bool undecided;
	int r;

	if (dir != opener)
		packet_reverse(p);
	p->icmp_type = icmp_asked(&p->tuple);
	p->icmp_code = flow_icmp_code(flow);
	p->from.endpoint = opener_slot(&p->tuple, &flow->end[opener]);
	p->to.endpoint = 0;
	p->flags &= ~(PACKET_FROM_HOST | PACKET_BAD_MAC);
	if (flow->flags & FLOW_FROM_HOST)
		p->flags |= PACKET_FROM_HOST;
	r = judge(p);
	/* While it was judged, it may have gone. */
	if (!r && flow_still(&p->tuple, flow)) {
		end_fill(&flow->end[opener], &p->source, p->source_generation);
		end_fill(&flow->end[!opener], &p->destination, p->destination_generation);
	}
	if (dir != opener)
		packet_reverse(p);
	p->icmp_type = icmp_type;
	p->icmp_code = icmp_code;
	p->from = from;
	p->to = to;
	undecided = (p->flags & PACKET_ON_HOLD) || r == -DROP_REASON_INTERNAL;
	p->flags = flags;
	if (!r)
		return 0;
	/* This packet is lost, but the flow may be allowed in a moment. */
	if (!undecided)
		flow_delete(&p->tuple);
	return -DROP_REASON_REVOKED;
}

/* State that follows from a packet that belongs to the flow. */
static __always_inline void flow_update(struct packet *p, struct flow *flow, __u32 dir)
{
	__u32 flags = flow->flags, set = 0, clear = 0, time = now();
	bool opener = dir == (flags & FLOW_OPENER);

	if (!opener)
		set |= FLOW_REPLIED;
	if (p->tuple.protocol != PROTOCOL_TCP) {
		if (!opener)
			set |= FLOW_ESTABLISHED;
	} else if (p->tcp_flags & TCP_RST) {
		set |= FLOW_RST << dir;
	} else {
		/* Who reset a connection says nothing more in it: that RST was forged. */
		clear |= FLOW_RST << dir;
		if (p->tcp_flags & TCP_FIN)
			set |= FLOW_FIN << dir;
		if (opener && (p->tcp_flags & TCP_ACK) && (flags & FLOW_REPLIED))
			set |= FLOW_ESTABLISHED;
	}
	/* The fast path lets the first packet after a quarter of a second come here. */
	if ((flags & FLOW_REPLIED) && (__s32)(time - flow->seen) > (__s32)(settings.hz / 4))
		set |= FLOW_STREAM;
	if (set & ~flags)
		__sync_fetch_and_or(&flow->flags, set);
	if (clear & flags)
		__sync_fetch_and_and(&flow->flags, ~clear);
	/* Learns the MAC of an endpoint that may have any; the stage before has refused wrong ones. */
	if (p->from.ifindex && !p->to.ifindex && !mac_equal(flow->end[dir].mac, p->source_mac))
		__builtin_memcpy(flow->end[dir].mac, p->source_mac, sizeof(p->source_mac));
	flow->seen = time;
}

/* The same for both entries of a translated flow. 0, or a drop reason if the second is not its any more. */
static __always_inline int flow_advance(struct packet *p, struct flow *flow, __u32 dir)
{
	flow_update(p, flow, dir & 1);
	if (!(flow->flags & FLOW_TRANSLATED) ||
	    nat_refresh(&p->tuple, dir == (flow->flags & FLOW_OPENER), flow))
		return 0;
	flow_delete(&p->tuple);
	return -DROP_REASON_NAT_LOST;
}

/*
 * An end's interface is the proof of its address: it was checked when the flow was opened. Only the host's
 * NAT makes an endpoint's packet, approved when it came, appear under an address elsewhere.
 */
static __always_inline bool flow_is_theirs(const struct packet *p, const struct flow_end *from,
					   const struct flow_end *to)
{
	if (!p->to.ifindex)
		return from->ifindex == p->from.ifindex;
	return to->ifindex == p->to.ifindex && (!from->ifindex || from->ifindex == p->from.ifindex);
}

/*
 * A new attempt, the other end's own, or another question in the same words: it needs its own permission, and
 * proves nothing. A later fragment has neither code nor type.
 */
static __always_inline bool asks_anew(const struct packet *p, const struct flow *flow)
{
	if (p->class != CLASS_ICMP)
		return p->asks;
	return p->icmp_code != flow_icmp_code(flow) && !(p->flags & PACKET_LATER_FRAGMENT) &&
	       p->icmp_type == icmp_question(p->tuple.family, p->icmp_type);
}

/*
 * A packet of a known flow. 0: there is none that it may continue, so it has to open one. A packet that is
 * not from the flow's end is forged, or comes after an endpoint has moved; judging it anew tells which.
 */
__noinline int flow_continue(struct packet *p)
{
	struct flow_end *from, *to;
	struct flow *flow;
	__u32 dir;
	int r;

	if (!p)
		return -DROP_REASON_INTERNAL;
	if (p->flags & PACKET_STATELESS)
		return 0;
	flow = flow_find(&p->tuple, &dir);
	if (!flow)
		return 0;
	p->flags |= PACKET_REPLACE_FLOW;
	if (flow_expired(p->tuple.protocol, flow, now()))
		return 0;
	if (!flow_current(flow)) {
		r = flow_recheck(p, flow, dir);
		if (r)
			return r;
	}
	from = &flow->end[dir & 1];
	to = &flow->end[!dir];
	if (!flow_is_theirs(p, from, to) || !flow_still(&p->tuple, flow))
		return 0;
	if (p->flags & PACKET_BAD_MAC)
		return -DROP_REASON_SPOOFED_MAC;
	if (asks_anew(p, flow)) {
		if (flow_closing(flow->flags))
			return 0;
		r = judge(p);
		if (r)
			return r;
	} else {
		r = flow_advance(p, flow, dir);
		if (r)
			return r;
	}
	r = flow_outcome(p, flow, to);
	return flow_still(&p->tuple, flow) ? r : 0;
}

/* What Linux's conntrack calls INVALID when it belongs to no flow cannot open one. */
static __always_inline bool can_open(const struct packet *p)
{
	if (p->tuple.protocol == PROTOCOL_TCP)
		return !(p->tcp_flags & (TCP_RST | TCP_FIN)) &&
		       (p->tcp_flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK);
	if (p->class != CLASS_ICMP)
		return true;
	return (p->flags & PACKET_STATELESS) || p->icmp_type == icmp_question(p->tuple.family, p->icmp_type);
}

static __always_inline int flow_create(struct packet *p, struct flow *flow)
{
	int r = flow_insert(p, flow, p->flags & PACKET_REPLACE_FLOW ? BPF_ANY : BPF_NOEXIST);

	if (r == -EEXIST) /* opened by a packet on another CPU meanwhile, and judged there */
		return 0;
	return r ? -DROP_REASON_FLOW_TABLE_FULL : 0;
}

/*
 * Two first packets at once may have decided differently about the translation: what is in the table counts.
 * `created` is what flow_create() returned; so is the result, unless the flow is gone already.
 */
__noinline int nat_settle(const struct packet *p, struct flow *flow, int created)
{
	const struct flow *kept;
	__u32 dir;

	if (!p || !flow)
		return -DROP_REASON_INTERNAL;
	kept = flow_find(&p->tuple, &dir);
	if (kept && kept->nat_port == flow->nat_port)
		return created;
	if (flow->flags & FLOW_TRANSLATED)
		nat_release(&p->tuple, flow);
	if (kept)
		*flow = *kept;
	return created || (kept && flow_still(&p->tuple, kept)) ? created : -DROP_REASON_NAT_LOST;
}

/* A datagram without an answer does not need one. */
static __always_inline bool needs_no_flow(const struct packet *p)
{
	return p->tuple.protocol != PROTOCOL_TCP;
}

/* There is no room for the flow, nor for the port that it would have been translated to: the kernel does it.
 */
static __always_inline int flow_spare(struct flow *flow)
{
	if (flow->flags & FLOW_TRANSLATED)
		flow->flags = (flow->flags & ~FLOW_TRANSLATED) | FLOW_NAT_OUT;
	return 0;
}

/* A packet that continues no flow: judged, and if allowed the flow is known from now on. */
__noinline int flow_open(struct __sk_buff *skb, struct packet *p)
{
	/* Not by p, from which kernel 6.1 lets no map take a value: see nat_probe(). */
	struct packet *own = packet_at_hand();
	struct flow *flow;
	__u32 dir;
	int r;

	if (!p || !own)
		return -DROP_REASON_INTERNAL;
	flow = &own->opened;
	__builtin_memset(flow, 0, sizeof(*flow));
	if (p->flags & PACKET_LATER_FRAGMENT)
		return -DROP_REASON_FRAGMENT_ORPHAN;
	if (!can_open(p))
		return -DROP_REASON_FLOW_INVALID;
	r = judge(p);
	if (r)
		return r;
	if ((p->flags & PACKET_FROM_HOST) && !p->host &&
	    (!(p->destination.flags & ADDRESS_LOCAL) || (p->source.flags & ADDRESS_LOCAL)))
		return PASS;
	if (is_tunnel_from_host(p))
		p->flags |= PACKET_STATELESS;
	dir = tuple_direction(&p->tuple);
	end_fill(&flow->end[dir & 1], &p->source, p->source_generation);
	end_fill(&flow->end[!dir], &p->destination, p->destination_generation);
	flow->seen = now();
	flow->flags = dir;
	flow->nat_port = p->icmp_code; /* see flow_icmp_code() */
	if (p->flags & PACKET_FROM_HOST)
		flow->flags |= FLOW_FROM_HOST;
	if (p->to.ifindex && p->from.ifindex)
		flow->flags |= FLOW_ROUTED;
	if (p->flags & PACKET_UPLINK)
		flow->flags |= FLOW_DIRECT;
	if (p->host)
		flow->flags |= FLOW_HOST;
	if (p->flags & PACKET_NAT_OUT)
		flow->flags |= nat_open(skb, p, flow) ? FLOW_TRANSLATED : FLOW_NAT_OUT;
	if (!(p->flags & PACKET_STATELESS)) {
		r = flow_create(p, flow);
		if (settings.nat_ports && (p->flags & PACKET_NAT_OUT))
			r = nat_settle(p, flow, r);
		if (r == -DROP_REASON_FLOW_TABLE_FULL && needs_no_flow(p))
			r = flow_spare(flow);
		if (r)
			return r;
	}
	return flow_outcome(p, flow, &flow->end[!dir]);
}

#endif
