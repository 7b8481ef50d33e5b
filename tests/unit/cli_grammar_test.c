/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Command lines against patterns: which are of a form, and what is read from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "cli/grammar.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS_MAX    16

static const struct option_spec options[] = {
	{"--at=<POSITION>", ""}, {"--attach", ""}, {"--ipv4", ""},	{"--ipv6", ""},
	{"--host=<HOST>", ""},	 {"--force", ""},  {"-o <FORMAT>", ""}, {0},
};

/* Splits at blanks, parses, and tells whether the line is of the form. Free *ret with args_done(). */
static bool parse(const char *line, const char *pattern, struct args *ret)
{
	static char text[512];
	char *words[WORDS_MAX], *position = NULL;
	struct args split;
	size_t count = 0;
	bool ok;

	strcpy(text, line);
	for (char *word = strtok_r(text, " ", &position); word; word = strtok_r(NULL, " ", &position))
		words[count++] = word;
	*ret = (struct args){0};
	if (!args_split(words, count, options, &split))
		return false;
	ok = args_match(&split, pattern, ret);
	args_done(&split);
	return ok;
}

static void test_forms(void **state)
{
	static const struct {
		const char *pattern, *line;
		bool fits;
	} rows[] = {
		{"show", "show", true},
		{"show", "", false},
		{"show", "shows", false},
		{"show", "sho", false},
		{"show", "show more", false},
		{"", "", true},
		{"", "show", false},
		{"<X> add", "web add", true},
		{"<X> add", "add add", true},
		{"<X> add", "add", false},
		{"tag (add|remove) <TAG>", "tag remove x", true},
		{"tag (add|remove) <TAG>", "tag add|remove x", false},
		{"tag (add|remove) <TAG>", "tag x", false},
		{"mesh [on|off]", "mesh", true},
		{"mesh [on|off]", "mesh off", true},
		{"mesh [on|off]", "mesh o", false},
		{"as [<NUMBER>]", "as", true},
		{"as [<NUMBER>]", "as 1", true},
		{"as [<NUMBER>]", "as 1 2", false},
		{"add <CIDRS>...", "add", false},
		{"add <CIDRS>...", "add a", true},
		{"add <CIDRS>...", "add a b c", true},
		{"set [<PROFILES>...]", "set", true},
		{"set [<PROFILES>...]", "set a b", true},
		{"add <IP> as <AS>", "add 10.0.0.1 as 5", true},
		{"add <IP> as <AS>", "add 10.0.0.1 5", false},
		/* options: anywhere, with '=' or the next word, by prefix */
		{"rule [--at=<POSITION>] (allow|deny)", "rule --at=1 allow", true},
		{"rule [--at=<POSITION>] (allow|deny)", "--at 1 rule allow", true},
		{"rule [--at=<POSITION>] (allow|deny)", "rule allow --at=-1", true},
		{"rule [--at=<POSITION>] (allow|deny)", "rule allow --at -1", true},
		{"rule [--at=<POSITION>] (allow|deny)", "rule allow --at", false},
		{"rule [--at=<POSITION>] (allow|deny)", "rule allow --at=1 --at=2", false},
		{"rule [--at=<POSITION>] (allow|deny)", "rule allow --force", false},
		{"rule [--at=<POSITION>] (allow|deny)", "rule allow --nothing", false},
		{"rule --at=<POSITION>", "rule", false},
		{"rule --at=<POSITION>", "rule --at=3", true},
		{"rule --at=<POSITION>", "rule --at=3 allow", false},
		{"x [--force]", "x --force", true},
		{"x [--force]", "x --f", true},
		{"x [--force]", "x --force=1", false},
		{"x [--force]", "x -f", false},
		{"x [--force]", "x --", false},
		{"x [--force]", "x -", false},
		{"x [--host=<HOST>]", "x --ho h", true},
		{"x [--host=<HOST>]", "x --h h", false}, /* or --help */
		{"x [--attach]", "x --at", false},	 /* an exact name wins: --at wants a value */
		{"x [--attach]", "x --att", true},
		{"x [--ipv4 | --ipv6]", "x", true},
		{"x [--ipv4 | --ipv6]", "x --ipv6", true},
		{"x [--ipv4 | --ipv6]", "x --ipv4 --ipv6", false},
		{"x [--ipv4 | --ipv6]", "x --ipv", false},
		{"x [-o <FORMAT>]", "x -o json", true},
		{"x [-o <FORMAT>]", "x -ojson", true},
		{"x [-o <FORMAT>]", "x -o", false},
		{"add [MATCH]", "add", true},
		{"add [MATCH]", "add tcp from tag a", true},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct args args;
		bool fits = parse(rows[i].line, rows[i].pattern, &args);

		if (fits != rows[i].fits)
			fail_msg("'%s' and '%s': %d", rows[i].pattern, rows[i].line, fits);
		args_done(&args);
	}
}

static void test_values(void **state)
{
	struct args args;

	assert_true(parse("--at 7 web rule add inbound deny icmp type 8",
			  "<PROFILE> rule add (inbound|outbound) [--at=<POSITION>] (allow|deny) [MATCH]",
			  &args));
	assert_string_equal(args_get(&args, "<PROFILE>"), "web");
	assert_string_equal(args_get(&args, "--at"), "7");
	assert_true(args_has(&args, "inbound"));
	assert_false(args_has(&args, "outbound"));
	assert_string_equal(args_choice(&args, (const char *const[]){"allow", "deny", NULL}), "deny");
	assert_int_equal(args_count(&args, ARGS_REST), 3);
	assert_string_equal(args_nth(&args, ARGS_REST, 2), "8");
	assert_null(args_nth(&args, ARGS_REST, 3));
	args_done(&args);
}

/* What the user names is never taken for a word of the command. */
static void test_names_equal_to_words(void **state)
{
	struct args args;

	assert_true(parse("outbound rule add inbound allow deny",
			  "<PROFILE> rule add (inbound|outbound) (allow|deny) [MATCH]", &args));
	assert_string_equal(args_get(&args, "<PROFILE>"), "outbound");
	assert_false(args_has(&args, "outbound"));
	assert_false(args_has(&args, "deny"));
	args_done(&args);
}

static void test_repeated_values(void **state)
{
	struct args args;

	assert_true(parse("add a --force b c", "add <CIDRS>... [--force]", &args));
	assert_int_equal(args_count(&args, "<CIDRS>"), 3);
	assert_string_equal(args_nth(&args, "<CIDRS>", 1), "b");
	assert_true(args_has(&args, "--force"));
	assert_null(args_get(&args, "--force"));
	args_done(&args);
}

static void test_option_with_the_name_of_another_as_prefix(void **state)
{
	struct args args;

	assert_true(parse("x --attach", "x [--at=<POSITION>] [--attach]", &args));
	assert_true(args_has(&args, "--attach"));
	assert_false(args_has(&args, "--at"));
	args_done(&args);
}

static void test_help_is_always_known(void **state)
{
	char *forms[] = {"--help", "-h", "--hel"};

	for (size_t i = 0; i < COUNT(forms); i++) {
		struct args split;

		assert_true(args_split(&forms[i], 1, options, &split));
		assert_true(args_has(&split, "--help"));
		args_done(&split);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_names_equal_to_words),
		cmocka_unit_test(test_repeated_values),
		cmocka_unit_test(test_option_with_the_name_of_another_as_prefix),
		cmocka_unit_test(test_help_is_always_known),
	};

	return cmocka_run_group_tests_name("cli grammar", tests, NULL, NULL);
}
