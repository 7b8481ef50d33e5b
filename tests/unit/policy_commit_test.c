/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a commit costs, and in which order it writes where no random test would look. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "unit/policy_fixture.h"

static __u64 cost_of_commit(struct fixture *f)
{
	__u64 before = f->maps.writes;

	fixture_commit(f);
	return f->maps.writes - before;
}

/* ---- what a change costs ---- */

static void test_setting_writes_nothing(void **state)
{
	struct fixture f;

	fixture_init(&f, NULL);
	fixture_set(&f, RULES, "p", FROM_T);
	fixture_set_local(&f, 1, "'p'");
	assert_int_equal(f.maps.writes, 0);
	assert_true(cost_of_commit(&f) > 0);
	fixture_done(&f);
}

static void test_nothing_changed_costs_nothing(void **state)
{
	struct fixture f;
	__u64 fences;

	fixture_init(&f, NULL);
	fixture_set(&f, RULES, "p", FROM_T);
	fixture_set(&f, TAGS, "p", "['T']");
	fixture_set_local(&f, 1, "'p'");
	fixture_commit(&f);
	fences = f.maps.fences;
	assert_int_equal(cost_of_commit(&f), 0);
	engine_feed(f.engine, world_find(&f.world, WORKLOAD, "local1"));
	engine_feed(f.engine, world_find(&f.world, TAGS, "p"));
	assert_int_equal(cost_of_commit(&f), 0);
	assert_int_equal(f.maps.fences, fences);
	fixture_done(&f);
}

/* An address, and the generation of what it was before; when a row goes, kept verdicts end. */
static void test_tag_member_costs_two_writes(void **state)
{
	struct policy_usage usage;
	struct fixture f;

	fixture_init(&f, NULL);
	fixture_set(&f, RULES, "p", FROM_T);
	fixture_set(&f, TAGS, "p", "['T']");
	fixture_set_local(&f, 1, "'p'");
	for (unsigned int i = 0; i < 300; i++)
		fixture_set_member(&f, i, "'p'");
	fixture_commit(&f);
	fixture_set_member(&f, 300, "'p'");
	assert_int_equal(cost_of_commit(&f), 2);
	assert_true(fixture_lets_in(&f, 1, "10.1.1.44 10.0.0.1 tcp 1 2"));
	fixture_set(&f, WORKLOAD, "remote300", NULL);
	assert_int_equal(cost_of_commit(&f), 2 + 1);
	assert_false(fixture_lets_in(&f, 1, "10.1.1.44 10.0.0.1 tcp 1 2"));
	policy_usage(f.engine, &usage);
	assert_int_equal(usage.writes, f.maps.writes);
	assert_int_equal(usage.rows, 1);
	fixture_done(&f);
}

/* A member of no set that rules look at. */
static void test_unused_tags_cost_nothing(void **state)
{
	struct fixture f;

	fixture_init(&f, NULL);
	fixture_set(&f, RULES, "p", FROM_T);
	fixture_set_local(&f, 1, "'p'");
	fixture_set_member(&f, 1, "'q'");
	fixture_commit(&f);
	fixture_set(&f, TAGS, "q", "['U']");
	fixture_set(&f, RULES, "q", FROM_T);
	assert_int_equal(cost_of_commit(&f), 0);
	fixture_done(&f);
}

/* Another profile's rules stay where they are: their ids and pages are those of before. */
static void test_profile_change_costs_that_profile(void **state)
{
	struct fixture f;
	__u64 cost;

	fixture_init(&f, NULL);
	for (int i = 0; i < 50; i++) {
		char name[16], quoted[16];

		snprintf(name, sizeof(name), "p%d", i);
		snprintf(quoted, sizeof(quoted), "'p%d'", i);
		fixture_set(
			&f, RULES, name,
			"{'inbound_rules': [{'protocol': 'tcp', 'dst_ports': [80]}, {'protocol': 'udp'}, {'src_tag': "
			"'T'}], 'outbound_rules': [{}]}");
		fixture_set_local(&f, (__u32)i + 1, quoted);
	}
	fixture_commit(&f);
	fixture_set(
		&f, RULES, "p7",
		"{'inbound_rules': [{'protocol': 'tcp', 'dst_ports': [81]}, {'protocol': 'udp'}, {'src_tag': 'T'}], "
		"'outbound_rules': [{}]}");
	/*
	 * The rule's id comes and goes; the page of class TCP is new with its two rules, and a step, and a
	 * list; one endpoint is published, its flows are re-checked, and the epoch ends before and after.
	 */
	cost = cost_of_commit(&f);
	assert_int_equal(cost, 2 + 2 + 1 + 1 + 1 + 1 + 2);
	fixture_done(&f);
}

