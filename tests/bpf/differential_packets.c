/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Dice, and random packets for the endpoints of a world. */
#include "differential_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array)	 (sizeof(array) / sizeof((array)[0]))
#define PICK(dice, from) ((from)[dice_below(dice, COUNT(from))])

enum { ICMP = 1, TCP = 6, UDP = 17, DCCP = 33, ICMPV6 = 58, SCTP = 132, UDPLITE = 136 };

void dice_seed(struct dice *dice, __u64 seed)
{
	/* splitmix64: neighbouring seeds start far from each other, and never with 0. */
	seed += 0x9e3779b97f4a7c15ULL;
	seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9ULL;
	seed = (seed ^ seed >> 27) * 0x94d049bb133111ebULL;
	dice->state = (seed ^ seed >> 31) | 1;
}

__u32 dice_below(struct dice *dice, __u32 limit)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return (__u32)((dice->state >> 16) % limit);
}

bool dice_one_in(struct dice *dice, __u32 n)
{
	return dice_below(dice, n) == 0;
}

/* ---- addresses ---- */

static const char *const addresses4[] = {
	"10.65.0.1",  "10.65.0.2", "10.65.0.3",	 "10.65.0.4", "10.65.0.5",   "10.65.0.6",
	"10.65.0.77", "10.65.1.1", "172.30.0.2", "192.0.2.1", "192.0.2.200", "8.8.8.8",
};
static const char *const addresses6[] = {
	"fd65::1",  "fd65::2",	 "fd65::3", "fd65::4",	   "fd65::5",	   "fd65::6",
	"fd65::77", "fd65:1::1", "fd30::2", "2001:db8::1", "2001:db8::2c", "fe80::1",
};
/* Nothing that is forwarded. */
static const char *const special4[] = {"224.0.0.5", "255.255.255.255", "127.0.0.1", "0.0.0.0"};
static const char *const special6[] = {"ff02::5", "::1", "::", "::ffff:10.65.0.2"};

static struct addr address_of(const char *text)
{
	struct addr addr;

	if (addr_parse(text, &addr) < 0)
		abort();
	return addr;
}

static struct addr draw_address(struct dice *dice, int family)
{
	if (dice_one_in(dice, 60))
		return address_of(family == 4 ? PICK(dice, special4) : PICK(dice, special6));
	return address_of(family == 4 ? PICK(dice, addresses4) : PICK(dice, addresses6));
}

/* One of those that the endpoint in the slot has, or any when it has none. */
static struct addr draw_own(struct dice *dice, const struct world *world, __u32 slot, int family)
{
	const struct document *d = world_slot(world, slot);
	__u32 start;

	if (!d || !d->workload->net_count)
		return draw_address(dice, family);
	start = dice_below(dice, (__u32)d->workload->net_count);
	for (size_t i = 0; i < d->workload->net_count; i++) {
		const struct addr *addr = &d->workload->nets[(start + i) % d->workload->net_count];

		if (addr->family == family)
			return *addr;
	}
	return draw_address(dice, family);
}

/* From outside: seldom the address of an endpoint that should be here. */
static struct addr draw_outside(struct dice *dice, int family)
{
	__u32 first = dice_one_in(dice, 12) ? 0 : SLOTS;

	return address_of(family == 4 ? addresses4[first + dice_below(dice, COUNT(addresses4) - first)]
				      : addresses6[first + dice_below(dice, COUNT(addresses6) - first)]);
}

/* ---- shots ---- */

static __u8 draw_protocol(struct dice *dice, int family)
{
	static const __u8 others[] = {SCTP, SCTP, UDPLITE, UDPLITE, DCCP, DCCP, ICMP, ICMPV6,
				      2,    47,	  50,	   97,	    112,  255,	4,    41};
	__u32 roll = dice_below(dice, 100);

	if (roll < 34)
		return TCP;
	if (roll < 62)
		return UDP;
	if (roll < 80)
		return family == 4 ? ICMP : ICMPV6;
	return PICK(dice, others);
}

static void draw_icmp(struct dice *dice, struct probe *probe)
{
	static const __u8 types4[] = {8, 8, 8, 8, 13, 42, 9, 0, 3, 11}, codes[] = {0, 0, 0, 4, 1};
	static const __u8 types6[] = {128, 128, 128, 128, 128, 139, 200, 129, 1, 3};

	probe->icmp_type = probe->src.family == 4 ? PICK(dice, types4) : PICK(dice, types6);
	probe->icmp_code = PICK(dice, codes);
}

