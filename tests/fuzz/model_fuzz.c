/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Datastore values: any text is parsed or refused with a reason, and what is written is read back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/block.h"
#include "model/endpoint.h"
#include "model/pool.h"
#include "model/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void try_rules(const char *text)
{
	struct rules *rules, *again = NULL;
	struct err err = {""};
	if (rules_parse(text, &rules, &err) < 0) {
		require(err.text[0]);
		return;
	}
	char *written = rules_format(rules);
	require(written && rules_parse(written, &again, &err) == 0);
	require(again->inbound.count == rules->inbound.count &&
		again->outbound.count == rules->outbound.count);
	for (size_t i = 0; i < rules->inbound.count; i++) {
		require(rule_equal(&rules->inbound.items[i], &again->inbound.items[i]));
		free(rule_format_text(&rules->inbound.items[i]));
	}
	free(written);
	rules_free(again);
	rules_free(rules);
}

static void try_endpoint(const char *text)
{
	struct workload_endpoint *endpoint, *again = NULL;
	struct host_endpoint *host;
	struct err err = {""};
	if (workload_endpoint_parse(text, "cali", &endpoint, &err) == 0) {
		char *written = workload_endpoint_format(endpoint);
		require(written && workload_endpoint_parse(written, "cali", &again, &err) == 0);
		require(again->net_count == endpoint->net_count);
		free(written);
		workload_endpoint_free(again);
		workload_endpoint_free(endpoint);
	}
	if (host_endpoint_parse(text, &host, &err) == 0)
		host_endpoint_free(host);
}

static void try_policy(const char *text)
{
	struct policy *policy;
	struct strings tags;
	struct labels labels;
	struct err err = {""};
	double order;
	if (policy_parse(text, &policy, &err) == 0)
		policy_free(policy);
	if (tags_parse(text, &tags, &err) == 0)
		strings_done(&tags);
	if (labels_parse(text, &labels, &err) == 0)
		labels_done(&labels);
	tier_parse(text, &order, &err);
}

static void try_pool(const char *text)
{
	struct pool *pool;
	struct err err = {""};
	if (pool_parse("10.65.0.0-16", text, &pool, &err) < 0)
		return;
	free(pool_format(pool));
	pool_free(pool);
}

static void try_selector(const char *text)
{
	struct selector *selector, *again = NULL;
	struct err err = {""};
	if (selector_parse(text, &selector, &err) < 0)
		return;
	char *written = selector_format(selector);
	require(written && selector_parse(written, &again, &err) == 0 && selector_equal(selector, again));
	free(written);
	selector_free(again);
	selector_free(selector);
}

static void try_addresses(const char *text)
{
	struct cidr cidr, again;
	char written[CIDR_TEXT];
	uint8_t mac[6];
	mac_parse(text, mac);
	if (cidr_parse(text, &cidr) < 0 && cidr_parse_loose(text, &cidr) < 0)
		return;
	require(cidr_parse(cidr_format(&cidr, written), &again) == 0 && cidr_compare(&cidr, &again) == 0);
	require(cidr_parse_key(cidr_format_key(&cidr, written), &again) == 0 &&
		cidr_compare(&cidr, &again) == 0);
}

/* The first byte picks the kind of value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const char *text) = {try_rules, try_endpoint, try_policy,
							  try_pool,  try_selector, try_addresses};
	if (size < 1)
		return 0;
	char *text = strndup((const char *)data + 1, size - 1);
	if (text)
		tries[data[0] % (sizeof(tries) / sizeof(tries[0]))](text);
	free(text);
	return 0;
}
