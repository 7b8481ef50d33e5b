/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packets from and to other hosts: who may pass, and which of them pass by the host's stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "table.h"

#define APPROVED (table_fixture()->settings.mark_approved)

/* From the wire. */
static struct run arrive(struct frame frame)
{
	unsigned int uplink = table_fixture()->uplink;
	struct run run;
	fixture_run(table_fixture(), &(const struct hook){FROM_UPLINK, uplink, uplink, 0}, &frame, &run);
	return run;
}

/* Out of the stack; the packet had come into the host at `ingress` (0: the host's own). */
static struct run leave(__u32 mark, unsigned int ingress, struct frame frame)
{
	struct run run;
	fixture_run(table_fixture(), &(const struct hook){TO_UPLINK, table_fixture()->uplink, ingress, mark},
		    &frame, &run);
	return run;
}

static struct run leave_from_a(struct frame frame)
{
	return leave(APPROVED, table_fixture()->ifindex[SLOT_A], frame);
}

static void expect_action(struct run run, int action)
{
	char text[128];
	if (run.action != action || run.drops)
		fail_msg("%s; expected action %d", run_describe(&run, text), action);
}

/* Past the host's stack; to it. */
#define DIRECT TC_ACT_REDIRECT
#define STACK  TC_ACT_OK

static void deny_inbound(enum slot slot)
{
	fixture_policy(table_fixture(), slot, 0, fixture_list_allow(table_fixture()));
}

static void deny_outbound(enum slot slot)
{
	fixture_policy(table_fixture(), slot, fixture_list_allow(table_fixture()), 0);
}

static const struct packet *rewritten(const struct run *run, const uint8_t destination[6])
{
	assert_memory_equal(run->packet.data, destination, 6);
	assert_memory_equal(run->packet.data + 6, HOST_VETH_MAC, 6);
	assert_true(packet_checksums_hold(&run->packet));
	return &run->packet;
}

static void test_new_flow_to_an_endpoint_is_judged_and_delivered(void **state)
{
	struct run run = arrive(frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_SYN));
	expect_action(run, DIRECT);
	assert_int_equal(packet_ip(rewritten(&run, A_MAC))[8], 63);
	run = arrive(frame_tcp(EXTERNAL6, 1000, A6, 80, TCP_SYN));
	expect_action(run, DIRECT);
	assert_int_equal(packet_ip(rewritten(&run, A_MAC))[7], 63);
	deny_inbound(SLOT_A);
	run = arrive(frame_tcp(EXTERNAL4, 1001, A4, 80, TCP_SYN));
	assert_drops(&run, DROP_REASON_POLICY_INBOUND);
	run = arrive(frame_udp(EXTERNAL6, 1001, A6, 80));
	assert_drops(&run, DROP_REASON_POLICY_INBOUND);
	run = arrive(frame_echo(REMOTE4, A4, false, 1));
	assert_drops(&run, DROP_REASON_POLICY_INBOUND);
}

static void test_established_flow_from_outside_passes_by_the_stack(void **state)
{
	expect_action(arrive(frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_SYN)), DIRECT);
	deny_outbound(SLOT_A); /* answers need no permission */
	struct run run = table_send(frame_tcp(A4, 80, EXTERNAL4, 1000, TCP_SYN | TCP_ACK));
	expect_action(run, DIRECT);
	assert_int_equal(packet_ip(&run.packet)[8], 63);
	assert_true(packet_checksums_hold(&run.packet));
	expect_action(arrive(frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_ACK)), DIRECT);
	run = arrive(frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_ACK));
	expect_action(run, DIRECT);
	assert_int_equal(packet_ip(rewritten(&run, A_MAC))[8], 63);
	expect_action(table_send(frame_tcp(A4, 80, EXTERNAL4, 1000, TCP_ACK)), DIRECT);

	expect_action(arrive(frame_tcp(EXTERNAL6, 1000, A6, 80, TCP_SYN)), DIRECT);
	run = table_send(frame_tcp(A6, 80, EXTERNAL6, 1000, TCP_SYN | TCP_ACK));
	expect_action(run, DIRECT);
	assert_int_equal(packet_ip(&run.packet)[7], 63);
	expect_action(arrive(frame_tcp(EXTERNAL6, 1000, A6, 80, TCP_ACK)), DIRECT);
	run = arrive(frame_tcp(EXTERNAL6, 1000, A6, 80, TCP_ACK));
	expect_action(run, DIRECT);
	assert_int_equal(packet_ip(rewritten(&run, A_MAC))[7], 63);
	expect_action(table_send(frame_tcp(A6, 80, EXTERNAL6, 1000, TCP_ACK)), DIRECT);
}

