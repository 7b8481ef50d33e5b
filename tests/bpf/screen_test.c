/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is dropped where it arrives, by XDP and by TC in its stead, and what must not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "netlink/netlink.h"
#include "table.h"

/* In this host's block, without an endpoint, and the host's routing table sends it ... */
#define GONE4	   "10.65.0.77" /* back to where it came from */
#define GONE6	   "fd65::77"
#define ELSEWHERE4 "10.65.0.78" /* to an interface that is no uplink */
#define UNROUTED4  "10.65.0.79" /* nowhere */
#define OTHERS4	   "10.65.7.77" /* in the pool, but not in a block of this host */
#define BLOCKED4   "198.51.100.9"
#define BLOCKED6   "2001:db8:bad::9"

static struct run through(enum program program, struct frame frame)
{
	struct fixture *fixture = table_fixture();
	struct run run;
	fixture_run(fixture, &(const struct hook){program, fixture->uplink, fixture->uplink, 0}, &frame,
		    &run);
	return run;
}

/* The uplink's XDP program; or the TC program of an uplink that has none. */
static struct run xdp(struct frame frame)
{
	return through(SCREEN_UPLINK, frame);
}

static void set_state(__u32 serial, bool by_tc)
{
	struct screening state = {.serial = serial, .by_tc = by_tc};
	struct uplink uplink = {.name = "uplink", .xdp = !by_tc};
	__u32 zero = 0;
	progrun_put(table_fixture()->progrun, "screening", &zero, &state);
	progrun_put(table_fixture()->progrun, "uplink", &table_fixture()->uplink, &uplink);
}

static __u32 serial;

static struct run tc(struct frame frame)
{
	set_state(serial, true);
	struct run run = through(FROM_UPLINK, frame);
	set_state(serial, false);
	return run;
}

static void block(const char *text, bool blocked)
{
	struct progrun *progrun = table_fixture()->progrun;
	struct blocked entry = {.blocked = 1};
	struct cidr cidr;
	assert_int_equal(cidr_parse(text, &cidr), 0);
	struct prefix6_key key = {.prefix_length = cidr.length};
	memcpy(key.address, cidr.addr.bytes, sizeof(key.address));
	const char *map = cidr.addr.family == 4 ? "blocked4" : "blocked6";
	if (blocked)
		progrun_put(progrun, map, &key, &entry);
	else
		progrun_delete(progrun, map, &key);
	set_state(++serial, false);
}

/* Twice each: found out, and remembered. */
static void expect_screened(struct frame frame, enum drop_reason reason)
{
	for (int i = 0; i < 2; i++) {
		struct run run = xdp(frame);
		assert_drops(&run, reason);
		run = tc(frame);
		assert_drops(&run, reason);
	}
}

static void expect_xdp_passes(struct frame frame)
{
	char text[128];
	for (int i = 0; i < 2; i++) {
		struct run run = xdp(frame);
		if (run.action != TC_ACT_OK || run.drops)
			fail_msg("%s; expected to pass", run_describe(&run, text));
	}
}

static void expect_unscreened(struct frame frame)
{
	expect_xdp_passes(frame);
	struct run run = tc(frame);
	assert_passes(&run);
}

static void test_blocked_sources_reach_nobody(void **state)
{
	block("198.51.100.0/24", true);
	block("2001:db8:bad::/48", true);
	expect_screened(frame_tcp(BLOCKED4, 1000, A4, 80, TCP_SYN), DROP_REASON_BLOCKED);
	expect_screened(frame_tcp(BLOCKED4, 1000, A4, 80, TCP_ACK), DROP_REASON_BLOCKED);
	expect_screened(frame_udp(BLOCKED4, 1000, REMOTE4, 53), DROP_REASON_BLOCKED);
	expect_screened(frame_udp(BLOCKED6, 1000, A6, 53), DROP_REASON_BLOCKED);
	expect_screened(frame_echo(BLOCKED6, A6, false, 1), DROP_REASON_BLOCKED);
	expect_unscreened(frame_udp("198.51.101.9", 1000, A4, 53));
	expect_unscreened(frame_udp("2001:db8:bae::9", 1000, A6, 53));
	struct frame odd = frame_udp(BLOCKED4, 1000, A4, 53);
	odd.fragment_offset = 100;
	expect_screened(odd, DROP_REASON_BLOCKED);
	odd.fragment_offset = 0;
	static const uint8_t options[4] = {1, 1, 1, 1};
	odd.options = options;
	odd.options_length = sizeof(options);
	expect_screened(odd, DROP_REASON_BLOCKED);
}

