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

void log_write(enum log_level level, const char *module, const char *format, ...)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERR] = "ERR",
		[LOG_LEVEL_WARN] = "WARN",
		[LOG_LEVEL_INFO] = "INFO",
		[LOG_LEVEL_DEBUG] = "DEBUG",
	};
	char line[LOG_LINE];
	int saved = errno;
	va_list args;

	if (level > threshold || level <= LOG_LEVEL_NONE || level > LOG_LEVEL_DEBUG)
		return;
	va_start(args, format);
	text_line(line, sizeof(line), format, args);
	va_end(args);
	fprintf(stderr, "%s %s: %s\n", names[level], module, line);
	errno = saved;
}
