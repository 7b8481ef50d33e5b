/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entries of the block list: what is written, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/blocklist.h"

static struct cidr network(const char *text)
{
	struct cidr cidr;

	assert_int_equal(cidr_parse(text, &cidr), 0);
	return cidr;
}

static void test_what_is_written_is_read(void **state)
{
	static const char *const networks[] = {"198.51.100.0/24", "192.0.2.1/32", "0.0.0.0/0",
					       "2001:db8::/32"};

	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		struct cidr cidr = network(networks[i]);
		char *text = blocklist_format(&cidr);
		struct err err;

		assert_non_null(text);
		assert_int_equal(blocklist_parse(text, &cidr, &err), 0);
		free(text);
	}
}

static void test_values_about_nothing_or_something_else_are_refused(void **state)
{
	static const char *const values[] = {
		"",
		"{",
		"[]",
		"{}",
		"\"198.51.100.0/24\"",
		"{\"cidr\": null}",
		"{\"cidr\": 4}",
		"{\"cidr\": \"\"}",
		"{\"cidr\": \"198.51.100.0/33\"}",
		"{\"cidr\": \"198.51.100.0/25\"}",
		"{\"cidr\": \"198.51.100.1/24\"}",
		"{\"cidr\": \"2001:db8::/24\"}",
	};
	struct cidr cidr = network("198.51.100.0/24");

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct err err = {""};

		assert_true(blocklist_parse(values[i], &cidr, &err) < 0);
		assert_string_not_equal(err.text, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_values_about_nothing_or_something_else_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
