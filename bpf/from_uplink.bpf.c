/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets from other hosts: TC ingress of an uplink. Those for the own address of an endpoint here are judged
 * and delivered past the host's stack. All others are the stack's: the host's own, those that its NAT has to
 * see (they carry the host's address, or belong to a flow that its NAT changed), fragments, and what is
 * malformed. Whatever of it the stack forwards to an endpoint is judged by to_endpoint. What belongs to a
 * flow that the programs translate carries the host's address too, but is the endpoint's. Where the interface
 * has a host endpoint, the host's own packets are judged by that.
 */
#include "fast.h"
#include "fragment.h"
#include "host.h"
#include "icmp.h"
#include "rewrite.h"
#include "screen.h"
#include "track.h"
#include "uplink.h"
#include "verdict.h"

/* 0: the packet may be judged here; else an outcome. */
static __noinline int own_flow(struct packet *p)
{
	struct flow *flow;
	__u32 dir;

	if (p->flags & PACKET_STATELESS)
		return 0;
	flow = flow_find(&p->tuple, &dir);
	if (!flow || (flow->flags & FLOW_DIRECT) || flow_expired(p->tuple.protocol, flow, now()))
		return 0;
	/* Nobody else sees this direction of a flow that the host's NAT changes. */
	if (!flow->end[!dir].ifindex)
		flow_update(p, flow, dir & 1);
	nat_note(p, flow);
	return flow_still(&p->tuple, flow) ? PASS : 0;
}

static __always_inline int finish(struct __sk_buff *skb, struct packet *p, int result)
{
	if (result < 0)
		return drop_overridden(p, -result) ? TC_ACT_OK : TC_ACT_SHOT;
	return result == PEER ? forward_peer(skb, p) : TC_ACT_OK;
}

/* Here, and not by XDP before. */
static __noinline bool screens_here(struct __sk_buff *skb)
{
	__u32 zero = 0, ifindex = skb->ifindex;
	const struct screening *state = bpf_map_lookup_elem(&screening, &zero);
	const struct uplink *known;

	if (!state || !state->by_tc)
		return false;
	known = bpf_map_lookup_elem(&uplink, &ifindex);
	return known && !known->xdp;
}

static __noinline bool source_refused(struct __sk_buff *skb, struct packet *p)
{
	if (!can_open(p) || !screens_here(skb) || source_may_open(&p->tuple))
		return false;
	p->blame = skb->ifindex;
	return true;
}

static __always_inline int judge_arrival(struct __sk_buff *skb, struct packet *p)
{
	int r;

	if (p->flags & (PACKET_FIRST_FRAGMENT | PACKET_LATER_FRAGMENT))
		return PASS;
	r = icmp_error(skb, p);
	if (r)
		return r < 0 ? PASS : r;
	r = own_flow(p);
	if (!r)
		r = flow_continue(p);
	if (!r && source_refused(skb, p))
		r = -DROP_REASON_FLOOD;
	if (!r)
		r = flow_open(skb, p);
	return r;
}

/* An answer to an endpoint that others know by the host's address. 0: it is none, so the host's. */
static __always_inline int judge_answer(struct __sk_buff *skb, struct packet *p)
{
	int r;

	/* Later fragments that overtake their first are lost: the host's stack does not know whose they are.
	 */
	if (fragment_resolve(p))
		return 0;
	r = icmp_error(skb, p);
	if (r)
		return r < 0 ? 0 : r;
	if ((p->flags & PACKET_FIRST_FRAGMENT) && is_nat_port(p->destination_port))
		fragment_record(p);
	if (!nat_inside(p, &p->tuple, false))
		return 0;
	packet_classify(p);
	r = own_flow(p);
	return r ? r : flow_continue(p);
}

/* OF_HOST: it belongs to no flow that is translated. */
__noinline int from_uplink_answer(struct __sk_buff *skb)
{
	struct packet *p = packet_new();
	int r;

	if (!p)
		return TC_ACT_SHOT;
	p->flags = PACKET_UPLINK;
	if (packet_parse(skb, p))
		return OF_HOST;
	r = judge_answer(skb, p);
	if (!r || (r > 0 && !(p->flags & PACKET_TRANSLATE)))
		return OF_HOST;
	/* The stack would tell the sender, and about an address that it does not know. */
	if (r > 0 && p->hops <= 1)
		r = -DROP_REASON_TTL;
	if (r > 0)
		r = rewrite_destination(skb, p) ?: r;
	return finish(skb, p, r);
}

/* OF_HOST: it carries no endpoint's address. */
__noinline int from_uplink_endpoint(struct __sk_buff *skb)
{
	__u32 slots = uplink_slots(skb);
	struct packet *p;
	int r;

	if (!slots)
		return OF_HOST;
	if (!is_uplink(skb))
		return TC_ACT_OK;
	p = packet_new();
	if (!p)
		return TC_ACT_SHOT;
	p->flags = PACKET_UPLINK;
	r = packet_parse(skb, p);
	if (SOURCE_SLOT(slots)) {
		p->blame = skb->ifindex;
		return finish(skb, p, -DROP_REASON_MARTIAN);
	}
	p->blame = endpoint_interface(DESTINATION_SLOT(slots));
	return finish(skb, p, r ? PASS : judge_arrival(skb, p));
}

/* Longest header that arrival_read() looks at. */
#define ARRIVAL_LENGTH (ETH_LENGTH + sizeof(struct ipv6hdr) + TCP_LENGTH)

/* Screens in XDP's stead, ahead of the fast path: who is blocked loses the connections that he has. */
static __noinline bool arrival_refused(struct __sk_buff *skb)
{
	struct arrival a = {};
	int r;

	if (skb->vlan_present)
		return false;
	if (skb->data_end - skb->data < ARRIVAL_LENGTH)
		bpf_skb_pull_data(skb, skb->len < ARRIVAL_LENGTH ? skb->len : ARRIVAL_LENGTH);
	if (!arrival_read(&a, (void *)(long)skb->data, (void *)(long)skb->data_end))
		return false;
	r = screen(skb, skb->ifindex, &a.tuple);
	return r < 0 && screen_drop(skb->ifindex, &a, skb->len, -r);
}

SEC("tc")
int from_uplink(struct __sk_buff *skb)
{
	int action;

	if (screens_here(skb) && arrival_refused(skb))
		return TC_ACT_SHOT;
	action = fast_path(skb, FROM_UPLINK);
	if (action == SLOW)
		action = from_uplink_endpoint(skb);
	if (action == OF_HOST && settings.nat_ports)
		action = from_uplink_answer(skb);
	/* From here, since calls go eight deep only. */
	if (action == OF_HOST)
		action = settings.host_endpoints ? host_arrive(skb) : TC_ACT_OK;
	return action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
