/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules as the datastore has them, through compiler and programs: which packets they let into B, or out of A.
 * The numbers in names are those of the policy specification's test inventory.
 */
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "engine.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define NO_RULE	    DROP_REASON_POLICY_INBOUND
#define DENIED	    DROP_REASON_RULE_INBOUND
#define NO_RULE_OUT DROP_REASON_POLICY_OUTBOUND

/* Packets to B. */
#define TCP(from, port)                                                                                      \
	.source = from, .source_port = 40000, .destination = B4, .destination_port = port,                   \
	.protocol = IPPROTO_TCP
#define TCP6(from, port)                                                                                     \
	.source = from, .source_port = 40000, .destination = B6, .destination_port = port,                   \
	.protocol = IPPROTO_TCP
#define UDP(from, port)                                                                                      \
	.source = from, .source_port = 40000, .destination = B4, .destination_port = port,                   \
	.protocol = IPPROTO_UDP
#define SCTP(from, port)                                                                                     \
	.source = from, .source_port = 40000, .destination = B4, .destination_port = port,                   \
	.protocol = IPPROTO_SCTP
#define ICMP(type, code)                                                                                     \
	.source = REMOTE4, .destination = B4, .protocol = IPPROTO_ICMP, .icmp_type = type, .icmp_code = code
#define ICMP6(type, code)                                                                                    \
	.source = REMOTE6, .destination = B6, .protocol = IPPROTO_ICMPV6, .icmp_type = type, .icmp_code = code
#define PROTOCOL(from, number) .source = from, .destination = B4, .protocol = number, .payload_length = 16
/* Packets from A. */
#define OUT(to, port)                                                                                        \
	.source = A4, .source_port = 40000, .destination = to, .destination_port = port,                     \
	.protocol = IPPROTO_TCP

struct rule_row {
	const char *name, *rules;
	struct frame frame;
	enum drop_reason reason; /* DROP_NONE: it passes */
	bool outbound;		 /* the rules are A's outbound ones */
};

