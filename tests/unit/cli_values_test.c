/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Values of the command line, the split of address ranges, and the lines of BIRD's answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "routing/bird.h"
#include "cli/cmd_pool_range.h"
#include "cli/validate.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_as_numbers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint32_t number;
	} rows[] = {
		{"0", true, 0},
		{"64511", true, 64511},
		{"4294967295", true, 4294967295},
		{"0.0", true, 0},
		{"4294.566", true, 281412150},
		{"65535.65535", true, 4294967295},
		{"4294967296", false, 0},
		{"99999999999999999999999", false, 0},
		{"65536.0", false, 0},
		{"65535.65536", false, 0},
		{"65535.", false, 0},
		{".1", false, 0},
		{"1.2.3", false, 0},
		{"nine", false, 0},
		{"abcde", false, 0},
		{"-1", false, 0},
		{"+1", false, 0},
		{" 1", false, 0},
		{"1 ", false, 0},
		{"", false, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t number = 0;

		if (as_number_parse(rows[i].text, &number) != rows[i].ok || number != rows[i].number)
			fail_msg("'%s': %u", rows[i].text, number);
	}
}

static void test_integers(void **state)
{
	static const char *const bad[] = {"", "x", "1x", "1.0", "--1"};
	long value;

	assert_true(integer_parse("-5", &value));
	assert_int_equal(value, -5);
	assert_true(integer_parse("99999999999999999999", &value));
	assert_true(value > 1000000);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(integer_parse(bad[i], &value));
}

static void test_ranges(void **state)
{
	static const struct {
		const char *first, *last, *cidrs;
	} rows[] = {
		{"172.24.0.0", "172.24.25.255", "172.24.0.0/20 172.24.16.0/21 172.24.24.0/23 "},
		{"1.2.3.0", "1.2.3.255", "1.2.3.0/24 "},
		{"0.0.0.0", "255.255.255.255", "0.0.0.0/0 "},
		{"255.255.255.254", "255.255.255.255", "255.255.255.254/31 "},
		{"10.0.0.1", "10.0.0.4", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/32 "},
		{"10.0.0.7", "10.0.0.7", "10.0.0.7/32 "},
		{"fd80::", "fd80::ffff", "fd80::/112 "},
		{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0 "},
		{"fd80::ffff:ffff:ffff:ffff",
		 "fd80:0:0:1::", "fd80::ffff:ffff:ffff:ffff/128 fd80:0:0:1::/128 "},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cidr cidrs[RANGE_MAX_CIDRS];
		struct addr first, last;
		char text[CIDR_TEXT], all[512] = "";

		assert_int_equal(addr_parse(rows[i].first, &first), 0);
		assert_int_equal(addr_parse(rows[i].last, &last), 0);

		size_t count = range_split(&first, &last, cidrs);

		for (size_t n = 0; n < count; n++)
			strcat(strcat(all, cidr_format(&cidrs[n], text)), " ");
		assert_string_equal(all, rows[i].cidrs);
	}
}

/* The most CIDRs that a range can need: from the second address to the last but one. */
static void test_longest_split(void **state)
{
	struct cidr cidrs[RANGE_MAX_CIDRS];
	struct addr first, last;

	assert_int_equal(addr_parse("::1", &first), 0);
	assert_int_equal(addr_parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", &last), 0);
	assert_int_equal(range_split(&first, &last, cidrs), RANGE_MAX_CIDRS);
	assert_int_equal(addr_compare(&cidrs[RANGE_MAX_CIDRS - 1].addr, &last), 0);
}

static const char answer[] =
	"2002-Name       Proto      Table      State  Since         Info\n"
	"1002-device1    Device     ---        up     17:53:59.120  \n"
	" kernel1    Kernel     master4    up     17:53:59.120  \n"
	" Mesh_10_0_0_12 BGP        ---        up     17:54:00.456  Established   \n"
	" Node_10_9_9_9 BGP        ---        start  2026-11-20    Active        Socket: Connection refused\n"
	" Global_10_0_0_11 BGP        ---        down   17:54:00.456  Idle\n"
	" Mesh_fd00__12 BGP        ---        up     17:54:00  Established\n"
	" Mesh_nonsense BGP        ---        up     17:54:00  Established\n"
	" Other_10_0_0_13 BGP        ---        up     17:54:00  Established\n"
	"0000 \n"
	"1002-Mesh_10_0_0_99 BGP        ---        up     17:54:00  Established\n";

static int read_answer(const char *text, struct bird_peer **ret, size_t *ret_count)
{
	FILE *memory = fmemopen((void *)text, strlen(text), "r");
	int r;

	assert_non_null(memory);
	r = bird_read_protocols(memory, ret, ret_count);
	fclose(memory);
	return r;
}

static void test_bird_sessions(void **state)
{
	static const struct bird_peer expected[] = {
		{"10.0.0.12", "node-to-node mesh", "up", "17:54:00", "Established", 4},
		{"10.9.9.9", "node specific", "start", "2026-11-20",
		 "Active        Socket: Connection refused", 4},
		{"10.0.0.11", "global", "down", "17:54:00", "Idle", 4},
		{"fd00::12", "node-to-node mesh", "up", "17:54:00", "Established", 6},
	};
	struct bird_peer *peers;
	size_t count;

	assert_int_equal(read_answer(answer, &peers, &count), 0);
	assert_int_equal(count, COUNT(expected));
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(peers[i].address, expected[i].address);
		assert_string_equal(peers[i].type, expected[i].type);
		assert_string_equal(peers[i].state, expected[i].state);
		assert_string_equal(peers[i].since, expected[i].since);
		assert_string_equal(peers[i].info, expected[i].info);
		assert_int_equal(peers[i].family, expected[i].family);
	}
	free(peers);
}

static void test_bird_answers_that_are_none(void **state)
{
	static const char *const bad[] = {
		"garbage\n",	       "1002-Mesh_10_0_0_12 BGP --- up 17:54:00 Idle\n",
		"9001 syntax error\n", " continuation\n",
		"10x2-Mesh\n",	       "12\n",
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct bird_peer *peers;
		size_t count;

		assert_true(read_answer(bad[i], &peers, &count) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_numbers),    cmocka_unit_test(test_integers),
		cmocka_unit_test(test_ranges),	      cmocka_unit_test(test_longest_split),
		cmocka_unit_test(test_bird_sessions), cmocka_unit_test(test_bird_answers_that_are_none),
	};

	return cmocka_run_group_tests_name("cli values", tests, NULL, NULL);
}