/* Its own policy and its NAT decide: nobody locks himself out, and no answer to the host is lost. */
static void test_the_host_s_own_packets_pass(void **state)
{
	block("0.0.0.0/0", true);
	block("::/0", true);
	expect_unscreened(frame_tcp(BLOCKED4, 1000, HOST4, 22, TCP_SYN));
	expect_unscreened(frame_tcp(BLOCKED6, 1000, HOST6, 22, TCP_SYN));
	expect_unscreened(frame_udp(BLOCKED4, 1000, "224.0.0.5", 22));
	expect_unscreened(frame_udp(BLOCKED4, 1000, "255.255.255.255", 67));
	expect_unscreened(frame_udp("0.0.0.0", 68, "255.255.255.255", 67));
	expect_unscreened(frame_udp(BLOCKED6, 1000, "ff02::1", 22));
	block("0.0.0.0/0", false);
	block("::/0", false);
	expect_unscreened(frame_udp(BLOCKED4, 1000, A4, 53));
}

static void test_block_list_changes_at_once(void **state)
{
	struct frame frame = frame_udp(BLOCKED4, 1000, A4, 53), back = frame_udp(A4, 53, BLOCKED4, 1000);
	expect_unscreened(frame);
	struct run run = table_send(back);
	assert_passes(&run);
	expect_unscreened(frame);
	block("198.51.100.9/32", true);
	expect_screened(frame, DROP_REASON_BLOCKED); /* though the flow is established */
	block("198.51.100.9/32", false);
	expect_unscreened(frame);
}

static void test_the_longest_entries_count_as_well_as_the_shortest(void **state)
{
	char text[32];
	for (int i = 0; i < 256; i++) {
		snprintf(text, sizeof(text), "198.51.%d.%d/32", i, i);
		block(text, true);
	}
	expect_screened(frame_udp("198.51.77.77", 1, A4, 2), DROP_REASON_BLOCKED);
	expect_unscreened(frame_udp("198.51.77.78", 1, A4, 2));
	block("198.51.0.0/16", true);
	expect_screened(frame_udp("198.51.77.78", 1, A4, 2), DROP_REASON_BLOCKED);
	block("198.51.0.0/16", false);
	expect_unscreened(frame_udp("198.51.77.78", 1, A4, 2));
	expect_screened(frame_udp("198.51.77.77", 1, A4, 2), DROP_REASON_BLOCKED);
}

static void test_addresses_of_nobody_are_dropped(void **state)
{
	expect_screened(frame_tcp(EXTERNAL4, 1000, GONE4, 80, TCP_SYN), DROP_REASON_NO_DESTINATION);
	expect_screened(frame_udp(EXTERNAL6, 1000, GONE6, 80), DROP_REASON_NO_DESTINATION);
	expect_unscreened(frame_udp(EXTERNAL4, 1000, ELSEWHERE4, 80));
	expect_unscreened(frame_udp(EXTERNAL4, 1000, UNROUTED4, 80));
	expect_unscreened(frame_udp(EXTERNAL4, 1000, OTHERS4, 80));
	expect_unscreened(frame_udp(EXTERNAL4, 1000, C4, 80)); /* inactive: the stack tells so */
	expect_unscreened(frame_udp(EXTERNAL4, 1000, REMOTE4, 80));
}

/* Of this host's block, and used by another one. */
static void test_borrowed_addresses_are_left_to_the_stack(void **state)
{
	struct address address = {.row = 120,
				  .words = 1,
				  .generation_slot = GENERATION_FIRST + 21,
				  .flags = ADDRESS_REMOTE | ADDRESS_IN_POOL | ADDRESS_BLOCK};
	fixture_address4(table_fixture(), GONE4, 0, &address);
	expect_unscreened(frame_udp(EXTERNAL4, 1000, GONE4, 80));
}