static const struct rule_row rows[] = {
	{"R1 rule without conditions", "[{}]", .frame = {TCP(EXTERNAL4, 80)}},
	{"R1 rule without conditions, IPv6", "[{}]", .frame = {TCP6(EXTERNAL6, 80)}},
	{"R2 no rules", "[]", .frame = {TCP(EXTERNAL4, 80)}, .reason = NO_RULE},
	{"R2 no outbound rules", "[]", .frame = {OUT(EXTERNAL4, 80)}, .reason = NO_RULE_OUT,
	 .outbound = true},

	{"R3 inside the network", "[{'src_net': '10.0.0.0/8'}]", .frame = {TCP("10.9.9.9", 80)}},
	{"R3 outside the network", "[{'src_net': '10.0.0.0/8'}]", .frame = {TCP("11.0.0.1", 80)},
	 .reason = NO_RULE},
	{"R3 one address", "[{'src_net': '8.8.8.8/32'}]", .frame = {TCP("8.8.8.8", 80)}},
	{"R3 next address", "[{'src_net': '8.8.8.8/32'}]", .frame = {TCP("8.8.8.9", 80)}, .reason = NO_RULE},
	{"R3 a known address by network", "[{'src_net': '10.65.9.0/24'}]", .frame = {TCP(REMOTE4, 80)}},
	{"R3 every address", "[{'src_net': '0.0.0.0/0'}]", .frame = {TCP("8.8.8.8", 80)}},
	{"R3 every IPv6 address", "[{'src_net': '::/0'}]", .frame = {TCP6(EXTERNAL6, 80)}},
	{"R3 not every address", "[{'!src_net': '0.0.0.0/0'}]", .frame = {TCP("8.8.8.8", 80)},
	 .reason = NO_RULE},
	{"R3 inside the IPv6 network", "[{'src_net': '2001:db8::/32'}]", .frame = {TCP6(EXTERNAL6, 80)}},
	{"R3 outside the IPv6 network", "[{'src_net': '2001:db9::/32'}]", .frame = {TCP6(EXTERNAL6, 80)},
	 .reason = NO_RULE},
	{"R3 outbound to the network", "[{'dst_net': '8.8.0.0/16'}]", .frame = {OUT(EXTERNAL4, 80)},
	 .outbound = true},
	{"R3 outbound elsewhere", "[{'dst_net': '8.9.0.0/16'}]", .frame = {OUT(EXTERNAL4, 80)},
	 .reason = NO_RULE_OUT, .outbound = true},
	{"R4 host bits are masked", "[{'src_net': '10.1.2.3/8'}]", .frame = {TCP("10.200.0.1", 80)}},

	{"R5 single port", "[{'protocol': 'tcp', 'dst_ports': [80, '8000:8010']}]",
	 .frame = {TCP(EXTERNAL4, 80)}},
	{"R5 first of a range", "[{'protocol': 'tcp', 'dst_ports': [80, '8000:8010']}]",
	 .frame = {TCP(EXTERNAL4, 8000)}},
	{"R5 last of a range", "[{'protocol': 'tcp', 'dst_ports': [80, '8000:8010']}]",
	 .frame = {TCP(EXTERNAL4, 8010)}},
	{"R5 below", "[{'protocol': 'tcp', 'dst_ports': [80, '8000:8010']}]", .frame = {TCP(EXTERNAL4, 79)},
	 .reason = NO_RULE},
	{"R5 above", "[{'protocol': 'tcp', 'dst_ports': [80, '8000:8010']}]", .frame = {TCP(EXTERNAL4, 8011)},
	 .reason = NO_RULE},
	{"R5 other protocol", "[{'protocol': 'tcp', 'dst_ports': [80]}]", .frame = {UDP(EXTERNAL4, 80)},
	 .reason = NO_RULE},
	{"R5 source port", "[{'protocol': 'tcp', 'src_ports': [40000]}]", .frame = {TCP(EXTERNAL4, 1)}},
	{"R5 other source port", "[{'protocol': 'tcp', 'src_ports': [39999]}]", .frame = {TCP(EXTERNAL4, 1)},
	 .reason = NO_RULE},
	{"R5 not that port", "[{'protocol': 'tcp', '!dst_ports': [80]}]", .frame = {TCP(EXTERNAL4, 81)}},
	{"R5 not that port, that port", "[{'protocol': 'tcp', '!dst_ports': [80]}]",
	 .frame = {TCP(EXTERNAL4, 80)}, .reason = NO_RULE},
	{"R9 port 0", "[{'protocol': 'tcp', 'dst_ports': [0]}]", .frame = {TCP(EXTERNAL4, 0)}},
	{"R9 port 0 of a range", "[{'protocol': 'tcp', 'dst_ports': ['0:1024']}]",
	 .frame = {TCP(EXTERNAL4, 0)}},
	{"R9 port 65535", "[{'protocol': 'tcp', 'dst_ports': ['1024:65535']}]",
	 .frame = {TCP(EXTERNAL4, 65535)}},
	{"R9 all ports", "[{'protocol': 'tcp', 'dst_ports': ['0:65535']}]", .frame = {TCP(EXTERNAL4, 4711)}},

	{"R10 type", "[{'protocol': 'icmp', 'icmp_type': 8}]", .frame = {ICMP(8, 0)}},
	{"R10 type, any code", "[{'protocol': 'icmp', 'icmp_type': 8}]", .frame = {ICMP(8, 7)}},
	{"R10 other type", "[{'protocol': 'icmp', 'icmp_type': 13}]", .frame = {ICMP(8, 0)},
	 .reason = NO_RULE},
	{"R10 type and code", "[{'protocol': 'icmp', 'icmp_type': 8, 'icmp_code': 4}]",
	 .frame = {ICMP(8, 4)}},
	{"R10 type, other code", "[{'protocol': 'icmp', 'icmp_type': 8, 'icmp_code': 4}]",
	 .frame = {ICMP(8, 1)}, .reason = NO_RULE},
	{"R10 code 0 is a condition", "[{'protocol': 'icmp', 'icmp_type': 8, 'icmp_code': 0}]",
	 .frame = {ICMP(8, 1)}, .reason = NO_RULE},
	{"R11 the negated pair", "[{'protocol': 'icmp', '!icmp_type': 8, '!icmp_code': 123}]",
	 .frame = {ICMP(8, 123)}, .reason = NO_RULE},
	{"R11 its type only", "[{'protocol': 'icmp', '!icmp_type': 8, '!icmp_code': 123}]",
	 .frame = {ICMP(8, 1)}},
	{"R11 its code only", "[{'protocol': 'icmp', '!icmp_type': 13, '!icmp_code': 123}]",
	 .frame = {ICMP(8, 123)}},
	{"R12 icmpv6 type", "[{'protocol': 'icmpv6', 'icmp_type': 128, 'ip_version': 6}]",
	 .frame = {ICMP6(128, 0)}},
	{"R12 icmpv6 other type", "[{'protocol': 'icmpv6', 'icmp_type': 129, 'ip_version': 6}]",
	 .frame = {ICMP6(128, 0)}, .reason = NO_RULE},
	{"R13 icmp does not harm IPv6", "[{'protocol': 'icmp', 'icmp_type': 8}, {'action': 'allow'}]",
	 .frame = {TCP6(EXTERNAL6, 80)}},
	{"R13 icmp is not icmpv6", "[{'protocol': 'icmp'}]", .frame = {ICMP6(128, 0)}, .reason = NO_RULE},
	{"R13 icmpv6 is not icmp", "[{'protocol': 'icmpv6'}]", .frame = {ICMP(8, 0)}, .reason = NO_RULE},

	{"R15 protocol as text", "[{'protocol': '123'}]", .frame = {PROTOCOL(EXTERNAL4, 123)}},
	{"R15 protocol as number", "[{'protocol': 33}]", .frame = {PROTOCOL(EXTERNAL4, 33)}},
	{"R15 other protocol", "[{'protocol': 33}]", .frame = {PROTOCOL(EXTERNAL4, 34)}, .reason = NO_RULE},
	{"R15 number 6 is tcp", "[{'protocol': 6, 'dst_ports': [80]}]", .frame = {TCP(EXTERNAL4, 80)}},
	{"R16 not tcp: udp", "[{'!protocol': 'tcp'}]", .frame = {UDP(EXTERNAL4, 80)}},
	{"R16 not tcp: tcp", "[{'!protocol': 'tcp'}]", .frame = {TCP(EXTERNAL4, 80)}, .reason = NO_RULE},
	{"R16 not tcp: icmp", "[{'!protocol': 'tcp'}]", .frame = {ICMP(8, 0)}},
	{"R16 not 33: another", "[{'!protocol': 33}]", .frame = {PROTOCOL(EXTERNAL4, 34)}},
	{"R16 not 33: it", "[{'!protocol': 33}]", .frame = {PROTOCOL(EXTERNAL4, 33)}, .reason = NO_RULE},

	{"R17 tag that nobody has", "[{'src_tag': 'nobody'}]", .frame = {TCP(REMOTE4, 80)},
	 .reason = NO_RULE},
	{"R17 tag of the source", "[{'src_tag': 'web'}]", .frame = {TCP(REMOTE4, 80)}},
	{"R17 tag of the source, IPv6", "[{'src_tag': 'web'}]", .frame = {TCP6(REMOTE6, 80)}},
	{"R17 tag of the destination only", "[{'src_tag': 'b'}]", .frame = {TCP(REMOTE4, 80)},
	 .reason = NO_RULE},
	{"R17 tag of the destination", "[{'dst_tag': 'b'}]", .frame = {TCP(REMOTE4, 80)}},
	{"R18 not the tag: a stranger", "[{'!src_tag': 'web'}]", .frame = {TCP(EXTERNAL4, 80)}},
	{"R18 not the tag: a member", "[{'!src_tag': 'web'}]", .frame = {TCP(REMOTE4, 80)},
	 .reason = NO_RULE},
	{"R18 not an empty tag", "[{'!src_tag': 'nobody'}]", .frame = {TCP(REMOTE4, 80)}},
	{"R18 not the tag: an IPv6 stranger", "[{'!src_tag': 'web'}]", .frame = {TCP6(EXTERNAL6, 80)}},
	{"R19 selector !has of a stranger", "[{'src_selector': '!has(x)'}]", .frame = {TCP(EXTERNAL4, 80)},
	 .reason = NO_RULE},
	{"R19 negated selector has of a stranger", "[{'!src_selector': 'has(x)'}]",
	 .frame = {TCP(EXTERNAL4, 80)}},
	{"R19 selector has", "[{'src_selector': 'has(x)'}]", .frame = {TCP(REMOTE4, 80)}},
	{"R20 all() of an endpoint", "[{'src_selector': 'all()'}]", .frame = {TCP(REMOTE4, 80)}},
	{"R20 all() of a stranger", "[{'src_selector': 'all()'}]", .frame = {TCP(EXTERNAL4, 80)},
	 .reason = NO_RULE},
	{"R22 inside, but not inside the hole", "[{'src_net': '10.0.0.0/8', '!src_net': '10.1.0.0/16'}]",
	 .frame = {TCP("10.2.0.1", 80)}},
	{"R22 in the hole", "[{'src_net': '10.0.0.0/8', '!src_net': '10.1.0.0/16'}]",
	 .frame = {TCP("10.1.0.1", 80)}, .reason = NO_RULE},
	{"R23 a rule for IPv4", "[{'ip_version': 4}]", .frame = {TCP6(EXTERNAL6, 80)}, .reason = NO_RULE},
	{"R23 a rule for IPv6", "[{'ip_version': 6}]", .frame = {TCP(EXTERNAL4, 80)}, .reason = NO_RULE},
	{"R23 a rule for IPv6, IPv6", "[{'ip_version': 6}]", .frame = {TCP6(EXTERNAL6, 80)}},
	{"R24 an IPv4 network and an IPv6 packet", "[{'src_net': '10.0.0.0/8'}]",
	 .frame = {TCP6(EXTERNAL6, 80)}, .reason = NO_RULE},
	{"R24 an IPv6 network and an IPv4 packet", "[{'src_net': 'fd00::/8'}]", .frame = {TCP(EXTERNAL4, 80)},
	 .reason = NO_RULE},
	{"R24 not an IPv4 network and an IPv6 packet", "[{'!src_net': '10.0.0.0/8'}]",
	 .frame = {TCP6(EXTERNAL6, 80)}},
	{"R25 deny before allow", "[{'action': 'deny', 'protocol': 'tcp'}, {}]",
	 .frame = {TCP(EXTERNAL4, 80)}, .reason = DENIED},
	{"R25 allow before deny", "[{'protocol': 'tcp'}, {'action': 'deny'}]", .frame = {TCP(EXTERNAL4, 80)}},
	{"R25 deny of another protocol", "[{'action': 'deny', 'protocol': 'udp'}, {}]",
	 .frame = {TCP(EXTERNAL4, 80)}},
	{"R25 outbound deny", "[{'action': 'deny', 'dst_net': '8.8.8.8/32'}, {}]",
	 .frame = {OUT(EXTERNAL4, 80)}, DROP_REASON_RULE_OUTBOUND, true},
	{"R26 log does not decide", "[{'action': 'log'}]", .frame = {TCP(EXTERNAL4, 80)}, .reason = NO_RULE},
	{"R26 log, then allow", "[{'action': 'log'}, {}]", .frame = {TCP(EXTERNAL4, 80)}},
	{"R27 next-tier in a profile is no permission", "[{'action': 'next-tier'}, {}]",
	 .frame = {TCP(EXTERNAL4, 80)}, .reason = NO_RULE},
	{"R28 sctp ports", "[{'protocol': 'sctp', 'dst_ports': [9]}]", .frame = {SCTP(EXTERNAL4, 9)}},
	{"R28 other sctp port", "[{'protocol': 'sctp', 'dst_ports': [9]}]", .frame = {SCTP(EXTERNAL4, 10)},
	 .reason = NO_RULE},
	/* The ports are in the payload: frames only know the headers of more usual protocols. */
	{"R28 dccp port", "[{'protocol': 33, 'dst_ports': [9]}]",
	 .frame = {PROTOCOL(EXTERNAL4, 33), .payload = "\0\7\0\11dccp header"}},
	{"R28 other dccp port", "[{'protocol': 33, 'dst_ports': [9]}]",
	 .frame = {PROTOCOL(EXTERNAL4, 33), .payload = "\0\7\0\12dccp header"}, .reason = NO_RULE},
};

