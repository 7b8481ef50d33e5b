/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an endpoint may put on its wire: well-formed packets of its own addresses, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <net/ethernet.h>
#include <netinet/in.h>

#include "table.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t nop_options[4] = {1, 1, 1, 0};
static const uint8_t loose_route[8] = {131, 7, 4, 8, 8, 8, 8, 0};
static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t foreign_mac[6] = {2, 0, 0, 0, 0, 0x77};

/* The usual packets. */
#define TCP(from, to)                                                                                        \
	.source = from, .destination = to, .protocol = IPPROTO_TCP, .source_port = 40000,                    \
	.destination_port = 80
#define UDP(from, to)                                                                                        \
	.source = from, .destination = to, .protocol = IPPROTO_UDP, .source_port = 40000,                    \
	.destination_port = 53
#define ECHO(from, to, number, request)                                                                      \
	.source = from, .destination = to, .protocol = number, .icmp_type = request, .icmp_id = 7
#define ECHO4 ECHO(A4, B4, IPPROTO_ICMP, 8)
#define ECHO6 ECHO(A6, B6, IPPROTO_ICMPV6, 128)

static const struct row rows[] = {
	{"tcp over IPv4 passes", .frame = {TCP(A4, B4)}},
	{"udp over IPv4 passes", .frame = {UDP(A4, B4), .payload_length = 100}},
	{"echo request over IPv4 passes", .frame = {ECHO4}},
	{"tcp over IPv6 passes", .frame = {TCP(A6, B6)}},
	{"udp over IPv6 passes", .frame = {UDP(A6, B6), .payload_length = 100}},
	{"echo request over IPv6 passes", .frame = {ECHO6}},
	{"sctp passes",
	 .frame = {.source = A4, .destination = B4, .protocol = IPPROTO_SCTP, .destination_port = 9}},
	{"protocol without ports passes",
	 .frame = {.source = A4, .destination = B4, .protocol = 123, .payload_length = 8}},
	{"short frame padded by Ethernet passes", .frame = {UDP(A4, B4), .faults.padding = 18}},
	{"jumbo payload passes", .frame = {UDP(A4, B4), .payload_length = 3000}},

	{"frame with a VLAN tag", .frame = {TCP(A4, B4), .vlan = 5}, .reason = DROP_REASON_VLAN},
	{"frame with a service VLAN tag", .frame = {TCP(A4, B4), .ethertype = 0x88a8},
	 .reason = DROP_REASON_VLAN},
	{"MPLS frame", .frame = {TCP(A4, B4), .ethertype = 0x8847}, .reason = DROP_REASON_ETHERTYPE},
	{"802.3 frame with a length", .frame = {TCP(A4, B4), .ethertype = 100},
	 .reason = DROP_REASON_ETHERTYPE},
	{"PPPoE frame", .frame = {TCP(A4, B4), .ethertype = 0x8864}, .reason = DROP_REASON_ETHERTYPE},
	{"IPv4 ethertype with version 6", .frame = {TCP(A4, B4), .faults.version = 6},
	 .reason = DROP_REASON_MALFORMED},
	{"IPv6 ethertype with version 4", .frame = {TCP(A6, B6), .faults.version = 4},
	 .reason = DROP_REASON_MALFORMED},
	{"IPv6 packet under the IPv4 ethertype", .frame = {TCP(A6, B6), .ethertype = 0x0800},
	 .reason = DROP_REASON_MALFORMED},

	{"IPv4 header length 4", .frame = {TCP(A4, B4), .faults.header_length = 4},
	 .reason = DROP_REASON_MALFORMED},
	{"IPv4 header length 0", .frame = {TCP(A4, B4), .faults.header_length = 16},
	 .reason = DROP_REASON_MALFORMED},
	{"IPv4 header length beyond the packet", .frame = {UDP(A4, B4), .faults.header_length = 15},
	 .reason = DROP_REASON_MALFORMED},
	{"IPv4 options", .frame = {TCP(A4, B4), .options = nop_options, .options_length = 4},
	 .reason = DROP_REASON_IP_OPTIONS},
	{"IPv4 loose source route", .frame = {TCP(A4, B4), .options = loose_route, .options_length = 8},
	 .reason = DROP_REASON_IP_OPTIONS},
	{"IPv4 total length below its header", .frame = {TCP(A4, B4), .faults.total_length = 19},
	 .reason = DROP_REASON_MALFORMED},
	{"IPv4 total length beyond the frame", .frame = {TCP(A4, B4), .faults.total_length = 1000},
	 .reason = DROP_REASON_SHORT},
	{"IPv4 total length leaves half a tcp header", .frame = {TCP(A4, B4), .faults.total_length = 30},
	 .reason = DROP_REASON_SHORT},
	{"IPv4 total length leaves half a udp header", .frame = {UDP(A4, B4), .faults.total_length = 24},
	 .reason = DROP_REASON_SHORT},
	{"IPv6 payload length beyond the frame", .frame = {TCP(A6, B6), .faults.total_length = 1000},
	 .reason = DROP_REASON_SHORT},
	{"tcp data offset 4", .frame = {TCP(A4, B4), .faults.data_offset = 4},
	 .reason = DROP_REASON_MALFORMED},
	{"tcp data offset beyond the packet", .frame = {TCP(A4, B4), .faults.data_offset = 15},
	 .reason = DROP_REASON_MALFORMED},
	{"tcp data offset 4 over IPv6", .frame = {TCP(A6, B6), .faults.data_offset = 4},
	 .reason = DROP_REASON_MALFORMED},
	{"udp length below its header", .frame = {UDP(A4, B4), .faults.udp_length = 7},
	 .reason = DROP_REASON_MALFORMED},
	{"udp length beyond the packet", .frame = {UDP(A4, B4), .faults.udp_length = 200},
	 .reason = DROP_REASON_MALFORMED},

	{"IPv6 hop-by-hop and destination options",
	 .frame = {TCP(A6, B6), .extensions = {0, 60}, .extension_count = 2}},
	{"IPv6 authentication header", .frame = {TCP(A6, B6), .extensions = {51}, .extension_count = 1}},
	{"IPv6 no next header",
	 .frame = {.source = A6, .destination = B6, .protocol = 59, .payload_length = 8}},
	{"IPv6 ESP", .frame = {.source = A6, .destination = B6, .protocol = 50, .payload_length = 24}},
	{"IPv6 routing header that is done",
	 .frame = {TCP(A6, B6), .extensions = {43}, .extension_count = 1}},
	{"IPv6 routing header that goes on",
	 .frame = {TCP(A6, B6), .extensions = {43}, .extension_count = 1, .faults.segments_left = 1},
	 .reason = DROP_REASON_IP_OPTIONS},
	{"IPv6 chain of nine extension headers",
	 .frame = {TCP(A6, B6), .extensions = {60, 60, 60, 60, 60, 60, 60, 60, 60}, .extension_count = 9},
	 .reason = DROP_REASON_IP_OPTIONS},

	{"another endpoint's IPv4 address", .frame = {TCP(B4, A4)}, .reason = DROP_REASON_SPOOFED_IP},
	{"a remote endpoint's IPv4 address", .frame = {TCP(REMOTE4, B4)}, .reason = DROP_REASON_SPOOFED_IP},
	{"an unused address of the pool", .frame = {TCP(UNUSED4, B4)}, .reason = DROP_REASON_SPOOFED_IP},
	{"an external IPv4 address", .frame = {TCP(EXTERNAL4, B4)}, .reason = DROP_REASON_SPOOFED_IP},
	{"the host's IPv4 address", .frame = {TCP(HOST4, B4)}, .reason = DROP_REASON_SPOOFED_IP},
	{"source 0.0.0.0", .frame = {TCP("0.0.0.0", B4)}, .reason = DROP_REASON_SPOOFED_IP},
	{"source 127.0.0.1", .frame = {TCP("127.0.0.1", B4)}, .reason = DROP_REASON_SPOOFED_IP},
	{"another endpoint's IPv6 address", .frame = {TCP(B6, A6)}, .reason = DROP_REASON_SPOOFED_IP},
	{"an external IPv6 address", .frame = {TCP(EXTERNAL6, B6)}, .reason = DROP_REASON_SPOOFED_IP},
	{"IPv6 source ::", .frame = {TCP("::", B6)}, .reason = DROP_REASON_SPOOFED_IP},
	{"IPv4-mapped IPv6 source", .frame = {TCP("::ffff:10.65.0.2", B6)}, .reason = DROP_REASON_SPOOFED_IP},
	{"foreign source MAC over IPv4", .frame = {TCP(A4, B4), .source_mac = foreign_mac},
	 .reason = DROP_REASON_SPOOFED_MAC},
	{"foreign source MAC over IPv6", .frame = {TCP(A6, B6), .source_mac = foreign_mac},
	 .reason = DROP_REASON_SPOOFED_MAC},
	{"interface without an endpoint", .from = SLOT_STRANGER, .frame = {TCP(A4, B4)},
	 .reason = DROP_REASON_UNKNOWN_INTERFACE},
	{"inactive endpoint", .from = SLOT_C, .frame = {TCP(C4, B4), .source_mac = C_MAC},
	 .reason = DROP_REASON_ENDPOINT_INACTIVE},

	{"limited broadcast", .frame = {UDP(A4, "255.255.255.255"), .destination_mac = broadcast_mac},
	 .reason = DROP_REASON_BROADCAST},
	{"IPv4 multicast", .frame = {UDP(A4, "224.0.0.251")}, .reason = DROP_REASON_BROADCAST},
	{"IPv6 multicast", .frame = {UDP(A6, "ff02::fb")}, .reason = DROP_REASON_BROADCAST},
	{"loopback destination", .frame = {UDP(A4, "127.0.0.1")}, .reason = DROP_REASON_MARTIAN},

	{"IPIP to another host",
	 .frame = {.source = A4,
		   .destination = "172.30.0.3",
		   .protocol = IPPROTO_IPIP,
		   .inner = &(const struct frame){TCP(A4, B4)}},
	 .reason = DROP_REASON_TUNNEL},
	{"IPIP to this host",
	 .frame = {.source = A4,
		   .destination = HOST4,
		   .protocol = IPPROTO_IPIP,
		   .inner = &(const struct frame){TCP(A4, B4)}},
	 .reason = DROP_REASON_TUNNEL},
	{"IPv6 in IPv4",
	 .frame = {.source = A4,
		   .destination = HOST4,
		   .protocol = IPPROTO_IPV6,
		   .inner = &(const struct frame){TCP(A6, B6)}},
	 .reason = DROP_REASON_TUNNEL},
	{"IPv6 in IPv6",
	 .frame = {.source = A6,
		   .destination = HOST6,
		   .protocol = IPPROTO_IPV6,
		   .inner = &(const struct frame){TCP(A6, B6)}},
	 .reason = DROP_REASON_TUNNEL},
};