/* An endpoint appears under an address that was dropped just now. */
static void test_a_new_endpoint_is_reached_at_once(void **state)
{
	struct address address = {.row = 120,
				  .words = 1,
				  .generation_slot = GENERATION_FIRST + SLOT_B,
				  .endpoint = SLOT_B,
				  .flags = ADDRESS_LOCAL | ADDRESS_IN_POOL | ADDRESS_BLOCK};
	struct address4_key key = {{10, 65, 0, 77}};
	__u32 slot = 77, generation = 0;
	expect_screened(frame_udp(EXTERNAL4, 1000, GONE4, 80), DROP_REASON_NO_DESTINATION);
	fixture_address4(table_fixture(), GONE4, 0, &address);
	progrun_get(table_fixture()->progrun, "generation", &slot, &generation);
	generation++;
	progrun_put(table_fixture()->progrun, "generation", &slot, &generation);
	expect_unscreened(frame_udp(EXTERNAL4, 1000, GONE4, 80));
	/* And goes: its own generation tells. */
	progrun_delete(table_fixture()->progrun, "address4", &key);
	fixture_bump(table_fixture(), SLOT_B);
	expect_screened(frame_udp(EXTERNAL4, 1001, GONE4, 80), DROP_REASON_NO_DESTINATION);
}

static void test_impossible_sources_are_martians(void **state)
{
	static const char *const sources[] = {A4, "127.0.0.1", "224.0.0.5", "240.0.0.1"};
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		expect_screened(frame_udp(sources[i], 1000, B4, 80), DROP_REASON_MARTIAN);
	expect_screened(frame_tcp(A4, 1000, B4, 80, TCP_ACK), DROP_REASON_MARTIAN);
	expect_screened(frame_udp(A6, 1000, B6, 80), DROP_REASON_MARTIAN);
	expect_screened(frame_udp("ff02::1", 1000, B6, 80), DROP_REASON_MARTIAN);
	expect_screened(frame_udp("::1", 1000, B6, 80), DROP_REASON_MARTIAN);
	/* To the host itself: XDP lets it pass, and TC knows the endpoint's own address. */
	expect_xdp_passes(frame_udp(A4, 1000, HOST4, 80));
}

static void test_what_is_not_certain_passes(void **state)
{
	block("0.0.0.0/0", true);
	block("::/0", true);
	struct frame frames[] = {
		frame_udp(EXTERNAL4, 1, A4, 2), frame_udp(EXTERNAL4, 1, A4, 2),
		frame_udp(EXTERNAL4, 1, A4, 2), frame_udp(EXTERNAL6, 1, A6, 2),
		frame_udp(EXTERNAL4, 1, A4, 2), frame_udp(EXTERNAL6, 1, A6, 2),
	};
	frames[0].vlan = 7;
	frames[1].ethertype = 0x88cc;
	frames[2].faults.cut = 14 + 19;
	frames[3].faults.cut = 14 + 39;
	frames[4].faults.version = 5;
	frames[5].faults.version = 4;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		expect_xdp_passes(frames[i]);
	block("0.0.0.0/0", false);
	block("::/0", false);
}

static void deny_a(void)
{
	fixture_policy(table_fixture(), SLOT_A, 0, fixture_list_allow(table_fixture()));
}

static void test_denied_openers_are_dropped(void **state)
{
	const struct frame openers[] = {
		frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_SYN), frame_tcp(EXTERNAL6, 1000, A6, 80, TCP_SYN),
		frame_udp(EXTERNAL4, 1000, A4, 80),	     frame_udp(REMOTE6, 1000, A6, 80),
		frame_echo(EXTERNAL4, A4, false, 7),	     frame_echo(EXTERNAL6, A6, false, 7),
	};
	for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++)
		expect_xdp_passes(openers[i]);
	assert_int_equal(progrun_count(table_fixture()->progrun, "flow4"), 0);
	deny_a();
	struct drop_key key = {table_fixture()->ifindex[SLOT_A], DROP_REASON_POLICY_INBOUND};
	for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
		struct run run = xdp(openers[i]);
		assert_drops(&run, DROP_REASON_POLICY_INBOUND);
		assert_int_equal(progrun_traffic(table_fixture()->progrun, "drops", &key).packets, i + 1);
	}
}