static struct engine *engine;

static int setup(void **state)
{
	engine = engine_new();
	return engine ? 0 : -1;
}

static int teardown(void **state)
{
	engine_free(engine);
	return 0;
}

static struct run judge(const struct frame *frame, bool outbound)
{
	struct run run;
	fixture_forget(engine->fixture);
	if (outbound)
		fixture_send(engine->fixture, SLOT_A, frame, &run);
	else
		fixture_deliver(engine->fixture, SLOT_B, frame, &run);
	return run;
}

static void expect(const struct frame *frame, bool outbound, enum drop_reason reason)
{
	struct run run = judge(frame, outbound);
	if (reason)
		assert_drops(&run, reason);
	else
		assert_passes(&run);
}

static void inbound(const char *rules)
{
	engine_rules(engine, "b", rules, "[{}]");
	engine_commit(engine);
}

static void run_row(void **state)
{
	const struct rule_row *row = *state;
	engine_rules(engine, "b", row->outbound ? "[{}]" : row->rules, "[{}]");
	engine_rules(engine, "a", "[{}]", row->outbound ? row->rules : "[{}]");
	engine_commit(engine);
	expect(&row->frame, row->outbound, row->reason);
}

#define PORTS17 "[1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, '100:200']"

static void test_many_ports(void **state)
{
	inbound("[{'protocol': 'tcp', 'dst_ports': " PORTS17 "}]");
	for (unsigned int port = 0; port < 300; port++) {
		bool listed = (port < 32 && port % 2) || (port >= 100 && port <= 200);
		expect(&(const struct frame){TCP(EXTERNAL4, port)}, false, listed ? DROP_NONE : NO_RULE);
	}
}

