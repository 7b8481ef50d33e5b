/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Restarts: one generation of programs and maps takes over from another while interfaces stay attached. */
#include "dataplane_env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <sys/resource.h>

#include "flow.h"

#define NAME  "cali0001"
#define OTHER "cali0002"

static struct dataplane *start(const struct dataplane_config *config)
{
	struct dataplane *dp;
	struct err err;

	env_ok(dataplane_open(config, &dp, &err), &err);
	env_ok(dataplane_activate(dp, &err), &err);
	return dp;
}

/* Every way that this kernel has; from one to the other too. */
static const struct {
	enum attach_mode old, new;
} modes[] = {
	{ATTACH_CLSACT, ATTACH_CLSACT},
	{ATTACH_TCX, ATTACH_TCX},
	{ATTACH_TCX, ATTACH_CLSACT},
	{ATTACH_CLSACT, ATTACH_TCX},
};

static size_t mode_count(void)
{
	return env_has_tcx() ? sizeof(modes) / sizeof(modes[0]) : 1;
}

static struct dataplane *start_mode(enum attach_mode mode)
{
	const struct dataplane_config config = env_config(mode);

	return start(&config);
}

static void attach(struct dataplane *dp, int ifindex, const char *name)
{
	struct err err;

	env_ok(dataplane_attach(dp, ifindex, name, &err), &err);
	assert_true(dataplane_is_attached(dp, ifindex, name));
}

/* Number of programs on the hook, of both kinds. */
static int programs_on(int ifindex, bool ingress)
{
	__u32 ids[ENV_PROGRAMS];
	int filters = env_filters(ifindex, ingress), count = 0;

	env_tcx(ifindex, ingress, ids);
	while (ids[count])
		count++;
	return count + (filters > 0 ? filters : 0);
}

static void test_interfaces_are_switched_by_activate_and_not_before(void **state)
{
	for (size_t i = 0; i < mode_count(); i++) {
		struct dataplane *old = start_mode(modes[i].old), *new;
		int ifindex = env_veth(NAME), fresh;
		__u32 before, rules;
		struct err err;

		attach(old, ifindex, NAME);
		before = env_program(modes[i].old, ifindex, NAME, true);
		rules = env_map_id("rule");
		dataplane_close(old);

		new = env_open(modes[i].new);
		assert_false(dataplane_is_attached(new, ifindex, NAME));
		assert_int_equal(dataplane_attach(new, ifindex, NAME, &err), -EBUSY);
		assert_int_equal(env_program(modes[i].old, ifindex, NAME, true), before);
		assert_int_equal(env_map_id("rule"), rules);
		fresh = env_veth(OTHER);
		attach(new, fresh, OTHER);

		env_ok(dataplane_activate(new, &err), &err);
		assert_true(dataplane_is_attached(new, ifindex, NAME));
		assert_true(dataplane_is_attached(new, fresh, OTHER));
		assert_int_not_equal(env_program(modes[i].new, ifindex, NAME, true), before);
		assert_int_equal(programs_on(ifindex, true), 1);
		assert_int_equal(programs_on(ifindex, false), 1);
		assert_int_not_equal(env_map_id("rule"), rules);
		env_delete(NAME);
		env_delete(OTHER);
		dataplane_close(new);
	}
}

/* As an upgrade finds them: programs of a layout that the new daemon does not know, still attached. */
static void test_another_layout_gives_way_once_ours_is_in_force(void **state)
{
	const char *bpffs = env_config(ATTACH_TCX).bpffs;
	char own[192], old[192];
	int ifindex;
	struct dataplane *dp;

	env_need_tcx();
	ifindex = env_veth(NAME);
	dp = start_mode(ATTACH_TCX);
	attach(dp, ifindex, NAME);
	dataplane_close(dp);
	snprintf(own, sizeof(own), "%s/v%d", bpffs, ABI_VERSION);
	snprintf(old, sizeof(old), "%s/v%d", bpffs, ABI_VERSION + 1000);
	assert_int_equal(rename(own, old), 0);

	dp = start_mode(ATTACH_TCX);
	attach(dp, ifindex, NAME);
	assert_int_equal(programs_on(ifindex, true), 2); /* no moment without either */
	assert_int_equal(dataplane_remove_other_layouts(dp), 1);
	assert_int_equal(programs_on(ifindex, true), 1);
	assert_int_equal(programs_on(ifindex, false), 1);
	assert_true(dataplane_is_attached(dp, ifindex, NAME));
	assert_int_equal(access(old, F_OK), -1);
	assert_int_equal(access(own, F_OK), 0);
	assert_int_equal(dataplane_remove_other_layouts(dp), 0);
	env_delete(NAME);
	dataplane_close(dp);
}

static void test_activate_leaves_interfaces_without_our_programs_alone(void **state)
{
	int ifindex = env_veth(NAME);
	struct dataplane *dp = start_mode(ATTACH_AUTO);

	assert_int_equal(programs_on(ifindex, true), 0);
	assert_int_equal(programs_on(ifindex, false), 0);
	dataplane_close(dp);
}

