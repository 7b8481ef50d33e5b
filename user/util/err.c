/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One sentence about a failure. */
#include "util/err.h"

#include <stdarg.h>
#include <string.h>

#include "util/text.h"

void err_write(struct err *err, const char *format, ...)
{
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	text_line(err->text, sizeof(err->text), format, args);
	va_end(args);
}

static void line_format(char *line, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_line(line, size, format, args);
	va_end(args);
}

int err_prefix(struct err *err, int code, const char *format, ...)
{
	struct err prefix, present;
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	text_line(prefix.text, sizeof(prefix.text), format, args);
	va_end(args);
	present = *err;
	line_format(err->text, sizeof(err->text), "%s: %s", prefix.text, present.text);
	return code;
}
