/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keys and values of every BPF map: the contract between the programs in bpf/ and the daemon.
 *
 * The maps are also a user interface: `bpftool map dump pinned /sys/fs/bpf/calico/...` prints these
 * structs by their BTF, so field names are words, what is one of several is an enum (bpftool prints its name)
 * and padding is named and zero (hash maps compare bytes).
 *
 * Byte order: addresses are bytes in the order of the packet, so that a dump reads like the address; keys
 * that hold some are aligned to words, which is how the programs write them. Ports are in host order.
 *
 * Any change of layout or meaning bumps ABI_VERSION. The daemon creates new policy maps at every start
 * and only takes over flow and counter maps whose version, key and value sizes are equal.
 */
#ifndef ABI_H
#define ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include "reasons.h"

#define ABI_VERSION 1

#define ABI_ASSERT_SIZE(type, size)                                                                          \
	_Static_assert(sizeof(type) == (size), #type " has another size than the ABI says")

/* On a struct of bytes: to be copied as 32-bit words. */
#define ABI_WORDS __attribute__((aligned(4)))

/* On an enum: one byte. */
#define ABI_BYTE __attribute__((packed))

/* ---- identities: what policy knows about an address ------------------------------------------------ */

/*
 * A "set" is one distinct address predicate of the active rules: membership of a tag, a selector, a CIDR,
 * or a conjunction of them. Set numbers start at 1; 0 in a rule means "any address".
 *
 * A "row" is the bitmap of all sets that an address is in: bit (set % 64) of word (set / 64). Only the
 * words first_word .. first_word+words-1 are stored, from index `row` of the `identity` map; all others are
 * zero. An address that is in no map has no row, that is: it is in no set (so predicates are always formed
 * such that an unknown address is outside; the rule carries the negation).
 *
 * Rows are immutable once an address refers to them, but for setting the bit of a set that no published
 * rule names yet.
 */
enum address_flags {
	ADDRESS_LOCAL = 1 << 0,	  /* of an active endpoint on this host; `endpoint` is its slot */
	ADDRESS_HOST = 1 << 1,	  /* of this host itself, subnet broadcast addresses included */
	ADDRESS_REMOTE = 1 << 2,  /* of an endpoint on another host, or of an inactive one here */
	ADDRESS_IN_POOL = 1 << 3, /* inside any IP pool */
	ADDRESS_NAT_OUT = 1 << 4, /* inside a pool with nat-outgoing (masquerade) */
	ADDRESS_BLOCK = 1 << 5,	  /* inside a block that IPAM has given to this host */
	ADDRESS_NODE = 1 << 6,	  /* registered for a host, this or another, or expected by a host endpoint */
};

struct address {
	__u32 row;	       /* index into `identity` of the first stored word */
	__u16 first_word;      /* number of that word */
	__u16 words;	       /* how many words are stored */
	__u32 generation_slot; /* index into `generation` */
	__u16 endpoint;	       /* endpoint slot when ADDRESS_LOCAL, else 0 */
	__u16 flags;	       /* enum address_flags */
	__u64 check;	       /* address_check() in the maps of exact addresses, else 0 */
};
ABI_ASSERT_SIZE(struct address, 24);

/*
 * What a hash map's entry was erased from or replaced by is used for another key at once, also while a
 * program reads it (kernel/bpf/hashtab.c, htab_elem_free()): what is read may be another address's, or of
 * both in parts. The check tells: a sum of all words, each times an odd number of its own, so that any
 * difference in them shows but for one time in 2^32. Prefixes need none: tries wait for all readers. address:
 * IPv4 in element 0, the others zero.
 */
static inline __u64 address_check(const __be32 *address, const struct address *value)
{
	return 0xb9096a04e7d80069ULL + address[0] * 0xc963cfe0afae5a3bULL +
	       address[1] * 0xe1454c40c439f34bULL + address[2] * 0xa6b563b1e794ee15ULL +
	       address[3] * 0xac8be7d742840d2bULL + value->row * 0xd96e5adfa2beee31ULL +
	       (value->first_word | (__u32)value->words << 16) * 0x99fcfc64e7aa8577ULL +
	       value->generation_slot * 0xd3d23c0bdf43efb3ULL +
	       (value->endpoint | (__u32)value->flags << 16) * 0xe7ca430e92ac3d43ULL;
}

struct address4_key {
	__u8 address[4];
} ABI_WORDS;
ABI_ASSERT_SIZE(struct address4_key, 4);

struct address6_key {
	__u8 address[16];
} ABI_WORDS;
ABI_ASSERT_SIZE(struct address6_key, 16);

/* Prefixes for addresses that are in no exact map: the CIDRs of active rules and of pools. */
struct prefix4_key {
	__u32 prefix_length;
	__u8 address[4];
};
ABI_ASSERT_SIZE(struct prefix4_key, 8);

struct prefix6_key {
	__u32 prefix_length;
	__u8 address[16];
};
ABI_ASSERT_SIZE(struct prefix6_key, 20);

/*
 * Generations make established flows re-check policy. A flow stores the generation of both its addresses;
 * the packet path compares. Slot of an address that is in no exact map: its last byte (0..255).
 * Known addresses use the slots from GENERATION_FIRST. All addresses of one local endpoint share a slot.
 */
#define GENERATION_UNKNOWN 256
#define GENERATION_FIRST   GENERATION_UNKNOWN
/*
 * Advanced after addresses were written and before lists are published, and before numbers of rows and lists
 * get free. There is no endpoint slot 0.
 */
#define GENERATION_EPOCH GENERATION_FIRST

/* ---- policy ------------------------------------------------------------------------------------------ */

enum rule_class {
	CLASS_TCP,
	CLASS_UDP,
	CLASS_ICMP,  /* ICMP in IPv4, ICMPv6 in IPv6 */
	CLASS_OTHER, /* everything else; SCTP and UDPLite have ports too */
	CLASS_COUNT,
};

enum rule_action {
	ACTION_ALLOW = 1,
	ACTION_DENY = 2,
	ACTION_NEXT = 3, /* leave this tier (in a tier) or this profile (in a profile) */
	ACTION_LOG = 4,	 /* emit an event, continue */
} ABI_BYTE;

enum match_flags {
	MATCH_IPV4 = 1 << 0,	      /* matches IPv4 packets */
	MATCH_IPV6 = 1 << 1,	      /* matches IPv6 packets; a rule for both families has both bits */
	MATCH_SRC_NOT = 1 << 2,	      /* the source must be outside src_set */
	MATCH_DST_NOT = 1 << 3,	      /* the destination must be outside dst_set */
	MATCH_ICMP_TYPE = 1 << 4,     /* icmp_type must be equal */
	MATCH_ICMP_CODE = 1 << 5,     /* icmp_code must be equal */
	MATCH_ICMP_NOT_TYPE = 1 << 6, /* not (type == not_icmp_type [and code == not_icmp_code]) */
	MATCH_ICMP_NOT_CODE = 1 << 7, /* not_icmp_code is part of the pair negated above */
	MATCH_SPORT = 1 << 8,	      /* source port within sport_first..sport_last */
	MATCH_DPORT = 1 << 9,	      /* destination port within dport_first..dport_last */
	MATCH_LOG = 1 << 10,	      /* log with log_prefix, then do the action */
	MATCH_ALWAYS = 1 << 11,	      /* matches every packet whatever the other fields hold */
};

/* Map `rule`: ARRAY. A rules object of the datastore becomes runs of consecutive entries. */
struct policy_rule {
	__u32 src_set;	   /* 0: any source */
	__u32 dst_set;	   /* 0: any destination */
	__u32 rule_id;	   /* stable; index into `rule_hits`, key of `rule_info` */
	__u32 src_portset; /* 0: none; else index into `portset` */
	__u32 dst_portset;
	__u16 sport_first, sport_last; /* host order, both ends included */
	__u16 dport_first, dport_last;
	__u16 flags; /* enum match_flags */
	enum rule_action action;
	__u8 protocol;	   /* CLASS_OTHER only: protocol number; 0: any */
	__u8 not_protocol; /* CLASS_OTHER only: protocol that does not match; 0: none */
	__u8 icmp_type, icmp_code;
	__u8 not_icmp_type, not_icmp_code;
	__u8 padding[3];
	__u32 log_prefix; /* key of `log_prefix`; 0: the default "calico-packet" */
};
ABI_ASSERT_SIZE(struct policy_rule, 44);

#define RULES_PER_STEP 32

enum step_kind {
	STEP_RULES = 1,	     /* scan `rules` rules from index `rule`; no match: continue with the next step */
	STEP_END_TIER = 2,   /* end of a tier that applied: drop */
	STEP_NO_PROFILE = 3, /* profile that is missing or invalid: drop */
	STEP_DENIED = 4,     /* the endpoint's policy could not be compiled or did not fit: drop */
} ABI_BYTE;

/* Map `step`: ARRAY. A list is a run of consecutive steps. Its end without a decision is a drop. */
struct policy_step {
	__u32 rule;  /* index into `rule` of the first rule */
	__u16 rules; /* 0..RULES_PER_STEP */
	enum step_kind kind;
	__u8 padding;
	__u32 next;    /* ACTION_NEXT continues at this step, counted from the first step of the list */
	__u32 rule_id; /* rule id counted for STEP_END_TIER .. STEP_DENIED; 0: none */
};
ABI_ASSERT_SIZE(struct policy_step, 16);

enum list_flags {
	LIST_NO_CACHE = 1 << 0, /* a rule looks at something that is not in the verdict cache's key */
};

/* Map `list`: ARRAY; list 0 is empty and denies everything. Immutable while an endpoint refers to it. */
struct policy_list {
	struct {
		__u32 first; /* index into `step` */
		__u32 steps;
	} classes[CLASS_COUNT];
	__u32 serial; /* differs between all lists ever published under this number */
	__u32 flags;  /* enum list_flags */
};
ABI_ASSERT_SIZE(struct policy_list, 40);

/*
 * Map `endpoint_policy`: ARRAY by endpoint slot. One aligned 8-byte store publishes a policy for both
 * directions; programs read it once per packet. Zero: deny everything.
 */
struct endpoint_policy {
	__u32 inbound;	/* list for packets to the endpoint */
	__u32 outbound; /* list for packets from the endpoint */
};
ABI_ASSERT_SIZE(struct endpoint_policy, 8);

/* Map `portset`: ARRAY; one bit per port, host order: bit (port % 64) of word[port / 64]. Entry 0 is unused.
 */
struct portset {
	__u64 word[1024];
};

/*
 * Map `verdict_cache`: PERCPU_ARRAY; each verdict has one place, by a hash of what it follows from, and goes
 * when another one needs it. Valid while generation[GENERATION_EPOCH] is `epoch`: that changes when all
 * packets are done that could see a list or row that has been replaced, and before its number gets another
 * meaning.
 */
#define VERDICTS 2048
struct cached_verdict {
	__u32 list;
	__u32 source, destination; /* rows; 0: in no set */
	__u16 port;		   /* destination; of ICMP: type * 256 + code */
	__u8 protocol;
	__u8 family; /* 4 or 6; 0: no verdict */
	__u32 epoch;
	__u8 reason;  /* enum drop_reason; 0: allowed */
	__u8 inbound; /* which direction the list was asked about */
	__u8 padding[2];
	__u32 passed;  /* id of the rule with ACTION_NEXT that matched; 0: none */
	__u32 decided; /* id of the rule that decided; 0: none */
};
ABI_ASSERT_SIZE(struct cached_verdict, 32);

/* Map `rule_info`: HASH by rule id; says in words which rule a number means. */
#define RULE_NAME_LENGTH 88
#define RULE_TEXT_LENGTH 184
struct rule_info {
	char object[RULE_NAME_LENGTH]; /* "profile NAME", "policy TIER/NAME" */
	char direction[12];	       /* "inbound" or "outbound" */
	__u32 position;		       /* from 1, as `calicoctl profile NAME rule show` counts */
	char text[RULE_TEXT_LENGTH];   /* the rule in its words; "..." at the end: there is more of it */
};
ABI_ASSERT_SIZE(struct rule_info, 288);

#define LOG_PREFIX_LENGTH 28
struct log_prefix {
	char text[LOG_PREFIX_LENGTH];
};

/* ---- endpoints --------------------------------------------------------------------------------------- */

enum endpoint_state {
	ENDPOINT_NONE = 0,     /* slot is free */
	ENDPOINT_ACTIVE = 1,   /* policy decides */
	ENDPOINT_INACTIVE = 2, /* state "inactive" in the datastore, or not ready: drop */
};

enum endpoint_flags {
	ENDPOINT_CHECK_MAC = 1 << 0, /* the endpoint has a MAC: packets from it must carry it */
	ENDPOINT_HOST = 1 << 1,	     /* a host endpoint: its interfaces are in `host_interface` */
};

/* Map `endpoint`: ARRAY by slot; slot 0 is never used. */
struct endpoint {
	__u32 ifindex; /* of the host side veth; 0: a host endpoint */
	enum endpoint_state state;
	__u16 flags;   /* enum endpoint_flags */
	__u16 sandbox; /* endpoints with the same are of one container, which may send from all; 0: it has one
			*/
	__u32 generation_slot;
	__u8 mac[6];	  /* container side; where packets to the endpoint are addressed */
	__u8 host_mac[6]; /* host side; the container's gateway */
	char name[16];	  /* of the interface, or of the host endpoint, for people */
};
ABI_ASSERT_SIZE(struct endpoint, 44);

/* Map `interface`: HASH ifindex -> endpoint slot. An interface that is not here is unknown: drop. */
struct interface {
	__u32 endpoint;
};

/* Map `uplink`: HASH by ifindex; an interface towards other hosts that carries the uplink programs. */
struct uplink {
	char name[16];	 /* for people */
	__u32 xdp;	 /* 1: what arrives is screened by XDP, 0: by from_uplink */
	__u8 address[4]; /* what flows that leave by it are translated to; zero: left to the kernel */
};

/* Map `routing`: ARRAY of one entry. */
struct routing {
	__u32 serial; /* another one after each change of uplinks, links, addresses, routes and their rules */
};

/*
 * Map `next_hop`: PERCPU_ARRAY; where packets of a flow leave by an uplink, at the place that the flow's hash
 * names. Believed until `routing` has another serial, and for a quarter of a second: there may be nobody to
 * tell. All that the routing table looks at is compared.
 */
#define NEXT_HOPS 2048
struct next_hop {
	__be32 source[4], destination[4]; /* of the packets; IPv4 in element 0 */
	__be16 source_port, destination_port;
	__be32 tos; /* IPv6: traffic class and flow label */
	__u8 protocol;
	__u8 family;   /* 4 or 6; 0: empty */
	__u16 mtu;     /* of the route */
	__u32 from;    /* interface that they come from */
	__u32 serial;  /* of `routing` */
	__u64 found;   /* jiffies */
	__u32 ifindex; /* to be left by */
	/* As in struct bpf_redir_neigh: */
	__u32 next_family; /* AF_INET, AF_INET6 */
	__be32 next[4];
};
ABI_ASSERT_SIZE(struct next_hop, 88);

/* ---- screening: what arrives at an uplink and can never be delivered -------------------------------- */

/* Maps `blocked4`, `blocked6`: LPM_TRIE by prefix. The block list: sources that reach no endpoint. */
struct blocked {
	__u32 blocked; /* 1 */
};

/* Map `screening`: ARRAY of one entry. */
struct screening {
	__u32 serial; /* never 0; another one after each change of the block list */
	__u32 by_tc;  /* 1: an uplink has no XDP program */
};

/* Map `source`: LRU_HASH by address (IPv4 as ::ffff:a.b.c.d); a source's budget of new flows. */
struct source_budget {
	__u32 flows;  /* that it may open now */
	__u32 filled; /* low half of jiffies when some were added last */
};

/*
 * Map `host_interface`: HASH by ifindex; an interface of the host with a host endpoint, whose policy holds
 * for what the host itself receives and sends there. Slots, by family; 0: none, nothing is judged.
 */
struct host_interface {
	__u32 endpoint4, endpoint6;
	char name[16]; /* for people */
};
ABI_ASSERT_SIZE(struct host_interface, 24);

/* Map `failsafe`: ARRAY of struct portset. TCP ports that are open on them whatever policy says. */
enum failsafe { FAILSAFE_INBOUND, FAILSAFE_OUTBOUND, FAILSAFE_COUNT };

/* ---- counters ---------------------------------------------------------------------------------------- */

struct traffic {
	__u64 packets;
	__u64 bytes;
};

/* Map `drops`: PERCPU_HASH; created at an interface's first drop. Totals: `drop_totals`, by reason. */
struct drop_key {
	__u32 ifindex; /* of the endpoint whose rule, address or state made us drop */
	enum drop_reason reason;
};
ABI_ASSERT_SIZE(struct drop_key, 8);

/* ---- events ------------------------------------------------------------------------------------------ */

/*
 * Map `events`: RINGBUF. Emitted for LOG rules, and for drops when settings.drop_events is set. Map
 * `events_lost`: PERCPU_ARRAY, entry 0: matches of LOG rules that were not emitted, for want of room in the
 * ring or because one interface had too many.
 */
struct packet_event {
	__u32 ifindex;
	__u32 reason;  /* enum drop_reason; 0 for a LOG rule */
	__u32 rule_id; /* 0: none */
	__u32 log_prefix;
	__be32 source[4]; /* IPv4 in element 0 */
	__be32 destination[4];
	__be16 source_port, destination_port; /* ICMP: type and code in the low bytes */
	__u8 protocol;
	__u8 family;  /* 4 or 6 */
	__u16 length; /* of the frame */
};

/* ---- settings ---------------------------------------------------------------------------------------- */

/* MAC of every host side veth: the containers' gateway never changes. Locally administered. */
#define HOST_MAC 0xee, 0xee, 0xee, 0xee, 0xee, 0xfe

enum host_action { HOST_RETURN = 0, HOST_DROP = 1, HOST_ACCEPT = 2 }; /* DefaultEndpointToHostAction */
enum drop_action {
	DROP_DROP = 0,
	DROP_LOG_DROP = 1,
	DROP_ACCEPT = 2,
	DROP_LOG_ACCEPT = 3
}; /* DropActionOverride */

/* `const volatile struct settings settings` in every object's rodata; set between open and load. */
struct settings {
	__u32 generation_base;	/* differs at each start: all flows of earlier runs are re-checked once */
	__u32 host_action;	/* enum host_action */
	__u32 drop_action;	/* enum drop_action */
	__u32 keep_established; /* EstablishedFlows=keep: policy changes do not cut flows */
	__u32 drop_events;	/* emit an event per (rate limited) drop */
	/*
	 * Marks of packets, each one bit of skb->mark. Only from_endpoint sets them. It clears them on
	 * arrival, so that a container cannot forge one. What has neither the first nor the third was let in
	 * by no program, and the host's netfilter drops it.
	 */
	__u32 mark_approved;   /* both policies that live on this host allowed it */
	__u32 mark_nat_out;    /* to be masqueraded by the host */
	__u32 mark_to_host;    /* for the host itself, and allowed to reach it */
	__u32 mark_mask;       /* all bits that are ours */
	__be32 gateway4;       /* 169.254.1.1 */
	__u32 hz;	       /* jiffies per second of the running kernel */
	__u32 flows[2];	       /* entries of flow4 and flow6 */
	__u32 opened[2];       /* entries of opened4 and opened6: powers of two */
	__u32 opened_shift[2]; /* places of their parts, the logarithm: at most 16384 parts, see struct flow
				*/
	__u32 host_endpoints;  /* these programs are on interfaces with a host endpoint */
	__u32 source_limit;    /* flows per second that one source outside may open; 0: any number */
	__u32 sweep_alone_s; /* seconds without the daemon's sweep until the kernel sweeps by itself; 0: never
			      */
	__u8 host_mac[6];    /* of every host side veth */
	__u16 nat_port_first; /* the ports that flows are translated to */
	__u16 nat_ports;      /* how many; 0: the host's kernel translates */
	__u8 padding[2];
	__be32 gateway6[4]; /* fe80::1 */
};

#endif
