/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flows that the programs translate: every packet is compared with one that is built as it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "table.h"

#define APPROVED	(table_fixture()->settings.mark_approved)
#define NAT_OUT		(table_fixture()->settings.mark_nat_out)
#define FIRST		61000
#define PORTS		8
#define REMOTE_OUTSIDE4 "8.8.4.5"

/* Past the host's stack; to it. */
#define DIRECT TC_ACT_REDIRECT
#define STACK  TC_ACT_OK

static struct run arrive(struct frame frame)
{
	unsigned int uplink = table_fixture()->uplink;
	struct run run;
	fixture_run(table_fixture(), &(const struct hook){FROM_UPLINK, uplink, uplink, 0}, &frame, &run);
	return run;
}

/* Out of the stack, as from_endpoint let it in. */
static struct run leave(enum slot slot, struct frame frame)
{
	const struct fixture *fixture = table_fixture();
	struct run run;
	fixture_run(table_fixture(),
		    &(const struct hook){TO_UPLINK, fixture->uplink, fixture->ifindex[slot], APPROVED},
		    &frame, &run);
	return run;
}

static void expect_action(struct run run, int action)
{
	char text[128];
	if (run.action != action || run.drops)
		fail_msg("%s; expected action %d", run_describe(&run, text), action);
}

/* From the IP header on the packet is as if it had been built like that. */
static void expect_packet(struct run run, int action, struct frame frame)
{
	struct packet wanted;
	expect_action(run, action);
	packet_build(&frame, &wanted);
	assert_int_equal(run.packet.length, wanted.length);
	assert_memory_equal(packet_ip(&run.packet), packet_ip(&wanted), wanted.length - 14);
}

static uint16_t source_port(const struct run *run)
{
	const uint8_t *l4 = packet_ip(&run->packet) + 20;
	return l4[0] << 8 | l4[1];
}

static bool in_range(uint16_t port)
{
	return port >= FIRST && port < FIRST + PORTS;
}

/* The first packet of a flow, through the stack; what others see of its port. */
static uint16_t open_flow(enum slot slot, struct frame out)
{
	struct run run = table_send(out);
	expect_action(run, STACK);
	assert_int_equal(run.mark, APPROVED);
	run = leave(slot, out);
	uint16_t port = source_port(&run);
	assert_true(in_range(port));
	out.source = HOST4;
	out.source_port = port;
	expect_packet(run, STACK, out);
	return port;
}

static struct flow first_flow(const char *map, struct flow4_key *ret_key)
{
	struct flow flow;
	assert_int_equal(progrun_first(table_fixture()->progrun, map, ret_key, &flow), 1);
	return flow;
}

/* Makes both entries of the only flow as old as that. */
static void age(unsigned int seconds)
{
	static const char *const maps[] = {"flow4", "nat4"};
	for (size_t i = 0; i < 2; i++) {
		struct flow4_key key;
		struct flow flow = first_flow(maps[i], &key);
		flow.seen -= seconds * table_fixture()->settings.hz;
		progrun_put(table_fixture()->progrun, maps[i], &key, &flow);
	}
}

static struct frame udp_out(void)
{
	return frame_udp(A4, 1000, EXTERNAL4, 53);
}

static struct frame answered(struct frame out, const char *to, uint16_t port)
{
	struct frame in = out;
	in.source = out.destination;
	in.source_port = out.destination_port;
	in.destination = to;
	in.destination_port = port;
	return in;
}

static void set_ttl(struct frame *frame)
{
	frame->ttl = 63;
}

/* Both directions of an open flow; `again`: by now on the fast path, if there is one for it. */
static void pass_both(struct frame out, uint16_t port)
{
	for (int again = 0; again < 2; again++) {
		struct frame in = answered(out, HOST4, port), inside = answered(out, A4, 1000), outside = out;
		if (out.protocol == IPPROTO_TCP)
			in.tcp = inside.tcp = TCP_ACK;
		set_ttl(&inside);
		struct run run = arrive(in);
		expect_packet(run, DIRECT, inside);
		assert_memory_equal(run.packet.data, A_MAC, 6);
		assert_memory_equal(run.packet.data + 6, HOST_VETH_MAC, 6);
		outside.source = HOST4;
		outside.source_port = port;
		set_ttl(&outside);
		run = table_send(out);
		expect_packet(run, DIRECT, outside);
		assert_int_equal(run.mark, APPROVED);
		/* Where it then leaves nothing is left to do. */
		expect_packet(leave(SLOT_A, outside), STACK, outside);
	}
}

