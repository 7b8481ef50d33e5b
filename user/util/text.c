/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text from outside made fit for one line. */
#include "util/text.h"

#include <stdio.h>

/* Takes the first bytes of a UTF-8 sequence that was cut off by truncation from the end of the text. */
static void drop_partial_utf8(char *line, size_t length)
{
	size_t tail = 0; /* continuation bytes at the end */

	while (tail < 3 && tail < length && ((unsigned char)line[length - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail == length)
		return;

	unsigned char lead = (unsigned char)line[length - 1 - tail];
	size_t expected = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;

	if (tail < expected)
		line[length - 1 - tail] = '\0';
}

void text_line(char *line, size_t size, const char *format, va_list args)
{
	int length = vsnprintf(line, size, format, args);

	if (length < 0) {
		line[0] = '\0';
		return;
	}
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	if ((size_t)length >= size)
		drop_partial_utf8(line, size - 1);
}
