/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Output of commands: what the text form and the JSON form have in common. */
#include "cli/out.h"

#include <stdarg.h>
#include <stdlib.h>

#include "cli/para.h"

void out_init(struct out *out, FILE *file, FILE *notes)
{
	*out = (struct out){.ops = &out_text_ops, .file = file, .notes = notes};
}

void out_use_json(struct out *out)
{
	if (out->root)
		return;
	out->ops = &out_json_ops;
	out->root = arena_check(json_object());
}

void out_finish(struct out *out)
{
	out->ops->finish(out);
	json_decref(out->root);
	arena_done(&out->arena);
	*out = (struct out){0};
}

void out_say(struct out *out, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	const char *text = arena_vformat(&out->arena, format, list);
	va_end(list);
	out->ops->message(out, arena_format(&out->arena, "%s\n", text));
}

void out_para(struct out *out, const char *format, ...)
{
	char *wrapped = NULL;
	size_t size = 0;
	va_list list;

	va_start(list, format);
	const char *text = arena_vformat(&out->arena, format, list);
	va_end(list);

	FILE *memory = arena_check(open_memstream(&wrapped, &size));

	para_print(text, memory);
	fclose(memory);
	out->ops->message(out, arena_check(wrapped));
	free(wrapped);
}

void out_prose(struct out *out, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	out->ops->prose(out, arena_vformat(&out->arena, format, list));
	va_end(list);
}

void out_value(struct out *out, const char *name, const char *value)
{
	out->ops->value(out, name, value);
}

void out_list(struct out *out, const char *name, const struct strings *list)
{
	out->ops->list(out, name, list);
}

void out_table(struct out *out, const char *name, const struct table *table)
{
	out->ops->table(out, name, table);
}

void out_document(struct out *out, const char *name, json_t *document, const char *text)
{
	out->ops->document(out, name, document, text);
}
