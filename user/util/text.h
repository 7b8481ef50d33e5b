/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text from outside made fit for one line of a log, a terminal or an error. Pure. */
#ifndef UTIL_TEXT_H
#define UTIL_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * vsnprintf() whose result is always one clean line: control characters become '?', and when the text did not
 * fit no part of a UTF-8 sequence is left at its end (JSON encoders refuse such strings).
 */
void text_line(char *line, size_t size, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

#endif
