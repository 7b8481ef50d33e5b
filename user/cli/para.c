/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Paragraphs: section 2.4 of the command line specification. */
#include "cli/para.h"

#include <string.h>

#define BLANKS " \t\r\n\f\v"

/* How much of the text goes on this line: whole words, or part of one that is wider than the line. */
static size_t line_length(const char *text)
{
	size_t fits = 0;

	while (text[fits]) {
		size_t gap = strspn(text + fits, BLANKS);
		size_t word = strcspn(text + fits + gap, BLANKS);

		if (fits + gap + word > PARA_COLUMNS)
			return fits ? fits : PARA_COLUMNS;
		if (!word)
			break;
		fits += gap + word;
	}
	return fits;
}

void para_print(const char *text, FILE *file)
{
	text += strspn(text, BLANKS);
	while (*text) {
		size_t length = line_length(text);

		/* Blanks within a line stay as they are, only line breaks and tabs become blanks. */
		for (size_t i = 0; i < length; i++)
			fputc(strchr(BLANKS, text[i]) ? ' ' : text[i], file);
		fputc('\n', file);
		text += length;
		text += strspn(text, BLANKS);
	}
	fputc('\n', file);
}
