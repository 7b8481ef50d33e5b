/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules from JSON. One bad rule invalidates the whole object, and so does a member that is not known:
 * ignoring a condition would let more through than was asked for. Source: Calico v0.20's data model, "Rule
 * object".
 */
#include "model/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/fields.h"
#include "util/text.h"

#define LOG_PREFIX_MAX 27

/* Where the value of a member belongs, and what it is called in the document. */
struct target {
	const char *name;
	struct rule *rule;
	struct rule_match *match;
	struct rule_side *side;
};

static int bad_value(const struct target *target, const json_t *value, const char *expected, struct err *err)
{
	char shown[FIELD_SHOW];

	return err_set(err, EBADMSG, "%s: %s is not %s", target->name, field_show(value, shown), expected);
}

static int keep_text(char **ret, const char *text, struct err *err)
{
	*ret = strdup(text);
	return *ret ? 0 : field_out_of_memory(err);
}

static int parse_action(const struct target *target, const json_t *value, struct err *err)
{
	const char *text = json_string_value(value);

	for (enum action action = RULE_ALLOW; text && action <= RULE_LOG; action++) {
		if (strcmp(text, rule_action_name(action)) == 0) {
			target->rule->action = action;
			return 0;
		}
	}
	return bad_value(target, value, "allow, deny, next-tier or log", err);
}

static int parse_ip_version(const struct target *target, const json_t *value, struct err *err)
{
	json_int_t version = json_integer_value(value);

	if (version != 4 && version != 6)
		return bad_value(target, value, "4 or 6", err);
	target->rule->ip_version = (int)version;
	return 0;
}

/* One '_' for each character that may not be in a log prefix, whatever its length in UTF-8. */
static void sanitise_log_prefix(char *text)
{
	size_t length = 0;

	for (const char *c = text; *c && length < LOG_PREFIX_MAX; c++) {
		bool plain = strchr("_:-", *c) || (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
			     (*c >= 'a' && *c <= 'z');

		if (((unsigned char)*c & 0xc0) != 0x80)
			text[length++] = plain ? *c : '_';
	}
	text[length] = '\0';
}

static int parse_log_prefix(const struct target *target, const json_t *value, struct err *err)
{
	if (!json_is_string(value))
		return bad_value(target, value, "a string", err);
	if (keep_text(&target->rule->log_prefix, json_string_value(value), err) < 0)
		return -ENOMEM;
	sanitise_log_prefix(target->rule->log_prefix);
	return 0;
}

int protocol_parse(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} names[] = {
		{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"icmpv6", 58}, {"sctp", 132}, {"udplite", 136},
	};
	int number;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i].name) == 0)
			return names[i].number;
	number = text_decimal(&text, 255);
	return number > 0 && !*text ? number : -EINVAL;
}

static int parse_protocol(const struct target *target, const json_t *value, struct err *err)
{
	char digits[FIELD_SHOW];
	const char *text = json_is_integer(value) ? field_show(value, digits) : json_string_value(value);
	int protocol = text ? protocol_parse(text) : -EINVAL;

	if (protocol < 0)
		return bad_value(target, value, "a protocol name or a number from 1 to 255", err);
	target->match->protocol = protocol;
	return keep_text(&target->match->protocol_text, text, err);
}

static int parse_byte(const struct target *target, const json_t *value, int *ret, struct err *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > 255)
		return bad_value(target, value, "a number from 0 to 255", err);
	*ret = (int)number;
	return 0;
}

static int parse_icmp_type(const struct target *target, const json_t *value, struct err *err)
{
	return parse_byte(target, value, &target->match->icmp_type, err);
}

static int parse_icmp_code(const struct target *target, const json_t *value, struct err *err)
{
	return parse_byte(target, value, &target->match->icmp_code, err);
}

static int parse_tag(const struct target *target, const json_t *value, struct err *err)
{
	if (!json_is_string(value) || !model_id_valid(json_string_value(value)))
		return bad_value(target, value, "a tag of letters, digits, '_', '.' and '-'", err);
	return keep_text(&target->side->tag, json_string_value(value), err);
}

static int parse_selector(const struct target *target, const json_t *value, struct err *err)
{
	int r;

	if (!json_is_string(value))
		return bad_value(target, value, "a selector", err);
	r = selector_parse(json_string_value(value), &target->side->selector, err);
	if (r < 0)
		return err_prefix(err, r, "%s", target->name);
	return keep_text(&target->side->selector_text, json_string_value(value), err);
}

