/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Maps that are full: what is denied then, who is told, and that it ends with the cause. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit/policy_fixture.h"

/* Rules that no two profiles share: a page of its own. */
static void set_many_rules(struct fixture *f, const char *profile, int count)
{
	char *text = malloc(100 + 80 * (size_t)count), *end = text;

	assert_non_null(text);
	end += sprintf(end, "{'inbound_rules': [");
	for (int i = 0; i < count; i++)
		end += sprintf(end, "%s{'protocol': 'tcp', 'dst_ports': [%d]}", i ? ", " : "", i + 1);
	sprintf(end, "], 'outbound_rules': []}");
	assert_true(fixture_set(f, RULES, profile, text));
	free(text);
}

static void test_profile_that_does_not_fit(void **state)
{
	const __u32 capacity[POLICY_MAP_COUNT] = {[MAP_RULE] = 100};
	struct fixture f;

	fixture_init(&f, capacity);
	set_many_rules(&f, "small", 40);
	set_many_rules(&f, "big", 70);
	fixture_set_local(&f, 1, "'small'");
	fixture_commit(&f);
	fixture_set_local(&f, 2, "'big'");
	fixture_set_local(&f, 3, "'small', 'big'");
	assert_int_equal(policy_commit(f.engine), -ENOSPC);
	assert_non_null(problems_find(&f.problems, "profile big"));
	assert_int_equal(f.problems.count, 1);
	assert_true(fixture_lets_in(&f, 1, "8.8.8.8 10.0.0.1 tcp 1 40"));
	assert_false(fixture_lets_in(&f, 2, "8.8.8.8 10.0.0.2 tcp 1 40"));
	/* The list goes as far as the profile that is missing. */
	assert_true(fixture_lets_in(&f, 3, "8.8.8.8 10.0.0.3 tcp 1 40"));
	assert_false(fixture_lets_in(&f, 3, "8.8.8.8 10.0.0.3 tcp 1 41"));
	set_many_rules(&f, "small", 20);
	fixture_commit(&f);
	assert_int_equal(f.problems.count, 0);
	assert_true(fixture_lets_in(&f, 2, "8.8.8.8 10.0.0.2 tcp 1 40"));
	assert_true(fixture_lets_in(&f, 3, "8.8.8.8 10.0.0.3 tcp 1 41"));
	fixture_done(&f);
}

/* New and old rules do not fit together, so the endpoint denies for a moment, but no longer than that. */
static void test_profile_replaced_in_a_tight_map(void **state)
{
	const __u32 capacity[POLICY_MAP_COUNT] = {[MAP_RULE] = 100};
	struct fixture f;

	fixture_init(&f, capacity);
	set_many_rules(&f, "p", 70);
	fixture_set_local(&f, 1, "'p'");
	fixture_commit(&f);
	set_many_rules(&f, "p", 90);
	fixture_commit(&f);
	assert_int_equal(f.problems.count, 0);
	assert_true(fixture_lets_in(&f, 1, "8.8.8.8 10.0.0.1 tcp 1 90"));
	fixture_commit(&f);
	fixture_done(&f);
}

static void test_list_that_does_not_fit(void **state)
{
	const __u32 capacity[POLICY_MAP_COUNT] = {[MAP_LIST] = 3};
	struct fixture f;

	fixture_init(&f, capacity);
	fixture_set(&f, RULES, "p", ALLOW_ALL);
	fixture_set(&f, RULES, "q", FROM_T);
	fixture_set_local(&f, 1, "'p'");
	fixture_commit(&f);
	fixture_set_local(&f, 2, "'q'");
	assert_int_equal(policy_commit(f.engine), -ENOSPC);
	assert_non_null(problems_find(&f.problems, "endpoint cali2"));
	assert_int_equal(maps_policy(&f.maps, 2).inbound, 0);
	assert_int_equal(maps_policy(&f.maps, 2).outbound, 0);
	assert_true(fixture_lets_in(&f, 1, "8.8.8.8 10.0.0.1 tcp 1 2"));
	fixture_set(&f, WORKLOAD, "local1", NULL);
	fixture_commit(&f);
	assert_int_equal(f.problems.count, 0);
	assert_int_not_equal(maps_policy(&f.maps, 2).outbound, 0);
	fixture_done(&f);
}

