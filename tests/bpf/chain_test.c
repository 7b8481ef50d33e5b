/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tiers, policies and profiles of an endpoint in their order, through compiler and programs. The numbers in
 * names are those of the policy specification's test inventory.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "engine.h"

#define ALLOW_ALL "[{}]"
/* A policy for every endpoint, with these inbound rules. */
#define POLICY(order, inbound)                                                                               \
	"{'order': " order ", 'selector': 'all()', 'inbound_rules': " inbound ", 'outbound_rules': [{}]}"
#define TCP_ALLOW "[{'action': 'allow', 'protocol': 'tcp'}]"
#define TCP_DENY  "[{'action': 'deny', 'protocol': 'tcp'}]"
#define TCP_NEXT  "[{'action': 'next-tier', 'protocol': 'tcp'}]"
#define UDP_ALLOW "[{'action': 'allow', 'protocol': 'udp'}]"

static struct engine *engine;

static int setup(void **state)
{
	engine = engine_new();
	return engine ? 0 : -1;
}

static int teardown(void **state)
{
	engine_free(engine);
	return 0;
}

/* Every test leaves the engine as engine_new() made it. */
static int restore(void **state)
{
	static const char *const tiers[] = {"t1", "t2"}, *const policies[] = {"p1", "p2"};
	for (int tier = 0; tier < 2; tier++) {
		for (int policy = 0; policy < 2; policy++)
			engine_policy(engine, tiers[tier], policies[policy], NULL);
		engine_tier(engine, tiers[tier], 0, false);
	}
	engine_rules(engine, "a", ALLOW_ALL, ALLOW_ALL);
	engine_rules(engine, "b", ALLOW_ALL, ALLOW_ALL);
	engine_rules(engine, "c", NULL, NULL);
	engine_profiles(engine, SLOT_A, "['a']", true);
	engine_profiles(engine, SLOT_B, "['b']", true);
	engine_commit(engine);
	return 0;
}

static struct run to_b(struct frame frame)
{
	struct run run;
	engine_commit(engine);
	fixture_forget(engine->fixture);
	fixture_deliver(engine->fixture, SLOT_B, &frame, &run);
	return run;
}

static struct frame tcp(void)
{
	return frame_tcp(EXTERNAL4, 40000, B4, 80, TCP_SYN);
}

static void expect_pass(void)
{
	struct run run = to_b(tcp());
	assert_passes(&run);
}

static void expect_drop(enum drop_reason reason)
{
	struct run run = to_b(tcp());
	assert_drops(&run, reason);
}

static void test_e2_allow_in_a_tier_is_final(void **state)
{
	engine_tier(engine, "t1", 1, true);
	engine_tier(engine, "t2", 2, true);
	engine_policy(engine, "t1", "p1", POLICY("1", UDP_ALLOW));
	engine_policy(engine, "t1", "p2", POLICY("2", TCP_ALLOW));
	engine_policy(engine, "t2", "p1", POLICY("1", TCP_DENY));
	engine_rules(engine, "b", "[{'action': 'deny'}]", ALLOW_ALL);
	expect_pass();
}

static void test_e3_end_of_a_tier_drops(void **state)
{
	engine_tier(engine, "t1", 1, true);
	engine_policy(engine, "t1", "p1", POLICY("1", UDP_ALLOW));
	expect_drop(DROP_REASON_TIER_END);
}

static void test_e4_next_tier_leads_to_the_profiles(void **state)
{
	engine_tier(engine, "t1", 1, true);
	engine_tier(engine, "t2", 2, true);
	engine_policy(engine, "t1", "p1", POLICY("1", TCP_NEXT));
	engine_policy(engine, "t2", "p1", POLICY("1", TCP_NEXT));
	expect_pass();
	engine_rules(engine, "b", "[]", ALLOW_ALL);
	expect_drop(DROP_REASON_POLICY_INBOUND);
}

static void test_e5_next_tier_skips_the_rest_of_its_tier(void **state)
{
	engine_tier(engine, "t1", 1, true);
	engine_policy(engine, "t1", "p1", POLICY("1", TCP_NEXT));
	engine_policy(engine, "t1", "p2", POLICY("2", TCP_DENY));
	expect_pass();
}

