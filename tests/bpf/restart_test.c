/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flows that outlast a restart after which endpoints have other slots, whoever sends next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "table.h"

/* A and B change their slots, and whatever is said of them goes along. */
static void restart(bool policy_goes_along)
{
	static const enum slot slots[] = {SLOT_A, SLOT_B};
	struct progrun *progrun = table_fixture()->progrun;
	struct interface interface[2];
	struct endpoint endpoint[2];
	struct endpoint_policy policy[2];

	for (int i = 0; i < 2; i++) {
		__u32 ifindex = table_fixture()->ifindex[slots[i]];

		assert_true(progrun_get(progrun, "interface", &ifindex, &interface[i]));
		assert_true(progrun_get(progrun, "endpoint", &interface[i].endpoint, &endpoint[i]));
		assert_true(progrun_get(progrun, "endpoint_policy", &interface[i].endpoint, &policy[i]));
	}
	for (int i = 0; i < 2; i++) {
		__u32 slot = interface[!i].endpoint, ifindex = table_fixture()->ifindex[slots[i]], generation;
		const char *v4 = i ? B4 : A4, *v6 = i ? B6 : A6;
		struct address address;
		struct address4_key key4;
		struct address6_key key6;
		__be32 words[4] = {0};

		progrun_put(progrun, "endpoint", &slot, &endpoint[i]);
		if (policy_goes_along)
			progrun_put(progrun, "endpoint_policy", &slot, &policy[i]);
		progrun_put(progrun, "interface", &ifindex, &interface[!i]);
		inet_pton(AF_INET, v4, &key4);
		assert_true(progrun_get(progrun, "address4", &key4, &address));
		address.endpoint = (__u16)slot;
		memcpy(words, &key4, sizeof(key4));
		address.check = address_check(words, &address);
		progrun_put(progrun, "address4", &key4, &address);
		inet_pton(AF_INET6, v6, &key6);
		assert_true(progrun_get(progrun, "address6", &key6, &address));
		address.endpoint = (__u16)slot;
		memcpy(words, &key6, sizeof(key6));
		address.check = address_check(words, &address);
		progrun_put(progrun, "address6", &key6, &address);
		assert_true(progrun_get(progrun, "generation", &address.generation_slot, &generation));
		generation++;
		progrun_put(progrun, "generation", &address.generation_slot, &generation);
	}
	progrun_zero(progrun, "verdict_cache");
}

static struct run arrive(struct frame frame)
{
	unsigned int uplink = table_fixture()->uplink;
	struct run run;

	fixture_run(table_fixture(), &(const struct hook){FROM_UPLINK, uplink, uplink, 0}, &frame, &run);
	return run;
}

static void establish(const char *from, const char *to)
{
	expect_pass(frame_tcp(from, 4000, to, 80, TCP_SYN));
	expect_pass(frame_tcp(to, 80, from, 4000, TCP_SYN | TCP_ACK));
	expect_pass(frame_tcp(from, 4000, to, 80, TCP_ACK));
	expect_pass(frame_udp(from, 4000, to, 53));
	expect_pass(frame_udp(to, 53, from, 4000));
	expect_pass(frame_echo(from, to, false, 7));
	expect_pass(frame_echo(to, from, true, 7));
}

static void test_the_accepting_end_sends_next(void **state)
{
	static const char *const ends[][2] = {{A4, B4}, {A6, B6}};

	for (int i = 0; i < 2; i++) {
		const char *from = ends[i][0], *to = ends[i][1];

		table_reset(state);
		fixture_only_a_opens(table_fixture());
		establish(from, to);
		for (int again = 0; again < 2; again++) {
			restart(true);
			expect_pass(frame_tcp(to, 80, from, 4000, TCP_ACK));
			expect_pass(frame_udp(to, 53, from, 4000));
			expect_pass(frame_echo(to, from, true, 7));
			expect_pass(frame_tcp(from, 4000, to, 80, TCP_ACK));
			expect_pass(frame_udp(from, 4000, to, 53));
			expect_pass(frame_echo(from, to, false, 7));
		}
		expect_drop(frame_tcp(to, 81, from, 4000, TCP_SYN), DROP_REASON_POLICY_OUTBOUND);
	}
}

/* It is judged by the policy of who has the address now: the slots' other policies count for others. */
static void test_the_new_slot_s_policy_counts(void **state)
{
	fixture_only_a_opens(table_fixture());
	establish(A4, B4);
	restart(false);
	expect_drop(frame_tcp(B4, 80, A4, 4000, TCP_ACK), DROP_REASON_REVOKED);
	expect_drop(frame_udp(A4, 4000, B4, 53), DROP_REASON_REVOKED);
}

static void test_flows_with_outside_go_on(void **state)
{
	static const char *const ends[][2] = {{A4, EXTERNAL4}, {A6, EXTERNAL6}};

	for (int i = 0; i < 2; i++) {
		const char *here = ends[i][0], *there = ends[i][1];
		struct run run;

		table_reset(state);
		fixture_policy(table_fixture(), SLOT_A, 0, fixture_list_allow(table_fixture()));
		fixture_policy(table_fixture(), SLOT_B, fixture_list_allow(table_fixture()), 0);
		expect_pass(frame_udp(here, 4000, there, 53));
		run = arrive(frame_udp(there, 53, here, 4000));
		assert_passes(&run);
		run = arrive(frame_tcp(there, 1000, i ? B6 : B4, 80, TCP_SYN));
		assert_passes(&run);
		restart(true);
		run = arrive(frame_udp(there, 53, here, 4000));
		assert_passes(&run);
		expect_pass(frame_tcp(i ? B6 : B4, 80, there, 1000, TCP_SYN | TCP_ACK));
		restart(true);
		expect_pass(frame_udp(here, 4000, there, 53));
	}
}

/* The interface proves the address: whoever has got both address and slot of another did not open its flow.
 */
static void test_another_interface_did_not_open_it(void **state)
{
	struct progrun *progrun = table_fixture()->progrun;
	__u32 a = table_fixture()->ifindex[SLOT_A];
	struct interface interface = {.endpoint = SLOT_C};
	__u32 slot = GENERATION_FIRST + 1, generation = 77;

	fixture_only_a_opens(table_fixture());
	establish(A4, B4);
	progrun_put(progrun, "interface", &a, &interface);
	progrun_put(progrun, "generation", &slot, &generation);
	expect_drop(frame_tcp(B4, 80, A4, 4000, TCP_ACK), DROP_REASON_REVOKED);
}

#define TEST(name) cmocka_unit_test_setup(name, table_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_accepting_end_sends_next),
		TEST(test_the_new_slot_s_policy_counts),
		TEST(test_flows_with_outside_go_on),
		TEST(test_another_interface_did_not_open_it),
	};

	return cmocka_run_group_tests_name("restart", tests, table_setup, table_teardown);
}
