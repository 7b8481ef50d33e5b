/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules in memory: life, comparison, lists. */
#include "model/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *rule_action_name(enum action action)
{
	static const char *const names[] = {
		[RULE_ALLOW] = "allow",
		[RULE_DENY] = "deny",
		[RULE_NEXT_TIER] = "next-tier",
		[RULE_LOG] = "log",
	};

	return (size_t)action < sizeof(names) / sizeof(names[0]) ? names[action] : "unknown";
}

void rule_init(struct rule *rule)
{
	*rule = (struct rule){
		.action = RULE_ALLOW,
		.match = {.icmp_type = -1, .icmp_code = -1},
		.not_match = {.icmp_type = -1, .icmp_code = -1},
	};
}

int port_ranges_add(struct port_ranges *ranges, uint16_t first, uint16_t last)
{
	struct port_range *items = model_grow(ranges->items, ranges->count, sizeof(*items));

	if (!items)
		return -ENOMEM;
	ranges->items = items;
	items[ranges->count++] = (struct port_range){.first = first, .last = last};
	return 0;
}

void port_ranges_done(struct port_ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct port_ranges){0};
}

static void side_done(struct rule_side *side)
{
	free(side->tag);
	free(side->selector_text);
	selector_free(side->selector);
	free(side->net_text);
	port_ranges_done(&side->ports);
}

static void match_done(struct rule_match *match)
{
	free(match->protocol_text);
	side_done(&match->src);
	side_done(&match->dst);
}

void rule_done(struct rule *rule)
{
	free(rule->log_prefix);
	match_done(&rule->match);
	match_done(&rule->not_match);
	rule_init(rule);
}

static int text_copy(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

/* Each copy function leaves what rule_done() can free, also when it fails. */
static int side_copy(const struct rule_side *side, struct rule_side *ret)
{
	*ret = (struct rule_side){.has_net = side->has_net, .net = side->net};
	if (text_copy(side->tag, &ret->tag) < 0 || text_copy(side->selector_text, &ret->selector_text) < 0 ||
	    text_copy(side->net_text, &ret->net_text) < 0)
		return -ENOMEM;
	if (side->selector_text && selector_parse(side->selector_text, &ret->selector, NULL) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < side->ports.count; i++)
		if (port_ranges_add(&ret->ports, side->ports.items[i].first, side->ports.items[i].last) < 0)
			return -ENOMEM;
	return 0;
}

static int match_copy(const struct rule_match *match, struct rule_match *ret)
{
	*ret = (struct rule_match){
		.protocol = match->protocol,
		.icmp_type = match->icmp_type,
		.icmp_code = match->icmp_code,
	};
	if (text_copy(match->protocol_text, &ret->protocol_text) < 0 || side_copy(&match->src, &ret->src) < 0)
		return -ENOMEM;
	return side_copy(&match->dst, &ret->dst);
}

int rule_copy(const struct rule *rule, struct rule *ret)
{
	rule_init(ret);
	ret->action = rule->action;
	ret->ip_version = rule->ip_version;
	if (text_copy(rule->log_prefix, &ret->log_prefix) < 0 || match_copy(&rule->match, &ret->match) < 0 ||
	    match_copy(&rule->not_match, &ret->not_match) < 0) {
		rule_done(ret);
		return -ENOMEM;
	}
	return 0;
}

static bool text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool net_equal(const struct rule_side *a, const struct rule_side *b)
{
	struct cidr network_a = a->net, network_b = b->net;

	if (!a->has_net || !b->has_net)
		return a->has_net == b->has_net;
	cidr_mask(&network_a);
	cidr_mask(&network_b);
	return cidr_compare(&network_a, &network_b) == 0;
}

static bool ports_equal(const struct port_ranges *a, const struct port_ranges *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].first != b->items[i].first || a->items[i].last != b->items[i].last)
			return false;
	return true;
}

static bool side_equal(const struct rule_side *a, const struct rule_side *b)
{
	if (!a->selector != !b->selector || (a->selector && !selector_equal(a->selector, b->selector)))
		return false;
	return text_equal(a->tag, b->tag) && net_equal(a, b) && ports_equal(&a->ports, &b->ports);
}

static bool match_equal(const struct rule_match *a, const struct rule_match *b)
{
	return a->protocol == b->protocol && a->icmp_type == b->icmp_type && a->icmp_code == b->icmp_code &&
	       side_equal(&a->src, &b->src) && side_equal(&a->dst, &b->dst);
}

bool rule_equal(const struct rule *a, const struct rule *b)
{
	return a->action == b->action && a->ip_version == b->ip_version &&
	       text_equal(a->log_prefix, b->log_prefix) && match_equal(&a->match, &b->match) &&
	       match_equal(&a->not_match, &b->not_match);
}

int rules_list_insert(struct rules_list *list, size_t position, struct rule *rule)
{
	struct rule *items = model_grow(list->items, list->count, sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	if (position > list->count)
		position = list->count;
	memmove(items + position + 1, items + position, (list->count - position) * sizeof(*items));
	items[position] = *rule;
	list->count++;
	rule_init(rule);
	return 0;
}

void rules_list_remove(struct rules_list *list, size_t position)
{
	if (position >= list->count)
		return;
	rule_done(&list->items[position]);
	list->count--;
	memmove(list->items + position, list->items + position + 1,
		(list->count - position) * sizeof(*list->items));
}

void rules_list_done(struct rules_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		rule_done(&list->items[i]);
	free(list->items);
	*list = (struct rules_list){0};
}

void rules_free(struct rules *rules)
{
	if (!rules)
		return;
	free(rules->id);
	rules_list_done(&rules->inbound);
	rules_list_done(&rules->outbound);
	json_decref(rules->raw);
	free(rules);
}

struct rules *rules_new_default(const char *id)
{
	struct rules *rules = calloc(1, sizeof(*rules));
	struct rule inbound, outbound;

	rule_init(&inbound);
	rule_init(&outbound);
	if (!rules)
		return NULL;
	rules->id = strdup(id);
	inbound.match.src.tag = strdup(id);
	if (!rules->id || !inbound.match.src.tag || rules_list_insert(&rules->inbound, 0, &inbound) < 0 ||
	    rules_list_insert(&rules->outbound, 0, &outbound) < 0) {
		rule_done(&inbound);
		rules_free(rules);
		return NULL;
	}
	return rules;
}
