/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ARP and neighbour discovery: the gateway answers for every address, and nobody may speak for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <net/ethernet.h>
#include <netinet/in.h>

#include "table.h"

enum { SOLICITATION = 135, ADVERTISEMENT = 136, ROUTER_SOLICITATION = 133, ROUTER_ADVERTISEMENT = 134 };
enum { SOURCE_MAC_OPTION = 1, TARGET_MAC_OPTION = 2 };

#define SOLICITED_NODE_OF_GATEWAY "ff02::1:ff00:1"

static void run_packet(const struct packet *packet, struct run *ret)
{
	unsigned int ifindex = table_fixture()->ifindex[SLOT_A];
	progrun_packet(table_fixture()->progrun, &(const struct hook){FROM_ENDPOINT, ifindex, ifindex, 0},
		       packet, ret);
}

static struct run arp(const struct arp_frame *frame)
{
	struct packet packet;
	struct run run;
	packet_build_arp(frame, &packet);
	run_packet(&packet, &run);
	return run;
}

static void assert_arp_reply(const struct run *run, const char *target)
{
	struct packet expected;
	packet_build_arp(&(const struct arp_frame){.operation = 2,
						   .source_mac = HOST_VETH_MAC,
						   .destination_mac = A_MAC,
						   .sender_mac = HOST_VETH_MAC,
						   .sender = target,
						   .target_mac = A_MAC,
						   .target = A4},
			 &expected);
	assert_int_equal(run->action, TC_ACT_REDIRECT);
	assert_int_equal(run->packet.length, expected.length);
	assert_memory_equal(run->packet.data, expected.data, expected.length);
}

static void test_gateway_answers(void **state)
{
	struct run run = arp(&(const struct arp_frame){.operation = 1, .sender = A4, .target = GATEWAY4});
	assert_arp_reply(&run, GATEWAY4);
}

/* Endpoints are alone on their wire: whatever they ask for is behind the gateway. */
static void test_gateway_answers_for_any_address(void **state)
{
	struct run run = arp(&(const struct arp_frame){.operation = 1, .sender = A4, .target = B4});
	assert_arp_reply(&run, B4);
}

/* Probes (RFC 5227) have no sender: an answer would say that the address is taken. */
static void test_own_address_is_not_answered(void **state)
{
	struct run probe = arp(&(const struct arp_frame){.operation = 1, .sender = "0.0.0.0", .target = A4});
	struct run announcement = arp(&(const struct arp_frame){.operation = 1, .sender = A4, .target = A4});
	assert_int_not_equal(probe.action, TC_ACT_REDIRECT);
	assert_int_not_equal(announcement.action, TC_ACT_REDIRECT);
}

static void test_arp_for_a_foreign_address(void **state)
{
	struct run run = arp(&(const struct arp_frame){.operation = 1, .sender = B4, .target = GATEWAY4});
	assert_drops(&run, DROP_REASON_SPOOFED_ARP);
	run = arp(&(const struct arp_frame){.operation = 1, .sender = B4, .target = B4});
	assert_drops(&run, DROP_REASON_SPOOFED_ARP);
	run = arp(&(const struct arp_frame){.operation = 2, .sender = GATEWAY4, .target = HOST4});
	assert_drops(&run, DROP_REASON_SPOOFED_ARP);
}

/* Linux asks by any interface of a container, with an address of any. */
static void test_arp_for_another_address_of_the_container(void **state)
{
	struct progrun *progrun = table_fixture()->progrun;
	struct endpoint endpoint;
	struct run run;

	for (__u32 slot = SLOT_A; slot <= SLOT_B; slot++) {
		assert_true(progrun_get(progrun, "endpoint", &slot, &endpoint));
		endpoint.sandbox = 7;
		progrun_put(progrun, "endpoint", &slot, &endpoint);
	}
	run = arp(&(const struct arp_frame){.operation = 1, .sender = B4, .target = GATEWAY4});
	assert_int_equal(run.action, TC_ACT_REDIRECT);
	run = arp(&(const struct arp_frame){.operation = 1, .sender = REMOTE4, .target = GATEWAY4});
	assert_drops(&run, DROP_REASON_SPOOFED_ARP);
}

static void test_arp_with_a_foreign_mac(void **state)
{
	struct run run = arp(&(const struct arp_frame){
		.operation = 1, .sender = A4, .target = GATEWAY4, .sender_mac = B_MAC});
	assert_int_equal(run.action, TC_ACT_SHOT);
	assert_int_equal(run.drops, 1);
	run = arp(&(const struct arp_frame){
		.operation = 1, .sender = A4, .target = GATEWAY4, .source_mac = B_MAC});
	assert_int_equal(run.action, TC_ACT_SHOT);
	assert_int_equal(run.drops, 1);
}

static void test_malformed_arp(void **state)
{
	struct packet packet;
	struct run run;
	for (size_t at = 0; at < 6; at++) {
		packet_build_arp(&(const struct arp_frame){.operation = 1, .sender = A4, .target = GATEWAY4},
				 &packet);
		packet.data[ETHER_HDR_LEN + at] ^= 0x40;
		run_packet(&packet, &run);
		assert_int_equal(run.action, TC_ACT_SHOT);
		assert_int_equal(run.drops, 1);
	}
	for (size_t length = 15; length < 42; length++) {
		packet_build_arp(&(const struct arp_frame){.operation = 1, .sender = A4, .target = GATEWAY4},
				 &packet);
		packet.length = length;
		run_packet(&packet, &run);
		assert_drops(&run, DROP_REASON_SHORT);
	}
}