static void test_udp_flow_is_translated(void **state)
{
	pass_both(udp_out(), open_flow(SLOT_A, udp_out()));
}

static void test_tcp_flow_is_translated(void **state)
{
	struct frame out = frame_tcp(A4, 1000, EXTERNAL4, 80, TCP_SYN);
	uint16_t port = open_flow(SLOT_A, out);
	/* A repeated first packet is translated alike. */
	struct run run = table_send(out);
	struct frame outside = frame_tcp(HOST4, port, EXTERNAL4, 80, TCP_SYN);
	set_ttl(&outside);
	expect_packet(run, DIRECT, outside);
	struct frame answer = frame_tcp(EXTERNAL4, 80, A4, 1000, TCP_SYN | TCP_ACK);
	set_ttl(&answer);
	expect_packet(arrive(frame_tcp(EXTERNAL4, 80, HOST4, port, TCP_SYN | TCP_ACK)), DIRECT, answer);
	out.tcp = TCP_ACK;
	expect_action(table_send(out), DIRECT);
	pass_both(out, port);
	/* To the end. */
	answer.tcp = TCP_FIN | TCP_ACK;
	expect_packet(arrive(frame_tcp(EXTERNAL4, 80, HOST4, port, TCP_FIN | TCP_ACK)), DIRECT, answer);
	out.tcp = TCP_FIN | TCP_ACK;
	expect_action(table_send(out), DIRECT);
	answer.tcp = TCP_RST;
	expect_packet(arrive(frame_tcp(EXTERNAL4, 80, HOST4, port, TCP_RST)), DIRECT, answer);
	/* That was forged: who has reset a connection says nothing more in it. */
	struct flow4_key key;
	assert_true(first_flow("flow4", &key).flags & (FLOW_RST | FLOW_RST << 1));
	expect_action(arrive(frame_tcp(EXTERNAL4, 80, HOST4, port, TCP_ACK)), DIRECT);
	assert_false(first_flow("flow4", &key).flags & (FLOW_RST | FLOW_RST << 1));
}

/* UDP without a checksum keeps having none; one that becomes zero is written as ones (RFC 768). */
static void test_udp_checksum_of_zero_means_none(void **state)
{
	struct fixture *fixture = table_fixture();
	struct frame out = udp_out();
	struct packet packet;
	uint16_t port = open_flow(SLOT_A, out);
	pass_both(out, port);
	packet_build(&out, &packet);
	packet.data[14 + 20 + 6] = packet.data[14 + 20 + 7] = 0;
	struct run run;
	progrun_packet(
		fixture->progrun,
		&(const struct hook){FROM_ENDPOINT, fixture->ifindex[SLOT_A], fixture->ifindex[SLOT_A], 0},
		&packet, &run);
	expect_action(run, DIRECT);
	assert_int_equal(source_port(&run), port);
	assert_int_equal(packet_ip(&run.packet)[26] << 8 | packet_ip(&run.packet)[27], 0);
	/* All values of a word: one of them makes the checksum zero; one did so before the translation, which
	 * means none. */
	unsigned int ones = 0, none = 0;
	for (unsigned int word = 0; word < 0x10000; word++) {
		uint8_t payload[2] = {word >> 8, word & 0xff};
		out.payload = payload;
		out.payload_length = 2;
		run = table_send(out);
		const uint8_t *ip = packet_ip(&run.packet);
		uint16_t check = ip[26] << 8 | ip[27];
		ones += check == 0xffff;
		none += check == 0;
		assert_true(check == 0 || packet_checksums_hold(&run.packet));
	}
	assert_int_equal(none, 1);
	assert_int_equal(ones, 1);
}

