/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Uplinks as the daemon sets them up: XDP programs on interfaces, the block list, when routes count anew. */
#include "dataplane_env.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#define NAME "eth7"

static struct dataplane *open_active(void)
{
	struct dataplane *dp = env_open(ATTACH_AUTO);
	struct err err;

	env_ok(dataplane_activate(dp, &err), &err);
	return dp;
}

/* 0: none. */
static __u32 xdp_on(int ifindex)
{
	__u32 id = 0;

	assert_int_equal(bpf_xdp_query_id(ifindex, XDP_FLAGS_DRV_MODE, &id), 0);
	return id;
}

static bool pinned(void)
{
	return access(env_pin("links/" NAME "_xdp"), F_OK) == 0;
}

static struct screening state(void)
{
	struct screening entry = {0};
	int map = bpf_obj_get(env_pin("screening"));
	__u32 zero = 0;

	assert_true(map >= 0);
	assert_int_equal(bpf_map_lookup_elem(map, &zero, &entry), 0);
	close(map);
	return entry;
}

static void attach(struct dataplane *dp, int ifindex)
{
	struct err err;

	env_ok(dataplane_attach_uplink(dp, ifindex, NAME, &(const struct addr){0}, &err), &err);
}

static void screen(struct dataplane *dp, int ifindex, bool xdp)
{
	struct err err;

	env_ok(dataplane_screen_uplink(dp, ifindex, NAME, xdp, &err), &err);
}

static void test_xdp_outlives_the_daemon_and_is_replaced(void **unused)
{
	struct dataplane *dp = open_active();
	int ifindex = env_veth(NAME);
	__u32 first, second;

	attach(dp, ifindex);
	assert_true(state().by_tc);
	screen(dp, ifindex, true);
	assert_false(state().by_tc);
	assert_true(pinned());
	first = xdp_on(ifindex);
	assert_int_not_equal(first, 0);
	/* Attaching the others again leaves it be. */
	attach(dp, ifindex);
	assert_false(state().by_tc);
	dataplane_close(dp);
	assert_int_equal(xdp_on(ifindex), first);

	dp = open_active();
	assert_int_equal(xdp_on(ifindex), first);
	attach(dp, ifindex);
	screen(dp, ifindex, true);
	second = xdp_on(ifindex);
	assert_int_not_equal(second, 0);
	assert_int_not_equal(second, first);
	assert_false(state().by_tc);
	screen(dp, ifindex, false);
	assert_int_equal(xdp_on(ifindex), 0);
	assert_false(pinned());
	assert_true(state().by_tc);
	dataplane_close(dp);
}

static void test_xdp_goes_with_the_uplink(void **unused)
{
	struct dataplane *dp = open_active();
	int ifindex = env_veth(NAME);
	struct err err;

	attach(dp, ifindex);
	screen(dp, ifindex, true);
	env_ok(dataplane_detach_uplink(dp, ifindex, NAME, &err), &err);
	assert_int_equal(xdp_on(ifindex), 0);
	assert_false(pinned());
	assert_false(state().by_tc);

	/* Its pin is left behind when the interface goes, and in nobody's way. */
	attach(dp, ifindex);
	screen(dp, ifindex, true);
	env_delete(NAME);
	ifindex = env_veth(NAME);
	attach(dp, ifindex);
	screen(dp, ifindex, true);
	assert_int_not_equal(xdp_on(ifindex), 0);
	dataplane_close(dp);
	env_ok(dataplane_teardown(env_bpffs, "cali", &err), &err);
	assert_int_equal(xdp_on(ifindex), 0);
}

static int foreign_program(void)
{
	static const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "foreign", "GPL", pass, 2, NULL);
}

