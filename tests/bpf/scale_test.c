/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A large cluster on real maps of the daemon's own sizes: it fits, a change costs what it changes, and what
 * does not fit denies those endpoints that need it, says so, and recovers.
 */
#include "dataplane_env.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "dataplane/internal.h"
#include "flow.h"
#include "packet.h"
#include "unit/feed.h"
#include "unit/problems.h"

#define ENDPOINTS    10000
#define LOCALS	     1000 /* of them on this host at most, one per profile */
#define USUAL_LOCALS 100
#define PROFILES     1000
#define RULES_EACH   100
#define LONG_PROFILE 10000
#define HEAP_MB_MOST 96 /* of the engine with all that */
#define SETTLE_SECONDS                                                                                       \
	200 /* until the whole cluster is in force; far too long, but for a slow virtual machine */

static struct lab {
	struct dataplane *dp;
	struct policy_engine *engine;
	int ifindex, uplink;
	struct problems problems;
} lab;

/* ---- the host ---- */

/* Capacities 0: the daemon's defaults. */
static void start(__u32 rules, __u32 addresses)
{
	struct dataplane_config config = {
		.bpffs = env_bpffs,
		.interface_prefix = "cali",
		.rule_capacity = rules,
		.address_capacity = addresses,
	};
	struct err err;

	env_ok(dataplane_open(&config, &lab.dp, &err), &err);
	assert_int_equal(policy_engine_new(dataplane_sink(lab.dp), problems_note, &lab.problems, &lab.engine),
			 0);
	lab.problems.count = 0;
	lab.ifindex = env_veth("cali0001");
	lab.uplink = env_veth("uplink");
}

