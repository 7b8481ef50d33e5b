/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packets for the tests, built layer by layer from the inside of a description. */
#include "packet.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IPPROTO_UDPLITE_NUMBER 136
#define IPV6_FRAGMENT	       44
#define IPV6_AUTHENTICATION    51
#define IPV6_ROUTING	       43

const uint8_t PACKET_SENDER_MAC[MAC_LENGTH] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
const uint8_t PACKET_GATEWAY_MAC[MAC_LENGTH] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xfe};
static const uint8_t broadcast_mac[MAC_LENGTH] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void impossible(const char *what)
{
	fprintf(stderr, "packet: %s\n", what);
	abort();
}

static void append(struct packet *packet, const void *bytes, size_t length)
{
	if (packet->length + length > PACKET_MAX)
		impossible("too long");
	if (bytes)
		memcpy(packet->data + packet->length, bytes, length);
	else
		memset(packet->data + packet->length, 0, length);
	packet->length += length;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static uint32_t sum(const uint8_t *bytes, size_t length, uint32_t start)
{
	for (size_t i = 0; i < length; i++)
		start += i % 2 ? bytes[i] : bytes[i] << 8;
	return start;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return ~total & 0xffff;
}

struct address {
	int family;
	uint8_t bytes[16];
	size_t length;
};

static struct address address(const char *text)
{
	struct address ret = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	if (inet_pton(ret.family, text, ret.bytes) != 1)
		impossible(text);
	ret.length = ret.family == AF_INET6 ? 16 : 4;
	return ret;
}

/* Where the checksum of a transport header stands; 0: it has none (or no pseudo header: ICMP is at 2 too). */
static size_t checksum_offset(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE_NUMBER:
		return 6;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 2;
	default:
		return 0;
	}
}

/* The checksum over a transport header and its payload as if its field were zero (or as it stands). */
static uint16_t transport_checksum(const uint8_t *ip, uint8_t protocol, const uint8_t *l4, size_t length)
{
	uint32_t total = sum(l4, length, 0);
	if (protocol != IPPROTO_ICMP) {
		bool is_v6 = ip[0] >> 4 == 6;
		total = sum(is_v6 ? ip + 8 : ip + 12, is_v6 ? 32 : 8, total);
		total += protocol + length;
	}
	return fold(total);
}

static void append_transport(const struct frame *frame, struct packet *packet)
{
	uint8_t header[20] = {0};
	put16(header, frame->source_port);
	put16(header + 2, frame->destination_port);
	switch (frame->protocol) {
	case IPPROTO_TCP:
		header[7] = 1; /* a sequence number */
		header[12] = (frame->faults.data_offset ? frame->faults.data_offset : 5) << 4;
		header[13] = frame->tcp ? frame->tcp : TCP_SYN;
		put16(header + 14, 65535);
		append(packet, header, 20);
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE_NUMBER:
		append(packet, header, 8); /* the length follows when the payload is known */
		break;
	case IPPROTO_SCTP:
		append(packet, header, 12);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		memset(header, 0, sizeof(header));
		header[0] = frame->icmp_type;
		header[1] = frame->icmp_code;
		put16(header + 4, frame->icmp_id);
		/* Neighbour discovery has four reserved bytes here too, so that a body follows at 8. */
		append(packet, header, 8);
		break;
	}
}

static void build_ip(const struct frame *frame, struct packet *ret);

static void append_payload(const struct frame *frame, struct packet *packet)
{
	if (frame->inner) {
		struct packet inner = {0};
		build_ip(frame->inner, &inner);
		size_t length = frame->payload_length ? frame->payload_length : inner.length;
		append(packet, inner.data, length < inner.length ? length : inner.length);
		return;
	}
	size_t start = packet->length;
	append(packet, frame->payload, frame->payload_length);
	for (size_t i = 0; !frame->payload && i < frame->payload_length; i++)
		packet->data[start + i] = 'a' + i % 26;
}

static void append_ip4(const struct frame *frame, struct packet *packet)
{
	struct address source = address(frame->source), destination = address(frame->destination);
	uint8_t header[20] = {0};
	uint8_t words = frame->faults.header_length ?: 5 + frame->options_length / 4;
	uint16_t flags = frame->fragment_offset;
	header[0] = (frame->faults.version ?: 4) << 4 | words;
	put16(header + 4, frame->fragment_id);
	flags |= frame->more_fragments ? 0x2000 : 0;
	flags |= frame->dont_fragment ? 0x4000 : 0;
	put16(header + 6, flags);
	header[8] = frame->ttl ?: 64;
	header[9] = frame->protocol;
	memcpy(header + 12, source.bytes, 4);
	memcpy(header + 16, destination.bytes, 4);
	append(packet, header, 20);
	append(packet, frame->options, frame->options_length);
}

static bool has_fragment_header(const struct frame *frame)
{
	return frame->fragment_offset || frame->more_fragments || frame->atomic_fragment;
}

static void append_extension(const struct frame *frame, uint8_t kind, uint8_t next, struct packet *packet)
{
	uint8_t header[16] = {next};
	switch (kind) {
	case IPV6_FRAGMENT:
		put16(header + 2, frame->fragment_offset << 3 | frame->more_fragments);
		put16(header + 4, frame->fragment_id >> 16);
		put16(header + 6, frame->fragment_id & 0xffff);
		append(packet, header, 8);
		break;
	case IPV6_AUTHENTICATION:
		header[1] = 2; /* in 4 bytes, minus 2 (RFC 4302, 2.2) */
		append(packet, header, 16);
		break;
	case IPV6_ROUTING:
		header[3] = frame->faults.segments_left;
		append(packet, header, 8);
		break;
	default: /* options: one PadN of four bytes */
		header[2] = 1;
		header[3] = 4;
		append(packet, header, 8);
		break;
	}
}