static void test_many_ports_negated(void **state)
{
	inbound("[{'protocol': 'udp', '!dst_ports': " PORTS17 "}]");
	for (unsigned int port = 0; port < 300; port++) {
		bool listed = (port < 32 && port % 2) || (port >= 100 && port <= 200);
		expect(&(const struct frame){UDP(EXTERNAL4, port)}, false, listed ? NO_RULE : DROP_NONE);
	}
}

static void test_many_ports_on_both_sides(void **state)
{
	static const struct {
		uint16_t source, destination;
		bool passes;
	} pairs[] = {{1, 31, true},  {150, 200, true}, {2, 31, false},
		     {31, 2, false}, {99, 99, false},  {100, 9, true}};
	inbound("[{'protocol': 'tcp', 'src_ports': " PORTS17 ", 'dst_ports': " PORTS17 "}]");
	for (size_t i = 0; i < LENGTH(pairs); i++) {
		struct frame frame = frame_tcp(EXTERNAL4, pairs[i].source, B4, pairs[i].destination, TCP_SYN);
		expect(&frame, false, pairs[i].passes ? DROP_NONE : NO_RULE);
	}
}

/* R21: every condition at once, then each of them wrong in turn. */
static void test_all_conditions_hold_together(void **state)
{
	static const char *const wrong[][2] = {
		{"'src_net': '10.65.0.0/16'", "'src_net': '10.66.0.0/16'"},
		{"'src_tag': 'web'", "'src_tag': 'a'"},
		{"'src_selector': 'has(x)'", "'src_selector': '!has(x)'"},
		{"'src_ports': [40000]", "'src_ports': [40001]"},
		{"'dst_ports': ['1:100']", "'dst_ports': ['1:79']"},
		{"'dst_tag': 'b'", "'dst_tag': 'web'"},
		{"'!src_net': '10.65.8.0/24'", "'!src_net': '10.65.9.0/24'"},
		{"'!src_tag': 'a'", "'!src_tag': 'web'"},
		{"'!src_ports': [1]", "'!src_ports': [40000]"},
		{"'!dst_ports': [1]", "'!dst_ports': [80]"},
		{"'!dst_net': '10.65.9.0/24'", "'!dst_net': '10.65.0.0/24'"},
	};
	for (size_t bad = 0; bad <= LENGTH(wrong); bad++) {
		char rule[2048] = "[{'protocol': 'tcp'";
		for (size_t i = 0; i < LENGTH(wrong); i++) {
			strcat(rule, ", ");
			strcat(rule, wrong[i][i == bad]);
		}
		strcat(rule, "}]");
		inbound(rule);
		expect(&(const struct frame){TCP(REMOTE4, 80)}, false,
		       bad < LENGTH(wrong) ? NO_RULE : DROP_NONE);
	}
}

