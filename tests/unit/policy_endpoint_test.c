/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which rules decide for an endpoint: table 7.2 of the policy specification, shared addresses and profiles
 * (7.4), and documents that come in awkward order (5.4).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/policy_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ALLOW	 "{'inbound_rules': [{}], 'outbound_rules': [{}]"
#define DENY	 "{'inbound_rules': [{'action': 'deny'}], 'outbound_rules': [{'action': 'deny'}]"
#define NOTHING	 "{'inbound_rules': [], 'outbound_rules': []"
#define NEXT	 "{'inbound_rules': [{'action': 'next-tier'}], 'outbound_rules': [{'action': 'next-tier'}]"
#define FOR(who) ", 'selector': '" who "'}"
#define ALL	 FOR("")
#define PROFILE	 "}"

static void set_endpoint(struct fixture *f, const char *members)
{
	char *text;

	assert_true(asprintf(&text, "{'state': 'active', 'name': 'cali1', 'ipv4_nets': ['10.0.0.1/32'], %s}",
			     members) > 0);
	assert_true(fixture_set_slot(f, WORKLOAD, "self", text, 1));
	free(text);
}

static void setup(struct fixture *f)
{
	fixture_init(f, NULL);
	set_endpoint(f, "'profile_ids': ['p', 'q'], 'labels': {'role': 'web'}");
	fixture_set(f, RULES, "p", ALLOW PROFILE);
	fixture_set(f, RULES, "q", ALLOW PROFILE);
}

/* The verdict of both directions, which must be the same. */
static bool allows(struct fixture *f)
{
	struct probe to = probe_of("8.8.8.8 10.0.0.1 tcp 1 80"), from = probe_of("10.0.0.1 8.8.8.8 tcp 1 80");
	bool inbound, outbound;

	fixture_commit(f);
	inbound = fixture_allows(f, 1, true, &to);
	outbound = fixture_allows(f, 1, false, &from);
	assert_int_equal(inbound, outbound);
	return inbound;
}

static int deciding_step(struct fixture *f)
{
	struct probe to = probe_of("8.8.8.8 10.0.0.1 tcp 1 80");

	return maps_judge(&f->maps, 1, true, &to).step;
}

static void set_in_sandbox(struct fixture *f, const char *name, __u32 slot, const char *profile,
			   const char *sandbox)
{
	char *text;

	assert_true(asprintf(&text,
			     "{'state': 'active', 'name': 'cali%u', 'profile_ids': ['%s'], 'sandbox': '%s', "
			     "'ipv4_nets': ['10.0.0.%u/32']}",
			     slot, profile, sandbox, slot) > 0);
	assert_true(fixture_set_slot(f, WORKLOAD, name, text, slot));
	free(text);
}

static bool reaches(struct fixture *f, __u32 slot, const char *packet)
{
	struct probe probe = probe_of(packet);

	fixture_commit(f);
	return fixture_allows(f, slot, true, &probe);
}

/* A container in two networks sends from either address to members of both, and is reached under each by its
 * own. */
