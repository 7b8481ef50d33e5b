/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Random documents: valid ones mostly, with every field of the data model in odd combinations. */
#include "differential_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/feed.h"

#define COUNT(array)	 (sizeof(array) / sizeof((array)[0]))
#define PICK(dice, from) ((from)[dice_below(dice, COUNT(from))])

/* A document under construction, as json_of() takes it. */
struct draft {
	char data[16384];
	size_t size;
};

static void put(struct draft *draft, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct draft *draft, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	draft->size +=
		(size_t)vsnprintf(draft->data + draft->size, sizeof(draft->data) - draft->size, format, args);
	va_end(args);
	assert_true(draft->size < sizeof(draft->data));
}

/* ---- one rule ---- */

static const char *const tags[] = {"a", "b", "c", "nobody"};
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
	"!!has(role)",
	"!(role == ~x~)",
	"role == ~x~ || env == ~x~ && !has(zone)",
	"has(some-zone)",
	"role in {~nowhere~}",
};
static const char *const nets[] = {
	"10.65.0.0/16", "10.65.0.0/30",	   "10.65.0.4/30", "10.65.0.3/32",  "10.65.0.2",   "10.65.0.77/24",
	"0.0.0.0/0",	"192.0.2.0/24",	   "192.0.2.1/25", "8.0.0.0/7",	    "fd65::/64",   "fd65::4/126",
	"fd65::3",	"fd65:0:0:0::/63", "::/0",	   "2001:db8::/32", "fd65::2/128", "fd65::77/120",
};
static const char *const port_lists[] = {
	"[80]",
	"[0]",
	"['0:1024']",
	"['0:1024', 0]",
	"[80, 81, 443]",
	"['79:81', '80:90', 1000]",
	"['1:79', '81:65535']",
	"[1,3,5,7,9,11,13,15,17,19,'22:53',80,443,8080,65535]",
	"[2,4,6,8,10,12,14,16,18,20,21,'23:52',79,'81:83',442,444,1001,8079,65534]",
	"['0:65535']",
	"['0:65534']",
	"['1:65535']",
	"[65535, 1]",
	"[]",
};
static const char *const protocols[] = {
	"'tcp'", "6",	   "'6'",	"'udp'", "17", "'icmp'", "1",	 "'icmpv6'",
	"58",	 "'sctp'", "'udplite'", "132",	 "33", "47",	 "'50'", "255",
};
static const char *const with_ports[] = {
	"'tcp'", "'tcp'", "6", "'udp'", "'udp'", "17", "'sctp'", "132", "'udplite'", "136", "33",
};

static void put_side(struct dice *dice, struct draft *draft, const char *prefix, __u32 rarity)
{
	if (dice_one_in(dice, rarity))
		put(draft, ", '%s_tag': '%s'", prefix, PICK(dice, tags));
	if (dice_one_in(dice, rarity + 2))
		put(draft, ", '%s_selector': '%s'", prefix, PICK(dice, selectors));
	if (dice_one_in(dice, rarity))
		put(draft, ", '%s_net': '%s'", prefix, PICK(dice, nets));
}

static void put_ports(struct dice *dice, struct draft *draft)
{
	static const char *const sides[] = {"src_ports", "!src_ports", "!dst_ports"};

	put(draft, ", 'protocol': %s", PICK(dice, with_ports));
	if (!dice_one_in(dice, 5))
		put(draft, ", 'dst_ports': %s", PICK(dice, port_lists));
	for (size_t i = 0; i < COUNT(sides); i++) {
		if (dice_one_in(dice, 6))
			put(draft, ", '%s': %s", sides[i], PICK(dice, port_lists));
	}
}

static void put_icmp(struct dice *dice, struct draft *draft, const char *sign)
{
	static const int types[] = {0, 3, 8, 8, 8, 13, 128, 128, 128, 129, 200, 255};

	put(draft, ", '%sicmp_type': %d", sign, PICK(dice, types));
	if (dice_one_in(dice, 2))
		put(draft, ", '%sicmp_code': %u", sign, dice_below(dice, 2) * 4);
}

static void put_protocol(struct dice *dice, struct draft *draft)
{
	__u32 roll = dice_below(dice, 10);

	if (roll < 4)
		put_ports(dice, draft);
	else if (roll < 6)
		put(draft, ", 'protocol': %s", PICK(dice, protocols));
	else if (roll < 7)
		put_icmp(dice, draft, "");
	if (roll == 6 && dice_one_in(dice, 2))
		put(draft, ", 'protocol': %s", dice_one_in(dice, 2) ? "'icmp'" : "'icmpv6'");
	if (dice_one_in(dice, 14))
		put_icmp(dice, draft, "!");
	if (dice_one_in(dice, 10))
		put(draft, ", '!protocol': %s", PICK(dice, protocols));
}

