/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What all stages share: settings, constants of the wire, and `struct packet`, the description of a packet
 * that the first stage fills and the others read.
 *
 * A stage returns 0 to continue with the next one, a negative drop reason, or a positive enum outcome.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "maps.h"

const volatile struct settings settings;

enum { TC_ACT_OK = 0, TC_ACT_SHOT = 2, TC_ACT_REDIRECT = 7 };

enum ethertype {
	ETH_P_IP = 0x0800,
	ETH_P_ARP = 0x0806,
	ETH_P_8021Q = 0x8100,
	ETH_P_IPV6 = 0x86dd,
	ETH_P_8021AD = 0x88a8
};

enum protocol {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_ICMP = 1,
	PROTOCOL_IPIP = 4,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_DCCP = 33,
	PROTOCOL_IPV6 = 41,
	PROTOCOL_GRE = 47,
	PROTOCOL_MINIMAL = 55, /* encapsulation (RFC 2004) */
	PROTOCOL_IPIP_OLD = 94,
	PROTOCOL_ETHERIP = 97,
	PROTOCOL_ENCAP = 98,
	PROTOCOL_L2TP = 115,
	PROTOCOL_MPLS = 137,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_AH = 51,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_DESTINATION = 60,
	PROTOCOL_SCTP = 132,
	PROTOCOL_UDPLITE = 136,
};

enum tcp_flags { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	ICMP_TIMESTAMP = 13, /* the answer's type is one more, as of all questions that follow */
	ICMP_INFORMATION = 15,
	ICMP_ADDRESS_MASK = 17,
	ICMP_EXTENDED_ECHO = 42,
};

enum icmpv6_type {
	ICMPV6_PARAMETER_PROBLEM = 4, /* 1 to 4 are the errors */
	ICMPV6_ECHO = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_NODE_INFORMATION = 139,
	ICMPV6_EXTENDED_ECHO = 160,
	ICMPV6_MLD_QUERY = 130,
	ICMPV6_MLD_DONE = 132,
	ICMPV6_ROUTER_SOLICITATION = 133,
	ICMPV6_ROUTER_ADVERTISEMENT = 134,
	ICMPV6_NEIGHBOUR_SOLICITATION = 135,
	ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,
	ICMPV6_MLD2_REPORT = 143,
};

enum outcome {
	PASS = 1, /* to the host's stack as it is; from there, to the endpoint */
	ROUTE,	  /* to the host's stack, approved */
	PEER,	  /* straight into the receiving endpoint's namespace */
	UPLINK,	  /* straight to the next hop, past the host's stack */
	ANSWER,	  /* rewritten into the answer: out where it came from */
};

enum packet_flags {
	PACKET_PORTS = 1 << 0,		/* has ports that rules can look at */
	PACKET_FIRST_FRAGMENT = 1 << 1, /* has the headers, others follow */
	PACKET_LATER_FRAGMENT = 1 << 2, /* ports and final protocol come from the first fragment's record */
	PACKET_STATELESS = 1 << 3, /* makes no flow: ICMP without an identifier, encapsulation from a host */
	PACKET_BAD_MAC = 1 << 4,   /* source MAC is not the one that the endpoint must use */
	PACKET_FROM_HOST = 1 << 5, /* this host itself sends it */
	PACKET_TO_HOST = 1 << 6,   /* this host itself receives it */
	PACKET_NAT_OUT = 1 << 7,   /* the host masquerades it */
	PACKET_REPLACE_FLOW = 1 << 8, /* its flow's entry is outdated */
	PACKET_FAULT = 1 << 9,	      /* a map entry that policy needs does not exist or cannot be read */
	PACKET_ACTIVE = 1 << 10,      /* sender's interface has an active endpoint */
	PACKET_UPLINK = 1 << 11,      /* arrives from, or leaves to, another host */
	PACKET_TRIAL = 1 << 12,	      /* judged without a trace: no rule counts or logs it */
	PACKET_ON_HOLD = 1 << 13,     /* met an endpoint whose policy is not in force at the moment */
	PACKET_REPEATABLE = 1 << 14,  /* policy looked at nothing that struct cached_verdict does not hold */
	PACKET_TRANSLATE = 1 << 15,   /* of a flow whose opener's address and port are translated here */
};

/* One direction of a flow. Addresses: IPv4 in element 0, the others zero. */
struct tuple {
	__be32 source[4], destination[4];
	__be16 source_port, destination_port; /* of ICMP, see icmp_ports(); without ports 0 */
	__u8 protocol;			      /* of the final header */
	__u8 family;			      /* 4 or 6; 0: ARP */
};

