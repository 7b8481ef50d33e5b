/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lists: what one direction of an endpoint is decided by, as steps over pages of rules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

/* Steps of one class under construction. */
struct draft {
	struct buffer steps;
	struct vector pages;
};

static void draft_done(struct draft *draft)
{
	buffer_done(&draft->steps);
	vector_done(&draft->pages);
}

static __u32 draft_count(const struct draft *draft)
{
	return (__u32)(draft->steps.size / sizeof(struct policy_step));
}

static int add_step(struct draft *draft, enum step_kind kind)
{
	struct policy_step step = {.kind = kind};

	return buffer_add(&draft->steps, &step, sizeof(step));
}

static int add_rules(struct draft *draft, const struct ruleset *rules, enum direction direction,
		     enum rule_class class)
{
	const struct vector *pages = &rules->pages[direction][class];
	int r = 0;

	if (ruleset_denies(rules))
		return add_step(draft, STEP_DENIED);
	if (!rules->rules[direction])
		return add_step(draft, STEP_NO_PROFILE);
	for (size_t i = 0; r == 0 && i < pages->count; i++) {
		struct page *page = pages->items[i];
		struct policy_step step = {
			.kind = STEP_RULES,
			.rule = page->first,
			.rules = (__u16)page->count,
		};

		r = buffer_add(&draft->steps, &step, sizeof(step));
		if (r == 0)
			r = vector_push(&draft->pages, page);
	}
	return r;
}

/* ACTION_NEXT in the steps from `first` on continues behind the last one. */
static void end_section(struct draft *draft, __u32 first)
{
	struct policy_step *steps = (struct policy_step *)draft->steps.data;

	for (__u32 i = first; i < draft_count(draft); i++) {
		if (steps[i].kind == STEP_RULES)
			steps[i].next = draft_count(draft);
	}
}

static int draft_class(struct draft *draft, const struct cohort *cohort, enum direction direction,
		       enum rule_class class)
{
	const struct use *uses = (const struct use *)cohort->uses.data;
	__u32 section = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < cohort->uses.size / sizeof(*uses); i++) {
		if (uses[i].kind == USE_TIER_END)
			r = add_step(draft, STEP_END_TIER);
		else
			r = add_rules(draft, uses[i].rules, direction, class);
		if (uses[i].kind == USE_POLICY)
			continue;
		end_section(draft, section);
		section = draft_count(draft);
	}
	return r;
}

/* ---- runs ---- */

static void run_unref(struct policy_engine *engine, struct run *run)
{
	if (!run || --run->refs > 0)
		return;
	HASH_DEL(engine->runs, run);
	space_give(&engine->steps, run->first, run->count);
	for (size_t i = 0; i < run->page_count; i++)
		page_unref(engine, run->pages[i]);
	free(run->pages);
	free(run);
}

static int write_steps(struct policy_engine *engine, const struct run *run)
{
	int r = 0;

	for (__u32 i = 0; r == 0 && i < run->count; i++) {
		__u32 index = run->first + i;

		r = sink_write(engine, MAP_STEP, &index, &run->steps[i]);
	}
	return r;
}

/* Takes the array of pages out of the draft. */
static int run_new(struct policy_engine *engine, struct draft *draft, struct run **ret)
{
	struct run *run = calloc(1, sizeof(*run) + draft->steps.size);
	int r;

	if (!run)
		return -ENOMEM;
	memcpy(run->steps, draft->steps.data, draft->steps.size);
	run->count = draft_count(draft);
	run->refs = 1;
	r = engine_take(engine, MAP_STEP, &engine->steps, run->count, &run->first);
	if (r < 0)
		goto free_run;
	r = write_steps(engine, run);
	if (r < 0)
		goto give_space;
	HASH_ADD_KEYPTR(hh, engine->runs, run->steps, draft->steps.size, run);
	if (HASH_FAILED(run)) {
		r = -ENOMEM;
		goto give_space;
	}
	run->pages = (struct page **)draft->pages.items;
	run->page_count = draft->pages.count;
	draft->pages = (struct vector){};
	for (size_t i = 0; i < run->page_count; i++)
		run->pages[i]->refs++;
	*ret = run;
	return 0;
give_space:
	space_give(&engine->steps, run->first, run->count);
free_run:
	free(run);
	return r;
}