static void test_log_events(void **state)
{
	struct packet_event events[4];
	inbound("[{'action': 'log'}, {'action': 'deny', 'log_prefix': 'no way', 'protocol': 'tcp'}, {}]");
	expect(&(const struct frame){TCP(EXTERNAL4, 80)}, false, DENIED);
	assert_int_equal(progrun_events(engine->fixture->progrun, events, 4), 2);
	assert_int_equal(events[0].reason, DROP_NONE);
	assert_int_equal(events[0].log_prefix, 0);
	assert_int_equal(events[0].protocol, IPPROTO_TCP);
	struct log_prefix prefix;
	assert_true(progrun_get(engine->fixture->progrun, "log_prefix", &events[1].log_prefix, &prefix));
	assert_string_equal(prefix.text, "no_way");
	expect(&(const struct frame){UDP(EXTERNAL4, 80)}, false, DROP_NONE);
	assert_int_equal(progrun_events(engine->fixture->progrun, events, 4), 1);
}

static void test_rule_hits_are_counted_once_per_flow(void **state)
{
	struct progrun *progrun = engine->fixture->progrun;
	struct frame syn = frame_tcp(EXTERNAL4, 40000, B4, 80, TCP_SYN);
	struct packet_event event;
	struct run run;
	inbound("[{'action': 'deny', 'protocol': 'udp'}, {'action': 'log'}, {}]");
	run = judge(&syn, false);
	assert_passes(&run);
	assert_int_equal(progrun_events(progrun, &event, 1), 1);
	__u64 before = progrun_traffic(progrun, "rule_hits", &event.rule_id).packets;
	assert_true(before >= 1);
	struct frame ack = frame_tcp(EXTERNAL4, 40000, B4, 80, TCP_ACK);
	fixture_deliver(engine->fixture, SLOT_B, &ack, &run);
	assert_passes(&run);
	assert_int_equal(progrun_traffic(progrun, "rule_hits", &event.rule_id).packets, before);
	struct rule_info info;
	assert_true(progrun_get(progrun, "rule_info", &event.rule_id, &info));
	assert_string_equal(info.object, "profile b");
	assert_string_equal(info.direction, "inbound");
	assert_int_equal(info.position, 2);
}

