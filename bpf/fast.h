/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The established path: TCP and UDP without anything unusual, one lookup. It only serves packets that change
 * nothing about their flow; every other packet goes to the stages that handle all cases, which decide the
 * same about a packet that the fast path would have served.
 */
#ifndef FAST_H
#define FAST_H

#include "checksum.h"
#include "context.h"
#include "flow_table.h"
#include "forward.h"
#include "next_hop.h"
#include "nat.h"
#include "parse.h"

#define SLOW	(-1)
#define UNKNOWN (-2) /* FROM_ENDPOINT only: there is no flow that the packet might continue */

enum fast_hook { FROM_ENDPOINT, TO_ENDPOINT, FROM_UPLINK, TO_UPLINK };

/* What the address families have in common of a packet on the fast path. */
struct fast {
	struct flow *flow;
	const __u16 *mac; /* source, in the packet */
	__u32 sum;	  /* flow_sum() of its key */
	__u32 dir;
	__u8 protocol;
	__u8 tcp_flags;
	__u8 header;  /* length of the L4 header */
	bool outside; /* found by what others see of a translated flow */
};

static __always_inline bool fast_state(const struct fast *f)
{
	__u32 flags = f->flow->flags, time = now();
	__u32 idle = time - f->flow->seen;

	if (f->protocol == PROTOCOL_TCP) {
		if ((f->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) ||
		    (flags & (FLOW_ESTABLISHED | FLOW_RST << f->dir)) != FLOW_ESTABLISHED)
			return false;
	} else if (!(flags & FLOW_ESTABLISHED) && f->dir != (flags & FLOW_OPENER)) {
		return false;
	}
	if (idle > settings.hz / 4) {
		/*
		 * Also when another CPU's clock is ahead: rare, and the slow path compares signed. It also
		 * keeps both entries of a translated flow in step.
		 */
		if (idle > TIMEOUT_MINIMUM * settings.hz ||
		    (flags & (FLOW_TRANSLATED | FLOW_STREAM)) != FLOW_STREAM)
			return false;
		f->flow->seen = time;
	}
	return true;
}

static __always_inline bool fast_from_endpoint(struct __sk_buff *skb, const struct fast *f)
{
	const struct flow_end *from = &f->flow->end[f->dir & 1];

	return from->ifindex == skb->ifindex && mac_equal(from->mac, f->mac) && flow_current(f->flow) &&
	       !(f->flow->flags & FLOW_ROUTED) && fast_state(f);
}

static __always_inline bool fast_to_endpoint(struct __sk_buff *skb, const struct fast *f)
{
	/* What another endpoint sent is rare here; its approval is checked off the fast path. */
	return f->flow->end[!f->dir].ifindex == skb->ifindex && !f->flow->end[f->dir & 1].ifindex &&
	       flow_current(f->flow) && fast_state(f);
}

/* At the uplinks, where a translated flow only shows what others see of it. */
static __always_inline bool fast_is_direct(const struct fast *f)
{
	return (f->flow->flags & FLOW_DIRECT) && !(f->flow->flags & FLOW_TRANSLATED) == !f->outside;
}

static __always_inline bool fast_from_uplink(const struct fast *f)
{
	return fast_is_direct(f) && !f->flow->end[f->dir & 1].ifindex && flow_current(f->flow) &&
	       fast_state(f);
}

/* from_endpoint has just looked at the flow's currency and state. */
static __always_inline bool fast_to_uplink(struct __sk_buff *skb, const struct fast *f)
{
	return fast_is_direct(f) && f->flow->end[f->dir & 1].ifindex == skb->ingress_ifindex &&
	       is_approved(skb);
}

/* Of the host itself: only where there are host endpoints. */
static __always_inline bool fast_host(const struct fast *f)
{
	return settings.host_endpoints && (f->flow->flags & FLOW_HOST) && flow_current(f->flow) &&
	       fast_state(f);
}

/* As the bytes of a word; 0: not known. */
static __always_inline __u64 mac_read(const struct flow_end *end)
{
	const __u16 *mac = (const __u16 *)end->mac;

	return mac[0] | (__u64)mac[1] << 16 | (__u64)mac[2] << 32;
}

