/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What single rules match: table 7.1 of the policy specification, in both directions, judged by the maps and
 * by the reference evaluator. Where v0.20 had quirks, the recommended behaviour counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/policy_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Slot 1 is 10.0.0.1 and fd00::1; 10.0.0.2 and fd00::2 carry tag T and label x; 10.0.0.3 has neither. */
#define A "A"
#define D "D"

struct row {
	const char *name, *rules;
	const char *probes[12]; /* verdict, packet, verdict, packet.. */
};

static const struct row rows[] = {
	{"R1 no members",
	 "{}",
	 {A, "8.8.8.8 10.0.0.1 tcp 1 80", A, "fd00::9 fd00::1 47", A, "8.8.8.8 10.0.0.1 icmp 8 0"}},
	{"R2 empty list", "", {D, "8.8.8.8 10.0.0.1 tcp 1 80", D, "fd00::9 fd00::1 47"}},
	{"R3 net",
	 "{'src_net': '10.0.0.0/8'}",
	 {A, "10.9.9.9 10.0.0.1 tcp 1 80", D, "11.0.0.1 10.0.0.1 tcp 1 80"}},
	{"R3 net of IPv6",
	 "{'dst_net': 'fd00::/16'}",
	 {A, "2001::1 fd00::1 tcp 1 80", D, "2001::1 fe00::1 tcp 1 80"}},
	{"R4 host bits", "{'src_net': '10.1.2.3/8'}", {A, "10.200.0.1 10.0.0.1 udp 1 80"}},
	{"R5 ports",
	 "{'protocol': 'tcp', 'dst_ports': [80, '8000:8010']}",
	 {A, "8.8.8.8 10.0.0.1 tcp 1 80", A, "8.8.8.8 10.0.0.1 tcp 1 8000", A, "fd00::9 fd00::1 tcp 1 8010",
	  D, "8.8.8.8 10.0.0.1 tcp 1 79", D, "8.8.8.8 10.0.0.1 tcp 1 8011", D, "8.8.8.8 10.0.0.1 udp 1 80"}},
	{"R9 port 0",
	 "{'protocol': 'tcp', 'dst_ports': [0]}, {'protocol': 'udp', 'dst_ports': ['0:1024']}",
	 {A, "8.8.8.8 10.0.0.1 tcp 1 0", D, "8.8.8.8 10.0.0.1 tcp 1 1", A, "8.8.8.8 10.0.0.1 udp 1 0", A,
	  "8.8.8.8 10.0.0.1 udp 1 1024", D, "8.8.8.8 10.0.0.1 udp 1 1025"}},
	{"R10 icmp",
	 "{'protocol': 'icmp', 'icmp_type': 8}, {'protocol': 'icmp', 'icmp_type': 3, 'icmp_code': 4}",
	 {A, "8.8.8.8 10.0.0.1 icmp 8 0", A, "8.8.8.8 10.0.0.1 icmp 8 7", A, "8.8.8.8 10.0.0.1 icmp 3 4", D,
	  "8.8.8.8 10.0.0.1 icmp 3 1", D, "fd00::9 fd00::1 icmp 8 0"}},
	{"R10 type 0 is a type",
	 "{'protocol': 'icmp', 'icmp_type': 0, 'icmp_code': 0}",
	 {A, "8.8.8.8 10.0.0.1 icmp 0 0", D, "8.8.8.8 10.0.0.1 icmp 0 1", D, "8.8.8.8 10.0.0.1 icmp 8 0"}},
	{"R11 negated pair",
	 "{'protocol': 'icmp', '!icmp_type': 7, '!icmp_code': 123}",
	 {D, "8.8.8.8 10.0.0.1 icmp 7 123", A, "8.8.8.8 10.0.0.1 icmp 7 1", A, "8.8.8.8 10.0.0.1 icmp 8 123",
	  D, "8.8.8.8 10.0.0.1 tcp 1 2"}},
	{"R12 icmpv6",
	 "{'protocol': 'icmpv6', 'icmp_type': 128, 'ip_version': 6}",
	 {A, "fd00::9 fd00::1 icmp 128 0", D, "fd00::9 fd00::1 icmp 129 0", D,
	  "8.8.8.8 10.0.0.1 icmp 128 0"}},
	{"R13 icmp is IPv4",
	 "{'action': 'deny', 'protocol': 'icmp', 'icmp_type': 8}, {}",
	 {A, "fd00::9 fd00::1 tcp 1 80", A, "fd00::9 fd00::1 icmp 8 0", D, "8.8.8.8 10.0.0.1 icmp 8 0"}},
	{"R14 type 255",
	 "{'icmp_type': 255}, {}",
	 {D, "8.8.8.8 10.0.0.1 tcp 1 80", D, "8.8.8.8 10.0.0.1 icmp 8 0", D, "fd00::9 fd00::1 47"}},
	{"R14 not type 255",
	 "{'ip_version': 4, '!icmp_type': 255}, {}",
	 {D, "8.8.8.8 10.0.0.1 udp 1 80", D, "fd00::9 fd00::1 icmp 128 0"}},
	{"R14 what comes before it counts",
	 "{'protocol': 'tcp'}, {'icmp_type': 255}, {}",
	 {A, "8.8.8.8 10.0.0.1 tcp 1 80", D, "8.8.8.8 10.0.0.1 udp 1 80"}},
	{"R15 numbers",
	 "{'protocol': '123'}, {'protocol': 33}",
	 {A, "8.8.8.8 10.0.0.1 123", A, "fd00::9 fd00::1 33 1 2", D, "8.8.8.8 10.0.0.1 47"}},
	{"R16 not tcp",
	 "{'!protocol': 'tcp'}",
	 {A, "8.8.8.8 10.0.0.1 udp 1 80", D, "8.8.8.8 10.0.0.1 tcp 1 80", A, "8.8.8.8 10.0.0.1 47", A,
	  "fd00::9 fd00::1 icmp 128 0"}},
	{"R16 not icmp",
	 "{'!protocol': 'icmp'}",
	 {D, "8.8.8.8 10.0.0.1 icmp 8 0", A, "fd00::9 fd00::1 icmp 128 0", A, "8.8.8.8 10.0.0.1 tcp 1 80"}},
	{"R16 not sctp", "{'!protocol': 132}", {D, "8.8.8.8 10.0.0.1 132 1 2", A, "8.8.8.8 10.0.0.1 47"}},
	{"R16 tcp but not tcp",
	 "{'protocol': 'tcp', '!protocol': 6}, {'protocol': '132', '!protocol': 'sctp'}",
	 {D, "8.8.8.8 10.0.0.1 tcp 1 80", D, "8.8.8.8 10.0.0.1 132 1 2"}},
	{"R17 tag",
	 "{'src_tag': 'T'}",
	 {A, "10.0.0.2 10.0.0.1 tcp 1 80", A, "fd00::2 fd00::1 tcp 1 80", D, "10.0.0.3 10.0.0.1 tcp 1 80", D,
	  "10.0.0.1 10.0.0.2 tcp 1 80"}},
	{"R17 empty tag",
	 "{'src_tag': 'nobody'}",
	 {D, "10.0.0.2 10.0.0.1 tcp 1 80", D, "8.8.8.8 10.0.0.1 47"}},
	{"R18 not tag",
	 "{'!src_tag': 'T'}",
	 {A, "10.0.0.3 10.0.0.1 tcp 1 80", A, "8.8.8.8 10.0.0.1 tcp 1 80", D, "10.0.0.2 10.0.0.1 tcp 1 80", A,
	  "10.0.0.3 10.0.0.2 tcp 1 80"}},
	{"R18 not an empty tag", "{'!dst_tag': 'nobody'}", {A, "10.0.0.2 10.0.0.1 tcp 1 80"}},
	{"R19 selector of what lacks a label",
	 "{'src_selector': '!has(x)'}",
	 {D, "8.8.8.8 10.0.0.1 tcp 1 80", A, "10.0.0.3 10.0.0.1 tcp 1 80", D, "10.0.0.2 10.0.0.1 tcp 1 80"}},
	{"R19 negated selector",
	 "{'!src_selector': 'has(x)'}",
	 {A, "8.8.8.8 10.0.0.1 tcp 1 80", A, "10.0.0.3 10.0.0.1 tcp 1 80", D, "10.0.0.2 10.0.0.1 tcp 1 80"}},
	{"R20 all()",
	 "{'src_selector': 'all()'}",
	 {A, "10.0.0.3 10.0.0.1 tcp 1 80", D, "8.8.8.8 10.0.0.1 tcp 1 80"}},
	{"R22 net without a part of it",
	 "{'src_net': '10.0.0.0/8', '!src_net': '10.1.0.0/16'}",
	 {A, "10.2.0.1 10.0.0.1 tcp 1 80", D, "10.1.0.1 10.0.0.1 tcp 1 80", A, "10.0.0.2 10.0.0.1 tcp 1 80",
	  D, "11.0.0.1 10.0.0.1 tcp 1 80"}},
	{"R22 net within what it must not be",
	 "{'src_net': '10.1.0.0/16', '!src_net': '10.0.0.0/8'}",
	 {D, "10.1.0.1 10.0.0.1 tcp 1 80", D, "10.2.0.1 10.0.0.1 tcp 1 80"}},
	{"R22 tag and not the tag", "{'src_tag': 'T', '!src_tag': 'T'}", {D, "10.0.0.2 10.0.0.1 tcp 1 80"}},
	{"R22 several negations",
	 "{'!src_tag': 'T', '!src_net': '10.1.0.0/16', '!src_selector': 'role == ~other~'}",
	 {D, "10.0.0.2 10.0.0.1 tcp 1 80", D, "10.1.0.1 10.0.0.1 tcp 1 80", D, "10.0.0.3 10.0.0.1 tcp 1 80",
	  A, "8.8.8.8 10.0.0.1 tcp 1 80", A, "fd00::9 fd00::1 tcp 1 80", D, "fd00::2 fd00::1 tcp 1 80"}},
	{"R23 ip_version",
	 "{'ip_version': 4}",
	 {A, "8.8.8.8 10.0.0.1 tcp 1 80", D, "fd00::9 fd00::1 tcp 1 80"}},
	{"R24 net of the other family", "{'src_net': '10.0.0.0/8'}", {D, "fd00::9 fd00::1 tcp 1 80"}},
	{"R24 everything of one family",
	 "{'src_net': '0.0.0.0/0'}",
	 {A, "8.8.8.8 10.0.0.1 tcp 1 80", D, "fd00::9 fd00::1 tcp 1 80"}},
	{"R24 nothing of one family",
	 "{'!src_net': '0.0.0.0/0'}",
	 {D, "8.8.8.8 10.0.0.1 tcp 1 80", A, "fd00::9 fd00::1 tcp 1 80"}},
	{"R24 negated net of the other family",
	 "{'!src_net': '10.0.0.0/8'}",
	 {A, "fd00::9 fd00::1 tcp 1 80", D, "10.9.9.9 10.0.0.1 tcp 1 80"}},
	{"R25 deny, allow", "{'action': 'deny'}, {}", {D, "8.8.8.8 10.0.0.1 tcp 1 80"}},
	{"R25 allow, deny", "{}, {'action': 'deny'}", {A, "8.8.8.8 10.0.0.1 tcp 1 80"}},
	{"R26 log and go on", "{'action': 'log'}, {}", {A, "8.8.8.8 10.0.0.1 tcp 1 80"}},
	{"R27 next-tier in a profile", "{'action': 'next-tier'}, {}", {D, "8.8.8.8 10.0.0.1 tcp 1 80"}},
	{"R28 ports of sctp and of numbers",
	 "{'protocol': 'sctp', 'dst_ports': [5]}, {'protocol': 6, 'dst_ports': [7]}, {'protocol': 'udplite', "
	 "'src_ports': [9]}",
	 {A, "8.8.8.8 10.0.0.1 132 1 5", D, "8.8.8.8 10.0.0.1 132 1 6", A, "8.8.8.8 10.0.0.1 tcp 1 7", A,
	  "8.8.8.8 10.0.0.1 136 9 1", D, "8.8.8.8 10.0.0.1 136 1 9", D, "8.8.8.8 10.0.0.1 tcp 1 5"}},
	{"all ports is no condition on ports",
	 "{'protocol': 'tcp', 'dst_ports': ['0:65535']}",
	 {A, "8.8.8.8 10.0.0.1 tcp 1 80", D, "8.8.8.8 10.0.0.1 udp 1 80"}},
	{"no port is left",
	 "{'protocol': 'tcp', 'dst_ports': [80], '!dst_ports': ['0:65535']}",
	 {D, "8.8.8.8 10.0.0.1 tcp 1 80"}},
};

