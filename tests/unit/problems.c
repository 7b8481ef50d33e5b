/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The list of reports. */
#include "unit/problems.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void problems_note(void *arg, const char *object, const char *text)
{
	struct problems *problems = arg;
	size_t i = 0;

	while (i < problems->count && strcmp(problems->items[i].object, object) != 0)
		i++;
	if (!text) {
		assert_true(i < problems->count);
		problems->items[i] = problems->items[--problems->count];
		return;
	}
	assert_true(i < sizeof(problems->items) / sizeof(problems->items[0]));
	snprintf(problems->items[i].object, sizeof(problems->items[i].object), "%s", object);
	snprintf(problems->items[i].text, sizeof(problems->items[i].text), "%s", text);
	problems->count += i == problems->count;
}

const char *problems_find(const struct problems *problems, const char *object)
{
	for (size_t i = 0; i < problems->count; i++) {
		if (strcmp(problems->items[i].object, object) == 0)
			return problems->items[i].text;
	}
	return NULL;
}

bool problem_is_of_documents(const char *text)
{
	return strstr(text, "is that of another endpoint") || strstr(text, "does not exist or is not valid");
}
