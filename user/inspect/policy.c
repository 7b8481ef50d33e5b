/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One direction's policy put together from the maps. There it is four sequences of rules, one for each class
 * of protocols, each with what its packets can meet; people want one. All four are parts of the same order,
 * so a rule comes next when it is next in every sequence that has it. Of several such rules no packet can
 * tell the order: those of one object stay together, by position.
 */
#include "inspect/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

/* Readings of a policy that changes meanwhile. */
#define ATTEMPTS 10

#define ALL_CLASSES ((1 << CLASS_COUNT) - 1)

struct token {
	enum step_kind kind;
	__u32 number; /* STEP_RULES: rule id; else how many others of these came before it */
};

struct sequence {
	struct token *tokens;
	size_t count, room, at;
	__u32 ends;	       /* steps other than rules so far */
	struct rule_info info; /* of the token at `at`, if that is a rule */
};

struct reading {
	const struct inspect *inspect;
	struct sequence classes[CLASS_COUNT];
	__u8 *where; /* by rule id: bit for each class whose sequence has it and has not come to it yet */
	__u32 ids;
	struct traffic *per_cpu;
	struct inspect_policy *ret;
	size_t room;
};

static int lookup(const struct inspect *inspect, enum inspect_map map, __u32 index, void *value)
{
	return bpf_map_lookup_elem(inspect->map[map], &index, value) ? -errno : 0;
}

/* ---- from the maps into sequences ---- */

static int append(struct sequence *sequence, enum step_kind kind, __u32 number)
{
	if (sequence->count == sequence->room) {
		size_t room = sequence->room * 2 + 64;
		struct token *tokens = realloc(sequence->tokens, room * sizeof(*tokens));

		if (!tokens)
			return -ENOMEM;
		sequence->tokens = tokens;
		sequence->room = room;
	}
	sequence->tokens[sequence->count++] = (struct token){kind, number};
	return 0;
}

/* A rule may be several entries, and a profile may come twice: the first one counts. */
static int read_rules(struct reading *reading, int class, const struct policy_step *step)
{
	struct policy_rule rule;
	int rc = 0;

	for (__u32 i = 0; !rc && i < step->rules; i++) {
		rc = lookup(reading->inspect, INSPECT_RULE, step->rule + i, &rule);
		if (rc || rule.rule_id >= reading->ids || reading->where[rule.rule_id] & 1 << class)
			continue;
		reading->where[rule.rule_id] |= 1 << class;
		rc = append(&reading->classes[class], STEP_RULES, rule.rule_id);
	}
	return rc;
}

static int read_class(struct reading *reading, int class, const struct policy_list *list)
{
	struct sequence *sequence = &reading->classes[class];
	struct policy_step step;
	int rc = 0;

	for (__u32 i = 0; !rc && i < list->classes[class].steps; i++) {
		rc = lookup(reading->inspect, INSPECT_STEP, list->classes[class].first + i, &step);
		if (!rc && step.kind == STEP_RULES)
			rc = read_rules(reading, class, &step);
		else if (!rc)
			rc = append(sequence, step.kind, sequence->ends++);
	}
	return rc;
}

/* ---- from sequences into one ---- */

static const struct token *head(const struct reading *reading, int class)
{
	const struct sequence *sequence = &reading->classes[class];

	return sequence->at < sequence->count ? &sequence->tokens[sequence->at] : NULL;
}

/* Classes in which the token is next. */
static unsigned int classes_at(const struct reading *reading, const struct token *token)
{
	unsigned int found = 0;

	for (int class = 0; class < CLASS_COUNT; class ++) {
		const struct token *other = head(reading, class);

		if (other && other->kind == token->kind && other->number == token->number)
			found |= 1 << class;
	}
	return found;
}

/* Classes in which it is still to come: what ends a section ends it in all of them. */
static unsigned int classes_of(const struct reading *reading, const struct token *token)
{
	unsigned int found = 0;

	if (token->kind == STEP_RULES)
		return reading->where[token->number];
	for (int class = 0; class < CLASS_COUNT; class ++) {
		if (head(reading, class))
			found |= 1 << class;
	}
	return found;
}

static const struct rule_info *last_taken(const struct reading *reading)
{
	static const struct rule_info none;
	const struct inspect_policy *policy = reading->ret;

	return policy->count ? &policy->entries[policy->count - 1].info : &none;
}

/* Whether the rule at the head of class a is better shown before that of class b. */
static bool goes_before(const struct reading *reading, int a, int b)
{
	const struct rule_info *x = &reading->classes[a].info, *y = &reading->classes[b].info;

	if (!strcmp(x->object, y->object))
		return x->position < y->position;
	return !strcmp(x->object, last_taken(reading)->object);
}