static void test_equal_ports_of_two_endpoints_become_two(void **state)
{
	uint16_t a = open_flow(SLOT_A, udp_out());
	uint16_t b = open_flow(SLOT_B, frame_udp(B4, 1000, EXTERNAL4, 53));
	assert_int_not_equal(a, b);
	struct frame to_b = frame_udp(EXTERNAL4, 53, B4, 1000);
	set_ttl(&to_b);
	struct run run = arrive(frame_udp(EXTERNAL4, 53, HOST4, b));
	expect_packet(run, DIRECT, to_b);
	assert_memory_equal(run.packet.data, B_MAC, 6);
	pass_both(udp_out(), a);
}

/* The flow after the last port is the kernel's, and stays it when ports become free. */
static void test_flow_that_finds_no_port_is_masqueraded(void **state)
{
	struct fixture *fixture = table_fixture();
	struct frame out = udp_out();
	struct run run;
	/* Ports are looked for at random: a flow may be left to the kernel before all are taken. */
	for (int n = 0; n < 64; n++) {
		out.source_port = 1000 + n;
		run = table_send(out);
		expect_action(run, STACK);
	}
	assert_in_range(progrun_count(fixture->progrun, "nat4"), PORTS / 2, PORTS);
	assert_int_equal(run.mark, APPROVED | NAT_OUT);
	progrun_clear(fixture->progrun, "nat4");
	run = table_send(out);
	expect_action(run, STACK);
	assert_int_equal(run.mark, APPROVED | NAT_OUT);
	expect_packet(leave(SLOT_A, out), STACK, out);
	/* Towards others the same ports are free. */
	open_flow(SLOT_A, frame_udp(A4, 1000, REMOTE_OUTSIDE4, 53));
}

static void test_what_is_left_to_the_kernel(void **state)
{
	struct fixture *fixture = table_fixture();
	struct uplink uplink = {.name = "uplink"};
	struct frame sctp = udp_out();
	sctp.protocol = IPPROTO_SCTP;
	struct frame frames[] = {sctp, frame_echo(A4, EXTERNAL4, false, 1),
				 frame_udp(A4, 1000, "9.9.9.9", 53)};
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct run run = table_send(frames[i]);
		expect_action(run, STACK);
		assert_int_equal(run.mark, APPROVED | NAT_OUT);
	}
	progrun_put(fixture->progrun, "uplink", &fixture->uplink, &uplink);
	struct run run = table_send(udp_out());
	expect_action(run, STACK);
	assert_int_equal(run.mark, APPROVED | NAT_OUT);
	assert_int_equal(progrun_count(fixture->progrun, "nat4"), 0);
}

/* To addresses in a pool, and of endpoints that need no translation. */
static void test_what_needs_no_translation(void **state)
{
	expect_action(table_send(frame_udp(A4, 1000, REMOTE4, 53)), STACK);
	expect_action(table_send(frame_udp(A4, 1000, HOST4, 53)), STACK);
	expect_action(table_send(frame_udp(A6, 1000, EXTERNAL6, 53)), STACK);
	expect_action(arrive(frame_udp(EXTERNAL4, 7, A4, 1000)), DIRECT);
	expect_action(table_send(frame_udp(A4, 1000, EXTERNAL4, 7)), DIRECT);
	assert_int_equal(progrun_count(table_fixture()->progrun, "nat4"), 0);
}

static void test_packets_of_the_host_stay_the_host_s(void **state)
{
	uint16_t port = open_flow(SLOT_A, udp_out());
	struct frame first = frame_udp(EXTERNAL4, 53, HOST4, 1234);
	first.more_fragments = true;
	struct frame later = first;
	later.fragment_offset = 4;
	struct frame about_host = frame_udp(HOST4, port, EXTERNAL4, 54);
	const struct frame frames[] = {
		frame_udp(EXTERNAL4, 53, HOST4, port ^ 1),
		frame_udp(EXTERNAL4, 54, HOST4, port),
		frame_udp("8.8.4.4", 53, HOST4, port),
		frame_tcp(EXTERNAL4, 53, HOST4, port, TCP_SYN),
		frame_echo(EXTERNAL4, HOST4, true, port),
		first,
		later,
		{.source = EXTERNAL4,
		 .destination = HOST4,
		 .protocol = IPPROTO_ICMP,
		 .icmp_type = 3,
		 .icmp_code = 3,
		 .inner = &about_host},
		frame_udp(HOST4, port, EXTERNAL4, 53),
	};
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		expect_packet(arrive(frames[i]), STACK, frames[i]);
	/* Nobody but the host may send as the host. */
	struct frame forged = frame_udp(HOST4, port, EXTERNAL4, 53);
	struct run run = table_send(forged);
	assert_drops(&run, DROP_REASON_SPOOFED_IP);
	pass_both(udp_out(), port);
}

