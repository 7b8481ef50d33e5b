/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text from outside made fit for one line, and numbers in it. */
#include "util/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

/* Bytes of the character at `text`; 0: not valid UTF-8 (RFC 3629), or a control character. */
static size_t character_length(const unsigned char *text)
{
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

	if (length == 1)
		return text[0] >= 0x20 && text[0] != 0x7f;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls, overlong forms, surrogates, beyond U+10FFFF. */
	if ((text[0] == 0xc2 && text[1] < 0xa0) || (text[0] == 0xe0 && text[1] < 0xa0) ||
	    (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

char *text_clean(char *text)
{
	for (char *c = text; *c;) {
		size_t length = character_length((const unsigned char *)c);

		if (length == 0)
			*c = '?';
		c += length ? length : 1;
	}
	return text;
}

void text_line(char *line, size_t size, const char *format, va_list args)
{
	if (vsnprintf(line, size, format, args) < 0)
		line[0] = '\0';
	text_clean(line);
}

int text_decimal(const char **text, unsigned int max)
{
	const char *c = *text;
	unsigned int value = 0;

	if (*c < '0' || *c > '9' || (*c == '0' && c[1] >= '0' && c[1] <= '9'))
		return -EINVAL;
	for (; *c >= '0' && *c <= '9'; c++) {
		value = value * 10 + (unsigned int)(*c - '0');
		if (value > max)
			return -EINVAL;
	}
	*text = c;
	return (int)value;
}
