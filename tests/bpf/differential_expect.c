/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The specification of all hooks, as a plain program over documents. */
#include "differential_expect.h"

#include <string.h>

enum { ICMP = 1, TCP = 6, UDP = 17, DCCP = 33, ICMPV6 = 58, SCTP = 132 };

/* One packet under judgement. */
struct hearing {
	const struct world *world;
	const struct settings *settings;
	const struct shot *shot;
	const struct probe *probe;
	struct expectation *ret;
	__u16 src_flags, dst_flags;
	__u32 src_slot, dst_slot;
};

static bool is_icmp(const struct probe *probe)
{
	return probe->protocol == (probe->src.family == 4 ? ICMP : ICMPV6);
}

static bool asks(const struct probe *probe)
{
	bool asks;

	return reference_question(probe, &asks) && asks;
}

static bool answers(const struct probe *probe)
{
	bool asks;

	return reference_question(probe, &asks) && !asks;
}

static bool is_icmp_error(const struct probe *probe)
{
	if (!is_icmp(probe))
		return false;
	if (probe->src.family == 6)
		return probe->icmp_type >= 1 && probe->icmp_type <= 4;
	return probe->icmp_type == 3 || probe->icmp_type == 4 || probe->icmp_type == 5 ||
	       probe->icmp_type == 11 || probe->icmp_type == 12;
}

static bool is_within(const struct addr *addr, const char *net)
{
	struct cidr cidr;

	return cidr_parse(net, &cidr) == 0 && cidr_contains(&cidr, addr);
}

static bool is_multicast(const struct addr *addr)
{
	return is_within(addr, "224.0.0.0/4") || is_within(addr, "255.255.255.255/32") ||
	       is_within(addr, "ff00::/8");
}

static bool is_martian(const struct addr *addr)
{
	return is_within(addr, "0.0.0.0/8") || is_within(addr, "127.0.0.0/8") ||
	       is_within(addr, "240.0.0.0/4") || is_within(addr, "::/96") || is_within(addr, "::ffff:0:0/96");
}

/* Host, or on a veth only the host can be meant. */
static bool is_to_host(const struct hearing *h)
{
	return (h->dst_flags & ADDRESS_HOST) || is_within(&h->probe->dst, "fe80::/10");
}

static bool is_dns(const struct probe *probe)
{
	return probe->protocol == UDP && probe->dport == 53;
}

static bool is_encapsulation(const struct probe *probe, __u16 port)
{
	static const __u16 ports[] = {1701, 4754, 4789, 4790, 6080, 6081, 6635, 8472};
	static const __u8 protocols[] = {4, 41, 47, 55, 94, 97, 98, 115, 137};

	for (size_t i = 0; probe->protocol == UDP && i < sizeof(ports) / sizeof(ports[0]); i++) {
		if (port == ports[i])
			return true;
	}
	return memchr(protocols, probe->protocol, sizeof(protocols));
}

/* To hosts, and outside the pools and endpoints, encapsulation would carry packets past every policy. */
static bool is_tunnel(const struct hearing *h)
{
	if (is_to_host(h) || (h->dst_flags & ADDRESS_NODE))
		return is_encapsulation(h->probe, h->probe->dport);
	if (h->dst_flags & (ADDRESS_LOCAL | ADDRESS_REMOTE | ADDRESS_IN_POOL))
		return false;
	if (h->probe->protocol == UDP)
		return h->probe->dport == 4789 || h->probe->dport == 8472;
	return h->probe->protocol == 4 || h->probe->protocol == 41;
}

static bool has_connections(const struct probe *probe)
{
	return probe->protocol == TCP || probe->protocol == DCCP || probe->protocol == SCTP;
}

/* What connection tracking calls INVALID cannot open a flow. */
static bool can_open(const struct shot *shot)
{
	if (shot->probe.protocol == TCP)
		return shot->tcp == TCP_SYN || shot->tcp == TCP_ACK;
	return !answers(&shot->probe);
}

