/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text from outside made fit for one line of a log, a terminal or an error. Pure. */
#ifndef UTIL_TEXT_H
#define UTIL_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * vsnprintf() whose result is always one clean line: every byte that is a control character or no part of
 * valid UTF-8 (cut off by truncation, for one) becomes '?'. Terminals obey the former, JSON encoders refuse
 * the latter.
 */
void text_line(char *line, size_t size, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* The same for text that is there already. Returns it. */
char *text_clean(char *text);

/*
 * A decimal number up to `max` (at most 10^8) without sign, blanks or leading zeros, at *text, which is moved
 * behind it. The number, or -EINVAL.
 */
int text_decimal(const char **text, unsigned int max);

#endif