static int parse_net(const struct target *target, const json_t *value, struct err *err)
{
	char text[CIDR_TEXT];

	if (!json_is_string(value) || cidr_parse_loose(json_string_value(value), &target->side->net) < 0)
		return bad_value(target, value, "a CIDR or an address", err);
	target->side->has_net = true;
	return keep_text(&target->side->net_text, cidr_format(&target->side->net, text), err);
}

/* A number, or "lo:hi" with lo < hi. */
static int port_item_parse(const json_t *item, struct port_range *ret)
{
	const char *text = json_string_value(item);
	int first, last;

	if (json_is_integer(item)) {
		json_int_t port = json_integer_value(item);

		if (port < 0 || port > UINT16_MAX)
			return -EINVAL;
		*ret = (struct port_range){.first = (uint16_t)port, .last = (uint16_t)port};
		return 0;
	}
	first = text ? text_decimal(&text, UINT16_MAX) : -EINVAL;
	if (first < 0 || *text++ != ':')
		return -EINVAL;
	last = text_decimal(&text, UINT16_MAX);
	if (last <= first || *text)
		return -EINVAL;
	*ret = (struct port_range){.first = (uint16_t)first, .last = (uint16_t)last};
	return 0;
}

static int parse_ports(const struct target *target, const json_t *value, struct err *err)
{
	struct port_range range;
	const json_t *item;
	size_t i;

	if (!json_is_array(value))
		return bad_value(target, value, "a list of ports", err);
	json_array_foreach (value, i, item) {
		if (port_item_parse(item, &range) < 0)
			return bad_value(target, item, "a port from 0 to 65535 or a range \"low:high\"", err);
		if (port_ranges_add(&target->side->ports, range.first, range.last) < 0)
			return field_out_of_memory(err);
	}
	return 0;
}

static const struct member {
	const char *name; /* without "!", "src_" and "dst_" */
	bool sided, negatable;
	int (*parse)(const struct target *target, const json_t *value, struct err *err);
} members[] = {
	{"action", false, false, parse_action},
	{"ip_version", false, false, parse_ip_version},
	{"log_prefix", false, false, parse_log_prefix},
	{"protocol", false, true, parse_protocol},
	{"icmp_type", false, true, parse_icmp_type},
	{"icmp_code", false, true, parse_icmp_code},
	{"tag", true, true, parse_tag},
	{"selector", true, true, parse_selector},
	{"net", true, true, parse_net},
	{"ports", true, true, parse_ports},
};

/* Sets the target's match and side by the name's prefixes. NULL: no such member. */
static const struct member *member_find(struct target *target)
{
	const char *name = target->name;
	bool negated = *name == '!';

	if (negated)
		name++;
	target->match = negated ? &target->rule->not_match : &target->rule->match;
	target->side = strncmp(name, "src_", 4) == 0   ? &target->match->src
		       : strncmp(name, "dst_", 4) == 0 ? &target->match->dst
						       : NULL;
	if (target->side)
		name += 4;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (strcmp(name, members[i].name) == 0 && members[i].sided == !!target->side &&
		    (members[i].negatable || !negated))
			return &members[i];
	return NULL;
}

static bool family_contradicts(const struct rule *rule, const struct rule_match *match)
{
	const char *foreign = rule->ip_version == 4 ? "icmpv6" : "icmp";

	return rule->ip_version && match->protocol_text && strcmp(match->protocol_text, foreign) == 0;
}

static bool net_contradicts(const struct rule *rule, const struct rule_side *side)
{
	return rule->ip_version && side->has_net && side->net.addr.family != rule->ip_version;
}

static int check_match(const struct rule *rule, const struct rule_match *match, const char *sign,
		       struct err *err)
{
	if (family_contradicts(rule, match))
		return err_set(err, EBADMSG, "%sprotocol: \"%s\" does not exist in ip_version %d", sign,
			       match->protocol_text, rule->ip_version);
	if (net_contradicts(rule, &match->src))
		return err_set(err, EBADMSG, "%ssrc_net: \"%s\" is not of ip_version %d", sign,
			       match->src.net_text, rule->ip_version);
	if (net_contradicts(rule, &match->dst))
		return err_set(err, EBADMSG, "%sdst_net: \"%s\" is not of ip_version %d", sign,
			       match->dst.net_text, rule->ip_version);
	if (match->icmp_code >= 0 && match->icmp_type < 0)
		return err_set(err, EBADMSG, "%sicmp_code: %d needs %sicmp_type", sign, match->icmp_code,
			       sign);
	return 0;
}

