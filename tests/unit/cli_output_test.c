/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What commands print: tables byte for byte, paragraphs, the JSON form, lengths of time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/duration.h"
#include "cli/out.h"
#include "cli/para.h"
#include "cli/table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a table prints; the caller frees. */
static char *printed(const struct table *table)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	assert_non_null(memory);
	table_print(table, memory);
	fclose(memory);
	return text;
}

static void assert_prints(struct table *table, const char *expected)
{
	char *text = printed(table);

	assert_string_equal(text, expected);
	free(text);
	table_done(table);
}

static const struct column pool_columns[] = {
	{"IPv4 CIDR", "cidr", COLUMN_TEXT},
	{"Options", "options", COLUMN_COMMAS},
};

static void test_pools(void **state)
{
	struct table table;

	table_init(&table, pool_columns, 2);
	table_add(&table, "172.25.0.0/16", "ipip,nat-outgoing");
	table_add(&table, "10.0.1.0/24", "");
	table_sort(&table);
	assert_prints(&table, "+---------------+-------------------+\n"
			      "|   IPv4 CIDR   |      Options      |\n"
			      "+---------------+-------------------+\n"
			      "|  10.0.1.0/24  |                   |\n"
			      "| 172.25.0.0/16 | ipip,nat-outgoing |\n"
			      "+---------------+-------------------+\n");
}

static void test_empty_table_has_four_lines(void **state)
{
	static const struct column columns[] = {{"IPv6 CIDR", "cidr", COLUMN_TEXT},
						{"Options", "options", COLUMN_COMMAS}};
	struct table table;

	table_init(&table, columns, 2);
	table_sort(&table);
	assert_prints(&table, "+-----------+---------+\n"
			      "| IPv6 CIDR | Options |\n"
			      "+-----------+---------+\n"
			      "+-----------+---------+\n");
}

static void test_endpoints(void **state)
{
	static const struct column columns[] = {
		{"Hostname", "host", COLUMN_TEXT},
		{"Orchestrator ID", "orchestrator", COLUMN_TEXT},
		{"Number of Workloads", "workloads", COLUMN_NUMBER},
		{"Number of Endpoints", "endpoints", COLUMN_NUMBER},
	};
	struct table table;

	table_init(&table, columns, 4);
	table_add(&table, "node-a", "libnetwork", "1", "4");
	table_add(&table, "node-bb", "docker", "2", "3");
	assert_prints(&table, "+----------+-----------------+---------------------+---------------------+\n"
			      "| Hostname | Orchestrator ID | Number of Workloads | Number of Endpoints |\n"
			      "+----------+-----------------+---------------------+---------------------+\n"
			      "|  node-a  |    libnetwork   |          1          |          4          |\n"
			      "| node-bb  |      docker     |          2          |          3          |\n"
			      "+----------+-----------------+---------------------+---------------------+\n");
}

static void test_left_aligned(void **state)
{
	static const struct column columns[] = {{"Global IPv4 BGP Peer", "ip", COLUMN_ADDRESS},
						{"AS Num", "as_num", COLUMN_TEXT}};
	struct table table;

	table_init(&table, columns, 2);
	table.left = true;
	table_add(&table, "10.9.9.9", "64567");
	assert_prints(&table, "+----------------------+--------+\n"
			      "| Global IPv4 BGP Peer | AS Num |\n"
			      "+----------------------+--------+\n"
			      "| 10.9.9.9             | 64567  |\n"
			      "+----------------------+--------+\n");
}

static void test_cells_of_several_lines(void **state)
{
	static const struct column columns[] = {
		{"Hostname", "host", COLUMN_TEXT},   {"Bird IPv4", "ipv4", COLUMN_TEXT},
		{"Bird IPv6", "ipv6", COLUMN_TEXT},  {"AS Num", "as_num", COLUMN_TEXT},
		{"BGP Peers v4", "v4", COLUMN_LIST}, {"BGP Peers v6", "v6", COLUMN_LIST},
	};
	struct table table;

	table_init(&table, columns, 6);
	table_add(&table, "node-a", "10.0.0.11", "", "64511 (inherited)", "", "");
	table_add(&table, "node-b", "10.0.0.12", "", "63333", "10.9.9.9 as 63333\n10.9.9.10 as 63333", "");
	assert_prints(
		&table,
		"+----------+-----------+-----------+-------------------+--------------------+--------------+\n"
		"| Hostname | Bird IPv4 | Bird IPv6 |       AS Num      |    BGP Peers v4    | BGP Peers v6 |\n"
		"+----------+-----------+-----------+-------------------+--------------------+--------------+\n"
		"|  node-a  | 10.0.0.11 |           | 64511 (inherited) |                    |              |\n"
		"|  node-b  | 10.0.0.12 |           |       63333       | 10.9.9.9 as 63333  |              |\n"
		"|          |           |           |                   | 10.9.9.10 as 63333 |              |\n"
		"+----------+-----------+-----------+-------------------+--------------------+--------------+\n");
}