/* A frame cut anywhere after its IP header (kernels refuse to test shorter ones) is dropped and counted. */
static void cut_everywhere(const struct frame *frame, size_t first)
{
	struct packet whole;
	packet_build(frame, &whole);
	for (size_t cut = first; cut < whole.length; cut++) {
		struct frame shorter = *frame;
		struct run run;
		shorter.faults.cut = cut;
		fixture_send(table_fixture(), SLOT_A, &shorter, &run);
		if (run_passes(&run) || run.drops != 1)
			fail_msg("cut to %zu of %zu bytes: it must be dropped and counted once", cut,
				 whole.length);
	}
}

#define IPV4_END (ETHER_HDR_LEN + 20)
#define IPV6_END (ETHER_HDR_LEN + 40)

static void test_cut_tcp4(void **state)
{
	cut_everywhere(&(const struct frame){TCP(A4, B4), .payload_length = 5}, IPV4_END);
}

static void test_cut_udp4(void **state)
{
	cut_everywhere(&(const struct frame){UDP(A4, B4), .payload_length = 5}, IPV4_END);
}

static void test_cut_icmp4(void **state)
{
	cut_everywhere(&(const struct frame){ECHO4, .payload_length = 5}, IPV4_END);
}

static void test_cut_tcp6(void **state)
{
	cut_everywhere(&(const struct frame){TCP(A6, B6), .extensions = {0, 60}, .extension_count = 2},
		       IPV6_END);
}

