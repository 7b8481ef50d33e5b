/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pages: consecutive rules in the `rule` map, one copy of equal ones. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

static void describe(struct page *page)
{
	for (__u32 i = 0; i < page->count; i++) {
		const struct policy_rule *rule = &page->rules[i];

		page->sources |= rule->src_set != 0;
		page->destinations |= rule->dst_set != 0;
		/* A cached verdict knows no source port, and would not log. */
		if (rule->flags & (MATCH_SPORT | MATCH_LOG) || rule->src_portset ||
		    rule->action == ACTION_LOG)
			page->flags |= LIST_NO_CACHE;
	}
}

static int write_rules(struct policy_engine *engine, const struct page *page)
{
	int r = 0;

	for (__u32 i = 0; r == 0 && i < page->count; i++) {
		__u32 index = page->first + i;

		r = sink_write(engine, MAP_RULE, &index, &page->rules[i]);
	}
	return r;
}

static int page_new(struct policy_engine *engine, const struct policy_rule *rules, __u32 count,
		    struct page **ret)
{
	size_t size = count * sizeof(*rules);
	struct page *page = calloc(1, sizeof(*page) + size);
	int r;

	if (!page)
		return -ENOMEM;
	memcpy(page->rules, rules, size);
	page->count = count;
	page->refs = 1;
	describe(page);
	r = engine_take(engine, MAP_RULE, &engine->rules, count, &page->first);
	if (r < 0)
		goto free_page;
	r = write_rules(engine, page);
	if (r < 0)
		goto give_space;
	HASH_ADD_KEYPTR(hh, engine->pages, page->rules, size, page);
	if (HASH_FAILED(page)) {
		r = -ENOMEM;
		goto give_space;
	}
	*ret = page;
	return 0;
give_space:
	space_give(&engine->rules, page->first, count);
free_page:
	free(page);
	return r;
}

static void release_rules(struct policy_engine *engine, const struct policy_rule *rules, __u32 count)
{
	for (__u32 i = 0; i < count; i++)
		rule_release(engine, &rules[i]);
}

int page_get(struct policy_engine *engine, const struct policy_rule *rules, __u32 count, struct page **ret)
{
	int r;

	HASH_FIND(hh, engine->pages, rules, count * sizeof(*rules), *ret);
	if (*ret) {
		(*ret)->refs++;
		release_rules(engine, rules, count);
		return 0;
	}
	r = page_new(engine, rules, count, ret);
	if (r < 0)
		release_rules(engine, rules, count);
	return r;
}

void page_unref(struct policy_engine *engine, struct page *page)
{
	if (--page->refs > 0)
		return;
	HASH_DEL(engine->pages, page);
	space_give(&engine->rules, page->first, page->count);
	release_rules(engine, page->rules, page->count);
	free(page);
}
