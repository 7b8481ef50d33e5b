/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The specification of policy as a plain program over documents. */
#include "unit/reference.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- documents ---- */

static int parse(struct document *d)
{
	const char *text = d->text;

	switch (d->kind) {
	case RULES:
		return rules_parse(text, &d->rules, NULL);
	case TAGS:
		return tags_parse(text, &d->tags, NULL);
	case LABELS:
		return labels_parse(text, &d->labels, NULL);
	case TIER:
		return tier_parse(text, &d->order, NULL);
	case POLICY:
		return policy_parse(text, &d->policy, NULL);
	case POOL:
		return pool_parse(d->name, text, &d->pool, NULL);
	case BLOCK:
	case BLOCKED:
		return cidr_parse_key(d->name, &d->cidr);
	case ADDRESS:
	case NODE:
		return addr_parse(d->name, &d->addr);
	case WORKLOAD:
		return workload_endpoint_parse(text, NULL, &d->workload, NULL);
	case HOST_ENDPOINT:
		return host_endpoint_parse(text, &d->host_endpoint, NULL);
	default:
		return -1;
	}
}

struct document *document_parse(enum kind kind, const char *name, const char *text)
{
	struct document *d = calloc(1, sizeof(*d));

	assert(d);
	d->kind = kind;
	d->name = strdup(name);
	d->text = strdup(text);
	if (parse(d) == 0)
		return d;
	free(d->name);
	free(d->text);
	free(d);
	return NULL;
}

void document_free(struct document *d)
{
	if (d->kind == RULES)
		rules_free(d->rules);
	else if (d->kind == TAGS)
		strings_done(&d->tags);
	else if (d->kind == LABELS)
		labels_done(&d->labels);
	else if (d->kind == POLICY)
		policy_free(d->policy);
	else if (d->kind == POOL)
		pool_free(d->pool);
	else if (d->kind == WORKLOAD)
		workload_endpoint_free(d->workload);
	else if (d->kind == HOST_ENDPOINT)
		host_endpoint_free(d->host_endpoint);
	free(d->name);
	free(d->text);
	free(d);
}

static size_t position_of(const struct world *world, enum kind kind, const char *name)
{
	for (size_t i = 0; i < world->count; i++) {
		if (world->documents[i]->kind == kind && strcmp(world->documents[i]->name, name) == 0)
			return i;
	}
	return world->count;
}

struct document *world_find(const struct world *world, enum kind kind, const char *name)
{
	size_t i = position_of(world, kind, name);

	return i < world->count ? world->documents[i] : NULL;
}

struct document *world_slot(const struct world *world, __u32 slot)
{
	for (size_t i = 0; i < world->count; i++) {
		if (slot && world->documents[i]->slot == slot)
			return world->documents[i];
	}
	return NULL;
}

bool world_set(struct world *world, enum kind kind, const char *name, const char *text, __u32 slot)
{
	size_t i = position_of(world, kind, name);
	struct document *fresh = text ? document_parse(kind, name, text) : NULL;
	struct document *rival;

	if (text && !fresh)
		return false;
	/* Setting the same again is no change, and so does not make an endpoint the latest owner. */
	if (fresh && i < world->count && world->documents[i]->slot == slot &&
	    strcmp(world->documents[i]->text, text) == 0) {
		document_free(fresh);
		return true;
	}
	if (i < world->count) {
		document_free(world->documents[i]);
		world->documents[i] = world->documents[--world->count];
	}
	if (!fresh)
		return true;
	rival = slot ? world_slot(world, slot) : NULL;
	if (rival)
		rival->slot = 0;
	fresh->slot = slot;
	fresh->sequence = ++world->sequence;
	assert(world->count < sizeof(world->documents) / sizeof(world->documents[0]));
	world->documents[world->count++] = fresh;
	return true;
}

void world_done(struct world *world)
{
	for (size_t i = 0; i < world->count; i++)
		document_free(world->documents[i]);
	*world = (struct world){};
}

/* ---- endpoints, tags, labels ---- */

/* What workload and host endpoints have in common. */
struct party {
	const struct strings *profiles;
	const struct labels *labels;
	const struct addr *addrs;
	size_t addr_count;
};

static bool party_of(const struct document *d, struct party *ret)
{
	if (d->kind == WORKLOAD) {
		*ret = (struct party){&d->workload->profiles, &d->workload->labels, d->workload->nets,
				      d->workload->net_count};
		return true;
	}
	if (d->kind == HOST_ENDPOINT) {
		*ret = (struct party){&d->host_endpoint->profiles, &d->host_endpoint->labels,
				      d->host_endpoint->expected, d->host_endpoint->expected_count};
		return true;
	}
	return false;
}