/* An address that is not in the maps as it should be closes its endpoint and what looks at its sets. */
static void test_addresses_that_do_not_fit(void **state)
{
	const __u32 capacity[POLICY_MAP_COUNT] = {[MAP_ADDRESS4] = 4};
	struct fixture f;

	fixture_init(&f, capacity);
	fixture_set(&f, RULES, "all", ALLOW_ALL);
	fixture_set(&f, RULES, "not", "{'inbound_rules': [{'!src_tag': 'T'}], 'outbound_rules': [{}]}");
	fixture_set(&f, TAGS, "tagged", "['T']");
	fixture_set_local(&f, 1, "'all'");
	fixture_set_local(&f, 2, "'not'");
	fixture_set_member(&f, 1, "'tagged'");
	fixture_set_member(&f, 2, "'tagged'");
	fixture_commit(&f);
	assert_true(fixture_lets_in(&f, 2, "8.8.8.8 10.0.0.2 tcp 1 2"));
	fixture_set_local(&f, 3, "'all'");
	assert_int_equal(policy_commit(f.engine), -ENOSPC);
	assert_non_null(problems_find(&f.problems, "endpoint cali3"));
	assert_int_equal(maps_policy(&f.maps, 3).inbound, 0);
	fixture_set_member(&f, 3, "'tagged'");
	assert_int_equal(policy_commit(f.engine), -ENOSPC);
	assert_non_null(problems_find(&f.problems, "profile not"));
	assert_false(fixture_lets_in(&f, 2, "8.8.8.8 10.0.0.2 tcp 1 2"));
	assert_false(fixture_lets_in(&f, 2, "10.1.0.3 10.0.0.2 tcp 1 2"));
	assert_true(fixture_lets_in(&f, 1, "8.8.8.8 10.0.0.1 tcp 1 2"));
	fixture_set(&f, WORKLOAD, "remote1", NULL);
	fixture_set(&f, WORKLOAD, "remote2", NULL);
	fixture_commit(&f);
	assert_int_equal(f.problems.count, 0);
	assert_true(fixture_lets_in(&f, 2, "8.8.8.8 10.0.0.2 tcp 1 2"));
	assert_false(fixture_lets_in(&f, 2, "10.1.0.3 10.0.0.2 tcp 1 2"));
	assert_int_not_equal(maps_policy(&f.maps, 3).inbound, 0);
	fixture_done(&f);
}

static void test_slot_that_does_not_exist(void **state)
{
	const __u32 capacity[POLICY_MAP_COUNT] = {[MAP_ENDPOINT_POLICY] = 4};
	struct strings profiles = {};
	struct workload_endpoint endpoint = {.active = true, .profiles = profiles};
	struct fixture f;

	fixture_init(&f, capacity);
	assert_int_equal(policy_set_endpoint(f.engine, "x", &endpoint, 4), -EINVAL);
	assert_int_equal(policy_set_endpoint(f.engine, "x", &endpoint, 3), 0);
	fixture_commit(&f);
	fixture_done(&f);
}

/* Without a fence nothing is reused, and the commit says so; generations do not wait for it. */
static void test_failing_fence(void **state)
{
	const __u32 capacity[POLICY_MAP_COUNT] = {[MAP_LIST] = 16};
	struct fixture f;
	struct policy_usage before, after;

	fixture_init(&f, capacity);
	fixture_set(&f, RULES, "p", ALLOW_ALL);
	fixture_set_local(&f, 1, "'p'");
	fixture_commit(&f);
	policy_usage(f.engine, &before);
	f.maps.failing_fence = true;
	fixture_set(&f, RULES, "p", FROM_T);
	assert_int_equal(policy_commit(f.engine), -EIO);
	policy_usage(f.engine, &after);
	assert_true(after.used[MAP_LIST] > before.used[MAP_LIST]);
	assert_false(fixture_lets_in(&f, 1, "8.8.8.8 10.0.0.1 tcp 1 2"));
	f.maps.failing_fence = false;
	fixture_commit(&f);
	policy_usage(f.engine, &after);
	assert_int_equal(after.used[MAP_LIST], before.used[MAP_LIST]);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profile_that_does_not_fit),
		cmocka_unit_test(test_profile_replaced_in_a_tight_map),
		cmocka_unit_test(test_list_that_does_not_fit),
		cmocka_unit_test(test_addresses_that_do_not_fit),
		cmocka_unit_test(test_slot_that_does_not_exist),
		cmocka_unit_test(test_failing_fence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
