/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The compiler: rules of one ruleset and direction into pages, one sequence per class, so that a packet only
 * meets rules that its protocol can match.
 */
#include "policy/compile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

/* Up to so many combinations of port ranges become rules of their own; beyond, bitmaps. */
#define COMBINATIONS_MAX 8

struct compiler {
	struct policy_engine *engine;
	struct ruleset *set;
	enum direction direction;
	struct buffer rules[CLASS_COUNT]; /* of struct policy_rule; hold references */
};

/* One side's ports: ranges to be written out one by one, or a bitmap. */
struct port_condition {
	struct port_range *ranges;
	size_t count;
	bool any;     /* every port */
	__u32 number; /* of the bitmap; 0: none */
};

/* One clean line: names in keys may hold any character. */
__attribute__((format(printf, 3, 4))) static void put_line(char *line, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_line(line, size, format, args);
	va_end(args);
}

static int describe(const struct compiler *compiler, size_t position, bool denies_all, struct rule_info *ret)
{
	static const char cut[] = "...";
	const char *instead = denies_all ? "deny all, in place of: " : "";
	char *text = rule_describe(&compiler->set->rules[compiler->direction]->items[position]);

	if (!text)
		return -ENOMEM;
	*ret = (struct rule_info){.position = (__u32)position + 1};
	put_line(ret->object, sizeof(ret->object), "%s", compiler->set->title);
	put_line(ret->direction, sizeof(ret->direction), "%s",
		 compiler->direction == INBOUND ? "inbound" : "outbound");
	put_line(ret->text, sizeof(ret->text), "%s%s", instead, text);
	if (strlen(instead) + strlen(text) >= sizeof(ret->text))
		memcpy(&ret->text[sizeof(ret->text) - sizeof(cut)], cut, sizeof(cut));
	free(text);
	return 0;
}

/* The id of the rule at a position, with a reference. */
static int rule_id(struct compiler *compiler, size_t position, bool denies_all, __u32 *ret)
{
	__u32 *id = &compiler->set->ids[compiler->direction][position];
	struct rule_info info;

	if (!*id) {
		int r = describe(compiler, position, denies_all, &info);

		if (r == 0)
			r = rule_id_get(compiler->engine, &info, id);
		if (r < 0)
			return r;
	}
	compiler->engine->rule_refs[*id]++;
	*ret = *id;
	return 0;
}

static int resolve_ports(const struct rule_side *side, const struct rule_side * not,
			 struct port_condition *ret)
{
	int r = port_ranges_resolve(&side->ports, &not ->ports, &ret->ranges, &ret->count);

	if (r < 0)
		return r;
	ret->any = ret->count == 1 && ret->ranges[0].first == 0 && ret->ranges[0].last == 65535;
	return 0;
}

/* Turns the longer list into a bitmap until the combinations are few. */
static int limit_combinations(struct policy_engine *engine, struct port_condition *a,
			      struct port_condition *b)
{
	while (a->count * b->count > COMBINATIONS_MAX) {
		struct port_condition *longer = a->count >= b->count ? a : b;
		int r = ports_get(engine, longer->ranges, longer->count, &longer->number);

		if (r < 0)
			return r;
		longer->count = 1;
	}
	return 0;
}

static void put_ports(struct policy_rule *rule, const struct port_condition *src, size_t i,
		      const struct port_condition *dst, size_t j)
{
	rule->src_portset = src->number;
	rule->dst_portset = dst->number;
	if (!src->any && !src->number) {
		rule->flags |= MATCH_SPORT;
		rule->sport_first = src->ranges[i].first;
		rule->sport_last = src->ranges[i].last;
	}
	if (!dst->any && !dst->number) {
		rule->flags |= MATCH_DPORT;
		rule->dport_first = dst->ranges[j].first;
		rule->dport_last = dst->ranges[j].last;
	}
}