static void test_a_container_in_two_networks(void **state)
{
	struct fixture f;

	fixture_init(&f, NULL);
	fixture_set(&f, RULES, "front", "{'inbound_rules': [{'src_tag': 'front'}], 'outbound_rules': [{}]}");
	fixture_set(&f, RULES, "back", "{'inbound_rules': [{'src_tag': 'back'}], 'outbound_rules': [{}]}");
	fixture_set(&f, TAGS, "front", "['front']");
	fixture_set(&f, TAGS, "back", "['back']");
	set_in_sandbox(&f, "dir/app-front", 1, "front", "s");
	set_in_sandbox(&f, "dir/app-back", 2, "back", "s");
	set_in_sandbox(&f, "dir/web", 3, "front", "w");
	set_in_sandbox(&f, "dir/db", 4, "back", "d");
	assert_true(reaches(&f, 3, "10.0.0.1 10.0.0.3 tcp 1 80"));
	assert_true(reaches(&f, 3, "10.0.0.2 10.0.0.3 tcp 1 80"));
	assert_true(reaches(&f, 4, "10.0.0.1 10.0.0.4 tcp 1 80"));
	assert_false(reaches(&f, 3, "10.0.0.4 10.0.0.3 tcp 1 80"));
	assert_true(reaches(&f, 1, "10.0.0.3 10.0.0.1 tcp 1 80"));
	assert_false(reaches(&f, 2, "10.0.0.3 10.0.0.2 tcp 1 80"));
	/* Elsewhere the same name means another container. */
	set_in_sandbox(&f, "other/db", 4, "back", "s");
	assert_false(reaches(&f, 3, "10.0.0.4 10.0.0.3 tcp 1 80"));
	/* Tags that come later are everybody's, and go with the endpoint that brought them. */
	fixture_set(&f, TAGS, "front", "['front', 'late']");
	fixture_set(&f, RULES, "back", "{'inbound_rules': [{'src_tag': 'late'}], 'outbound_rules': [{}]}");
	assert_true(reaches(&f, 4, "10.0.0.2 10.0.0.4 tcp 1 80"));
	fixture_set(&f, WORKLOAD, "dir/app-front", NULL);
	assert_false(reaches(&f, 3, "10.0.0.2 10.0.0.3 tcp 1 80"));
	assert_false(reaches(&f, 4, "10.0.0.2 10.0.0.4 tcp 1 80"));
	fixture_done(&f);
}

/* E2 */
static void test_allow_in_a_tier_is_final(void **state)
{
	struct fixture f;

	setup(&f);
	fixture_set(&f, TIER, "one", "{'order': 1}");
	fixture_set(&f, TIER, "two", "{'order': 2}");
	fixture_set(&f, POLICY, "one/a", NOTHING ALL);
	fixture_set(&f, POLICY, "one/b", ALLOW ALL);
	fixture_set(&f, POLICY, "two/c", DENY ALL);
	fixture_set(&f, RULES, "p", DENY PROFILE);
	fixture_set(&f, RULES, "q", DENY PROFILE);
	assert_true(allows(&f));
	fixture_set(&f, POLICY, "one/b", DENY ALL);
	assert_false(allows(&f));
	fixture_done(&f);
}

/* E3, E4 */
static void test_end_of_tier(void **state)
{
	struct fixture f;

	setup(&f);
	fixture_set(&f, TIER, "one", "{'order': 1}");
	fixture_set(&f, POLICY, "one/a", NOTHING ALL);
	assert_false(allows(&f));
	assert_int_equal(deciding_step(&f), STEP_END_TIER);
	fixture_set(&f, TIER, "two", "{'order': 2}");
	fixture_set(&f, POLICY, "one/a", NEXT ALL);
	fixture_set(&f, POLICY, "two/a", NEXT ALL);
	assert_true(allows(&f));
	fixture_set(&f, RULES, "p", NOTHING PROFILE);
	fixture_set(&f, RULES, "q", NOTHING PROFILE);
	assert_false(allows(&f));
	fixture_done(&f);
}

/* E5 */
static void test_next_tier_skips_the_rest_of_the_tier(void **state)
{
	struct fixture f;

	setup(&f);
	fixture_set(&f, TIER, "one", "{'order': 1}");
	fixture_set(&f, POLICY, "one/a", NEXT ALL);
	fixture_set(&f, POLICY, "one/b", DENY ALL);
	assert_true(allows(&f));
	fixture_set(&f, POLICY, "one/0", DENY ALL);
	assert_false(allows(&f));
	fixture_done(&f);
}

/* E6 */
static void test_tier_without_policy_for_the_endpoint(void **state)
{
	struct fixture f;

	setup(&f);
	fixture_set(&f, TIER, "one", "{'order': 1}");
	fixture_set(&f, POLICY, "one/a", DENY FOR("role == ~db~"));
	assert_true(allows(&f));
	fixture_done(&f);
}

/* E7 */
static void test_policy_without_rules_for_a_direction(void **state)
{
	struct probe to = probe_of("8.8.8.8 10.0.0.1 tcp 1 80"), from = probe_of("10.0.0.1 8.8.8.8 tcp 1 80");
	struct fixture f;

	setup(&f);
	fixture_set(&f, TIER, "one", "{'order': 1}");
	fixture_set(&f, POLICY, "one/a", "{'inbound_rules': [{}], 'outbound_rules': []" ALL);
	fixture_commit(&f);
	assert_true(fixture_allows(&f, 1, true, &to));
	assert_false(fixture_allows(&f, 1, false, &from));
	fixture_done(&f);
}