/* What a host sends encapsulated is not to be answered. */
static bool makes_flow(const struct hearing *h)
{
	const struct probe *probe = h->probe;
	bool from_host = h->shot->way == TO_SLOT_HOST || (h->src_flags & (ADDRESS_HOST | ADDRESS_NODE));

	if (h->dst_slot && h->shot->way != LEAVING && from_host && is_encapsulation(probe, probe->sport))
		return false;
	return !is_icmp(probe) || asks(probe);
}

static enum drop_reason consult(struct hearing *h, __u32 slot, bool inbound)
{
	struct reference *verdict = &h->ret->verdict[h->ret->verdicts++];

	*verdict = reference_judge(h->world, slot, inbound, h->probe);
	return verdict->reason;
}

static bool is_active(const struct hearing *h, __u32 slot)
{
	const struct document *d = world_slot(h->world, slot);

	return d && d->workload->active;
}

static bool has_wrong_mac(const struct hearing *h)
{
	const struct document *d = world_slot(h->world, h->shot->slot);

	return h->shot->wrong_mac && d && d->workload->has_mac;
}

static enum drop_reason judge_sender(struct hearing *h, __u32 slot, bool wrong_mac)
{
	if (!is_active(h, slot))
		return DROP_REASON_ENDPOINT_INACTIVE;
	if (h->src_slot != slot)
		return DROP_REASON_SPOOFED_IP;
	if (is_multicast(&h->probe->dst))
		return DROP_REASON_BROADCAST;
	if (is_martian(&h->probe->dst))
		return DROP_REASON_MARTIAN;
	if (is_to_host(h) && is_dns(h->probe))
		return DROP_NONE;
	if (wrong_mac)
		return DROP_REASON_SPOOFED_MAC;
	if (is_tunnel(h))
		return DROP_REASON_TUNNEL;
	if (is_to_host(h) && h->settings->host_action == HOST_DROP)
		return DROP_REASON_HOST_ACTION;
	return consult(h, slot, false);
}

static enum drop_reason judge_receiver(struct hearing *h)
{
	enum drop_reason reason = h->dst_slot ? consult(h, h->dst_slot, true) : DROP_NONE;

	if (reason)
		h->ret->blamed = h->dst_slot;
	return reason;
}

/* Name service of the host is open to endpoints that are unknown or inactive too. */
static enum drop_reason judge_without_policy(struct hearing *h, enum drop_reason otherwise)
{
	if (!is_dns(h->probe) || !is_to_host(h))
		return otherwise;
	h->ret->fate = PASSED;
	if (h->src_flags & (ADDRESS_LOCAL | ADDRESS_HOST))
		return DROP_REASON_SPOOFED_IP;
	if (is_within(&h->probe->src, "fe80::/10") || is_within(&h->probe->src, "0.0.0.0/32") ||
	    is_within(&h->probe->src, "::/128"))
		return DROP_NONE;
	return is_multicast(&h->probe->src) || is_martian(&h->probe->src) ? DROP_REASON_SPOOFED_IP
									  : DROP_NONE;
}

static void route(struct hearing *h)
{
	const struct document *receiver = world_slot(h->world, h->dst_slot);
	bool leaves_pools = h->probe->src.family == 4 && (h->src_flags & ADDRESS_NAT_OUT) &&
			    !(h->dst_flags & ADDRESS_IN_POOL) && !is_to_host(h);

	if (!h->dst_slot)
		h->ret->fate = leaves_pools ? TO_STACK_MASQUERADED : TO_STACK;
	else /* without its MAC the stack has to ask for it */
		h->ret->fate = receiver->workload->has_mac ? TO_PEER : TO_STACK;
}

static enum drop_reason judge_from(struct hearing *h)
{
	__u32 slot = h->shot->way == FROM_STRANGER ? 0 : h->shot->slot;
	enum drop_reason reason;