/* Protocol fields mean something in CLASS_OTHER only; elsewhere they would make equal rules differ. */
static int emit(struct compiler *compiler, const struct outline *outline, const struct policy_rule *rule)
{
	int r = 0;

	for (int class = 0; r == 0 && class < CLASS_COUNT; class ++) {
		struct policy_rule entry = *rule;

		if (!outline->families[class])
			continue;
		entry.flags |= outline->families[class];
		if (class != CLASS_OTHER) {
			entry.protocol = 0;
			entry.not_protocol = 0;
		}
		r = buffer_add(&compiler->rules[class], &entry, sizeof(entry));
		if (r == 0)
			rule_ref(compiler->engine, &entry);
	}
	return r;
}

static int emit_ports(struct compiler *compiler, const struct rule *rule, struct outline *outline)
{
	struct port_condition src = {}, dst = {};
	int r = resolve_ports(&rule->match.src, &rule->not_match.src, &src);

	if (r == 0)
		r = resolve_ports(&rule->match.dst, &rule->not_match.dst, &dst);
	if (r == 0)
		r = limit_combinations(compiler->engine, &src, &dst);
	for (size_t i = 0; r == 0 && i < src.count; i++) {
		for (size_t j = 0; r == 0 && j < dst.count; j++) {
			struct policy_rule entry = outline->common;

			put_ports(&entry, &src, i, &dst, j);
			r = emit(compiler, outline, &entry);
		}
	}
	/* The references of the numbers go to the outline, which drops them when all is written. */
	outline->common.src_portset = src.number;
	outline->common.dst_portset = dst.number;
	free(src.ranges);
	free(dst.ranges);
	return r;
}

static int add_log(struct policy_engine *engine, const struct rule *rule, struct policy_rule *common)
{
	if (!rule->log_prefix || common->flags & MATCH_ALWAYS)
		return 0;
	if (common->action != ACTION_LOG)
		common->flags |= MATCH_LOG;
	return log_text_get(engine, rule->log_prefix, &common->log_prefix);
}

static int compile_rule(struct compiler *compiler, const struct rule *rule, size_t position)
{
	struct outline outline;
	bool always;
	int r;

	if (!outline_rule(rule, &outline))
		return 0;
	always = outline.common.flags & MATCH_ALWAYS;
	r = outline_addresses(compiler->engine, rule, &outline);
	if (r <= 0)
		return r;
	r = add_log(compiler->engine, rule, &outline.common);
	if (r == 0)
		r = rule_id(compiler, position, always, &outline.common.rule_id);
	if (r == 0)
		r = always ? emit(compiler, &outline, &outline.common) : emit_ports(compiler, rule, &outline);
	rule_release(compiler->engine, &outline.common);
	return r;
}

/* Cuts what was emitted into pages; releases what is left over when it fails. */
static int make_pages(struct compiler *compiler, enum rule_class class)
{
	const struct policy_rule *rules = (const struct policy_rule *)compiler->rules[class].data;
	size_t count = compiler->rules[class].size / sizeof(*rules);
	struct vector *pages = &compiler->set->pages[compiler->direction][class];
	size_t i = 0;
	int r = 0;

	while (r == 0 && i < count) {
		size_t length = count - i < RULES_PER_STEP ? count - i : RULES_PER_STEP;
		struct page *page;

		r = page_get(compiler->engine, rules + i, (__u32)length, &page);
		i += length;
		if (r == 0)
			r = vector_push(pages, page);
	}
	for (; i < count; i++)
		rule_release(compiler->engine, &rules[i]);
	return r;
}

int compile_direction(struct policy_engine *engine, struct ruleset *set, enum direction direction)
{
	const struct rules_list *rules = set->rules[direction];
	struct compiler compiler = {.engine = engine, .set = set, .direction = direction};
	int r = 0;

	for (size_t i = 0; r == 0 && i < rules->count; i++)
		r = compile_rule(&compiler, &rules->items[i], i);
	for (int class = 0; class < CLASS_COUNT; class ++) {
		const struct policy_rule *left = (const struct policy_rule *)compiler.rules[class].data;

		if (r == 0)
			r = make_pages(&compiler, class);
		else
			for (size_t i = 0; i < compiler.rules[class].size / sizeof(*left); i++)
				rule_release(engine, &left[i]);
		buffer_done(&compiler.rules[class]);
	}
	return r;
}