static void draw_addresses(struct dice *dice, const struct world *world, struct shot *shot)
{
	int family = dice_one_in(dice, 2) ? 4 : 6;
	__u32 other = 1 + dice_below(dice, SLOTS);
	struct probe *probe = &shot->probe;

	if (shot->way == FROM_SLOT || shot->way == FROM_STRANGER) {
		probe->src = dice_one_in(dice, 25) ? draw_address(dice, family)
						   : draw_own(dice, world, shot->slot, family);
		if (dice_one_in(dice, 8))
			other = shot->slot;
		probe->dst = dice_one_in(dice, 2) ? draw_own(dice, world, other, family)
						  : draw_address(dice, family);
		return;
	}
	probe->dst = dice_one_in(dice, 40) ? draw_address(dice, family)
					   : draw_own(dice, world, shot->slot, family);
	if (shot->way == TO_SLOT_ROUTED || shot->way == TO_SLOT_FORGED)
		probe->src = dice_one_in(dice, 6) ? draw_address(dice, family)
						  : draw_own(dice, world, shot->from, family);
	else
		probe->src = draw_outside(dice, family);
}

#define CHAINS 4 /* of extension headers */

static enum way draw_way(struct dice *dice)
{
	static const __u8 weights[WAYS] = {50, 1, 40, 2, 6, 1, 0, 0};
	__u32 roll = dice_below(dice, 100);
	int way = 0;

	while (roll >= weights[way])
		roll -= weights[way++];
	return way;
}

/* Seldom one that has no active endpoint. */
static __u32 draw_slot(struct dice *dice, const struct world *world)
{
	__u32 slot = 1 + dice_below(dice, SLOTS);

	for (int tries = 0; tries < 3; tries++) {
		const struct document *d = world_slot(world, slot);

		if (d && d->workload->active)
			break;
		slot = 1 + dice_below(dice, SLOTS);
	}
	return slot;
}

void shot_draw(struct dice *dice, const struct world *world, struct shot *ret)
{
	static const __u16 ports[] = {0,  1,   22,  53,	  79,	80,   80,   80,
				      81, 443, 443, 1000, 4789, 8472, 6081, 65535};
	static const __u8 odd_flags[] = {TCP_ACK, TCP_ACK, TCP_SYN | TCP_ACK, TCP_RST, TCP_FIN | TCP_ACK};

	*ret = (struct shot){
		.way = draw_way(dice),
		.slot = draw_slot(dice, world),
		.from = draw_slot(dice, world),
		.tcp = dice_one_in(dice, 8) ? PICK(dice, odd_flags) : TCP_SYN,
		.wrong_mac = dice_one_in(dice, 40),
	};
	draw_addresses(dice, world, ret);
	ret->probe.protocol = draw_protocol(dice, ret->probe.src.family);
	ret->probe.sport = PICK(dice, ports);
	ret->probe.dport = PICK(dice, ports);
	draw_icmp(dice, &ret->probe);
	if (ret->probe.src.family == 6 && dice_one_in(dice, 6))
		ret->extensions = (__u8)(1 + dice_below(dice, CHAINS));
}

/* ---- at the uplink ---- */

static enum oddity draw_oddity(struct dice *dice, const struct shot *shot)
{
	enum oddity oddity = dice_one_in(dice, 10) ? 1 + dice_below(dice, WRONG_LENGTH) : USUAL;

	if (oddity == OPTIONS && shot->probe.src.family != 4)
		return USUAL;
	return oddity == WRONG_LENGTH && shot->probe.protocol != UDP ? USUAL : oddity;
}

/* Now and then one that the host needs to have an address, or neighbours. */
static void draw_upkeep(struct dice *dice, struct probe *probe)
{
	static const __u16 ports[][2] = {{67, 68}, {68, 67}, {546, 547}, {547, 546}};
	static const __u8 types[] = {130, 132, 133, 134, 135, 136, 137, 143};
	__u32 pair = dice_below(dice, COUNT(ports));

	if (probe->protocol == UDP) {
		probe->sport = ports[pair][0];
		probe->dport = ports[pair][1];
	} else if (probe->protocol == ICMPV6) {
		probe->icmp_type = PICK(dice, types);
	}
}

static void draw_uplink_addresses(struct dice *dice, const struct world *world, bool host, struct shot *shot)
{
	static const char *const own[2][2] = {{"172.30.0.2", "192.0.2.200"}, {"fd30::2", "fd30::2"}};
	struct probe *probe = &shot->probe;
	int family = dice_one_in(dice, 2) ? 4 : 6;
	struct addr here = address_of(own[family == 6][dice_below(dice, 2)]);

	if (shot->way == LEAVING) {
		probe->src = dice_one_in(dice, 15) ? draw_address(dice, family) : here;
		probe->dst = draw_outside(dice, family);
		return;
	}
	probe->src = dice_one_in(dice, 20) ? draw_address(dice, family) : draw_outside(dice, family);
	if (host ? !dice_one_in(dice, 3) : dice_one_in(dice, 10))
		probe->dst = here;
	else
		probe->dst = dice_one_in(dice, 3) ? draw_address(dice, family)
						  : draw_own(dice, world, shot->slot, family);
	if (dice_one_in(dice, 40))
		probe->src = address_of(family == 4 ? PICK(dice, special4) : PICK(dice, special6));
}

