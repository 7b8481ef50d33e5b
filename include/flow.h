/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flow table: keys and values of the maps flow4, flow6, nat4, opened4, opened6, flow_table, account,
 * fragment4 and fragment6, and the argument of the sweep programs. A flow is stored once for both directions.
 */
#ifndef FLOW_H
#define FLOW_H

#include "abi.h"

/*
 * Both ends in an order that does not depend on the direction of the packet: end 0 has the smaller address
 * (compared word by word, as the machine reads them), or when the addresses are equal the smaller port
 * (as it stands in the packet). Of ICMP questions and answers, the port of the end that asks is the
 * identifier, and the other one that plus the question's type; of protocols without ports, both are 0.
 */
struct flow4_key {
	__u8 address[2][4];
	__u16 port[2]; /* host order */
	__u8 protocol;
	__u8 padding[3];
} ABI_WORDS;
ABI_ASSERT_SIZE(struct flow4_key, 16);

struct flow6_key {
	__u8 address[2][16];
	__u16 port[2];
	__u8 protocol;
	__u8 padding[3];
} ABI_WORDS;
ABI_ASSERT_SIZE(struct flow6_key, 40);

enum flow_flags {
	FLOW_OPENER = 1 << 0,	   /* end 1 opened the flow, else end 0 */
	FLOW_REPLIED = 1 << 1,	   /* the other end has answered */
	FLOW_ESTABLISHED = 1 << 2, /* replied, and for TCP also acknowledged by the opener */
	FLOW_FROM_HOST = 1 << 3,   /* opened by this host: no policy applies */
	FLOW_NAT_OUT = 1 << 4,	   /* the host masquerades what leaves it */
	FLOW_ROUTED = 1 << 9,	   /* only through the host's stack, whose NAT may change it */
	FLOW_DIRECT = 1 << 10,	   /* with an end elsewhere, and no NAT on the host: past its stack */
	FLOW_TRANSLATED = 1 << 11, /* the programs translate the opener's address and port */
	FLOW_HOST = 1 << 12,	   /* of this host itself, under the policy of its host endpoint */
	FLOW_STREAM = 1 << 13,	   /* went on after its answer: UDP is more than a question then */
	/* Kept for each end: what is named is the flag of end 0; that of end 1 is the next higher bit. */
	FLOW_FIN = 1 << 5, /* sent FIN */
	FLOW_RST = 1 << 7, /* sent RST and nothing since */
};

/*
 * What this host knows about one end of a flow. Zero for an end elsewhere, but for the generation; an end
 * that is the host itself under a host endpoint has the slot and its generation, but no interface.
 */
struct flow_end {
	__u32 ifindex;	       /* of the local endpoint: its packets arrive there, and only there */
	__u32 generation_slot; /* of its address */
	__u32 generation;      /* generation_base + generation[generation_slot] when policy was judged */
	__u8 mac[6];	       /* of the local endpoint */
	__u16 endpoint;	       /* slot of the local endpoint, or of the host endpoint that judges this end */
};
ABI_ASSERT_SIZE(struct flow_end, 20);

/*
 * An entry may become another flow's while a packet reads it (see address_check()). The sum over the key at
 * both of its ends, whichever of them is written first, tells: whoever has read the entry looks at both then.
 */
struct flow {
	__u32 check;
	struct flow_end end[2];
	__u32 flags; /* enum flow_flags */
	__u32 seen;  /* low half of jiffies when a packet was seen, to a quarter of a second */
	/* FLOW_TRANSLATED: what the opener's address and port become; in nat4, what they are. */
	__u8 nat_address[4];
	__u16 nat_port; /* host order; of ICMP, which is not translated: code of the question that opened it
			 */
	__u16 opened;	/* part of opened4 or opened6 that has its record; in nat4: 0 */
	__u32 check_behind;
};
ABI_ASSERT_SIZE(struct flow, 64);

/*
 * Map `nat4`: translated flows by the tuple that others see. Such an entry holds the port for its flow, and
 * what the fast path needs for an answer; it is made from the flow's entry in flow4, and worth nothing
 * without that.
 */

/*
 * Maps `opened4`, `opened6`: ARRAY, a ring. Flows in the order in which they were opened: who has to give way
 * loses the oldest. The place of the next record counts on without end; its low bits are the index. A record
 * holds for the flow that remembers the part of the ring that the place is in, else it is outdated.
 */
struct opened4 {
	__u8 address[2][4]; /* this and what follows: as in the flow's key */
	__u16 port[2];
	__u8 protocol;
	__u8 padding;
	__u16 account; /* slot of the endpoint that the flow is counted for */
} ABI_WORDS;
ABI_ASSERT_SIZE(struct opened4, 16);

struct opened6 {
	__u8 address[2][16];
	__u16 port[2];
	__u8 protocol;
	__u8 padding;
	__u16 account;
} ABI_WORDS;
ABI_ASSERT_SIZE(struct opened6, 40);

/* Map `flow_table`: ARRAY of two entries, 0 for IPv4 and 1 for IPv6. */
struct flow_table {
	__u32 next;    /* place of the next record of opened4 or opened6 */
	__u32 share;   /* of one account, that nobody else can take; set by the sweep */
	__u32 evicted; /* flows that gave way */
	/* Which account has most, and how many: set by the sweep, and by who gets more. */
	__u32 largest, largest_flows;
	/* As the last sweep found them: */
	__u32 flows;
	__u32 accounts; /* that have flows */
	__u32 swept;	/* `next` when it began */
};
ABI_ASSERT_SIZE(struct flow_table, 32);

/* An account's flows of one family. */
struct flow_share {
	__u32 flows;
	__u32 hand; /* place from which its own oldest flow is looked for */
	/* By the sweep that is under way, which sets the others right with them: */
	__u32 found;
	__u32 oldest; /* in parts of the ring */
};

/*
 * Map `account`: ARRAY by endpoint slot. A flow counts for the endpoint that opened it, or that it was opened
 * to from elsewhere.
 */
struct account {
	struct flow_share ipv4, ipv6;
};
ABI_ASSERT_SIZE(struct account, 32);

/* Fragments after the first carry no ports: they are found under the first one's addresses and number. */
struct fragment4_key {
	__u8 source[4], destination[4];
	__be32 id; /* IPv4: the number as it stands in the packet, then two zero bytes */
	__u8 protocol;
	__u8 padding[3];
};
ABI_ASSERT_SIZE(struct fragment4_key, 16);

struct fragment6_key {
	__u8 source[16], destination[16];
	__be32 id;
	__u8 protocol;
	__u8 padding[3];
};
ABI_ASSERT_SIZE(struct fragment6_key, 40);

/* What the first fragment's headers said, as it stands in the flow's key. */
struct fragment {
	__u16 source_port, destination_port; /* host order */
	__u32 seen;			     /* low half of jiffies */
	__u8 protocol; /* of the final header; the key has that of the fragmented part */
	__u8 padding[3];
};
ABI_ASSERT_SIZE(struct fragment, 12);

/*
 * Context of the sweep programs (SEC("syscall")): run with BPF_PROG_TEST_RUN and this as ctx_in and ctx_out.
 * sweep_flows deletes what has timed out, from both tables, and settles the accounts. purge_flows deletes
 * every flow of `address`.
 */
struct sweep {
	__u32 family;	   /* in, purge: 4 or 6 */
	__be32 address[4]; /* in, purge: IPv4 in element 0 */
	__u32 live;	   /* out: flows that stay */
	__u32 deleted;	   /* out */
};

#endif
