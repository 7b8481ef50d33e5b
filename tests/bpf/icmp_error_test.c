/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors pass when they are about a flow that exists, and only to the end that sent the packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "table.h"

enum { UNREACHABLE = 3, QUENCH = 4, REDIRECT = 5, TIME_EXCEEDED = 11, PARAMETER = 12 };
enum { UNREACHABLE6 = 1, TOO_BIG6 = 2, TIME_EXCEEDED6 = 3, PARAMETER6 = 4 };

static struct frame about;

/* An error from B to A that quotes `about`, as much of it as the RFCs ask for. */
static struct frame error4(uint8_t type, uint8_t code)
{
	return (struct frame){.source = B4,
			      .destination = A4,
			      .protocol = IPPROTO_ICMP,
			      .icmp_type = type,
			      .icmp_code = code,
			      .inner = &about,
			      .payload_length = 28};
}

static struct frame error6(uint8_t type)
{
	return (struct frame){.source = B6,
			      .destination = A6,
			      .protocol = IPPROTO_ICMPV6,
			      .icmp_type = type,
			      .inner = &about};
}

static int open_flow(void **state)
{
	table_reset(state);
	fixture_only_a_opens(table_fixture());
	about = frame_udp(A4, 5000, B4, 53);
	expect_pass(about);
	return 0;
}

static int open_flow6(void **state)
{
	table_reset(state);
	fixture_only_a_opens(table_fixture());
	about = frame_udp(A6, 5000, B6, 53);
	expect_pass(about);
	return 0;
}

static unsigned int flows(void)
{
	return progrun_count(table_fixture()->progrun, "flow4");
}

static void test_errors_about_the_flow_pass(void **state)
{
	expect_pass(error4(UNREACHABLE, 3));
	expect_pass(error4(UNREACHABLE, 4)); /* fragmentation needed */
	expect_pass(error4(TIME_EXCEEDED, 0));
	expect_pass(error4(PARAMETER, 0));
	assert_int_equal(flows(), 1);
}

static void test_errors_about_the_flow_pass6(void **state)
{
	expect_pass(error6(UNREACHABLE6));
	expect_pass(error6(TOO_BIG6));
	expect_pass(error6(TIME_EXCEEDED6));
	expect_pass(error6(PARAMETER6));
}

static void test_error_about_a_tcp_flow_passes(void **state)
{
	about = frame_tcp(A4, 40000, B4, 80, TCP_SYN);
	expect_pass(about);
	expect_pass(error4(UNREACHABLE, 3));
}

static void test_error_about_an_echo_passes(void **state)
{
	about = frame_echo(A4, B4, false, 77);
	expect_pass(about);
	expect_pass(error4(UNREACHABLE, 1));
}

static void test_error_about_a_reply_passes(void **state)
{
	struct frame error = {.source = A4,
			      .destination = B4,
			      .protocol = IPPROTO_ICMP,
			      .icmp_type = UNREACHABLE,
			      .icmp_code = 3,
			      .inner = &about,
			      .payload_length = 28};
	about = frame_udp(B4, 53, A4, 5000);
	expect_pass(about);
	expect_pass(error);
}

static void test_error_about_no_flow(void **state)
{
	about = frame_udp(A4, 5001, B4, 53);
	expect_drop(error4(UNREACHABLE, 3), DROP_REASON_ICMP_UNRELATED);
	assert_int_equal(flows(), 1);
}

static void test_error_about_no_flow6(void **state)
{
	about = frame_udp(A6, 5001, B6, 53);
	expect_drop(error6(UNREACHABLE6), DROP_REASON_ICMP_UNRELATED);
}

static void test_error_to_who_did_not_send_the_packet(void **state)
{
	about = frame_udp(B4, 53, A4, 5000); /* the flow exists, but this packet went to A, not from it */
	expect_drop(error4(UNREACHABLE, 3), DROP_REASON_ICMP_UNRELATED);
}

static void test_error_about_a_foreign_flow(void **state)
{
	struct frame error = error4(UNREACHABLE, 3);
	error.destination = REMOTE4;
	about = frame_udp(REMOTE4, 5000, EXTERNAL4, 53);
	expect_drop(error, DROP_REASON_ICMP_UNRELATED);
}

static void test_error_from_a_spoofed_address(void **state)
{
	struct frame error = error4(UNREACHABLE, 3);
	struct run run;
	error.source = EXTERNAL4;
	fixture_send(table_fixture(), SLOT_B, &error, &run);
	assert_drops(&run, DROP_REASON_ICMP_UNRELATED);
}