static void put_rule(struct dice *dice, struct draft *draft)
{
	static const char *const actions[] = {"allow", "allow", "allow",     "allow", "deny",
					      "deny",  "deny",	"next-tier", "log"};
	/* Some rules say everything about addresses, most say little. */
	__u32 rarity = dice_one_in(dice, 6) ? 2 : 9;

	if (dice_one_in(dice, 40)) {
		put(draft, "{}");
		return;
	}
	put(draft, "{'action': '%s'", PICK(dice, actions));
	if (dice_one_in(dice, 8))
		put(draft, ", 'ip_version': %d", dice_one_in(dice, 2) ? 4 : 6);
	put_protocol(dice, draft);
	put_side(dice, draft, "src", rarity);
	put_side(dice, draft, "dst", rarity);
	put_side(dice, draft, "!src", rarity * 2);
	put_side(dice, draft, "!dst", rarity * 2);
	if (dice_one_in(dice, 10))
		put(draft, ", 'log_prefix': 'log %u'", dice_below(dice, 3));
	put(draft, "}");
}

/* Asks the parser, so that one bad rule does not spoil the whole document. */
static bool rule_valid(const char *rule)
{
	static struct draft draft;
	struct document *d;
	char *json;

	draft.size = 0;
	put(&draft, "{'inbound_rules': [%s], 'outbound_rules': []}", rule);
	json = json_of(draft.data);
	d = document_parse(RULES, "x", json);
	free(json);
	if (d)
		document_free(d);
	return d;
}

/* More sets than a word has bits, of addresses that no packet has. */
static __u32 put_crowd(struct draft *draft)
{
	__u32 done = 0;

	while (done < 70) {
		put(draft, "%s{'action': 'deny', 'src_net': '198.18.%u.0/24'}", done ? ", " : "", done);
		done++;
	}
	return done;
}

static void put_rules(struct dice *dice, struct draft *draft, const char *member)
{
	static struct draft rule;
	__u32 count = dice_below(dice, 6), done = 0;
	bool last_allows = dice_one_in(dice, 3);

	if (dice_one_in(dice, 25))
		count = 30 + dice_below(dice, 70);
	put(draft, "'%s': [", member);
	if (dice_one_in(dice, 25)) {
		done = put_crowd(draft);
		count += done;
	}
	while (done < count && draft->size < 6500) {
		rule.size = 0;
		put_rule(dice, &rule);
		if (rule_valid(rule.data))
			put(draft, "%s%s", done++ ? ", " : "", rule.data);
	}
	if (last_allows)
		put(draft, "%s{'action': 'allow'}", done ? ", " : "");
	put(draft, "]");
}

/* ---- documents ---- */

static void put_list(struct dice *dice, struct draft *draft, const char *const *from, size_t count)
{
	__u32 length = dice_below(dice, 4);

	put(draft, "[");
	for (__u32 i = 0; i < length; i++)
		put(draft, "%s'%s'", i ? ", " : "", from[dice_below(dice, (__u32)count)]);
	put(draft, "]");
}

static void put_labels(struct dice *dice, struct draft *draft)
{
	static const char *const names[] = {"role", "env", "some-zone"};
	const char *comma = "";

	put(draft, "{");
	for (size_t i = 0; i < COUNT(names); i++) {
		if (dice_one_in(dice, 2))
			continue;
		put(draft, "%s'%s': '%s'", comma, names[i], dice_one_in(dice, 2) ? "x" : "y");
		comma = ", ";
	}
	put(draft, "}");
}

static void put_order(struct dice *dice, struct draft *draft)
{
	static const char *const orders[] = {"'order': 1",   "'order': 1",  "'order': 2",
					     "'order': 1.5", "'order': -3", "'order': 'default'"};

	if (!dice_one_in(dice, 8))
		put(draft, "%s", PICK(dice, orders));
	else
		put(draft, "'unknown': true");
}

static void put_party(struct dice *dice, struct draft *draft)
{
	static const char *const profiles[] = {"p0", "p1", "p2", "p3", "p4", "missing"};
	__u32 length = 1 + dice_below(dice, 3);

	if (dice_one_in(dice, 15))
		length = 0;
	put(draft, "'profile_ids': [");
	for (__u32 i = 0; i < length; i++)
		put(draft, "%s'%s'", i ? ", " : "",
		    profiles[dice_below(dice, dice_one_in(dice, 12) ? COUNT(profiles) : 5)]);
	put(draft, "], 'labels': ");
	put_labels(dice, draft);
}

#define WORKLOADS 6

