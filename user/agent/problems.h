/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is wrong at the moment, by object: the list that `calicoctl status` shows. Logged when it changes. */
#ifndef AGENT_PROBLEMS_H
#define AGENT_PROBLEMS_H

#include <jansson.h>

struct problem;

/* text NULL: solved. Sets, replaces or removes; the same text again changes nothing. */
void problem_set(struct problem **problems, const char *object, const char *text);
/* NULL: there is none. */
const char *problem_text(const struct problem *problems, const char *object);
void problems_free(struct problem **problems);
/* Appends {"object": .., "text": ..} for each. */
void problems_json(const struct problem *problems, json_t *list);

#endif
