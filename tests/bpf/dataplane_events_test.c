/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packet events on their way from the programs to the event loop. */
#include "dataplane_policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "dataplane/events.h"
#include "reasons.h"
#include "util/memory.h"

/* More than the programs report of one interface in a second, on one CPU; and in two. */
#define REPORTS_PER_SECOND 1000
#define FLOOD		   3000

struct seen {
	unsigned int count, wanted;
	struct packet_event last;
};

static void report(void *arg, const struct packet_event *event)
{
	struct seen *seen = arg;

	seen->count++;
	seen->last = *event;
}

static bool all_seen(void *arg)
{
	const struct seen *seen = arg;

	return seen->count >= seen->wanted;
}

static struct events *open_events(struct enforced *enforced, struct seen *seen)
{
	struct events *events;
	struct err err;

	*seen = (struct seen){0};
	env_ok(events_open(enforced->dp, report, seen, &events, &err), &err);
	return events;
}

static void wait_for_events(struct seen *seen, unsigned int wanted)
{
	seen->wanted = wanted;
	env_until(all_seen, seen);
	assert_int_equal(seen->count, wanted);
}

static void test_a_log_rule_reports_what_it_matched(void **state)
{
	struct log_prefix prefix;
	struct enforced enforced;
	struct rule_info rule;
	struct events *events;
	struct seen seen;

	enforced_open(&enforced, DROP_DROP);
	enforced_rules(&enforced, "first", "",
		       "{'action': 'log', 'protocol': 'tcp', 'dst_ports': [80], 'log_prefix': 'web'}, {}");
	events = open_events(&enforced, &seen);
	assert_true(enforced_sends(&enforced, 443));
	assert_true(enforced_sends(&enforced, 80));
	wait_for_events(&seen, 1);
	assert_int_equal(seen.last.ifindex, enforced.ifindex);
	assert_int_equal(seen.last.reason, DROP_NONE);
	assert_int_equal(seen.last.family, 4);
	assert_int_equal(seen.last.destination_port, htons(80));
	assert_int_equal(events_rule(events, seen.last.rule_id, &rule), 0);
	assert_string_equal(rule.object, "profile first");
	assert_string_equal(rule.direction, "outbound");
	assert_int_equal(rule.position, 1);
	assert_string_equal(rule.text, "log tcp to ports 80 prefix web");
	assert_int_equal(events_prefix(events, seen.last.log_prefix, &prefix), 0);
	assert_string_equal(prefix.text, "web");
	assert_int_equal(events_lost(events), 0);
	events_close(events);
	enforced_close(&enforced);
}

/* The ring is a file that is mapped for reading, but not one that can be read again. */
static void test_the_ring_outlives_giving_memory_back(void **state)
{
	struct enforced enforced;
	struct events *events;
	struct seen seen;

	enforced_open(&enforced, DROP_DROP);
	enforced_rules(&enforced, "first", "", "{'action': 'log'}");
	events = open_events(&enforced, &seen);
	memory_trim();
	assert_false(enforced_sends(&enforced, 80));
	wait_for_events(&seen, 1);
	events_close(events);
	enforced_close(&enforced);
}

static void test_drops_are_reported_when_asked_for(void **state)
{
	struct enforced enforced;
	struct events *events;
	struct rule_info rule;
	struct seen seen;

	enforced_open(&enforced, DROP_LOG_DROP);
	enforced_rules(&enforced, "first", "", "{'action': 'deny'}");
	events = open_events(&enforced, &seen);
	assert_false(enforced_sends(&enforced, 80));
	wait_for_events(&seen, 1);
	assert_int_equal(seen.last.reason, DROP_REASON_RULE_OUTBOUND);
	assert_int_equal(events_rule(events, seen.last.rule_id, &rule), 0);
	assert_string_equal(rule.text, "deny");
	events_close(events);
	enforced_close(&enforced);
}

/* One interface cannot fill the log or the ring; what is left out is counted. */
static void test_a_flood_is_cut_and_counted(void **state)
{
	struct enforced enforced;
	struct events *events;
	struct seen seen;
	__u64 lost;

	enforced_open(&enforced, DROP_DROP);
	enforced_rules(&enforced, "first", "", "{'action': 'log'}, {'action': 'deny'}");
	events = open_events(&enforced, &seen);
	for (int i = 0; i < FLOOD; i++)
		assert_false(enforced_sends(&enforced, 80));
	lost = events_lost(events);
	assert_in_range(lost, 1, FLOOD - REPORTS_PER_SECOND);
	wait_for_events(&seen, FLOOD - (unsigned int)lost);
	events_close(events);
	enforced_close(&enforced);
}

/* The numbers in their events are those of rules that are no more. */
static void test_events_of_an_earlier_generation_are_forgotten(void **state)
{
	struct enforced enforced;
	struct events *events;
	struct seen seen;

	enforced_open(&enforced, DROP_DROP);
	enforced_rules(&enforced, "first", "", "{'action': 'log'}, {'action': 'deny'}");
	assert_false(enforced_sends(&enforced, 80));
	enforced_close(&enforced);

	enforced_open(&enforced, DROP_DROP);
	enforced_rules(&enforced, "first", "", "{'action': 'log'}, {'action': 'deny'}");
	events = open_events(&enforced, &seen);
	assert_false(enforced_sends(&enforced, 81));
	wait_for_events(&seen, 1);
	assert_int_equal(seen.last.destination_port, htons(81));
	events_close(events);
	enforced_close(&enforced);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, env_enter, env_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_log_rule_reports_what_it_matched),
		TEST(test_the_ring_outlives_giving_memory_back),
		TEST(test_drops_are_reported_when_asked_for),
		TEST(test_a_flood_is_cut_and_counted),
		TEST(test_events_of_an_earlier_generation_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
