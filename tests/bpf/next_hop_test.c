/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is remembered of the routing table: for which packets, for how long, and that it is what the table
 * says. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>

#include "netlink/netlink.h"
#include "table.h"

/* Past the host's stack; to it. */
#define DIRECT TC_ACT_REDIRECT
#define STACK  TC_ACT_OK

#define ATTEMPTS     100 /* until something happens within a quarter of a second */
#define PATIENCE_S   5
#define TOS_OFFSET   15 /* in an IPv4 frame */
#define CLASS_OFFSET 14 /* in an IPv6 frame: version, and half of the traffic class */

/* By its path: a shell of busybox would take its own, which knows less. */
#define IP "/usr/sbin/ip"

static const struct case_of_family {
	const char *a, *outside, *gateway, *ip;
	__u8 family;
} families[] = {{A4, EXTERNAL4, "192.0.2.1", IP, 4}, {A6, EXTERNAL6, "2001:db8:2::1", IP " -6", 6}};

#define FOR_EACH_FAMILY(f) for (const struct case_of_family *f = families; f < families + 2; f++)

static void __attribute__((format(printf, 1, 2))) run_shell(const char *format, ...)
{
	char command[200];
	va_list args;
	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static void routing_changed(void)
{
	static struct routing routing;
	__u32 first = 0;
	routing.serial++;
	progrun_put(table_fixture()->progrun, "routing", &first, &routing);
}

static void set_uplink(bool present)
{
	struct uplink uplink = {.name = "uplink"};
	progrun_clear(table_fixture()->progrun, "uplink");
	if (present)
		progrun_put(table_fixture()->progrun, "uplink", &table_fixture()->uplink, &uplink);
}

static struct frame answer(const struct case_of_family *f)
{
	return frame_udp(f->a, 80, f->outside, 1000);
}

/* A flow from outside that has been answered; further answers leave directly by the fast path. */
static void open_flow(const struct case_of_family *f)
{
	struct frame frame = frame_udp(f->outside, 1000, f->a, 80);
	struct run run;
	set_uplink(true);
	fixture_run(table_fixture(),
		    &(const struct hook){FROM_UPLINK, table_fixture()->uplink, table_fixture()->uplink, 0},
		    &frame, &run);
	assert_int_equal(run.action, DIRECT);
	run = table_send(answer(f));
	assert_int_equal(run.action, DIRECT);
}

static int send_answer(const struct case_of_family *f)
{
	struct run run = table_send(answer(f));
	assert_int_equal(run.drops, 0);
	return run.action;
}

/* With a TOS, or in IPv6 the upper half of the traffic class. */
static int send_with_tos(const struct case_of_family *f, __u8 tos)
{
	struct frame frame = answer(f);
	const struct hook hook = {FROM_ENDPOINT, table_fixture()->ifindex[SLOT_A],
				  table_fixture()->ifindex[SLOT_A], 0};
	struct packet packet;
	struct run run;
	frame.source_mac = A_MAC;
	packet_build(&frame, &packet);
	if (f->family == 4)
		packet.data[TOS_OFFSET] = tos;
	else
		packet.data[CLASS_OFFSET] |= tos >> 4;
	progrun_packet(table_fixture()->progrun, &hook, &packet, &run);
	assert_int_equal(run.drops, 0);
	return run.action;
}

/* What there is of the family, on any CPU; `change` may write into it. Returns how many there were. */
static unsigned int each_entry(__u8 family, void (*change)(struct next_hop *, const void *), const void *arg)
{
	int map = progrun_map(table_fixture()->progrun, "next_hop"), cpus = libbpf_num_possible_cpus();
	struct next_hop *entries = calloc((size_t)cpus, sizeof(*entries));
	unsigned int found = 0;
	assert_non_null(entries);
	for (__u32 place = 0; place < NEXT_HOPS; place++) {
		unsigned int here = 0;
		assert_int_equal(bpf_map_lookup_elem(map, &place, entries), 0);
		for (int cpu = 0; cpu < cpus; cpu++) {
			if (entries[cpu].family != family)
				continue;
			change(&entries[cpu], arg);
			here++;
		}
		if (here)
			assert_int_equal(bpf_map_update_elem(map, &place, entries, BPF_ANY), 0);
		found += here;
	}
	free(entries);
	return found;
}

static void remember(struct next_hop *entry, const void *arg)
{
	*(struct next_hop *)arg = *entry;
}

static void test_next_hop_is_remembered(void **state)
{
	FOR_EACH_FAMILY(f)
	{
		int action = STACK;
		open_flow(f);
		for (int i = 0; i < ATTEMPTS && action == STACK; i++) {
			set_uplink(true);
			assert_int_equal(send_answer(f), DIRECT);
			set_uplink(false);
			action = send_answer(f);
		}
		assert_int_equal(action, DIRECT);
	}
}

static void test_change_of_routing_is_followed_at_once(void **state)
{
	FOR_EACH_FAMILY(f)
	{
		open_flow(f);
		for (int i = 0; i < 3; i++) {
			set_uplink(true);
			routing_changed();
			assert_int_equal(send_answer(f), DIRECT);
			set_uplink(false);
			routing_changed();
			assert_int_equal(send_answer(f), STACK);
		}
	}
}

static void test_change_that_nobody_tells_is_noticed(void **state)
{
	FOR_EACH_FAMILY(f)
	{
		time_t deadline = time(NULL) + PATIENCE_S;
		set_uplink(true);
		open_flow(f);
		assert_int_equal(send_answer(f), DIRECT);
		set_uplink(false);
		while (send_answer(f) != STACK) {
			if (time(NULL) > deadline)
				fail_msg("a route is believed for more than %d s", PATIENCE_S);
		}
	}
}

static void test_next_hop_is_that_of_the_routing_table(void **state)
{
	FOR_EACH_FAMILY(f)
	{
		struct next_hop found = {0};
		struct addr addr;
		open_flow(f);
		run_shell("%s route replace %s via %s dev uplink onlink mtu lock 1400", f->ip, f->outside,
			  f->gateway);
		routing_changed();
		assert_int_equal(send_answer(f), DIRECT);
		assert_int_equal(each_entry(f->family, remember, &found), 1);
		run_shell("%s route replace %s dev uplink", f->ip, f->outside);

		addr_parse(f->gateway, &addr);
		assert_memory_equal(found.next, addr.bytes, f->family == 4 ? 4 : 16);
		assert_int_equal(found.ifindex, table_fixture()->uplink);
		assert_int_equal(found.mtu, 1400);
		assert_int_equal(found.from, table_fixture()->ifindex[SLOT_A]);
	}
}

static void test_larger_packets_than_the_route_takes_go_to_the_stack(void **state)
{
	FOR_EACH_FAMILY(f)
	{
		struct frame frame = answer(f);
		size_t most = 1500 - 8 - (f->family == 4 ? 20 : 40);
		open_flow(f);
		for (int i = 0; i < 3; i++) {
			frame.payload_length = most;
			assert_int_equal(table_send(frame).action, DIRECT);
			frame.payload_length = most + 1;
			assert_int_equal(table_send(frame).action, STACK);
		}
	}
}

/* The kernel does not say the MTU then. */
static void test_next_hop_that_has_not_answered_is_asked_for_again(void **state)
{
	FOR_EACH_FAMILY(f)
	{
		struct frame frame = answer(f);
		open_flow(f);
		run_shell("%s neigh delete %s dev uplink", f->ip, f->outside);
		assert_int_equal(send_answer(f), DIRECT);
		frame.payload_length = 1000;
		assert_int_equal(table_send(frame).action, DIRECT);
		run_shell("%s neigh add %s lladdr 02:00:00:00:00:01 dev uplink", f->ip, f->outside);
	}
}

static void test_rule_by_tos_holds(void **state)
{
	FOR_EACH_FAMILY(f)
	{
		run_shell("%s rule add tos 0x10 blackhole", f->ip);
		open_flow(f);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(send_with_tos(f, 0), DIRECT);
			assert_int_equal(send_with_tos(f, 0x10), STACK);
		}
		run_shell("%s rule delete tos 0x10 blackhole", f->ip);
	}
}