static void test_equal_endpoints_share_a_list(void **state)
{
	struct policy_usage usage;
	struct fixture f;

	fixture_init(&f, NULL);
	fixture_set(&f, RULES, "p", FROM_T);
	for (__u32 slot = 1; slot <= 20; slot++)
		fixture_set_local(&f, slot, "'p'");
	fixture_set_slot(
		&f, WORKLOAD, "x",
		"{'state': 'active', 'name': 'x', 'profile_ids': ['p'], 'labels': {'other': 'label'}}", 21);
	fixture_commit(&f);
	policy_usage(f.engine, &usage);
	assert_int_equal(usage.lists, 2);
	assert_int_equal(usage.used[MAP_ENDPOINT_POLICY], 21);
	for (__u32 slot = 2; slot <= 21; slot++) {
		assert_int_equal(maps_policy(&f.maps, slot).inbound, maps_policy(&f.maps, 1).inbound);
		assert_int_equal(maps_policy(&f.maps, slot).outbound, maps_policy(&f.maps, 1).outbound);
	}
	fixture_done(&f);
}

/* ---- order ---- */

struct mixture {
	struct fixture *f;
	bool seen;
};

static void look_for_mixture(void *arg, enum policy_map map, const void *key)
{
	struct mixture *mixture = arg;

	mixture->seen |= fixture_lets_in(mixture->f, 2, "10.0.0.1 10.0.0.2 tcp 1 2");
}

/*
 * Source and destination enter and leave a tag in one commit, and a rule asks for one of them only. Whichever
 * of the two addresses is written first, nothing may pass in between.
 */
static void test_both_addresses_change_at_once(void **state)
{
	struct fixture f;
	struct mixture mixture = {.f = &f};

	for (int order = 0; order < 2; order++) {
		mixture.seen = false;
		fixture_init(&f, NULL);
		fixture_set(&f, RULES, "p",
			    "{'inbound_rules': [{'src_tag': 'T', '!dst_tag': 'T'}], 'outbound_rules': []}");
		fixture_set_local(&f, order ? 2 : 1, "'p'");
		fixture_set_local(&f, order ? 1 : 2, "'p'");
		fixture_commit(&f);
		f.maps.arg = &mixture;
		f.maps.after = look_for_mixture;
		for (int i = 0; i < 4; i++) {
			fixture_set(&f, TAGS, "p", i % 2 ? NULL : "['T']");
			fixture_commit(&f);
		}
		assert_false(mixture.seen);
		/* The rule does match when only one is in the tag. */
		fixture_set(&f, TAGS, "q", "['T']");
		fixture_set_local(&f, 1, "'p', 'q'");
		fixture_commit(&f);
		assert_true(mixture.seen);
		fixture_done(&f);
	}
}

struct publication {
	unsigned int writes, address, epoch, list; /* when each was written last */
	bool early;				   /* a list was, without a new epoch since the address */
};

static void follow_publication(void *arg, enum policy_map map, const void *key)
{
	struct publication *publication = arg;
	const __u32 *slot = key;

	publication->writes++;
	if (map == MAP_ADDRESS4)
		publication->address = publication->writes;
	else if (map == MAP_GENERATION && *slot == GENERATION_EPOCH)
		publication->epoch = publication->writes;
	else if (map == MAP_ENDPOINT_POLICY)
		publication->list = publication->writes;
	publication->early |=
		publication->list > publication->address && publication->epoch < publication->address;
}