static void set_world(struct fixture *f)
{
	fixture_set(f, TAGS, "tagged", "['T']");
	fixture_set_slot(
		f, WORKLOAD, "self",
		"{'state': 'active', 'name': 'cali1', 'profile_ids': ['p'], 'ipv4_nets': ['10.0.0.1/32'], "
		"'ipv6_nets': ['fd00::1/128']}",
		1);
	fixture_set(f, WORKLOAD, "peer",
		    "{'state': 'active', 'name': 'cali2', 'profile_ids': ['tagged'], 'labels': {'x': '1'}, "
		    "'ipv4_nets': ['10.0.0.2/32'], 'ipv6_nets': ['fd00::2/128']}");
	fixture_set(f, WORKLOAD, "other",
		    "{'state': 'active', 'name': 'cali3', 'profile_ids': [], 'labels': {'role': 'other'}, "
		    "'ipv4_nets': ['10.0.0.3/32']}");
}

/* Both directions get the same rules. */
static void set_rules(struct fixture *f, const char *rules)
{
	char *text;

	assert_true(asprintf(&text, "{'inbound_rules': [%s], 'outbound_rules': [%s]}", rules, rules) > 0);
	assert_true(fixture_set(f, RULES, "p", text));
	fixture_commit(f);
	free(text);
}