static void test_own_address_from_outside_is_a_martian(void **state)
{
	static const uint8_t options[4] = {1, 1, 1, 1};
	struct frame with_options = frame_udp(A4, 1, HOST4, 2);
	with_options.options = options;
	with_options.options_length = sizeof(options);
	const struct frame frames[] = {
		frame_tcp(A4, 1000, B4, 80, TCP_SYN), frame_tcp(A6, 1000, B6, 80, TCP_SYN),
		frame_udp(A4, 1000, HOST4, 53),	      frame_udp(A4, 1000, A4, 53),
		frame_udp(A4, 1000, EXTERNAL4, 53),   with_options,
	};
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct run run = arrive(frames[i]);
		assert_drops(&run, DROP_REASON_MARTIAN);
	}
	/* Also when a flow between the two exists. */
	expect_pass(frame_tcp(A4, 1000, B4, 80, TCP_SYN));
	struct run run = arrive(frame_tcp(A4, 1000, B4, 80, TCP_ACK));
	assert_drops(&run, DROP_REASON_MARTIAN);
}

/* What the host's stack must see. */
static void test_other_packets_are_left_to_the_stack(void **state)
{
	static const uint8_t options[4] = {1, 1, 1, 1};
	struct frame frames[] = {
		frame_tcp(EXTERNAL4, 1000, HOST4, 80, TCP_SYN),
		frame_tcp(EXTERNAL4, 1000, HOST4, 80, TCP_RST),
		frame_tcp(EXTERNAL6, 1000, HOST6, 80, TCP_SYN),
		frame_udp(REMOTE4, 1000, EXTERNAL4, 53),
		frame_udp(EXTERNAL4, 1000, "255.255.255.255", 2),
		frame_udp(EXTERNAL4, 1, A4, 2),
		frame_udp(EXTERNAL4, 1, A4, 2),
		frame_udp(EXTERNAL4, 1, A4, 2),
		frame_udp(EXTERNAL4, 1, A4, 2),
		frame_udp(EXTERNAL4, 1, A4, 2),
		frame_udp(EXTERNAL4, 1, A4, 2),
	};
	frames[5].options = options;
	frames[5].options_length = sizeof(options);
	frames[6].more_fragments = true;
	frames[7].fragment_offset = 100;
	frames[8].vlan = 7;
	frames[9].faults.cut = 14 + 22;
	frames[10].ethertype = 0x88cc;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		expect_action(arrive(frames[i]), STACK);
	assert_int_equal(progrun_count(table_fixture()->progrun, "flow4"), 0);
}

static void test_hop_limit_ends_at_the_host(void **state)
{
	struct frame in = frame_udp(EXTERNAL4, 1000, A4, 80), out = frame_udp(A4, 80, EXTERNAL4, 1000);
	expect_action(arrive(in), DIRECT);
	expect_action(table_send(out), DIRECT);
	in.ttl = out.ttl = 1;
	expect_action(arrive(in), STACK);
	expect_action(table_send(out), STACK);
}

static void test_packet_without_a_flow_cannot_open_one(void **state)
{
	struct run run = arrive(frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_RST));
	assert_drops(&run, DROP_REASON_FLOW_INVALID);
	run = arrive(frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_SYN | TCP_ACK));
	assert_drops(&run, DROP_REASON_FLOW_INVALID);
	run = arrive(frame_echo(EXTERNAL4, A4, true, 1));
	assert_drops(&run, DROP_REASON_FLOW_INVALID);
}