static void append_ip6(const struct frame *frame, struct packet *packet)
{
	struct address source = address(frame->source), destination = address(frame->destination);
	uint8_t chain[14], header[40] = {0};
	size_t count = 0;
	for (; count < frame->extension_count; count++)
		chain[count] = frame->extensions[count];
	if (has_fragment_header(frame))
		chain[count++] = IPV6_FRAGMENT;
	chain[count] = frame->protocol;
	header[0] = (frame->faults.version ?: 6) << 4;
	header[6] = chain[0];
	header[7] = frame->ttl ?: 64;
	memcpy(header + 8, source.bytes, 16);
	memcpy(header + 24, destination.bytes, 16);
	append(packet, header, 40);
	for (size_t i = 0; i < count; i++)
		append_extension(frame, chain[i], chain[i + 1], packet);
}

/* Lengths and checksums, now that everything stands in its place; `l4` is the offset of the transport. */
static void finish(const struct frame *frame, struct packet *packet, size_t l4)
{
	uint8_t *ip = packet->data;
	size_t length = packet->length - l4;
	bool is_v6 = strchr(frame->source, ':');
	bool is_udp = frame->protocol == IPPROTO_UDP || frame->protocol == IPPROTO_UDPLITE_NUMBER;
	if (is_udp && !frame->fragment_offset)
		put16(ip + l4 + 4, frame->faults.udp_length ?: length);
	if (is_v6) {
		put16(ip + 4, frame->faults.total_length ?: packet->length - 40);
	} else {
		put16(ip + 2, frame->faults.total_length ?: packet->length);
		put16(ip + 10, fold(sum(ip, 20 + frame->options_length, 0)));
	}
	size_t offset = checksum_offset(frame->protocol);
	if (offset && !frame->fragment_offset && !frame->more_fragments && length >= offset + 2)
		put16(ip + l4 + offset, transport_checksum(ip, frame->protocol, ip + l4, length));
}

static void build_ip(const struct frame *frame, struct packet *ret)
{
	bool is_v6 = strchr(frame->source, ':');
	*ret = (struct packet){.length = 0};
	if (is_v6)
		append_ip6(frame, ret);
	else
		append_ip4(frame, ret);
	size_t l4 = ret->length;
	if (!frame->fragment_offset)
		append_transport(frame, ret);
	append_payload(frame, ret);
	finish(frame, ret, l4);
}

static void append_ethernet(const uint8_t *destination, const uint8_t *source, uint16_t vlan,
			    uint16_t ethertype, struct packet *packet)
{
	uint8_t type[2], tag[4] = {ETHERTYPE_VLAN >> 8, ETHERTYPE_VLAN & 0xff};
	append(packet, destination, MAC_LENGTH);
	append(packet, source, MAC_LENGTH);
	if (vlan) {
		put16(tag + 2, vlan);
		append(packet, tag, sizeof(tag));
	}
	put16(type, ethertype);
	append(packet, type, sizeof(type));
}

void packet_build(const struct frame *frame, struct packet *ret)
{
	struct packet ip;
	build_ip(frame, &ip);
	uint16_t ethertype = strchr(frame->source, ':') ? ETHERTYPE_IPV6 : ETHERTYPE_IP;
	ret->length = 0;
	append_ethernet(frame->destination_mac ?: PACKET_GATEWAY_MAC, frame->source_mac ?: PACKET_SENDER_MAC,
			frame->vlan, frame->ethertype ?: ethertype, ret);
	append(ret, ip.data, ip.length);
	append(ret, NULL, frame->faults.padding);
	if (frame->faults.cut && frame->faults.cut < ret->length)
		ret->length = frame->faults.cut;
}

void packet_build_arp(const struct arp_frame *arp, struct packet *ret)
{
	static const uint8_t start[] = {0, 1, 8, 0, 6, 4, 0};
	struct address sender = address(arp->sender), target = address(arp->target);
	uint8_t operation = arp->operation;
	ret->length = 0;
	append_ethernet(arp->destination_mac ?: broadcast_mac, arp->source_mac ?: PACKET_SENDER_MAC, 0,
			ETHERTYPE_ARP, ret);
	append(ret, start, sizeof(start));
	append(ret, &operation, 1);
	append(ret, arp->sender_mac ?: PACKET_SENDER_MAC, MAC_LENGTH);
	append(ret, sender.bytes, 4);
	append(ret, arp->target_mac, MAC_LENGTH);
	append(ret, target.bytes, 4);
}

void packet_nd_body(const char *target, uint8_t option, const uint8_t mac[MAC_LENGTH],
		    uint8_t ret[ND_BODY_LENGTH])
{
	memcpy(ret, address(target).bytes, 16);
	ret[16] = option;
	ret[17] = 1; /* in 8 bytes */
	memcpy(ret + 18, mac, MAC_LENGTH);
}

const uint8_t *packet_ip(const struct packet *packet)
{
	return packet->data + ETHER_HDR_LEN;
}

bool packet_checksums_hold(const struct packet *packet)
{
	const uint8_t *ip = packet_ip(packet), *l4;
	size_t length;
	uint8_t protocol;
	if (ip[0] >> 4 == 6) {
		protocol = ip[6];
		l4 = ip + 40;
		length = get16(ip + 4);
	} else {
		size_t header = (ip[0] & 15) * 4;
		if (fold(sum(ip, header, 0)))
			return false;
		protocol = ip[9];
		l4 = ip + header;
		length = get16(ip + 2) - header;
	}
	return !checksum_offset(protocol) || transport_checksum(ip, protocol, l4, length) == 0;
}
