/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A rule as words of the command line. */
#include "cli/match.h"

#include <string.h>

#include "cli/arena.h"
#include "cli/validate.h"

/* Felix of v0.20 could not match type 255. */
#define ICMP_MAX 254

struct cursor {
	const struct args *args;
	size_t next;
};

static bool take(struct cursor *c, const char *keyword)
{
	const char *word = args_nth(c->args, ARGS_REST, c->next);

	if (!word || strcmp(word, keyword) != 0)
		return false;
	c->next++;
	return true;
}

static const char *take_either(struct cursor *c, const char *a, const char *b)
{
	if (take(c, a))
		return a;
	return take(c, b) ? b : NULL;
}

/* The value after an optional keyword. false: the keyword stands alone. */
static bool take_value(struct cursor *c, const char *keyword, const char **ret)
{
	if (!take(c, keyword))
		return true;
	*ret = args_nth(c->args, ARGS_REST, c->next++);
	return *ret != NULL;
}

static bool take_side(struct cursor *c, const char *keyword, bool with_ports, struct match_side *ret)
{
	if (!take(c, keyword))
		return true;
	return (!with_ports || take_value(c, "ports", &ret->ports)) && take_value(c, "tag", &ret->tag) &&
	       take_value(c, "cidr", &ret->cidr);
}

bool match_parse(const struct args *args, struct match *ret)
{
	struct cursor c = {.args = args};
	bool with_ports = false;

	*ret = (struct match){0};
	if ((ret->protocol = take_either(&c, "tcp", "udp")) != NULL) {
		with_ports = true;
	} else if ((ret->protocol = take_either(&c, "icmp", "icmpv6")) != NULL) {
		if (!take_value(&c, "type", &ret->type) || (ret->type && !take_value(&c, "code", &ret->code)))
			return false;
	}
	return take_side(&c, "from", with_ports, &ret->src) && take_side(&c, "to", with_ports, &ret->dst) &&
	       c.next == args_count(args, ARGS_REST);
}

static bool tag_ok(const char *tag)
{
	return !tag || model_id_valid(tag);
}

static bool icmp_ok(const char *text)
{
	long value;

	return !text || (integer_parse(text, &value) && value >= 0 && value <= ICMP_MAX);
}

static bool ports_ok(const char *text)
{
	struct port_ranges ranges;

	if (!text)
		return true;
	if (port_ranges_parse(text, &ranges, NULL) < 0)
		return false;
	port_ranges_done(&ranges);
	return true;
}

static bool families_ok(const struct match *match, uint8_t src, uint8_t dst)
{
	if (src && dst && src != dst)
		return false;

	uint8_t family = src ? src : dst;

	if (!family || !match->protocol)
		return true;
	return !(family == 6 && !strcmp(match->protocol, "icmp")) &&
	       !(family == 4 && !strcmp(match->protocol, "icmpv6"));
}

/* Family of a CIDR, 0 if none is given. */
static bool cidr_family(const char *text, uint8_t *ret)
{
	struct cidr cidr;

	*ret = 0;
	if (!text)
		return true;
	if (cidr_parse(text, &cidr) < 0)
		return false;
	*ret = cidr.addr.family;
	return true;
}

bool match_check(const struct match *match, struct out *out)
{
	uint8_t src, dst;
	bool tags = tag_ok(match->src.tag) && tag_ok(match->dst.tag);
	bool src_ok = cidr_family(match->src.cidr, &src), dst_ok = cidr_family(match->dst.cidr, &dst);
	bool icmp = icmp_ok(match->type) && icmp_ok(match->code);
	bool ports = ports_ok(match->src.ports) && ports_ok(match->dst.ports);
	bool families = families_ok(match, src, dst);

	if (!tags)
		out_para(out, "Tags names can only contain numbers, letters, dots, dashes and underscores.");
	if (!src_ok || !dst_ok)
		out_say(out, "Invalid CIDR specified.");
	if (!icmp)
		out_say(out, "Invalid ICMP type or ICMP code specified.");
	if (!ports)
		out_say(out, "Invalid SRCPORTS or DSTPORTS specified.");
	if (!families)
		out_say(out, "Invalid or unmatching IP versions for SRCCIDR/DSTCIDR.");
	return tags && src_ok && dst_ok && icmp && ports && families;
}

static void set_text(json_t *rule, const char *name, const char *text)
{
	if (text)
		json_object_set_new(rule, name, json_string(text));
}

static void set_integer(json_t *rule, const char *name, const char *text)
{
	long value;

	if (text && integer_parse(text, &value))
		json_object_set_new(rule, name, json_integer(value));
}

static void set_ports(json_t *rule, const char *name, const char *text)
{
	struct port_ranges ranges;

	if (!text || port_ranges_parse(text, &ranges, NULL) < 0)
		return;

	json_t *list = arena_check(json_array());

	for (size_t i = 0; i < ranges.count; i++) {
		const struct port_range *range = &ranges.items[i];

		json_array_append_new(list, range->first == range->last
						    ? json_integer(range->first)
						    : json_sprintf("%u:%u", range->first, range->last));
	}
	json_object_set_new(rule, name, list);
	port_ranges_done(&ranges);
}

int match_to_rule(const struct match *match, const char *action, struct rule *ret, struct err *err)
{
	json_t *rule = arena_check(json_object());

	set_text(rule, "action", action);
	set_text(rule, "protocol", match->protocol);
	set_integer(rule, "icmp_type", match->type);
	set_integer(rule, "icmp_code", match->code);
	set_ports(rule, "src_ports", match->src.ports);
	set_text(rule, "src_tag", match->src.tag);
	set_text(rule, "src_net", match->src.cidr);
	set_ports(rule, "dst_ports", match->dst.ports);
	set_text(rule, "dst_tag", match->dst.tag);
	set_text(rule, "dst_net", match->dst.cidr);

	int r = rule_parse_json(rule, ret, err);

	json_decref(rule);
	return r;
}
