/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tells a policy engine about documents. */
#include "unit/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int feed_policy(struct policy_engine *engine, const char *name, struct policy *policy)
{
	char tier[64];
	const char *slash = strchr(name, '/');

	assert_non_null(slash);
	snprintf(tier, sizeof(tier), "%.*s", (int)(slash - name), name);
	return policy_set_policy(engine, tier, slash + 1, policy);
}

/* The engine takes rules and policies, so it gets a copy of its own: the text parsed once more. */
void engine_feed(struct policy_engine *engine, const struct document *d)
{
	struct rules *rules;
	struct policy *policy;
	int r = -1;

	if (d->kind == RULES && rules_parse(d->text, &rules, NULL) == 0)
		r = policy_set_rules(engine, d->name, rules);
	else if (d->kind == POLICY && policy_parse(d->text, &policy, NULL) == 0)
		r = feed_policy(engine, d->name, policy);
	else if (d->kind == TAGS)
		r = policy_set_tags(engine, d->name, &d->tags);
	else if (d->kind == LABELS)
		r = policy_set_labels(engine, d->name, &d->labels);
	else if (d->kind == TIER)
		r = policy_set_tier(engine, d->name, &d->order);
	else if (d->kind == POOL)
		r = policy_set_pool(engine, &d->pool->cidr, d->pool);
	else if (d->kind == BLOCK)
		r = policy_set_block(engine, &d->cidr, true);
	else if (d->kind == ADDRESS)
		r = policy_set_host_address(engine, &d->addr, true);
	else if (d->kind == NODE)
		r = policy_set_node_address(engine, &d->addr, true);
	else if (d->kind == WORKLOAD)
		r = policy_set_endpoint(engine, d->name, d->workload, d->slot);
	else if (d->kind == HOST_ENDPOINT)
		r = policy_set_host_endpoint(engine, d->name, d->host_endpoint, d->slot);
	assert_int_equal(r, 0);
}

void engine_remove(struct policy_engine *engine, enum kind kind, const char *name)
{
	struct addr addr;
	struct cidr cidr;
	int r = -1;

	if (kind == RULES)
		r = policy_set_rules(engine, name, NULL);
	else if (kind == POLICY)
		r = feed_policy(engine, name, NULL);
	else if (kind == TAGS)
		r = policy_set_tags(engine, name, NULL);
	else if (kind == LABELS)
		r = policy_set_labels(engine, name, NULL);
	else if (kind == TIER)
		r = policy_set_tier(engine, name, NULL);
	else if (kind == POOL && cidr_parse_key(name, &cidr) == 0)
		r = policy_set_pool(engine, &cidr, NULL);
	else if (kind == BLOCK && cidr_parse_key(name, &cidr) == 0)
		r = policy_set_block(engine, &cidr, false);
	else if (kind == ADDRESS && addr_parse(name, &addr) == 0)
		r = policy_set_host_address(engine, &addr, false);
	else if (kind == NODE && addr_parse(name, &addr) == 0)
		r = policy_set_node_address(engine, &addr, false);
	else if (kind == WORKLOAD)
		r = policy_set_endpoint(engine, name, NULL, 0);
	else if (kind == HOST_ENDPOINT)
		r = policy_set_host_endpoint(engine, name, NULL, 0);
	assert_int_equal(r, 0);
}

char *json_of(const char *text)
{
	char *json = strdup(text);

	assert_non_null(json);
	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c == '~' ? '\'' : *c;
	return json;
}
