/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Builds packets from a description that fits into a row of a test table: what is not said is what a correct
 * packet has (lengths, checksums, addresses of the usual sender and its gateway). Faults are said explicitly.
 */
#ifndef TESTS_BPF_PACKET_H
#define TESTS_BPF_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 4096
#define MAC_LENGTH 6

struct packet {
	uint8_t data[PACKET_MAX];
	size_t length;
};

enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

/* Ways in which a packet is wrong; lengths are those written into the header, in the header's own unit. */
struct packet_faults {
	size_t cut;	       /* keep only that many bytes of the frame */
	uint16_t total_length; /* of the IPv4 packet, or payload length of the IPv6 packet */
	uint8_t header_length; /* IPv4, in 32-bit words */
	uint8_t version;       /* in the IP header */
	uint8_t data_offset;   /* TCP, in 32-bit words */
	uint16_t udp_length;
	uint8_t segments_left; /* of an IPv6 routing header */
	size_t padding;	       /* bytes after the IP packet, as Ethernet adds to short frames */
};

struct frame {
	const uint8_t *source_mac, *destination_mac; /* NULL: sender's and its gateway's */
	uint16_t vlan;				     /* 0: untagged */
	uint16_t ethertype;			     /* 0: by the addresses' family */
	const char *source, *destination;	     /* text; the family of the packet follows */
	uint8_t protocol;
	uint16_t source_port, destination_port; /* of TCP, UDP, UDPLite, SCTP */
	uint8_t tcp;				/* enum tcp_flag; 0: SYN */
	uint8_t icmp_type, icmp_code;
	uint16_t icmp_id;
	uint8_t ttl; /* 0: 64 */

	uint16_t fragment_offset; /* in 8 bytes; the L4 header is left out when it is not 0 */
	bool more_fragments, dont_fragment;
	bool atomic_fragment; /* IPv6: a fragment header that says "whole packet" */
	uint32_t fragment_id;
	const uint8_t *options; /* IPv4, a multiple of four bytes */
	size_t options_length;
	uint8_t extensions[12]; /* IPv6 header numbers in order, each of 8 bytes; count says how many */
	size_t extension_count;

	const void *payload; /* NULL: payload_length bytes of a pattern */
	size_t payload_length;
	const struct frame
		*inner; /* the payload is this one's IP packet, at most payload_length bytes if not 0 */
	struct packet_faults faults;
};

extern const uint8_t PACKET_SENDER_MAC[MAC_LENGTH], PACKET_GATEWAY_MAC[MAC_LENGTH];

/* Aborts the program when the description itself is impossible (bad address, too long). */
void packet_build(const struct frame *frame, struct packet *ret);

struct arp_frame {
	const uint8_t *source_mac, *destination_mac; /* of the Ethernet header; NULL: sender's, broadcast */
	uint16_t operation;			     /* 1 request, 2 reply */
	const uint8_t *sender_mac;		     /* NULL: PACKET_SENDER_MAC */
	const char *sender, *target;
	const uint8_t *target_mac; /* NULL: zero */
};
void packet_build_arp(const struct arp_frame *arp, struct packet *ret);

/* Body of a neighbour solicitation or advertisement: the target and one link-layer address option. */
#define ND_BODY_LENGTH 24
void packet_nd_body(const char *target, uint8_t option, const uint8_t mac[MAC_LENGTH],
		    uint8_t ret[ND_BODY_LENGTH]);

/* Views into a built or received packet (untagged). */
const uint8_t *packet_ip(const struct packet *packet);
/* True when every checksum from the IP header on (ICMP errors included) is correct. */
bool packet_checksums_hold(const struct packet *packet);

#endif