/* The class whose head comes next; -1: all are at their end. */
static int next(const struct reading *reading)
{
	int best = -1, any = -1;

	for (int class = 0; class < CLASS_COUNT; class ++) {
		const struct token *token = head(reading, class);

		if (!token)
			continue;
		any = class;
		if (classes_at(reading, token) == classes_of(reading, token) &&
		    (best < 0 || goes_before(reading, class, best)))
			best = class;
	}
	/* There is always one, but in maps of a policy that was replaced while we read. */
	return best < 0 ? any : best;
}

/* Moves on to a token, with what we know about its rule: nothing, if that is gone meanwhile. */
static void load_head(struct reading *reading, int class)
{
	struct sequence *sequence = &reading->classes[class];
	const struct token *token = head(reading, class);

	if (token && token->kind == STEP_RULES &&
	    lookup(reading->inspect, INSPECT_RULE_INFO, token->number, &sequence->info))
		sequence->info = (struct rule_info){0};
}

static void sum_hits(const struct reading *reading, __u32 rule_id, struct traffic *ret)
{
	if (lookup(reading->inspect, INSPECT_RULE_HITS, rule_id, reading->per_cpu))
		return;
	for (int cpu = 0; cpu < reading->inspect->cpus; cpu++) {
		ret->packets += reading->per_cpu[cpu].packets;
		ret->bytes += reading->per_cpu[cpu].bytes;
	}
}

static int take(struct reading *reading, int class)
{
	const struct token *token = head(reading, class);
	struct inspect_policy *policy = reading->ret;
	struct inspect_entry *entry;

	if (policy->count == reading->room) {
		size_t room = reading->room * 2 + 64;
		struct inspect_entry *entries = realloc(policy->entries, room * sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		policy->entries = entries;
		reading->room = room;
	}
	entry = &policy->entries[policy->count++];
	*entry = (struct inspect_entry){.kind = token->kind};
	if (token->kind != STEP_RULES)
		return 0;
	entry->rule_id = token->number;
	entry->info = reading->classes[class].info;
	sum_hits(reading, token->number, &entry->hits);
	return 0;
}

static int merge(struct reading *reading)
{
	int chosen, rc = 0;

	for (int class = 0; class < CLASS_COUNT; class ++)
		load_head(reading, class);
	while (!rc && (chosen = next(reading)) >= 0) {
		const struct token *token = head(reading, chosen);
		unsigned int at = classes_at(reading, token);

		rc = take(reading, chosen);
		if (token->kind == STEP_RULES)
			reading->where[token->number] &= ALL_CLASSES & ~at;
		for (int class = 0; class < CLASS_COUNT; class ++) {
			if (!(at & 1 << class))
				continue;
			reading->classes[class].at++;
			load_head(reading, class);
		}
	}
	return rc;
}

/* ---- one consistent reading ---- */

static int read_list(const struct inspect *inspect, const struct policy_list *list,
		     struct inspect_policy *ret)
{
	struct reading reading = {
		.inspect = inspect,
		.ids = inspect->entries[INSPECT_RULE_HITS],
		.where = calloc(inspect->entries[INSPECT_RULE_HITS], 1),
		.per_cpu = calloc((size_t)inspect->cpus, sizeof(*reading.per_cpu)),
		.ret = ret,
	};
	int rc = reading.where && reading.per_cpu ? 0 : -ENOMEM;

	for (int class = 0; !rc && class < CLASS_COUNT; class ++)
		rc = read_class(&reading, class, list);
	if (!rc)
		rc = merge(&reading);
	for (int class = 0; class < CLASS_COUNT; class ++)
		free(reading.classes[class].tokens);
	free(reading.per_cpu);
	free(reading.where);
	return rc;
}

/* The list in force. Serials differ between all lists that ever had the same number. */
static int find_list(const struct inspect *inspect, __u32 slot, bool inbound, struct policy_list *ret)
{
	struct endpoint_policy published;
	int rc = lookup(inspect, INSPECT_ENDPOINT_POLICY, slot, &published);

	return rc ? rc : lookup(inspect, INSPECT_LIST, inbound ? published.inbound : published.outbound, ret);
}

int inspect_policy(const struct inspect *inspect, __u32 slot, bool inbound, struct inspect_policy *ret)
{
	int rc = -EAGAIN;

	for (int attempt = 0; attempt < ATTEMPTS && rc != -ENOMEM; attempt++) {
		struct policy_list before = {0}, after = {0};

		*ret = (struct inspect_policy){0};
		rc = find_list(inspect, slot, inbound, &before);
		if (!rc)
			rc = read_list(inspect, &before, ret);
		if (!rc)
			rc = find_list(inspect, slot, inbound, &after);
		/* What is in force is not changed, only replaced: then the reading was of one policy. */
		if (!rc && before.serial == after.serial)
			return 0;
		free(ret->entries);
		if (!rc)
			rc = -EAGAIN;
	}
	return rc;
}