static void check_row(struct fixture *f, const struct row *row)
{
	set_rules(f, row->rules);
	for (size_t i = 0; i + 1 < COUNT(row->probes) && row->probes[i]; i += 2) {
		struct probe probe = probe_of(row->probes[i + 1]);
		bool expected = strcmp(row->probes[i], A) == 0;

		for (int inbound = 0; inbound < 2; inbound++) {
			if (fixture_allows(f, 1, inbound, &probe) != expected)
				fail_msg("%s, %s: not %s", row->name, row->probes[i + 1], row->probes[i]);
		}
	}
}

/* One engine goes through all rows, so that each starts from what another left. */
static void test_table(void **state)
{
	struct fixture f;

	fixture_init(&f, NULL);
	set_world(&f);
	for (size_t i = 0; i < COUNT(rows); i++)
		check_row(&f, &rows[i]);
	for (size_t i = COUNT(rows); i > 0; i--)
		check_row(&f, &rows[i - 1]);
	fixture_done(&f);
}

#define PORTS17 "1, 3, 5, 7, 9, 11, 13, 15, '20:29', 31, 33, 35, 37, 39, 41, 43, 65535"
#define OTHER17 "2, 4, 6, 8, 10, '11:13', 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36"

static void check_ports(struct fixture *f, const char *rules, __u64 expected)
{
	struct probe probe = probe_of("8.8.8.8 10.0.0.1 tcp 0 0");
	__u64 allowed = 0;

	set_rules(f, rules);
	for (__u32 port = 0; port < 65536; port++) {
		probe.dport = (__u16)port;
		/* Any of its bits decides which source ports are tried. */
		for (__u32 sport = 0; sport < 4; sport++) {
			probe.sport = (__u16)(sport * 10 + 1);
			allowed += fixture_allows(f, 1, true, &probe);
		}
	}
	assert_int_equal(allowed, expected);
}

