/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rulesets, all of them: which are compiled, when, and what becomes of those that cannot be. */
#include <errno.h>
#include <string.h>

#include "policy/engine.h"

static const char does_not_fit[] =
	"its rules do not fit into the policy maps, so it denies; use fewer rules or profiles";
static const char missing[] =
	"it does not exist or is not valid, so it denies; create it, or take it off the endpoints that list it";
static const char stale[] =
	"addresses that its rules ask for do not fit into the maps, so it denies; use fewer endpoints or nets";

static void drop_pages(struct policy_engine *engine, struct ruleset *set)
{
	for (int direction = 0; direction < 2; direction++) {
		for (int class = 0; class < CLASS_COUNT; class ++) {
			struct vector *pages = &set->pages[direction][class];

			while (pages->count > 0)
				page_unref(engine, pages->items[--pages->count]);
		}
	}
}

static void drop_ids(struct policy_engine *engine, struct ruleset *set)
{
	for (int direction = 0; direction < 2; direction++) {
		for (size_t i = 0; set->rules[direction] && i < set->rules[direction]->count; i++) {
			if (set->ids[direction][i])
				rule_id_unref(engine, set->ids[direction][i]);
			set->ids[direction][i] = 0;
		}
	}
}

static void report(struct policy_engine *engine, struct ruleset *set)
{
	const char *text = NULL;

	if (set->failure)
		text = set->failure;
	else if (set->stale)
		text = stale;
	else if (set->users && !set->rules[INBOUND])
		text = missing;
	ruleset_report(engine, set, text);
}

/* The pages that are in force stay, for lists refer to them. */
static int compile(struct policy_engine *engine, struct ruleset *set)
{
	struct vector old[2][CLASS_COUNT];
	int r = 0;

	memcpy(old, set->pages, sizeof(old));
	memset(set->pages, 0, sizeof(set->pages));
	for (int direction = 0; r == 0 && direction < 2; direction++) {
		if (set->rules[direction])
			r = compile_direction(engine, set, direction);
	}
	for (int direction = 0; direction < 2; direction++) {
		for (int class = 0; class < CLASS_COUNT; class ++) {
			struct vector *pages = &old[direction][class];

			while (pages->count > 0)
				page_unref(engine, pages->items[--pages->count]);
			vector_done(pages);
		}
	}
	if (r < 0)
		drop_pages(engine, set);
	return r;
}

static int update(struct policy_engine *engine, struct ruleset *set)
{
	int r = 0;

	if (set->users == 0) {
		drop_pages(engine, set);
		drop_ids(engine, set);
		set->compiled = false;
		set->stale = false;
		set->failure = NULL;
		report(engine, set);
		return 0;
	}
	if (set->compiled)
		return 0;
	r = compile(engine, set);
	if (r < 0 && r != -ENOSPC)
		return r;
	if (r == -ENOSPC)
		engine_error(engine, r);
	set->failure = r == -ENOSPC ? does_not_fit : NULL;
	set->compiled = r == 0;
	set->changed = true;
	engine->rulesets_changed = true;
	report(engine, set);
	return 0;
}

int rulesets_compile(struct policy_engine *engine)
{
	size_t failed = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < engine->queued_rulesets.count; i++) {
		struct ruleset *set = engine->queued_rulesets.items[i];

		r = update(engine, set);
		/* It stays queued: each pass may have made room. */
		if (set->failure)
			engine->queued_rulesets.items[failed++] = set;
		else
			set->queued = false;
	}
	engine->queued_rulesets.count = failed;
	engine->does_not_fit |= failed > 0;
	return r;
}

static bool page_is_stale(const struct policy_engine *engine, const struct page *page)
{
	for (__u32 i = 0; i < page->count; i++) {
		const struct policy_rule *rule = &page->rules[i];

		if (rule->src_set && engine->set_by_number[rule->src_set]->stale == engine->pass)
			return true;
		if (rule->dst_set && engine->set_by_number[rule->dst_set]->stale == engine->pass)
			return true;
	}
	return false;
}

static void check_stale(struct policy_engine *engine, struct ruleset *set)
{
	bool is_stale = false;

	for (int direction = 0; direction < 2; direction++) {
		for (int class = 0; class < CLASS_COUNT; class ++) {
			const struct vector *pages = &set->pages[direction][class];

			for (size_t i = 0; !is_stale && i < pages->count; i++)
				is_stale = page_is_stale(engine, pages->items[i]);
		}
	}
	engine->rulesets_stale |= is_stale;
	if (is_stale == set->stale)
		return;
	set->stale = is_stale;
	set->changed = true;
	engine->rulesets_changed = true;
	report(engine, set);
}

void rulesets_check_stale(struct policy_engine *engine)
{
	if (!engine->places_failed && !engine->rulesets_stale)
		return;
	engine->rulesets_stale = false;
	for (struct profile *profile = engine->profiles; profile; profile = profile->hh.next)
		check_stale(engine, &profile->rules);
	for (struct tier *tier = engine->tiers; tier; tier = tier->hh.next) {
		for (struct tier_policy *policy = tier->policies; policy; policy = policy->hh.next)
			check_stale(engine, &policy->rules);
	}
}