static struct frame error_about(const struct frame *inner, const char *source, const char *destination)
{
	return (struct frame){.source = source,
			      .destination = destination,
			      .protocol = IPPROTO_ICMP,
			      .icmp_type = 3,
			      .icmp_code = 4,
			      .icmp_id = 7,
			      .inner = inner};
}

/* The quoted packet is whole, or cut after the ports, where the checksum of TCP is not quoted. */
static void test_icmp_errors_from_outside_are_translated(void **state)
{
	static const char *const reporters[] = {EXTERNAL4, "172.30.0.1"};
	const struct frame outs[] = {udp_out(), frame_tcp(A4, 1000, EXTERNAL4, 80, TCP_SYN)};
	for (size_t i = 0; i < 4; i++) {
		struct frame inside = outs[i / 2], outside = inside;
		const char *reporter = reporters[i % 2];
		fixture_forget(table_fixture());
		progrun_clear(table_fixture()->progrun, "nat4");
		outside.source = HOST4;
		outside.source_port = open_flow(SLOT_A, inside);
		struct frame error = error_about(&outside, reporter, HOST4);
		struct frame wanted = error_about(&inside, reporter, A4);
		error.payload_length = wanted.payload_length = i % 2 ? 28 : 0;
		set_ttl(&wanted);
		expect_packet(arrive(error), DIRECT, wanted);
		/* To the wrong address, or about another flow. */
		error.destination = "172.30.0.3";
		expect_packet(arrive(error), STACK, error);
		outside.destination_port++;
		error.destination = HOST4;
		expect_packet(arrive(error), STACK, error);
	}
}

static void test_icmp_errors_of_an_endpoint_are_translated(void **state)
{
	uint16_t port = open_flow(SLOT_A, udp_out());
	struct frame inside = answered(udp_out(), A4, 1000), outside = answered(udp_out(), HOST4, port);
	pass_both(udp_out(), port);
	struct frame error = error_about(&inside, A4, EXTERNAL4);
	struct frame wanted = error_about(&outside, HOST4, EXTERNAL4);
	set_ttl(&wanted);
	expect_packet(table_send(error), DIRECT, wanted);
}

static void test_fragments_are_translated(void **state)
{
	struct frame out = udp_out(), later;
	uint16_t port = open_flow(SLOT_A, out);
	pass_both(out, port);
	/* From the endpoint. The L4 checksum covers all fragments, so it is of the whole. */
	out.more_fragments = true;
	out.fragment_id = 7;
	later = out;
	later.more_fragments = false;
	later.fragment_offset = 4;
	struct frame first_out = out, later_out = later;
	first_out.source = later_out.source = HOST4;
	first_out.source_port = port;
	set_ttl(&first_out);
	set_ttl(&later_out);
	struct run run = table_send(out);
	expect_action(run, DIRECT);
	assert_int_equal(source_port(&run), port);
	expect_packet(table_send(later), DIRECT, later_out);
	/* Made by the stack. */
	out.fragment_id = later.fragment_id = later_out.fragment_id = 8;
	run = leave(SLOT_A, out);
	expect_action(run, STACK);
	assert_int_equal(source_port(&run), port);
	later_out.ttl = 64;
	expect_packet(leave(SLOT_A, later), STACK, later_out);
	/* From outside. */
	struct frame in = answered(out, HOST4, port), later_in = answered(later, HOST4, port);
	expect_packet(arrive(later_in), STACK, later_in);
	run = arrive(in);
	expect_action(run, DIRECT);
	assert_int_equal(run.packet.data[14 + 22] << 8 | run.packet.data[14 + 23], 1000);
	struct frame wanted = answered(later, A4, 1000);
	set_ttl(&wanted);
	expect_packet(arrive(later_in), DIRECT, wanted);
}