/* Fields of an entry, one of which is made another packet's. */
static const struct field {
	const char *name;
	size_t offset;
	__u8 family; /* 0: both */
} fields[] = {
	{"source", offsetof(struct next_hop, source[0]), 0},
	{"source, last word", offsetof(struct next_hop, source[3]), 6},
	{"destination", offsetof(struct next_hop, destination[0]), 0},
	{"destination, last word", offsetof(struct next_hop, destination[3]), 6},
	{"source port", offsetof(struct next_hop, source_port), 0},
	{"destination port", offsetof(struct next_hop, destination_port), 0},
	{"tos", offsetof(struct next_hop, tos), 0},
	{"protocol", offsetof(struct next_hop, protocol), 0},
	{"family", offsetof(struct next_hop, family), 0},
	{"from", offsetof(struct next_hop, from), 0},
	{"serial", offsetof(struct next_hop, serial), 0},
};

static void spoil(struct next_hop *entry, const void *field)
{
	((__u8 *)entry)[((const struct field *)field)->offset] ^= 2;
}

static void test_what_is_remembered_of_other_packets_counts_nothing(void **state)
{
	FOR_EACH_FAMILY(f)
	{
		open_flow(f);
		for (const struct field *field = fields; field < fields + sizeof(fields) / sizeof(fields[0]);
		     field++) {
			if (field->family && field->family != f->family)
				continue;
			set_uplink(true);
			routing_changed();
			assert_int_equal(send_answer(f), DIRECT);
			assert_int_not_equal(each_entry(f->family, spoil, field), 0);
			set_uplink(false);
			if (send_answer(f) != STACK)
				fail_msg("IPv%d: the %s is not compared", f->family, field->name);
		}
	}
}