static void test_e6_tier_without_policy_for_the_endpoint_is_skipped(void **state)
{
	engine_tier(engine, "t1", 1, true);
	engine_policy(engine, "t1", "p1",
		      "{'order': 1, 'selector': 'has(x)', 'inbound_rules': [], 'outbound_rules': []}");
	expect_pass();
}

static void test_e7_empty_list_of_a_matching_policy_drops(void **state)
{
	engine_tier(engine, "t1", 1, true);
	engine_policy(engine, "t1", "p1",
		      "{'order': 1, 'selector': 'all()', 'inbound_rules': [], 'outbound_rules': [{}]}");
	expect_drop(DROP_REASON_TIER_END);
}

static void test_e8_profiles_in_their_order(void **state)
{
	engine_profiles(engine, SLOT_B, "['b', 'c']", true);
	engine_rules(engine, "b", UDP_ALLOW, ALLOW_ALL);
	engine_rules(engine, "c", TCP_ALLOW, ALLOW_ALL);
	expect_pass();
	engine_rules(engine, "b", TCP_DENY, ALLOW_ALL);
	expect_drop(DROP_REASON_RULE_INBOUND);
	engine_profiles(engine, SLOT_B, "['c', 'b']", true);
	expect_pass();
}

static void test_e9_missing_profile_drops(void **state)
{
	engine_profiles(engine, SLOT_B, "['c', 'b']", true);
	expect_drop(DROP_REASON_NO_PROFILE);
	engine_rules(engine, "c", "[]", "[]");
	expect_pass();
	engine_rules(engine, "c", NULL, NULL);
	expect_drop(DROP_REASON_NO_PROFILE);
}

static void test_e10_nothing_at_all_drops(void **state)
{
	engine_profiles(engine, SLOT_B, "[]", true);
	struct run run = to_b(tcp());
	assert_false(run_passes(&run));
	assert_int_equal(run.drops, 1);
}

static void test_e13_order_of_tiers(void **state)
{
	engine_policy(engine, "t1", "p1", POLICY("1", TCP_DENY));
	engine_policy(engine, "t2", "p1", POLICY("1", TCP_ALLOW));
	expect_pass(); /* tiers without metadata are ignored */
	engine_tier(engine, "t1", 2, true);
	engine_tier(engine, "t2", 1, true);
	expect_pass();
	engine_tier(engine, "t2", 3, true);
	expect_drop(DROP_REASON_RULE_INBOUND);
	engine_tier(engine, "t2", 2, true); /* equal: by name */
	expect_drop(DROP_REASON_RULE_INBOUND);
	engine_tier(engine, "t1", INFINITY, true);
	expect_pass();
	engine_tier(engine, "t2", 0, false);
	expect_drop(DROP_REASON_RULE_INBOUND);
}

static void test_e14_order_of_policies(void **state)
{
	engine_tier(engine, "t1", 1, true);
	engine_policy(engine, "t1", "p1", POLICY("2", TCP_DENY));
	engine_policy(engine, "t1", "p2", POLICY("1", TCP_ALLOW));
	expect_pass();
	engine_policy(engine, "t1", "p2", POLICY("3", TCP_ALLOW));
	expect_drop(DROP_REASON_RULE_INBOUND);
	engine_policy(engine, "t1", "p2", POLICY("2", TCP_ALLOW)); /* equal: by name */
	expect_drop(DROP_REASON_RULE_INBOUND);
	engine_policy(engine, "t1", "p1", POLICY("'default'", TCP_DENY));
	expect_pass();
}

static void test_e15_selector_starts_and_stops_to_match(void **state)
{
	struct frame frame = frame_tcp(EXTERNAL4, 40000, A4, 80, TCP_SYN);
	struct run run;
	engine_tier(engine, "t1", 1, true);
	engine_policy(engine, "t1", "p1",
		      "{'order': 1, 'selector': 'has(x)', 'inbound_rules': [{'action': 'deny'}],"
		      " 'outbound_rules': [{}]}");
	engine_commit(engine);
	fixture_deliver(engine->fixture, SLOT_A, &frame, &run);
	assert_drops(&run, DROP_REASON_RULE_INBOUND);
	expect_pass();
	engine_policy(engine, "t1", "p1",
		      "{'order': 1, 'selector': '!has(x)', 'inbound_rules': [{'action': 'deny'}],"
		      " 'outbound_rules': [{}]}");
	expect_drop(DROP_REASON_RULE_INBOUND);
	fixture_deliver(engine->fixture, SLOT_A, &frame, &run);
	assert_passes(&run);
}

