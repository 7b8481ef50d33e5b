/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* DropActionOverride: what becomes of a drop, and who is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "table.h"

/* One packet for each place that drops: malformed, spoofed, denied, unknown interface. */
static void send_all(struct run runs[4])
{
	struct fixture *fixture = table_fixture();
	struct frame malformed = frame_tcp(A4, 40000, B4, 80, TCP_SYN | TCP_FIN);
	struct frame spoofed = frame_tcp(EXTERNAL4, 40000, B4, 80, TCP_SYN);
	struct frame denied = frame_tcp(A4, 40000, B4, 80, TCP_SYN);
	fixture_policy(fixture, SLOT_B, 0, 0);
	fixture_send(fixture, SLOT_A, &malformed, &runs[0]);
	fixture_send(fixture, SLOT_A, &spoofed, &runs[1]);
	fixture_send(fixture, SLOT_A, &denied, &runs[2]);
	fixture_send(fixture, SLOT_STRANGER, &denied, &runs[3]);
}

static const enum drop_reason reasons[4] = {DROP_REASON_MALFORMED, DROP_REASON_SPOOFED_IP,
					    DROP_REASON_POLICY_INBOUND, DROP_REASON_UNKNOWN_INTERFACE};

static void test_drop_is_silent(void **state)
{
	struct run runs[4];
	struct packet_event events[8];
	send_all(runs);
	for (int i = 0; i < 4; i++)
		assert_drops(&runs[i], reasons[i]);
	assert_int_equal(progrun_events(table_fixture()->progrun, events, 8), 0);
}

static void assert_events(void)
{
	struct packet_event events[8];
	assert_int_equal(progrun_events(table_fixture()->progrun, events, 8), 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(events[i].reason, reasons[i]);
	struct in_addr a, b;
	inet_pton(AF_INET, A4, &a);
	inet_pton(AF_INET, B4, &b);
	assert_int_equal(events[2].source[0], a.s_addr);
	assert_int_equal(events[2].destination[0], b.s_addr);
	assert_int_equal(events[2].source_port, htons(40000));
	assert_int_equal(events[2].destination_port, htons(80));
	assert_int_equal(events[2].protocol, IPPROTO_TCP);
	assert_int_equal(events[2].family, 4);
	assert_int_equal(events[2].length, 54);
	assert_int_equal(events[2].ifindex, table_fixture()->ifindex[SLOT_B]); /* whose policy dropped it */
}

static void test_log_and_drop(void **state)
{
	struct run runs[4];
	send_all(runs);
	for (int i = 0; i < 4; i++)
		assert_drops(&runs[i], reasons[i]);
	assert_events();
}

static void test_accept(void **state)
{
	struct run runs[4];
	struct packet_event events[8];
	send_all(runs);
	for (int i = 0; i < 4; i++)
		assert_passes(&runs[i]);
	assert_int_equal(progrun_events(table_fixture()->progrun, events, 8), 0);
}

static void test_log_and_accept(void **state)
{
	struct run runs[4];
	send_all(runs);
	for (int i = 0; i < 4; i++)
		assert_passes(&runs[i]);
	assert_events();
}

/* A flood of drops may not push everything else out of the ring. */
static void test_events_are_rate_limited(void **state)
{
	struct frame frame = frame_tcp(EXTERNAL4, 40000, B4, 80, TCP_SYN);
	struct packet_event events[1];
	struct run run;
	for (int i = 0; i < 1000; i++)
		fixture_send(table_fixture(), SLOT_A, &frame, &run);
	assert_in_range(progrun_events(table_fixture()->progrun, events, 1), 1, 500);
}

static void test_drops_are_counted_by_interface(void **state)
{
	struct fixture *fixture = table_fixture();
	struct run runs[4];
	send_all(runs);
	const struct drop_key denied = {.ifindex = fixture->ifindex[SLOT_B],
					.reason = DROP_REASON_POLICY_INBOUND};
	const struct drop_key spoofed = {.ifindex = fixture->ifindex[SLOT_A],
					 .reason = DROP_REASON_SPOOFED_IP};
	assert_int_equal(progrun_traffic(fixture->progrun, "drops", &denied).packets, 1);
	assert_int_equal(progrun_traffic(fixture->progrun, "drops", &denied).bytes, 54);
	assert_int_equal(progrun_traffic(fixture->progrun, "drops", &spoofed).packets, 1);
}

static int run_one(enum drop_action action, const char *name, CMUnitTestFunction function)
{
	const struct CMUnitTest test = {name, function, table_reset, NULL, NULL};
	table_settings()->drop_action = action;
	return _cmocka_run_group_tests(name, &test, 1, table_setup, table_teardown);
}

int main(void)
{
	int failed = run_one(DROP_DROP, "DROP", test_drop_is_silent);
	failed += run_one(DROP_DROP, "DROP counts", test_drops_are_counted_by_interface);
	failed += run_one(DROP_LOG_DROP, "LOG-and-DROP", test_log_and_drop);
	failed += run_one(DROP_LOG_DROP, "LOG-and-DROP flood", test_events_are_rate_limited);
	failed += run_one(DROP_ACCEPT, "ACCEPT", test_accept);
	failed += run_one(DROP_LOG_ACCEPT, "LOG-and-ACCEPT", test_log_and_accept);
	return failed;
}