/* A flow of an endpoint passes by the stack once one of its packets came out of it unchanged. */
static void leaves_directly(const char *a, const char *outside)
{
	struct frame out = frame_udp(a, 1000, outside, 53);
	struct run run = table_send(out);
	deny_inbound(SLOT_A);
	expect_action(run, STACK);
	assert_int_equal(run.mark, APPROVED);
	expect_action(table_send(out), STACK);
	expect_action(arrive(frame_udp(outside, 53, a, 1000)), STACK);
	expect_action(leave_from_a(out), STACK);
	run = table_send(out);
	expect_action(run, DIRECT);
	assert_int_equal(run.mark, APPROVED);
	expect_action(leave_from_a(out), STACK);
	expect_action(arrive(frame_udp(outside, 53, a, 1000)), DIRECT);
}

static void test_flow_to_the_outside_leaves_directly(void **state)
{
	leaves_directly(A4, EXTERNAL4);
	fixture_reset(table_fixture());
	leaves_directly(A6, EXTERNAL6);
}

static void test_masqueraded_flow_keeps_to_the_stack(void **state)
{
	struct fixture *fixture = table_fixture();
	struct address address = {.row = 100,
				  .words = 1,
				  .generation_slot = GENERATION_FIRST + SLOT_A,
				  .endpoint = SLOT_A,
				  .flags = ADDRESS_LOCAL | ADDRESS_IN_POOL | ADDRESS_NAT_OUT};
	struct frame out = frame_udp(A4, 1000, EXTERNAL4, 53);
	fixture_address4(fixture, A4, 1 << SET_A, &address);
	expect_action(table_send(out), STACK);
	expect_action(leave(APPROVED, fixture->ifindex[SLOT_A], frame_udp(HOST4, 1000, EXTERNAL4, 53)),
		      STACK);
	expect_action(arrive(frame_udp(EXTERNAL4, 53, HOST4, 1000)), STACK);
	/* Masquerading is off: that is the host's decision, and may change. */
	expect_action(leave_from_a(out), STACK);
	struct run run = table_send(out);
	expect_action(run, STACK);
	assert_int_equal(run.mark, APPROVED | fixture->settings.mark_nat_out);
	expect_action(arrive(frame_udp(EXTERNAL4, 53, A4, 1000)), STACK);
	/* Opened from outside, the same endpoint's flows need no masquerade. */
	expect_action(arrive(frame_udp(EXTERNAL4, 7, A4, 1000)), DIRECT);
	expect_action(table_send(frame_udp(A4, 1000, EXTERNAL4, 7)), DIRECT);
}

/* A rule of the host's NAT gives a port of the host to A: its flow is only seen by the host's stack. */
static void test_flow_to_a_published_port_keeps_to_the_stack(void **state)
{
	struct run run;
	expect_action(arrive(frame_tcp(EXTERNAL4, 1000, HOST4, 8080, TCP_SYN)), STACK);
	fixture_deliver(table_fixture(), SLOT_A,
			&(struct frame){.source = EXTERNAL4,
					.source_port = 1000,
					.destination = A4,
					.destination_port = 80,
					.protocol = IPPROTO_TCP,
					.tcp = TCP_SYN},
			&run);
	expect_action(run, STACK);
	expect_action(table_send(frame_tcp(A4, 80, EXTERNAL4, 1000, TCP_SYN | TCP_ACK)), STACK);
	expect_action(leave_from_a(frame_tcp(HOST4, 8080, EXTERNAL4, 1000, TCP_SYN | TCP_ACK)), STACK);
	expect_action(table_send(frame_tcp(A4, 80, EXTERNAL4, 1000, TCP_ACK)), STACK);
	expect_action(arrive(frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_ACK)), STACK);
}

