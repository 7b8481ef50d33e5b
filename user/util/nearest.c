/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How far one name is from others. */
#include "util/nearest.h"

#include <ctype.h>
#include <string.h>

#define NAME_LONGEST 63

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Letters that were left out, added, replaced or exchanged with their neighbour; case does not count. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int rows[3][NAME_LONGEST + 1] = {0};
	unsigned int *before = rows[0], *last = rows[1], *now = rows[2];
	size_t length = strlen(b);

	for (size_t j = 0; j <= length; j++)
		last[j] = (unsigned int)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int *oldest = before;

		now[0] = (unsigned int)i;
		for (size_t j = 1; j <= length; j++) {
			int x = toupper((unsigned char)a[i - 1]), y = toupper((unsigned char)b[j - 1]);

			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == toupper((unsigned char)b[j - 2]) &&
			    y == toupper((unsigned char)a[i - 2]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[length];
}

/* How much of a name may be wrong: short names are near to each other anyway. */
static unsigned int tolerance(size_t length)
{
	return length < 5 ? 0 : length < 10 ? 1 : 2;
}

const char *nearest_name(const char *name, const char *const *names)
{
	const char *nearest = NULL;
	unsigned int best = ~0U;

	if (strlen(name) > NAME_LONGEST)
		return NULL;
	for (; *names; names++) {
		unsigned int d = distance(name, *names);

		if (d <= tolerance(strlen(*names)) && d < best) {
			best = d;
			nearest = *names;
		}
	}
	return nearest;
}
