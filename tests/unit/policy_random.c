/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Random documents and packets. */
#include "unit/policy_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array)	   (sizeof(array) / sizeof((array)[0]))
#define PICK(random, from) ((from)[random_below(random, COUNT(from))])

static const char *const tags[] = {"a", "b", "c"};
static const char *const selectors[] = {
	"role == ~x~",
	"role != ~x~",
	"has(env)",
	"!has(env)",
	"all()",
	"role in {~x~, ~y~} && env == ~y~",
	"",
	"role==~x~",
	"env not in {~x~}",
};
static const char *const nets[] = {
	"10.0.0.0/8",	"10.0.0.0/24", "10.0.0.4/30", "10.0.0.3/32", "0.0.0.0/0", "10.0.0.77/24",
	"192.0.2.0/24", "fd00::/16",   "fd00::4/126", "::/0",	     "10.0.0.3",
};
static const char *const addresses[] = {
	"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.1.1",    "192.0.2.1",
	"8.8.8.8",  "fd00::1",	"fd00::2",  "fd00::4",	"fd00::5",  "fd00::6",	"2001:db8::1",
};
#define ADDRESSES4 9
static const char *const port_lists[] = {
	"[80]",
	"['0:1024', 0]",
	"[80, 81, 443]",
	"['79:81', '80:90', 1000]",
	"[1,3,5,7,9,11,13,15,17,19,'22:53',80,443,8080,65535]",
	"['0:65535']",
	"[]",
};
static const char *const protocols[] = {"'tcp'", "6",  "'udp'", "'icmp'", "'icmpv6'",
					"1",	 "58", "132",	"47",	  "33"};
static const __u16 ports[] = {0, 1, 22, 53, 79, 80, 81, 443, 1000, 8080, 65535};

__u32 random_below(struct random *random, __u32 limit)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 7;
	random->state ^= random->state << 17;
	return (__u32)((random->state >> 11) % limit);
}

static bool one_in(struct random *random, __u32 n)
{
	return random_below(random, n) == 0;
}

/* A document under construction, as json_of() takes it. */
struct text {
	char data[8192];
	size_t size;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text->size +=
		(size_t)vsnprintf(text->data + text->size, sizeof(text->data) - text->size, format, args);
	va_end(args);
	assert_true(text->size < sizeof(text->data));
}

static void put_side(struct random *random, struct text *text, const char *prefix, bool with_ports)
{
	if (one_in(random, 6))
		put(text, ", '%s_tag': '%s'", prefix, PICK(random, tags));
	if (one_in(random, 8))
		put(text, ", '%s_selector': '%s'", prefix, PICK(random, selectors));
	if (one_in(random, 6))
		put(text, ", '%s_net': '%s'", prefix, PICK(random, nets));
	if (with_ports && one_in(random, 3))
		put(text, ", '%s_ports': %s", prefix, PICK(random, port_lists));
}

static void put_icmp(struct random *random, struct text *text, const char * not )
{
	static const int types[] = {0, 3, 8, 128, 8, 128, 8, 128, 255};

	put(text, ", '%sicmp_type': %d", not, PICK(random, types));
	if (one_in(random, 2))
		put(text, ", '%sicmp_code': %u", not, random_below(random, 2) * 4);
}

static void put_rule(struct random *random, struct text *text)
{
	static const char *const actions[] = {"allow", "allow", "allow", "deny", "deny", "next-tier", "log"};
	bool with_ports = one_in(random, 3);

	put(text, "{'action': '%s'", PICK(random, actions));
	if (one_in(random, 6))
		put(text, ", 'ip_version': %d", one_in(random, 2) ? 4 : 6);
	if (with_ports)
		put(text, ", 'protocol': '%s'",
		    one_in(random, 2)	? "tcp"
		    : one_in(random, 2) ? "udp"
					: "132");
	else if (one_in(random, 3))
		put(text, ", 'protocol': %s", PICK(random, protocols));
	if (one_in(random, 8))
		put(text, ", '!protocol': %s", PICK(random, protocols));
	put_side(random, text, "src", with_ports);
	put_side(random, text, "dst", with_ports);
	put_side(random, text, "!src", with_ports);
	put_side(random, text, "!dst", with_ports);
	if (!with_ports && one_in(random, 12))
		put_icmp(random, text, "");
	if (!with_ports && one_in(random, 16))
		put_icmp(random, text, "!");
	if (one_in(random, 12))
		put(text, ", 'log_prefix': 'log-%u'", random_below(random, 3));
	put(text, "}");
}

