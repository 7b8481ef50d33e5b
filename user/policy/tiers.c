/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tiers and their policies: order, and which of them decide for a cohort. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

struct tier *tier_find(struct policy_engine *engine, const char *name)
{
	struct tier *tier;

	HASH_FIND_STR(engine->tiers, name, tier);
	return tier;
}

int tier_get(struct policy_engine *engine, const char *name, struct tier **ret)
{
	size_t size = strlen(name) + 1;
	struct tier *tier = tier_find(engine, name);

	*ret = tier;
	if (tier)
		return 0;
	tier = calloc(1, sizeof(*tier) + size);
	if (!tier)
		return -ENOMEM;
	memcpy(tier->name, name, size);
	HASH_ADD_STR(engine->tiers, name, tier);
	if (HASH_FAILED(tier)) {
		free(tier);
		return -ENOMEM;
	}
	*ret = tier;
	return 0;
}

void tier_release(struct policy_engine *engine, struct tier *tier)
{
	if (tier->known || tier->policies)
		return;
	HASH_DEL(engine->tiers, tier);
	free(tier);
}

struct tier_policy *tier_policy_find(const struct tier *tier, const char *name)
{
	struct tier_policy *policy;

	HASH_FIND_STR(tier->policies, name, policy);
	return policy;
}

int tier_policy_get(struct tier *tier, const char *name, struct tier_policy **ret)
{
	size_t size = strlen(name) + 1;
	struct tier_policy *policy = tier_policy_find(tier, name);

	*ret = policy;
	if (policy)
		return 0;
	policy = calloc(1, sizeof(*policy) + size);
	if (!policy)
		return -ENOMEM;
	memcpy(policy->name, name, size);
	policy->tier = tier;
	if (ruleset_init(&policy->rules, "policy", tier->name, name) < 0)
		goto free_policy;
	HASH_ADD_STR(tier->policies, name, policy);
	if (HASH_FAILED(policy))
		goto free_policy;
	*ret = policy;
	return 0;
free_policy:
	tier_policy_free(policy);
	return -ENOMEM;
}

void tier_policy_free(struct tier_policy *policy)
{
	ruleset_done(&policy->rules);
	policy_free(policy->model);
	free(policy);
}

/* By (order, name) of the tier, then of the policy; names byte by byte. */
static int compare(const void *a, const void *b)
{
	const struct tier_policy *x = *(struct tier_policy *const *)a, *y = *(struct tier_policy *const *)b;
	int names = strcmp(x->tier->name, y->tier->name);

	if (x->tier->order != y->tier->order)
		return x->tier->order < y->tier->order ? -1 : 1;
	if (names != 0)
		return names;
	if (x->model->order != y->model->order)
		return x->model->order < y->model->order ? -1 : 1;
	return strcmp(x->name, y->name);
}

int tiers_sort(struct policy_engine *engine)
{
	int r = 0;

	engine->policies.count = 0;
	for (struct tier *tier = engine->tiers; tier; tier = tier->hh.next) {
		for (struct tier_policy *policy = tier->policies; policy; policy = policy->hh.next) {
			if (r == 0 && tier->known)
				r = vector_push(&engine->policies, policy);
		}
	}
	if (engine->policies.count)
		qsort(engine->policies.items, engine->policies.count, sizeof(void *), compare);
	return r;
}

static int add_use(struct buffer *uses, enum use_kind kind, struct ruleset *rules)
{
	struct use use = {};

	use.kind = kind;
	use.rules = rules;
	return buffer_add(uses, &use, sizeof(use));
}

static int collect_uses(const struct policy_engine *engine, const struct cohort *cohort, struct buffer *ret)
{
	const struct tier *tier = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < engine->policies.count; i++) {
		struct tier_policy *policy = engine->policies.items[i];

		if (!cohort_matches(cohort, policy->model->selector))
			continue;
		if (tier && tier != policy->tier)
			r = add_use(ret, USE_TIER_END, NULL);
		tier = policy->tier;
		if (r == 0)
			r = add_use(ret, USE_POLICY, &policy->rules);
	}
	if (r == 0 && tier)
		r = add_use(ret, USE_TIER_END, NULL);
	for (size_t i = 0; r == 0 && i < cohort->profile_count; i++)
		r = add_use(ret, USE_PROFILE, &cohort->profiles[i]->rules);
	return r;
}

static int count_users(struct policy_engine *engine, const struct buffer *uses, int difference)
{
	const struct use *use = (const struct use *)uses->data;
	int r = 0;

	for (size_t i = 0; r == 0 && i < uses->size / sizeof(*use); i++) {
		struct ruleset *rules = use[i].rules;

		if (!rules)
			continue;
		rules->users += (__u32)difference;
		if (rules->users == 0 || !rules->compiled)
			r = ruleset_queue(engine, rules);
	}
	return r;
}

int cohort_resolve(struct policy_engine *engine, struct cohort *cohort)
{
	struct buffer uses = {}, old = cohort->uses;
	int r = 0;

	cohort->resolve = false;
	if (cohort->locals)
		r = collect_uses(engine, cohort, &uses);
	/* The new ones first, so that what is in both keeps a user. */
	if (r == 0)
		r = count_users(engine, &uses, 1);
	if (r < 0) {
		buffer_done(&uses);
		return r;
	}
	if (uses.size != old.size || (uses.size && memcmp(uses.data, old.data, uses.size) != 0))
		cohort->relist = true;
	cohort->uses = uses;
	r = count_users(engine, &old, -1);
	buffer_done(&old);
	return r;
}