/* R6, R7, R8: more ports than any other implementation puts into one match; every destination port is tried.
 */
static void test_long_port_lists(void **state)
{
	struct fixture f;

	fixture_init(&f, NULL);
	set_world(&f);
	check_ports(&f, "{'protocol': 'tcp', 'dst_ports': [" PORTS17 "]}", 26 * 4);
	/* Source ports 1, 11, 21, 31 are tried: one of them, 11, is in the list. */
	check_ports(&f, "{'protocol': 'tcp', 'dst_ports': [" PORTS17 "], 'src_ports': [" OTHER17 "]}", 26);
	check_ports(&f, "{'protocol': 'tcp', '!dst_ports': [" PORTS17 "]}", (65536 - 26) * 4);
	check_ports(&f, "{'protocol': 'tcp', 'dst_ports': ['1:100'], '!dst_ports': ['20:29', 50]}", 89 * 4);
	check_ports(
		&f,
		"{'protocol': 'tcp', 'src_ports': [1, 11], 'dst_ports': [1, 3, 5, 7, 9], '!src_ports': [11]}",
		5);
	fixture_done(&f);
}

/* R21: all conditions at once; then each of them fails alone. */
static void test_all_conditions_together(void **state)
{
	static const char *const failing[] = {
		"10.0.0.2 10.0.0.1 udp 1000 80", "10.1.0.2 10.0.0.1 tcp 1000 80",
		"10.0.0.4 10.0.0.1 tcp 1000 80", "10.0.0.5 10.0.0.1 tcp 1000 80",
		"10.0.0.6 10.0.0.1 tcp 1000 80", "10.0.0.7 10.0.0.1 tcp 1000 80",
		"10.0.0.8 10.0.0.1 tcp 1000 80", "10.0.0.2 10.0.0.1 tcp 999 80",
		"10.0.0.2 10.0.0.1 tcp 1005 80",
	};
	struct fixture f;
	struct probe probe = probe_of("10.0.0.2 10.0.0.1 tcp 1000 80");

	fixture_init(&f, NULL);
	set_world(&f);
	fixture_set(&f, TAGS, "not", "['N']");
	/* Each lacks one of: tag, selector; or has one of: negated tag, negated selector, negated net. */
	fixture_set(&f, WORKLOAD, "4",
		    "{'state': 'active', 'name': 'c', 'labels': {'x': '1'}, 'ipv4_nets': ['10.0.0.4']}");
	fixture_set(&f, WORKLOAD, "5",
		    "{'state': 'active', 'name': 'c', 'profile_ids': ['tagged'], 'ipv4_nets': ['10.0.0.5']}");
	fixture_set(
		&f, WORKLOAD, "6",
		"{'state': 'active', 'name': 'c', 'profile_ids': ['tagged', 'not'], 'labels': {'x': '1'}, "
		"'ipv4_nets': ['10.0.0.6']}");
	fixture_set(
		&f, WORKLOAD, "7",
		"{'state': 'active', 'name': 'c', 'profile_ids': ['tagged'], 'labels': {'x': '1', 'y': '1'}, "
		"'ipv4_nets': ['10.0.0.7', '10.1.0.2']}");
	fixture_set(&f, WORKLOAD, "8",
		    "{'state': 'active', 'name': 'c', 'profile_ids': ['tagged'], 'labels': {'x': '1'}, "
		    "'ipv4_nets': ['10.0.0.8']}");
	set_rules(
		&f,
		"{'protocol': 'tcp', '!protocol': 'udp', 'src_net': '10.0.0.0/24', 'src_tag': 'T', 'src_selector': "
		"'has(x)', 'src_ports': ['1000:1010'], '!src_net': '10.0.0.8/32', '!src_tag': 'N', "
		"'!src_selector': 'has(y)', '!src_ports': [1005], 'ip_version': 4}");
	assert_true(fixture_allows(&f, 1, true, &probe));
	assert_true(fixture_allows(&f, 1, false, &probe));
	for (size_t i = 0; i < COUNT(failing); i++) {
		probe = probe_of(failing[i]);
		if (fixture_allows(&f, 1, true, &probe))
			fail_msg("%s is allowed", failing[i]);
	}
	fixture_done(&f);
}