/*
 * A packet that found an address before it was in a rule's set must not be judged by that rule: it notices
 * by the epoch.
 */
static void test_epoch_ends_between_addresses_and_lists(void **state)
{
	static const char *const rules[] = {"{'inbound_rules': [{'!src_tag': 'T'}], 'outbound_rules': []}",
					    "{'inbound_rules': [{'!src_tag': 'U'}], 'outbound_rules': []}"};
	struct fixture f;
	struct publication publication = {};

	fixture_init(&f, NULL);
	fixture_set(&f, TAGS, "q", "['T', 'U']");
	fixture_set_member(&f, 1, "'q'");
	fixture_set_local(&f, 1, "'p'");
	fixture_commit(&f);
	f.maps.arg = &publication;
	f.maps.after = follow_publication;
	for (int i = 0; i < 4; i++) {
		publication.address = publication.list = 0;
		fixture_set(&f, RULES, "p", rules[i % 2]);
		fixture_commit(&f);
		assert_true(publication.address > 0 && publication.list > 0);
		assert_false(publication.early);
	}
	fixture_done(&f);
}

/* Whether flows are masquerade is decided when they begin. */
static void test_pool_change_makes_flows_recheck(void **state)
{
	struct fixture f;
	__u32 member, unknown;
	struct addr addr;

	fixture_init(&f, NULL);
	fixture_set(&f, RULES, "p", ALLOW_ALL);
	fixture_set_local(&f, 1, "'p'");
	fixture_commit(&f);
	member = maps_generation(&f.maps, policy_generation_slot(f.engine, 1));
	unknown = maps_generation(&f.maps, 77);
	fixture_set(&f, POOL, "10.0.0.0-16", "{'cidr': '10.0.0.0/16', 'masquerade': true}");
	fixture_commit(&f);
	assert_int_equal(addr_parse("10.0.0.77", &addr), 0);
	assert_int_equal(maps_address(&f.maps, &addr).flags, ADDRESS_IN_POOL | ADDRESS_NAT_OUT);
	assert_int_not_equal(maps_generation(&f.maps, policy_generation_slot(f.engine, 1)), member);
	assert_int_not_equal(maps_generation(&f.maps, 77), unknown);
	fixture_done(&f);
}

/* Uplinks drop what is for nobody in them, and remember that for as long as generations stay. */
static void test_blocks_of_this_host_are_marked(void **state)
{
	struct fixture f;
	struct addr addr, outside;
	struct cidr block;
	__u32 unknown;

	fixture_init(&f, NULL);
	fixture_set(&f, RULES, "p", ALLOW_ALL);
	fixture_set_local(&f, 1, "'p'");
	fixture_set(&f, POOL, "10.0.0.0-16", "{'cidr': '10.0.0.0/16'}");
	fixture_commit(&f);
	unknown = maps_generation(&f.maps, 77);
	assert_int_equal(cidr_parse("10.0.0.64/26", &block), 0);
	assert_int_equal(addr_parse("10.0.0.77", &addr), 0);
	assert_int_equal(addr_parse("10.0.0.128", &outside), 0);
	for (int i = 0; i < 2; i++) { /* once is as good as twice */
		assert_int_equal(policy_set_block(f.engine, &block, true), 0);
		fixture_commit(&f);
		assert_int_equal(maps_address(&f.maps, &addr).flags, ADDRESS_IN_POOL | ADDRESS_BLOCK);
		assert_int_equal(maps_address(&f.maps, &outside).flags, ADDRESS_IN_POOL);
		assert_int_equal(maps_generation(&f.maps, 77), unknown + 1);
	}
	assert_int_equal(policy_set_block(f.engine, &block, false), 0);
	fixture_commit(&f);
	assert_int_equal(maps_address(&f.maps, &addr).flags, ADDRESS_IN_POOL);
	assert_int_equal(maps_generation(&f.maps, 77), unknown + 2);
	fixture_done(&f);
}