void shot_draw_uplink(struct dice *dice, const struct world *world, bool host, struct shot *ret)
{
	shot_draw(dice, world, ret);
	ret->way = host && dice_one_in(dice, 3) ? LEAVING : ARRIVING;
	ret->wrong_mac = false;
	draw_uplink_addresses(dice, world, host, ret);
	draw_icmp(dice, &ret->probe);
	if (dice_one_in(dice, 15))
		draw_upkeep(dice, &ret->probe);
	if (ret->probe.src.family == 4)
		ret->extensions = 0;
	if (ret->way == ARRIVING)
		ret->oddity = draw_oddity(dice, ret);
	if (ret->oddity == USUAL && dice_one_in(dice, 15))
		ret->part = dice_one_in(dice, 3) ? LATER_FRAGMENT : FIRST_FRAGMENT;
}

bool shot_address(size_t number, struct addr *ret)
{
	_Static_assert(COUNT(addresses4) + COUNT(addresses6) == SHOT_ADDRESSES, "another number");
	if (number >= COUNT(addresses4) + COUNT(addresses6))
		return false;
	*ret = address_of(number < COUNT(addresses4) ? addresses4[number]
						     : addresses6[number - COUNT(addresses4)]);
	return true;
}

void shot_from_host(struct shot *shot)
{
	shot->way = TO_SLOT_HOST;
	shot->probe.src = address_of(shot->probe.src.family == 4 ? "172.30.0.2" : "fd30::2");
}

void shot_visit(struct shot *shot)
{
	struct addr visitor = address_of(shot->probe.src.family == 4 ? "10.65.0.77" : "fd65::77");

	if (shot->way == FROM_SLOT)
		shot->probe.dst = visitor;
	else
		shot->probe.src = visitor;
}

bool shot_has_ports(const struct shot *shot)
{
	static const __u8 with_ports[] = {TCP, UDP, DCCP, SCTP, UDPLITE};

	return memchr(with_ports, shot->probe.protocol, sizeof(with_ports));
}

bool shot_asks(const struct shot *shot)
{
	bool asks;

	return reference_question(&shot->probe, &asks) && asks;
}

bool shot_tells(const struct shot *shot)
{
	const struct probe *probe = &shot->probe;

	if (addr_compare(&probe->src, &probe->dst) == 0)
		return false;
	return shot_asks(shot) || probe->protocol == TCP || probe->protocol == DCCP ||
	       probe->protocol == SCTP;
}

/* Where other protocols have the port of the end that asks. */
__u16 shot_echo_id(const struct shot *shot)
{
	bool asks;

	return reference_question(&shot->probe, &asks) && !asks ? shot->probe.dport : shot->probe.sport;
}

void shot_counter(const struct shot *opener, const struct shot *reply, struct shot *ret)
{
	*ret = *reply;
	ret->tcp = TCP_SYN;
	ret->probe.icmp_type = opener->probe.icmp_type;
	ret->probe.icmp_code = opener->probe.icmp_code;
	if (shot_asks(opener))
		ret->probe.sport = opener->probe.sport;
}

void shot_reverse(const struct shot *shot, const struct world *world, struct shot *ret)
{
	const struct probe *probe = &shot->probe;
	__u32 receiver;

	*ret = *shot;
	ret->tcp = TCP_ACK;
	ret->probe.src = probe->dst;
	ret->probe.dst = probe->src;
	ret->probe.sport = probe->dport;
	ret->probe.dport = probe->sport;
	ret->probe.icmp_type = reference_answer(probe->src.family, probe->icmp_type);
	ret->probe.icmp_code = 0;
	if (shot->way == TO_SLOT || shot->way == TO_SLOT_HOST) {
		ret->way = FROM_SLOT;
		return;
	}
	reference_flags(world, &probe->dst, &receiver);
	if (shot->way == LEAVING)
		ret->way = ARRIVING;
	else if (receiver)
		ret->way = FROM_SLOT;
	else
		ret->way = shot->way == ARRIVING ? LEAVING : TO_SLOT;
	if (receiver)
		ret->slot = receiver;
}

/* ---- as bytes ---- */

