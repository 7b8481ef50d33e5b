/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Policy maps as text, by include/abi.h. */
#include "differential_dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct dump {
	struct progrun *progrun;
	FILE *out;
	struct address found[SHOT_ADDRESSES]; /* for each address of the stock */
	size_t count;
};

static struct address find_address(struct progrun *progrun, const struct addr *addr)
{
	bool is_v6 = addr->family == 6;
	struct prefix4_key prefix4 = {.prefix_length = 32};
	struct prefix6_key prefix6 = {.prefix_length = 128};
	struct address found = {};

	if (progrun_get(progrun, is_v6 ? "address6" : "address4", addr->bytes, &found))
		return found;
	memcpy(prefix4.address, addr->bytes, sizeof(prefix4.address));
	memcpy(prefix6.address, addr->bytes, sizeof(prefix6.address));
	progrun_get(progrun, is_v6 ? "prefix6" : "prefix4", is_v6 ? (void *)&prefix6 : &prefix4, &found);
	return found;
}

static bool in_set(const struct dump *dump, const struct address *address, __u32 set)
{
	__u32 word = set / 64 - address->first_word + address->row;
	__u64 bits = 0;

	if (set / 64 < address->first_word || set / 64 >= (__u32)address->first_word + address->words)
		return false;
	assert_true(progrun_get(dump->progrun, "identity", &word, &bits));
	return bits >> (set % 64) & 1;
}

static void dump_set(const struct dump *dump, const char *side, __u32 set, bool outside)
{
	if (!set)
		return;
	fprintf(dump->out, " %s %s", side, outside ? "outside" : "in");
	for (size_t i = 0; i < dump->count; i++)
		fputc(in_set(dump, &dump->found[i], set) ? '1' : '0', dump->out);
}

static void dump_ports(const struct dump *dump, const char *side, __u32 number)
{
	static struct portset set;

	if (!number)
		return;
	assert_true(progrun_get(dump->progrun, "portset", &number, &set));
	fprintf(dump->out, " %s ports", side);
	for (__u32 port = 0; port < 65536; port++) {
		bool is_in = set.word[port / 64] >> (port % 64) & 1;
		bool was_in = port && set.word[(port - 1) / 64] >> ((port - 1) % 64) & 1;

		if (is_in != was_in)
			fprintf(dump->out, " %s%u", is_in ? "from " : "until ", port);
	}
}

static void dump_rule(const struct dump *dump, __u32 index)
{
	struct log_prefix prefix = {};
	struct rule_info info = {};
	struct policy_rule rule;

	assert_true(progrun_get(dump->progrun, "rule", &index, &rule));
	assert_true(progrun_get(dump->progrun, "rule_info", &rule.rule_id, &info));
	if (rule.log_prefix)
		assert_true(progrun_get(dump->progrun, "log_prefix", &rule.log_prefix, &prefix));
	fprintf(dump->out, "      %s %s %u: action %u flags %#x protocol %u not %u", info.object,
		info.direction, info.position, rule.action, rule.flags, rule.protocol, rule.not_protocol);
	fprintf(dump->out, " icmp %u/%u not %u/%u ports %u-%u to %u-%u log '%s'", rule.icmp_type,
		rule.icmp_code, rule.not_icmp_type, rule.not_icmp_code, rule.sport_first, rule.sport_last,
		rule.dport_first, rule.dport_last, prefix.text);
	dump_ports(dump, "source", rule.src_portset);
	dump_ports(dump, "destination", rule.dst_portset);
	dump_set(dump, "source", rule.src_set, rule.flags & MATCH_SRC_NOT);
	dump_set(dump, "destination", rule.dst_set, rule.flags & MATCH_DST_NOT);
	fputc('\n', dump->out);
}

static void dump_list(const struct dump *dump, const char *direction, __u32 number)
{
	struct policy_list list;

	assert_true(progrun_get(dump->progrun, "list", &number, &list));
	fprintf(dump->out, "  %s%s, flags %u\n", direction, number ? "" : ": nothing", list.flags);
	for (int class = 0; class < CLASS_COUNT; class ++) {
		fprintf(dump->out, "    class %d\n", class);
		for (__u32 i = 0; i < list.classes[class].steps; i++) {
			__u32 index = list.classes[class].first + i;
			struct policy_step step;

			assert_true(progrun_get(dump->progrun, "step", &index, &step));
			fprintf(dump->out, "    step %u kind %u next %u\n", i, step.kind, step.next);
			for (__u32 j = 0; step.kind == STEP_RULES && j < step.rules; j++)
				dump_rule(dump, step.rule + j);
		}
	}
}

static void dump_addresses(struct dump *dump)
{
	struct addr addr;
	char text[ADDR_TEXT];

	while (shot_address(dump->count, &addr)) {
		struct address *found = &dump->found[dump->count++];

		*found = find_address(dump->progrun, &addr);
		fprintf(dump->out, "%s flags %#x endpoint %u\n", addr_format(&addr, text), found->flags,
			found->endpoint);
	}
}

char *maps_dump(const struct stage *stage)
{
	static const char *const counted[] = {"address4", "address6",  "prefix4",
					      "prefix6",  "rule_info", "log_prefix"};
	struct dump dump = {.progrun = stage->fixture->progrun};
	char *text = NULL;
	size_t size;

	dump.out = open_memstream(&text, &size);
	assert_non_null(dump.out);
	dump_addresses(&dump);
	for (__u32 slot = 1; slot <= SLOTS; slot++) {
		struct endpoint_policy policy;

		assert_true(progrun_get(dump.progrun, "endpoint_policy", &slot, &policy));
		fprintf(dump.out, "slot %u\n", slot);
		dump_list(&dump, "inbound", policy.inbound);
		dump_list(&dump, "outbound", policy.outbound);
	}
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		fprintf(dump.out, "%u entries in %s\n", progrun_count(dump.progrun, counted[i]), counted[i]);
	assert_int_equal(fclose(dump.out), 0);
	return text;
}