/* Asks the parser, so that one bad rule does not spoil the whole document. */
static bool rule_valid(const char *rule)
{
	struct text text = {};
	struct document *d;
	char *json;

	put(&text, "{'inbound_rules': [%s], 'outbound_rules': []}", rule);
	json = json_of(text.data);
	d = document_parse(RULES, "x", json);
	free(json);
	if (d)
		document_free(d);
	return d;
}

static void put_rules(struct random *random, struct text *text, const char *member)
{
	__u32 count = random_below(random, 5);
	const char *comma = "";

	if (one_in(random, 20))
		count = 40 + random_below(random, 60);
	put(text, "'%s': [", member);
	for (__u32 i = 0; i < count && text->size < 3500; i++) {
		struct text rule = {};

		put_rule(random, &rule);
		if (!rule_valid(rule.data))
			continue;
		put(text, "%s%s", comma, rule.data);
		comma = ", ";
	}
	put(text, "]");
}

static void put_list(struct random *random, struct text *text, const char *const *from, size_t count)
{
	__u32 length = random_below(random, 3);

	put(text, "[");
	for (__u32 i = 0; i < length; i++)
		put(text, "%s'%s'", i ? ", " : "", from[random_below(random, (__u32)count)]);
	put(text, "]");
}

static void put_labels(struct random *random, struct text *text)
{
	const char *comma = "";

	put(text, "{");
	if (one_in(random, 2)) {
		put(text, "'role': '%s'", one_in(random, 2) ? "x" : "y");
		comma = ", ";
	}
	if (one_in(random, 2))
		put(text, "%s'env': '%s'", comma, one_in(random, 2) ? "x" : "y");
	put(text, "}");
}

static void put_order(struct random *random, struct text *text)
{
	static const char *const orders[] = {"1", "2", "2.5", "'default'"};

	put(text, "'order': %s", PICK(random, orders));
}

/* Some of the addresses from `first` on. */
static void put_addresses(struct random *random, struct text *text, size_t first, size_t count)
{
	__u32 length = random_below(random, 3);

	put(text, "[");
	for (__u32 i = 0; i < length; i++)
		put(text, "%s'%s'", i ? ", " : "", addresses[first + random_below(random, (__u32)count)]);
	put(text, "]");
}

static void put_parties(struct random *random, struct text *text)
{
	static const char *const profiles[] = {"p0", "p1", "p2", "p3", "p4"};

	put(text, "'profile_ids': ");
	put_list(random, text, profiles, COUNT(profiles));
	put(text, ", 'labels': ");
	put_labels(random, text);
}

/* Interfaces are named like their endpoints, as problems are told by interface. */
static void put_document(struct random *random, struct text *text, enum kind kind, const char *name)
{
	put(text, kind == TAGS ? "" : kind == LABELS ? "" : "{");
	if (kind == RULES || kind == POLICY) {
		put_rules(random, text, "inbound_rules");
		put(text, ", ");
		put_rules(random, text, "outbound_rules");
	}
	if (kind == POLICY)
		put(text, ", 'selector': '%s', ", PICK(random, selectors));
	if (kind == POLICY || kind == TIER)
		put_order(random, text);
	if (kind == TAGS)
		put_list(random, text, tags, COUNT(tags));
	if (kind == LABELS)
		put_labels(random, text);
	if (kind == WORKLOAD) {
		put(text, "'state': '%s', 'name': 'cali%s', ", one_in(random, 6) ? "inactive" : "active",
		    strchr(name, '/') + 1);
		put_parties(random, text);
		if (one_in(random, 3))
			put(text, ", 'sandbox': 's%u'", random_below(random, 2));
		put(text, ", 'ipv4_nets': ");
		put_addresses(random, text, 0, ADDRESSES4);
		put(text, ", 'ipv6_nets': ");
		put_addresses(random, text, ADDRESSES4, COUNT(addresses) - ADDRESSES4);
	}
	if (kind == HOST_ENDPOINT) {
		put(text, "'name': 'eth0', ");
		put_parties(random, text);
		put(text, ", 'expected_ipv4_addrs': ");
		put_addresses(random, text, 0, ADDRESSES4);
	}
	put(text, kind == TAGS ? "" : kind == LABELS ? "" : "}");
}

