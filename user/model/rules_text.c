/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules and ports as the command line writes them. */
#include "model/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/text.h"

static void format_ports(FILE *out, const char *sign, const struct port_ranges *ports)
{
	for (size_t i = 0; i < ports->count; i++) {
		if (i == 0)
			fprintf(out, " %sports ", sign);
		else
			fputc(',', out);
		fprintf(out, "%u", ports->items[i].first);
		if (ports->items[i].last != ports->items[i].first)
			fprintf(out, ":%u", ports->items[i].last);
	}
}

static void format_tag(FILE *out, const char *sign, const struct rule_side *side)
{
	if (side->tag)
		fprintf(out, " %stag %s", sign, side->tag);
}

static void format_net(FILE *out, const char *sign, const struct rule_side *side)
{
	char text[CIDR_TEXT];

	if (side->has_net)
		fprintf(out, " %scidr %s", sign, cidr_format(&side->net, text));
}

static void format_selector(FILE *out, const char *sign, const struct rule_side *side)
{
	if (side->selector_text)
		fprintf(out, " %sselector %s", sign, side->selector_text);
}

static bool side_shown(const struct rule_side *side, bool selectors)
{
	return side->ports.count > 0 || side->tag || side->has_net || (selectors && side->selector_text);
}

static void format_side(FILE *out, const char *word, const struct rule_side *side,
			const struct rule_side *not_side, bool selectors)
{
	if (!side_shown(side, selectors) && !side_shown(not_side, selectors))
		return;
	fprintf(out, " %s", word);
	format_ports(out, "", &side->ports);
	format_ports(out, "!", &not_side->ports);
	format_tag(out, "", side);
	format_tag(out, "!", not_side);
	format_net(out, "", side);
	format_net(out, "!", not_side);
	if (selectors) {
		format_selector(out, "", side);
		format_selector(out, "!", not_side);
	}
}

static void format_protocol(FILE *out, const char *sign, const struct rule_match *match)
{
	if (match->protocol_text)
		fprintf(out, " %s%s", sign, match->protocol_text);
}

static void format_icmp(FILE *out, const char *sign, const struct rule_match *match)
{
	if (match->icmp_type >= 0)
		fprintf(out, " %stype %d", sign, match->icmp_type);
	if (match->icmp_code >= 0)
		fprintf(out, " %scode %d", sign, match->icmp_code);
}

static char *format_rule(const struct rule *rule, bool selectors)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(rule_action_name(rule->action), out);
	if (rule->ip_version)
		fprintf(out, " ipv%d", rule->ip_version);
	format_protocol(out, "", &rule->match);
	format_protocol(out, "!", &rule->not_match);
	format_icmp(out, "", &rule->match);
	format_icmp(out, "!", &rule->not_match);
	format_side(out, "from", &rule->match.src, &rule->not_match.src, selectors);
	format_side(out, "to", &rule->match.dst, &rule->not_match.dst, selectors);
	if (rule->log_prefix && rule->log_prefix[0])
		fprintf(out, " prefix %s", rule->log_prefix);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

char *rule_format_text(const struct rule *rule)
{
	return format_rule(rule, false);
}

char *rule_describe(const struct rule *rule)
{
	return format_rule(rule, true);
}

static int parse_range(const char **text, struct port_ranges *ranges)
{
	int first = text_decimal(text, UINT16_MAX), last = first;

	if (first < 0)
		return first;
	if (**text == ':') {
		++*text;
		last = text_decimal(text, UINT16_MAX);
		if (last <= first)
			return -EINVAL;
	}
	return port_ranges_add(ranges, (uint16_t)first, (uint16_t)last);
}

int port_ranges_parse(const char *text, struct port_ranges *ret, struct err *err)
{
	struct port_ranges ranges = {0};
	int r;

	for (;;) {
		r = parse_range(&text, &ranges);
		if (r < 0 || *text != ',')
			break;
		text++;
	}
	if (r < 0 || *text) {
		port_ranges_done(&ranges);
		return err_set(err, r == -ENOMEM ? ENOMEM : EINVAL,
			       "Invalid SRCPORTS or DSTPORTS specified.");
	}
	*ret = ranges;
	return 0;
}
