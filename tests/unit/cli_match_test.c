/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules as words of the command line: word order, the check of each value with its text, and the rule made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/match.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS_MAX    24

static const char tags_text[] =
	"Tags names can only contain numbers, letters, dots, dashes and underscores.\n\n";
static const char cidr_text[] = "Invalid CIDR specified.\n";
static const char icmp_text[] = "Invalid ICMP type or ICMP code specified.\n";
static const char ports_text[] = "Invalid SRCPORTS or DSTPORTS specified.\n";
static const char families_text[] = "Invalid or unmatching IP versions for SRCCIDR/DSTCIDR.\n";

static char words[512];

static bool parse(const char *line, struct match *ret)
{
	static struct arg items[WORDS_MAX];
	struct args args = {.items = items};
	char *position = NULL;

	strcpy(words, line);
	for (char *word = strtok_r(words, " ", &position); word; word = strtok_r(NULL, " ", &position))
		items[args.count++] = (struct arg){ARGS_REST, word};
	return match_parse(&args, ret);
}

static void test_word_order(void **state)
{
	static const struct {
		const char *line;
		bool fits;
	} rows[] = {
		{"", true},
		{"tcp", true},
		{"udp from ports 1 tag a cidr 10.0.0.0/8 to ports 2 tag b cidr 11.0.0.0/8", true},
		{"from", true},
		{"to", true},
		{"from to", true},
		{"tcp from to", true},
		{"from tag a to tag b", true},
		{"icmp", true},
		{"icmp type 8", true},
		{"icmp type 8 code 0 from tag a", true},
		{"icmpv6 type 128 to cidr fd80::/64", true},
		{"from tag tag to tag to", true}, /* values may look like keywords */
		/* order */
		{"to tag b from tag a", false},
		{"from tag a ports 1", false},
		{"tcp from tag a ports 1", false},
		{"tcp from cidr 10.0.0.0/8 tag a", false},
		{"icmp code 0 type 8", false},
		{"from tag a tcp", false},
		/* keywords are needed */
		{"from 192.168.0.0/16", false},
		{"tcp 80", false},
		{"tcp from 10.0.0.1", false},
		{"icmp 8", false},
		/* where they do not belong */
		{"from ports 80", false},
		{"icmp from ports 80", false},
		{"icmp code 0", false},
		{"tcp type 8", false},
		{"sctp", false},
		{"TCP", false},
		/* without value */
		{"from tag", false},
		{"tcp from ports", false},
		{"icmp type", false},
		{"icmp type 8 code", false},
		{"to cidr", false},
		/* twice */
		{"from tag a from tag b", false},
		{"from tag a tag b", false},
		{"tcp udp", false},
	};
	struct match match;

	for (size_t i = 0; i < COUNT(rows); i++)
		if (parse(rows[i].line, &match) != rows[i].fits)
			fail_msg("'%s': %d", rows[i].line, !rows[i].fits);
}

static void test_values(void **state)
{
	struct match match;

	assert_true(
		parse("tcp from ports 1 tag a cidr 10.0.0.1/8 to ports 2:3 tag b cidr 11.0.0.0/8", &match));
	assert_string_equal(match.protocol, "tcp");
	assert_string_equal(match.src.ports, "1");
	assert_string_equal(match.src.tag, "a");
	assert_string_equal(match.src.cidr, "10.0.0.1/8");
	assert_string_equal(match.dst.ports, "2:3");
	assert_string_equal(match.dst.tag, "b");
	assert_string_equal(match.dst.cidr, "11.0.0.0/8");
	assert_null(match.type);
}

