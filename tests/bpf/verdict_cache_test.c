/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kept verdicts are those of their own kind of packet, also where many kinds share one place of the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "table.h"

#define OTHERS	  (8 * VERDICTS) /* so many kinds that each place is wanted by some of them */
#define FIRST_ROW 1000

/* B lets in only what comes to port 80 from members of a set; of those there is a verdict to begin with. */
static void keep_one_verdict(void)
{
	struct fixture *fixture = table_fixture();
	const struct class_rule rule = {CLASS_ANY,
					{.action = ACTION_ALLOW,
					 .flags = MATCH_IPV4 | MATCH_IPV6 | MATCH_DPORT,
					 .src_set = SET_REMOTE,
					 .dport_first = 80,
					 .dport_last = 80,
					 .rule_id = 2}};

	fixture_policy(fixture, SLOT_B, fixture_list(fixture, &rule, 1, 0), 0);
}

static void send(uint16_t port, enum drop_reason reason)
{
	struct fixture *fixture = table_fixture();
	const struct frame frame = frame_tcp(REMOTE4, 40000, B4, port, TCP_SYN);
	struct run run;

	fixture_deliver(fixture, SLOT_B, &frame, &run);
	if (reason)
		assert_drops(&run, reason);
	else
		assert_passes(&run);
	progrun_clear(fixture->progrun, "flow4");
}

static void test_other_ports(void **state)
{
	keep_one_verdict();
	for (unsigned int port = 1; port < OTHERS; port++) {
		if (port % VERDICTS == 1)
			send(80, DROP_NONE);
		if (port != 80)
			send((uint16_t)port, DROP_REASON_POLICY_INBOUND);
	}
	send(80, DROP_NONE);
}

static void give_row(__u32 row, __u64 sets)
{
	const struct address address = {.row = row,
					.words = 1,
					.generation_slot = GENERATION_FIRST + 30,
					.flags = ADDRESS_REMOTE | ADDRESS_IN_POOL};

	fixture_address4(table_fixture(), REMOTE4, sets, &address);
}

static void test_other_rows(void **state)
{
	keep_one_verdict();
	for (unsigned int i = 0; i < OTHERS; i++) {
		if (i % VERDICTS == 0) {
			give_row(FIRST_ROW, 1 << SET_REMOTE);
			send(80, DROP_NONE);
		}
		give_row(FIRST_ROW + 1 + i, 0);
		send(80, DROP_REASON_POLICY_INBOUND);
	}
}

/* Every rule on the way counts the packet each time, however many tiers are left for the next. */
static void test_several_next_tiers(void **state)
{
	enum { TIERS = 3, FIRST = 200, LIST = 500 };
	struct progrun *progrun = table_fixture()->progrun;
	struct policy_list list = {.serial = LIST};
	__u32 number = LIST;

	for (__u32 i = 0; i < TIERS; i++) {
		const struct policy_rule rule = {.action = i + 1 < TIERS ? ACTION_NEXT : ACTION_ALLOW,
						 .flags = MATCH_ALWAYS,
						 .rule_id = FIRST + i};
		const struct policy_step step = {
			.kind = STEP_RULES, .rule = FIRST + i, .rules = 1, .next = i + 1};
		__u32 index = FIRST + i;

		progrun_put(progrun, "rule", &index, &rule);
		progrun_put(progrun, "step", &index, &step);
	}
	for (int class = 0; class < CLASS_COUNT; class ++) {
		list.classes[class].first = FIRST;
		list.classes[class].steps = TIERS;
	}
	progrun_put(progrun, "list", &number, &list);
	fixture_policy(table_fixture(), SLOT_B, LIST, 0);
	for (unsigned int sent = 1; sent <= 3; sent++) {
		send(80, DROP_NONE);
		for (__u32 id = FIRST; id < FIRST + TIERS; id++)
			assert_int_equal(progrun_traffic(progrun, "rule_hits", &id).packets, sent);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_other_ports, table_reset),
		cmocka_unit_test_setup(test_other_rows, table_reset),
		cmocka_unit_test_setup(test_several_next_tiers, table_reset),
	};

	return cmocka_run_group_tests_name("kept verdicts", tests, table_setup, table_teardown);
}