/* The L4 header behind the IP header; false: too short for it, or another protocol. */
static __always_inline bool fast_l4(struct fast *f, const void *l4, const void *end)
{
	const __u8 *bytes = l4;

	f->header = UDP_LENGTH;
	if (f->protocol == PROTOCOL_UDP)
		return true; /* its ports were in bounds already */
	if (f->protocol != PROTOCOL_TCP || l4 + TCP_LENGTH > end)
		return false;
	f->tcp_flags = bytes[13];
	f->header = (bytes[12] >> 4) * 4;
	return f->header >= TCP_LENGTH;
}

/*
 * Translates the source, or the destination, of the packet into `nat`, see nat_read(). Pointers into it are
 * invalid afterwards. The helper only fails for want of memory; then the packet is lost like any other.
 */
static __always_inline bool fast_translate4(struct __sk_buff *skb, struct iphdr *ip, __u64 nat, bool source)
{
	__be32 *address = source ? &ip->saddr : &ip->daddr, from = *address, to = nat;
	__be16 *port = (__be16 *)(ip + 1) + !source, from_port = *port, to_port = nat >> 32;
	bool udp = ip->protocol == PROTOCOL_UDP;
	__u32 check = ETH_LENGTH + sizeof(*ip) + (udp ? UDP_CHECKSUM : TCP_CHECKSUM);
	__u64 flags = udp ? BPF_F_MARK_MANGLED_0 : 0;

	*address = to;
	*port = to_port;
	ip->check = checksum_replace(ip->check, from, to);
	return bpf_l4_csum_replace(skb, check, from, to, BPF_F_PSEUDO_HDR | flags | 4) == 0 &&
	       bpf_l4_csum_replace(skb, check, from_port, to_port, flags | 2) == 0;
}

/*
 * To another host. Of a super-packet, each of the parts must fit into the MTU; what does not is the stack's
 * to answer. Not inline: so it is not on the stack together with what the slow path needs.
 */
static __noinline int fast_leave4(struct __sk_buff *skb, struct iphdr *ip, __u32 l4_header, __u32 sum,
				  __u64 nat)
{
	__u32 length = skb->gso_size ? sizeof(*ip) + l4_header + skb->gso_size : bpf_ntohs(ip->tot_len);
	struct next_hop *hop = next_hop_place(sum);

	if (ip->ttl <= 1 || !hop || (!next_hop_is4(hop, skb, ip) && !next_hop_find4(skb, ip, hop, length)) ||
	    length > hop->mtu)
		return forward_route(skb, false);
	if (nat && !nat_leaves_by(hop->ifindex, nat))
		return SLOW;
	hops_decrement4(ip);
	if (nat && !fast_translate4(skb, ip, nat, true))
		return TC_ACT_SHOT;
	return next_hop_send(skb, hop);
}

static __noinline int fast_leave6(struct __sk_buff *skb, struct ipv6hdr *ip, const __be16 *port,
				  __u32 l4_header, __u32 sum)
{
	__u32 length = sizeof(*ip) + (skb->gso_size ? l4_header + skb->gso_size : bpf_ntohs(ip->payload_len));
	struct next_hop *hop = next_hop_place(sum);

	if (ip->hop_limit <= 1 || !hop ||
	    (!next_hop_is6(hop, skb, ip, port) && !next_hop_find6(skb, ip, port, hop, length)) ||
	    length > hop->mtu)
		return forward_route(skb, false);
	ip->hop_limit--;
	return next_hop_send(skb, hop);
}

static __always_inline int fast_deliver4(struct __sk_buff *skb, const struct fast *f, struct ethhdr *eth)
{
	const struct flow_end *to = &f->flow->end[!f->dir];
	struct iphdr *ip = (void *)(eth + 1);
	__u32 ifindex = to->ifindex;
	__u64 mac = mac_read(to), nat = f->outside ? nat_read(f->flow) : 0;

	if (ip->ttl <= 1 || !mac || !flow_is_of(f->flow, f->sum))
		return SLOW;
	hops_decrement4(ip);
	macs_write(eth, (const __u8 *)&mac);
	if (nat && !fast_translate4(skb, ip, nat, false))
		return TC_ACT_SHOT;
	return bpf_redirect_peer(ifindex, 0);
}

