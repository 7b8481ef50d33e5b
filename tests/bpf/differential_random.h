/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Random documents and packets for the differential tests. Names, addresses and ports come from so small a
 * stock that policies, members and packets meet all the time, and in every odd way that the data model has.
 */
#ifndef TESTS_BPF_DIFFERENTIAL_RANDOM_H
#define TESTS_BPF_DIFFERENTIAL_RANDOM_H

#include "packet.h"
#include "progrun.h"
#include "unit/reference.h"

struct dice {
	__u64 state; /* not 0 */
};
void dice_seed(struct dice *dice, __u64 seed);
/* 0 .. limit-1 */
__u32 dice_below(struct dice *dice, __u32 limit);
bool dice_one_in(struct dice *dice, __u32 n);

#define SLOTS 4 /* endpoints of this host have slots 1 .. SLOTS */

/* An event of the datastore. */
struct change {
	enum kind kind;
	char name[64];
	char *text; /* JSON, possibly not valid; NULL: deleted */
	__u32 slot; /* WORKLOAD: on this host when not 0 */
};
/* The caller frees ret->text. */
void change_draw(struct dice *dice, struct change *ret);
/* A workload on another host comes, changes or goes: the one with the addresses 10.65.0.77 and fd65::77. */
#define VISITOR 77
void change_draw_visitor(struct dice *dice, struct change *ret);
/* A block of addresses, or an entry of the block list, comes or goes. */
void change_draw_outside(struct dice *dice, struct change *ret);
/* One that sets the document `number` of a fully populated world; false: there are no more. */
bool change_draw_initial(struct dice *dice, __u32 number, struct change *ret);

/* How a packet meets the host. */
enum way {
	FROM_SLOT,	/* an endpoint sends it */
	FROM_STRANGER,	/* an interface without endpoint sends it */
	TO_SLOT,	/* comes from the uplink, leaves to an endpoint */
	TO_SLOT_HOST,	/* the host itself sends it to an endpoint */
	TO_SLOT_ROUTED, /* another endpoint's, approved, through the host's stack */
	TO_SLOT_FORGED, /* another endpoint's without that approval */
	ARRIVING,	/* comes in from the uplink, to whomever */
	LEAVING,	/* the host itself sends it out of the uplink */
	WAYS,
};

enum part { WHOLE, FIRST_FRAGMENT, LATER_FRAGMENT };

/* What is wrong or unusual about a frame. */
enum oddity {
	USUAL,
	VLAN_TAG,
	OTHER_TYPE, /* says that it is not IP */
	GROUP_MAC,  /* to a group, unlike its IP packet */
	WRONG_VERSION,
	CUT, /* ends behind the IP header */
	OPTIONS,
	WRONG_LENGTH, /* in the UDP header */
};

struct shot {
	enum way way;
	__u32 slot; /* that the program runs for */
	__u32 from; /* TO_SLOT_ROUTED, TO_SLOT_FORGED: whose it is */
	struct probe probe;
	__u8 tcp;	 /* enum tcp_flag */
	__u8 extensions; /* 0: none; else which of some chains of IPv6 extension headers */
	bool wrong_mac;
	enum part part;
	enum oddity oddity;
	const struct shot *about; /* ICMP errors: a packet that there was; NULL: one that nobody sent */
};
void shot_draw(struct dice *dice, const struct world *world, struct shot *ret);
/* One that passes the uplink: for endpoints mostly, or mostly the host's own. */
void shot_draw_uplink(struct dice *dice, const struct world *world, bool host, struct shot *ret);
/* The stock of ordinary addresses; false: there are no more. */
#define SHOT_ADDRESSES 24
bool shot_address(size_t number, struct addr *ret);
/* The host sends it to where it goes. */
void shot_from_host(struct shot *shot);
/* Its other end becomes the visitor's address. */
void shot_visit(struct shot *shot);
bool shot_has_ports(const struct shot *shot);
/* One end's question, by which flows of ICMP are told apart. */
bool shot_asks(const struct shot *shot);
/* The same question, or attempt to connect, from the other end. shot: its answer. */
void shot_counter(const struct shot *opener, const struct shot *reply, struct shot *ret);
/* Whether the protocol tells who asks from who answers, and there are two. */
bool shot_tells(const struct shot *shot);
/* The identifier of an ICMP question or answer. */
__u16 shot_echo_id(const struct shot *shot);
/* The other end's answer to it, which comes back by another hook. Not of what is routed. */
void shot_reverse(const struct shot *shot, const struct world *world, struct shot *ret);
/* The packet, with the sender's MAC as source. */
void shot_build(const struct shot *shot, const uint8_t mac[MAC_LENGTH], struct packet *ret);
/* One line for people. */
const char *shot_describe(const struct shot *shot, char text[256]);

#endif