static void sweep(void)
{
	struct sweep context = {0};
	progrun_sweep(table_fixture()->progrun, SWEEP_FLOWS, &context);
}

static void test_port_is_held_as_long_as_the_flow(void **state)
{
	struct progrun *progrun = table_fixture()->progrun;
	uint16_t port = open_flow(SLOT_A, udp_out());
	pass_both(udp_out(), port);
	age(29);
	sweep();
	assert_int_equal(progrun_count(progrun, "flow4"), 1);
	assert_int_equal(progrun_count(progrun, "nat4"), 1);
	/* Each direction keeps both alive. */
	expect_action(arrive(answered(udp_out(), HOST4, port)), DIRECT);
	age(119);
	expect_action(table_send(udp_out()), DIRECT);
	age(119);
	sweep();
	assert_int_equal(progrun_count(progrun, "nat4"), 1);
	age(2);
	struct frame late = answered(udp_out(), HOST4, port);
	expect_packet(arrive(late), STACK, late);
	sweep();
	assert_int_equal(progrun_count(progrun, "flow4"), 0);
	assert_int_equal(progrun_count(progrun, "nat4"), 0);
}

static void test_port_without_its_flow_is_given_back(void **state)
{
	struct progrun *progrun = table_fixture()->progrun;
	struct sweep purge = {.family = 4};
	open_flow(SLOT_A, udp_out());
	progrun_clear(progrun, "flow4");
	sweep(); /* it may be newer than its flow */
	assert_int_equal(progrun_count(progrun, "nat4"), 1);
	struct flow4_key key;
	struct flow twin = first_flow("nat4", &key);
	twin.seen -= 2 * table_fixture()->settings.hz;
	progrun_put(progrun, "nat4", &key, &twin);
	sweep();
	assert_int_equal(progrun_count(progrun, "nat4"), 0);
	open_flow(SLOT_A, udp_out());
	inet_pton(AF_INET, A4, &purge.address[0]);
	progrun_sweep(progrun, PURGE_FLOWS, &purge);
	assert_int_equal(progrun_count(progrun, "flow4"), 0);
	assert_int_equal(progrun_count(progrun, "nat4"), 0);
}

/* Both halves of it: the port is free for others. */
static void test_flow_that_gives_way_takes_its_port_with_it(void **state)
{
	struct progrun *progrun = table_fixture()->progrun;
	struct frame other = frame_udp(A4, 1001, EXTERNAL4, 53);
	struct flow4_key key;
	uint16_t old = open_flow(SLOT_A, udp_out()), port;
	struct flow twin;

	table_fill("flow4");
	port = open_flow(SLOT_A, other);
	assert_int_equal(progrun_first(progrun, "nat4", &key, &twin), 1);
	assert_int_equal(twin.nat_port, 1001);
	expect_action(arrive(answered(udp_out(), HOST4, old)), STACK);
	expect_action(arrive(answered(other, HOST4, port)), DIRECT);
}

/* Neither a flow nor a port: the host's kernel translates the datagram. */
static void test_datagram_without_room_is_left_to_the_kernel(void **state)
{
	table_fill("flow4");
	struct run run = table_send(udp_out());
	expect_action(run, STACK);
	assert_int_equal(run.mark, APPROVED | NAT_OUT);
	assert_int_equal(progrun_count(table_fixture()->progrun, "nat4"), 0);
}

/* A flow that was replaced by a new one of the same endpoint does not keep two ports. */
static void test_new_flow_of_the_same_ports(void **state)
{
	struct progrun *progrun = table_fixture()->progrun;
	struct frame out = udp_out();
	uint16_t old = open_flow(SLOT_A, out);
	age(31);
	uint16_t port = open_flow(SLOT_A, out);
	assert_int_not_equal(port, old);
	assert_int_equal(progrun_count(progrun, "nat4"), 2);
	expect_action(arrive(answered(out, HOST4, old)), STACK);
	sweep();
	assert_int_equal(progrun_count(progrun, "nat4"), 1);
	pass_both(out, port);
}