/* E8, E9, E10, R27 */
static void test_profiles_in_order(void **state)
{
	struct fixture f;

	setup(&f);
	fixture_set(&f, RULES, "p", NOTHING PROFILE);
	assert_true(allows(&f));
	fixture_set(&f, RULES, "p", DENY PROFILE);
	assert_false(allows(&f));
	set_endpoint(&f, "'profile_ids': ['q', 'p'], 'labels': {'role': 'web'}");
	assert_true(allows(&f));
	fixture_set(&f, RULES, "q", NEXT PROFILE);
	fixture_set(&f, RULES, "p", ALLOW PROFILE);
	assert_true(allows(&f));
	fixture_set(&f, RULES, "q", NULL);
	assert_false(allows(&f));
	assert_int_equal(deciding_step(&f), STEP_NO_PROFILE);
	assert_non_null(strstr(problems_find(&f.problems, "profile q"), "does not exist or is not valid"));
	set_endpoint(&f, "'profile_ids': []");
	assert_false(allows(&f));
	assert_int_equal(maps_policy(&f.maps, 1).inbound, 0);
	assert_int_equal(f.problems.count, 0); /* nobody here lists it any more */
	fixture_done(&f);
}

/* E13: what each step says is checked by the reference, so the orders only have to differ. */
static void test_order_of_tiers(void **state)
{
	struct fixture f;

	setup(&f);
	fixture_set(&f, TIER, "a", "{'order': 2}");
	fixture_set(&f, TIER, "b", "{'order': 1}");
	fixture_set(&f, POLICY, "a/x", DENY ALL);
	fixture_set(&f, POLICY, "b/x", ALLOW ALL);
	assert_true(allows(&f));
	fixture_set(&f, TIER, "a", "{'order': 1}");
	assert_false(allows(&f));
	fixture_set(&f, TIER, "a", "{'order': 'default'}");
	assert_true(allows(&f));
	fixture_set(&f, TIER, "b", "{}");
	assert_false(allows(&f));
	fixture_set(&f, TIER, "a", NULL);
	assert_true(allows(&f));
	fixture_set(&f, TIER, "b", NULL);
	fixture_set(&f, RULES, "p", DENY PROFILE);
	assert_false(allows(&f));
	fixture_done(&f);
}

/* E14 */
static void test_order_of_policies(void **state)
{
	struct fixture f;

	setup(&f);
	fixture_set(&f, TIER, "t", "{'order': 1}");
	fixture_set(&f, POLICY, "t/a", DENY ", 'order': 20" ALL);
	fixture_set(&f, POLICY, "t/b", ALLOW ", 'order': 10" ALL);
	assert_true(allows(&f));
	fixture_set(&f, POLICY, "t/b", ALLOW ", 'order': 20" ALL);
	assert_false(allows(&f));
	fixture_set(&f, POLICY, "t/a", DENY ALL);
	assert_true(allows(&f));
	fixture_set(&f, POLICY, "t/b", NULL);
	assert_false(allows(&f));
	fixture_done(&f);
}

/* E15 */
static void test_selector_starts_and_stops_matching(void **state)
{
	struct fixture f;

	setup(&f);
	fixture_set(&f, TIER, "t", "{'order': 1}");
	fixture_set(&f, POLICY, "t/a", DENY FOR("role == ~db~"));
	assert_true(allows(&f));
	set_endpoint(&f, "'profile_ids': ['p', 'q'], 'labels': {'role': 'db'}");
	assert_false(allows(&f));
	set_endpoint(&f, "'profile_ids': ['p', 'q']");
	assert_true(allows(&f));
	fixture_set(&f, LABELS, "p", "{'role': 'db'}");
	assert_false(allows(&f));
	fixture_set(&f, LABELS, "q", "{'role': 'web'}");
	assert_true(allows(&f));
	set_endpoint(&f, "'profile_ids': ['q', 'p']");
	assert_false(allows(&f));
	set_endpoint(&f, "'profile_ids': ['q', 'p'], 'labels': {'role': 'web'}");
	assert_true(allows(&f));
	fixture_set(&f, POLICY, "t/a", DENY FOR("role == ~web~"));
	assert_false(allows(&f));
	fixture_done(&f);
}