/* A rule of the host's NAT sends A's packets for one address to another one, whose answers it must see. */
static void test_answers_to_a_translated_destination_keep_to_the_stack(void **state)
{
	struct frame translated = frame_udp(A4, 1000, REMOTE4, 53);
	deny_inbound(SLOT_A);
	expect_action(table_send(frame_udp(A4, 1000, EXTERNAL4, 53)), STACK);
	expect_action(leave_from_a(translated), STACK);
	expect_action(arrive(frame_udp(REMOTE4, 53, A4, 1000)), STACK);
	expect_action(leave_from_a(translated), STACK);
	expect_action(arrive(frame_udp(REMOTE4, 53, A4, 1000)), STACK);
	struct run run = arrive(frame_udp(REMOTE4, 53, A4, 1001));
	assert_drops(&run, DROP_REASON_POLICY_INBOUND);
	/* It does not permit A to send there itself. */
	fixture_policy(table_fixture(), SLOT_A, 0, 0);
	run = table_send(translated);
	assert_drops(&run, DROP_REASON_POLICY_OUTBOUND);
}

static void test_packets_of_endpoints_need_approval(void **state)
{
	const unsigned int *ifindex = table_fixture()->ifindex;
	struct frame frames[] = {
		frame_udp(A4, 1000, EXTERNAL4, 53),	   frame_udp(A6, 1000, EXTERNAL6, 53),
		frame_tcp(A4, 1000, REMOTE4, 80, TCP_ACK), frame_udp(A4, 1000, EXTERNAL4, 53),
		frame_udp(A4, 1000, EXTERNAL4, 53),
	};
	frames[3].fragment_offset = 10;
	frames[4].faults.cut = 14 + 22;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct run run = leave(0, ifindex[SLOT_A], frames[i]);
		assert_drops(&run, DROP_REASON_UNAPPROVED);
		run = leave(0, 0, frames[i]);
		assert_drops(&run, DROP_REASON_UNAPPROVED);
		run = leave(APPROVED, ifindex[SLOT_B], frames[i]);
		assert_drops(&run, DROP_REASON_UNAPPROVED);
	}
	assert_int_equal(progrun_count(table_fixture()->progrun, "flow4"), 0);
	/* A flow is proof enough, should somebody have taken the mark. */
	expect_action(table_send(frames[0]), STACK);
	expect_action(leave(0, ifindex[SLOT_A], frames[0]), STACK);
	for (size_t i = 1; i < sizeof(frames) / sizeof(frames[0]); i++)
		expect_action(leave_from_a(frames[i]), STACK);
}

static void test_packets_of_the_host_leave(void **state)
{
	expect_action(leave(0, 0, frame_tcp(HOST4, 1000, EXTERNAL4, 80, TCP_SYN)), STACK);
	expect_action(leave(0, 0, frame_tcp(HOST6, 1000, EXTERNAL6, 80, TCP_SYN)), STACK);
	expect_action(leave(0, 0, frame_udp("172.17.0.2", 1000, EXTERNAL4, 80)), STACK);
	assert_int_equal(progrun_count(table_fixture()->progrun, "flow4"), 0);
}

static void test_revoked_flow_ends_at_the_uplink(void **state)
{
	expect_action(arrive(frame_udp(EXTERNAL4, 1000, A4, 80)), DIRECT);
	deny_inbound(SLOT_A);
	fixture_bump(table_fixture(), SLOT_A);
	struct run run = arrive(frame_udp(EXTERNAL4, 1000, A4, 80));
	assert_drops(&run, DROP_REASON_REVOKED);
}

static void test_only_uplinks_are_left_by(void **state)
{
	struct fixture *fixture = table_fixture();
	expect_action(arrive(frame_udp(EXTERNAL4, 1000, A4, 80)), DIRECT);
	progrun_clear(fixture->progrun, "uplink");
	expect_action(table_send(frame_udp(A4, 80, EXTERNAL4, 1000)), STACK);
}

