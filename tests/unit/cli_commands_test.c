/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tables of all commands: well formed, complete, and told by the manual page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/command.h"

#define MANUAL_PAGE "docs/calicoctl.8"

/* The manual page without its markup: fonts and escaped hyphens. The caller frees. */
static char *read_manual(void)
{
	FILE *file = fopen(MANUAL_PAGE, "r");
	char *text = calloc(1, 1 << 20), *end = text;
	int c;

	if (!file)
		fail_msg("%s cannot be read; run from the top of the tree", MANUAL_PAGE);
	assert_non_null(text);
	while ((c = fgetc(file)) != EOF && end < text + (1 << 20) - 1) {
		if (c != '\\') {
			*end++ = (char)c;
			continue;
		}
		c = fgetc(file);
		if (c == 'f')
			fgetc(file);
		else if (c != '&')
			*end++ = (char)c;
	}
	fclose(file);
	return text;
}

static void test_manual_page_shows_every_form(void **state)
{
	char *manual = read_manual();

	for (const struct command *const *c = commands; *c; c++) {
		for (const struct form *form = (*c)->forms; form->run; form++) {
			char line[512];

			snprintf(line, sizeof(line), "calicoctl %s%s%s\n", (*c)->name,
				 *form->pattern ? " " : "", form->pattern);
			if (!strstr(manual, line))
				fail_msg("%s lacks: %s", MANUAL_PAGE, line);
		}
	}
	free(manual);
}

static void test_manual_page_shows_every_option(void **state)
{
	char *manual = read_manual();

	for (const struct command *const *c = commands; *c; c++)
		for (const struct option_spec *option = (*c)->options; option->form; option++)
			if (!strstr(manual, option->form))
				fail_msg("%s lacks option %s of %s", MANUAL_PAGE, option->form, (*c)->name);
	free(manual);
}

static bool option_known(const struct command *command, const char *name, size_t length)
{
	for (const struct option_spec *option = command->options; option->form; option++)
		if (!strncmp(option->form, name, length) &&
		    (!option->form[length] || strchr("= ", option->form[length])))
			return true;
	return false;
}

/* A pattern names only options of its command, and each option is in some pattern. */
static void test_options_and_patterns_agree(void **state)
{
	for (const struct command *const *c = commands; *c; c++) {
		char all[2048] = "";

		for (const struct form *form = (*c)->forms; form->run; form++) {
			strcat(strcat(all, form->pattern), " ");
			for (const char *at = form->pattern; (at = strpbrk(at, "[ |")) != NULL;) {
				size_t length = strcspn(++at, "= ]|");

				if (*at == '-' && !option_known(*c, at, length))
					fail_msg("%s: %.*s is not in the options", (*c)->name, (int)length,
						 at);
			}
		}
		for (const struct option_spec *option = (*c)->options; option->form; option++)
			if (!strstr(all, option->form))
				fail_msg("%s: option %s is in no pattern", (*c)->name, option->form);
	}
}

static void test_help_texts(void **state)
{
	for (const struct command *const *c = commands; *c; c++) {
		char *text = NULL;
		size_t size;
		FILE *memory = open_memstream(&text, &size);

		assert_non_null(memory);
		help_command(*c, memory);
		fclose(memory);
		assert_non_null(strstr(text, "Usage:\n  calicoctl "));
		for (const struct option_spec *option = (*c)->options; option->form; option++) {
			assert_non_null(strstr(text, option->form));
			assert_non_null(strstr(text, option->help));
		}
		free(text);
	}
}

static void test_top_help_names_every_command(void **state)
{
	static const char *const required[] = {"status", "node", "profile", "endpoint", "pool",
					       "bgp",	 "ipam", "version", "config"};
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	assert_non_null(memory);
	help_top(commands, memory);
	fclose(memory);
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		char line[64];

		snprintf(line, sizeof(line), "\n    %s ", required[i]);
		if (!strstr(text, line))
			fail_msg("the top-level help lacks %s", required[i]);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual_page_shows_every_form),
		cmocka_unit_test(test_manual_page_shows_every_option),
		cmocka_unit_test(test_options_and_patterns_agree),
		cmocka_unit_test(test_help_texts),
		cmocka_unit_test(test_top_help_names_every_command),
	};

	return cmocka_run_group_tests_name("cli commands", tests, NULL, NULL);
}
