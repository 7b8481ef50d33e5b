/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tables that commands show: rows of texts under described columns, drawn as ASCII boxes or turned to JSON.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum column_kind {
	COLUMN_TEXT,
	COLUMN_ADDRESS, /* sorts by address, not by text */
	COLUMN_NUMBER,	/* decimal; a number in JSON */
	COLUMN_LIST,	/* lines, separated by '\n'; an array in JSON */
	COLUMN_COMMAS,	/* the same, separated by ',' */
};

struct column {
	const char *heading; /* as printed */
	const char *name;    /* of the JSON member */
	enum column_kind kind;
};

struct table {
	const struct column *columns;
	size_t column_count;
	const char **cells; /* row after row; a cell is borrowed, NULL: no value, printed "None" */
	size_t row_count, row_capacity;
	bool left; /* all columns aligned left instead of centred */
};

void table_init(struct table *table, const struct column *columns, size_t column_count);
void table_done(struct table *table);
/* One cell for each column; the texts must outlive the table. */
void table_add_row(struct table *table, const char *const *cells, size_t count);
#define table_add(table, ...)                                                                                \
	table_add_row(table, (const char *const[]){__VA_ARGS__},                                             \
		      sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
/* By the first column, ties by the following ones. */
void table_sort(struct table *table);
void table_print(const struct table *table, FILE *file);
json_t *table_to_json(const struct table *table); /* array of objects; NULL: no memory */

#endif