/* E16: nothing is published for it, but it stays a member of its sets. */
static void test_inactive_endpoint(void **state)
{
	const char *text =
		"{'state': '%s', 'name': 'cali2', 'profile_ids': ['p'], 'ipv4_nets': ['10.0.0.2']}";
	struct probe probe = probe_of("10.0.0.2 10.0.0.1 tcp 1 80");
	struct address address;
	char active[256], inactive[256];
	struct fixture f;

	snprintf(active, sizeof(active), text, "active");
	snprintf(inactive, sizeof(inactive), text, "inactive");
	setup(&f);
	fixture_set(&f, TAGS, "p", "['T']");
	set_endpoint(&f, "'profile_ids': ['q']");
	fixture_set(&f, RULES, "q", "{'inbound_rules': [{'src_tag': 'T'}], 'outbound_rules': []}");
	fixture_set_slot(&f, WORKLOAD, "two", active, 2);
	fixture_commit(&f);
	assert_int_not_equal(maps_policy(&f.maps, 2).inbound, 0);
	assert_true(fixture_allows(&f, 1, true, &probe));
	fixture_set_slot(&f, WORKLOAD, "two", inactive, 2);
	fixture_commit(&f);
	assert_int_equal(maps_policy(&f.maps, 2).inbound, 0);
	assert_int_equal(maps_policy(&f.maps, 2).outbound, 0);
	assert_true(fixture_allows(&f, 1, true, &probe));
	address = maps_address(&f.maps, &probe.src);
	assert_int_equal(address.flags, ADDRESS_REMOTE);
	assert_int_equal(address.endpoint, 0);
	fixture_set_slot(&f, WORKLOAD, "two", active, 2);
	fixture_commit(&f);
	assert_int_not_equal(maps_policy(&f.maps, 2).inbound, 0);
	assert_int_equal(maps_address(&f.maps, &probe.src).flags, ADDRESS_LOCAL);
	fixture_done(&f);
}

/* E17, as far as it is about policy: a slot denies without an endpoint. */
static void test_slot_without_endpoint(void **state)
{
	struct fixture f;

	setup(&f);
	assert_true(allows(&f));
	fixture_set(&f, WORKLOAD, "self", NULL);
	assert_false(allows(&f));
	set_endpoint(&f, "'profile_ids': ['p']");
	assert_true(allows(&f));
	/* Another endpoint appears on the interface. */
	fixture_set_slot(&f, WORKLOAD, "new", "{'state': 'active', 'name': 'cali1', 'profile_ids': []}", 1);
	assert_false(allows(&f));
	fixture_set(&f, WORKLOAD, "new", NULL);
	assert_false(allows(&f));
	fixture_done(&f);
}

