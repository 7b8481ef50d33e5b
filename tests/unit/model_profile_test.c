/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tags, labels, tiers, policies and pools: what is valid, and what is read. */
#include <math.h>

#include "model/pool.h"
#include "model/profile.h"
#include "rows.h"

static void tags_table(void **state)
{
	static const struct row rows[] = {
		{"[]", NULL},
		{"['a', 'B-_.9']", NULL},
		{"{}", "the value is not a list but {}"},
		{"'a'", "the value is not a list"},
		{"null", "the value is not a list but null"},
		{"[5]", "the value: 5 is not a name"},
		{"[null]", "the value: null"},
		{"[['a']]", "the value: [\"a\"]"},
		{"['a', 'b c']", "the value: \"b c\""},
		{"['a!b']", "the value"},
		{"['a,b']", "the value"},
		{"['']", "the value"},
		{"[", "not valid JSON"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = row_text(rows[i].text, ""), *own;
		struct strings tags = {0}, again = {0};
		struct err err = {""};
		int r = tags_parse(text, &tags, &err);

		row_check(&rows[i], text, r, &err);
		if (r == 0) {
			own = tags_format(&tags);
			assert_int_equal(tags_parse(own, &again, &err), 0);
			assert_true(strings_equal(&tags, &again));
			strings_done(&again);
			free(own);
		}
		strings_done(&tags);
		free(text);
	}
}

static void tags_keep_their_order(void **state)
{
	struct strings tags;
	char *text;

	assert_int_equal(tags_parse("[\"b\", \"a\", \"b\"]", &tags, NULL), 0);
	text = tags_format(&tags);
	assert_string_equal(text, "[\"b\",\"a\",\"b\"]");
	free(text);
	strings_done(&tags);
}

static void labels_table(void **state)
{
	static const struct row rows[] = {
		{"{}", NULL},
		{"{'calico/k8s_namespace': 'x', 'kubernetes.io/x_-y.z': 'y'}", NULL},
		{"[]", "the value is not an object but []"},
		{"null", "the value is not an object but null"},
		{"{'a': 5}", "the value: value of 'a' is not a string but 5"},
		{"{'a': null}", "value of 'a'"},
		{"{'a b': 'c'}", "'a b' is not a label name"},
		{"{'': 'c'}", "'' is not a label name"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = row_text(rows[i].text, "");
		struct labels labels = {0};
		struct err err = {""};

		row_check(&rows[i], text, labels_parse(text, &labels, &err), &err);
		labels_done(&labels);
		free(text);
	}
}

static void tier_table(void **state)
{
	static const struct row rows[] = {
		{"{}", NULL},
		{"{'order': 'default'}", NULL},
		{"{'order': 20}", NULL},
		{"{'order': -1.5, 'x': 1}", NULL},
		{"{'order': '10'}", "order is not a number but \"10\""},
		{"{'order': null}", "order is not a number but null"},
		{"{'order': true}", "order is not a number but true"},
		{"{'order': [1]}", "order is not a number"},
		{"[]", "not an object"},
		{"5", "not an object"},
		{"null", "not an object"},
		{"nonsense", "not valid JSON"},
	};
	double order;

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = row_text(rows[i].text, "");
		struct err err = {""};

		row_check(&rows[i], text, tier_parse(text, &order, &err), &err);
		free(text);
	}
	assert_int_equal(tier_parse("{}", &order, NULL), 0);
	assert_true(isinf(order) && order > 0);
	assert_int_equal(tier_parse("{\"order\": \"default\"}", &order, NULL), 0);
	assert_true(isinf(order) && order > 0);
	assert_int_equal(tier_parse("{\"order\": 2.5}", &order, NULL), 0);
	assert_true(order == 2.5);
}

static void policy_table(void **state)
{
	static const struct row rows[] = {
		{"{'selector': 'has(a)', 'inbound_rules': [], 'outbound_rules': []}", NULL},
		{"{'selector': '', 'order': 'default', 'inbound_rules': [], 'outbound_rules': [], 'x': 1}",
		 NULL},
		{"{'selector': 'all()', 'order': 1.5, 'inbound_rules': [{}], 'outbound_rules': [{}]}", NULL},
		{"[]", "not an object"},
		{"{'inbound_rules': [], 'outbound_rules': []}", "selector is missing"},
		{"{'selector': null, 'inbound_rules': [], 'outbound_rules': []}", "selector is not a string"},
		{"{'selector': 5, 'inbound_rules': [], 'outbound_rules': []}",
		 "selector is not a string but 5"},
		{"{'selector': 'a!b', 'inbound_rules': [], 'outbound_rules': []}", "selector: '==', '!='"},
		{"{'selector': '', 'order': '1', 'inbound_rules': [], 'outbound_rules': []}", "order"},
		{"{'selector': '', 'order': null, 'inbound_rules': [], 'outbound_rules': []}", "order"},
		{"{'selector': '', 'outbound_rules': []}", "inbound_rules is missing"},
		{"{'selector': '', 'inbound_rules': []}", "outbound_rules is missing"},
		{"{'selector': '', 'inbound_rules': [{'x': 1}], 'outbound_rules': []}", "inbound rule 1: x"},
		{"{'selector': '', 'inbound_rules': [{}], 'outbound_rules': [{}, 5]}",
		 "outbound rule 2: not an"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = row_text(rows[i].text, "");
		struct policy *policy = NULL;
		struct err err = {""};

		row_check(&rows[i], text, policy_parse(text, &policy, &err), &err);
		policy_free(policy);
		free(text);
	}
}

static void policy_fields(void **state)
{
	struct labels labels = {0};
	struct policy *policy;
	char *text =
		row_text("{'selector': 'has(a)', 'order': 150, 'inbound_rules': [{'action': 'next-tier'}],"
			 " 'outbound_rules': [{'action': 'allow'}, {'action': 'deny'}]}",
			 "");

	assert_int_equal(policy_parse(text, &policy, NULL), 0);
	assert_true(policy->order == 150);
	assert_string_equal(policy->selector_text, "has(a)");
	assert_false(selector_match_labels(policy->selector, &labels));
	assert_int_equal(policy->inbound.count, 1);
	assert_int_equal(policy->inbound.items[0].action, RULE_NEXT_TIER);
	assert_int_equal(policy->outbound.count, 2);
	assert_int_equal(policy->outbound.items[1].action, RULE_DENY);
	policy_free(policy);
	free(text);
}

static void pool_table(void **state)
{
	static const struct {
		const char *key;
		struct row row;
		const char *formatted;
	} rows[] = {
		{"10.65.0.0-16", {"{'cidr': '10.65.0.0/16'}", NULL}, "{'cidr':'10.65.0.0/16'}"},
		{"10.65.0.0-16",
		 {"{'cidr': '10.65.0.5/16', 'x': [1]}", NULL},
		 "{'cidr':'10.65.0.0/16','x':[1]}"},
		{"10.65.0.0-16", {"{'cidr': '10.65/16'}", NULL}, "{'cidr':'10.65.0.0/16'}"},
		{"10.65.0.0-16",
		 {"{'cidr': '10.65.0.0/16', 'ipip': 'tunl0', 'masquerade': true, 'ipam': false, 'disabled': true}",
		  NULL},
		 "{'cidr':'10.65.0.0/16','ipip':'tunl0','masquerade':true,'ipam':false,'disabled':true}"},
		{"10.65.0.0-16",
		 {"{'masquerade': false, 'ipam': true, 'disabled': false, 'ipip': null, 'cidr': '10.65.0.0/16'}",
		  NULL},
		 "{'cidr':'10.65.0.0/16'}"},
		{"fd80:24e2:f998:72d6::-64",
		 {"{'cidr': 'fd80:24e2:f998:72d6::/64', 'ipip': ''}", NULL},
		 "{'cidr':'fd80:24e2:f998:72d6::/64'}"},
		{"nonsense", {"{'cidr': '10.65.0.0/16'}", "the key does not name a network"}, NULL},
		{"", {"{'cidr': '10.65.0.0/16'}", "the key"}, NULL},
		{"10.65.0.0-16 ", {"{'cidr': '10.65.0.0/16'}", "the key"}, NULL},
		{"11111111111111111111111111111111111111111111",
		 {"{'cidr': '10.65.0.0/16'}", "the key"},
		 NULL},
		{"10.65.0.0-16", {"{}", "cidr is missing"}, NULL},
		{"10.65.0.0-16", {"{'cidr': null}", "cidr: null is not an IPv4 network"}, NULL},
		{"10.65.0.0-16", {"{'cidr': 'nonsense'}", "cidr: \"nonsense\""}, NULL},
		{"10.65.0.0-16", {"{'cidr': 10}", "cidr: 10"}, NULL},
		{"10.65.0.0-16", {"{'cidr': 'fd80::/64'}", "is not an IPv4 network"}, NULL},
		{"fd80::-64", {"{'cidr': '10.65.0.0/16'}", "is not an IPv6 network"}, NULL},
		{"10.65.0.0-16",
		 {"{'cidr': '10.65.0.0/16', 'masquerade': 1}", "masquerade is not true or false"},
		 NULL},
		{"10.65.0.0-16", {"{'cidr': '10.65.0.0/16', 'masquerade': 'true'}", "masquerade"}, NULL},
		{"10.65.0.0-16", {"{'cidr': '10.65.0.0/16', 'masquerade': null}", "masquerade"}, NULL},
		{"10.65.0.0-16", {"{'cidr': '10.65.0.0/16', 'ipam': 'no'}", "ipam"}, NULL},
		{"10.65.0.0-16", {"{'cidr': '10.65.0.0/16', 'disabled': 0}", "disabled"}, NULL},
		{"10.65.0.0-16", {"{'cidr': '10.65.0.0/16', 'ipip': 'a;b'}", "ipip: \"a;b\""}, NULL},
		{"10.65.0.0-16", {"{'cidr': '10.65.0.0/16', 'ipip': true}", "ipip: true"}, NULL},
		{"10.65.0.0-16", {"[]", "not an object"}, NULL},
		{"10.65.0.0-16", {"null", "not an object"}, NULL},
		{"10.65.0.0-16", {"{", "not valid JSON"}, NULL},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = row_text(rows[i].row.text, ""), *own, *expected;
		struct pool *pool = NULL;
		struct err err = {""};

		row_check(&rows[i].row, text, pool_parse(rows[i].key, text, &pool, &err), &err);
		if (pool) {
			own = pool_format(pool);
			expected = row_text(rows[i].formatted, "");
			assert_string_equal(own, expected);
			free(own);
			free(expected);
		}
		pool_free(pool);
		free(text);
	}
}

static void pool_fields(void **state)
{
	struct pool *pool;
	struct cidr cidr;
	char *text = row_text("{'cidr': '10.65.7.0/16', 'ipip': 'tunl0', 'masquerade': true}", "");
	char cidr_text[CIDR_TEXT];

	assert_int_equal(pool_parse("10.65.0.0-16", text, &pool, NULL), 0);
	assert_string_equal(cidr_format(&pool->cidr, cidr_text), "10.65.0.0/16");
	assert_string_equal(pool->ipip, "tunl0");
	assert_true(pool->masquerade);
	assert_true(pool->ipam);
	assert_false(pool->disabled);
	pool_free(pool);
	free(text);

	assert_int_equal(cidr_parse("10.1.2.3/16", &cidr), 0);
	pool = pool_new(&cidr);
	text = pool_format(pool);
	assert_string_equal(text, "{\"cidr\":\"10.1.0.0/16\"}");
	pool_free(pool);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_table),	cmocka_unit_test(tags_keep_their_order),
		cmocka_unit_test(labels_table), cmocka_unit_test(tier_table),
		cmocka_unit_test(policy_table), cmocka_unit_test(policy_fields),
		cmocka_unit_test(pool_table),	cmocka_unit_test(pool_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