static void test_status(void **state)
{
	static const struct column columns[] = {
		{"Peer address", "address", COLUMN_TEXT},
		{"Peer type", "type", COLUMN_TEXT},
		{"State", "state", COLUMN_TEXT},
		{"Since", "since", COLUMN_TEXT},
		{"Info", "info", COLUMN_TEXT},
	};
	struct table table;

	table_init(&table, columns, 5);
	table_add(&table, "10.0.0.12", "node-to-node mesh", "up", "17:54:00", "Established");
	assert_prints(&table, "+--------------+-------------------+-------+----------+-------------+\n"
			      "| Peer address |     Peer type     | State |  Since   |     Info    |\n"
			      "+--------------+-------------------+-------+----------+-------------+\n"
			      "|  10.0.0.12   | node-to-node mesh |   up  | 17:54:00 | Established |\n"
			      "+--------------+-------------------+-------+----------+-------------+\n");
}

static void test_missing_value(void **state)
{
	struct table table;

	table_init(&table, pool_columns, 2);
	table_add(&table, NULL, "x");
	assert_prints(&table, "+-----------+---------+\n"
			      "| IPv4 CIDR | Options |\n"
			      "+-----------+---------+\n"
			      "|    None   |    x    |\n"
			      "+-----------+---------+\n");
}

/* Addresses by value, texts by byte, and the next column where the first ones are equal. */
static void test_order(void **state)
{
	static const struct column addresses[] = {{"A", "a", COLUMN_ADDRESS}, {"B", "b", COLUMN_TEXT}};
	struct table table;

	table_init(&table, addresses, 2);
	table_add(&table, "10.9.9.10", "z");
	table_add(&table, "10.9.9.9", "y");
	table_add(&table, "10.9.9.9", "x");
	for (int i = 0; i < 40; i++)
		table_add(&table, "200.0.0.1", "many");
	table_sort(&table);
	assert_string_equal(table.cells[0], "10.9.9.9");
	assert_string_equal(table.cells[1], "x");
	assert_string_equal(table.cells[3], "y");
	assert_string_equal(table.cells[4], "10.9.9.10");
	assert_int_equal(table.row_count, 43);
	table_done(&table);
}

static void test_paragraphs(void **state)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
		{"short", "short\n\n"},
		{"", "\n"},
		{"Profile names must be < 40 character long and can only contain numbers, letters, dots, dashes "
		 "and underscores.",
		 "Profile names must be < 40 character long and can only contain numbers, letters,\n"
		 "dots, dashes and underscores.\n\n"},
		{"  one\n two\tthree\n", "one  two three\n\n"},
		{"Current host has active endpoints so can't be stopped.  Force with --force",
		 "Current host has active endpoints so can't be stopped.  Force with --force\n\n"},
		/* 80 characters fit, the word that makes it 81 does not */
		{"aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaaa b",
		 "aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaaa\nb\n\n"},
		{"aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaaaa b",
		 "aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa\naaaaaaaaaaa b\n\n"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = NULL;
		size_t size;
		FILE *memory = open_memstream(&text, &size);

		assert_non_null(memory);
		para_print(rows[i].text, memory);
		fclose(memory);
		assert_string_equal(text, rows[i].printed);
		free(text);
	}
}

static void test_word_wider_than_a_line_is_cut(void **state)
{
	char word[101] = "", *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	assert_non_null(memory);
	memset(word, 'w', 100);
	para_print(word, memory);
	fclose(memory);
	assert_int_equal(strcspn(text, "\n"), PARA_COLUMNS);
	assert_int_equal(strlen(text), 100 + 3);
	free(text);
}

struct streams {
	char *data, *notes;
	size_t data_size, notes_size;
	FILE *data_file, *notes_file;
};

static void open_out(struct out *out, struct streams *streams)
{
	streams->data_file = open_memstream(&streams->data, &streams->data_size);
	streams->notes_file = open_memstream(&streams->notes, &streams->notes_size);
	assert_non_null(streams->data_file);
	assert_non_null(streams->notes_file);
	out_init(out, streams->data_file, streams->notes_file);
}