static void test_checks(void **state)
{
	static const struct {
		const char *line;
		const char *texts[5]; /* printed, in this order; none: accepted */
	} rows[] = {
		{"", {0}},
		{"from tag Tag-1", {0}},
		{"from tag Tag~1", {tags_text}},
		{"to tag a/b", {tags_text}},
		{"from cidr 10.0.0.1/8", {0}},
		{"from cidr 10.0.0.1", {0}},
		{"from cidr aa:bb::1", {0}},
		{"from cidr 127.a.0.1", {cidr_text}},
		{"to cidr aa:bb::zz", {cidr_text}},
		{"to cidr 10.0.0.0/33", {cidr_text}},
		{"icmp type 0", {0}},
		{"icmp type 254 code 254", {0}},
		{"icmp type 255", {icmp_text}},
		{"icmp type -1", {icmp_text}},
		{"icmp type 8 code 255", {icmp_text}},
		{"icmp type x", {icmp_text}},
		{"icmp type 8x", {icmp_text}},
		{"icmp type 99999999999999999999", {icmp_text}},
		{"tcp to ports 0,65535", {0}},
		{"tcp to ports 6,9,10", {0}},
		{"tcp to ports 53:99", {0}},
		{"tcp to ports 6,9,-10", {ports_text}},
		{"tcp to ports 65536", {ports_text}},
		{"tcp to ports 99:53", {ports_text}},
		{"tcp to ports 53:53", {ports_text}},
		{"tcp to ports 53-99", {ports_text}},
		{"tcp from ports http", {ports_text}},
		{"tcp from ports 1,,2", {ports_text}},
		{"tcp from ports 1,", {ports_text}},
		{"from cidr 10.0.0.0/8 to cidr fd80::/64", {families_text}},
		{"from cidr 10.0.0.0/8 to cidr 11.0.0.0/8", {0}},
		{"icmp from cidr 10.0.0.0/8", {0}},
		{"icmp from cidr fd80::/64", {families_text}},
		{"icmpv6 to cidr fd80::/64", {0}},
		{"icmpv6 to cidr 10.0.0.0/8", {families_text}},
		{"tcp to cidr fd80::/64", {0}},
		/* every check tells */
		{"icmp type 255 from tag a~ cidr x to cidr fd80::/64",
		 {tags_text, cidr_text, icmp_text, families_text}},
		{"tcp from ports x tag ~ to cidr y", {tags_text, cidr_text, ports_text}},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char expected[512] = "", *printed = NULL;
		struct match match;
		struct out out;
		size_t size;
		FILE *memory = open_memstream(&printed, &size);

		assert_non_null(memory);
		for (size_t t = 0; t < COUNT(rows[i].texts) && rows[i].texts[t]; t++)
			strcat(expected, rows[i].texts[t]);
		out_init(&out, memory, stderr);
		assert_true(parse(rows[i].line, &match));

		bool ok = match_check(&match, &out);

		out_finish(&out);
		fclose(memory);
		if (ok != !rows[i].texts[0] || strcmp(printed, expected) != 0)
			fail_msg("'%s': %d, printed '%s'", rows[i].line, ok, printed);
		free(printed);
	}
}

/* The rule of the words prints as these words again. */
static void test_rules(void **state)
{
	static const struct {
		const char *action, *line, *text; /* text NULL: action and line */
	} rows[] = {
		{"allow", "", "allow"},
		{"deny", "", "deny"},
		{"allow", "from to", "allow"},
		{"allow", "tcp from tag applications to ports 3306", NULL},
		{"deny", "icmp type 8 code 0 from cidr 10.0.0.0/8", NULL},
		{"allow",
		 "udp from ports 53,1000:2000 tag A cidr 10.0.0.0/8 to ports 53 tag B cidr 11.0.0.0/8", NULL},
		{"allow", "icmpv6 type 128 to cidr fd80::/64", NULL},
		{"allow", "to tag WEB", NULL},
		{"allow", "from cidr 10.0.0.1/8", NULL},
		{"allow", "icmp type 08", "allow icmp type 8"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct match match;
		struct rule rule;
		struct err err;
		char expected[256];

		snprintf(expected, sizeof(expected), "%s %s", rows[i].action, rows[i].line);
		assert_true(parse(rows[i].line, &match));
		if (match_to_rule(&match, rows[i].action, &rule, &err) < 0)
			fail_msg("'%s': %s", rows[i].line, err.text);

		char *text = rule_format_text(&rule);

		assert_string_equal(text, rows[i].text ? rows[i].text : expected);
		free(text);
		rule_done(&rule);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_word_order),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests_name("cli match", tests, NULL, NULL);
}