/* ---- scale ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void feed_big_profile(struct policy_engine *engine, int profile)
{
	char name[32], *text = malloc(100 * 100 + 100), *end = text, *json;
	struct rules *rules;

	assert_non_null(text);
	end += sprintf(end, "{'inbound_rules': [");
	for (int i = 0; i < 100; i++)
		end += sprintf(end, "%s{'protocol': 'tcp', 'src_tag': 'tag%d', 'dst_ports': [%d, %d]}",
			       i ? ", " : "", i % 10, i, 1000 + profile);
	sprintf(end, "], 'outbound_rules': [{}]}");
	snprintf(name, sizeof(name), "p%d", profile);
	json = json_of(text);
	assert_int_equal(rules_parse(json, &rules, NULL), 0);
	assert_int_equal(policy_set_rules(engine, name, rules), 0);
	free(json);
	free(text);
}

/* Each tag on a hundred profiles, so that ten thousand endpoints share ten tags. */
static void feed_big_endpoint(struct policy_engine *engine, int i)
{
	char key[160], profile[32];
	struct workload_endpoint endpoint = {.active = true};
	struct addr nets[2] = {{.family = 4, .bytes = {10, 1, (uint8_t)(i >> 8), (uint8_t)i}},
			       {.family = 6, .bytes = {0xfd, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i}}};

	snprintf(key, sizeof(key), "/calico/v1/host/host-%d/workload/libnetwork/%064d/endpoint/%032d",
		 i % 100, i, i);
	snprintf(profile, sizeof(profile), "p%d", i % 1000);
	assert_int_equal(strings_add(&endpoint.profiles, profile), 0);
	endpoint.nets = nets;
	endpoint.net_count = 2;
	assert_int_equal(policy_set_endpoint(engine, key, &endpoint, i < 1000 ? (__u32)i + 1 : 0), 0);
	strings_done(&endpoint.profiles);
}

/* Generous limits: they catch what grows with the square of something. */
static void test_scale(void **state)
{
	struct fixture f;
	struct strings tags = {};
	double start, full, one;
	size_t before;

	fixture_init(&f, NULL);
	before = mallinfo2().uordblks;
	for (int tag = 0; tag < 10; tag++) {
		char name[16];

		snprintf(name, sizeof(name), "tag%d", tag);
		assert_int_equal(strings_add(&tags, name), 0);
	}
	start = seconds();
	for (int i = 0; i < 1000; i++) {
		char name[16];

		feed_big_profile(f.engine, i);
		snprintf(name, sizeof(name), "p%d", i);
		assert_int_equal(policy_set_tags(f.engine, name, &tags), 0);
	}
	for (int i = 0; i < 10000; i++)
		feed_big_endpoint(f.engine, i);
	fixture_commit(&f);
	full = seconds() - start;
	printf("all of it: %.2f s, %zu MiB with the model's rules\n", full,
	       (mallinfo2().uordblks - before) >> 20);
	start = seconds();
	feed_big_endpoint(f.engine, 10000);
	/* Two addresses; what they were before ends in the same byte. */
	assert_int_equal(cost_of_commit(&f), 3);
	one = seconds() - start;
	start = seconds();
	feed_big_profile(f.engine, 5);
	fixture_commit(&f);
	printf("one endpoint: %.6f s, one profile: %.6f s\n", one, seconds() - start);
	assert_true(full < 20);
	assert_true(one < 0.1);
	strings_done(&tags);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_setting_writes_nothing),
		cmocka_unit_test(test_nothing_changed_costs_nothing),
		cmocka_unit_test(test_tag_member_costs_two_writes),
		cmocka_unit_test(test_unused_tags_cost_nothing),
		cmocka_unit_test(test_profile_change_costs_that_profile),
		cmocka_unit_test(test_equal_endpoints_share_a_list),
		cmocka_unit_test(test_both_addresses_change_at_once),
		cmocka_unit_test(test_epoch_ends_between_addresses_and_lists),
		cmocka_unit_test(test_pool_change_makes_flows_recheck),
		cmocka_unit_test(test_blocks_of_this_host_are_marked),
		cmocka_unit_test(test_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