static void test_long_profile(void **state)
{
	char *rules = malloc(70000);
	assert_non_null(rules);
	strcpy(rules, "[");
	for (int i = 0; i < 1000; i++)
		sprintf(rules + strlen(rules), "{'protocol': 'tcp', 'dst_ports': [%d]}, ", 2000 + i);
	strcat(rules, "{'protocol': 'tcp', 'dst_ports': [80], 'src_tag': 'web'}]");
	inbound(rules);
	free(rules);
	expect(&(const struct frame){TCP(REMOTE4, 80)}, false, DROP_NONE);
	expect(&(const struct frame){TCP(EXTERNAL4, 80)}, false, NO_RULE);
	expect(&(const struct frame){TCP(EXTERNAL4, 2000)}, false, DROP_NONE);
	expect(&(const struct frame){TCP(EXTERNAL4, 2999)}, false, DROP_NONE);
	expect(&(const struct frame){TCP(EXTERNAL4, 3000)}, false, NO_RULE);
}

/* The rule that a rule id means says "deny" from now on, behind the back of the engine. */
static void turn_into_deny(__u32 rule_id)
{
	struct progrun *progrun = engine->fixture->progrun;
	struct policy_rule rule;
	for (__u32 i = 0; i < progrun_capacity(progrun, "rule"); i++) {
		assert_true(progrun_get(progrun, "rule", &i, &rule));
		if (rule.rule_id != rule_id || rule.action != ACTION_ALLOW)
			continue;
		rule.action = ACTION_DENY;
		progrun_put(progrun, "rule", &i, &rule);
	}
}

/* Of B's inbound rules. */
static __u32 id_of_rule(__u32 position)
{
	int fd = progrun_map(engine->fixture->progrun, "rule_info");
	struct rule_info info;
	__u32 id;
	for (int r = bpf_map_get_next_key(fd, NULL, &id); r == 0; r = bpf_map_get_next_key(fd, &id, &id)) {
		assert_int_equal(bpf_map_lookup_elem(fd, &id, &info), 0);
		if (!strcmp(info.object, "profile b") && !strcmp(info.direction, "inbound") &&
		    info.position == position)
			return id;
	}
	fail_msg("there is no rule %u", position);
	return 0;
}