/* Mostly the endpoint's own; sometimes none, sometimes one that others have too. */
static void put_nets(struct dice *dice, struct draft *draft, __u32 number, const char *net, const char *end)
{
	static const __u32 numbers[] = {1, 2, 3, 4, 5, 6, VISITOR};
	const char *comma = "";

	put(draft, "[");
	if (!dice_one_in(dice, 12)) {
		put(draft, "'%s%u%s'", net, number, end);
		comma = ", ";
	}
	if (dice_one_in(dice, 5))
		put(draft, "%s'%s%u%s'", comma, net, PICK(dice, numbers), end);
	put(draft, "]");
}

static void put_workload(struct dice *dice, struct draft *draft, __u32 number)
{
	put(draft, "{'state': '%s', 'name': 'cali%u', ", dice_one_in(dice, 25) ? "inactive" : "active",
	    number);
	if (!dice_one_in(dice, 5))
		put(draft, "'mac': 'ee:ee:ee:00:00:%02x', ", number);
	put_party(dice, draft);
	if (dice_one_in(dice, 4))
		put(draft, ", 'sandbox': 's%u'", dice_below(dice, 2));
	put(draft, ", 'ipv4_nets': ");
	put_nets(dice, draft, number, "10.65.0.", "/32");
	put(draft, ", 'ipv6_nets': ");
	put_nets(dice, draft, number, "fd65::", "/128");
	put(draft, "}");
}

static void put_host_endpoint(struct dice *dice, struct draft *draft)
{
	put(draft, "{'name': 'eth0', ");
	put_party(dice, draft);
	put(draft, ", 'expected_ipv4_addrs': ['%s'], 'expected_ipv6_addrs': [%s]}",
	    dice_one_in(dice, 2) ? "192.0.2.1" : "10.65.1.1", dice_one_in(dice, 2) ? "'2001:db8::1'" : "");
}

static void put_policy(struct dice *dice, struct draft *draft)
{
	put(draft, "{");
	put_rules(dice, draft, "inbound_rules");
	put(draft, ", ");
	put_rules(dice, draft, "outbound_rules");
	put(draft, ", 'selector': '%s', ", PICK(dice, selectors));
	put_order(dice, draft);
	put(draft, "}");
}

static void put_profile(struct dice *dice, struct draft *draft)
{
	put(draft, "{");
	put_rules(dice, draft, "inbound_rules");
	put(draft, ", ");
	put_rules(dice, draft, "outbound_rules");
	put(draft, "}");
}

static void put_pool(struct dice *dice, struct draft *draft, const char *name)
{
	char cidr[64];

	snprintf(cidr, sizeof(cidr), "%s", name);
	*strrchr(cidr, '-') = '/';
	put(draft, "{'cidr': '%s', 'masquerade': %s}", cidr, dice_one_in(dice, 2) ? "true" : "false");
}

static const char *const pools[] = {"10.65.0.0-16", "10.65.0.0-24", "10.65.1.0-24", "10.0.0.0-8",
				    "fd65::-64",    "fd65::-16",    "192.0.2.0-25"};
static const char *const blocks[] = {"10.65.0.0-26", "10.65.0.64-26", "10.65.1.0-26",
				     "fd65::-122",   "fd65::40-122",  "fd65:1::-122"};
static const char *const host_addresses[] = {"172.30.0.2", "fd30::2", "192.0.2.200"};

static void put_document(struct dice *dice, struct draft *draft, struct change *change, __u32 number)
{
	switch (change->kind) {
	case RULES:
		put_profile(dice, draft);
		break;
	case TAGS:
		put_list(dice, draft, tags, 3);
		break;
	case LABELS:
		put_labels(dice, draft);
		break;
	case TIER:
		put(draft, "{");
		put_order(dice, draft);
		put(draft, "}");
		break;
	case POLICY:
		put_policy(dice, draft);
		break;
	case POOL:
		put_pool(dice, draft, change->name);
		break;
	case WORKLOAD:
		/* Usually in its own slot; now and then elsewhere, on another host, or in somebody's slot. */
		change->slot = number <= SLOTS ? number : 0;
		if (dice_one_in(dice, 25))
			change->slot = dice_below(dice, SLOTS + 1);
		put_workload(dice, draft, number);
		break;
	case HOST_ENDPOINT:
		put_host_endpoint(dice, draft);
		break;
	default: /* ADDRESS, NODE, BLOCK, BLOCKED: the name says all */
		put(draft, "{}");
	}
}

/* A network around one of the addresses that packets have. */
static void name_blocked(__u32 number, char name[64])
{
	static const __u8 lengths[][2] = {{32, 128}, {31, 127}, {30, 126}, {24, 64},
					  {16, 48},  {7, 9},	{0, 0}};
	struct cidr cidr;

	if (!shot_address(number % SHOT_ADDRESSES, &cidr.addr))
		fail();
	cidr.length = lengths[number / SHOT_ADDRESSES % COUNT(lengths)][cidr.addr.family == 6];
	cidr_mask(&cidr);
	cidr_format_key(&cidr, name);
}

