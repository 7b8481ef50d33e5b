/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A ruleset: the rules of one profile or policy, their ids, and what is told about it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/engine.h"

int ruleset_init(struct ruleset *set, const char *kind, const char *tier, const char *name)
{
	int r = tier ? asprintf(&set->title, "%s %s/%s", kind, tier, name)
		     : asprintf(&set->title, "%s %s", kind, name);

	if (r >= 0)
		return 0;
	set->title = NULL;
	return -ENOMEM;
}

void ruleset_done(struct ruleset *set)
{
	for (int direction = 0; direction < 2; direction++) {
		for (int class = 0; class < CLASS_COUNT; class ++)
			vector_done(&set->pages[direction][class]);
		free(set->ids[direction]);
	}
	free(set->title);
}

/* Frees the ids, but for those of positions where both lists have the same rule. */
static int carry_ids(struct policy_engine *engine, struct ruleset *set, enum direction direction,
		     const struct rules_list *rules)
{
	const struct rules_list *old = set->rules[direction];
	__u32 *ids = NULL;

	if (rules) {
		ids = calloc(rules->count + 1, sizeof(*ids));
		if (!ids)
			return -ENOMEM;
	}
	for (size_t i = 0; old && i < old->count; i++) {
		__u32 id = set->ids[direction][i];

		if (rules && i < rules->count && rule_equal(&old->items[i], &rules->items[i]))
			ids[i] = id;
		else if (id)
			rule_id_unref(engine, id);
	}
	free(set->ids[direction]);
	set->ids[direction] = ids;
	set->rules[direction] = rules;
	return 0;
}

int ruleset_set(struct policy_engine *engine, struct ruleset *set, const struct rules_list *inbound,
		const struct rules_list *outbound)
{
	int r = carry_ids(engine, set, INBOUND, inbound);

	if (r == 0)
		r = carry_ids(engine, set, OUTBOUND, outbound);
	set->compiled = false;
	return r < 0 ? r : ruleset_queue(engine, set);
}

void ruleset_report(struct policy_engine *engine, struct ruleset *set, const char *text)
{
	if (text == set->problem)
		return;
	set->problem = text;
	engine->problem(engine->problem_arg, set->title, text);
}