static void deny_port(__u16 port)
{
	const struct class_rule rules[] = {
		{CLASS_ANY,
		 {.action = ACTION_DENY,
		  .flags = MATCH_IPV4 | MATCH_IPV6 | MATCH_DPORT,
		  .dport_first = port,
		  .dport_last = port,
		  .rule_id = 21}},
		{CLASS_ANY, {.action = ACTION_ALLOW, .flags = MATCH_IPV4 | MATCH_IPV6}},
	};
	struct fixture *fixture = table_fixture();
	fixture_policy(fixture, SLOT_A, fixture_list(fixture, rules, 2, 0), fixture_list_allow(fixture));
	fixture_bump(fixture, SLOT_A);
}

/* What the first one is refused for, the others are: counted alike, and no other port or protocol with them.
 */
static void test_a_denial_is_remembered_for_its_kind(void **state)
{
	struct drop_key key = {table_fixture()->ifindex[SLOT_A], DROP_REASON_RULE_INBOUND};
	struct progrun *progrun = table_fixture()->progrun;
	struct traffic before[22], after[22];
	deny_port(80);
	progrun_counters(progrun, "rule_hits", 22, before);
	for (int i = 0; i < 3; i++) {
		struct run run = xdp(frame_tcp(EXTERNAL4, 1000 + i, A4, 80, TCP_SYN));
		assert_drops(&run, DROP_REASON_RULE_INBOUND);
		run = xdp(frame_udp(EXTERNAL6, 1000 + i, A6, 80));
		assert_drops(&run, DROP_REASON_RULE_INBOUND);
		expect_xdp_passes(frame_tcp(EXTERNAL4, 1000, A4, 81, TCP_SYN));
		expect_xdp_passes(frame_tcp(EXTERNAL4, 80, A4, 79, TCP_SYN));
		expect_xdp_passes(frame_tcp(EXTERNAL4, 1000, B4, 80, TCP_SYN));
		expect_xdp_passes(frame_echo(EXTERNAL4, A4, false, 80));
	}
	progrun_counters(progrun, "rule_hits", 22, after);
	assert_int_equal(after[21].packets, before[21].packets + 6);
	struct traffic drops = progrun_traffic(progrun, "drops", &key);
	assert_int_equal(drops.packets, 6);
	assert_int_equal(drops.bytes, after[21].bytes - before[21].bytes);
	struct run run = xdp(frame_udp(EXTERNAL4, 1000, A4, 80));
	assert_drops(&run, DROP_REASON_RULE_INBOUND);
}

static void test_a_denial_ends_with_its_policy(void **state)
{
	for (int i = 0; i < 2; i++) {
		deny_port(80);
		expect_xdp_passes(frame_udp(EXTERNAL4, 1000, A4, 81));
		struct run run = xdp(frame_udp(EXTERNAL4, 1000, A4, 80));
		assert_drops(&run, DROP_REASON_RULE_INBOUND);
		deny_port(81);
		expect_xdp_passes(frame_udp(EXTERNAL4, 1000, A4, 80));
		run = xdp(frame_udp(EXTERNAL4, 1000, A4, 81));
		assert_drops(&run, DROP_REASON_RULE_INBOUND);
	}
}

/* A rule that looks at source ports: the next packet may have another one. */
static void test_a_denial_by_more_is_not_remembered(void **state)
{
	const struct class_rule rules[] = {
		{CLASS_ANY,
		 {.action = ACTION_DENY,
		  .flags = MATCH_IPV4 | MATCH_IPV6 | MATCH_SPORT,
		  .sport_first = 1000,
		  .sport_last = 1000,
		  .rule_id = 21}},
		{CLASS_ANY, {.action = ACTION_ALLOW, .flags = MATCH_IPV4 | MATCH_IPV6}},
	};
	struct fixture *fixture = table_fixture();
	__u32 number = fixture_list(fixture, rules, 2, 0);
	struct policy_list list;
	/* As the engine says of lists that look at source ports. */
	assert_true(progrun_get(fixture->progrun, "list", &number, &list));
	list.flags = LIST_NO_CACHE;
	progrun_put(fixture->progrun, "list", &number, &list);
	fixture_policy(fixture, SLOT_A, number, fixture_list_allow(fixture));
	for (int i = 0; i < 2; i++) {
		struct run run = xdp(frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_SYN));
		assert_drops(&run, DROP_REASON_RULE_INBOUND);
		expect_xdp_passes(frame_tcp(EXTERNAL4, 1001, A4, 80, TCP_SYN));
	}
}