static void stop(void)
{
	policy_engine_free(lab.engine);
	dataplane_close(lab.dp);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void commit(int expected)
{
	assert_int_equal(policy_commit(lab.engine), expected);
}

static __u64 writes(void)
{
	struct policy_usage usage;

	policy_usage(lab.engine, &usage);
	return usage.writes;
}

static __u64 cost_of_commit(void)
{
	__u64 before = writes();

	commit(0);
	return writes() - before;
}

/* ---- documents ---- */

static void set_tags(const char *profile, const char *tag)
{
	struct strings tags;
	char text[64];

	snprintf(text, sizeof(text), "[\"%s\"]", tag);
	assert_int_equal(tags_parse(text, &tags, NULL), 0);
	assert_int_equal(policy_set_tags(lab.engine, profile, &tags), 0);
	strings_done(&tags);
}

/*
 * `count` inbound rules: each allows one port to one of a hundred sources, but the last one, which allows
 * `port` from the tag.
 */
static void set_rules(const char *profile, unsigned int count, unsigned int port, const char *tag)
{
	size_t size = 200 + (size_t)count * 100, used;
	char *text = malloc(size);
	struct rules *rules;

	assert_non_null(text);
	used = (size_t)snprintf(text, size, "{\"outbound_rules\": [{}], \"inbound_rules\": [");
	for (unsigned int i = 0; i + 1 < count; i++)
		used += (size_t)snprintf(text + used, size - used,
					 "{\"protocol\": \"tcp\", \"src_net\": \"192.0.2.%u\","
					 " \"dst_ports\": [%u]},",
					 i % 100, 2000 + i);
	snprintf(text + used, size - used,
		 "{\"protocol\": \"tcp\", \"src_tag\": \"%s\", \"dst_ports\": [%u]}]}", tag, port);
	assert_int_equal(rules_parse(text, &rules, NULL), 0);
	assert_int_equal(policy_set_rules(lab.engine, profile, rules), 0);
	free(text);
}

static void format_address(unsigned int number, char text[ADDR_TEXT])
{
	snprintf(text, ADDR_TEXT, "10.65.%u.%u", number / 250, 1 + number % 250);
}

/* Endpoints are numbered; slot 0: on another host. */
static void set_endpoint(unsigned int number, const char *profile, __u32 slot, bool present)
{
	struct workload_endpoint *endpoint = NULL;
	char key[64], text[256], address[ADDR_TEXT];

	format_address(number, address);
	snprintf(key, sizeof(key), "endpoint/%u", number);
	snprintf(text, sizeof(text),
		 "{\"state\": \"active\", \"name\": \"cali%04u\", \"profile_ids\": [\"%s\"],"
		 " \"ipv4_nets\": [\"%s/32\"]}",
		 number, profile, address);
	if (present)
		assert_int_equal(workload_endpoint_parse(text, NULL, &endpoint, NULL), 0);
	assert_int_equal(policy_set_endpoint(lab.engine, key, endpoint, slot), 0);
	workload_endpoint_free(endpoint);
}

/* ---- packets ---- */

/* Whether the endpoint (slot and number are equal for local ones) lets somebody in. Leaves no flow. */
static bool admits(unsigned int number, const char *source, __u16 port)
{
	struct endpoint endpoint = {
		.ifindex = (__u32)lab.ifindex,
		.state = ENDPOINT_ACTIVE,
		.generation_slot = policy_generation_slot(lab.engine, number),
	};
	char address[ADDR_TEXT];
	struct frame frame = {
		.source = source,
		.source_port = 40000,
		.destination = address,
		.destination_port = port,
		.protocol = IPPROTO_TCP,
	};
	struct __sk_buff context = {.ifindex = (__u32)lab.ifindex, .ingress_ifindex = (__u32)lab.uplink};
	struct packet packet;
	struct addr addr;
	struct err err;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	format_address(number, address);
	env_ok(dataplane_set_endpoint(lab.dp, number, &endpoint, &err), &err);
	packet_build(&frame, &packet);
	options.data_size_in = (__u32)packet.length;
	assert_int_equal(bpf_prog_test_run_opts(lab.dp->programs.hook[ROLE_ENDPOINT][HOOK_EGRESS], &options),
			 0);
	assert_int_equal(addr_parse(address, &addr), 0);
	assert_int_equal(dataplane_purge_flows(lab.dp, &addr), 0);
	env_ok(dataplane_set_endpoint(lab.dp, number, NULL, &err), &err);
	return options.retval == TC_ACT_OK;
}

/* ---- tests ---- */

static void fill_cluster(unsigned int locals)
{
	char profile[16];

	for (unsigned int i = 0; i < PROFILES; i++) {
		snprintf(profile, sizeof(profile), "p%u", i);
		set_rules(profile, RULES_EACH, 10000 + i, "all");
		set_tags(profile, "all");
	}
	for (unsigned int i = 1; i <= ENDPOINTS; i++) {
		snprintf(profile, sizeof(profile), "p%u", i % PROFILES);
		set_endpoint(i, profile, i <= locals ? i : 0, true);
	}
}

static void check_cluster(unsigned int locals)
{
	/* The last endpoint is a member of the tag, as all are; the stranger is not. */
	char member[ADDR_TEXT];

	format_address(ENDPOINTS, member);
	for (unsigned int i = 1; i <= locals; i += locals / 9) {
		assert_true(admits(i, member, (__u16)(10000 + i % PROFILES)));
		assert_false(admits(i, member, (__u16)(10000 + (i + 1) % PROFILES)));
		assert_false(admits(i, "8.8.8.8", (__u16)(10000 + i % PROFILES)));
		assert_true(admits(i, "192.0.2.98", 2000 + RULES_EACH - 2));
		assert_false(admits(i, "192.0.2.97", 2000 + RULES_EACH - 2));
	}
}

static void check_changes(void)
{
	__u64 cost;

	/* A member more, whose row is that of all others. */
	set_endpoint(ENDPOINTS + 1, "p7", 0, true);
	cost = cost_of_commit();
	print_message("# a member more: %llu writes\n", (unsigned long long)cost);
	assert_in_range(cost, 1, 4);
	set_endpoint(ENDPOINTS + 1, "p7", 0, false);
	assert_in_range(cost_of_commit(), 1, 4);
	/* A profile of a hundred rules: all of them anew, and nothing of the others. */
	set_rules("p7", RULES_EACH, 9999, "all");
	cost = cost_of_commit();
	print_message("# a profile changed: %llu writes\n", (unsigned long long)cost);
	assert_in_range(cost, 1, 4 * RULES_EACH);
	assert_int_equal(cost_of_commit(), 0);
}

static void run_cluster(__u32 rule_capacity, unsigned int locals)
{
	size_t before = mallinfo2().uordblks, heap;
	struct policy_usage usage;
	double begin = now();

	start(rule_capacity, 0);
	fill_cluster(locals);
	commit(0);
	policy_usage(lab.engine, &usage);
	heap = (mallinfo2().uordblks - before) >> 20;
	print_message(
		"# %d endpoints, %u of them here, %d profiles of %d rules: %.1f s, %llu writes, %zu MB\n",
		ENDPOINTS, locals, PROFILES, RULES_EACH, now() - begin, (unsigned long long)usage.writes,
		heap);
	print_message("# %u rows, %u sets, %u rules, %u steps\n", usage.rows, usage.sets,
		      usage.used[MAP_RULE], usage.used[MAP_STEP]);
	assert_int_equal(lab.problems.count, 0);
	assert_true(now() - begin < SETTLE_SECONDS);
	assert_in_range(heap, 1, HEAP_MB_MOST);
	check_cluster(locals);
	check_changes();
	check_cluster(locals);
	stop();
}

static void test_large_cluster(void **state)
{
	run_cluster(0, USUAL_LOCALS);
}

/* Every profile of the cluster has an endpoint here: more rules than by default, so MaxRules is set. */
static void test_large_host(void **state)
{
	run_cluster(500000, LOCALS);
}

static void test_long_profile(void **state)
{
	start(0, 0);
	set_rules("long", LONG_PROFILE, 443, "nobody");
	set_endpoint(1, "long", 1, true);
	set_endpoint(2, "other", 0, true);
	commit(0);
	assert_int_equal(lab.problems.count, 0);
	/* The last rule of all decides, or none does. */
	assert_false(admits(1, "10.65.0.3", 443));
	set_tags("other", "nobody");
	commit(0);
	assert_true(admits(1, "10.65.0.3", 443));
	assert_false(admits(1, "10.65.0.3", 444));
	assert_true(admits(1, "192.0.2.98", 2000 + LONG_PROFILE - 2));
	stop();
}

static void test_rules_that_do_not_fit(void **state)
{
	start(1024, 0);
	set_rules("small", 10, 443, "t");
	set_tags("small", "t");
	set_rules("large", 5000, 443, "t");
	set_endpoint(1, "small", 1, true);
	set_endpoint(2, "large", 2, true);
	set_endpoint(3, "small", 0, true);
	commit(-ENOSPC);
	assert_non_null(problems_find(&lab.problems, "profile large"));
	assert_non_null(strstr(problems_find(&lab.problems, "profile large"), "do not fit"));
	assert_null(problems_find(&lab.problems, "profile small"));
	assert_true(admits(1, "10.65.0.4", 443));
	assert_false(admits(2, "10.65.0.4", 443));
	/* It is only the size that was wrong. */
	set_rules("large", 20, 443, "t");
	commit(0);
	assert_int_equal(lab.problems.count, 0);
	assert_true(admits(2, "10.65.0.4", 443));
	stop();
}

static void test_addresses_that_do_not_fit(void **state)
{
	start(0, 64);
	set_rules("open", 1, 443, "t");
	set_tags("member", "t");
	set_rules("plain", 3, 443, "u");
	set_endpoint(1, "open", 1, true);
	set_endpoint(2, "plain", 2, true);
	set_endpoint(3, "member", 0, true);
	commit(0);
	assert_true(admits(1, "10.65.0.4", 443));
	assert_true(admits(2, "192.0.2.1", 2001));
	for (unsigned int i = 4; i < 200; i++)
		set_endpoint(i, "member", 0, true);
	commit(-ENOSPC);
	/* Who must know all members denies; who asks for nothing that is missing goes on. */
	assert_non_null(problems_find(&lab.problems, "profile open"));
	assert_false(admits(1, "10.65.0.4", 443));
	assert_true(admits(2, "192.0.2.1", 2001));
	for (unsigned int i = 4; i < 200; i++)
		set_endpoint(i, "member", 0, false);
	commit(0);
	assert_int_equal(lab.problems.count, 0);
	assert_true(admits(1, "10.65.0.4", 443));
	stop();
}

/* Local endpoints that come when there is no room for their addresses. */
static void test_endpoints_that_do_not_fit(void **state)
{
	char object[32];
	unsigned int denied = 0;

	start(0, 64);
	set_rules("open", 1, 443, "t");
	set_tags("member", "t");
	set_endpoint(100, "member", 0, true);
	for (unsigned int i = 1; i < 100; i++)
		set_endpoint(i, "open", i, true);
	commit(-ENOSPC);
	for (unsigned int i = 1; i < 100; i++) {
		snprintf(object, sizeof(object), "endpoint cali%04u", i);
		denied += problems_find(&lab.problems, object) != NULL;
	}
	assert_true(denied >= 99 - 64 && denied < 99);
	for (unsigned int i = 50; i < 100; i++)
		set_endpoint(i, "open", i, false);
	commit(0);
	assert_int_equal(lab.problems.count, 0);
	for (unsigned int i = 1; i < 50; i++)
		assert_true(admits(i, "10.65.0.101", 443));
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_large_cluster, env_enter, env_leave),
		cmocka_unit_test_setup_teardown(test_large_host, env_enter, env_leave),
		cmocka_unit_test_setup_teardown(test_long_profile, env_enter, env_leave),
		cmocka_unit_test_setup_teardown(test_rules_that_do_not_fit, env_enter, env_leave),
		cmocka_unit_test_setup_teardown(test_addresses_that_do_not_fit, env_enter, env_leave),
		cmocka_unit_test_setup_teardown(test_endpoints_that_do_not_fit, env_enter, env_leave),
	};

	return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