static void test_lost_port_is_taken_again_or_ends_the_flow(void **state)
{
	struct progrun *progrun = table_fixture()->progrun;
	struct flow4_key key;
	struct flow twin;
	uint16_t port = open_flow(SLOT_A, udp_out());
	pass_both(udp_out(), port);
	age(1);
	twin = first_flow("nat4", &key);
	progrun_clear(progrun, "nat4");
	expect_action(table_send(udp_out()), DIRECT);
	pass_both(udp_out(), port);
	age(1);
	twin.nat_port++;
	progrun_put(progrun, "nat4", &key, &twin);
	struct run run = table_send(udp_out());
	assert_drops(&run, DROP_REASON_NAT_LOST);
	assert_int_not_equal(open_flow(SLOT_A, udp_out()), port);
}

static void test_flow_ends_with_the_range_of_its_port(void **state)
{
	struct flow4_key key;
	open_flow(SLOT_A, udp_out());
	age(1);
	struct flow flow = first_flow("flow4", &key);
	flow.nat_port = FIRST + PORTS;
	progrun_put(table_fixture()->progrun, "flow4", &key, &flow);
	struct run run = table_send(udp_out());
	assert_drops(&run, DROP_REASON_NAT_LOST);
	open_flow(SLOT_A, udp_out());
}

static void test_flow_ends_when_the_uplink_s_address_changes(void **state)
{
	struct fixture *fixture = table_fixture();
	struct uplink uplink = {.name = "uplink", .address = {172, 30, 0, 3}}, unknown = {.name = "uplink"};
	struct frame out = udp_out();
	uint16_t port = open_flow(SLOT_A, out);
	pass_both(out, port);
	/* It cannot be told: the uplink has several addresses, or is not known yet. */
	progrun_put(fixture->progrun, "uplink", &fixture->uplink, &unknown);
	pass_both(out, port);
	progrun_clear(fixture->progrun, "uplink");
	expect_packet(table_send(out), STACK, out);
	progrun_put(fixture->progrun, "uplink", &fixture->uplink, &uplink);
	struct run run = table_send(out);
	assert_drops(&run, DROP_REASON_NAT_LOST);
	run = table_send(out);
	expect_action(run, STACK);
	run = leave(SLOT_A, out);
	out.source = "172.30.0.3";
	out.source_port = source_port(&run);
	expect_packet(run, STACK, out);
	/* Also when it shows only behind the stack. */
	uplink.address[3] = 2;
	progrun_put(fixture->progrun, "uplink", &fixture->uplink, &uplink);
	run = leave(SLOT_A, udp_out());
	assert_drops(&run, DROP_REASON_NAT_LOST);
}

static void test_change_of_policy_ends_or_keeps_the_flow(void **state)
{
	struct fixture *fixture = table_fixture();
	__u32 deny = fixture_list(fixture, NULL, 0, 0);
	struct frame out = udp_out();
	uint16_t port = open_flow(SLOT_A, out);
	pass_both(out, port);
	fixture_bump(fixture, SLOT_A);
	pass_both(out, port);
	fixture_policy(fixture, SLOT_A, deny, deny);
	pass_both(out, port); /* nobody has said that this concerns it */
	fixture_bump(fixture, SLOT_A);
	struct run run = arrive(answered(out, HOST4, port));
	assert_drops(&run, DROP_REASON_REVOKED);
	struct drop_key key = {fixture->ifindex[SLOT_A], DROP_REASON_REVOKED};
	assert_int_equal(progrun_traffic(fixture->progrun, "drops", &key).packets, 1);
	expect_action(arrive(answered(out, HOST4, port)), STACK);
	run = table_send(out);
	assert_drops(&run, DROP_REASON_POLICY_OUTBOUND);
}