static bool has_address(const struct party *party, const struct addr *addr)
{
	for (size_t i = 0; i < party->addr_count; i++) {
		if (addr_compare(&party->addrs[i], addr) == 0)
			return true;
	}
	return false;
}

static bool shares_container(const struct document *a, const struct document *b)
{
	const char *end_a = strrchr(a->name, '/'), *end_b = strrchr(b->name, '/');
	size_t length_a = end_a ? (size_t)(end_a - a->name) : 0,
	       length_b = end_b ? (size_t)(end_b - b->name) : 0;

	return a->kind == WORKLOAD && b->kind == WORKLOAD && *a->workload->sandbox &&
	       strcmp(a->workload->sandbox, b->workload->sandbox) == 0 && length_a == length_b &&
	       strncmp(a->name, b->name, length_a) == 0;
}

/* Itself, or another endpoint of its container. */
static bool holds_address(const struct world *world, const struct document *d, const struct addr *addr)
{
	struct party party;

	if (!party_of(d, &party))
		return false;
	if (has_address(&party, addr))
		return true;
	for (size_t i = 0; i < world->count; i++) {
		if (shares_container(d, world->documents[i]) && party_of(world->documents[i], &party) &&
		    has_address(&party, addr))
			return true;
	}
	return false;
}

static bool has_tag(const struct world *world, const struct party *party, const char *tag)
{
	for (size_t i = 0; i < party->profiles->count; i++) {
		const struct document *tags = world_find(world, TAGS, party->profiles->items[i]);

		if (tags && strings_has(&tags->tags, tag))
			return true;
	}
	return false;
}

struct labelled {
	const struct world *world;
	const struct party *party;
};

/* Each profile's labels lie over those of the profiles before it, the endpoint's own over all. */
static const char *effective_label(const void *arg, const char *name)
{
	const struct labelled *labelled = arg;
	const char *value = NULL;

	for (size_t i = 0; i < labelled->party->profiles->count; i++) {
		const struct document *labels =
			world_find(labelled->world, LABELS, labelled->party->profiles->items[i]);

		if (labels && labels_get(&labels->labels, name))
			value = labels_get(&labels->labels, name);
	}
	if (labels_get(labelled->party->labels, name))
		value = labels_get(labelled->party->labels, name);
	return value;
}

static bool is_selected(const struct world *world, const struct party *party, const struct selector *selector)
{
	struct labelled labelled = {world, party};

	return selector_match(selector, effective_label, &labelled);
}

static bool in_tag(const struct world *world, const struct addr *addr, const char *tag)
{
	struct party party;

	for (size_t i = 0; i < world->count; i++) {
		if (party_of(world->documents[i], &party) &&
		    holds_address(world, world->documents[i], addr) && has_tag(world, &party, tag))
			return true;
	}
	return false;
}

static bool in_selector(const struct world *world, const struct addr *addr, const struct selector *selector)
{
	struct party party;

	for (size_t i = 0; i < world->count; i++) {
		if (party_of(world->documents[i], &party) &&
		    holds_address(world, world->documents[i], addr) && is_selected(world, &party, selector))
			return true;
	}
	return false;
}

/* ---- one rule ---- */

static bool is_icmp(const struct probe *probe)
{
	return probe->protocol == (probe->src.family == 4 ? 1 : 58);
}

static bool is_protocol(const struct probe *probe, int protocol)
{
	if (protocol == 1 || protocol == 58)
		return probe->protocol == protocol && is_icmp(probe);
	return probe->protocol == protocol;
}

static bool port_listed(const struct port_ranges *ranges, __u16 port)
{
	for (size_t i = 0; i < ranges->count; i++) {
		if (port >= ranges->items[i].first && port <= ranges->items[i].last)
			return true;
	}
	return false;
}

static bool side_matches(const struct world *world, const struct rule_side *side, const struct addr *addr,
			 __u16 port)
{
	if (side->tag && !in_tag(world, addr, side->tag))
		return false;
	if (side->selector && !in_selector(world, addr, side->selector))
		return false;
	if (side->has_net && !cidr_contains(&side->net, addr))
		return false;
	return side->ports.count == 0 || port_listed(&side->ports, port);
}

static bool side_avoids(const struct world *world, const struct rule_side *side, const struct addr *addr,
			__u16 port)
{
	if (side->tag && in_tag(world, addr, side->tag))
		return false;
	if (side->selector && in_selector(world, addr, side->selector))
		return false;
	if (side->has_net && cidr_contains(&side->net, addr))
		return false;
	return side->ports.count == 0 || !port_listed(&side->ports, port);
}