	if (!slot || !world_slot(h->world, slot))
		return judge_without_policy(h, DROP_REASON_UNKNOWN_INTERFACE);
	if (!is_active(h, slot))
		return judge_without_policy(h, DROP_REASON_ENDPOINT_INACTIVE);
	if (is_icmp_error(h->probe))
		return has_wrong_mac(h) ? DROP_REASON_SPOOFED_MAC : DROP_REASON_ICMP_UNRELATED;
	if (!can_open(h->shot))
		return DROP_REASON_FLOW_INVALID;
	reason = judge_sender(h, slot, has_wrong_mac(h));
	if (!reason)
		reason = judge_receiver(h);
	if (reason)
		return reason;
	route(h);
	h->ret->opens_flow = makes_flow(h);
	return DROP_NONE;
}

static enum drop_reason judge_to(struct hearing *h)
{
	const struct shot *shot = h->shot;
	bool routed = shot->way == TO_SLOT_ROUTED || shot->way == TO_SLOT_FORGED;
	/* An interface whose endpoint is gone is like any other one. */
	bool from_endpoint = routed && world_slot(h->world, shot->from);
	enum drop_reason reason = DROP_NONE;

	if (!world_slot(h->world, shot->slot))
		return DROP_REASON_UNKNOWN_INTERFACE;
	if (!is_active(h, shot->slot))
		return DROP_REASON_ENDPOINT_INACTIVE;
	if (from_endpoint && shot->way == TO_SLOT_FORGED)
		return DROP_REASON_UNAPPROVED;
	if (is_icmp_error(h->probe))
		return DROP_REASON_ICMP_UNRELATED;
	if (!can_open(shot))
		return DROP_REASON_FLOW_INVALID;
	/* With a source that is nobody's here, the host's NAT has translated it after it was judged. */
	if (from_endpoint && h->src_slot)
		reason = judge_sender(h, shot->from, false);
	else if (h->src_slot)
		return DROP_REASON_MARTIAN;
	if (!reason && h->dst_slot != shot->slot)
		return DROP_REASON_MARTIAN;
	if (!reason)
		reason = judge_receiver(h);
	h->ret->opens_flow = !reason && makes_flow(h);
	return reason;
}

/* ---- what arrives at an uplink ---- */

static bool is_unicast(const struct addr *addr)
{
	return !is_multicast(addr) && !is_martian(addr) && !is_within(addr, "fe80::/10");
}

/* Whither the host would forward it; nothing that is from an address of one link. */
static enum uplink_route way_out(const struct hearing *h)
{
	const struct addr *src = &h->probe->src;
	bool stays = is_within(src, "fe80::/10") || is_within(src, "ff00::/8") || is_within(src, "::1/128");

	return stays ? ROUTE_NONE : uplink_route(&h->probe->dst);
}

/* By its addresses: it reaches nobody, or comes from where nobody is. The host's own packets are exempt. */
static enum drop_reason screen(const struct hearing *h)
{
	const __u16 ours = ADDRESS_IN_POOL | ADDRESS_BLOCK;
	const struct probe *probe = h->probe;

	if ((h->dst_flags & ADDRESS_HOST) || !is_unicast(&probe->dst))
		return DROP_NONE;
	if (h->src_slot || is_multicast(&probe->src) ||
	    (is_martian(&probe->src) && !addr_is_unspecified(&probe->src)))
		return DROP_REASON_MARTIAN;
	if (reference_blocked(h->world, &probe->src))
		return DROP_REASON_BLOCKED;
	if (!h->dst_slot && (h->dst_flags & (ours | ADDRESS_REMOTE)) == ours && way_out(h) == ROUTE_BACK)
		return DROP_REASON_NO_DESTINATION;
	return DROP_NONE;
}

static bool has_readable_addresses(const struct shot *shot)
{
	return shot->oddity == USUAL || shot->oddity >= CUT;
}

