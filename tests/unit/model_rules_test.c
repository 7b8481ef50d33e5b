/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which rules are valid, what they become, what is said about the others. */
#include <time.h>

#include "model/rules.h"
#include "rows.h"

/* The rule as the second inbound rule of a document; ~ and ' as in row_text(). */
static char *document_of(const char *rule, const char *sign)
{
	char *text = row_text(rule, sign), *document = NULL;

	assert_true(asprintf(&document, "{\"inbound_rules\": [{}, %s], \"outbound_rules\": []}", text) > 0);
	free(text);
	return document;
}

/* Formatting what was read and reading it again gives the same rules and the same text. */
static void check_idempotent(const struct rules *rules)
{
	char *first = rules_format(rules), *second;
	struct rules *again;
	struct err err;

	assert_non_null(first);
	if (rules_parse(first, &again, &err) != 0)
		fail_msg("%s: own text refused: %s", first, err.text);
	assert_int_equal(again->inbound.count, rules->inbound.count);
	for (size_t i = 0; i < rules->inbound.count; i++)
		assert_true(rule_equal(&again->inbound.items[i], &rules->inbound.items[i]));
	second = rules_format(again);
	assert_string_equal(first, second);
	rules_free(again);
	free(first);
	free(second);
}

static void check_rule(const struct row *row, const char *sign)
{
	char *document = document_of(row->text, sign);
	struct rules *rules = NULL;
	struct err err = {""};
	int r = rules_parse(document, &rules, &err);

	row_check(row, document, r, &err);
	if (r == 0)
		check_idempotent(rules);
	else
		assert_ptr_equal(strstr(err.text, "inbound rule 2: "), err.text);
	rules_free(rules);
	free(document);
}

