/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packets between endpoints and their host, packets that the host's stack forwards to endpoints, and marks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "table.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define TCP(to, port)                                                                                        \
	.source = A4, .destination = to, .protocol = IPPROTO_TCP, .source_port = 40000,                      \
	.destination_port = port
#define UDP(from, to, sport, port)                                                                           \
	.source = from, .destination = to, .protocol = IPPROTO_UDP, .source_port = sport,                    \
	.destination_port = port, .payload_length = 20
#define ICMP6(to, type)                                                                                      \
	.source = A6, .destination = to, .protocol = IPPROTO_ICMPV6, .icmp_type = type,                      \
	.payload_length = 24, .ttl = 255

/* DefaultEndpointToHostAction=DROP: only what an endpoint needs to live. Numbers: policy specification, 2.8.
 */
static const struct row drop_rows[] = {
	{"DROP: tcp 22", .frame = {TCP(HOST4, 22)}, .reason = DROP_REASON_HOST_ACTION},
	{"DROP: tcp 53", .frame = {TCP(HOST4, 53)}, .reason = DROP_REASON_HOST_ACTION},
	{"DROP: echo request",
	 .frame =
		 {.source = A4, .destination = HOST4, .protocol = IPPROTO_ICMP, .icmp_type = 8, .icmp_id = 1},
	 .reason = DROP_REASON_HOST_ACTION},
	{"DROP: udp 53 passes", .frame = {UDP(A4, HOST4, 5000, 53)}},
	{"DROP: udp 68 to 67 passes", .frame = {UDP(A4, HOST4, 68, 67)}},
	{"DROP: udp 69 to 67", .frame = {UDP(A4, HOST4, 69, 67)}, .reason = DROP_REASON_HOST_ACTION},
	{"DROP: udp 123", .frame = {UDP(A4, HOST4, 5000, 123)}, .reason = DROP_REASON_HOST_ACTION},
	{"DROP: DHCP discover passes", .frame = {UDP("0.0.0.0", "255.255.255.255", 68, 67)}},
	{"DROP: udp 546 to 547 passes", .frame = {UDP(A6, HOST6, 546, 547)}},
	{"DROP: udp 546 to 546", .frame = {UDP(A6, HOST6, 546, 546)}, .reason = DROP_REASON_HOST_ACTION},
	{"DROP: IPv6 echo request", .frame = {ICMP6(HOST6, 128)}, .reason = DROP_REASON_HOST_ACTION},
	{"DROP: router solicitation passes", .frame = {ICMP6(GATEWAY6, 133)}},
	{"DROP: another endpoint is not the host", .frame = {TCP(B4, 22)}},
	{"DROP: elsewhere is not the host", .frame = {TCP(EXTERNAL4, 22)}},
};

/* RETURN and a policy that denies everything. */
static const struct row denied_rows[] = {
	{"RETURN, denied: tcp 22", .frame = {TCP(HOST4, 22)}, .reason = DROP_REASON_POLICY_OUTBOUND},
	{"RETURN, denied: udp 53 passes", .frame = {UDP(A4, HOST4, 5000, 53)}},
	{"RETURN, denied: udp 68 to 67 passes", .frame = {UDP(A4, HOST4, 68, 67)}},
	{"RETURN, denied: udp 53 elsewhere", .frame = {UDP(A4, EXTERNAL4, 5000, 53)},
	 .reason = DROP_REASON_POLICY_OUTBOUND},
};

static const struct row allowed_rows[] = {
	{"RETURN, allowed: tcp 22 passes", .frame = {TCP(HOST4, 22)}},
	{"RETURN, allowed: the gateway's address passes", .frame = {TCP(GATEWAY4, 22)}},
	{"RETURN, allowed: elsewhere passes", .frame = {TCP(EXTERNAL4, 22)}},
	{"RETURN, allowed: a remote endpoint passes", .frame = {TCP(REMOTE4, 22)}},
};

static void deny_a_outbound(struct fixture *fixture)
{
	fixture_policy(fixture, SLOT_A, 0, 0);
}

/* From the host itself. */
static struct run from_host(enum slot to, struct frame frame)
{
	struct run run;
	fixture_run(table_fixture(), &(const struct hook){TO_ENDPOINT, table_fixture()->ifindex[to], 0, 0},
		    &frame, &run);
	return run;
}