/* Endpoints have no list while one is replaced that must not meet new memberships. */
static void test_flow_and_its_port_outlast_a_hold(void **state)
{
	struct fixture *fixture = table_fixture();
	__u32 allow = fixture_list_allow(fixture);
	struct frame out = udp_out();
	uint16_t port = open_flow(SLOT_A, out);
	pass_both(out, port);
	fixture_policy(fixture, SLOT_A, 0, 0);
	fixture_bump(fixture, SLOT_A);
	struct run run = arrive(answered(out, HOST4, port));
	assert_drops(&run, DROP_REASON_REVOKED);
	run = table_send(out);
	assert_drops(&run, DROP_REASON_REVOKED);
	fixture_policy(fixture, SLOT_A, allow, allow);
	fixture_bump(fixture, SLOT_A);
	pass_both(out, port);
}

/* The kernel uses the entry of a flow that ended for another at once, also while a packet reads it. */
static void test_entry_of_another_flow_translates_nothing(void **state)
{
	struct frame out = udp_out();
	uint16_t port = open_flow(SLOT_A, out);
	pass_both(out, port);
	struct flow4_key key;
	struct flow flow = first_flow("nat4", &key);
	flow.check++;
	progrun_put(table_fixture()->progrun, "nat4", &key, &flow);
	struct run run = arrive(answered(out, HOST4, port));
	assert_drops(&run, DROP_REASON_NAT_LOST);
	progrun_clear(table_fixture()->progrun, "nat4");
	port = open_flow(SLOT_A, out);
	flow = first_flow("flow4", &key);
	flow.check_behind++;
	progrun_put(table_fixture()->progrun, "flow4", &key, &flow);
	expect_packet(arrive(answered(out, HOST4, port)), STACK, answered(out, HOST4, port));
}

static void test_hop_limit_ends_at_the_host(void **state)
{
	struct frame out = udp_out();
	uint16_t port = open_flow(SLOT_A, out);
	pass_both(out, port);
	struct frame in = answered(out, HOST4, port);
	in.ttl = out.ttl = 1;
	struct run run = arrive(in);
	assert_drops(&run, DROP_REASON_TTL);
	expect_packet(table_send(out), STACK, out);
}

/* The stack answers what is too large, or makes fragments of it. */
static void test_too_large_packets_go_to_the_stack(void **state)
{
	struct frame out = udp_out();
	pass_both(out, open_flow(SLOT_A, out));
	out.payload_length = 1473;
	expect_packet(table_send(out), STACK, out);
	out.payload_length = 1472;
	expect_action(table_send(out), DIRECT);
}

/* A rule of the host's NAT sends A's packets elsewhere: their source is translated all the same. */
static void test_icmp_errors_about_what_is_not_translated(void **state)
{
	struct frame in = frame_udp(EXTERNAL4, 7, A4, 1000), error = error_about(&in, A4, EXTERNAL4);
	expect_action(arrive(in), DIRECT);
	expect_action(table_send(error), DIRECT);
	expect_packet(leave(SLOT_A, error), STACK, error);
}

static void test_destination_that_the_host_translates(void **state)
{
	struct frame translated = frame_udp(A4, 1000, REMOTE_OUTSIDE4, 53);
	expect_action(table_send(udp_out()), STACK);
	struct run run = leave(SLOT_A, translated);
	uint16_t port = source_port(&run);
	struct frame outside = translated;
	outside.source = HOST4;
	outside.source_port = port;
	expect_packet(run, STACK, outside);
	assert_true(in_range(port));
	/* The answer's source is translated back by the host. */
	expect_packet(arrive(answered(translated, HOST4, port)), STACK, answered(translated, A4, 1000));
	expect_packet(leave(SLOT_A, translated), STACK, outside);
	progrun_clear(table_fixture()->progrun, "nat4");
	expect_packet(leave(SLOT_A, translated), STACK, outside);
	assert_int_equal(progrun_count(table_fixture()->progrun, "nat4"), 1);
	/* Where nothing can be done, nothing leaves. */
	translated.protocol = IPPROTO_SCTP;
	run = leave(SLOT_A, translated);
	assert_drops(&run, DROP_REASON_NAT_LOST);
}

