/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets to other hosts: TC egress of an uplink. What carries the address of an endpoint here must have been
 * approved, whatever happened to the programs on its interface. This is also where it shows what the host's
 * NAT does with a flow: one whose packets come out of the stack as they went in need not pass it again. Those
 * of flows that the programs translate are translated here when they come through the stack. Where the
 * interface has a host endpoint, the host's own packets are judged by that.
 */
#include "fast.h"
#include "fragment.h"
#include "host.h"
#include "icmp.h"
#include "rewrite.h"
#include "track.h"
#include "uplink.h"
#include "verdict.h"

/*
 * The host's NAT has given an approved packet another destination. The answers come from there, and must go
 * back through the stack: they are known by a flow of their own. It lets nobody send: it has no interface.
 */
static __always_inline int alias_open(struct packet *p, const struct uplink *up)
{
	struct flow flow = {};
	__u32 dir = tuple_direction(&p->tuple);
	int r;

	packet_identify(p);
	flow.end[dir & 1].endpoint = p->source.endpoint;
	flow.end[dir & 1].generation_slot = p->source.generation_slot;
	flow.end[dir & 1].generation = p->source_generation;
	flow.end[!dir].generation_slot = p->destination.generation_slot;
	flow.end[!dir].generation = p->destination_generation;
	flow.flags = dir | FLOW_ROUTED;
	flow.nat_port = p->icmp_code; /* see flow_icmp_code() */
	flow.seen = now();
	/* What the kernel has not translated by now it does not translate any more. */
	if (settings.nat_ports && nat_is_wanted(p)) {
		if (!up || !is_nat_protocol(p->tuple.protocol) || !nat_reserve(&flow, up))
			return -DROP_REASON_NAT_LOST;
		flow.flags |= FLOW_TRANSLATED;
	}
	r = flow_create(p, &flow);
	if (flow.flags & FLOW_TRANSLATED)
		r = nat_settle(p, &flow, r);
	else if (r == -DROP_REASON_FLOW_TABLE_FULL && needs_no_flow(p))
		r = 0;
	nat_note(p, &flow);
	return r;
}

/* An approved flow. */
static __always_inline int flow_leave(struct packet *p, struct flow *flow, __u32 dir, bool approved)
{
	int r = 0;

	if (flow->flags & FLOW_ROUTED)
		r = flow_advance(p, flow, dir);
	else if (approved && !(flow->flags & (FLOW_DIRECT | FLOW_NAT_OUT)))
		__sync_fetch_and_or(&flow->flags, FLOW_DIRECT);
	nat_note(p, flow);
	return r;
}

/* By its interface, since its slot may have been another one before a restart. The end of an alias has none.
 */
static __always_inline bool is_sender(const struct flow *flow, const struct flow_end *end, __u32 ifindex)
{
	return end->endpoint && !(flow->flags & FLOW_HOST) && (!end->ifindex || end->ifindex == ifindex);
}

/* 0 or a negative drop reason. approved: from_endpoint let it pass on the interface of its source's endpoint.
 */
static __noinline int judge_departure(struct packet *p, const struct uplink *up, bool approved)
{
	struct flow *flow;
	__u32 dir;
	int r;

	if (!(p->flags & PACKET_STATELESS) && !fragment_resolve(p)) {
		flow = flow_find(&p->tuple, &dir);
		if (flow && is_sender(flow, &flow->end[dir & 1], p->blame)) {
			r = flow_leave(p, flow, dir, approved);
			return r || flow_still(&p->tuple, flow) ? r : -DROP_REASON_UNAPPROVED;
		}
		if (approved && !flow && !(p->flags & PACKET_LATER_FRAGMENT))
			return alias_open(p, up);
	}
	return approved ? 0 : -DROP_REASON_UNAPPROVED;
}

/* The slot of the endpoint whose interface the packet came by, or 0. */
static __always_inline __u32 ingress_slot(const struct __sk_buff *skb)
{
	__u32 ifindex = skb->ingress_ifindex;
	const struct interface *known = bpf_map_lookup_elem(&interface, &ifindex);

	return known ? known->endpoint : 0;
}

__noinline int to_uplink_slow(struct __sk_buff *skb)
{
	__u32 slot = SOURCE_SLOT(uplink_slots(skb)), ifindex = skb->ifindex;
	const struct uplink *up;
	struct packet *p;
	bool approved;
	int r;

	if (!slot)
		return settings.host_endpoints ? OF_HOST : TC_ACT_OK;
	if (!is_uplink(skb))
		return TC_ACT_OK;
	p = packet_new();
	if (!p)
		return TC_ACT_SHOT;
	up = bpf_map_lookup_elem(&uplink, &ifindex);
	r = packet_parse(skb, p);
	p->blame = endpoint_interface(slot);
	approved = is_approved(skb) &&
		   (p->blame == skb->ingress_ifindex || is_one_container(slot, ingress_slot(skb)));
	if (r)
		r = approved ? 0 : -DROP_REASON_UNAPPROVED;
	else
		r = judge_departure(p, up, approved);
	if (!r && (p->flags & PACKET_TRANSLATE)) {
		if (p->flags & PACKET_FIRST_FRAGMENT)
			fragment_record(p);
		r = rewrite_source(skb, p, up);
	}
	return r < 0 && !drop_overridden(p, -r) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc")
int to_uplink(struct __sk_buff *skb)
{
	int action = fast_path(skb, TO_UPLINK);

	if (action == SLOW)
		action = to_uplink_slow(skb);
	/* From here, since calls go eight deep only. */
	return settings.host_endpoints && action == OF_HOST ? host_leave(skb) : action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