/* Each CPU remembers for itself. */
static void stay_here(void)
{
	cpu_set_t here;
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	assert_int_equal(sched_setaffinity(0, sizeof(here), &here), 0);
}

/* Routes of the fixture's host to what is outside. */
static int setup(void **state)
{
	struct err err;
	int r = table_setup(state);
	if (r == 0)
		r = sysctl_write("ipv4/ip_forward", "1", &err);
	if (r == 0)
		r = sysctl_write("ipv6/conf/all/forwarding", "1", &err);
	if (r)
		return r;
	stay_here();
	/* Without an interface that is up, IPv4 knows no gateways; without neighbours, nothing is remembered.
	 */
	run_shell(IP " link set lo up");
	FOR_EACH_FAMILY(f)
	{
		run_shell("%s route add %s dev uplink", f->ip, f->outside);
		run_shell("%s neigh add %s lladdr 02:00:00:00:00:01 dev uplink", f->ip, f->outside);
		run_shell("%s neigh add %s lladdr 02:00:00:00:00:01 dev uplink", f->ip, f->gateway);
	}
	return 0;
}

static int reset(void **state)
{
	table_reset(state);
	progrun_zero(table_fixture()->progrun, "next_hop");
	set_uplink(true);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_next_hop_is_remembered),
		TEST(test_change_of_routing_is_followed_at_once),
		TEST(test_change_that_nobody_tells_is_noticed),
		TEST(test_next_hop_is_that_of_the_routing_table),
		TEST(test_larger_packets_than_the_route_takes_go_to_the_stack),
		TEST(test_next_hop_that_has_not_answered_is_asked_for_again),
		TEST(test_rule_by_tos_holds),
		TEST(test_what_is_remembered_of_other_packets_counts_nothing),
	};
	return cmocka_run_group_tests_name("next hop", tests, setup, table_teardown);
}