/* S13, and moving an address: added here before it is removed there. */
/* The one that was set last has it, and who lost it is told. */
static void test_address_of_two_endpoints(void **state)
{
	const char *one =
		"{'state': 'active', 'name': 'c1', 'profile_ids': ['p'], 'ipv4_nets': ['10.0.0.9']}";
	const char *two =
		"{'state': 'active', 'name': 'c2', 'profile_ids': ['p'], 'ipv4_nets': ['10.0.0.9']}";
	const char *without = "{'state': 'active', 'name': 'c2', 'profile_ids': ['p'], 'ipv4_nets': []}";
	struct probe probe = probe_of("10.0.0.9 10.0.0.1 tcp 1 80");
	struct fixture f;

	setup(&f);
	set_endpoint(&f, "'profile_ids': ['q']");
	fixture_set(&f, TAGS, "p", "['T']");
	fixture_set(&f, RULES, "q", "{'inbound_rules': [{'src_tag': 'T'}], 'outbound_rules': []}");
	fixture_set_slot(&f, WORKLOAD, "one", one, 2);
	fixture_commit(&f);
	assert_int_equal(f.problems.count, 0);
	fixture_set_slot(&f, WORKLOAD, "two", two, 3);
	fixture_commit(&f);
	assert_true(fixture_allows(&f, 1, true, &probe));
	assert_int_equal(maps_address(&f.maps, &probe.src).endpoint, 3);
	assert_non_null(strstr(problems_find(&f.problems, "endpoint c1"), "is that of another endpoint"));
	assert_null(problems_find(&f.problems, "endpoint c2"));
	fixture_set_slot(&f, WORKLOAD, "two", without, 3);
	fixture_commit(&f);
	assert_true(fixture_allows(&f, 1, true, &probe));
	assert_int_equal(maps_address(&f.maps, &probe.src).endpoint, 2);
	assert_int_equal(f.problems.count, 0);
	fixture_set_slot(&f, WORKLOAD, "two", two, 3);
	fixture_commit(&f);
	assert_int_equal(f.problems.count, 1);
	fixture_set(&f, WORKLOAD, "one", NULL);
	fixture_commit(&f);
	assert_int_equal(f.problems.count, 0);
	fixture_set(&f, WORKLOAD, "two", NULL);
	fixture_commit(&f);
	assert_false(fixture_allows(&f, 1, true, &probe));
	fixture_done(&f);
}

/* S14, and tags of host endpoints. */
static void test_tag_through_several_profiles(void **state)
{
	struct probe probe = probe_of("10.0.0.9 10.0.0.1 tcp 1 80"),
		     host = probe_of("192.0.2.1 10.0.0.1 tcp 1 80");
	struct fixture f;

	setup(&f);
	fixture_set(&f, TAGS, "p", "['T']");
	fixture_set(&f, TAGS, "r", "['T', 'T']");
	set_endpoint(&f, "'profile_ids': ['q']");
	fixture_set(&f, RULES, "q", "{'inbound_rules': [{'src_tag': 'T'}], 'outbound_rules': []}");
	fixture_set(
		&f, WORKLOAD, "one",
		"{'state': 'inactive', 'name': 'c', 'profile_ids': ['p', 'r'], 'ipv4_nets': ['10.0.0.9']}");
	fixture_set(&f, HOST_ENDPOINT, "eth", "{'expected_ipv4_addrs': ['192.0.2.1'], 'profile_ids': ['r']}");
	fixture_commit(&f);
	assert_true(fixture_allows(&f, 1, true, &probe));
	assert_true(fixture_allows(&f, 1, true, &host));
	fixture_set(&f, TAGS, "r", NULL);
	fixture_commit(&f);
	assert_true(fixture_allows(&f, 1, true, &probe));
	assert_false(fixture_allows(&f, 1, true, &host));
	fixture_set(&f, TAGS, "p", "['U']");
	fixture_commit(&f);
	assert_false(fixture_allows(&f, 1, true, &probe));
	fixture_done(&f);
}

/* E11: it has lists like any endpoint, its addresses stay the host's. */
static void test_host_endpoint(void **state)
{
	const char *text = "{'name': 'eth0', 'expected_ipv4_addrs': ['192.0.2.1'], 'profile_ids': ['p']}";
	struct probe in = probe_of("10.0.0.9 192.0.2.1 tcp 1 80"),
		     out = probe_of("192.0.2.1 10.0.0.9 tcp 1 80");
	__u32 generation;
	struct fixture f;

	fixture_init(&f, NULL);
	fixture_set(&f, RULES, "p", "{'inbound_rules': [{'dst_tag': 'T'}], 'outbound_rules': []}");
	fixture_set(&f, TAGS, "p", "['T']");
	fixture_set(&f, ADDRESS, "192.0.2.1", "");
	fixture_set_slot(&f, HOST_ENDPOINT, "eth", text, 3);
	fixture_commit(&f);
	assert_true(fixture_allows(&f, 3, true, &in));
	assert_false(fixture_allows(&f, 3, false, &out));
	assert_int_equal(maps_address(&f.maps, &in.dst).flags, ADDRESS_HOST | ADDRESS_NODE);
	assert_null(problems_find(&f.problems, "host endpoint eth"));
	/* A flow only knows the generation of the slot. */
	generation = maps_generation(&f.maps, policy_generation_slot(f.engine, 3));
	fixture_set(&f, TAGS, "p", "['U']");
	fixture_commit(&f);
	assert_false(fixture_allows(&f, 3, true, &in));
	assert_int_not_equal(maps_generation(&f.maps, policy_generation_slot(f.engine, 3)), generation);
	/* Its interface goes, and it stays a member. */
	fixture_set(&f, TAGS, "p", "['T']");
	fixture_set_slot(&f, HOST_ENDPOINT, "eth", text, 0);
	fixture_commit(&f);
	assert_int_equal(maps_policy(&f.maps, 3).inbound, 0);
	assert_int_equal(maps_policy(&f.maps, 3).outbound, 0);
	fixture_done(&f);
}