static void test_cut_icmp6(void **state)
{
	cut_everywhere(&(const struct frame){ECHO6, .payload_length = 5}, IPV6_END);
}

/* Whatever 64 random bytes after the ethertype are, nothing passes that is not a flow of A itself. */
static void test_garbage_never_passes_for_another(void **state)
{
	unsigned int ifindex = table_fixture()->ifindex[SLOT_A];
	const struct hook hook = {FROM_ENDPOINT, ifindex, ifindex, 0};
	struct packet packet;
	struct run run;
	unsigned int seed = 1;
	packet_build(&(const struct frame){TCP(A4, B4), .payload_length = 64}, &packet);
	for (int round = 0; round < 20000; round++) {
		packet.data[12] = 0x08 + (round % 2) * 0x7e; /* 0x0800 or 0x86dd */
		packet.data[13] = (round % 2) * 0xdd;
		for (size_t i = ETHER_HDR_LEN; i < packet.length; i++)
			packet.data[i] = rand_r(&seed) >> 8;
		packet.data[ETHER_HDR_LEN] = round % 2 ? 0x60 : 0x45;
		progrun_packet(table_fixture()->progrun, &hook, &packet, &run);
		if (run_passes(&run) || run.drops != 1)
			fail_msg("random packet %d: it must be dropped and counted once", round);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_cut_tcp4, table_reset),
		cmocka_unit_test_setup(test_cut_udp4, table_reset),
		cmocka_unit_test_setup(test_cut_icmp4, table_reset),
		cmocka_unit_test_setup(test_cut_tcp6, table_reset),
		cmocka_unit_test_setup(test_cut_icmp6, table_reset),
		cmocka_unit_test_setup(test_garbage_never_passes_for_another, table_reset),
	};
	int failed = table_run("parse", rows, LENGTH(rows), NULL);
	return failed + cmocka_run_group_tests_name("cut", tests, table_setup, table_teardown);
}