/* RFC 6633 and RFC 1122: quenches are obsolete, and redirects come from routers, not endpoints. */
static void test_quench_and_redirect_never_pass(void **state)
{
	expect_drop(error4(QUENCH, 0), DROP_REASON_ICMP_UNRELATED);
	expect_drop(error4(REDIRECT, 1), DROP_REASON_ICMP_UNRELATED);
}

static void test_error_about_an_error(void **state)
{
	struct frame first = about;
	about = (struct frame){.source = A4,
			       .destination = B4,
			       .protocol = IPPROTO_ICMP,
			       .icmp_type = UNREACHABLE,
			       .inner = &first,
			       .payload_length = 28};
	expect_drop(error4(UNREACHABLE, 3), DROP_REASON_ICMP_UNRELATED);
}

static void test_error_that_quotes_a_later_fragment(void **state)
{
	about.fragment_offset = 100;
	expect_drop(error4(UNREACHABLE, 3), DROP_REASON_ICMP_UNRELATED);
}

static void test_error_that_quotes_too_little(void **state)
{
	struct frame error = error4(UNREACHABLE, 3);
	struct run run;
	for (size_t quoted = 1; quoted < 28; quoted++) {
		error.payload_length = quoted;
		run = table_send(error);
		if (run_passes(&run) || run.drops != 1)
			fail_msg("quoting %zu bytes: it must be dropped and counted once", quoted);
	}
}

static void test_error_does_not_refresh_the_flow(void **state)
{
	struct progrun *progrun = table_fixture()->progrun;
	struct flow4_key key;
	struct flow flow;
	assert_int_equal(progrun_first(progrun, "flow4", &key, &flow), 1);
	flow.seen -= 10 * table_fixture()->settings.hz;
	progrun_put(progrun, "flow4", &key, &flow);
	expect_pass(error4(UNREACHABLE, 3));
	struct flow after;
	assert_true(progrun_get(progrun, "flow4", &key, &after));
	assert_memory_equal(&flow, &after, sizeof(flow));
}

/* A router may report what A sent to the outside, but to nobody else. */
static void test_error_to_another_endpoint(void **state)
{
	struct frame error = error4(UNREACHABLE, 1);
	struct run run;
	fixture_reset(table_fixture());
	about = frame_udp(A4, 5000, EXTERNAL4, 53);
	expect_pass(about);
	error.source = UNUSED4;
	fixture_deliver(table_fixture(), SLOT_A, &error, &run);
	assert_passes(&run);
	error.destination = B4;
	fixture_deliver(table_fixture(), SLOT_A, &error, &run);
	assert_drops(&run, DROP_REASON_ICMP_UNRELATED);
}

/* Whether policy still allows the flow is for its own packets to find out. */
static void test_error_about_a_flow_to_be_judged_again(void **state)
{
	fixture_bump(table_fixture(), SLOT_A);
	expect_drop(error4(UNREACHABLE, 3), DROP_REASON_ICMP_UNRELATED);
	expect_pass(about);
	expect_pass(error4(UNREACHABLE, 3));
}

#define TEST4(name) cmocka_unit_test_setup(name, open_flow)
#define TEST6(name) cmocka_unit_test_setup(name, open_flow6)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST4(test_errors_about_the_flow_pass),
		TEST6(test_errors_about_the_flow_pass6),
		TEST4(test_error_about_a_tcp_flow_passes),
		TEST4(test_error_about_an_echo_passes),
		TEST4(test_error_about_a_reply_passes),
		TEST4(test_error_about_no_flow),
		TEST6(test_error_about_no_flow6),
		TEST4(test_error_to_who_did_not_send_the_packet),
		TEST4(test_error_about_a_foreign_flow),
		TEST4(test_error_from_a_spoofed_address),
		TEST4(test_quench_and_redirect_never_pass),
		TEST4(test_error_about_an_error),
		TEST4(test_error_that_quotes_a_later_fragment),
		TEST4(test_error_that_quotes_too_little),
		TEST4(test_error_does_not_refresh_the_flow),
		TEST4(test_error_to_another_endpoint),
		TEST4(test_error_about_a_flow_to_be_judged_again),
	};
	return cmocka_run_group_tests_name("icmp_error", tests, table_setup, table_teardown);
}