/* What a host endpoint expects no slot has; what a container has as well is the container's. */
static void test_host_endpoint_s_addresses_are_nobody_s(void **state)
{
	static const char *const addresses[] = {"192.0.2.1", "192.0.2.2", "10.0.0.1"};
	struct fixture f;

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		char text[128];

		fixture_init(&f, NULL);
		fixture_set(&f, RULES, "p", ALLOW_ALL);
		fixture_set(&f, ADDRESS, "192.0.2.1", "");
		fixture_set_local(&f, 1, "'p'");
		snprintf(text, sizeof(text), "{'expected_ipv4_addrs': ['%s'], 'profile_ids': ['p']}",
			 addresses[i]);
		fixture_set_slot(&f, HOST_ENDPOINT, "/calico/v1/host/h/endpoint/eth", text, 3);
		fixture_set_slot(&f, HOST_ENDPOINT, "/calico/v1/host/h/endpoint/two", text, 4);
		fixture_commit(&f);
		assert_int_equal(!problems_find(&f.problems, "host endpoint eth"), i < 2);
		assert_int_equal(!problems_find(&f.problems, "host endpoint two"), i < 2);
		fixture_done(&f);
	}
}

/* Whatever else the address is; and no longer than it is one. */
static void test_addresses_of_hosts(void **state)
{
	struct probe to = probe_of("10.0.0.1 10.1.0.9 4 0 0"), to6 = probe_of("fd00::1 fd00::9 4 0 0");
	const __u16 pool = ADDRESS_IN_POOL;
	struct fixture f;

	fixture_init(&f, NULL);
	fixture_set(&f, POOL, "10.1.0.0-16", "{'cidr': '10.1.0.0/16'}");
	fixture_set(&f, NODE, "10.1.0.9", "");
	fixture_set(&f, NODE, "fd00::9", "");
	fixture_commit(&f);
	assert_int_equal(maps_address(&f.maps, &to.dst).flags, pool | ADDRESS_NODE);
	assert_int_equal(maps_address(&f.maps, &to6.dst).flags, ADDRESS_NODE);
	fixture_set(&f, NODE, "10.1.0.9", NULL);
	fixture_set(&f, NODE, "fd00::9", NULL);
	fixture_commit(&f);
	assert_int_equal(maps_address(&f.maps, &to.dst).flags, pool);
	assert_int_equal(maps_address(&f.maps, &to6.dst).flags, 0);
	/* Another host's endpoint says so, too. */
	fixture_set(&f, HOST_ENDPOINT, "far", "{'expected_ipv4_addrs': ['10.1.0.9'], 'profile_ids': []}");
	fixture_commit(&f);
	assert_int_equal(maps_address(&f.maps, &to.dst).flags, pool | ADDRESS_NODE);
	fixture_done(&f);
}

static void test_host_endpoint_s_problems_name_it(void **state)
{
	__u32 capacity[POLICY_MAP_COUNT] = {[MAP_ADDRESS4] = 1};
	struct fixture f;

	fixture_init(&f, capacity);
	fixture_set(&f, RULES, "p", "{'inbound_rules': [{'src_tag': 'T'}], 'outbound_rules': []}");
	fixture_set(&f, TAGS, "p", "['T']");
	fixture_set_slot(&f, HOST_ENDPOINT, "/calico/v1/host/h/endpoint/eth",
			 "{'expected_ipv4_addrs': ['192.0.2.1', '192.0.2.2'], 'profile_ids': ['p']}", 3);
	assert_int_equal(policy_commit(f.engine), -ENOSPC);
	assert_non_null(problems_find(&f.problems, "host endpoint eth"));
	fixture_done(&f);
}