/* A rule may want another code than the usual 0. */
static void test_codes_of_pings_are_judged(void **state)
{
	static const struct class_rule rule = {1 << CLASS_ICMP,
					       {.action = ACTION_ALLOW,
						.flags = MATCH_IPV4 | MATCH_IPV6 | MATCH_ICMP_CODE,
						.icmp_code = 4,
						.rule_id = 11}};
	struct frame pings[] = {frame_echo(EXTERNAL4, A4, false, 7), frame_echo(EXTERNAL6, A6, false, 7)};

	fixture_policy(table_fixture(), SLOT_A, fixture_list(table_fixture(), &rule, 1, 0), 0);
	for (size_t i = 0; i < sizeof(pings) / sizeof(pings[0]); i++) {
		struct run run = xdp(pings[i]);
		assert_drops(&run, DROP_REASON_POLICY_INBOUND);
		pings[i].icmp_code = 4;
		expect_xdp_passes(pings[i]);
	}
}

/* Policy is from_uplink's where the packet does not open a flow, or not all of it can be read. */
static void test_other_packets_to_endpoints_pass(void **state)
{
	static const uint8_t options[4] = {1, 1, 1, 1};
	struct frame frames[] = {
		frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_ACK),
		frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_SYN | TCP_ACK),
		frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_RST),
		frame_echo(EXTERNAL4, A4, true, 7),
		{.source = EXTERNAL4, .destination = A4, .protocol = IPPROTO_SCTP},
		{.source = EXTERNAL4, .destination = A4, .protocol = IPPROTO_IPIP, .payload_length = 40},
		frame_udp(EXTERNAL4, 1, A4, 2),
		frame_udp(EXTERNAL4, 1, A4, 2),
		frame_udp(EXTERNAL4, 1, A4, 2),
		frame_udp(EXTERNAL4, 1, A4, 2),
		frame_tcp(EXTERNAL4, 1, A4, 2, TCP_SYN),
		frame_udp(EXTERNAL6, 1, A6, 2),
	};
	deny_a();
	frames[6].options = options;
	frames[6].options_length = sizeof(options);
	frames[7].more_fragments = true;
	frames[8].fragment_offset = 100;
	frames[9].faults.cut = 14 + 20 + 7;
	frames[10].faults.cut = 14 + 20 + 19;
	frames[11].extensions[0] = 60;
	frames[11].extension_count = 1;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		expect_xdp_passes(frames[i]);
}

static void test_known_flows_pass(void **state)
{
	expect_pass(frame_udp(A4, 80, EXTERNAL4, 1000));
	expect_pass(frame_udp(A6, 80, EXTERNAL6, 1000));
	deny_a();
	expect_xdp_passes(frame_udp(EXTERNAL4, 1000, A4, 80));
	expect_xdp_passes(frame_udp(EXTERNAL6, 1000, A6, 80));
	for (int i = 0; i < 2; i++) {
		struct run run = xdp(frame_udp(EXTERNAL4, 1001, A4, 80));
		assert_drops(&run, DROP_REASON_POLICY_INBOUND);
		expect_xdp_passes(frame_udp(EXTERNAL4, 1000, A4, 80));
	}
}