static bool protocol_has_ports(int protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

/* What members mean together. `ports`: name of a list of ports in the rule, also an empty one. */
static int check_rule(const struct rule *rule, const char *ports, struct err *err)
{
	int r;

	if (ports && !protocol_has_ports(rule->match.protocol))
		return err_set(err, EBADMSG, "%s needs protocol tcp, udp, sctp, udplite or 33, not %s", ports,
			       rule->match.protocol_text ? rule->match.protocol_text : "any");
	r = check_match(rule, &rule->match, "", err);
	return r < 0 ? r : check_match(rule, &rule->not_match, "!", err);
}

static int parse_members(const json_t *json, struct rule *rule, struct err *err)
{
	const char *name, *ports = NULL;
	const json_t *value;
	int r;

	json_object_foreach ((json_t *)json, name, value) {
		struct target target = {.name = name, .rule = rule};
		const struct member *member;

		if (json_is_null(value))
			continue;
		member = member_find(&target);
		if (!member)
			return err_set(err, EBADMSG, "%s: is no member of a rule", name);
		r = member->parse(&target, value, err);
		if (r < 0)
			return r;
		if (member->parse == parse_ports)
			ports = name;
	}
	return check_rule(rule, ports, err);
}

int rule_parse_json(const json_t *json, struct rule *ret, struct err *err)
{
	char shown[FIELD_SHOW];
	int r;

	rule_init(ret);
	if (!json_is_object(json))
		return err_set(err, EBADMSG, "not an object but %s", field_show(json, shown));
	r = parse_members(json, ret, err);
	if (r < 0)
		rule_done(ret);
	return r;
}

static int list_parse(const json_t *object, const char *direction, struct rules_list *ret, struct err *err)
{
	char name[sizeof("outbound_rules")], shown[FIELD_SHOW];
	const json_t *list, *item;
	struct rule rule;
	size_t i;
	int r;

	snprintf(name, sizeof(name), "%s_rules", direction);
	list = json_object_get(object, name);
	if (!list)
		return err_set(err, EBADMSG, "%s is missing", name);
	if (!json_is_array(list))
		return err_set(err, EBADMSG, "%s is not a list but %s", name, field_show(list, shown));
	if (json_array_size(list) > MODEL_MAX_RULES)
		return err_set(err, EBADMSG, "%s has more than %d rules", name, MODEL_MAX_RULES);
	json_array_foreach (list, i, item) {
		r = rule_parse_json(item, &rule, err);
		if (r < 0)
			return err_prefix(err, r, "%s rule %zu", direction, i + 1);
		if (rules_list_insert(ret, i, &rule) < 0) {
			rule_done(&rule);
			return field_out_of_memory(err);
		}
	}
	return 0;
}

int rules_lists_parse_json(const json_t *json, struct rules_list *ret_inbound,
			   struct rules_list *ret_outbound, struct err *err)
{
	struct rules_list inbound = {0}, outbound = {0};
	int r = list_parse(json, "inbound", &inbound, err);

	if (r == 0)
		r = list_parse(json, "outbound", &outbound, err);
	if (r < 0) {
		rules_list_done(&inbound);
		rules_list_done(&outbound);
		return r;
	}
	*ret_inbound = inbound;
	*ret_outbound = outbound;
	return 0;
}

/* What else the document has; the rules themselves need not be in memory twice. */
static json_t *other_members(const json_t *json)
{
	json_t *others = json_copy((json_t *)json);

	json_object_del(others, "inbound_rules");
	json_object_del(others, "outbound_rules");
	return others;
}

int rules_parse_json(const json_t *json, struct rules **ret, struct err *err)
{
	char shown[FIELD_SHOW];
	struct rules *rules;
	const char *id;
	int r = 0;

	if (!json_is_object(json))
		return err_set(err, EBADMSG, "not an object but %s", field_show(json, shown));
	rules = calloc(1, sizeof(*rules));
	if (!rules)
		return field_out_of_memory(err);
	rules->raw = other_members(json);
	id = json_string_value(json_object_get(json, "id"));
	if (!rules->raw)
		r = field_out_of_memory(err);
	else if (id)
		r = keep_text(&rules->id, id, err);
	if (r == 0)
		r = rules_lists_parse_json(json, &rules->inbound, &rules->outbound, err);
	if (r < 0) {
		rules_free(rules);
		return r;
	}
	*ret = rules;
	return 0;
}

int rules_parse(const char *text, struct rules **ret, struct err *err)
{
	json_t *json;
	int r = field_object(text, &json, err);

	if (r < 0)
		return r;
	r = rules_parse_json(json, ret, err);
	json_decref(json);
	return r;
}
