/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a policy engine has reported and not solved yet. */
#ifndef TESTS_UNIT_PROBLEMS_H
#define TESTS_UNIT_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

struct problems {
	struct reported {
		char object[128], text[256];
	} items[128];
	size_t count;
};

/* For policy_engine_new(); arg: struct problems. Fails when one is solved that was never reported. */
void problems_note(void *arg, const char *object, const char *text);
/* The text; NULL: no problem is reported for the object. */
const char *problems_find(const struct problems *problems, const char *object);
/* Is it one of the documents, whatever room there is: an address of two endpoints, a missing profile? */
bool problem_is_of_documents(const char *text);

#endif