/* From elsewhere, forwarded by the host's stack. */
static struct run deliver(enum slot to, struct frame frame)
{
	struct run run;
	fixture_deliver(table_fixture(), to, &frame, &run);
	return run;
}

/* From B, by way of the host's stack. */
static struct run deliver_from_b(__u32 mark, struct frame frame)
{
	const unsigned int *ifindex = table_fixture()->ifindex;
	struct run run;
	fixture_run(table_fixture(),
		    &(const struct hook){TO_ENDPOINT, ifindex[SLOT_A], ifindex[SLOT_B], mark}, &frame, &run);
	return run;
}

static void deny_everything(void)
{
	for (int slot = SLOT_A; slot <= SLOT_C; slot++)
		fixture_policy(table_fixture(), slot, 0, 0);
}

static void test_host_reaches_endpoints_without_policy(void **state)
{
	deny_everything();
	struct run run = from_host(SLOT_A, frame_tcp(HOST4, 1000, A4, 80, TCP_SYN));
	assert_passes(&run);
	expect_pass(frame_tcp(A4, 80, HOST4, 1000, TCP_SYN | TCP_ACK));
	run = from_host(SLOT_A, frame_tcp(HOST4, 1000, A4, 80, TCP_ACK));
	assert_passes(&run);
	expect_drop(frame_tcp(A4, 81, HOST4, 1000, TCP_SYN), DROP_REASON_POLICY_OUTBOUND);
}

static void test_reply_to_an_endpoint_s_flow_passes(void **state)
{
	fixture_policy(table_fixture(), SLOT_A, 0, fixture_list_allow(table_fixture()));
	expect_pass(frame_tcp(A4, 40000, HOST4, 22, TCP_SYN));
	struct run run = from_host(SLOT_A, frame_tcp(HOST4, 22, A4, 40000, TCP_SYN | TCP_ACK));
	assert_passes(&run);
}

static void test_forwarded_packets_need_the_inbound_policy(void **state)
{
	struct run run = deliver(SLOT_A, frame_tcp(REMOTE4, 1000, A4, 80, TCP_SYN));
	assert_passes(&run);
	deny_everything();
	run = deliver(SLOT_A, frame_tcp(REMOTE4, 1001, A4, 80, TCP_SYN));
	assert_drops(&run, DROP_REASON_POLICY_INBOUND);
	run = deliver(SLOT_A, frame_tcp(EXTERNAL4, 1001, A4, 80, TCP_SYN));
	assert_drops(&run, DROP_REASON_POLICY_INBOUND);
}

static void test_reply_from_elsewhere_passes(void **state)
{
	fixture_policy(table_fixture(), SLOT_A, 0, fixture_list_allow(table_fixture()));
	expect_pass(frame_tcp(A4, 40000, EXTERNAL4, 443, TCP_SYN));
	struct run run = deliver(SLOT_A, frame_tcp(EXTERNAL4, 443, A4, 40000, TCP_SYN | TCP_ACK));
	assert_passes(&run);
	run = deliver(SLOT_A, frame_tcp(EXTERNAL4, 443, A4, 40001, TCP_SYN | TCP_ACK));
	assert_false(run_passes(&run));
}

static void test_delivery_to_who_cannot_receive(void **state)
{
	struct run run = deliver(SLOT_C, frame_tcp(REMOTE4, 1000, C4, 80, TCP_SYN));
	assert_drops(&run, DROP_REASON_ENDPOINT_INACTIVE);
	run = deliver(SLOT_STRANGER, frame_tcp(REMOTE4, 1000, A4, 80, TCP_SYN));
	assert_drops(&run, DROP_REASON_UNKNOWN_INTERFACE);
}

/* A packet of an endpoint that comes out of the stack must have been judged on its way in. */
static void test_unapproved_packet_of_an_endpoint(void **state)
{
	struct run run = deliver_from_b(0, frame_tcp(B4, 1000, A4, 80, TCP_SYN));
	assert_drops(&run, DROP_REASON_UNAPPROVED);
}

static void test_approved_packet_passes(void **state)
{
	struct frame frame = frame_tcp(B4, 1000, A4, 80, TCP_SYN);
	expect_pass(frame);
	struct run run = deliver_from_b(table_fixture()->settings.mark_approved, frame);
	assert_passes(&run);
}