static void check_log(struct fixture *f, const char *rules, bool allowed, const char *prefix)
{
	struct probe probe = probe_of("8.8.8.8 10.0.0.1 tcp 1 80");
	struct judgement judgement;

	set_rules(f, rules);
	judgement = maps_judge(&f->maps, 1, true, &probe);
	assert_int_equal(judgement.allowed, allowed);
	assert_int_equal(judgement.logs, 1);
	if (!prefix)
		assert_int_equal(judgement.log_prefixes[0], 0);
	else
		assert_string_equal(maps_log_prefix(&f->maps, judgement.log_prefixes[0]), prefix);
}

/* R26, with more port ranges than one entry holds: still logged once. */
static void test_logging(void **state)
{
	struct fixture f;

	fixture_init(&f, NULL);
	set_world(&f);
	check_log(&f, "{'action': 'log'}, {}", true, NULL);
	check_log(&f, "{'action': 'log', 'log_prefix': 'seen'}, {}", true, "seen");
	check_log(&f, "{'action': 'deny', 'log_prefix': 'no'}, {}", false, "no");
	check_log(&f, "{'log_prefix': 'yes'}", true, "yes");
	check_log(&f, "{'action': 'next-tier', 'log_prefix': 'next'}, {}", false, "next");
	check_log(&f, "{'protocol': 'tcp', 'dst_ports': [1, 80, 90], 'log_prefix': 'ports'}", true, "ports");
	fixture_done(&f);
}

static struct rules *rules_of(const char *text)
{
	char *json = json_of(text);
	struct rules *rules;

	assert_int_equal(rules_parse(json, &rules, NULL), 0);
	free(json);
	return rules;
}