/* ~ is tried as "" and as "!". */
static const struct row rule_rows[] = {
	{"{}", NULL},
	{"[]", "not an object"},
	{"5", "not an object"},
	{"null", "not an object"},
	{"{'foo': 1}", "foo: is no member"},
	{"{'~tag': 'a'}", "is no member"},
	{"{'!!protocol': 'tcp'}", "!!protocol: is no member"},
	{"{'src_protocol': 'tcp'}", "src_protocol: is no member"},
	{"{'~src_': 'tcp'}", "is no member"},
	{"{'~': 'tcp'}", "is no member"},
	{"{'!action': 'deny'}", "!action: is no member"},
	{"{'!ip_version': 4}", "!ip_version: is no member"},
	{"{'!log_prefix': 'a'}", "!log_prefix: is no member"},
	{"{'foo': null, '!action': null}", NULL},

	{"{'action': 'allow'}", NULL},
	{"{'action': 'deny'}", NULL},
	{"{'action': 'next-tier'}", NULL},
	{"{'action': 'log'}", NULL},
	{"{'action': 'bloop'}", "action: \"bloop\" is not allow, deny, next-tier or log"},
	{"{'action': 'ALLOW'}", "action"},
	{"{'action': ''}", "action"},
	{"{'action': 1}", "action"},
	{"{'action': null}", NULL},

	{"{'ip_version': 4}", NULL},
	{"{'ip_version': 6}", NULL},
	{"{'ip_version': 5}", "ip_version: 5 is not 4 or 6"},
	{"{'ip_version': '4'}", "ip_version"},
	{"{'ip_version': 4.0}", "ip_version"},
	{"{'ip_version': true}", "ip_version"},

	{"{'log_prefix': 'a b'}", NULL},
	{"{'log_prefix': ''}", NULL},
	{"{'log_prefix': 1}", "log_prefix: 1 is not a string"},
	{"{'log_prefix': ['a']}", "log_prefix"},

	{"{'~protocol': 'tcp'}", NULL},
	{"{'~protocol': 'udp'}", NULL},
	{"{'~protocol': 'icmp'}", NULL},
	{"{'~protocol': 'icmpv6'}", NULL},
	{"{'~protocol': 'sctp'}", NULL},
	{"{'~protocol': 'udplite'}", NULL},
	{"{'~protocol': 1}", NULL},
	{"{'~protocol': 255}", NULL},
	{"{'~protocol': '255'}", NULL},
	{"{'~protocol': 'bloop'}", "protocol: \"bloop\" is not a protocol"},
	{"{'~protocol': 'TCP'}", "protocol"},
	{"{'~protocol': ''}", "protocol"},
	{"{'~protocol': '0'}", "protocol"},
	{"{'~protocol': '256'}", "protocol"},
	{"{'~protocol': 0}", "protocol"},
	{"{'~protocol': 256}", "protocol"},
	{"{'~protocol': -6}", "protocol"},
	{"{'~protocol': '+6'}", "protocol"},
	{"{'~protocol': '6 '}", "protocol"},
	{"{'~protocol': 6.0}", "protocol"},
	{"{'~protocol': true}", "protocol"},
	{"{'~protocol': [6]}", "protocol"},
	{"{'ip_version': 4, '~protocol': 'icmpv6'}", "protocol: \"icmpv6\" does not exist in ip_version 4"},
	{"{'ip_version': 6, '~protocol': 'icmp'}", "protocol: \"icmp\" does not exist in ip_version 6"},
	{"{'ip_version': 4, '~protocol': 'icmp'}", NULL},
	{"{'ip_version': 6, '~protocol': 'icmpv6'}", NULL},

	{"{'~src_tag': 'Tag_1.x-y', '~dst_tag': '9'}", NULL},
	{"{'~src_tag': 'a!b'}", "src_tag: \"a!b\" is not a tag"},
	{"{'~src_tag': 'a,b'}", "src_tag"},
	{"{'~src_tag': 'a+b'}", "src_tag"},
	{"{'~src_tag': ''}", "src_tag"},
	{"{'~src_tag': 1}", "src_tag"},
	{"{'~dst_tag': 'a!b'}", "dst_tag"},
	{"{'~dst_tag': 'a,b'}", "dst_tag"},
	{"{'~dst_tag': 'a+b'}", "dst_tag"},

	{"{'~src_selector': 'has(a)', '~dst_selector': ''}", NULL},
	{"{'~src_selector': 'a!b'}", "src_selector: '==', '!=', 'in' or 'not in' expected at character 2"},
	{"{'~src_selector': '+b'}", "src_selector: a label expected"},
	{"{'~src_selector': 1}", "src_selector"},
	{"{'~dst_selector': 'a!b'}", "dst_selector"},
	{"{'~dst_selector': '+b'}", "dst_selector"},

	{"{'~src_net': '10.0.0.1/8', '~dst_net': '2001::/16'}", NULL},
	{"{'~src_net': '10.0.0.1'}", NULL},
	{"{'~src_net': 'nonsense'}", "src_net: \"nonsense\" is not a CIDR"},
	{"{'~src_net': '10.0.0.0/33'}", "src_net"},
	{"{'~src_net': '10.0.0.0/'}", "src_net"},
	{"{'~src_net': '10.0.0.0/-1'}", "src_net"},
	{"{'~src_net': ''}", "src_net"},
	{"{'~src_net': 10}", "src_net"},
	{"{'~dst_net': 'nonsense'}", "dst_net"},
	{"{'ip_version': 4, '~src_net': '10.0.0.0/8'}", NULL},
	{"{'ip_version': 6, '~src_net': '10.0.0.0/8'}", "src_net: \"10.0.0.0/8\" is not of ip_version 6"},
	{"{'ip_version': 4, '~src_net': '2001::/16'}", "src_net: \"2001::/16\" is not of ip_version 4"},
	{"{'ip_version': 6, '~dst_net': '10.0.0.0/8'}", "dst_net"},
	{"{'ip_version': 4, '~dst_net': '2001::/16'}", "dst_net"},
	{"{'ip_version': 6, '~dst_net': '2001::/16'}", NULL},

	{"{'protocol': 'tcp', '~src_ports': [73]}", NULL},
	{"{'protocol': 'tcp', '~src_ports': [0]}", NULL},
	{"{'protocol': 'tcp', '~src_ports': ['57:123']}", NULL},
	{"{'protocol': 'tcp', '~dst_ports': ['0:1024', 65535, '0:65535']}", NULL},
	{"{'protocol': 'tcp', '~dst_ports': []}", NULL},
	{"{'protocol': 'tcp', '~src_ports': [65536]}", "src_ports: 65536 is not a port"},
	{"{'protocol': 'tcp', '~src_ports': [-1]}", "src_ports: -1 is not a port"},
	{"{'protocol': 'tcp', '~src_ports': [[]]}", "src_ports: [] is not a port"},
	{"{'protocol': 'tcp', '~src_ports': ['1:2:3']}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': ['1']}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': ['']}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': ['a:b']}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': ['3:1']}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': ['-1:3']}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': ['5:65536']}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': ['80:80']}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': ['80-90']}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': ['80:']}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': [1.0]}", "src_ports"},
	{"{'protocol': 'tcp', '~src_ports': [null]}", "src_ports"},
	{"{'protocol': 'tcp', '~dst_ports': [80, true]}", "dst_ports"},
	{"{'protocol': 'tcp', '~src_ports': 80}", "src_ports: 80 is not a list"},
	{"{'protocol': 'tcp', '~dst_ports': '80'}", "dst_ports: \"80\" is not a list"},
	{"{'protocol': 'udp', '~src_ports': [1]}", NULL},
	{"{'protocol': 'sctp', '~src_ports': [1]}", NULL},
	{"{'protocol': 'udplite', '~src_ports': [1]}", NULL},
	{"{'protocol': 6, '~src_ports': [1]}", NULL},
	{"{'protocol': '17', '~src_ports': [1]}", NULL},
	{"{'protocol': '33', '~src_ports': [1]}", NULL},
	{"{'protocol': 132, '~src_ports': [1]}", NULL},
	{"{'protocol': 136, '~src_ports': [1]}", NULL},
	{"{'protocol': 'icmp', '~src_ports': [1]}", "src_ports needs protocol"},
	{"{'protocol': 'icmp', '~dst_ports': [1]}", "dst_ports needs protocol"},
	{"{'protocol': 47, '~dst_ports': [1]}", "dst_ports needs protocol"},
	{"{'~dst_ports': [1]}", "dst_ports needs protocol"},
	{"{'~dst_ports': []}", "dst_ports needs protocol"},
	{"{'!protocol': 'tcp', '~dst_ports': [1]}", "dst_ports needs protocol"},
	{"{'~dst_ports': null}", NULL},

	{"{'~icmp_type': 0}", NULL},
	{"{'~icmp_type': 255, '~icmp_code': 255}", NULL},
	{"{'protocol': 'icmp', '~icmp_type': 8, '~icmp_code': 0}", NULL},
	{"{'~icmp_type': '8'}", "icmp_type: \"8\" is not a number"},
	{"{'~icmp_type': -1}", "icmp_type"},
	{"{'~icmp_type': 256}", "icmp_type"},
	{"{'~icmp_type': 8.0}", "icmp_type"},
	{"{'~icmp_type': true}", "icmp_type"},
	{"{'~icmp_type': 8, '~icmp_code': '0'}", "icmp_code: \"0\" is not a number"},
	{"{'~icmp_type': 8, '~icmp_code': -1}", "icmp_code"},
	{"{'~icmp_type': 8, '~icmp_code': 256}", "icmp_code"},
	{"{'~icmp_code': 1}", "icmp_code: 1 needs"},
	{"{'icmp_type': 1, '!icmp_code': 1}", "!icmp_code: 1 needs !icmp_type"},
	{"{'!icmp_type': 1, 'icmp_code': 1}", "icmp_code: 1 needs icmp_type"},
};