static void test_what_the_routing_table_cannot_send_goes_to_the_stack(void **state)
{
	struct frame big = frame_udp(A4, 80, EXTERNAL4, 1000);
	expect_action(arrive(frame_udp(EXTERNAL4, 1000, A4, 80)), DIRECT);
	big.payload_length = 1473;
	expect_action(table_send(big), STACK);
	big.payload_length = 1472;
	expect_action(table_send(big), DIRECT);
	expect_action(arrive(frame_udp("9.9.9.9", 1000, A4, 80)), DIRECT);
	expect_action(table_send(frame_udp(A4, 80, "9.9.9.9", 1000)), STACK);
}

static void test_icmp_error_about_a_flow_is_delivered(void **state)
{
	struct frame inner = frame_udp(A4, 80, EXTERNAL4, 1000);
	struct frame error = {.source = "172.30.0.1",
			      .destination = A4,
			      .protocol = IPPROTO_ICMP,
			      .icmp_type = 3,
			      .icmp_code = 4,
			      .inner = &inner};
	expect_action(arrive(error), STACK);
	expect_action(arrive(frame_udp(EXTERNAL4, 1000, A4, 80)), DIRECT);
	expect_action(arrive(error), DIRECT);
	error.destination = B4;
	expect_action(arrive(error), STACK);
}

static void test_drops_are_counted_for_the_endpoint(void **state)
{
	struct fixture *fixture = table_fixture();
	struct drop_key key = {fixture->ifindex[SLOT_A], DROP_REASON_POLICY_INBOUND};
	deny_inbound(SLOT_A);
	arrive(frame_udp(EXTERNAL4, 1000, A4, 80));
	assert_int_equal(progrun_traffic(fixture->progrun, "drops", &key).packets, 1);
	key.reason = DROP_REASON_UNAPPROVED;
	leave(0, 0, frame_udp(A4, 1000, EXTERNAL4, 80));
	assert_int_equal(progrun_traffic(fixture->progrun, "drops", &key).packets, 1);
	key = (struct drop_key){fixture->uplink, DROP_REASON_MARTIAN};
	arrive(frame_udp(A4, 1000, EXTERNAL4, 80));
	assert_int_equal(progrun_traffic(fixture->progrun, "drops", &key).packets, 1);
}

/* Routes of the fixture's host to what is outside. */
static int setup(void **state)
{
	static const char *const outside[] = {EXTERNAL4, EXTERNAL6, REMOTE4};
	int r = table_setup(state);
	return r ? r : table_route_outside(outside, sizeof(outside) / sizeof(outside[0]));
}

static int reset(void **state)
{
	struct uplink uplink = {.name = "uplink"};
	table_reset(state);
	progrun_zero(table_fixture()->progrun, "next_hop");
	progrun_put(table_fixture()->progrun, "uplink", &table_fixture()->uplink, &uplink);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_new_flow_to_an_endpoint_is_judged_and_delivered),
		TEST(test_established_flow_from_outside_passes_by_the_stack),
		TEST(test_own_address_from_outside_is_a_martian),
		TEST(test_other_packets_are_left_to_the_stack),
		TEST(test_hop_limit_ends_at_the_host),
		TEST(test_packet_without_a_flow_cannot_open_one),
		TEST(test_flow_to_the_outside_leaves_directly),
		TEST(test_masqueraded_flow_keeps_to_the_stack),
		TEST(test_flow_to_a_published_port_keeps_to_the_stack),
		TEST(test_answers_to_a_translated_destination_keep_to_the_stack),
		TEST(test_packets_of_endpoints_need_approval),
		TEST(test_packets_of_the_host_leave),
		TEST(test_revoked_flow_ends_at_the_uplink),
		TEST(test_only_uplinks_are_left_by),
		TEST(test_what_the_routing_table_cannot_send_goes_to_the_stack),
		TEST(test_icmp_error_about_a_flow_is_delivered),
		TEST(test_drops_are_counted_for_the_endpoint),
	};
	return cmocka_run_group_tests_name("uplink", tests, setup, table_teardown);
}