/* R29 and its like: what the parser never lets through denies, whatever it says. */
static void test_meaningless_rules_deny(void **state)
{
	struct probe probe = probe_of("8.8.8.8 10.0.0.1 tcp 1 80");
	struct fixture f;
	struct rules *rules;

	fixture_init(&f, NULL);
	set_world(&f);
	rules = rules_of(
		"{'inbound_rules': [{}, {}], 'outbound_rules': [{'protocol': 'tcp', 'dst_ports': [80]}, {}]}");
	rules->inbound.items[0].action = (enum action)99;
	rules->outbound.items[0].match.protocol = 0;
	assert_int_equal(policy_set_rules(f.engine, "p", rules), 0);
	fixture_commit(&f);
	assert_false(maps_judge(&f.maps, 1, true, &probe).allowed);
	assert_false(maps_judge(&f.maps, 1, false, &probe).allowed);
	fixture_done(&f);
}

static __u32 id_of(struct fixture *f, const char *packet)
{
	struct probe probe = probe_of(packet);

	return maps_judge(&f->maps, 1, true, &probe).rule_id;
}

/* Hits are counted by id: it stays while the rule at its place is the same, and says where that is. */
static void test_rule_ids(void **state)
{
	const char *tcp = "8.8.8.8 10.0.0.1 tcp 1 2", *udp = "8.8.8.8 10.0.0.1 udp 1 2",
		   *gre = "8.8.8.8 10.0.0.1 47";
	__u32 first, second, third;
	const struct rule_info *info;
	struct fixture f;

	fixture_init(&f, NULL);
	set_world(&f);
	set_rules(&f, "{'protocol': 'tcp'}, {'protocol': 'udp'}, {}");
	first = id_of(&f, tcp);
	second = id_of(&f, udp);
	third = id_of(&f, gre);
	assert_true(first != second && second != third && first != third && first && second && third);
	info = maps_rule_info(&f.maps, second);
	assert_non_null(info);
	assert_string_equal(info->object, "profile p");
	assert_string_equal(info->direction, "inbound");
	assert_int_equal(info->position, 2);
	assert_string_equal(info->text, "allow udp");

	set_rules(&f, "{'protocol': 'tcp'}, {'action': 'deny', 'protocol': 'udp'}, {}");
	assert_int_equal(id_of(&f, tcp), first);
	assert_int_not_equal(id_of(&f, udp), second);
	assert_int_equal(id_of(&f, gre), third);
	assert_null(maps_rule_info(&f.maps, second));

	set_rules(&f, "{'protocol': 'tcp'}");
	assert_int_equal(id_of(&f, tcp), first);
	assert_null(maps_rule_info(&f.maps, third));
	fixture_done(&f);
}

/* A text that does not fit says so. */
static void test_rule_texts(void **state)
{
	static const char any[] = "8.8.8.8 10.0.0.1 tcp 1 2";
	const struct rule_info *info;
	struct fixture f;

	fixture_init(&f, NULL);
	set_world(&f);
	set_rules(&f, "{'src_net': '8.0.0.0/8', '!src_selector': 'a == ~b~'}");
	info = maps_rule_info(&f.maps, id_of(&f, any));
	assert_string_equal(info->text, "allow from cidr 8.0.0.0/8 !selector a == 'b'");

	set_rules(
		&f,
		"{'protocol': 'tcp', '!src_ports': [100, 200, 300, 400, 500, 600, 700, 800, 900, 1100, 1200,"
		" 1300, 1400, 1500, 1600, 1700, 1800, 1900, 2100, 2200, 2300, 2400, 2500, 2600, 2700,"
		" 2800, 2900, 3100, 3200, 3300, 3400, 3500, 3600, 3700, 3800, 3900, 4100, 4200]}");
	info = maps_rule_info(&f.maps, id_of(&f, any));
	assert_int_equal(strlen(info->text), RULE_TEXT_LENGTH - 1);
	assert_string_equal(&info->text[RULE_TEXT_LENGTH - 4], "...");
	assert_memory_equal(info->text, "allow tcp from !ports 100,200,", 30);

	/* One that is denied instead does not claim to allow. */
	set_rules(&f, "{'protocol': 'icmp', 'icmp_type': 255}");
	info = maps_rule_info(&f.maps, id_of(&f, any));
	assert_string_equal(info->text, "deny all, in place of: allow icmp type 255");
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_long_port_lists),
		cmocka_unit_test(test_all_conditions_together),
		cmocka_unit_test(test_logging),
		cmocka_unit_test(test_meaningless_rules_deny),
		cmocka_unit_test(test_rule_ids),
		cmocka_unit_test(test_rule_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
