/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets that an endpoint sends: TC ingress of the host side of its veth. Both ends' policies are decided
 * here, since a packet for another endpoint of this host skips every later hook.
 */
#include "fast.h"
#include "arp.h"
#include "container.h"
#include "fragment.h"
#include "icmp.h"
#include "neighbour.h"
#include "rewrite.h"
#include "track.h"
#include "verdict.h"

/* Whose packet it is. */
static __always_inline void sender_find(struct __sk_buff *skb, struct packet *p)
{
	__u32 ifindex = skb->ifindex;
	const struct interface *known = bpf_map_lookup_elem(&interface, &ifindex);
	const struct endpoint *sender;
	__u32 slot;

	p->blame = ifindex;
	p->from.ifindex = ifindex;
	if (!known)
		return;
	slot = known->endpoint;
	sender = bpf_map_lookup_elem(&endpoint, &slot);
	if (!sender || sender->state == ENDPOINT_NONE || sender->ifindex != ifindex)
		return;
	p->from.endpoint = slot;
	if (sender->state == ENDPOINT_ACTIVE)
		p->flags |= PACKET_ACTIVE;
	if ((sender->flags & ENDPOINT_CHECK_MAC) && !mac_equal(sender->mac, p->source_mac))
		p->flags |= PACKET_BAD_MAC;
}

/* Length of the IP packet, or of each of the packets that a super-packet becomes. */
static __always_inline __u16 segment_length(struct __sk_buff *skb, const struct packet *p)
{
	__u16 header = UDP_LENGTH;
	__u8 offset = 0;

	if (!skb->gso_size)
		return p->l4_offset - ETH_LENGTH + p->l4_length;
	if (p->class == CLASS_TCP) {
		bpf_skb_load_bytes(skb, p->l4_offset + 12, &offset, sizeof(offset));
		header = (offset >> 4) * 4;
	}
	return p->l4_offset - ETH_LENGTH + header + skb->gso_size;
}

/* Not inline: so the route is not on the stack together with what policy needs. */
static __noinline int forward_uplink(struct __sk_buff *skb, const struct packet *p)
{
	struct bpf_fib_lookup route = {
		.family = p->tuple.family == 4 ? AF_INET : AF_INET6,
		.l4_protocol = p->tuple.protocol,
		.sport = p->tuple.source_port,
		.dport = p->tuple.destination_port,
		.tot_len = segment_length(skb, p),
	};
	__u32 ifindex;
	int r = 0;

	__builtin_memcpy(route.ipv6_src, p->tuple.source, sizeof(route.ipv6_src));
	__builtin_memcpy(route.ipv6_dst, p->tuple.destination, sizeof(route.ipv6_dst));
	if (p->hops <= 1 || !uplink_find(skb, &route))
		return forward_route(skb, false);
	ifindex = route.ifindex;
	if (p->flags & PACKET_TRANSLATE)
		r = rewrite_source(skb, p, bpf_map_lookup_elem(&uplink, &ifindex));
	if (!r && hops_decrement(skb, p) < 0)
		r = -DROP_REASON_INTERNAL;
	if (r) {
		drop_overridden(p, -r);
		return TC_ACT_SHOT;
	}
	return uplink_send(skb, &route);
}

static __always_inline int finish(struct __sk_buff *skb, struct packet *p, int result)
{
	if (result < 0) {
		if (!drop_overridden(p, -result))
			return TC_ACT_SHOT;
		result = ROUTE;
	}
	if (p->flags & PACKET_FIRST_FRAGMENT)
		fragment_record(p);
	switch (result) {
	case PEER:
		return forward_peer(skb, p);
	case UPLINK:
		return forward_uplink(skb, p);
	case ROUTE:
		return forward_route(skb, p->flags & PACKET_NAT_OUT);
	case ANSWER:
		forward_route(skb, false);
		return bpf_redirect(skb->ifindex, 0);
	}
	skb->mark = (skb->mark & ~settings.mark_mask) | settings.mark_to_host;
	return TC_ACT_OK;
}

/*
 * The stack filters by reverse path: it takes a packet only by the interface that its source's route names,
 * which is another one where a container has several. So it comes in by that one, and is judged there again.
 */
static __always_inline int by_own_interface(struct __sk_buff *skb, const struct packet *p)
{
	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_source), p->source_mac, sizeof(p->source_mac),
				0) < 0) {
		drop_overridden(p, DROP_REASON_INTERNAL);
		return TC_ACT_SHOT;
	}
	return bpf_redirect(p->from.ifindex, BPF_F_INGRESS);
}

__noinline int from_endpoint_slow(struct __sk_buff *skb, bool has_no_flow)
{
	struct packet *p = packet_new();
	int r;

	if (!p)
		return TC_ACT_SHOT;
	r = packet_parse(skb, p);
	sender_find(skb, p);
	if (!r)
		r = arp_input(skb, p);
	if (!r)
		r = neighbour_input(skb, p);
	if (!r)
		r = bootstrap_input(p);
	if (!r)
		r = sender_resolve(p);
	if (!r)
		r = fragment_resolve(p);
	if (!r)
		r = icmp_error(skb, p);
	if (!r && !has_no_flow)
		r = flow_continue(p);
	if (!r)
		r = flow_open(skb, p);
	r = finish(skb, p, r);
	return r == TC_ACT_OK && p->from.ifindex != skb->ifindex ? by_own_interface(skb, p) : r;
}

SEC("tc")
int from_endpoint(struct __sk_buff *skb)
{
	int action = fast_path(skb, FROM_ENDPOINT);

	return action < 0 ? from_endpoint_slow(skb, action == UNKNOWN) : action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
