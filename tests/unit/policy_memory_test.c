/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Memory runs out at every single allocation in turn: the engine denies everything, says so, and can be
 * freed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/feed.h"
#include "unit/policy_fixture.h"

/* Allocations until one fails; 0: none does. */
static unsigned long countdown;

static bool out_of_memory(void)
{
	return countdown > 0 && --countdown == 0;
}

/* glibc's own allocator behind ours; sanitizers bring theirs, and these tests end early then. */
#ifndef __SANITIZE_ADDRESS__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
	return out_of_memory() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return out_of_memory() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return out_of_memory() ? NULL : __libc_realloc(old, size);
}
#endif

static const struct {
	enum kind kind;
	const char *name, *text;
	__u32 slot;
} documents[] = {
	{RULES, "p",
	 "{'inbound_rules': [{'src_tag': 'T', '!src_net': '10.2.0.0/16'}, {'protocol': 'tcp', 'dst_ports': [1, 3, 5, 7, "
	 "9, 11, 13, 15, 17, 19], 'log_prefix': 'x'}, {'src_selector': 'has(a)'}], 'outbound_rules': [{}]}",
	 0},
	{TAGS, "p", "['T', 'U']", 0},
	{LABELS, "p", "{'a': 'b'}", 0},
	{TIER, "t", "{'order': 1}", 0},
	{POLICY, "t/a",
	 "{'selector': 'has(a)', 'inbound_rules': [{'action': 'next-tier'}], 'outbound_rules': []}", 0},
	{POOL, "10.0.0.0-16", "{'cidr': '10.0.0.0/16', 'masquerade': true}", 0},
	{ADDRESS, "192.0.2.1", "", 0},
	{WORKLOAD, "one",
	 "{'state': 'active', 'name': 'cali1', 'profile_ids': ['p'], 'ipv4_nets': ['10.0.0.1'], 'ipv6_nets': ['fd00::1']}",
	 1},
	{WORKLOAD, "two",
	 "{'state': 'active', 'name': 'cali2', 'profile_ids': ['p'], 'ipv4_nets': ['10.0.0.2']}", 0},
	{HOST_ENDPOINT, "eth", "{'expected_ipv4_addrs': ['192.0.2.1'], 'profile_ids': ['p']}", 0},
};
#define DOCUMENTS (sizeof(documents) / sizeof(documents[0]))

static const struct workload_endpoint nobody = {.active = true};

/* All that an engine can be told, in two commits; the second one takes half of it away again. */
static int live(struct policy_engine *engine, struct document *const parsed[DOCUMENTS])
{
	int r = 0, last;

	for (size_t i = 0; i < DOCUMENTS; i++) {
		const struct document *d = parsed[i];
		struct rules *rules = NULL;
		struct policy *policy = NULL;
		unsigned long left = countdown;

		/* Parsing the copy that the engine takes must not fail. */
		countdown = 0;
		assert_true(d->kind != RULES || rules_parse(d->text, &rules, NULL) == 0);
		assert_true(d->kind != POLICY || policy_parse(d->text, &policy, NULL) == 0);
		countdown = left;
		if (d->kind == RULES)
			r |= policy_set_rules(engine, d->name, rules);
		else if (d->kind == POLICY)
			r |= policy_set_policy(engine, "t", "a", policy);
		else if (d->kind == TAGS)
			r |= policy_set_tags(engine, d->name, &d->tags);
		else if (d->kind == LABELS)
			r |= policy_set_labels(engine, d->name, &d->labels);
		else if (d->kind == TIER)
			r |= policy_set_tier(engine, d->name, &d->order);
		else if (d->kind == POOL)
			r |= policy_set_pool(engine, &d->pool->cidr, d->pool);
		else if (d->kind == ADDRESS)
			r |= policy_set_host_address(engine, &d->addr, true);
		else if (d->kind == WORKLOAD)
			r |= policy_set_endpoint(engine, d->name, d->workload, d->slot);
		else
			r |= policy_set_host_endpoint(engine, d->name, d->host_endpoint, d->slot);
	}
	r |= policy_commit(engine);
	r |= policy_set_tags(engine, "p", NULL);
	r |= policy_set_policy(engine, "t", "a", NULL);
	r |= policy_set_endpoint(engine, "two", &nobody, 2);
	r |= policy_set_endpoint(engine, "one", NULL, 0);
	last = policy_commit(engine);
	/* Once it failed, it fails for good. */
	assert_true(r == 0 || last == -ENOMEM);
	return r | last;
}

static void parse_all(struct document *ret[DOCUMENTS])
{
	for (size_t i = 0; i < DOCUMENTS; i++) {
		char *json = json_of(documents[i].text);

		ret[i] = document_parse(documents[i].kind, documents[i].name, json);
		assert_non_null(ret[i]);
		ret[i]->slot = documents[i].slot;
		free(json);
	}
}

/* The maps stand in for the kernel, whose memory is another matter. */
static int write_unhindered(void *arg, enum policy_map map, const void *key, const void *value)
{
	struct maps *maps = arg;
	unsigned long left = countdown;
	int r;

	countdown = 0;
	r = maps->sink.write(maps, map, key, value);
	countdown = left;
	return r;
}

static int problems;

static void count_problem(void *arg, const char *object, const char *text)
{
	assert_string_equal(object, "engine");
	assert_non_null(text);
	problems++;
}

static void check_denied(const struct maps *maps)
{
	assert_int_equal(problems, 1);
	for (__u32 slot = 0; slot < 3; slot++) {
		assert_int_equal(maps_policy(maps, slot).inbound, 0);
		assert_int_equal(maps_policy(maps, slot).outbound, 0);
	}
}

/*
 * One life in which an allocation fails (0: none). Returns whether there was such an allocation; *ret is what
 * the engine used at the end, when it ended well.
 */
static bool try(struct document *const parsed[DOCUMENTS], unsigned long fail_at, struct policy_usage *ret)
{
	struct policy_engine *engine;
	struct policy_sink sink;
	struct maps maps;
	bool reached;
	int r;

	maps_init(&maps);
	sink = maps.sink;
	sink.write = write_unhindered;
	problems = 0;
	assert_int_equal(policy_engine_new(&sink, count_problem, NULL, &engine), 0);
	countdown = fail_at;
	r = live(engine, parsed);
	reached = fail_at > 0 && countdown == 0;
	countdown = 0;
	if (r == 0)
		policy_usage(engine, ret);
	else
		check_denied(&maps);
	assert_true(r == 0 || (r == -ENOMEM && reached));
	policy_engine_free(engine);
	maps_done(&maps);
	return reached;
}

static void test_memory_runs_out_anywhere(void **state)
{
	struct document *parsed[DOCUMENTS];
	struct policy_usage usual = {}, usage;
	unsigned long fail_at = 1;

#ifdef __SANITIZE_ADDRESS__
	skip();
#endif
	parse_all(parsed);
	try(parsed, 0, &usual);
	for (usage = usual; try(parsed, fail_at, &usage); fail_at++) {
		/* Where the C library managed without the memory, nothing may lack. */
		assert_memory_equal(&usual, &usage, sizeof(usual));
	}
	assert_true(fail_at > 100);
	for (size_t i = 0; i < DOCUMENTS; i++)
		document_free(parsed[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_runs_out_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