/* Equal steps name equal pages, because a page has its place while anything refers to it. */
static int run_get(struct policy_engine *engine, const struct cohort *cohort, enum direction direction,
		   enum rule_class class, struct run **ret)
{
	struct draft draft = {};
	int r = draft_class(&draft, cohort, direction, class);

	if (r == 0 && draft.steps.size) {
		HASH_FIND(hh, engine->runs, draft.steps.data, draft.steps.size, *ret);
		if (*ret)
			(*ret)->refs++;
		else
			r = run_new(engine, &draft, ret);
	}
	draft_done(&draft);
	return r;
}

/* ---- lists ---- */

void list_ref(struct list *list)
{
	if (list)
		list->refs++;
}

void list_unref(struct policy_engine *engine, struct list *list)
{
	if (!list || --list->refs > 0)
		return;
	HASH_DEL(engine->lists, list);
	space_give(&engine->list_numbers, list->number, 1);
	engine->two_sided -= list->two_sided;
	for (int class = 0; class < CLASS_COUNT; class ++)
		run_unref(engine, list->runs[class]);
	free(list);
}

static int list_write(struct policy_engine *engine, struct list *list)
{
	struct policy_list value = {.serial = ++engine->serial};
	bool sources = false, destinations = false;

	for (int class = 0; class < CLASS_COUNT; class ++) {
		const struct run *run = list->runs[class];

		if (!run)
			continue;
		value.classes[class].first = run->first;
		value.classes[class].steps = run->count;
		for (size_t i = 0; i < run->page_count; i++) {
			value.flags |= run->pages[i]->flags;
			sources |= run->pages[i]->sources;
			destinations |= run->pages[i]->destinations;
		}
	}
	list->two_sided = sources && destinations;
	return sink_write(engine, MAP_LIST, &list->number, &value);
}

/* Takes the references to the runs. */
static int list_new(struct policy_engine *engine, struct run *const runs[CLASS_COUNT], struct list **ret)
{
	struct list *list = calloc(1, sizeof(*list));
	int r;

	if (!list)
		return -ENOMEM;
	list->refs = 1;
	memcpy(list->runs, runs, sizeof(list->runs));
	r = engine_take(engine, MAP_LIST, &engine->list_numbers, 1, &list->number);
	if (r < 0)
		goto free_list;
	r = list_write(engine, list);
	if (r < 0)
		goto give_number;
	HASH_ADD(hh, engine->lists, runs, sizeof(list->runs), list);
	if (HASH_FAILED(list)) {
		r = -ENOMEM;
		goto give_number;
	}
	engine->two_sided += list->two_sided;
	*ret = list;
	return 0;
give_number:
	space_give(&engine->list_numbers, list->number, 1);
free_list:
	free(list);
	return r;
}

int list_build(struct policy_engine *engine, const struct cohort *cohort, enum direction direction,
	       struct list **ret)
{
	struct run *runs[CLASS_COUNT] = {};
	bool empty = true;
	int r = 0;

	*ret = NULL;
	for (int class = 0; r == 0 && class < CLASS_COUNT; class ++) {
		r = run_get(engine, cohort, direction, class, &runs[class]);
		empty &= !runs[class];
	}
	if (r < 0 || empty)
		goto release_runs;
	HASH_FIND(hh, engine->lists, runs, sizeof(runs), *ret);
	if (*ret) {
		(*ret)->refs++;
		goto release_runs;
	}
	r = list_new(engine, runs, ret);
	if (r == 0)
		return 0;
release_runs:
	for (int class = 0; class < CLASS_COUNT; class ++)
		run_unref(engine, runs[class]);
	return r;
}

static void check_page(const struct policy_engine *engine, const struct page *page, struct list *list)
{
	for (__u32 i = 0; i < page->count; i++) {
		const struct policy_rule *rule = &page->rules[i];

		if (rule->src_set && engine->set_by_number[rule->src_set]->changing == engine->pass)
			list->source_changes = true;
		if (rule->dst_set && engine->set_by_number[rule->dst_set]->changing == engine->pass)
			list->destination_changes = true;
	}
}

void list_check_changes(struct policy_engine *engine, struct list *list)
{
	if (list->checked == engine->pass)
		return;
	list->checked = engine->pass;
	list->source_changes = false;
	list->destination_changes = false;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		const struct run *run = list->runs[class];

		for (size_t i = 0; run && i < run->page_count; i++)
			check_page(engine, run->pages[i], list);
	}
}
