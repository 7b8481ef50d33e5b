/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a command tells: data (values, lists, tables) and prose. As text everything is printed in order to
 * `file`; as JSON the data become members of one object on `file`, and messages go to `notes`.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <jansson.h>
#include <stdio.h>

#include "cli/arena.h"
#include "cli/table.h"
#include "model/model.h"

struct out;

struct out_ops {
	void (*prose)(struct out *out, const char *text);   /* headings and blank lines around data */
	void (*message)(struct out *out, const char *text); /* with its newline */
	void (*value)(struct out *out, const char *name, const char *value);
	void (*list)(struct out *out, const char *name, const struct strings *list);
	void (*table)(struct out *out, const char *name, const struct table *table);
	/* `text` is how the text form prints this document. */
	void (*document)(struct out *out, const char *name, json_t *document, const char *text);
	void (*finish)(struct out *out);
};

struct out {
	const struct out_ops *ops;
	FILE *file, *notes;
	json_t *root; /* JSON form only */
	struct arena arena;
};

void out_init(struct out *out, FILE *file, FILE *notes);
void out_use_json(struct out *out); /* before anything is shown */
/* Prints what is pending and frees. */
void out_finish(struct out *out);

/* One line for people. */
void out_say(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same as a paragraph (para.h). */
void out_para(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text that only frames data, printed exactly as given. */
void out_prose(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line with the value. */
void out_value(struct out *out, const char *name, const char *value);
/* One line per item. */
void out_list(struct out *out, const char *name, const struct strings *list);
void out_table(struct out *out, const char *name, const struct table *table);
/* A JSON value (borrowed) with its own text form. */
void out_document(struct out *out, const char *name, json_t *document, const char *text);

extern const struct out_ops out_text_ops, out_json_ops;

#endif