static void name_node(__u32 number, char name[64])
{
	struct addr addr;

	if (!shot_address(number % SHOT_ADDRESSES, &addr))
		fail();
	addr_format(&addr, name);
}

static void name_document(enum kind kind, __u32 number, char name[64])
{
	switch (kind) {
	case RULES:
	case TAGS:
	case LABELS:
		snprintf(name, 64, "p%u", number % 5);
		return;
	case TIER:
		snprintf(name, 64, "t%u", number % 3);
		return;
	case POLICY:
		snprintf(name, 64, "t%u/q%u", number / 3 % 3, number % 3);
		return;
	case POOL:
		snprintf(name, 64, "%s", pools[number % COUNT(pools)]);
		return;
	case ADDRESS:
		snprintf(name, 64, "%s", host_addresses[number % COUNT(host_addresses)]);
		return;
	case NODE:
		name_node(number, name);
		return;
	case BLOCK:
		snprintf(name, 64, "%s", blocks[number % COUNT(blocks)]);
		return;
	case BLOCKED:
		name_blocked(number, name);
		return;
	case WORKLOAD:
		snprintf(name, 64, "workload/%u", number);
		return;
	default:
		snprintf(name, 64, "host/%u", number % 2);
	}
}

static void draw(struct dice *dice, enum kind kind, __u32 number, struct change *ret)
{
	static const char *const broken[] = {"{",
					     "null",
					     "[]",
					     "{'inbound_rules': [{'action': 'maybe'}],"
					     " 'outbound_rules': []}",
					     "17",
					     ""};
	static struct draft draft;

	draft.size = 0;
	*ret = (struct change){.kind = kind};
	name_document(kind, number, ret->name);
	put_document(dice, &draft, ret, number);
	/* What is not valid counts as deleted. */
	if (kind != TAGS && kind != ADDRESS && kind != NODE && kind != BLOCK && kind != BLOCKED &&
	    dice_one_in(dice, kind == WORKLOAD ? 100 : 40))
		snprintf(draft.data, sizeof(draft.data), "%s", PICK(dice, broken));
	ret->text = json_of(draft.data);
}

void change_draw(struct dice *dice, struct change *ret)
{
	static const enum kind often[] = {RULES,    RULES,    RULES, RULES,   TAGS,   TAGS,
					  LABELS,   TIER,     TIER,  POLICY,  POLICY, WORKLOAD,
					  WORKLOAD, WORKLOAD, POOL,  ADDRESS, NODE,   HOST_ENDPOINT};
	enum kind kind = PICK(dice, often);
	__u32 number = kind == WORKLOAD ? 1 + dice_below(dice, WORKLOADS)
					: dice_below(dice, kind == NODE ? SHOT_ADDRESSES : 9);

	draw(dice, kind, number, ret);
	if (dice_one_in(dice, kind == WORKLOAD ? 20 : 5)) {
		free(ret->text);
		ret->text = NULL;
		ret->slot = 0;
	}
}

void change_draw_visitor(struct dice *dice, struct change *ret)
{
	draw(dice, WORKLOAD, VISITOR, ret);
	ret->slot = 0;
	if (dice_one_in(dice, 2)) {
		free(ret->text);
		ret->text = NULL;
	}
}

void change_draw_outside(struct dice *dice, struct change *ret)
{
	/* Seldom the whole Internet. */
	__u32 networks = SHOT_ADDRESSES * (dice_one_in(dice, 30) ? 7 : dice_one_in(dice, 4) ? 6 : 3);

	if (dice_one_in(dice, 3))
		draw(dice, BLOCK, dice_below(dice, COUNT(blocks)), ret);
	else
		draw(dice, BLOCKED, dice_below(dice, networks), ret);
	if (dice_one_in(dice, 2)) {
		free(ret->text);
		ret->text = NULL;
	}
}

bool change_draw_initial(struct dice *dice, __u32 number, struct change *ret)
{
	static const struct {
		enum kind kind;
		__u32 first, count;
	} plan[] = {
		{ADDRESS, 0, 2},	  {RULES, 0, 5}, {TAGS, 0, 5},	{LABELS, 0, 5},
		{WORKLOAD, 1, WORKLOADS}, {POOL, 0, 1},	 {POOL, 4, 1},	{POLICY, 0, 9},
		{HOST_ENDPOINT, 0, 1},	  {BLOCK, 0, 1}, {BLOCK, 3, 1},
	};

	for (size_t i = 0; i < COUNT(plan); i++) {
		if (number < plan[i].count) {
			draw(dice, plan[i].kind, plan[i].first + number, ret);
			return true;
		}
		number -= plan[i].count;
	}
	return false;
}