static void name_document(struct random *random, enum kind kind, char name[64])
{
	static const char *const pools[] = {"10.0.0.0-24", "10.0.0.0-8", "10.0.1.0-24", "fd00::-16"};

	if (kind == RULES || kind == TAGS || kind == LABELS)
		snprintf(name, 64, "p%u", random_below(random, 5));
	else if (kind == TIER)
		snprintf(name, 64, "t%u", random_below(random, 3));
	else if (kind == POLICY)
		snprintf(name, 64, "t%u/q%u", random_below(random, 3), random_below(random, 3));
	else if (kind == POOL)
		snprintf(name, 64, "%s", PICK(random, pools));
	else if (kind == ADDRESS)
		snprintf(name, 64, "%s", PICK(random, addresses));
	else if (kind == WORKLOAD)
		snprintf(name, 64, "workload/%u", random_below(random, 8));
	else
		snprintf(name, 64, "host/%u", random_below(random, 2));
}

static void put_pool(struct random *random, struct text *text, const char *name)
{
	char cidr[64];

	snprintf(cidr, sizeof(cidr), "%s", name);
	*strrchr(cidr, '-') = '/';
	put(text, "{'cidr': '%s', 'masquerade': %s}", cidr, one_in(random, 2) ? "true" : "false");
}

void random_change(struct random *random, struct fixture *fixture)
{
	static const enum kind often[] = {RULES,    RULES, TAGS,   TAGS,   LABELS, WORKLOAD, WORKLOAD,
					  WORKLOAD, TIER,  POLICY, POLICY, POOL,   ADDRESS,  HOST_ENDPOINT};
	enum kind kind = PICK(random, often);
	__u32 slot = 0;
	struct text text = {};
	char name[64];

	name_document(random, kind, name);
	if (one_in(random, 5)) {
		fixture_set(fixture, kind, name, NULL);
		return;
	}
	if (kind == WORKLOAD)
		slot = random_below(random, RANDOM_HOST_SLOT);
	else if (kind == HOST_ENDPOINT)
		slot = one_in(random, 3) ? 0 : RANDOM_HOST_SLOT;
	if (kind == POOL)
		put_pool(random, &text, name);
	else
		put_document(random, &text, kind, name);
	if (!fixture_set_slot(fixture, kind, name, text.data, slot))
		fail_msg("generated a document that is not valid: %s: %s", name, text.data);
}

size_t random_address_count(void)
{
	return COUNT(addresses) + 2;
}

/* The last two are never anybody's. */
struct addr random_address(size_t i)
{
	struct addr addr = {};
	const char *text = i < COUNT(addresses)	   ? addresses[i]
			   : i == COUNT(addresses) ? "10.0.0.200"
						   : "fd00::99";

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

struct probe random_probe(struct random *random)
{
	static const __u8 numbers[] = {6, 6, 17, 1, 58, 1, 58, 132, 136, 33, 47, 255};
	static const __u8 types[] = {0, 3, 8, 128, 255};
	struct probe probe = {.protocol = PICK(random, numbers)};

	probe.src = random_address(random_below(random, (__u32)random_address_count()));
	do {
		probe.dst = random_address(random_below(random, (__u32)random_address_count()));
	} while (probe.dst.family != probe.src.family);
	probe.sport = PICK(random, ports);
	probe.dport = PICK(random, ports);
	probe.icmp_type = PICK(random, types);
	probe.icmp_code = (__u8)(random_below(random, 2) * 4);
	return probe;
}