static __always_inline int fast_deliver6(struct ethhdr *eth, struct ipv6hdr *ip, const struct fast *f)
{
	const struct flow_end *to = &f->flow->end[!f->dir];
	__u32 ifindex = to->ifindex;
	__u64 mac = mac_read(to);

	if (ip->hop_limit <= 1 || !mac || !flow_is_of(f->flow, f->sum))
		return SLOW;
	ip->hop_limit--;
	macs_write(eth, (const __u8 *)&mac);
	return bpf_redirect_peer(ifindex, 0);
}

static __always_inline int fast_decide4(struct __sk_buff *skb, const struct fast *f, struct ethhdr *eth,
					enum fast_hook hook)
{
	const struct flow_end *to = &f->flow->end[!f->dir];
	struct iphdr *ip = (void *)(eth + 1);
	__u64 nat;

	switch (hook) {
	case FROM_ENDPOINT:
		if (!fast_from_endpoint(skb, f))
			return SLOW;
		if (to->ifindex)
			return fast_deliver4(skb, f, eth);
		nat = nat_read(f->flow);
		if (!flow_is_of(f->flow, f->sum))
			return SLOW;
		return f->flow->flags & FLOW_DIRECT ? fast_leave4(skb, ip, f->header, f->sum, nat)
						    : forward_route(skb, f->flow->flags & FLOW_NAT_OUT);
	case TO_ENDPOINT:
		return fast_to_endpoint(skb, f) && flow_is_of(f->flow, f->sum) ? TC_ACT_OK : SLOW;
	case FROM_UPLINK:
		if (fast_host(f) && flow_is_of(f->flow, f->sum))
			return TC_ACT_OK;
		return to->ifindex && fast_from_uplink(f) ? fast_deliver4(skb, f, eth) : SLOW;
	case TO_UPLINK:
		return (fast_host(f) || fast_to_uplink(skb, f)) && flow_is_of(f->flow, f->sum) ? TC_ACT_OK
											       : SLOW;
	}
	return SLOW;
}

static __always_inline int fast_decide6(struct __sk_buff *skb, const struct fast *f, struct ethhdr *eth,
					const __be16 *port, enum fast_hook hook)
{
	const struct flow_end *to = &f->flow->end[!f->dir];
	struct ipv6hdr *ip = (void *)(eth + 1);

	switch (hook) {
	case FROM_ENDPOINT:
		if (!fast_from_endpoint(skb, f))
			return SLOW;
		if (to->ifindex)
			return fast_deliver6(eth, ip, f);
		if (!flow_is_of(f->flow, f->sum))
			return SLOW;
		return f->flow->flags & FLOW_DIRECT ? fast_leave6(skb, ip, port, f->header, f->sum)
						    : forward_route(skb, false);
	case TO_ENDPOINT:
		return fast_to_endpoint(skb, f) && flow_is_of(f->flow, f->sum) ? TC_ACT_OK : SLOW;
	case FROM_UPLINK:
		if (fast_host(f) && flow_is_of(f->flow, f->sum))
			return TC_ACT_OK;
		if (!to->ifindex || !fast_from_uplink(f) || fast_deliver6(eth, ip, f) == SLOW)
			return SLOW;
		hop_limit_sum(skb);
		return TC_ACT_REDIRECT;
	case TO_UPLINK:
		return (fast_host(f) || fast_to_uplink(skb, f)) && flow_is_of(f->flow, f->sum) ? TC_ACT_OK
											       : SLOW;
	}
	return SLOW;
}

/*
 * Does the header claim more than there is? Less than 64 KiB it must say; above that it says 0, where the
 * packet is to be segmented (BIG TCP): taken for the largest number that it could say.
 */
static __always_inline bool is_longer(__be16 claimed, __u32 length)
{
	return (__u16)(bpf_ntohs(claimed) - 1) >= length;
}

/* How a hop-by-hop header begins that only says the length of a jumbogram of TCP. */
#define JUMBO_TCP    (PROTOCOL_TCP << 24 | 0xc204)
#define JUMBO_LENGTH 8