static void show_everything(struct out *out)
{
	char *items[] = {"b", "a"};
	const struct strings list = {items, 2};
	json_t *document = json_pack("{s:i}", "x", 1);
	struct table table;

	table_init(&table, pool_columns, 2);
	table_add(&table, "10.0.0.0/8", "ipip,nat-outgoing");
	table_add(&table, "11.0.0.0/8", NULL);
	out_prose(out, "title\n");
	out_say(out, "message %d", 1);
	out_value(out, "mesh", "on");
	out_list(out, "tags", &list);
	out_table(out, "pools", &table);
	out_document(out, "document", document, "in words\n");
	table_done(&table);
	json_decref(document);
}

static void close_streams(struct streams *streams)
{
	fclose(streams->data_file);
	fclose(streams->notes_file);
}

static void test_text_form(void **state)
{
	struct streams streams;
	struct out out;

	open_out(&out, &streams);
	show_everything(&out);
	out_finish(&out);
	close_streams(&streams);
	assert_string_equal(streams.notes, "");
	assert_string_equal(streams.data, "title\nmessage 1\non\nb\na\n"
					  "+------------+-------------------+\n"
					  "| IPv4 CIDR  |      Options      |\n"
					  "+------------+-------------------+\n"
					  "| 10.0.0.0/8 | ipip,nat-outgoing |\n"
					  "| 11.0.0.0/8 |        None       |\n"
					  "+------------+-------------------+\n"
					  "in words\n");
	free(streams.data);
	free(streams.notes);
}

static void test_json_form(void **state)
{
	struct streams streams;
	struct out out;

	open_out(&out, &streams);
	out_use_json(&out);
	show_everything(&out);
	out_finish(&out);
	close_streams(&streams);
	assert_string_equal(streams.notes, "message 1\n");

	json_t *shown = json_loads(streams.data, 0, NULL);
	json_t *expected = json_pack("{s:s, s:[ss], s:[{s:s,s:[ss]},{s:s,s:n}], s:{s:i}}", "mesh", "on",
				     "tags", "b", "a", "pools", "cidr", "10.0.0.0/8", "options", "ipip",
				     "nat-outgoing", "cidr", "11.0.0.0/8", "options", "document", "x", 1);

	assert_non_null(shown);
	assert_non_null(expected);
	assert_true(json_equal(shown, expected));
	json_decref(shown);
	json_decref(expected);
	free(streams.data);
	free(streams.notes);
}

/* A failed command has nothing to show: no empty object that a script would take for an answer. */
static void test_json_form_without_data(void **state)
{
	struct streams streams;
	struct out out;

	open_out(&out, &streams);
	out_use_json(&out);
	out_para(&out, "Profile %s not found.", "x");
	out_finish(&out);
	close_streams(&streams);
	assert_string_equal(streams.data, "");
	assert_string_equal(streams.notes, "Profile x not found.\n\n");
	free(streams.data);
	free(streams.notes);
}

static void test_json_of_text_that_is_not_utf8(void **state)
{
	struct table table;

	table_init(&table, pool_columns, 2);
	table_add(&table, "\xff\xfe", "fine");

	json_t *rows = table_to_json(&table);

	assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "cidr")));
	assert_true(json_is_array(json_object_get(json_array_get(rows, 0), "options")));
	json_decref(rows);
	table_done(&table);
}

static void test_durations(void **state)
{
	static const struct {
		long seconds;
		const char *text;
	} rows[] = {
		{0, "Less than a second"}, {1, "1 second"},	   {2, "2 seconds"},
		{59, "59 seconds"},	   {60, "About a minute"}, {119, "About a minute"},
		{120, "2 minutes"},	   {3599, "59 minutes"},   {3600, "About an hour"},
		{7200, "2 hours"},	   {172799, "47 hours"},   {172800, "2 days"},
		{1209600, "2 weeks"},	   {5184000, "2 months"},  {63072000, "2 years"},
	};
	char text[DURATION_TEXT];

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(duration_format(rows[i].seconds, text), rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_empty_table_has_four_lines),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_left_aligned),
		cmocka_unit_test(test_cells_of_several_lines),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_missing_value),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_paragraphs),
		cmocka_unit_test(test_word_wider_than_a_line_is_cut),
		cmocka_unit_test(test_text_form),
		cmocka_unit_test(test_json_form),
		cmocka_unit_test(test_json_form_without_data),
		cmocka_unit_test(test_json_of_text_that_is_not_utf8),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests_name("cli output", tests, NULL, NULL);
}