static void test_both_sides_of_local_traffic_are_asked(void **state)
{
	struct frame frame = frame_tcp(A4, 40000, B4, 80, TCP_SYN);
	struct run run;
	engine_rules(engine, "b", "[{'src_tag': 'web'}]", ALLOW_ALL);
	engine_commit(engine);
	fixture_forget(engine->fixture);
	fixture_send(engine->fixture, SLOT_A, &frame, &run);
	assert_drops(&run, DROP_REASON_POLICY_INBOUND);
	engine_rules(engine, "b", "[{'src_tag': 'a'}]", ALLOW_ALL);
	engine_commit(engine);
	fixture_send(engine->fixture, SLOT_A, &frame, &run);
	assert_passes(&run);
	engine_rules(engine, "a", ALLOW_ALL, "[{'dst_tag': 'web'}]");
	engine_commit(engine);
	fixture_forget(engine->fixture);
	fixture_send(engine->fixture, SLOT_A, &frame, &run);
	assert_drops(&run, DROP_REASON_POLICY_OUTBOUND);
}

static void test_change_of_policy_ends_the_flow(void **state)
{
	struct frame first = frame_udp(A4, 5000, B4, 53), second = frame_udp(B4, 53, A4, 5000);
	struct run run;
	engine_rules(engine, "a", "[]", ALLOW_ALL);
	engine_commit(engine);
	fixture_forget(engine->fixture);
	fixture_send(engine->fixture, SLOT_A, &first, &run);
	fixture_send(engine->fixture, SLOT_B, &second, &run);
	assert_passes(&run);
	engine_rules(engine, "b", "[{'src_tag': 'web'}]", ALLOW_ALL);
	engine_commit(engine);
	fixture_send(engine->fixture, SLOT_B, &second, &run);
	assert_drops(&run, DROP_REASON_REVOKED);
}

/* Membership in a tag is policy too. */
static void test_lost_tag_ends_the_flow(void **state)
{
	struct frame frame = frame_udp(A4, 5000, B4, 53);
	struct run run;
	engine_rules(engine, "b", "[{'src_tag': 'a'}]", ALLOW_ALL);
	engine_commit(engine);
	fixture_forget(engine->fixture);
	fixture_send(engine->fixture, SLOT_A, &frame, &run);
	assert_passes(&run);
	engine_tags(engine, "a", "[]");
	engine_commit(engine);
	fixture_send(engine->fixture, SLOT_A, &frame, &run);
	assert_drops(&run, DROP_REASON_REVOKED);
	engine_tags(engine, "a", "['a']");
	engine_commit(engine);
	fixture_send(engine->fixture, SLOT_A, &frame, &run);
	assert_passes(&run);
}

#define TEST(name) cmocka_unit_test_setup(name, restore)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_e2_allow_in_a_tier_is_final),
		TEST(test_e3_end_of_a_tier_drops),
		TEST(test_e4_next_tier_leads_to_the_profiles),
		TEST(test_e5_next_tier_skips_the_rest_of_its_tier),
		TEST(test_e6_tier_without_policy_for_the_endpoint_is_skipped),
		TEST(test_e7_empty_list_of_a_matching_policy_drops),
		TEST(test_e8_profiles_in_their_order),
		TEST(test_e9_missing_profile_drops),
		TEST(test_e10_nothing_at_all_drops),
		TEST(test_e13_order_of_tiers),
		TEST(test_e14_order_of_policies),
		TEST(test_e15_selector_starts_and_stops_to_match),
		TEST(test_both_sides_of_local_traffic_are_asked),
		TEST(test_change_of_policy_ends_the_flow),
		TEST(test_lost_tag_ends_the_flow),
	};
	return cmocka_run_group_tests_name("chain", tests, setup, teardown);
}
