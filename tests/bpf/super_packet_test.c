/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Super-packets of more than 64 KiB (BIG TCP), whose headers say 0 for their length. The kernel lets no test
 * have so large ones, but for the programs these are not different.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "table.h"

enum form { SAYS, SAYS_NOTHING, JUMBOGRAM };

/* A hop-by-hop header with the one option that a jumbogram has goes between the headers. */
static void make_jumbogram(struct packet *packet)
{
	static const uint8_t option[8] = {IPPROTO_TCP, 0, 0xc2, 4, 0, 1, 0x86, 0xa0};

	memmove(packet->data + 54 + sizeof(option), packet->data + 54, packet->length - 54);
	memcpy(packet->data + 54, option, sizeof(option));
	packet->data[20] = 0;
	packet->length += sizeof(option);
}

static struct run send_from(enum slot slot, struct frame frame, enum form form, uint32_t gso_size)
{
	unsigned int ifindex = table_fixture()->ifindex[slot];
	const struct hook hook = {FROM_ENDPOINT, ifindex, ifindex, 0};
	bool v6 = strchr(frame.source, ':');
	struct packet packet;
	struct run run;

	frame.source_mac = slot == SLOT_A ? A_MAC : B_MAC;
	frame.payload_length = 200;
	packet_build(&frame, &packet);
	if (form != SAYS)
		memset(packet.data + (v6 ? 18 : 16), 0, 2);
	if (form == JUMBOGRAM)
		make_jumbogram(&packet);
	progrun_super_packet(table_fixture()->progrun, &hook, &packet, gso_size, &run);
	return run;
}

static void establish(const char *from, const char *to)
{
	expect_pass(frame_tcp(from, 4000, to, 80, TCP_SYN));
	expect_pass(frame_tcp(to, 80, from, 4000, TCP_SYN | TCP_ACK));
	expect_pass(frame_tcp(from, 4000, to, 80, TCP_ACK));
}

static void expect_direct(struct run run)
{
	assert_passes(&run);
	assert_int_equal(run.action, TC_ACT_REDIRECT);
}

/* On an open flow; with FIN, and after a change of policy, off the fast path. */
static void check(const char *from, const char *to, enum form form)
{
	struct frame frame = frame_tcp(from, 4000, to, 80, TCP_ACK);
	struct run run;

	fixture_forget(table_fixture());
	establish(from, to);
	expect_direct(send_from(SLOT_A, frame, form, 100));
	fixture_bump(table_fixture(), SLOT_A);
	expect_direct(send_from(SLOT_A, frame, form, 100));
	frame.tcp |= TCP_FIN;
	expect_direct(send_from(SLOT_A, frame, form, 100));
	/* What is not to be segmented cannot be longer than it says. */
	frame.source_port = 4001;
	frame.tcp = TCP_SYN;
	run = send_from(SLOT_A, frame, form, 0);
	assert_int_equal(run.action, TC_ACT_SHOT);
	assert_true(run.reason == DROP_REASON_MALFORMED || run.reason == DROP_REASON_SHORT);
}

static void test_ipv4(void **state)
{
	check(A4, B4, SAYS_NOTHING);
}

static void test_ipv6(void **state)
{
	check(A6, B6, SAYS_NOTHING);
	check(A6, B6, JUMBOGRAM);
}

/* Past the host's stack, where something lets it. */
static void test_forged_length_is_no_way_around(void **state)
{
	struct run run;

	fixture_policy(table_fixture(), SLOT_A, fixture_list_allow(table_fixture()), 0);
	run = send_from(SLOT_A, frame_tcp(A4, 4000, B4, 80, TCP_SYN), SAYS_NOTHING, 100);
	assert_drops(&run, DROP_REASON_POLICY_OUTBOUND);
	run = send_from(SLOT_A, frame_tcp(A6, 4000, B6, 80, TCP_SYN), JUMBOGRAM, 100);
	assert_drops(&run, DROP_REASON_POLICY_OUTBOUND);
	run = send_from(SLOT_A, frame_udp(A4, 4000, B4, 80), SAYS_NOTHING, 100);
	assert_drops(&run, DROP_REASON_MALFORMED);
}

#define TEST(name) cmocka_unit_test_setup(name, table_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ipv4),
		TEST(test_ipv6),
		TEST(test_forged_length_is_no_way_around),
	};

	return cmocka_run_group_tests_name("super-packets", tests, table_setup, table_teardown);
}
