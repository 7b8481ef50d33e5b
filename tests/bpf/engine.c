/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Feeds the policy engine with documents and lets it write the fixture's maps. */
#include "engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sink.h"

#define DOCUMENT_MAX 65536

static void ignore_problem(void *arg, const char *object, const char *text)
{
}

/* JSON with ' for ". The buffer is the caller's, of DOCUMENT_MAX bytes. */
static const char *quoted(char *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *quoted(char *buffer, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(buffer, DOCUMENT_MAX, format, arguments);
	va_end(arguments);
	assert_in_range(length, 0, DOCUMENT_MAX - 1);
	for (char *at = buffer; *at; at++)
		if (*at == '\'')
			*at = '"';
	return buffer;
}

static void accept(int r, const struct err *err, const char *document)
{
	if (r < 0)
		fail_msg("%s: %s", document, err ? err->text : strerror(-r));
}

void engine_rules(struct engine *engine, const char *profile, const char *inbound, const char *outbound)
{
	char *buffer = malloc(DOCUMENT_MAX);
	struct rules *rules = NULL;
	struct err err;
	assert_non_null(buffer);
	if (inbound) {
		quoted(buffer, "{'id': '%s', 'inbound_rules': %s, 'outbound_rules': %s}", profile, inbound,
		       outbound);
		accept(rules_parse(buffer, &rules, &err), &err, buffer);
	}
	accept(policy_set_rules(engine->policy, profile, rules), NULL, profile);
	free(buffer);
}

void engine_tags(struct engine *engine, const char *profile, const char *tags)
{
	char *buffer = malloc(DOCUMENT_MAX);
	struct strings parsed;
	struct err err;
	assert_non_null(buffer);
	accept(tags_parse(quoted(buffer, "%s", tags), &parsed, &err), &err, buffer);
	accept(policy_set_tags(engine->policy, profile, &parsed), NULL, profile);
	strings_done(&parsed);
	free(buffer);
}

void engine_policy(struct engine *engine, const char *tier, const char *name, const char *document)
{
	char *buffer = malloc(DOCUMENT_MAX);
	struct policy *policy = NULL;
	struct err err;
	assert_non_null(buffer);
	if (document)
		accept(policy_parse(quoted(buffer, "%s", document), &policy, &err), &err, document);
	accept(policy_set_policy(engine->policy, tier, name, policy), NULL, name);
	free(buffer);
}

void engine_tier(struct engine *engine, const char *name, double order, bool present)
{
	accept(policy_set_tier(engine->policy, name, present ? &order : NULL), NULL, name);
}

static void set_endpoint(struct engine *engine, const char *name, __u32 slot, const char *document)
{
	char key[128];
	struct workload_endpoint *endpoint;
	struct err err;
	snprintf(key, sizeof(key), "/calico/v1/host/%s/workload/libnetwork/libnetwork/endpoint/%s",
		 slot ? "here" : "there", name);
	accept(workload_endpoint_parse(document, NULL, &endpoint, &err), &err, document);
	accept(policy_set_endpoint(engine->policy, key, endpoint, slot), NULL, key);
	workload_endpoint_free(endpoint);
}

void engine_profiles(struct engine *engine, enum slot slot, const char *profiles, bool active)
{
	char *buffer = malloc(DOCUMENT_MAX);
	assert_non_null(buffer);
	bool is_a = slot == SLOT_A;
	quoted(buffer,
	       "{'state': '%s', 'name': 'cali-%s', 'mac': '%s', 'profile_ids': %s, 'labels': {%s},"
	       " 'ipv4_nets': ['%s/32'], 'ipv6_nets': ['%s/128']}",
	       active ? "active" : "inactive", is_a ? "a" : "b",
	       is_a ? "ee:ee:ee:ee:ee:ee" : "02:00:00:00:00:0b", profiles, is_a ? "'x': '1'" : "",
	       is_a ? A4 : B4, is_a ? A6 : B6);
	set_endpoint(engine, is_a ? "a" : "b", slot, buffer);
	free(buffer);
}

void engine_commit(struct engine *engine)
{
	struct fixture *fixture = engine->fixture;
	accept(policy_commit(engine->policy), NULL, "commit");
	for (__u32 slot = SLOT_A; slot <= SLOT_B; slot++) {
		struct endpoint endpoint;
		assert_true(progrun_get(fixture->progrun, "endpoint", &slot, &endpoint));
		endpoint.generation_slot = policy_generation_slot(engine->policy, slot);
		progrun_put(fixture->progrun, "endpoint", &slot, &endpoint);
	}
}

static void fill(struct engine *engine)
{
	char *buffer = malloc(DOCUMENT_MAX);
	struct cidr pool4, pool6;
	struct addr host;
	assert_non_null(buffer);
	static const char *const profiles[] = {"a", "b", "web"};
	for (int i = 0; i < 3; i++) {
		char tags[32];
		snprintf(tags, sizeof(tags), "['%s']", profiles[i]);
		engine_tags(engine, profiles[i], tags);
		engine_rules(engine, profiles[i], "[{'action': 'allow'}]", "[{'action': 'allow'}]");
	}
	cidr_parse("10.65.0.0/16", &pool4);
	cidr_parse("fd65::/64", &pool6);
	struct pool *made4 = pool_new(&pool4), *made6 = pool_new(&pool6);
	policy_set_pool(engine->policy, &pool4, made4);
	policy_set_pool(engine->policy, &pool6, made6);
	pool_free(made4);
	pool_free(made6);
	addr_parse(HOST4, &host);
	policy_set_host_address(engine->policy, &host, true);
	addr_parse(HOST6, &host);
	policy_set_host_address(engine->policy, &host, true);
	engine_profiles(engine, SLOT_A, "['a']", true);
	engine_profiles(engine, SLOT_B, "['b']", true);
	quoted(buffer, "{'state': 'active', 'name': 'eth7', 'profile_ids': ['web'], 'labels': {'x': '2'},"
		       " 'ipv4_nets': ['" REMOTE4 "/32'], 'ipv6_nets': ['" REMOTE6 "/128']}");
	set_endpoint(engine, "remote", 0, buffer);
	engine_commit(engine);
	free(buffer);
}

struct engine *engine_new(void)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	struct settings settings;
	if (!engine)
		return NULL;
	progrun_default_settings(&settings);
	engine->fixture = fixture_new(&settings);
	if (!engine->fixture) {
		free(engine);
		return NULL;
	}
	fixture_empty(engine->fixture);
	int r = sink_open(progrun_object(engine->fixture->progrun), false, &engine->sink);
	if (r == 0)
		r = policy_engine_new(&engine->sink, ignore_problem, NULL, &engine->policy);
	if (r < 0) {
		fprintf(stderr, "# no policy engine: %s\n", strerror(-r));
		engine_free(engine);
		return NULL;
	}
	fill(engine);
	return engine;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	policy_engine_free(engine->policy);
	sink_close(&engine->sink);
	fixture_free(engine->fixture);
	free(engine);
}