/* 5.4: every order of arrival, with a commit after each document, ends the same. */
static void test_any_order_of_arrival(void **state)
{
	static const struct {
		enum kind kind;
		const char *name, *text;
		__u32 slot;
	} documents[] = {
		{RULES, "p", "{'inbound_rules': [{'src_tag': 'T'}], 'outbound_rules': []}", 0},
		{TAGS, "p", "['T']", 0},
		{TIER, "t", "{'order': 1}", 0},
		{POLICY, "t/a", NEXT ALL, 0},
		{WORKLOAD, "one",
		 "{'state': 'active', 'name': 'c', 'profile_ids': ['p'], 'ipv4_nets': ['10.0.0.1']}", 1},
		{WORKLOAD, "two",
		 "{'state': 'active', 'name': 'c', 'profile_ids': ['p'], 'ipv4_nets': ['10.0.0.2']}", 0},
	};
	struct probe probe = probe_of("10.0.0.2 10.0.0.1 tcp 1 80");
	int order[COUNT(documents)];

	for (int permutation = 0; permutation < 720; permutation++) {
		struct fixture f;
		int rest = permutation;

		fixture_init(&f, NULL);
		for (int i = 0; i < 6; i++)
			order[i] = i;
		for (int i = 0; i < 6; i++) {
			int j = i + rest % (6 - i), swap = order[i];

			rest /= 6 - i;
			order[i] = order[j];
			order[j] = swap;
			fixture_set_slot(&f, documents[order[i]].kind, documents[order[i]].name,
					 documents[order[i]].text, documents[order[i]].slot);
			fixture_commit(&f);
			assert_true(fixture_allows(&f, 1, true, &probe) || i < 5);
		}
		fixture_done(&f);
	}
}

/* Removed and set again before a commit: as if nothing had been. */
static void test_removed_and_set_again_in_one_batch(void **state)
{
	struct policy_usage before, after;
	struct fixture f;

	setup(&f);
	assert_true(allows(&f));
	policy_usage(f.engine, &before);
	fixture_set(&f, WORKLOAD, "self", NULL);
	fixture_set(&f, RULES, "p", NULL);
	fixture_set(&f, RULES, "p", ALLOW PROFILE);
	set_endpoint(&f, "'profile_ids': ['p', 'q'], 'labels': {'role': 'web'}");
	assert_true(allows(&f));
	policy_usage(f.engine, &after);
	assert_memory_equal(before.used, after.used, sizeof(before.used));
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_container_in_two_networks),
		cmocka_unit_test(test_allow_in_a_tier_is_final),
		cmocka_unit_test(test_end_of_tier),
		cmocka_unit_test(test_next_tier_skips_the_rest_of_the_tier),
		cmocka_unit_test(test_tier_without_policy_for_the_endpoint),
		cmocka_unit_test(test_policy_without_rules_for_a_direction),
		cmocka_unit_test(test_profiles_in_order),
		cmocka_unit_test(test_order_of_tiers),
		cmocka_unit_test(test_order_of_policies),
		cmocka_unit_test(test_selector_starts_and_stops_matching),
		cmocka_unit_test(test_inactive_endpoint),
		cmocka_unit_test(test_slot_without_endpoint),
		cmocka_unit_test(test_address_of_two_endpoints),
		cmocka_unit_test(test_tag_through_several_profiles),
		cmocka_unit_test(test_host_endpoint),
		cmocka_unit_test(test_host_endpoint_s_addresses_are_nobody_s),
		cmocka_unit_test(test_addresses_of_hosts),
		cmocka_unit_test(test_host_endpoint_s_problems_name_it),
		cmocka_unit_test(test_any_order_of_arrival),
		cmocka_unit_test(test_removed_and_set_again_in_one_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