/* XDP knows all that policy asks about it. */
static bool is_plain_opener(const struct shot *shot)
{
	const struct probe *probe = &shot->probe;

	if ((shot->oddity && shot->oddity != WRONG_LENGTH) || shot->part || shot->extensions)
		return false;
	if (probe->protocol == TCP)
		return shot->tcp == TCP_SYN;
	return probe->protocol == UDP || asks(probe);
}

static enum drop_reason fault_of(const struct shot *shot)
{
	switch (shot->oddity) {
	case CUT:
		return DROP_REASON_SHORT;
	case OPTIONS:
		return DROP_REASON_IP_OPTIONS;
	case WRONG_VERSION:
		return DROP_REASON_MALFORMED;
	case WRONG_LENGTH:
		return shot->part == LATER_FRAGMENT ? DROP_NONE : DROP_REASON_MALFORMED;
	default:
		return DROP_NONE;
	}
}

/* To an endpoint: XDP may see that its policy denies the packet; else that is the last thing to be seen. */
static enum drop_reason judge_delivery(struct hearing *h, enum screener screener)
{
	enum drop_reason fault = fault_of(h->shot), reason = DROP_NONE;

	h->ret->blamed = h->dst_slot;
	if (screener == BY_XDP && is_plain_opener(h->shot)) {
		reason = judge_receiver(h);
		h->ret->early = reason;
		if (!reason && fault)
			h->ret->verdicts = 0;
		return reason ?: fault;
	}
	if (fault)
		return fault;
	if (h->shot->part == LATER_FRAGMENT)
		return DROP_REASON_FRAGMENT_ORPHAN;
	if (is_icmp_error(h->probe))
		return DROP_REASON_ICMP_UNRELATED;
	return can_open(h->shot) ? judge_receiver(h) : DROP_REASON_FLOW_INVALID;
}

/* ---- the host's own packets ---- */

static bool is_failsafe(const struct shot *shot)
{
	const struct probe *probe = &shot->probe;

	if (probe->protocol != TCP)
		return false;
	if (shot->way == ARRIVING)
		return probe->dport == FAILSAFE_PORT_INBOUND;
	/* Its servers' answers are not told from others by a flow. */
	return probe->dport == FAILSAFE_PORT_OUTBOUND ||
	       (probe->sport == FAILSAFE_PORT_INBOUND && shot->tcp != TCP_SYN);
}

static bool is_udp(const struct probe *probe, __u16 sport, __u16 dport)
{
	return probe->protocol == UDP && probe->sport == sport && probe->dport == dport;
}

/* Neighbour discovery, and a DHCP client's messages. */
static bool is_upkeep(const struct shot *shot)
{
	bool leaves = shot->way == LEAVING;
	const struct probe *probe = &shot->probe;

	if (probe->src.family == 4)
		return leaves ? is_udp(probe, 68, 67) : is_udp(probe, 67, 68);
	if (probe->protocol == ICMPV6)
		return (probe->icmp_type >= 130 && probe->icmp_type <= 136) || probe->icmp_type == 143;
	return leaves ? is_udp(probe, 546, 547) : is_udp(probe, 547, 546);
}

static enum drop_reason judge_host(struct hearing *h)
{
	const struct shot *shot = h->shot;
	__u32 slot = uplink_host_slot(h->world, h->probe->src.family);
	bool arrives = shot->way == ARRIVING;
	enum drop_reason reason =
		shot->oddity == OPTIONS ? DROP_NONE : fault_of(shot); /* policy's to judge */

	if (!slot)
		return DROP_NONE;
	/* Only passing by. */
	if (arrives && is_unicast(&h->probe->dst) && !(h->dst_flags & ADDRESS_HOST) &&
	    way_out(h) != ROUTE_NONE)
		return DROP_NONE;
	if (reason)
		return reason;
	if (shot->part == LATER_FRAGMENT)
		return DROP_REASON_FRAGMENT_ORPHAN;
	if (is_failsafe(shot) || is_upkeep(shot))
		return DROP_NONE;
	if (is_icmp_error(h->probe))
		return arrives ? DROP_REASON_ICMP_UNRELATED : DROP_NONE;
	if (!can_open(shot))
		return DROP_REASON_FLOW_INVALID;
	reason = consult(h, slot, arrives);
	h->ret->opens_flow = !reason && makes_flow(h);
	return reason;
}

