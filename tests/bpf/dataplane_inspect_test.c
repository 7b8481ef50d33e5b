/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The policy in force, read back from the pins. */
#include "dataplane_policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "inspect/inspect.h"

static struct inspect *open_inspect(void)
{
	struct inspect *inspect;
	struct err err;

	env_ok(inspect_open(env_bpffs, &inspect, &err), &err);
	return inspect;
}

/* "profile web 2: allow udp" in order; a step that is no rule is "step KIND". The table ends with NULL. */
static void assert_policy(bool inbound, const char *const *expected)
{
	struct inspect *inspect = open_inspect();
	struct inspect_policy policy;

	assert_int_equal(inspect_policy(inspect, 1, inbound, &policy), 0);
	for (size_t i = 0; i < policy.count; i++) {
		const struct inspect_entry *entry = &policy.entries[i];
		char text[512];

		if (entry->kind == STEP_RULES)
			snprintf(text, sizeof(text), "%s %u: %s", entry->info.object, entry->info.position,
				 entry->info.text);
		else
			snprintf(text, sizeof(text), "step %d", entry->kind);
		assert_non_null(expected[i]);
		assert_string_equal(text, expected[i]);
	}
	assert_null(expected[policy.count]);
	free(policy.entries);
	inspect_close(inspect);
}

static void test_rules_of_all_protocols_come_in_their_order(void **state)
{
	static const char *const inbound[] = {"profile first 1: deny icmp",
					      "profile first 2: allow tcp to ports 80",
					      "profile first 3: allow udp to ports 53",
					      "profile first 4: deny !tcp",
					      "profile first 5: allow 47",
					      "profile web 1: allow tcp",
					      "profile web 2: allow udp",
					      "profile web 3: deny",
					      NULL};
	static const char *const outbound[] = {"profile first 1: next-tier", "profile web 1: allow", NULL};
	struct enforced enforced;

	enforced_open(&enforced, DROP_DROP);
	enforced_rules(&enforced, "first",
		       "{'action': 'deny', 'protocol': 'icmp'}, {'protocol': 'tcp', 'dst_ports': [80]},"
		       "{'protocol': 'udp', 'dst_ports': [53]}, {'action': 'deny', '!protocol': 'tcp'},"
		       "{'protocol': 47}",
		       "{'action': 'next-tier'}");
	enforced_rules(&enforced, "web", "{'protocol': 'tcp'}, {'protocol': 'udp'}, {'action': 'deny'}",
		       "{}");
	assert_policy(true, inbound);
	assert_policy(false, outbound);
	enforced_close(&enforced);
}

static void test_tiers_and_missing_profiles_show(void **state)
{
	static const char *const inbound[] = {"policy front/guard 1: next-tier tcp", "step 2",
					      "profile first 1: allow", "step 3", NULL};
	static const char *const outbound[] = {"policy front/guard 1: deny udp", "step 2", "step 3", NULL};
	struct enforced enforced;

	_Static_assert(STEP_END_TIER == 2 && STEP_NO_PROFILE == 3, "as in the tables");
	enforced_open(&enforced, DROP_DROP);
	enforced_policy(&enforced, "front", 10, "guard",
			"{'selector': 'all()', 'order': 1,"
			" 'inbound_rules': [{'action': 'next-tier', 'protocol': 'tcp'}],"
			" 'outbound_rules': [{'action': 'deny', 'protocol': 'udp'}]}");
	enforced_rules(&enforced, "first", "{}", "");
	assert_policy(true, inbound);
	assert_policy(false, outbound);
	enforced_close(&enforced);
}