static bool icmp_matches(const struct rule *rule, const struct probe *probe)
{
	const struct rule_match *match = &rule->match, *not = &rule->not_match;

	if (match->icmp_type < 0 && not ->icmp_type < 0)
		return true;
	if (!is_icmp(probe))
		return false;
	if (match->icmp_type >= 0 && probe->icmp_type != match->icmp_type)
		return false;
	if (match->icmp_code >= 0 && probe->icmp_code != match->icmp_code)
		return false;
	if (not ->icmp_type >= 0 && probe->icmp_type == not ->icmp_type)
		return not ->icmp_code >= 0 && probe->icmp_code != not ->icmp_code;
	return true;
}

static bool rule_matches(const struct world *world, const struct rule *rule, const struct probe *probe)
{
	if (rule->ip_version && rule->ip_version != probe->src.family)
		return false;
	if (rule->match.protocol && !is_protocol(probe, rule->match.protocol))
		return false;
	if (rule->not_match.protocol && is_protocol(probe, rule->not_match.protocol))
		return false;
	return icmp_matches(rule, probe) &&
	       side_matches(world, &rule->match.src, &probe->src, probe->sport) &&
	       side_matches(world, &rule->match.dst, &probe->dst, probe->dport) &&
	       side_avoids(world, &rule->not_match.src, &probe->src, probe->sport) &&
	       side_avoids(world, &rule->not_match.dst, &probe->dst, probe->dport);
}

/* ---- questions and answers ---- */

static const __u8 exchanges[][3] = {
	{4, 8, 0},   {4, 13, 14},   {4, 15, 16},   {4, 17, 18},
	{4, 42, 43}, {6, 128, 129}, {6, 139, 140}, {6, 160, 161},
};
#define EXCHANGES (sizeof(exchanges) / sizeof(exchanges[0]))

__u8 reference_question(const struct probe *probe, bool *ret_asks)
{
	*ret_asks = false;
	for (size_t i = 0; is_icmp(probe) && i < EXCHANGES; i++) {
		*ret_asks = probe->icmp_type == exchanges[i][1];
		if (exchanges[i][0] == probe->src.family &&
		    (*ret_asks || probe->icmp_type == exchanges[i][2]))
			return exchanges[i][1];
	}
	*ret_asks = false;
	return 0;
}

__u8 reference_answer(int family, __u8 question)
{
	for (size_t i = 0; i < EXCHANGES; i++) {
		if (exchanges[i][0] == family && exchanges[i][1] == question)
			return exchanges[i][2];
	}
	return 255;
}

/* ---- lists of rules ---- */

enum outcome { NO_MATCH, ALLOWED, DENIED, NEXT, TIER_ENDED, PROFILE_MISSING };

/* One verdict under way: who is judged by what, and what has matched so far. */
struct trial {
	const struct world *world;
	const struct party *party;
	const struct probe *probe;
	bool inbound;
	struct reference *ret;
};

static void note_hit(const struct trial *trial, const struct reference_hit *hit)
{
	assert(trial->ret->hit_count < REFERENCE_HITS);
	trial->ret->hits[trial->ret->hit_count++] = *hit;
	trial->ret->logs += hit->logged;
}

static enum outcome run(const struct trial *trial, const struct document *document,
			const struct rules_list *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->items[i];
		struct reference_hit hit = {
			.document = document,
			.rule = rule,
			.position = i + 1,
			.inbound = trial->inbound,
		};

		if (rule->match.icmp_type == 255 || rule->not_match.icmp_type == 255) {
			hit.decided = true;
			note_hit(trial, &hit);
			return DENIED;
		}
		if (!rule_matches(trial->world, rule, trial->probe))
			continue;
		hit.decided = rule->action == RULE_ALLOW || rule->action == RULE_DENY;
		hit.logged = rule->action == RULE_LOG || rule->log_prefix;
		note_hit(trial, &hit);
		if (rule->action == RULE_ALLOW)
			return ALLOWED;
		if (rule->action == RULE_DENY)
			return DENIED;
		if (rule->action == RULE_NEXT_TIER)
			return NEXT;
	}
	return NO_MATCH;
}

static const struct document *tier_of(const struct world *world, const struct document *policy)
{
	char tier[64] = {};

	memcpy(tier, policy->name, (size_t)(strchr(policy->name, '/') - policy->name));
	return world_find(world, TIER, tier);
}

static bool comes_before(const struct world *world, const struct document *a, const struct document *b)
{
	const struct document *tier_a = tier_of(world, a), *tier_b = tier_of(world, b);

	if (tier_a->order != tier_b->order)
		return tier_a->order < tier_b->order;
	if (tier_a != tier_b)
		return strcmp(tier_a->name, tier_b->name) < 0;
	if (a->policy->order != b->policy->order)
		return a->policy->order < b->policy->order;
	return strcmp(a->name, b->name) < 0;
}