/* Each processor keeps its own verdicts. */
static void stay_on_this_processor(void)
{
	cpu_set_t this;
	CPU_ZERO(&this);
	CPU_SET(sched_getcpu(), &this);
	assert_int_equal(sched_setaffinity(0, sizeof(this), &this), 0);
}

/* Rules are not looked at again for packets of a kind, and count them nevertheless. */
static void test_verdicts_are_kept(void **state)
{
	struct progrun *progrun = engine->fixture->progrun;
	const struct frame web = {TCP(EXTERNAL4, 80)}, other = {TCP(EXTERNAL4, 81)};
	__u32 slot = GENERATION_EPOCH, epoch, id;
	__u64 before;
	stay_on_this_processor();
	inbound("[{'action': 'deny', 'protocol': 'udp'}, {'protocol': 'tcp'}]");
	id = id_of_rule(2);
	before = progrun_traffic(progrun, "rule_hits", &id).packets;
	expect(&web, false, DROP_NONE);
	turn_into_deny(id);
	expect(&web, false, DROP_NONE);
	assert_int_equal(progrun_traffic(progrun, "rule_hits", &id).packets, before + 2);
	expect(&other, false, DENIED);
	assert_true(progrun_get(progrun, "generation", &slot, &epoch));
	epoch++;
	progrun_put(progrun, "generation", &slot, &epoch);
	expect(&web, false, DENIED);
	expect(&web, false, DENIED);
	assert_int_equal(progrun_traffic(progrun, "rule_hits", &id).packets, before + 5);
	/* The next test's policy ends what was kept here. */
	inbound("[{}]");
}

/* What looks at source ports, or logs, is judged anew each time. */
static void test_verdicts_that_are_not_kept(void **state)
{
	static const char *const rules[] = {
		"[{'protocol': 'tcp', 'src_ports': ['1:50000']}]",
		"[{'action': 'log'}, {'protocol': 'tcp'}]",
	};
	const struct frame web = {TCP(EXTERNAL4, 80)};
	stay_on_this_processor();
	for (size_t i = 0; i < LENGTH(rules); i++) {
		inbound(rules[i]);
		expect(&web, false, DROP_NONE);
		turn_into_deny(id_of_rule((__u32)i + 1));
		expect(&web, false, DENIED);
	}
	inbound("[{}]");
}

static void test_tag_membership_follows_profiles(void **state)
{
	inbound("[{'src_tag': 'late'}]");
	expect(&(const struct frame){TCP(REMOTE4, 80)}, false, NO_RULE);
	engine_tags(engine, "web", "['web', 'late']");
	engine_commit(engine);
	expect(&(const struct frame){TCP(REMOTE4, 80)}, false, DROP_NONE);
	engine_tags(engine, "web", "['web']");
	engine_commit(engine);
	expect(&(const struct frame){TCP(REMOTE4, 80)}, false, NO_RULE);
}

int main(void)
{
	struct CMUnitTest row_tests[LENGTH(rows)] = {0};
	for (size_t i = 0; i < LENGTH(rows); i++) {
		row_tests[i].name = rows[i].name;
		row_tests[i].test_func = run_row;
		row_tests[i].initial_state = (void *)&rows[i];
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_ports),
		cmocka_unit_test(test_many_ports_negated),
		cmocka_unit_test(test_many_ports_on_both_sides),
		cmocka_unit_test(test_all_conditions_hold_together),
		cmocka_unit_test(test_log_events),
		cmocka_unit_test(test_rule_hits_are_counted_once_per_flow),
		cmocka_unit_test(test_long_profile),
		cmocka_unit_test(test_verdicts_are_kept),
		cmocka_unit_test(test_verdicts_that_are_not_kept),
		cmocka_unit_test(test_tag_membership_follows_profiles),
	};
	int failed = _cmocka_run_group_tests("rules", row_tests, LENGTH(rows), setup, teardown);
	return failed + cmocka_run_group_tests_name("rules together", tests, setup, teardown);
}
