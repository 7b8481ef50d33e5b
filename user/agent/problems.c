/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of present problems. */
#include "agent/problems.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "model/model.h"
#include "util/log.h"

/* A flood of bad objects must not become a flood of memory; the log still has each of them. */
#define PROBLEMS_MAX 10000

struct problem {
	char *text;
	UT_hash_handle hh;
	char object[];
};

static void remove_problem(struct problem **problems, struct problem *problem)
{
	HASH_DEL(*problems, problem);
	free(problem->text);
	free(problem);
}

void problem_set(struct problem **problems, const char *object, const char *text)
{
	struct problem *problem;
	size_t length = strlen(object);

	HASH_FIND_STR(*problems, object, problem);
	if (!text) {
		if (!problem)
			return;
		log_limited(LOG_LEVEL_INFO, "agent", object, "%s: solved", object);
		remove_problem(problems, problem);
		return;
	}
	if (problem && !strcmp(problem->text, text))
		return;
	/* An object that changes all the time must not fill the log. */
	log_limited(LOG_LEVEL_WARN, "agent", object, "%s: %s", object, text);
	if (problem)
		remove_problem(problems, problem);
	else if (HASH_COUNT(*problems) >= PROBLEMS_MAX)
		return;

	problem = calloc(1, sizeof(*problem) + length + 1);
	if (!problem)
		return;
	memcpy(problem->object, object, length + 1);
	problem->text = strdup(text);
	if (!problem->text) {
		free(problem);
		return;
	}
	HASH_ADD_STR(*problems, object, problem);
}

const char *problem_text(const struct problem *problems, const char *object)
{
	struct problem *problem;

	HASH_FIND_STR(problems, object, problem);
	return problem ? problem->text : NULL;
}

void problems_free(struct problem **problems)
{
	struct problem *problem, *next;

	HASH_ITER (hh, *problems, problem, next)
		remove_problem(problems, problem);
}

void problems_json(const struct problem *problems, json_t *list)
{
	for (const struct problem *p = problems; p; p = p->hh.next)
		json_array_append_new(list, json_pack("{s:o?, s:o?}", "object", model_json_text(p->object),
						      "text", model_json_text(p->text)));
}
