/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * policy_commit(): turns what is queued into writes, in passes.
 *
 * A pass writes first what nothing refers to (rows, rules, steps, lists), then closes the endpoints that
 * would meet a mixture of old and new, then writes addresses, then publishes lists, one store per endpoint.
 * After the fence no packet is judged by what was there before: generations make established flows re-check,
 * kept verdicts end, what was replaced is freed, and bits of unused sets are cleared. What did not fit is
 * tried again while passes make room.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/engine.h"

/* Each failure needs one pass to be closed and one to be tried again. Only a broken sink needs more. */
#define PASSES_MAX 8

/* ---- generations ---- */

/* A value that no slot ever had: flows that stored any earlier one are judged again. */
static void generations_write(struct policy_engine *engine)
{
	__u32 *slots = (__u32 *)engine->bumps.data;
	size_t left = 0;

	engine->generation += engine->bumps.size > 0;
	for (size_t i = 0; i < engine->bumps.size / sizeof(*slots); i++) {
		if (sink_write(engine, MAP_GENERATION, &slots[i], &engine->generation) < 0)
			slots[left++] = slots[i];
		else
			engine->bumped[slots[i] / 8] &= (__u8) ~(1 << (slots[i] % 8));
	}
	engine->bumps.size = left * sizeof(*slots);
}

/*
 * Verdicts that were kept follow from lists and rows as they were: none is used from now on. And a packet
 * that looked its addresses up before now looks them up again before it is judged by a list from after now.
 */
static int epoch_advance(struct policy_engine *engine)
{
	const __u32 slot = GENERATION_EPOCH;
	__u32 next = engine->epoch + 1;
	int r = sink_write(engine, MAP_GENERATION, &slot, &next);

	if (r == 0)
		engine->epoch = next;
	return r;
}

/* ---- cohorts ---- */

static int queue_local_cohorts(struct policy_engine *engine)
{
	int r = 0;

	for (struct cohort *cohort = engine->cohorts; r == 0 && cohort; cohort = cohort->hh.next) {
		if (!cohort->locals)
			continue;
		cohort->resolve = true;
		r = cohort_queue(engine, cohort);
	}
	return r;
}

static int resolve_tiers(struct policy_engine *engine)
{
	int r = 0;

	if (!engine->tiers_changed)
		return 0;
	engine->tiers_changed = false;
	r = tiers_sort(engine);
	return r < 0 ? r : queue_local_cohorts(engine);
}

static int resolve_cohorts(struct policy_engine *engine)
{
	int r = resolve_tiers(engine);

	for (size_t i = 0; r == 0 && i < engine->queued_cohorts.count; i++) {
		struct cohort *cohort = engine->queued_cohorts.items[i];

		if (cohort->resolve)
			r = cohort_resolve(engine, cohort);
	}
	return r;
}

/* Queues the cohorts whose rulesets were compiled again, or began or ceased to deny. */
static int spread_rulesets(struct policy_engine *engine)
{
	int r = 0;

	if (!engine->rulesets_changed)
		return 0;
	engine->rulesets_changed = false;
	for (struct cohort *cohort = engine->cohorts; r == 0 && cohort; cohort = cohort->hh.next) {
		const struct use *uses = (const struct use *)cohort->uses.data;

		for (size_t i = 0; i < cohort->uses.size / sizeof(*uses); i++) {
			if (!uses[i].rules || !uses[i].rules->changed)
				continue;
			cohort->relist = true;
			r = cohort_queue(engine, cohort);
			break;
		}
	}
	for (struct profile *profile = engine->profiles; profile; profile = profile->hh.next)
		profile->rules.changed = false;
	for (struct tier *tier = engine->tiers; tier; tier = tier->hh.next) {
		for (struct tier_policy *policy = tier->policies; policy; policy = policy->hh.next)
			policy->rules.changed = false;
	}
	return r;
}

static int build_lists(struct policy_engine *engine, struct cohort *cohort)
{
	struct list *lists[2] = {};
	int r = 0;

	cohort->relist = false;
	cohort->closed = false;
	cohort->failure = NULL;
	for (int direction = 0; r == 0 && direction < 2; direction++)
		r = list_build(engine, cohort, direction, &lists[direction]);
	if (r == -ENOSPC) {
		engine_error(engine, r);
		engine->does_not_fit = true;
		cohort->failure =
			"its policy does not fit into the maps, so it is denied; use fewer profiles";
		cohort->relist = true;
		list_unref(engine, lists[INBOUND]);
		lists[INBOUND] = NULL;
		r = 0;
	}
	for (int direction = 0; direction < 2; direction++) {
		list_unref(engine, cohort->lists[direction]);
		cohort->lists[direction] = lists[direction];
	}
	return r < 0 ? r : cohort_queue_slots(engine, cohort);
}