static void test_mark_is_set_on_what_the_host_forwards(void **state)
{
	struct settings *settings = &table_fixture()->settings;
	struct run run = table_send(frame_tcp(A4, 40000, EXTERNAL4, 443, TCP_SYN));
	assert_int_equal(run.mark & settings->mark_mask, settings->mark_approved);
}

/* Netfilter drops what comes from an endpoint's interface without one. */
static void test_mark_is_set_on_what_the_host_itself_gets(void **state)
{
	struct settings *settings = &table_fixture()->settings;
	struct run run = table_send(frame_udp("0.0.0.0", 68, "255.255.255.255", 67));

	assert_passes(&run);
	assert_int_equal(run.mark & settings->mark_mask, settings->mark_to_host);
	run = table_send(frame_tcp(A4, 40001, HOST4, 22, TCP_SYN));
	assert_passes(&run);
	assert_true(run.mark & (settings->mark_to_host | settings->mark_approved));
}

static void test_mark_cannot_be_forged(void **state)
{
	struct fixture *fixture = table_fixture();
	struct frame frame = frame_tcp(A4, 40000, HOST4, 22, TCP_SYN);
	unsigned int ifindex = fixture->ifindex[SLOT_A];
	struct run run;
	fixture_run(fixture, &(const struct hook){FROM_ENDPOINT, ifindex, ifindex, 0xffffffff}, &frame, &run);
	assert_passes(&run);
	assert_int_equal(run.mark & fixture->settings.mark_nat_out, 0);
}

static void test_masquerade_is_marked_between_pool_and_outside(void **state)
{
	struct fixture *fixture = table_fixture();
	__u32 nat = fixture->settings.mark_nat_out;
	struct address address = {.row = 100,
				  .words = 1,
				  .generation_slot = GENERATION_FIRST + SLOT_A,
				  .endpoint = SLOT_A,
				  .flags = ADDRESS_LOCAL | ADDRESS_IN_POOL | ADDRESS_NAT_OUT};
	assert_int_equal(table_send(frame_udp(A4, 1, EXTERNAL4, 2)).mark & nat, 0);
	fixture_address4(fixture, A4, 1 << SET_A, &address);
	assert_int_equal(table_send(frame_udp(A4, 3, EXTERNAL4, 2)).mark & nat, nat);
	assert_int_equal(table_send(frame_udp(A4, 3, EXTERNAL4, 2)).mark & nat, nat);
	assert_int_equal(table_send(frame_udp(A4, 3, REMOTE4, 2)).mark & nat, 0);
	assert_int_equal(table_send(frame_udp(A4, 3, HOST4, 2)).mark & nat, 0);
}

static void test_ttl_ends_at_the_host(void **state)
{
	struct frame frame = frame_tcp(A4, 40000, B4, 80, TCP_SYN);
	struct run run;
	frame.ttl = 1;
	run = table_send(frame);
	assert_int_not_equal(run.action,
			     TC_ACT_REDIRECT); /* the stack answers with time exceeded, or it is dropped */
}

#define TEST(name) cmocka_unit_test_setup(name, table_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_host_reaches_endpoints_without_policy),
		TEST(test_reply_to_an_endpoint_s_flow_passes),
		TEST(test_forwarded_packets_need_the_inbound_policy),
		TEST(test_reply_from_elsewhere_passes),
		TEST(test_delivery_to_who_cannot_receive),
		TEST(test_unapproved_packet_of_an_endpoint),
		TEST(test_approved_packet_passes),
		TEST(test_mark_is_set_on_what_the_host_forwards),
		TEST(test_mark_is_set_on_what_the_host_itself_gets),
		TEST(test_mark_cannot_be_forged),
		TEST(test_masquerade_is_marked_between_pool_and_outside),
		TEST(test_ttl_ends_at_the_host),
	};
	int failed = table_run("RETURN", allowed_rows, LENGTH(allowed_rows), NULL);
	failed += table_run("RETURN, denied", denied_rows, LENGTH(denied_rows), deny_a_outbound);
	failed += cmocka_run_group_tests_name("host", tests, table_setup, table_teardown);
	table_settings()->host_action = HOST_DROP;
	failed += table_run("DROP", drop_rows, LENGTH(drop_rows), NULL);
	return failed;
}