/* The policies that apply to an endpoint, in order. */
static size_t matching_policies(const struct world *world, const struct party *party,
				const struct document *ret[64])
{
	size_t count = 0;

	for (size_t i = 0; i < world->count; i++) {
		const struct document *d = world->documents[i];
		size_t at;

		if (d->kind != POLICY || !tier_of(world, d) ||
		    !is_selected(world, party, d->policy->selector))
			continue;
		assert(count < 64);
		for (at = count; at > 0 && comes_before(world, d, ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = d;
		count++;
	}
	return count;
}

static enum outcome run_tiers(const struct trial *trial)
{
	const struct world *world = trial->world;
	const struct document *policies[64];
	size_t count = matching_policies(world, trial->party, policies), i = 0;

	while (i < count) {
		const struct document *tier = tier_of(world, policies[i]);
		enum outcome outcome = NO_MATCH;

		for (; i < count && tier_of(world, policies[i]) == tier; i++) {
			const struct policy *policy = policies[i]->policy;

			if (outcome == NO_MATCH)
				outcome = run(trial, policies[i],
					      trial->inbound ? &policy->inbound : &policy->outbound);
		}
		if (outcome == NO_MATCH)
			return TIER_ENDED;
		if (outcome != NEXT)
			return outcome;
	}
	return NEXT;
}

static enum outcome run_profiles(const struct trial *trial)
{
	for (size_t i = 0; i < trial->party->profiles->count; i++) {
		const struct document *d = world_find(trial->world, RULES, trial->party->profiles->items[i]);
		enum outcome outcome;

		if (!d)
			return PROFILE_MISSING;
		outcome = run(trial, d, trial->inbound ? &d->rules->inbound : &d->rules->outbound);
		if (outcome == ALLOWED || outcome == DENIED)
			return outcome;
	}
	return NO_MATCH;
}

static enum drop_reason reason_of(enum outcome outcome, bool inbound)
{
	switch (outcome) {
	case ALLOWED:
		return DROP_NONE;
	case DENIED:
		return inbound ? DROP_REASON_RULE_INBOUND : DROP_REASON_RULE_OUTBOUND;
	case TIER_ENDED:
		return DROP_REASON_TIER_END;
	case PROFILE_MISSING:
		return DROP_REASON_NO_PROFILE;
	default:
		return inbound ? DROP_REASON_POLICY_INBOUND : DROP_REASON_POLICY_OUTBOUND;
	}
}

struct reference reference_judge(const struct world *world, __u32 slot, bool inbound,
				 const struct probe *probe)
{
	const struct document *d = world_slot(world, slot);
	struct reference ret = {.reason = DROP_REASON_ENDPOINT_INACTIVE};
	struct party party;
	struct trial trial = {world, &party, probe, inbound, &ret};
	enum outcome outcome;

	if (!d || (d->kind == WORKLOAD && !d->workload->active))
		return ret;
	party_of(d, &party);
	outcome = run_tiers(&trial);
	if (outcome == NEXT)
		outcome = run_profiles(&trial);
	ret.allowed = outcome == ALLOWED;
	ret.reason = reason_of(outcome, inbound);
	return ret;
}

/* ---- addresses ---- */

bool reference_blocked(const struct world *world, const struct addr *addr)
{
	for (size_t i = 0; i < world->count; i++) {
		const struct document *d = world->documents[i];

		if (d->kind == BLOCKED && cidr_contains(&d->cidr, addr))
			return true;
	}
	return false;
}

__u16 reference_flags(const struct world *world, const struct addr *addr, __u32 *ret_slot)
{
	const struct document *owner = NULL;
	bool elsewhere = false;
	__u16 flags = 0;

	for (size_t i = 0; i < world->count; i++) {
		const struct document *d = world->documents[i];
		struct party party;

		if (d->kind == POOL && cidr_contains(&d->pool->cidr, addr))
			flags |= ADDRESS_IN_POOL | (d->pool->masquerade ? ADDRESS_NAT_OUT : 0);
		if (d->kind == BLOCK && cidr_contains(&d->cidr, addr))
			flags |= ADDRESS_BLOCK;
		if (d->kind == ADDRESS && addr_compare(&d->addr, addr) == 0)
			flags |= ADDRESS_HOST;
		if (d->kind == NODE && addr_compare(&d->addr, addr) == 0)
			flags |= ADDRESS_NODE;
		if (!party_of(d, &party) || !has_address(&party, addr))
			continue;
		if (d->kind == HOST_ENDPOINT)
			flags |= ADDRESS_NODE;
		else if (!d->slot || !d->workload->active)
			elsewhere = true;
		else if (!owner || d->sequence > owner->sequence)
			owner = d;
	}
	*ret_slot = owner ? owner->slot : 0;
	if (owner)
		return flags | ADDRESS_LOCAL;
	return flags | (elsewhere ? ADDRESS_REMOTE : 0);
}