/* A host endpoint that lets nothing pass judges what is the host's, not what is an endpoint's. */
static void test_host_endpoint_does_not_judge_translated_flows(void **state)
{
	struct fixture *fixture = table_fixture();
	struct host_interface interface = {.endpoint4 = SLOT_C, .name = "uplink"};
	fixture_policy(fixture, SLOT_C, 0, 0);
	progrun_put(fixture->progrun, "host_interface", &fixture->uplink, &interface);
	struct frame out = frame_tcp(A4, 1000, EXTERNAL4, 80, TCP_SYN);
	uint16_t port = open_flow(SLOT_A, out);
	expect_action(arrive(frame_tcp(EXTERNAL4, 80, HOST4, port, TCP_SYN | TCP_ACK)), DIRECT);
	out.tcp = TCP_ACK;
	expect_action(table_send(out), DIRECT);
	pass_both(out, port);
	struct frame end = frame_tcp(HOST4, port, EXTERNAL4, 80, TCP_FIN | TCP_ACK);
	expect_packet(leave(SLOT_A, end), STACK, end);
	assert_int_equal(progrun_count(fixture->progrun, "flow4"), 1);
	struct run run = arrive(frame_tcp(EXTERNAL4, 80, HOST4, port ^ 1, TCP_SYN));
	assert_drops(&run, DROP_REASON_POLICY_INBOUND);
}

static void masquerade(enum slot slot, const char *address)
{
	struct address known = {.row = 100 + slot - SLOT_A,
				.words = 1,
				.generation_slot = GENERATION_FIRST + slot,
				.endpoint = slot,
				.flags = ADDRESS_LOCAL | ADDRESS_IN_POOL | ADDRESS_NAT_OUT};
	fixture_address4(table_fixture(), address, 1ULL << slot, &known);
}

static int reset(void **state)
{
	struct uplink uplink = {.name = "uplink", .address = {172, 30, 0, 2}};
	table_reset(state);
	progrun_clear(table_fixture()->progrun, "nat4");
	progrun_clear(table_fixture()->progrun, "host_interface");
	progrun_put(table_fixture()->progrun, "uplink", &table_fixture()->uplink, &uplink);
	masquerade(SLOT_A, A4);
	masquerade(SLOT_B, B4);
	return 0;
}

static int setup(void **state)
{
	static const char *const outside[] = {EXTERNAL4, EXTERNAL6, REMOTE4, REMOTE_OUTSIDE4};
	table_settings()->nat_port_first = FIRST;
	table_settings()->nat_ports = PORTS;
	table_settings()->host_endpoints = 1;
	int r = table_setup(state);
	return r ? r : table_route_outside(outside, sizeof(outside) / sizeof(outside[0]));
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_udp_flow_is_translated),
		TEST(test_tcp_flow_is_translated),
		TEST(test_udp_checksum_of_zero_means_none),
		TEST(test_equal_ports_of_two_endpoints_become_two),
		TEST(test_flow_that_finds_no_port_is_masqueraded),
		TEST(test_what_is_left_to_the_kernel),
		TEST(test_what_needs_no_translation),
		TEST(test_packets_of_the_host_stay_the_host_s),
		TEST(test_icmp_errors_from_outside_are_translated),
		TEST(test_icmp_errors_of_an_endpoint_are_translated),
		TEST(test_fragments_are_translated),
		TEST(test_port_is_held_as_long_as_the_flow),
		TEST(test_port_without_its_flow_is_given_back),
		TEST(test_flow_that_gives_way_takes_its_port_with_it),
		TEST(test_datagram_without_room_is_left_to_the_kernel),
		TEST(test_new_flow_of_the_same_ports),
		TEST(test_lost_port_is_taken_again_or_ends_the_flow),
		TEST(test_flow_ends_with_the_range_of_its_port),
		TEST(test_flow_ends_when_the_uplink_s_address_changes),
		TEST(test_change_of_policy_ends_or_keeps_the_flow),
		TEST(test_flow_and_its_port_outlast_a_hold),
		TEST(test_entry_of_another_flow_translates_nothing),
		TEST(test_hop_limit_ends_at_the_host),
		TEST(test_too_large_packets_go_to_the_stack),
		TEST(test_icmp_errors_about_what_is_not_translated),
		TEST(test_destination_that_the_host_translates),
		TEST(test_host_endpoint_does_not_judge_translated_flows),
	};
	return cmocka_run_group_tests_name("nat", tests, setup, table_teardown);
}
