/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules on the command line: their text, when two are equal, lists of them, ports, pretty JSON. */
#include "model/rules.h"
#include "rows.h"

static void parse_rule(const char *rows, struct rule *ret)
{
	char *text = row_text(rows, "");
	struct err err;
	json_t *json;

	if (model_json_parse(text, &json, &err) != 0 || rule_parse_json(json, ret, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	json_decref(json);
	free(text);
}

static void rule_text(void **state)
{
	static const char *const rows[][2] = {
		{"{}", "allow"},
		{"{'action': 'deny'}", "deny"},
		{"{'action': 'next-tier'}", "next-tier"},
		{"{'action': 'log', 'log_prefix': 'x y'}", "log prefix x_y"},
		{"{'src_tag': 'databases'}", "allow from tag databases"},
		{"{'protocol': 'tcp', 'src_tag': 'applications', 'dst_ports': [3306]}",
		 "allow tcp from tag applications to ports 3306"},
		{"{'action': 'deny', 'protocol': 'icmp', 'icmp_type': 8, 'icmp_code': 0, 'src_net': '10.0.0.0/8'}",
		 "deny icmp type 8 code 0 from cidr 10.0.0.0/8"},
		{"{'protocol': 'udp', 'src_ports': [53, '1000:2000'], 'src_tag': 'A', 'src_net': '10.0.0.0/8',"
		 " 'dst_ports': [53], 'dst_tag': 'B', 'dst_net': '11.0.0.0/8'}",
		 "allow udp from ports 53,1000:2000 tag A cidr 10.0.0.0/8 to ports 53 tag B cidr 11.0.0.0/8"},
		{"{'protocol': 'icmpv6', 'icmp_type': 128, 'dst_net': 'fd80::/64'}",
		 "allow icmpv6 type 128 to cidr fd80::/64"},
		{"{'dst_tag': 'WEB'}", "allow to tag WEB"},
		{"{'src_net': '10.0.0.1/8'}", "allow from cidr 10.0.0.1/8"},
		{"{'protocol': 123}", "allow 123"},
		/* v0.20 shows no selectors. */
		{"{'src_selector': 'has(a)', 'dst_selector': 'has(b)'}", "allow"},
		{"{'src_selector': 'has(a)', 'src_tag': 'x'}", "allow from tag x"},
		/* v0.20 has no text for these. */
		{"{'ip_version': 6, '!protocol': 'tcp'}", "allow ipv6 !tcp"},
		{"{'protocol': 'tcp', '!src_tag': 'a', '!src_net': '10.0.0.0/8', '!dst_ports': ['1:2', 3]}",
		 "allow tcp from !tag a !cidr 10.0.0.0/8 to !ports 1:2,3"},
		{"{'icmp_type': 8, '!icmp_type': 9, '!icmp_code': 1}", "allow type 8 !type 9 !code 1"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct rule rule;
		char *text;

		parse_rule(rows[i][0], &rule);
		text = rule_format_text(&rule);
		assert_string_equal(text, rows[i][1]);
		free(text);
		rule_done(&rule);
	}
}

static void rules_described(void **state)
{
	static const char *const rows[][2] = {
		{"{'protocol': 'tcp', 'src_tag': 'a', 'dst_ports': [3306]}",
		 "allow tcp from tag a to ports 3306"},
		{"{'src_selector': 'has(a)', '!dst_selector': 'b == \\\"c\\\"'}",
		 "allow from selector has(a) to !selector b == \"c\""},
		{"{'src_selector': 'has(a)', 'src_tag': 'x'}", "allow from tag x selector has(a)"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct rule rule;
		char *text;

		parse_rule(rows[i][0], &rule);
		text = rule_describe(&rule);
		assert_string_equal(text, rows[i][1]);
		free(text);
		rule_done(&rule);
	}
}

static void equal_rules(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{"{}", "{'action': 'allow'}", true},
		{"{}", "{'action': 'deny'}", false},
		{"{'src_net': '10.0.0.1/8'}", "{'src_net': '10/8'}", true},
		{"{'src_net': '10.0.0.0/8'}", "{'src_net': '10.0.0.0/9'}", false},
		{"{'src_net': '10.0.0.0/8'}", "{'dst_net': '10.0.0.0/8'}", false},
		{"{'src_net': '0.0.0.0/0'}", "{}", false},
		{"{'src_net': '0.0.0.0/0'}", "{'src_net': '::/0'}", false},
		{"{'src_net': '10.0.0.0/8'}", "{'!src_net': '10.0.0.0/8'}", false},
		{"{'protocol': 'tcp'}", "{'protocol': 6}", true},
		{"{'protocol': 'tcp'}", "{'protocol': 'udp'}", false},
		{"{'protocol': 'tcp'}", "{'!protocol': 'tcp'}", false},
		{"{'protocol': 'tcp', 'dst_ports': [1, 2]}", "{'protocol': 'tcp', 'dst_ports': [2, 1]}",
		 false},
		{"{'protocol': 'tcp', 'dst_ports': [1, 2]}", "{'protocol': 'tcp', 'dst_ports': ['1:2']}",
		 false},
		{"{'protocol': 'tcp', 'dst_ports': [1]}", "{'protocol': 'tcp', 'src_ports': [1]}", false},
		{"{'protocol': 'tcp', 'dst_ports': ['1:2']}", "{'protocol': 'tcp', 'dst_ports': ['1:2']}",
		 true},
		{"{'protocol': 'tcp', 'dst_ports': ['1:2']}", "{'protocol': 'tcp', 'dst_ports': ['1:3']}",
		 false},
		{"{'src_tag': 'a'}", "{'src_tag': 'b'}", false},
		{"{'src_tag': 'a'}", "{}", false},
		{"{'src_tag': 'a'}", "{'src_tag': 'a'}", true},
		{"{'src_selector': 'a == \\\"x\\\"'}", "{'src_selector': ' a==\\\"x\\\"'}", true},
		{"{'src_selector': 'has(a)'}", "{'src_selector': 'has(b)'}", false},
		{"{'src_selector': 'has(a)'}", "{}", false},
		{"{'!src_tag': 'a'}", "{}", false},
		{"{'!src_tag': 'a'}", "{'!src_tag': 'a'}", true},
		{"{'icmp_type': 0}", "{}", false},
		{"{'icmp_type': 8, 'icmp_code': 0}", "{'icmp_type': 8}", false},
		{"{'ip_version': 4}", "{}", false},
		{"{'log_prefix': 'a'}", "{}", false},
		{"{'log_prefix': 'a'}", "{'log_prefix': 'b'}", false},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct rule a, b, copy;

		parse_rule(rows[i].a, &a);
		parse_rule(rows[i].b, &b);
		if (rule_equal(&a, &b) != rows[i].equal || rule_equal(&b, &a) != rows[i].equal)
			fail_msg("%s, %s", rows[i].a, rows[i].b);
		assert_int_equal(rule_copy(&a, &copy), 0);
		rule_done(&a);
		assert_int_equal(rule_equal(&copy, &b), rows[i].equal);
		rule_done(&b);
		rule_done(&copy);
	}
}

/* The source tags of the list, one letter each. */
static void check_list(const struct rules_list *list, const char *tags)
{
	assert_int_equal(list->count, strlen(tags));
	for (size_t i = 0; i < list->count; i++)
		assert_int_equal(list->items[i].match.src.tag[0], tags[i]);
}

static void insert(struct rules_list *list, size_t position, const char *tag)
{
	struct rule rule;

	rule_init(&rule);
	rule.match.src.tag = strdup(tag);
	assert_int_equal(rules_list_insert(list, position, &rule), 0);
	/* The list has the content now. */
	assert_null(rule.match.src.tag);
}

static void positions(void **state)
{
	struct rules_list list = {0};

	insert(&list, 0, "b");
	insert(&list, 0, "a");
	insert(&list, 2, "d");
	insert(&list, 2, "c");
	insert(&list, 99, "e");
	check_list(&list, "abcde");
	rules_list_remove(&list, 0);
	rules_list_remove(&list, 3);
	rules_list_remove(&list, 1);
	rules_list_remove(&list, 2);
	check_list(&list, "bd");
	insert(&list, 1, "c");
	insert(&list, 3, "e");
	insert(&list, 4, "f");
	check_list(&list, "bcdef");
	rules_list_done(&list);
	assert_int_equal(list.count, 0);
}

static void ports(void **state)
{
	static const struct {
		const char *text;
		size_t count;
	} rows[] = {
		{"6,9,10", 3},	{"53:99", 1}, {"0", 1},	      {"65535", 1}, {"6,9,53:99", 3}, {"", 0},
		{"6,9,-10", 0}, {"6,", 0},    {",6", 0},      {"6,,9", 0},  {"65536", 0},     {"53-99", 0},
		{"99:53", 0},	{"53:53", 0}, {"1:2:3", 0},   {"1:", 0},    {":1", 0},	      {"6, 9", 0},
		{"0x10", 0},	{"http", 0},  {"1:65536", 0}, {" 6", 0},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct port_ranges ranges = {0};
		struct err err = {""};
		int r = port_ranges_parse(rows[i].text, &ranges, &err);

		if (r != (rows[i].count ? 0 : -EINVAL) || ranges.count != rows[i].count)
			fail_msg("'%s': %d, %zu", rows[i].text, r, ranges.count);
		assert_string_equal(err.text, r ? "Invalid SRCPORTS or DSTPORTS specified." : "");
		port_ranges_done(&ranges);
	}
}

static void pretty(void **state)
{
	struct rules *rules;
	char *text =
		row_text("{'outbound_rules': [{}], 'x': 1, 'inbound_rules': [{'dst_ports': [80, '443:444'],"
			 " 'protocol': 'tcp'}], 'id': 'WEB'}",
			 "");

	assert_int_equal(rules_parse(text, &rules, NULL), 0);
	free(text);
	text = rules_format_pretty(rules);
	assert_string_equal(text, "{\n"
				  "  \"id\": \"WEB\",\n"
				  "  \"inbound_rules\": [\n"
				  "    {\n"
				  "      \"action\": \"allow\",\n"
				  "      \"protocol\": \"tcp\",\n"
				  "      \"dst_ports\": [\n"
				  "        80,\n"
				  "        \"443:444\"\n"
				  "      ]\n"
				  "    }\n"
				  "  ],\n"
				  "  \"outbound_rules\": [\n"
				  "    {\n"
				  "      \"action\": \"allow\"\n"
				  "    }\n"
				  "  ],\n"
				  "  \"x\": 1\n"
				  "}");
	free(text);
	rules_free(rules);
}

static void default_profile(void **state)
{
	struct rules *rules = rules_new_default("web");
	char *text = rules_format(rules);

	assert_string_equal(text,
			    "{\"id\":\"web\",\"inbound_rules\":[{\"action\":\"allow\",\"src_tag\":\"web\"}],"
			    "\"outbound_rules\":[{\"action\":\"allow\"}]}");
	free(text);
	rules_free(rules);
}

static void protocols(void **state)
{
	assert_int_equal(protocol_parse("tcp"), 6);
	assert_int_equal(protocol_parse("udp"), 17);
	assert_int_equal(protocol_parse("icmp"), 1);
	assert_int_equal(protocol_parse("icmpv6"), 58);
	assert_int_equal(protocol_parse("sctp"), 132);
	assert_int_equal(protocol_parse("udplite"), 136);
	assert_int_equal(protocol_parse("255"), 255);
	assert_int_equal(protocol_parse("0"), -EINVAL);
	assert_int_equal(protocol_parse("256"), -EINVAL);
	assert_int_equal(protocol_parse("tcpx"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_text),	   cmocka_unit_test(rules_described),
		cmocka_unit_test(equal_rules),	   cmocka_unit_test(positions),
		cmocka_unit_test(ports),	   cmocka_unit_test(pretty),
		cmocka_unit_test(default_profile), cmocka_unit_test(protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
