/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tables: layout of the command line specification, section 2.3, and their JSON form. */
#include "cli/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arena.h"
#include "util/addr.h"

void table_init(struct table *table, const struct column *columns, size_t column_count)
{
	*table = (struct table){.columns = columns, .column_count = column_count};
}

void table_done(struct table *table)
{
	free(table->cells);
}

static const char **table_row(const struct table *table, size_t row)
{
	return table->cells + row * table->column_count;
}

void table_add_row(struct table *table, const char *const *cells, size_t count)
{
	assert(count == table->column_count);
	if (table->row_count == table->row_capacity) {
		table->row_capacity = table->row_capacity ? 2 * table->row_capacity : 16;
		table->cells = arena_check(reallocarray(table->cells, table->row_capacity,
							table->column_count * sizeof(*table->cells)));
	}
	memcpy(table_row(table, table->row_count++), cells, count * sizeof(*cells));
}

static const char *cell_text(const char *cell)
{
	return cell ? cell : "None";
}

static int compare_cells(const struct column *column, const char *a, const char *b)
{
	struct addr x, y;

	if (column->kind == COLUMN_ADDRESS && addr_parse(cell_text(a), &x) == 0 &&
	    addr_parse(cell_text(b), &y) == 0)
		return addr_compare(&x, &y);
	return strcmp(cell_text(a), cell_text(b));
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const char *const *x = a, *const *y = b;
	const struct table *table = arg;
	int order = 0;

	for (size_t i = 0; i < table->column_count && order == 0; i++)
		order = compare_cells(&table->columns[i], x[i], y[i]);
	return order;
}

void table_sort(struct table *table)
{
	if (table->row_count > 1)
		qsort_r(table->cells, table->row_count, table->column_count * sizeof(*table->cells),
			compare_rows, table);
}

/* Characters, not bytes, so that UTF-8 text keeps the columns straight. */
static size_t text_width(const char *text, size_t length)
{
	size_t width = 0;

	for (size_t i = 0; i < length; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

/* The n-th line of a cell; empty beyond its end. */
static const char *cell_line(const char *cell, size_t n, size_t *ret_length)
{
	for (; n && *cell; n--) {
		cell = strchrnul(cell, '\n');
		cell += *cell == '\n';
	}
	*ret_length = (size_t)(strchrnul(cell, '\n') - cell);
	return cell;
}

static size_t cell_height(const char *cell)
{
	size_t lines = 1;

	while ((cell = strchr(cell, '\n')) != NULL) {
		lines++;
		cell++;
	}
	return lines;
}

static size_t cell_width(const char *cell)
{
	size_t widest = 0, height = cell_height(cell);

	for (size_t i = 0; i < height; i++) {
		size_t length;
		const char *line = cell_line(cell, i, &length);
		size_t width = text_width(line, length);

		widest = width > widest ? width : widest;
	}
	return widest;
}

static void print_rule(const size_t *widths, size_t count, FILE *file)
{
	for (size_t i = 0; i < count; i++) {
		fputc('+', file);
		for (size_t j = 0; j < widths[i] + 2; j++)
			fputc('-', file);
	}
	fputs("+\n", file);
}

/* Centred text with an odd surplus has the extra blank right if its length is odd, left if it is even. */
static size_t left_padding(const struct table *table, size_t surplus, size_t length)
{
	if (table->left)
		return 0;
	return surplus / 2 + (surplus % 2 && length % 2 == 0);
}

static void print_row(const struct table *table, const char *const *row, const size_t *widths, FILE *file)
{
	size_t height = 1;

	for (size_t i = 0; i < table->column_count; i++) {
		size_t own = cell_height(cell_text(row[i]));

		height = own > height ? own : height;
	}
	for (size_t n = 0; n < height; n++) {
		for (size_t i = 0; i < table->column_count; i++) {
			size_t length;
			const char *line = cell_line(cell_text(row[i]), n, &length);
			size_t width = text_width(line, length);
			size_t surplus = widths[i] - width;
			size_t left = left_padding(table, surplus, width);

			fprintf(file, "| %*s%.*s%*s ", (int)left, "", (int)length, line,
				(int)(surplus - left), "");
		}
		fputs("|\n", file);
	}
}

void table_print(const struct table *table, FILE *file)
{
	size_t count = table->column_count;
	size_t *widths = arena_check(calloc(count, sizeof(*widths)));
	const char **headings = arena_check(calloc(count, sizeof(*headings)));

	for (size_t i = 0; i < count; i++) {
		headings[i] = table->columns[i].heading;
		widths[i] = cell_width(headings[i]);
		for (size_t row = 0; row < table->row_count; row++) {
			size_t width = cell_width(cell_text(table_row(table, row)[i]));

			widths[i] = width > widths[i] ? width : widths[i];
		}
	}
	print_rule(widths, count, file);
	print_row(table, headings, widths, file);
	print_rule(widths, count, file);
	for (size_t row = 0; row < table->row_count; row++)
		print_row(table, table_row(table, row), widths, file);
	print_rule(widths, count, file);
	free(headings);
	free(widths);
}

static json_t *list_to_json(const char *cell, char separator)
{
	json_t *list = json_array();

	while (list && *cell) {
		const char *end = strchrnul(cell, separator);

		if (json_array_append_new(list, json_stringn(cell, (size_t)(end - cell))) < 0) {
			json_decref(list);
			return NULL;
		}
		cell = *end ? end + 1 : end;
	}
	return list;
}

static json_t *cell_to_json(const struct column *column, const char *cell)
{
	if (!cell)
		return json_null();
	switch (column->kind) {
	case COLUMN_TEXT:
	case COLUMN_ADDRESS:
		return json_string(cell);
	case COLUMN_NUMBER:
		return json_integer(strtoll(cell, NULL, 10));
	case COLUMN_LIST:
		return list_to_json(cell, '\n');
	case COLUMN_COMMAS:
		return list_to_json(cell, ',');
	}
	return NULL;
}

json_t *table_to_json(const struct table *table)
{
	json_t *rows = json_array();

	for (size_t row = 0; rows && row < table->row_count; row++) {
		json_t *object = json_object();

		for (size_t i = 0; i < table->column_count; i++) {
			json_t *cell = cell_to_json(&table->columns[i], table_row(table, row)[i]);

			/* Text that is not UTF-8 cannot be told in JSON. */
			json_object_set_new(object, table->columns[i].name, cell ? cell : json_null());
		}
		if (json_array_append_new(rows, object) < 0) {
			json_decref(rows);
			rows = NULL;
		}
	}
	return rows;
}
