/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Log lines on stderr. */
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/text.h"

#define LOG_LINE 2048

static enum log_level threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	threshold = level;
}

static void put_line(const char *word, const char *module, const char *format, va_list args)
{
	char line[LOG_LINE];
	int saved = errno;

	text_line(line, sizeof(line), format, args);
	fprintf(stderr, "%s %s: %s\n", word, module, line);
	errno = saved;
}

void log_always(const char *word, const char *module, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(word, module, format, args);
	va_end(args);
}

void log_write(enum log_level level, const char *module, const char *format, ...)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERR] = "ERR",
		[LOG_LEVEL_WARN] = "WARN",
		[LOG_LEVEL_INFO] = "INFO",
		[LOG_LEVEL_DEBUG] = "DEBUG",
	};
	va_list args;

	if (level > threshold || level <= LOG_LEVEL_NONE || level > LOG_LEVEL_DEBUG)
		return;
	va_start(args, format);
	put_line(names[level], module, format, args);
	va_end(args);
}