static __always_inline int fast_ipv4(struct __sk_buff *skb, enum fast_hook hook)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);
	__be16 *port = (void *)(ip + 1);
	struct flow4_key key = {};
	struct fast f = {.mac = (__u16 *)eth->h_source};
	bool swap;

	if ((void *)port + UDP_LENGTH > end || *(__u8 *)ip != 0x45 ||
	    (ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) ||
	    is_longer(ip->tot_len, skb->len - ETH_LENGTH))
		return SLOW;
	f.protocol = ip->protocol;
	if (!fast_l4(&f, port, end))
		return SLOW;
	swap = ip->saddr > ip->daddr || (ip->saddr == ip->daddr && port[0] > port[1]);
	__builtin_memcpy(key.address[0], swap ? &ip->daddr : &ip->saddr, sizeof(key.address[0]));
	__builtin_memcpy(key.address[1], swap ? &ip->saddr : &ip->daddr, sizeof(key.address[1]));
	key.port[0] = bpf_ntohs(swap ? port[1] : port[0]);
	key.port[1] = bpf_ntohs(swap ? port[0] : port[1]);
	key.protocol = f.protocol;
	f.dir = swap;
	f.sum = flow_sum((const __u32 *)&key, FLOW4_WORDS);
	if ((hook == FROM_UPLINK && is_nat_port(bpf_ntohs(port[1]))) ||
	    (hook == TO_UPLINK && is_nat_port(bpf_ntohs(port[0]))))
		f.flow = bpf_map_lookup_elem(&nat4, &key);
	f.outside = f.flow;
	if (!f.flow)
		f.flow = bpf_map_lookup_elem(&flow4, &key);
	if (!f.flow)
		return hook == FROM_ENDPOINT ? UNKNOWN : SLOW;
	return fast_decide4(skb, &f, eth, hook);
}

static __always_inline int fast_ipv6(struct __sk_buff *skb, enum fast_hook hook)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	__be16 *port = (void *)(ip + 1);
	struct flow6_key key;
	struct fast f = {.mac = (__u16 *)eth->h_source};

	if ((void *)port + UDP_LENGTH > end || ip->version != 6 ||
	    is_longer(ip->payload_len, skb->len - ETH_LENGTH - sizeof(*ip)))
		return SLOW;
	f.protocol = ip->nexthdr;
	if (f.protocol == PROTOCOL_HOP_BY_HOP && *(__be32 *)port == bpf_htonl(JUMBO_TCP)) {
		f.protocol = PROTOCOL_TCP;
		port += JUMBO_LENGTH / sizeof(*port);
	}
	if (!fast_l4(&f, port, end))
		return SLOW;
	f.dir = address_above((__be32 *)&ip->saddr, (__be32 *)&ip->daddr) ||
		(address_equal((__be32 *)&ip->saddr, (__be32 *)&ip->daddr) && port[0] > port[1]);
	__builtin_memset(&key, 0, sizeof(key));
	__builtin_memcpy(key.address[0], f.dir ? &ip->daddr : &ip->saddr, sizeof(key.address[0]));
	__builtin_memcpy(key.address[1], f.dir ? &ip->saddr : &ip->daddr, sizeof(key.address[1]));
	key.port[0] = bpf_ntohs(f.dir ? port[1] : port[0]);
	key.port[1] = bpf_ntohs(f.dir ? port[0] : port[1]);
	key.protocol = f.protocol;
	f.sum = flow_sum((const __u32 *)&key, FLOW6_WORDS);
	f.flow = bpf_map_lookup_elem(&flow6, &key);
	if (!f.flow)
		return hook == FROM_ENDPOINT ? UNKNOWN : SLOW;
	return fast_decide6(skb, &f, eth, port, hook);
}

/* A TC action, SLOW or UNKNOWN. */
static __always_inline int fast_path(struct __sk_buff *skb, enum fast_hook hook)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;

	if ((void *)(eth + 1) > end || skb->vlan_present || (eth->h_dest[0] & 1))
		return SLOW;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return fast_ipv4(skb, hook);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return fast_ipv6(skb, hook);
	return SLOW;
}

#endif