static int relist_cohorts(struct policy_engine *engine)
{
	size_t left = 0;
	int r = spread_rulesets(engine);

	for (size_t i = 0; r == 0 && i < engine->queued_cohorts.count; i++) {
		struct cohort *cohort = engine->queued_cohorts.items[i];

		if (cohort->relist)
			r = build_lists(engine, cohort);
		if (cohort->relist) {
			engine->queued_cohorts.items[left++] = cohort;
			continue;
		}
		cohort->queued = false;
		if (!cohort->members)
			cohort_remove(engine, cohort);
	}
	engine->queued_cohorts.count = left;
	return r;
}

/*
 * Rulesets that look at an address which is not in the maps as it should be deny, and in this pass all that
 * use them do; the next one builds lists that deny only at the place of the ruleset.
 */
static int close_stale(struct policy_engine *engine)
{
	int r;

	rulesets_check_stale(engine);
	r = spread_rulesets(engine);
	for (size_t i = 0; r == 0 && i < engine->queued_cohorts.count; i++) {
		struct cohort *cohort = engine->queued_cohorts.items[i];

		if (!cohort->relist)
			continue;
		cohort->closed = true;
		engine->cohorts_closed = true;
		r = cohort_queue_slots(engine, cohort);
	}
	return r;
}

/* ---- passes ---- */

static int prepare(struct policy_engine *engine)
{
	int r = cohorts_spread_profiles(engine);

	if (r == 0)
		r = resolve_cohorts(engine);
	if (r == 0)
		r = rulesets_compile(engine);
	if (r == 0)
		r = cohorts_match_new(engine);
	if (r == 0)
		r = sets_settle(engine);
	if (r == 0)
		r = places_plan(engine);
	return r < 0 ? r : relist_cohorts(engine);
}

static int publish(struct policy_engine *engine)
{
	int r = slots_hold(engine);

	if (r == 0)
		r = places_apply(engine);
	if (r == 0)
		r = close_stale(engine);
	/* Else endpoints remain to be published, in the next pass. */
	if (r == 0 && engine->queued_slots.count > 0 && epoch_advance(engine) == 0)
		r = slots_publish(engine);
	for (size_t i = 0; i < engine->fresh_sets.count; i++) {
		struct set *set = engine->fresh_sets.items[i];

		set->fresh = false;
	}
	engine->fresh_sets.count = 0;
	return r;
}

/* Is there anything that another pass may put right? */
static bool is_unfinished(const struct policy_engine *engine, bool drained)
{
	bool failed = engine->does_not_fit || engine->places_failed;

	return engine->queued_slots.count > 0 || engine->bumps.size > 0 || engine->cohorts_closed ||
	       (failed && (drained || engine->limbo.size > 0));
}

static int finish(struct policy_engine *engine, bool *ret_again)
{
	bool waiting = engine->limbo.size > 0 || engine->bumps.size > 0;
	bool drained = engine->limbo.size > 0;
	int r = waiting ? engine->sink.fence(engine->sink.arg) : 0;

	*ret_again = false;
	/* Not before the fence: a packet still judged by the old policy could store the new generation. */
	generations_write(engine);
	if (r < 0)
		engine_error(engine, r);
	if (r < 0 || (drained && epoch_advance(engine) < 0))
		return 0;
	limbo_drain(engine);
	r = sets_bury(engine);
	retire_models(engine);
	*ret_again = is_unfinished(engine, drained);
	return r;
}

static int commit_pass(struct policy_engine *engine, bool *ret_again)
{
	int r;

	engine->pass++;
	/* Whatever failed before is tried again, and fails again if it must. */
	engine->error = 0;
	engine->lacking = 0;
	engine->does_not_fit = false;
	engine->places_failed = false;
	engine->cohorts_closed = false;
	r = prepare(engine);
	if (r == 0)
		r = publish(engine);
	return r < 0 ? r : finish(engine, ret_again);
}

int policy_commit(struct policy_engine *engine)
{
	bool again = true;
	int r = 0;

	for (int i = 0; r == 0 && !engine->broken && again && i < PASSES_MAX; i++)
		r = commit_pass(engine, &again);
	engine_result(engine, r);
	if (!engine->broken)
		return engine->error;
	slots_deny_all(engine);
	return -ENOMEM;
}
