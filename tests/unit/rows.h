/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For tables of documents in C: JSON without escaped quotes, and the check of what a parser says about a row.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

struct row {
	const char *text;
	const char *error; /* part of the sentence that refuses it; NULL: valid */
};

/* The text with " for ' and `sign` for each ~. Caller frees. */
static inline char *row_text(const char *text, const char *sign)
{
	char *ret = calloc(strlen(text) + 1, strlen(sign) + 1), *end = ret;

	assert_non_null(ret);
	for (; *text; text++) {
		if (*text == '~')
			end = stpcpy(end, sign);
		else
			*end++ = *text == '\'' ? '"' : *text;
	}
	return ret;
}

/* r and err: what the parser said about the row. */
static inline void row_check(const struct row *row, const char *text, int r, const struct err *err)
{
	if (!row->error) {
		if (r != 0)
			fail_msg("%s: refused: %s", text, err->text);
		return;
	}
	if (r != -EBADMSG)
		fail_msg("%s: not refused (%d)", text, r);
	if (!strstr(err->text, row->error))
		fail_msg("%s: refused with '%s', not '%s'", text, err->text, row->error);
}

#endif
