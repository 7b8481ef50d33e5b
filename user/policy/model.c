/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy_set_*() calls: what the engine is told about the model. They queue work and write nothing. Once
 * memory ran out, nothing is touched any more: what is half made may refer to what is gone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

/* A datastore key and a sandbox. */
#define SANDBOX_KEY_MAX (1024 + ENDPOINT_SANDBOX)

int policy_set_rules(struct policy_engine *engine, const char *name, struct rules *rules)
{
	struct profile *profile;
	struct rules *old;
	int r;

	if (!rules && !profile_find(engine, name))
		return 0;
	r = engine->broken ? -ENOMEM : profile_get(engine, name, &profile);
	if (r < 0) {
		rules_free(rules);
		return engine_result(engine, r);
	}
	old = profile->model;
	r = ruleset_set(engine, &profile->rules, rules ? &rules->inbound : NULL,
			rules ? &rules->outbound : NULL);
	profile->model = rules;
	engine->sweep = true;
	rules_free(old);
	return engine_result(engine, r);
}

int policy_set_tags(struct policy_engine *engine, const char *name, const struct strings *tags)
{
	struct profile *profile;
	int r;

	if (!tags && !profile_find(engine, name))
		return 0;
	r = engine->broken ? -ENOMEM : profile_get(engine, name, &profile);
	if (r == 0)
		r = profile_set_tags(engine, profile, tags);
	engine->sweep = true;
	return engine_result(engine, r);
}

int policy_set_labels(struct policy_engine *engine, const char *name, const struct labels *labels)
{
	struct profile *profile;
	int r;

	if (!labels && !profile_find(engine, name))
		return 0;
	r = engine->broken ? -ENOMEM : profile_get(engine, name, &profile);
	if (r == 0)
		r = profile_set_labels(engine, profile, labels);
	engine->sweep = true;
	return engine_result(engine, r);
}

int policy_set_tier(struct policy_engine *engine, const char *name, const double *order)
{
	struct tier *tier;
	int r;

	if (!order && !tier_find(engine, name))
		return 0;
	r = engine->broken ? -ENOMEM : tier_get(engine, name, &tier);
	if (r < 0)
		return engine_result(engine, r);
	if (tier->known != !!order || (order && tier->order != *order))
		engine->tiers_changed = true;
	tier->known = order;
	tier->order = order ? *order : 0;
	tier_release(engine, tier);
	return 0;
}

static int remove_policy(struct policy_engine *engine, struct tier_policy *policy)
{
	struct tier *tier = policy->tier;
	int r = ruleset_set(engine, &policy->rules, NULL, NULL);

	/* Now, for another policy of this name may come. */
	ruleset_report(engine, &policy->rules, NULL);
	HASH_DEL(tier->policies, policy);
	policy->tier = NULL;
	engine->tiers_changed = true;
	engine->sweep = true;
	tier_release(engine, tier);
	return r < 0 ? r : vector_push(&engine->removed, policy);
}

/* 1: the same endpoints in the same order. */
static int is_placed_alike(const struct policy *a, const struct policy *b)
{
	char *x, *y;
	int r;

	if (!a || a->order != b->order)
		return 0;
	x = selector_format(a->selector);
	y = selector_format(b->selector);
	r = x && y ? strcmp(x, y) == 0 : -ENOMEM;
	free(x);
	free(y);
	return r;
}

static int replace_policy(struct policy_engine *engine, struct tier_policy *policy, struct policy *model)
{
	struct policy *old = policy->model;
	int alike = is_placed_alike(old, model);
	int r = ruleset_set(engine, &policy->rules, &model->inbound, &model->outbound);

	policy->model = model;
	if (alike != 1)
		engine->tiers_changed = true;
	policy_free(old);
	return alike < 0 ? alike : r;
}

int policy_set_policy(struct policy_engine *engine, const char *tier_name, const char *name,
		      struct policy *model)
{
	struct tier *tier = tier_find(engine, tier_name);
	struct tier_policy *policy;
	int r = engine->broken ? -ENOMEM : 0;

	if (r == 0 && !model) {
		policy = tier ? tier_policy_find(tier, name) : NULL;
		return policy ? engine_result(engine, remove_policy(engine, policy)) : 0;
	}
	if (r == 0)
		r = tier_get(engine, tier_name, &tier);
	if (r == 0)
		r = tier_policy_get(tier, name, &policy);
	if (r != 0) {
		policy_free(model);
		return engine_result(engine, r);
	}
	return engine_result(engine, replace_policy(engine, policy, model));
}

static struct pool_entry *pool_add(struct policy_engine *engine, const struct cidr *masked)
{
	struct pool_entry *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->cidr = *masked;
	HASH_ADD(hh, engine->pools, cidr, sizeof(pool->cidr), pool);
	if (!HASH_FAILED(pool))
		return pool;
	free(pool);
	return NULL;
}

static int change_pool(struct policy_engine *engine, const struct cidr *masked, struct pool_entry *pool,
		       const struct pool *model)
{
	struct place *place;
	int r = place_get_prefix(engine, masked, &place);

	if (r < 0)
		return r;
	if (!pool) {
		pool = pool_add(engine, masked);
		if (!pool)
			return -ENOMEM;
		place->nets++;
	}
	if (model) {
		pool->masquerade = model->masquerade;
	} else {
		HASH_DEL(engine->pools, pool);
		free(pool);
		place->nets--;
	}
	return places_queue_within(engine, masked);
}

