/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* JSON form of the output: one object, printed at the end; messages go to the notes. */
#include "cli/out.h"

#include <stdlib.h>

#include "util/stdio.h"

static void json_prose(struct out *out, const char *text)
{
}

static void json_message(struct out *out, const char *text)
{
	fputs(text, out->notes);
}

static void set(struct out *out, const char *name, json_t *value)
{
	/* The only ways to fail are lack of memory and text that is not UTF-8, shown as null then. */
	if (json_object_set_new(out->root, name, value) < 0)
		json_object_set_new(out->root, name, json_null());
}

static void json_value_member(struct out *out, const char *name, const char *value)
{
	set(out, name, json_string(value));
}

static void json_list(struct out *out, const char *name, const struct strings *list)
{
	json_t *array = arena_check(json_array());

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_string(list->items[i]));
	set(out, name, array);
}

static void json_table(struct out *out, const char *name, const struct table *table)
{
	set(out, name, table_to_json(table));
}

static void json_document(struct out *out, const char *name, json_t *document, const char *text)
{
	set(out, name, json_incref(document));
}

static void json_finish(struct out *out)
{
	if (json_object_size(out->root)) {
		/* Whole before any of it is printed: lack of memory must not leave half a document. */
		char *text = arena_check(json_dumps(out->root, JSON_INDENT(2)));

		fprintf(out->file, "%s\n", text);
		free(text);
	}
	stdio_flush(out->file);
}

const struct out_ops out_json_ops = {
	.prose = json_prose,
	.message = json_message,
	.value = json_value_member,
	.list = json_list,
	.table = json_table,
	.document = json_document,
	.finish = json_finish,
};