static void test_activate_forgets_interfaces_that_are_gone(void **state)
{
	struct dataplane *dp;

	env_need_tcx();
	dp = start_mode(ATTACH_AUTO);
	attach(dp, env_veth(NAME), NAME);
	attach(dp, env_veth(OTHER), OTHER);
	env_delete(NAME);
	dataplane_close(dp);
	dp = start_mode(ATTACH_AUTO);
	assert_int_equal(access(env_pin("links/" NAME "_in"), F_OK), -1);
	assert_int_equal(access(env_pin("links/" NAME "_out"), F_OK), -1);
	assert_int_equal(access(env_pin("links/" OTHER "_in"), F_OK), 0);
	dataplane_close(dp);
}

static void test_flows_and_counters_are_taken_over(void **state)
{
	/* Rules have other numbers in each generation, and with them the events and hits. */
	static const char *const kept[] = {"flow4", "flow6", "fragment4", "drops", "drop_totals"};
	static const char *const made_anew[] = {"rule", "address4", "endpoint_policy", "rule_hits", "events"};
	struct dataplane *dp = start_mode(ATTACH_AUTO);
	__u32 kept_id[4], anew_id[5];

	for (int i = 0; i < 4; i++) {
		kept_id[i] = env_map_id(kept[i]);
		assert_int_not_equal(kept_id[i], 0);
	}
	for (int i = 0; i < 5; i++) {
		anew_id[i] = env_map_id(made_anew[i]);
		assert_int_not_equal(anew_id[i], 0);
	}
	dataplane_close(dp);
	dp = start_mode(ATTACH_AUTO);
	for (int i = 0; i < 4; i++)
		assert_int_equal(env_map_id(kept[i]), kept_id[i]);
	for (int i = 0; i < 5; i++)
		assert_int_not_equal(env_map_id(made_anew[i]), anew_id[i]);
	dataplane_close(dp);
}

#define MANY 5000 /* more than are copied at once */

static int open_pin(const char *name)
{
	int fd = bpf_obj_get(env_pin(name));

	assert_true(fd >= 0);
	return fd;
}

/* As the kernel counts ticks: from five minutes before their wrap. */
static __u32 jiffies(void)
{
	struct timespec now, tick;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	assert_int_equal(clock_getres(CLOCK_MONOTONIC_COARSE, &tick), 0);
	return (__u32)((now.tv_sec - 300) * (1000000000 / tick.tv_nsec));
}

static void put_flows(const char *name, __u32 first, __u32 count)
{
	struct flow flow = {.flags = FLOW_REPLIED | FLOW_ESTABLISHED, .seen = jiffies()};
	struct flow6_key key = {0}; /* IPv4: the first bytes of it */
	int map = open_pin(name);

	for (__u32 i = first; i < first + count; i++) {
		memcpy(&key, &i, sizeof(i));
		assert_int_equal(bpf_map_update_elem(map, &key, &flow, BPF_ANY), 0);
	}
	close(map);
}

static void check_flows(const char *name, __u32 count)
{
	struct flow6_key key = {0};
	struct flow flow;
	int map = open_pin(name);

	for (__u32 i = 0; i < count; i++) {
		memcpy(&key, &i, sizeof(i));
		assert_int_equal(bpf_map_lookup_elem(map, &key, &flow), 0);
		assert_int_equal(flow.flags, FLOW_REPLIED | FLOW_ESTABLISHED);
	}
	close(map);
}

/* With all the flows of the one before, also those that came while the programs were loaded. */
static void test_flow_table_of_another_size_is_made_anew(void **state)
{
	static const char *const names[] = {"flow4", "flow6"};
	struct dataplane_config config = env_config(ATTACH_AUTO);
	struct dataplane *dp;
	struct err err;
	__u32 flows, drops;

	config.flow_capacity = 4 * MANY;
	dp = start(&config);
	flows = env_map_id("flow4");
	drops = env_map_id("drops");
	for (size_t i = 0; i < 2; i++)
		put_flows(names[i], 0, MANY);
	dataplane_close(dp);
	config.flow_capacity *= 2;
	env_ok(dataplane_open(&config, &dp, &err), &err);
	for (size_t i = 0; i < 2; i++)
		put_flows(names[i], MANY, MANY);
	env_ok(dataplane_activate(dp, &err), &err);
	assert_int_not_equal(env_map_id("flow4"), flows);
	assert_int_equal(env_map_id("drops"), drops);
	for (size_t i = 0; i < 2; i++)
		check_flows(names[i], 2 * MANY);
	dataplane_close(dp);
}

static void test_pin_of_another_kind_of_map_is_not_taken_over(void **state)
{
	struct dataplane *dp = start_mode(ATTACH_AUTO);
	int foreign = bpf_map_create(BPF_MAP_TYPE_ARRAY, "flow4", 4, 4, 1, NULL);
	__u32 id;

	assert_true(foreign >= 0);
	dataplane_close(dp);
	assert_int_equal(unlink(env_pin("flow4")), 0);
	assert_int_equal(bpf_obj_pin(foreign, env_pin("flow4")), 0);
	id = env_map_id("flow4");
	dp = start_mode(ATTACH_AUTO);
	assert_int_not_equal(env_map_id("flow4"), id);
	close(foreign);
	dataplane_close(dp);
}

