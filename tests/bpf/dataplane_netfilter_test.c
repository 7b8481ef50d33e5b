/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Our rules in the host's netfilter, beside iptables and repaired after it. */
#include "dataplane_env.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/nftables.h"
#include "util/task.h"

#define OWN    "-m comment --comment \"calico-node cali marks 0x05000000\" -j ACCEPT"
#define FIRST  "-A FORWARD -i cali+ -m mark ! --mark 0x0/0x5000000 " OWN
#define SECOND "-A FORWARD -o cali+ " OWN

static void need_commands(void)
{
	env_need_command("iptables");
	env_need_command("iptables-legacy");
	env_need_command("nft");
}

static struct dataplane *start(bool masquerade)
{
	struct dataplane *dp = env_open(ATTACH_AUTO);
	struct err err;

	env_ok(netfilter_apply(dp, masquerade, &err), &err);
	return dp;
}

/* Our pair stands first in the chain, and exactly once. */
static bool accepts_first(void *arg)
{
	const char *iptables = arg;
	char expected[512];
	const char *rules = env_run("%s -S FORWARD 2>&1", iptables);
	const char *policy = strchr(rules, '\n'), *second;

	snprintf(expected, sizeof(expected), "\n%s\n%s\n", FIRST, SECOND);
	if (!policy || strncmp(policy, expected, strlen(expected)))
		return false;
	second = policy + strlen(expected) - 1;
	return !strstr(second, "calico-node");
}

static bool has_masquerade(void *arg)
{
	return strstr(env_run("nft list ruleset 2>/dev/null"), "masquerade comment \"calico-node mark");
}

static bool has_guard(void *arg)
{
	return strstr(env_run("nft list ruleset 2>/dev/null"),
		      "iifname \"cali*\" meta mark & 0x05000000 == 0x00000000 counter packets 0 bytes 0 drop "
		      "comment \"calico-node cali marks 0x05000000\"");
}

static void test_rules_stand_first_and_iptables_lists_them(void **state)
{
	struct dataplane *dp;
	const char *rules;

	need_commands();
	env_run("iptables -P FORWARD DROP && iptables -N DOCKER-USER && iptables -A FORWARD -j DOCKER-USER && "
		"iptables -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT");
	env_run("ip6tables -P FORWARD DROP");
	dp = start(false);
	assert_true(accepts_first("iptables"));
	assert_true(accepts_first("ip6tables"));
	rules = env_run("iptables-save 2>&1");
	assert_null(strstr(rules, "incompatible"));
	assert_non_null(strstr(rules, "-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT"));
	assert_non_null(strstr(rules, ":FORWARD DROP"));
	/* iptables can name the rule, so a person can delete it the usual way. */
	env_run("iptables -C %s", FIRST + strlen("-A "));
	dataplane_close(dp);
}

static void test_applying_again_changes_nothing(void **state)
{
	struct dataplane *dp;
	struct err err;
	char *before;

	need_commands();
	env_run("iptables -P FORWARD DROP");
	dp = start(true);
	before = strdup(env_run("nft -a list ruleset 2>/dev/null"));
	env_ok(netfilter_apply(dp, true, &err), &err);
	assert_string_equal(env_run("nft -a list ruleset 2>/dev/null"), before);
	free(before);
	dataplane_close(dp);
	dp = start(true);
	assert_true(accepts_first("iptables"));
	dataplane_close(dp);
}

static void test_removed_rules_are_put_back(void **state)
{
	struct dataplane *dp;

	need_commands();
	env_run("iptables -P FORWARD DROP");
	dp = start(true);
	env_run("iptables -D %s", FIRST + strlen("-A "));
	assert_false(accepts_first("iptables"));
	env_until(accepts_first, "iptables");
	env_run("iptables -F FORWARD");
	env_until(accepts_first, "iptables");
	env_run("nft flush ruleset");
	env_until(has_masquerade, NULL);
	dataplane_close(dp);
}

static void test_first_place_is_taken_back(void **state)
{
	struct dataplane *dp;

	need_commands();
	env_run("iptables -P FORWARD DROP");
	dp = start(false);
	env_run("iptables -N DOCKER-USER && iptables -I FORWARD -j DOCKER-USER");
	assert_false(accepts_first("iptables"));
	env_until(accepts_first, "iptables");
	assert_non_null(strstr(env_run("iptables -S FORWARD"), "-A FORWARD -j DOCKER-USER"));
	/* In between our two. */
	env_run("iptables -I FORWARD 2 -j DOCKER-USER");
	env_until(accepts_first, "iptables");
	/* Twice. */
	env_run("nft add rule ip filter FORWARD iifname '\"cali*\"' accept comment '\"calico-node cali\"'");
	assert_false(accepts_first("iptables"));
	env_until(accepts_first, "iptables");
	dataplane_close(dp);
}

static void test_rules_appear_with_the_chain(void **state)
{
	struct dataplane *dp;

	need_commands();
	dp = start(false);
	assert_null(strstr(env_run("nft list ruleset 2>/dev/null"), "FORWARD"));
	env_run("iptables -P FORWARD DROP");
	env_until(accepts_first, "iptables");
	env_run("nft delete table ip filter");
	env_run("iptables -P FORWARD DROP");
	env_until(accepts_first, "iptables");
	dataplane_close(dp);
}