/* Entries of a port list are one rule; a change of rules shows, and a new rule counts from zero. */
static void test_hits_are_those_of_the_rule(void **state)
{
	struct enforced enforced;
	struct inspect *inspect;
	struct inspect_policy policy;

	enforced_open(&enforced, DROP_DROP);
	enforced_rules(&enforced, "first", "",
		       "{'protocol': 'tcp', 'dst_ports': [80, 443, 8080]}, {'action': 'deny'}");
	assert_true(enforced_sends(&enforced, 80));
	assert_true(enforced_sends(&enforced, 443));
	assert_false(enforced_sends(&enforced, 22));
	inspect = open_inspect();
	assert_int_equal(inspect_policy(inspect, 1, false, &policy), 0);
	assert_int_equal(policy.count, 3); /* and the step for the missing profile */
	assert_int_equal(policy.entries[0].hits.packets, 2);
	assert_int_equal(policy.entries[0].hits.bytes, 2 * 54);
	assert_int_equal(policy.entries[1].hits.packets, 1);
	free(policy.entries);

	enforced_rules(&enforced, "first", "", "{'protocol': 'udp'}, {'action': 'deny'}");
	assert_int_equal(inspect_policy(inspect, 1, false, &policy), 0);
	assert_string_equal(policy.entries[0].info.text, "allow udp");
	assert_int_equal(policy.entries[0].hits.packets, 0);
	assert_int_equal(policy.entries[1].hits.packets, 1);
	free(policy.entries);

	/* Until a rule that is new gets a number that was in use. */
	for (int i = 0; i < 4; i++) {
		enforced_rules(&enforced, "first", "", i % 2 ? "{'protocol': 1}" : "{'protocol': 2}");
		assert_int_equal(inspect_policy(inspect, 1, false, &policy), 0);
		assert_int_equal(policy.entries[0].hits.packets, 0);
		free(policy.entries);
	}
	inspect_close(inspect);
	enforced_close(&enforced);
}

static void test_endpoints_are_found(void **state)
{
	struct enforced enforced;
	struct endpoint endpoint;
	struct inspect *inspect;
	struct addr addr;

	enforced_open(&enforced, DROP_DROP);
	enforced_close(&enforced); /* the pins are enough */
	inspect = open_inspect();
	assert_int_equal(inspect_find_interface(inspect, "cali0"), 1);
	assert_int_equal(inspect_find_interface(inspect, "cali"), -ENOENT);
	assert_int_equal(inspect_find_interface(inspect, ""), -ENOENT);
	assert_int_equal(addr_parse("10.65.0.2", &addr), 0);
	assert_int_equal(inspect_find_address(inspect, &addr), 1);
	assert_int_equal(addr_parse("fd65::2", &addr), 0);
	assert_int_equal(inspect_find_address(inspect, &addr), 1);
	assert_int_equal(addr_parse("10.65.0.3", &addr), 0);
	assert_int_equal(inspect_find_address(inspect, &addr), -ENOENT);
	assert_int_equal(inspect_endpoint(inspect, 1, &endpoint), 0);
	assert_string_equal(endpoint.name, "cali0");
	assert_int_equal(inspect_endpoint(inspect, 2, &endpoint), -ENOENT);
	inspect_close(inspect);
}

static void test_nothing_loaded_and_foreign_maps_are_told(void **state)
{
	struct enforced enforced;
	struct inspect *inspect;
	struct err err;
	int map;

	assert_int_equal(inspect_open("/nowhere", &inspect, &err), -ENOENT);
	assert_non_null(strstr(err.text, "start calico-node"));
	enforced_open(&enforced, DROP_DROP);
	map = bpf_map_create(BPF_MAP_TYPE_HASH, "rule_info", 4, 100, 1, NULL);
	assert_int_equal(unlink(env_pin("rule_info")), 0);
	assert_int_equal(bpf_obj_pin(map, env_pin("rule_info")), 0);
	assert_int_equal(inspect_open(env_bpffs, &inspect, &err), -EPROTO);
	close(map);
	enforced_close(&enforced);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, env_enter, env_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rules_of_all_protocols_come_in_their_order),
		TEST(test_tiers_and_missing_profiles_show),
		TEST(test_hits_are_those_of_the_rule),
		TEST(test_endpoints_are_found),
		TEST(test_nothing_loaded_and_foreign_maps_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