static void test_where_xdp_cannot_be_tc_screens(void **unused)
{
	struct dataplane *dp = open_active();
	int ifindex = env_veth(NAME), program = foreign_program();
	__u32 foreign;
	struct err err;

	assert_int_equal(bpf_xdp_attach(ifindex, program, XDP_FLAGS_DRV_MODE, NULL), 0);
	close(program);
	foreign = xdp_on(ifindex);
	attach(dp, ifindex);
	assert_int_equal(dataplane_screen_uplink(dp, ifindex, NAME, true, &err), -EBUSY);
	assert_string_equal(err.text, "another XDP program is on " NAME);
	assert_true(state().by_tc);
	assert_int_equal(xdp_on(ifindex), foreign);
	env_delete(NAME);
	env_ok(dataplane_detach_uplink(dp, ifindex, NAME, &err), &err);

	ifindex = link_index(env_netlink, "lo");
	env_ok(dataplane_attach_uplink(dp, ifindex, "lo", &(const struct addr){0}, &err), &err);
	assert_int_equal(dataplane_screen_uplink(dp, ifindex, "lo", true, &err), -EOPNOTSUPP);
	assert_string_equal(err.text, "the driver of lo has no XDP");
	assert_true(state().by_tc);
	assert_int_not_equal(access(env_pin("links/lo_xdp"), F_OK), 0);
	env_ok(dataplane_detach_uplink(dp, ifindex, "lo", &err), &err);
	dataplane_close(dp);
}

static __u32 routing_serial(void)
{
	struct routing entry = {0};
	int map = bpf_obj_get(env_pin("routing"));
	__u32 zero = 0;

	assert_true(map >= 0);
	assert_int_equal(bpf_map_lookup_elem(map, &zero, &entry), 0);
	close(map);
	return entry.serial;
}

static void test_next_hops_are_asked_for_again_when_uplinks_change(void **unused)
{
	struct dataplane *dp = open_active();
	int ifindex = env_veth(NAME);
	__u32 before = routing_serial();
	struct err err;

	dataplane_routing_changed(dp);
	assert_int_not_equal(routing_serial(), before);
	before = routing_serial();
	attach(dp, ifindex);
	assert_int_not_equal(routing_serial(), before);
	before = routing_serial();
	env_ok(dataplane_detach_uplink(dp, ifindex, NAME, &err), &err);
	assert_int_not_equal(routing_serial(), before);
	dataplane_close(dp);
}

/* Not one program for several uplinks: one of them without XDP is enough for TC to look. */
static void test_tc_screens_as_long_as_one_uplink_needs_it(void **unused)
{
	struct dataplane *dp = open_active();
	int ifindex = env_veth(NAME), other = env_veth("eth8");
	struct err err;

	attach(dp, ifindex);
	screen(dp, ifindex, true);
	env_ok(dataplane_attach_uplink(dp, other, "eth8", &(const struct addr){0}, &err), &err);
	assert_true(state().by_tc);
	env_ok(dataplane_screen_uplink(dp, other, "eth8", true, &err), &err);
	assert_false(state().by_tc);
	env_ok(dataplane_screen_uplink(dp, other, "eth8", false, &err), &err);
	assert_true(state().by_tc);
	env_ok(dataplane_detach_uplink(dp, other, "eth8", &err), &err);
	assert_false(state().by_tc);
	dataplane_close(dp);
}

static int block(struct dataplane *dp, const char *text, bool blocked)
{
	struct cidr cidr;
	struct err err;

	assert_int_equal(cidr_parse(text, &cidr), 0);
	return dataplane_block(dp, &cidr, blocked, &err);
}

static void test_block_list_holds_thousands(void **unused)
{
	struct dataplane *dp = open_active();
	__u32 serial = state().serial;
	char text[CIDR_TEXT];

	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), i % 2 ? "10.%d.%d.0/24" : "2001:db8:%x:%x::/64", i / 256,
			 i % 256);
		assert_int_equal(block(dp, text, true), 0);
	}
	assert_int_equal(dataplane_blocked(dp), 10000);
	assert_int_not_equal(state().serial, serial);
	serial = state().serial;
	assert_int_equal(block(dp, "10.0.1.0/24", true), 0);
	assert_int_equal(block(dp, "192.0.2.0/24", false), 0);
	assert_int_equal(dataplane_blocked(dp), 10000);
	assert_int_equal(state().serial, serial); /* nothing has changed */
	assert_int_equal(block(dp, "10.0.1.0/24", false), 0);
	assert_int_equal(dataplane_blocked(dp), 9999);
	assert_int_not_equal(state().serial, serial);
	dataplane_close(dp);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, env_enter, env_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_xdp_outlives_the_daemon_and_is_replaced),
		TEST(test_xdp_goes_with_the_uplink),
		TEST(test_where_xdp_cannot_be_tc_screens),
		TEST(test_tc_screens_as_long_as_one_uplink_needs_it),
		TEST(test_next_hops_are_asked_for_again_when_uplinks_change),
		TEST(test_block_list_holds_thousands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