static enum drop_reason judge_arriving(struct hearing *h, enum screener screener)
{
	const struct shot *shot = h->shot;
	enum drop_reason reason = DROP_NONE;

	h->ret->blamed = 0;
	if (shot->oddity == VLAN_TAG || shot->oddity == OTHER_TYPE)
		return DROP_NONE;
	if (screener != BY_NOBODY && has_readable_addresses(shot))
		reason = screen(h);
	h->ret->early = reason && screener == BY_XDP;
	if (reason)
		return reason;
	if (h->src_slot)
		return DROP_REASON_MARTIAN;
	if (!h->dst_slot)
		return h->settings->host_endpoints ? judge_host(h) : DROP_NONE;
	if (!has_readable_addresses(shot))
		return DROP_NONE;
	reason = judge_delivery(h, screener);
	if (reason)
		return reason;
	/* Fragments are put together by the stack. */
	if (shot->part == WHOLE)
		route(h);
	/* These are judged wherever they come by, and so once more where the stack delivers them. */
	if (h->ret->fate == TO_STACK &&
	    (!makes_flow(h) || (has_connections(h->probe) && shot->tcp == TCP_SYN)))
		judge_receiver(h);
	h->ret->opens_flow = makes_flow(h);
	return DROP_NONE;
}

static enum drop_reason judge_leaving(struct hearing *h)
{
	h->ret->blamed = h->src_slot;
	if (h->src_slot)
		return DROP_REASON_UNAPPROVED;
	return h->settings->host_endpoints ? judge_host(h) : DROP_NONE;
}

/* ---- all of them ---- */

static struct hearing hear(const struct world *world, const struct settings *settings,
			   const struct shot *shot, struct expectation *ret)
{
	struct hearing h = {world, settings, shot, &shot->probe, ret, 0, 0, 0, 0};

	h.src_flags = reference_flags(world, &shot->probe.src, &h.src_slot);
	h.dst_flags = reference_flags(world, &shot->probe.dst, &h.dst_slot);
	return h;
}

enum drop_reason expect_screened(const struct world *world, const struct shot *shot)
{
	struct hearing h = hear(world, NULL, shot, NULL);

	return screen(&h);
}

void expect_at_uplink(const struct world *world, const struct settings *settings, const struct shot *shot,
		      enum screener screener, struct expectation *ret)
{
	struct hearing h = hear(world, settings, shot, ret);

	memset(ret, 0, sizeof(*ret));
	ret->fate = PASSED;
	ret->reason = shot->way == ARRIVING ? judge_arriving(&h, screener) : judge_leaving(&h);
	if (ret->reason)
		ret->fate = DROPPED;
}

void expect(const struct world *world, const struct settings *settings, const struct shot *shot,
	    struct expectation *ret)
{
	struct hearing h = hear(world, settings, shot, ret);

	memset(ret, 0, sizeof(*ret));
	ret->fate = PASSED;
	ret->blamed = shot->way == FROM_STRANGER ? 0 : shot->slot;
	if (shot->way == FROM_SLOT || shot->way == FROM_STRANGER)
		ret->reason = judge_from(&h);
	else if (shot->way != TO_SLOT_HOST)
		ret->reason = judge_to(&h);
	else /* no policy; only a flow that answers belong to can be told from others */
		ret->opens_flow = is_active(&h, shot->slot) && h.dst_slot == shot->slot && !h.src_slot &&
				  can_open(shot) && makes_flow(&h) && !is_icmp_error(&shot->probe);
	if (ret->reason)
		ret->fate = DROPPED;
}