/* With FORWARD or without: what no program has let in is dropped before. */
static void test_guard_is_always_there(void **state)
{
	struct dataplane *dp;
	struct err err;

	need_commands();
	dp = start(false);
	assert_true(has_guard(NULL));
	env_run("nft flush chain inet calico guard");
	env_until(has_guard, NULL);
	env_run("nft delete table inet calico");
	env_until(has_guard, NULL);
	env_run("nft flush ruleset");
	env_until(has_guard, NULL);
	dataplane_close(dp);
	assert_true(has_guard(NULL));
	env_ok(dataplane_teardown(env_bpffs, "cali", &err), &err);
	assert_string_equal(env_run("nft list ruleset 2>/dev/null"), "");
}

/* They accepted whatever came from an endpoint's interface, judged or not. */
static void test_rules_of_an_earlier_version_are_replaced(void **state)
{
	struct dataplane *dp;

	need_commands();
	env_run("iptables -P FORWARD DROP");
	env_run("nft add rule ip filter FORWARD iifname '\"cali*\"' accept comment '\"calico-node cali\"'");
	env_run("nft add rule ip filter FORWARD oifname '\"cali*\"' accept comment '\"calico-node cali\"'");
	dp = start(false);
	assert_true(accepts_first("iptables"));
	dataplane_close(dp);
}

static void test_masquerade_has_a_table_of_its_own(void **state)
{
	struct dataplane *dp;
	struct err err;

	need_commands();
	env_run("iptables -t nat -A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE");
	dp = start(true);
	assert_non_null(strstr(env_run("nft list table ip calico"), "meta mark & 0x02000000 == 0x02000000"));
	env_run("nft flush chain ip calico postrouting");
	env_until(has_masquerade, NULL);
	env_ok(netfilter_apply(dp, false, &err), &err);
	assert_null(strstr(env_run("nft list ruleset 2>/dev/null"), "table ip calico"));
	assert_non_null(
		strstr(env_run("iptables -t nat -S"), "-A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE"));
	dataplane_close(dp);
}

static void test_teardown_removes_our_rules_only(void **state)
{
	struct dataplane *dp;
	struct err err;
	char *before;

	need_commands();
	env_run("iptables -P FORWARD DROP && iptables -A FORWARD -i docker0 -j ACCEPT");
	before = strdup(env_run("iptables-save -t filter | grep -v '^#'"));
	dp = start(true);
	dataplane_close(dp);
	assert_true(accepts_first("iptables"));
	env_ok(dataplane_teardown(env_bpffs, "cali", &err), &err);
	assert_string_equal(env_run("iptables-save -t filter | grep -v '^#'"), before);
	assert_null(strstr(env_run("nft list ruleset 2>/dev/null"), "calico"));
	free(before);
}

static void test_prefix_that_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = {"", "cali\"; flush ruleset; \"", "cali*", "averyverylongprefix"};
	struct dataplane_config config = env_config(ATTACH_AUTO);
	struct dataplane *dp;
	struct err err;

	need_commands();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		config.interface_prefix = bad[i];
		env_ok(dataplane_open(&config, &dp, &err), &err);
		assert_true(netfilter_apply(dp, true, &err) < 0);
		assert_string_equal(env_run("nft list ruleset 2>/dev/null"), "");
		dataplane_close(dp);
	}
}

static void test_iptables_legacy_that_drops_is_seen(void **state)
{
	need_commands();
	assert_false(xtables_drops_forwarded("cali"));
	env_run("iptables-legacy -A FORWARD -i docker0 -j ACCEPT");
	assert_false(xtables_drops_forwarded("cali"));
	env_run("iptables-legacy -P FORWARD DROP");
	assert_true(xtables_drops_forwarded("cali"));
	env_run("iptables-legacy -I FORWARD -i cali+ -j ACCEPT");
	assert_false(xtables_drops_forwarded("cali"));
	assert_true(xtables_drops_forwarded("tap"));
}

/* A task's stack is small, and the agent applies from tasks. */
static void apply_in_task(void *arg)
{
	struct err err;

	env_ok(netfilter_apply(arg, true, &err), &err);
}

static void test_applies_on_the_stack_of_a_task(void **state)
{
	struct dataplane *dp;

	need_commands();
	dp = env_open(ATTACH_AUTO);
	env_run("iptables -P FORWARD DROP");
	assert_int_equal(task_start(apply_in_task, dp), 0);
	assert_true(accepts_first("iptables"));
	assert_true(has_masquerade(NULL));
	dataplane_close(dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_enter, env_leave)
		TEST(test_rules_stand_first_and_iptables_lists_them),
		TEST(test_applying_again_changes_nothing),
		TEST(test_removed_rules_are_put_back),
		TEST(test_first_place_is_taken_back),
		TEST(test_rules_appear_with_the_chain),
		TEST(test_guard_is_always_there),
		TEST(test_rules_of_an_earlier_version_are_replaced),
		TEST(test_masquerade_has_a_table_of_its_own),
		TEST(test_teardown_removes_our_rules_only),
		TEST(test_prefix_that_is_no_name_is_refused),
		TEST(test_iptables_legacy_that_drops_is_seen),
		TEST(test_applies_on_the_stack_of_a_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