static void test_generations_differ_in_their_base(void **state)
{
	struct dataplane *one = env_open(ATTACH_AUTO), *two = env_open(ATTACH_AUTO);
	int first = env_veth(NAME), second = env_veth(OTHER);
	struct settings settings[2];

	attach(one, first, NAME);
	attach(two, second, OTHER);
	settings[0] =
		env_settings(env_program(env_has_tcx() ? ATTACH_TCX : ATTACH_CLSACT, first, NAME, true));
	settings[1] =
		env_settings(env_program(env_has_tcx() ? ATTACH_TCX : ATTACH_CLSACT, second, OTHER, false));
	assert_int_not_equal(settings[0].generation_base, settings[1].generation_base);
	dataplane_close(one);
	dataplane_close(two);
}

static void test_settings_reach_the_programs(void **state)
{
	static const __u8 host_mac[] = {HOST_MAC};
	struct dataplane_config config = env_config(ATTACH_AUTO);
	struct dataplane *dp;
	int ifindex = env_veth(NAME);
	struct settings settings;

	config.settings.drop_action = DROP_LOG_DROP;
	config.settings.mark_mask = 0x00f0;
	dp = start(&config);
	attach(dp, ifindex, NAME);
	for (int ingress = 0; ingress < 2; ingress++) {
		settings = env_settings(
			env_program(env_has_tcx() ? ATTACH_TCX : ATTACH_CLSACT, ifindex, NAME, ingress));
		assert_int_equal(settings.drop_action, DROP_LOG_DROP);
		assert_int_equal(settings.mark_approved, 0x10);
		assert_int_equal(settings.mark_nat_out, 0x20);
		assert_int_equal(settings.mark_to_host, 0x40);
		assert_int_equal(settings.mark_mask, 0x70);
		assert_memory_equal(settings.host_mac, host_mac, 6);
		assert_int_equal(settings.gateway4, inet_addr("169.254.1.1"));
		assert_true(settings.hz >= 100 && settings.hz <= 1000);
		assert_int_equal(settings.flows[0], env_config(ATTACH_AUTO).flow_capacity);
	}
	dataplane_close(dp);
}

/* Room for the descriptors before the maps, but not for all of those. */
static void test_failure_to_load_says_what_and_why(void **state)
{
	struct dataplane_config config = env_config(ATTACH_AUTO);
	struct rlimit limit, low;
	struct dataplane *dp;
	struct err err = {""};
	int rc;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 24;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	rc = dataplane_open(&config, &dp, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(rc, -EMFILE);
	assert_non_null(strstr(err.text, "the program from_endpoint cannot be loaded: "));
	assert_non_null(strstr(err.text, "no file descriptor left, its limit is 24"));
	assert_null(strchr(err.text, '\n'));
}

static void test_teardown_removes_everything_but_what_others_made(void **state)
{
	for (size_t i = 0; i < mode_count(); i++) {
		const enum attach_mode mode = modes[i].new;
		struct dataplane *dp = start_mode(mode);
		int ifindex = env_veth(NAME), other = env_veth(OTHER), foreign = env_veth("eth7");
		struct err err;

		attach(dp, ifindex, NAME);
		attach(dp, other, OTHER);
		attach(dp, foreign, "eth7");
		env_attach_foreign(mode, other);
		dataplane_close(dp);
		env_ok(dataplane_teardown(env_bpffs, "cali", &err), &err);
		assert_int_equal(programs_on(ifindex, true), 0);
		assert_int_equal(programs_on(ifindex, false), 0);
		assert_int_equal(programs_on(other, true), 1);
		assert_int_equal(programs_on(other, false), 1);
		/* As an uplink is: without the prefix. */
		assert_int_equal(programs_on(foreign, true), 0);
		assert_int_equal(access(env_bpffs, F_OK), -1);
		env_ok(dataplane_teardown(env_bpffs, "cali", &err), &err);
		env_delete(NAME);
		env_delete(OTHER);
		env_delete("eth7");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_enter, env_leave)
		TEST(test_interfaces_are_switched_by_activate_and_not_before),
		TEST(test_another_layout_gives_way_once_ours_is_in_force),
		TEST(test_activate_leaves_interfaces_without_our_programs_alone),
		TEST(test_activate_forgets_interfaces_that_are_gone),
		TEST(test_flows_and_counters_are_taken_over),
		TEST(test_flow_table_of_another_size_is_made_anew),
		TEST(test_pin_of_another_kind_of_map_is_not_taken_over),
		TEST(test_generations_differ_in_their_base),
		TEST(test_settings_reach_the_programs),
		TEST(test_failure_to_load_says_what_and_why),
		TEST(test_teardown_removes_everything_but_what_others_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