static void rule_table(void **state)
{
	for (size_t i = 0; i < ROWS(rule_rows); i++) {
		check_rule(&rule_rows[i], "");
		check_rule(&rule_rows[i], "!");
	}
}

static void document_table(void **state)
{
	static const struct row rows[] = {
		{"{'inbound_rules': [], 'outbound_rules': []}", NULL},
		{"{'id': 'web', 'inbound_rules': [], 'outbound_rules': [], 'more': {'a': [1]}}", NULL},
		{"", "not valid JSON"},
		{"{", "not valid JSON"},
		{"{'inbound_rules': [], 'outbound_rules': []} x", "not valid JSON"},
		{"[]", "not an object but []"},
		{"null", "not an object but null"},
		{"5", "not an object but 5"},
		{"'x'", "not an object but \"x\""},
		{"{}", "inbound_rules is missing"},
		{"{'outbound_rules': []}", "inbound_rules is missing"},
		{"{'inbound_rules': []}", "outbound_rules is missing"},
		{"{'inbound_rules': null, 'outbound_rules': []}", "inbound_rules is not a list but null"},
		{"{'inbound_rules': {}, 'outbound_rules': []}", "inbound_rules is not a list but {}"},
		{"{'inbound_rules': [], 'outbound_rules': 'x'}", "outbound_rules is not a list but \"x\""},
		{"{'inbound_rules': [], 'outbound_rules': [{}, {}, {'x': 1}]}",
		 "outbound rule 3: x: is no member"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = row_text(rows[i].text, "");
		struct rules *rules = NULL;
		struct err err = {""};
		int r = rules_parse(text, &rules, &err);

		row_check(&rows[i], text, r, &err);
		rules_free(rules);
		free(text);
	}
}

static void canonical_form(void **state)
{
	static const struct {
		const char *rule, *canonical;
	} rows[] = {
		{"{}", "{'action':'allow'}"},
		{"{'~src_net': '10/8'}", "{'action':'allow','~src_net':'10.0.0.0/8'}"},
		{"{'~dst_net': '11.0/16'}", "{'action':'allow','~dst_net':'11.0.0.0/16'}"},
		{"{'~dst_net': '10.1/16'}", "{'action':'allow','~dst_net':'10.1.0.0/16'}"},
		{"{'~dst_net': '10.0.0.1/8'}", "{'action':'allow','~dst_net':'10.0.0.1/8'}"},
		{"{'~dst_net': '10.0.0.1'}", "{'action':'allow','~dst_net':'10.0.0.1/32'}"},
		{"{'~src_net': '2001:0::1/128'}", "{'action':'allow','~src_net':'2001::1/128'}"},
		{"{'~src_net': '2001:DB8::'}", "{'action':'allow','~src_net':'2001:db8::/128'}"},
		{"{'~protocol': 6}", "{'action':'allow','~protocol':'6'}"},
		{"{'~protocol': '6'}", "{'action':'allow','~protocol':'6'}"},
		{"{'action': null, '~src_tag': null, 'x': null}", "{'action':'allow'}"},
		{"{'protocol': 'tcp', '~src_ports': []}", "{'action':'allow','protocol':'tcp'}"},
		{"{'action': 'log', 'log_prefix': 'abcdefghijklmnopqrstuvwxyz0123456789'}",
		 "{'action':'log','log_prefix':'abcdefghijklmnopqrstuvwxyz0'}"},
		{"{'log_prefix': 'A9_:-'}", "{'action':'allow','log_prefix':'A9_:-'}"},
		{"{'log_prefix': 'a b/c\\\"\\n!'}", "{'action':'allow','log_prefix':'a_b_c___'}"},
		/* One underscore for each character, however many bytes it has; 27 characters are left. */
		{"{'log_prefix': '\u00e4\u20ac\U0001f600b'}", "{'action':'allow','log_prefix':'___b'}"},
		{"{'log_prefix': '01234567890123456789012345\u20ac\u20ac'}",
		 "{'action':'allow','log_prefix':'01234567890123456789012345_'}"},
		{"{'dst_ports': [443, '1:2', 80], 'protocol': 'tcp', '!icmp_code': 2, '!icmp_type': 1}",
		 "{'action':'allow','protocol':'tcp','dst_ports':[443,'1:2',80],'!icmp_type':1,'!icmp_code':2}"},
		{"{'!src_selector': 'has( a )'}", "{'action':'allow','!src_selector':'has( a )'}"},
	};

	for (size_t i = 0; i < ROWS(rows) * 2; i++) {
		const char *sign = i % 2 ? "!" : "";
		char *document = document_of(rows[i / 2].rule, sign);
		char *expected = row_text(rows[i / 2].canonical, sign);
		struct rules *rules;
		struct err err;
		json_t *json;
		char *text;

		if (rules_parse(document, &rules, &err) != 0)
			fail_msg("%s: %s", document, err.text);
		json = rule_to_json(&rules->inbound.items[1]);
		text = model_json_format(json);
		assert_string_equal(text, expected);
		check_idempotent(rules);
		free(text);
		json_decref(json);
		rules_free(rules);
		free(expected);
		free(document);
	}
}

static struct rules *parse(const char *rows)
{
	char *text = row_text(rows, "");
	struct rules *rules;
	struct err err;

	if (rules_parse(text, &rules, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	free(text);
	return rules;
}

static void fields_are_read(void **state)
{
	struct rules *rules = parse(
		"{'id': 'web', 'inbound_rules': [{'action': 'deny', 'ip_version': 4, 'log_prefix': 'x',"
		" 'protocol': 'tcp', '!protocol': 17, 'icmp_type': 1, 'icmp_code': 2, '!icmp_type': 3,"
		" '!icmp_code': 4, 'src_tag': 'st', '!src_tag': 'nst', 'dst_tag': 'dt', '!dst_tag': 'ndt',"
		" 'src_selector': 'has(a)', '!dst_selector': 'has(b)', 'src_net': '10.0.0.1/8',"
		" '!dst_net': '11.0.0.0/8', 'src_ports': [1, '2:3'], '!dst_ports': [4]}],"
		" 'outbound_rules': [{}]}");
	const struct rule *rule = &rules->inbound.items[0], *empty = &rules->outbound.items[0];

	assert_string_equal(rules->id, "web");
	assert_int_equal(rule->action, RULE_DENY);
	assert_int_equal(rule->ip_version, 4);
	assert_string_equal(rule->log_prefix, "x");
	assert_int_equal(rule->match.protocol, 6);
	assert_string_equal(rule->match.protocol_text, "tcp");
	assert_int_equal(rule->not_match.protocol, 17);
	assert_int_equal(rule->match.icmp_type, 1);
	assert_int_equal(rule->match.icmp_code, 2);
	assert_int_equal(rule->not_match.icmp_type, 3);
	assert_int_equal(rule->not_match.icmp_code, 4);
	assert_string_equal(rule->match.src.tag, "st");
	assert_string_equal(rule->not_match.src.tag, "nst");
	assert_string_equal(rule->match.dst.tag, "dt");
	assert_string_equal(rule->not_match.dst.tag, "ndt");
	assert_non_null(rule->match.src.selector);
	assert_null(rule->match.dst.selector);
	assert_string_equal(rule->not_match.dst.selector_text, "has(b)");
	assert_true(rule->match.src.has_net);
	assert_int_equal(rule->match.src.net.length, 8);
	assert_int_equal(rule->match.src.net.addr.bytes[3], 1);
	assert_string_equal(rule->not_match.dst.net_text, "11.0.0.0/8");
	assert_int_equal(rule->match.src.ports.count, 2);
	assert_int_equal(rule->match.src.ports.items[0].last, 1);
	assert_int_equal(rule->match.src.ports.items[1].first, 2);
	assert_int_equal(rule->match.src.ports.items[1].last, 3);
	assert_int_equal(rule->not_match.dst.ports.items[0].first, 4);

	assert_int_equal(empty->action, RULE_ALLOW);
	assert_int_equal(empty->ip_version, 0);
	assert_null(empty->log_prefix);
	assert_int_equal(empty->match.protocol, 0);
	assert_int_equal(empty->match.icmp_type, -1);
	assert_int_equal(empty->not_match.icmp_code, -1);
	assert_false(empty->match.src.has_net);
	rules_free(rules);
}

static void other_members_survive(void **state)
{
	struct rules *rules =
		parse("{'zone': [1, {'a': null}], 'outbound_rules': [{}], 'id': 7, 'inbound_rules': []}");
	char *text = rules_format(rules);
	char *expected = row_text(
		"{'inbound_rules':[],'outbound_rules':[{'action':'allow'}],'zone':[1,{'a':null}],'id':7}",
		"");

	assert_string_equal(text, expected);
	free(text);
	free(expected);
	rules_free(rules);
}

/* "inbound_rules" twice: the last one counts, as for every JSON reader that v0.20 had. */
static void last_duplicate_wins(void **state)
{
	struct rules *rules = parse("{'inbound_rules': 5, 'inbound_rules': [{}, {}], 'outbound_rules': []}");

	assert_int_equal(rules->inbound.count, 2);
	rules_free(rules);
}

/* {"inbound_rules": [item, item, ..], "outbound_rules": []}, with that many items. */
static char *long_document(const char *item, size_t count)
{
	size_t length = strlen(item) + 1;
	char *text = malloc(count * length + 100), *end;

	assert_non_null(text);
	end = stpcpy(text, "{\"inbound_rules\": [");
	for (size_t i = 0; i < count; i++) {
		end = stpcpy(end, item);
		*end++ = ',';
	}
	strcpy(count ? end - 1 : end, "], \"outbound_rules\": []}");
	return text;
}

static void many_rules_take_linear_time(void **state)
{
	char *text = long_document(
		"{\"action\":\"deny\",\"protocol\":\"tcp\",\"src_net\":\"10.65.0.0/16\",\"dst_ports\":[80]}",
		40000);
	struct rules *rules;
	clock_t start = clock();
	struct err err;

	assert_int_equal(rules_parse(text, &rules, &err), 0);
	assert_int_equal(rules->inbound.count, 40000);
	/* Moving or copying the list for each rule takes minutes. */
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 10);
	rules_free(rules);
	free(text);
}

static void bounds(void **state)
{
	static const char deepest[] = "{\"inbound_rules\":[],\"outbound_rules\":[],\"x\":";
	char *text = long_document("{}", MODEL_MAX_RULES), nested[256];
	struct rules *rules;
	struct err err;

	assert_int_equal(rules_parse(text, &rules, &err), 0);
	rules_free(rules);
	free(text);
	text = long_document("{}", MODEL_MAX_RULES + 1);
	assert_int_equal(rules_parse(text, &rules, &err), -EBADMSG);
	assert_string_equal(err.text, "inbound_rules has more than 65536 rules");
	free(text);

	text = malloc(MODEL_MAX_BYTES + 2);
	assert_non_null(text);
	memset(text, ' ', MODEL_MAX_BYTES + 1);
	text[MODEL_MAX_BYTES + 1] = '\0';
	assert_int_equal(rules_parse(text, &rules, &err), -EBADMSG);
	assert_string_equal(err.text, "larger than 4194304 bytes");
	free(text);

	for (int depth = MODEL_MAX_DEPTH; depth <= MODEL_MAX_DEPTH + 1; depth++) {
		char *end = stpcpy(nested, deepest);

		memset(end, '[', (size_t)depth - 1);
		memset(end + depth - 1, ']', (size_t)depth - 1);
		strcpy(end + 2 * (depth - 1), "}");
		assert_int_equal(rules_parse(nested, &rules, &err), depth > MODEL_MAX_DEPTH ? -EBADMSG : 0);
		if (depth <= MODEL_MAX_DEPTH)
			rules_free(rules);
	}
	assert_string_equal(err.text, "nested deeper than 32 levels");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_table),
		cmocka_unit_test(document_table),
		cmocka_unit_test(canonical_form),
		cmocka_unit_test(fields_are_read),
		cmocka_unit_test(other_members_survive),
		cmocka_unit_test(last_duplicate_wins),
		cmocka_unit_test(many_rules_take_linear_time),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