static void make_odd(const struct shot *shot, struct frame *frame)
{
	static const uint8_t group[MAC_LENGTH] = {0x01, 0, 0x5e, 0, 0, 1}, options[4] = {1, 1, 1, 1};

	switch (shot->oddity) {
	case USUAL:
		return;
	case VLAN_TAG:
		frame->vlan = 5;
		return;
	case OTHER_TYPE:
		frame->ethertype = 0x88cc;
		return;
	case GROUP_MAC:
		frame->destination_mac = group;
		return;
	case WRONG_VERSION:
		frame->faults.version = 5;
		return;
	case CUT:
		frame->faults.cut = 14 + (shot->probe.src.family == 4 ? 20 : 40) + 6;
		return;
	case OPTIONS:
		frame->options = options;
		frame->options_length = sizeof(options);
		return;
	case WRONG_LENGTH:
		frame->faults.udp_length = 4;
	}
}

/* What a frame points to. */
struct details {
	char source[ADDR_TEXT], destination[ADDR_TEXT];
	uint8_t payload[32]; /* begins with ports, for protocols whose headers the builder does not know */
};

static struct frame frame_of(const struct shot *shot, struct details *details)
{
	static const uint8_t chains[CHAINS + 1][3] = {{}, {0}, {60}, {51}, {0, 43, 60}};
	static const size_t lengths[CHAINS + 1] = {0, 1, 1, 1, 3};
	const struct probe *probe = &shot->probe;
	struct frame frame = {
		.source = addr_format(&probe->src, details->source),
		.destination = addr_format(&probe->dst, details->destination),
		.protocol = probe->protocol,
		.source_port = probe->sport,
		.destination_port = probe->dport,
		.tcp = shot->tcp,
		.icmp_type = probe->icmp_type,
		.icmp_code = probe->icmp_code,
		.icmp_id = shot_echo_id(shot),
		.more_fragments = shot->part == FIRST_FRAGMENT,
		.fragment_offset = shot->part == LATER_FRAGMENT ? 8 : 0,
		.fragment_id = shot->part == WHOLE ? 0 : 77,
		.extension_count = lengths[shot->extensions],
		.payload = details->payload,
		.payload_length = sizeof(details->payload),
	};

	memset(details->payload, 0, sizeof(details->payload));
	details->payload[0] = (uint8_t)(probe->sport >> 8);
	details->payload[1] = (uint8_t)probe->sport;
	details->payload[2] = (uint8_t)(probe->dport >> 8);
	details->payload[3] = (uint8_t)probe->dport;
	if (probe->protocol == DCCP)
		details->payload[8] = shot->tcp == TCP_SYN ? 0 : 2 << 1; /* Request, Data */
	if (probe->protocol == SCTP)
		details->payload[0] = shot->tcp == TCP_SYN; /* INIT, DATA: the builder makes the header */
	memcpy(frame.extensions, chains[shot->extensions], sizeof(chains[0]));
	make_odd(shot, &frame);
	return frame;
}

void shot_build(const struct shot *shot, const uint8_t mac[MAC_LENGTH], struct packet *ret)
{
	static const uint8_t wrong_mac[MAC_LENGTH] = {0x02, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb};
	const struct probe *probe = &shot->probe;
	struct details details, inner;
	struct frame frame = frame_of(shot, &details);
	/* What an ICMP error is about: a packet that nobody sent. */
	struct frame about = {
		.source = frame.destination,
		.destination = frame.source,
		.source_port = 4000,
		.destination_port = 4001,
		.protocol = UDP,
	};

	if (shot->about)
		about = frame_of(shot->about, &inner);
	frame.source_mac = shot->wrong_mac ? wrong_mac : mac;
	if (probe->protocol == (probe->src.family == 4 ? ICMP : ICMPV6) && shot->part != LATER_FRAGMENT) {
		frame.payload_length = 0;
		frame.inner = &about;
	}
	packet_build(&frame, ret);
}

const char *shot_describe(const struct shot *shot, char text[256])
{
	static const char *const ways[] = {
		[FROM_SLOT] = "from slot",
		[FROM_STRANGER] = "from an unknown interface, slot",
		[TO_SLOT] = "from outside to slot",
		[TO_SLOT_HOST] = "from the host to slot",
		[TO_SLOT_ROUTED] = "approved, through the stack to slot",
		[TO_SLOT_FORGED] = "not approved, through the stack to slot",
		[ARRIVING] = "in from the uplink, slot",
		[LEAVING] = "from the host out of the uplink, slot",
	};
	const struct probe *probe = &shot->probe;
	char src[ADDR_TEXT], dst[ADDR_TEXT];

	snprintf(text, 256,
		 "%s %u (from %u): %s:%u to %s:%u protocol %u type %u code %u tcp %#x extensions %u part %u"
		 " oddity %u%s",
		 ways[shot->way], shot->slot, shot->from, addr_format(&probe->src, src), probe->sport,
		 addr_format(&probe->dst, dst), probe->dport, probe->protocol, probe->icmp_type,
		 probe->icmp_code, shot->tcp, shot->extensions, shot->part, shot->oddity,
		 shot->wrong_mac ? " wrong MAC" : "");
	return text;
}
