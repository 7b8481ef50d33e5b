/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text form of the output: everything in order. */
#include "cli/out.h"

#include "util/stdio.h"

static void text_message(struct out *out, const char *text)
{
	fputs(text, out->file);
	stdio_flush(out->file); /* progress is read while the command goes on */
}

static void text_value(struct out *out, const char *name, const char *value)
{
	fprintf(out->file, "%s\n", value);
}

static void text_list(struct out *out, const char *name, const struct strings *list)
{
	for (size_t i = 0; i < list->count; i++)
		fprintf(out->file, "%s\n", list->items[i]);
}

static void text_table(struct out *out, const char *name, const struct table *table)
{
	table_print(table, out->file);
}

static void text_document(struct out *out, const char *name, json_t *document, const char *text)
{
	fputs(text, out->file);
}

static void text_finish(struct out *out)
{
	stdio_flush(out->file);
}

const struct out_ops out_text_ops = {
	.prose = text_message,
	.message = text_message,
	.value = text_value,
	.list = text_list,
	.table = text_table,
	.document = text_document,
	.finish = text_finish,
};
