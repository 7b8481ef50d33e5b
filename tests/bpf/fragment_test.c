/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fragments share the fate of the first one of their datagram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "table.h"

#define FIRST_PAYLOAD 24 /* with the UDP header: 32 bytes, so that the next fragment is at 4 */

static struct frame first(const char *source, const char *destination, uint16_t port)
{
	struct frame frame = frame_udp(source, 5000, destination, port);
	frame.payload_length = FIRST_PAYLOAD;
	frame.faults.udp_length = FIRST_PAYLOAD + 8 + 64; /* of the whole datagram */
	frame.more_fragments = true;
	frame.fragment_id = 4711;
	return frame;
}

static struct frame later(const char *source, const char *destination, uint16_t offset)
{
	return (struct frame){.source = source,
			      .destination = destination,
			      .protocol = IPPROTO_UDP,
			      .fragment_offset = offset,
			      .fragment_id = 4711,
			      .payload_length = 64};
}

static void test_in_order(void **state)
{
	fixture_only_a_opens(table_fixture());
	expect_pass(first(A4, B4, 53));
	expect_pass(later(A4, B4, 4));
	expect_pass(later(A4, B4, 12));
}

static void test_in_order6(void **state)
{
	fixture_only_a_opens(table_fixture());
	expect_pass(first(A6, B6, 53));
	expect_pass(later(A6, B6, 4));
	expect_pass(later(A6, B6, 12));
}

static void test_later_one_without_the_first(void **state)
{
	expect_drop(later(A4, B4, 4), DROP_REASON_FRAGMENT_ORPHAN);
	expect_drop(later(A6, B6, 4), DROP_REASON_FRAGMENT_ORPHAN);
}

static void test_denied_first_takes_the_others_along(void **state)
{
	struct fixture *fixture = table_fixture();
	fixture_policy(fixture, SLOT_B, 0, 0);
	expect_drop(first(A4, B4, 53), DROP_REASON_POLICY_INBOUND);
	expect_drop(later(A4, B4, 4), DROP_REASON_FRAGMENT_ORPHAN);
}

static void test_another_datagram_is_another_fate(void **state)
{
	struct frame other = later(A4, B4, 4);
	expect_pass(first(A4, B4, 53));
	other.fragment_id = 4712;
	expect_drop(other, DROP_REASON_FRAGMENT_ORPHAN);
	other = later(A4, B4, 4);
	other.protocol = IPPROTO_TCP;
	expect_drop(other, DROP_REASON_FRAGMENT_ORPHAN);
	expect_drop(later(B4, A4, 4), DROP_REASON_FRAGMENT_ORPHAN);
}

static void test_later_ones_follow_a_revoked_policy(void **state)
{
	struct fixture *fixture = table_fixture();
	expect_pass(first(A4, B4, 53));
	fixture_policy(fixture, SLOT_B, 0, 0);
	fixture_bump(fixture, SLOT_B);
	struct run run = table_send(later(A4, B4, 4));
	assert_false(run_passes(&run));
}

/* RFC 3128: a fragment at offset 1 would overwrite the flags of a header that was already judged. */
static void test_fragment_over_the_header(void **state)
{
	struct frame tcp = frame_tcp(A4, 40000, B4, 80, TCP_SYN);
	tcp.more_fragments = true;
	tcp.payload_length = 12;
	tcp.fragment_id = 4711;
	expect_pass(tcp);
	struct frame over = later(A4, B4, 1);
	over.protocol = IPPROTO_TCP;
	expect_drop(over, DROP_REASON_FRAGMENT_TINY);
}

static void test_first_fragment_too_small_for_its_header(void **state)
{
	struct frame tcp = frame_tcp(A4, 40000, B4, 80, TCP_SYN);
	tcp.more_fragments = true;
	tcp.fragment_id = 4711;
	tcp.faults.total_length = 36; /* 16 bytes of the TCP header; Ethernet pads the rest */
	expect_drop(tcp, DROP_REASON_FRAGMENT_TINY);
}

/* RFC 6946: a fragment header on a whole packet changes nothing. */
static void test_atomic_fragment_is_a_whole_packet(void **state)
{
	struct frame frame = frame_udp(A6, 5000, B6, 53);
	frame.atomic_fragment = true;
	expect_pass(frame);
	expect_pass(frame_udp(B6, 53, A6, 5000));
}

static void test_spoofed_fragment(void **state)
{
	struct run run;
	struct frame frame = first(A4, B4, 53);
	expect_pass(frame);
	frame = later(A4, B4, 4);
	fixture_send(table_fixture(), SLOT_B, &frame, &run);
	assert_false(run_passes(&run));
	assert_int_equal(run.drops, 1);
}

static void test_end_beyond_64k(void **state)
{
	struct frame frame = later(A4, B4, 0x1fff);
	expect_pass(first(A4, B4, 53));
	expect_drop(frame, DROP_REASON_MALFORMED);
}

#define TEST(name) cmocka_unit_test_setup(name, table_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_order),
		TEST(test_in_order6),
		TEST(test_later_one_without_the_first),
		TEST(test_denied_first_takes_the_others_along),
		TEST(test_another_datagram_is_another_fate),
		TEST(test_later_ones_follow_a_revoked_policy),
		TEST(test_fragment_over_the_header),
		TEST(test_first_fragment_too_small_for_its_header),
		TEST(test_atomic_fragment_is_a_whole_packet),
		TEST(test_spoofed_fragment),
		TEST(test_end_beyond_64k),
	};
	return cmocka_run_group_tests_name("fragment", tests, table_setup, table_teardown);
}