int policy_set_pool(struct policy_engine *engine, const struct cidr *cidr, const struct pool *model)
{
	struct cidr masked = *cidr;
	struct pool_entry *pool;

	if (engine->broken)
		return -ENOMEM;
	cidr_mask(&masked);
	HASH_FIND(hh, engine->pools, &masked, sizeof(masked), pool);
	if ((!pool && !model) || (pool && model && pool->masquerade == model->masquerade))
		return 0;
	return engine_result(engine, change_pool(engine, &masked, pool, model));
}

static struct block_entry *block_add(struct policy_engine *engine, const struct cidr *masked)
{
	struct block_entry *block = calloc(1, sizeof(*block));

	if (!block)
		return NULL;
	block->cidr = *masked;
	HASH_ADD(hh, engine->blocks, cidr, sizeof(block->cidr), block);
	if (!HASH_FAILED(block))
		return block;
	free(block);
	return NULL;
}

/* block: to be removed; NULL: to be added. */
static int change_block(struct policy_engine *engine, const struct cidr *masked, struct block_entry *block)
{
	struct place *place;
	int r = place_get_prefix(engine, masked, &place);

	if (r < 0)
		return r;
	if (block) {
		HASH_DEL(engine->blocks, block);
		free(block);
		place->nets--;
	} else {
		if (!block_add(engine, masked))
			return -ENOMEM;
		place->nets++;
	}
	return places_queue_within(engine, masked);
}

int policy_set_block(struct policy_engine *engine, const struct cidr *cidr, bool present)
{
	struct cidr masked = *cidr;
	struct block_entry *block;

	if (engine->broken)
		return -ENOMEM;
	cidr_mask(&masked);
	HASH_FIND(hh, engine->blocks, &masked, sizeof(masked), block);
	if (present == !!block)
		return 0;
	return engine_result(engine, change_block(engine, &masked, block));
}

int policy_set_host_address(struct policy_engine *engine, const struct addr *addr, bool present)
{
	struct place *place;
	int r = engine->broken ? -ENOMEM : place_get(engine, addr, &place);

	if (r < 0)
		return engine_result(engine, r);
	place->host = present;
	return engine_result(engine, place_queue(engine, place));
}

int policy_set_node_address(struct policy_engine *engine, const struct addr *addr, bool present)
{
	struct place *place;
	int r = engine->broken ? -ENOMEM : place_get(engine, addr, &place);

	if (r < 0)
		return engine_result(engine, r);
	place->node = present;
	return engine_result(engine, place_queue(engine, place));
}

/* Endpoints that share a container have it under one key: the directory that they are in, and its name. */
static const char *sandbox_key(const char *key, const struct workload_endpoint *endpoint, char *text,
			       size_t size)
{
	const char *slash = strrchr(key, '/');

	if (!*endpoint->sandbox)
		return NULL;
	snprintf(text, size, "%.*s/%s", slash ? (int)(slash - key) : 0, key, endpoint->sandbox);
	return text;
}

int policy_set_endpoint(struct policy_engine *engine, const char *key,
			const struct workload_endpoint *endpoint, __u32 slot)
{
	struct member_state state = {};
	char sandbox[SANDBOX_KEY_MAX];
	int r;

	if (engine->broken)
		return -ENOMEM;
	if (!endpoint)
		return engine_result(engine, member_remove(engine, key));
	if (slot >= engine->slot_count)
		return -EINVAL;
	r = cohort_get(engine, &endpoint->profiles, &endpoint->labels, &state.cohort);
	if (r < 0)
		return engine_result(engine, r);
	state.addrs = endpoint->nets;
	state.addr_count = endpoint->net_count;
	state.name = endpoint->name;
	state.sandbox = sandbox_key(key, endpoint, sandbox, sizeof(sandbox));
	state.slot = slot;
	state.active = endpoint->active;
	return engine_result(engine, member_set(engine, key, &state));
}

int policy_set_host_endpoint(struct policy_engine *engine, const char *key,
			     const struct host_endpoint *endpoint, __u32 slot)
{
	struct member_state state = {.host = true, .active = true, .slot = slot};
	int r;

	if (engine->broken)
		return -ENOMEM;
	if (!endpoint)
		return engine_result(engine, member_remove(engine, key));
	if (slot >= engine->slot_count)
		return -EINVAL;
	r = cohort_get(engine, &endpoint->profiles, &endpoint->labels, &state.cohort);
	if (r < 0)
		return engine_result(engine, r);
	state.addrs = endpoint->expected;
	state.addr_count = endpoint->expected_count;
	state.name = endpoint->name;
	return engine_result(engine, member_set(engine, key, &state));
}

int policy_recheck(struct policy_engine *engine, __u32 slot)
{
	if (engine->broken)
		return -ENOMEM;
	if (slot >= engine->slot_count)
		return -EINVAL;
	return generation_bump(engine, GENERATION_FIRST + slot);
}

__u32 policy_generation_slot(struct policy_engine *engine, __u32 slot)
{
	return GENERATION_FIRST + slot;
}
