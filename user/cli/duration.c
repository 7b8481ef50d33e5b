/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lengths of time in words. */
#include "cli/duration.h"

#include <stdio.h>

#define MINUTE 60L
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

const char *duration_format(long seconds, char text[DURATION_TEXT])
{
	static const struct {
		long below; /* applies to lengths below this; 0: to all */
		long unit;  /* 0: the words say it all */
		const char *words;
	} steps[] = {
		{1, 0, "Less than a second"},	   {2, 0, "1 second"},	      {MINUTE, 1, "seconds"},
		{2 * MINUTE, 0, "About a minute"}, {HOUR, MINUTE, "minutes"}, {2 * HOUR, 0, "About an hour"},
		{2 * DAY, HOUR, "hours"},	   {14 * DAY, DAY, "days"},   {60 * DAY, 7 * DAY, "weeks"},
		{730 * DAY, 30 * DAY, "months"},   {0, 365 * DAY, "years"},
	};
	size_t i = 0;

	while (steps[i].below && seconds >= steps[i].below)
		i++;
	if (steps[i].unit)
		snprintf(text, DURATION_TEXT, "%ld %s", seconds / steps[i].unit, steps[i].words);
	else
		snprintf(text, DURATION_TEXT, "%s", steps[i].words);
	return text;
}
