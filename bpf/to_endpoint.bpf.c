/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets that reach an endpoint through the host's stack: TC egress of the host side of its veth. They come
 * from the host itself, from other hosts, or from endpoints here whose packets the stack had to handle.
 */
#include "fast.h"
#include "container.h"
#include "fragment.h"
#include "icmp.h"
#include "track.h"
#include "verdict.h"

/* The slot of an interface, or 0. */
static __always_inline __u32 endpoint_slot(__u32 ifindex)
{
	const struct interface *known = bpf_map_lookup_elem(&interface, &ifindex);

	return known ? known->endpoint : 0;
}

/* Whom the packet reaches. The host itself may reach anybody, so as to hand out addresses for example. */
static __always_inline int receiver_find(struct __sk_buff *skb, struct packet *p)
{
	__u32 slot = endpoint_slot(skb->ifindex);
	const struct endpoint *receiver = bpf_map_lookup_elem(&endpoint, &slot);

	p->blame = skb->ifindex;
	if (!skb->ingress_ifindex)
		p->flags |= PACKET_FROM_HOST;
	if (!slot || !receiver || receiver->ifindex != skb->ifindex)
		return -DROP_REASON_UNKNOWN_INTERFACE;
	if (receiver->state != ENDPOINT_ACTIVE)
		return -DROP_REASON_ENDPOINT_INACTIVE;
	p->to.ifindex = skb->ifindex;
	p->to.endpoint = slot;
	return 0;
}

/* Which endpoint sends it, if one does. The mark alone proves nothing: its flow or its policy must agree. */
static __always_inline int sender_find(struct __sk_buff *skb, struct packet *p)
{
	__u32 slot = endpoint_slot(skb->ingress_ifindex);

	if (!slot)
		return 0;
	if (!is_approved(skb))
		return -DROP_REASON_UNAPPROVED;
	p->from.ifindex = skb->ingress_ifindex;
	p->from.endpoint = slot;
	return 0;
}

/* What from_endpoint itself answered in the host's name; ARP does not come from anywhere else. */
static __always_inline int answer_find(struct __sk_buff *skb, const struct packet *p)
{
	if (!p->tuple.family)
		return PASS;
	return p->from.ifindex && p->from.ifindex == p->to.ifindex && p->tuple.protocol == PROTOCOL_ICMPV6 &&
			       p->icmp_type == ICMPV6_NEIGHBOUR_ADVERTISEMENT
		       ? PASS
		       : 0;
}

static __always_inline int finish(const struct packet *p, int result)
{
	/* Host to endpoint is no matter of policy; the stages only look for what the answers must find. */
	if (result < 0 && (p->flags & PACKET_FROM_HOST))
		return TC_ACT_OK;
	if (result < 0)
		return drop_overridden(p, -result) ? TC_ACT_OK : TC_ACT_SHOT;
	if (p->flags & PACKET_FIRST_FRAGMENT)
		fragment_record(p);
	return TC_ACT_OK;
}

__noinline int to_endpoint_slow(struct __sk_buff *skb)
{
	struct packet *p = packet_new();
	int r, parsed;

	if (!p)
		return TC_ACT_SHOT;
	parsed = packet_parse(skb, p);
	r = receiver_find(skb, p);
	if (!r)
		r = parsed;
	if (!r)
		r = sender_find(skb, p);
	if (!r)
		r = answer_find(skb, p);
	if (!r)
		r = sender_resolve(p);
	if (!r)
		r = fragment_resolve(p);
	if (!r)
		r = icmp_error(skb, p);
	if (!r)
		r = flow_continue(p);
	if (!r)
		r = flow_open(skb, p);
	return finish(p, r);
}

SEC("tc")
int to_endpoint(struct __sk_buff *skb)
{
	int action = fast_path(skb, TO_ENDPOINT);

	return action == SLOW ? to_endpoint_slow(skb) : action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
