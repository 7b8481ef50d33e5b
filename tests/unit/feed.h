/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Documents of the reference evaluator for the policy engine, as the agent would hand them over. */
#ifndef TESTS_UNIT_FEED_H
#define TESTS_UNIT_FEED_H

#include "policy/policy.h"
#include "unit/reference.h"

/* The text with " for each ', and ' for each ~. malloc'd. */
char *json_of(const char *text);

/* Both fail the running test when the engine refuses. */
void engine_feed(struct policy_engine *engine, const struct document *document);
void engine_remove(struct policy_engine *engine, enum kind kind, const char *name);

#endif