/* Each packet counts once, whoever judges it last; what LOG rules say of it too. */
static void test_rules_count_each_packet_once(void **state)
{
	struct fixture *fixture = table_fixture();
	const struct class_rule rules[] = {
		{CLASS_ANY, {.action = ACTION_LOG, .flags = MATCH_IPV4 | MATCH_IPV6, .rule_id = 11}},
		{1 << CLASS_UDP, {.action = ACTION_DENY, .flags = MATCH_IPV4 | MATCH_IPV6, .rule_id = 12}},
		{CLASS_ANY, {.action = ACTION_ALLOW, .flags = MATCH_IPV4 | MATCH_IPV6, .rule_id = 13}},
	};
	struct traffic before[14], after[14];
	struct packet_event events[4];
	struct policy_list list;
	__u32 number = fixture_list(fixture, rules, 3, 0);
	/* As the engine says of lists that log. */
	assert_true(progrun_get(fixture->progrun, "list", &number, &list));
	list.flags = LIST_NO_CACHE;
	progrun_put(fixture->progrun, "list", &number, &list);
	fixture_policy(fixture, SLOT_A, number, fixture_list_allow(fixture));
	progrun_counters(fixture->progrun, "rule_hits", 14, before);
	expect_xdp_passes(frame_tcp(EXTERNAL4, 1000, A4, 80, TCP_SYN));
	progrun_counters(fixture->progrun, "rule_hits", 14, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(progrun_events(fixture->progrun, events, 4), 0);
	struct run run = xdp(frame_udp(EXTERNAL4, 1000, A4, 80));
	assert_drops(&run, DROP_REASON_RULE_INBOUND);
	progrun_counters(fixture->progrun, "rule_hits", 14, after);
	assert_int_equal(after[11].packets, before[11].packets + 1);
	assert_int_equal(after[12].packets, before[12].packets + 1);
	assert_int_equal(after[13].packets, before[13].packets);
	assert_int_equal(progrun_events(fixture->progrun, events, 4), 1);
	assert_int_equal(events[0].rule_id, 11);
}

static void test_drops_by_address_are_counted_for_the_uplink(void **state)
{
	struct drop_key key = {table_fixture()->uplink, DROP_REASON_BLOCKED};
	struct frame frame = frame_udp(BLOCKED4, 1000, A4, 80);
	struct traffic traffic;
	frame.payload_length = 58; /* with its headers 100 bytes */
	block("198.51.100.0/24", true);
	expect_screened(frame, DROP_REASON_BLOCKED);
	traffic = progrun_traffic(table_fixture()->progrun, "drops", &key);
	assert_int_equal(traffic.packets, 4);
	assert_int_equal(traffic.bytes, 400);
}

#define BUDGET 5

static void expect_flood(enum program program, struct frame frame)
{
	struct run run = program == FROM_UPLINK ? tc(frame) : xdp(frame);
	assert_drops(&run, DROP_REASON_FLOOD);
}

/* What the budget lets through is in no flow table: XDP only looks. */
static void test_a_source_opens_no_more_than_its_budget(void **state)
{
	for (int i = 0; i < BUDGET; i++) {
		struct run run = xdp(frame_tcp(EXTERNAL4, 1000 + i, A4, 80, TCP_SYN));
		assert_passes(&run);
		run = xdp(frame_udp(EXTERNAL6, 1000 + i, A6, 80));
		assert_passes(&run);
	}
	expect_flood(SCREEN_UPLINK, frame_tcp(EXTERNAL4, 2000, A4, 80, TCP_SYN));
	expect_flood(SCREEN_UPLINK, frame_tcp(EXTERNAL4, 2000, B4, 81, TCP_SYN));
	expect_flood(SCREEN_UPLINK, frame_udp(EXTERNAL6, 2000, A6, 80));
	/* The words of an IPv4 address and of an IPv6 address may be the same: 8.8.8.8 and 808:808::. */
	expect_xdp_passes(frame_udp("808:808::", 2000, A6, 80));
	expect_xdp_passes(frame_udp("8.8.4.4", 2000, A4, 80));
	expect_xdp_passes(frame_udp(EXTERNAL4, 2000, HOST4, 80));
	expect_xdp_passes(frame_tcp(EXTERNAL4, 2000, A4, 80, TCP_ACK));
}

static void test_flows_of_a_flooding_source_stay(void **state)
{
	struct run run = tc(frame_udp(EXTERNAL4, 1000, A4, 80));
	assert_passes(&run);
	for (int i = 1; i < BUDGET; i++) {
		run = tc(frame_tcp(EXTERNAL4, 1000 + i, A4, 80, TCP_SYN));
		assert_passes(&run);
	}
	expect_flood(FROM_UPLINK, frame_tcp(EXTERNAL4, 2000, A4, 80, TCP_SYN));
	expect_flood(SCREEN_UPLINK, frame_tcp(EXTERNAL4, 2000, A4, 80, TCP_SYN));
	run = tc(frame_udp(EXTERNAL4, 1000, A4, 80));
	assert_passes(&run);
	expect_xdp_passes(frame_udp(EXTERNAL4, 1000, A4, 80));
	/* Behind XDP the TC program does not count once more. */
	run = through(FROM_UPLINK, frame_udp(EXTERNAL4, 2000, A4, 80));
	assert_passes(&run);
}

static void test_budgets_are_filled_again(void **state)
{
	struct address6_key key = {.address = {[10] = 0xff, 0xff, 8, 8, 8, 8}};
	struct progrun *progrun = table_fixture()->progrun;
	struct source_budget budget;
	for (int i = 0; i < BUDGET; i++)
		xdp(frame_udp(EXTERNAL4, 1000 + i, A4, 80));
	expect_flood(SCREEN_UPLINK, frame_udp(EXTERNAL4, 2000, A4, 80));
	/* As if it had been minutes ago: full again, and no more than that. */
	assert_true(progrun_get(progrun, "source", &key, &budget));
	budget.filled -= 180 * table_fixture()->settings.hz;
	progrun_put(progrun, "source", &key, &budget);
	for (int i = 0; i < BUDGET; i++) {
		struct run run = xdp(frame_udp(EXTERNAL4, 3000 + i, A4, 80));
		assert_passes(&run);
	}
	expect_flood(SCREEN_UPLINK, frame_udp(EXTERNAL4, 4000, A4, 80));
}

/* Routes of the fixture's host, and an XDP program without which the kernel runs no other there. */
static int prepare(void)
{
	static const char *const outside[] = {GONE4, GONE6, OTHERS4, EXTERNAL4, EXTERNAL6, REMOTE4};
	struct fixture *fixture = table_fixture();
	struct netlink *nl = NULL;
	struct addr addr;
	struct err err;
	int r = table_route_outside(outside, sizeof(outside) / sizeof(outside[0]));
	if (r == 0)
		r = netlink_open(&nl, &err);
	addr_parse(ELSEWHERE4, &addr);
	if (r == 0)
		r = route_add_host(nl, (int)fixture->ifindex[SLOT_A], &addr, &err);
	netlink_close(nl);
	if (r == 0)
		r = bpf_xdp_attach((int)fixture->uplink, progrun_program(fixture->progrun, SCREEN_UPLINK),
				   XDP_FLAGS_DRV_MODE, NULL);
	return r;
}

static int setup(void **state)
{
	int r = table_setup(state);
	return r ? r : prepare();
}

/* The block of this host within the fixture's pool. */
static int reset(void **state)
{
	struct address block = {.flags = ADDRESS_IN_POOL | ADDRESS_BLOCK};
	struct prefix4_key block4 = {.prefix_length = 24};
	struct prefix6_key block6 = {.prefix_length = 120};
	table_reset(state);
	inet_pton(AF_INET, "10.65.0.0", &block4.address);
	inet_pton(AF_INET6, "fd65::", block6.address);
	progrun_put(table_fixture()->progrun, "prefix4", &block4, &block);
	progrun_put(table_fixture()->progrun, "prefix6", &block6, &block);
	progrun_clear(table_fixture()->progrun, "blocked4");
	progrun_clear(table_fixture()->progrun, "blocked6");
	progrun_clear(table_fixture()->progrun, "source");
	set_state(++serial, false);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_blocked_sources_reach_nobody),
		TEST(test_the_host_s_own_packets_pass),
		TEST(test_block_list_changes_at_once),
		TEST(test_the_longest_entries_count_as_well_as_the_shortest),
		TEST(test_addresses_of_nobody_are_dropped),
		TEST(test_borrowed_addresses_are_left_to_the_stack),
		TEST(test_a_new_endpoint_is_reached_at_once),
		TEST(test_impossible_sources_are_martians),
		TEST(test_what_is_not_certain_passes),
		TEST(test_denied_openers_are_dropped),
		TEST(test_a_denial_is_remembered_for_its_kind),
		TEST(test_a_denial_ends_with_its_policy),
		TEST(test_a_denial_by_more_is_not_remembered),
		TEST(test_codes_of_pings_are_judged),
		TEST(test_other_packets_to_endpoints_pass),
		TEST(test_known_flows_pass),
		TEST(test_rules_count_each_packet_once),
		TEST(test_drops_by_address_are_counted_for_the_uplink),
	};
	const struct CMUnitTest flood_tests[] = {
		TEST(test_a_source_opens_no_more_than_its_budget),
		TEST(test_flows_of_a_flooding_source_stay),
		TEST(test_budgets_are_filled_again),
	};
	int failed = cmocka_run_group_tests_name("screen", tests, setup, table_teardown);
	/* A clock that stands still as far as budgets can tell. */
	table_settings()->hz = 1 << 24;
	table_settings()->source_limit = BUDGET;
	return failed + cmocka_run_group_tests_name("flood", flood_tests, setup, table_teardown);
}