/* Where a packet enters or leaves an endpoint. Zero: not at an endpoint, or not known at this hook. */
struct attachment {
	__u32 ifindex;
	__u32 endpoint;
};

enum scan_result { SCAN_UNDECIDED = 1, SCAN_ALLOWED = 0 }; /* or a negative drop reason */

/* Progress through a policy list. Not on the stack, where the verifier would follow every value. */
struct scan {
	__u32 first; /* index into `step` of the list's first step */
	__u32 steps;
	__u32 at;   /* step to do next */
	__u32 done; /* its rules that are behind us */
	__u32 inbound;
	__s32 result;	       /* enum scan_result */
	__u32 passed, decided; /* rules that matched, as in struct cached_verdict */
	__u32 uncachable;      /* more rules matched than those */
};

/* The search for a flow that gives way, see flow_room.h. As struct scan, it is not on the stack. */
struct eviction {
	__u32 place; /* looked at next */
	__u32 end;   /* where it ends */
	__u32 account;
	/* Of those that are in use: */
	__u32 found;
	__u32 first; /* place of the oldest */
	__u32 best;  /* place of the one that is needed least */
	__s32 best_rank;
	__u32 anything; /* also what is in use */
	__u32 done;
	struct flow4_key key4, twin;
	struct flow6_key key6;
	struct tuple outside;
};

struct packet {
	struct tuple tuple;
	__u16 flags; /* enum packet_flags */
	__u8 class;  /* enum rule_class */
	__u8 hops;   /* TTL or hop limit */
	__u8 tcp_flags;
	__u8 icmp_type, icmp_code;
	bool asks; /* TCP, SCTP, DCCP: for a new connection */
	__u8 fragment_protocol;
	__be32 fragment_id;
	__u16 fragment_offset;		     /* in bytes */
	__u16 l4_offset;		     /* in the frame */
	__u32 l4_length;		     /* by the IP header; of a super-packet more than 64 KiB */
	__u16 source_port, destination_port; /* host order, for rules */
	__u8 source_mac[6];
	__u32 length;		    /* of the frame */
	struct attachment from, to; /* as the hook knows them */
	__u32 host;		    /* slot of the host endpoint that judges it, or 0 */
	__u32 host_both;	    /* over loopback: judged as leaving and as arriving */
	__u32 blame;		    /* interface that a drop is counted for */
	__u32 rule_id;		    /* that denied it, or 0 */
	__u32 traces;		    /* PACKET_TRIAL: that rules would have left */
	struct address source, destination;
	__u32 source_generation, destination_generation;
	__u32 epoch;	   /* when source and destination were looked up */
	__u32 out_ifindex; /* PEER */
	__u8 out_mac[6];
	__be16 nat_port; /* PACKET_TRANSLATE: what others see instead of the opener's */
	__be32 nat_address;
	struct scan scan;
	struct cached_verdict verdict; /* the one that is asked for */
	/* From here on not cleared: */
	struct flow twin; /* nat_probe()'s own */
	struct flow opened; /* by this packet */
	struct eviction eviction;
	__u32 place; /* of the record of the flow that it opens */
};

/* One per CPU, for the stack is too small. Packets do not interrupt each other: soft interrupts are off. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct packet);
	__uint(max_entries, 1);
} scratch SEC(".maps");

static __always_inline struct packet *packet_at_hand(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&scratch, &index);
}

static __always_inline struct packet *packet_new(void)
{
	struct packet *p = packet_at_hand();

	if (p)
		__builtin_memset(p, 0, offsetof(struct packet, twin));
	return p;
}

#define ETH_LENGTH 14
#define E2BIG	   7
#define EEXIST	   17
#define AF_INET	   2
#define AF_INET6   10

static __always_inline __u32 now(void)
{
	return (__u32)bpf_jiffies64();
}

static __always_inline bool mac_equal(const void *left, const void *right)
{
	const __u16 *a = left, *b = right;

	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

/* `settings` gets its value after compilation: through a plain pointer the compiler would read zeros. */
static __always_inline void host_mac_copy(void *to)
{
	const volatile __u16 *mac = (const volatile __u16 *)settings.host_mac;
	__u16 *out = to;

	out[0] = mac[0];
	out[1] = mac[1];
	out[2] = mac[2];
}

static __always_inline bool address_equal(const __be32 *a, const __be32 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

#endif