/* Neighbour discovery from A, with a body of the target and one option. */
static struct run discovery(uint8_t type, struct frame frame, const char *target, const uint8_t *mac)
{
	uint8_t body[ND_BODY_LENGTH];
	packet_nd_body(target, type == ADVERTISEMENT ? TARGET_MAC_OPTION : SOURCE_MAC_OPTION, mac, body);
	frame.protocol = IPPROTO_ICMPV6;
	frame.icmp_type = type;
	frame.ttl = frame.ttl ?: 255;
	frame.payload = body;
	frame.payload_length = sizeof(body);
	return table_send(frame);
}

static void test_gateway_answers_solicitations(void **state)
{
	static const uint8_t flags_offset = ETHER_HDR_LEN + 40 + 4;
	struct run run = discovery(SOLICITATION,
				   (struct frame){.source = A6, .destination = SOLICITED_NODE_OF_GATEWAY},
				   GATEWAY6, A_MAC);
	const uint8_t *ip = packet_ip(&run.packet), *icmp = ip + 40;
	uint8_t gateway[16], a[16];
	inet_pton(AF_INET6, GATEWAY6, gateway);
	inet_pton(AF_INET6, A6, a);
	assert_int_equal(run.action, TC_ACT_REDIRECT);
	assert_memory_equal(run.packet.data, A_MAC, 6);
	assert_memory_equal(run.packet.data + 6, HOST_VETH_MAC, 6);
	assert_memory_equal(ip + 8, gateway, 16);
	assert_memory_equal(ip + 24, a, 16);
	assert_int_equal(ip[7], 255);
	assert_int_equal(icmp[0], ADVERTISEMENT);
	assert_int_equal(run.packet.data[flags_offset] & 0x60, 0x60); /* solicited, override */
	assert_memory_equal(icmp + 8, gateway, 16);
	assert_int_equal(icmp[24], TARGET_MAC_OPTION);
	assert_int_equal(icmp[25], 1);
	assert_memory_equal(icmp + 26, HOST_VETH_MAC, 6);
	assert_true(packet_checksums_hold(&run.packet));
}

static void test_advertisement_of_its_own_address(void **state)
{
	struct run run =
		discovery(ADVERTISEMENT, (struct frame){.source = A6, .destination = GATEWAY6}, A6, A_MAC);
	assert_passes(&run);
}

static void test_advertisement_for_a_foreign_address(void **state)
{
	struct run run =
		discovery(ADVERTISEMENT, (struct frame){.source = A6, .destination = GATEWAY6}, B6, A_MAC);
	assert_drops(&run, DROP_REASON_SPOOFED_ARP);
}

static void test_router_advertisement(void **state)
{
	struct run run = discovery(ROUTER_ADVERTISEMENT,
				   (struct frame){.source = A6, .destination = "ff02::1"}, "::", A_MAC);
	assert_drops(&run, DROP_REASON_ROUTER_ADVERTISEMENT);
}

/* RFC 4861, 7.1: such messages with a lower hop limit have come through a router, that is from a liar. */
static void test_solicitation_from_afar(void **state)
{
	struct run run =
		discovery(SOLICITATION,
			  (struct frame){.source = A6, .destination = SOLICITED_NODE_OF_GATEWAY, .ttl = 64},
			  GATEWAY6, A_MAC);
	assert_int_equal(run.action, TC_ACT_SHOT);
	assert_int_equal(run.drops, 1);
}

static void test_solicitation_from_a_foreign_address(void **state)
{
	struct run run = discovery(
		SOLICITATION, (struct frame){.source = EXTERNAL6, .destination = SOLICITED_NODE_OF_GATEWAY},
		GATEWAY6, A_MAC);
	assert_int_equal(run.action, TC_ACT_SHOT);
	assert_int_equal(run.drops, 1);
}

/* Duplicate address detection asks without a source; nobody has the address, so nobody answers. */
static void test_duplicate_address_detection_stays_unanswered(void **state)
{
	struct run run = discovery(
		SOLICITATION, (struct frame){.source = "::", .destination = "ff02::1:ff00:2"}, A6, A_MAC);
	assert_int_not_equal(run.action, TC_ACT_REDIRECT);
}

#define TEST(name) cmocka_unit_test_setup(name, table_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_gateway_answers),
		TEST(test_gateway_answers_for_any_address),
		TEST(test_own_address_is_not_answered),
		TEST(test_arp_for_another_address_of_the_container),
		TEST(test_arp_for_a_foreign_address),
		TEST(test_arp_with_a_foreign_mac),
		TEST(test_malformed_arp),
		TEST(test_gateway_answers_solicitations),
		TEST(test_advertisement_of_its_own_address),
		TEST(test_advertisement_for_a_foreign_address),
		TEST(test_router_advertisement),
		TEST(test_solicitation_from_afar),
		TEST(test_solicitation_from_a_foreign_address),
		TEST(test_duplicate_address_detection_stays_unanswered),
	};
	return cmocka_run_group_tests_name("neighbour", tests, table_setup, table_teardown);
}
