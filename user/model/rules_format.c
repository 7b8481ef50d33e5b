/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules to JSON, in one canonical form. */
#include "model/rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/fields.h"

/* Sets "<sign><side><name>"; takes the value. */
static int set(json_t *json, const char *prefix, const char *name, json_t *value)
{
	char member[32];

	snprintf(member, sizeof(member), "%s%s", prefix, name);
	return field_set(json, member, value);
}

static int set_text(json_t *json, const char *prefix, const char *name, const char *text)
{
	return text ? set(json, prefix, name, json_string(text)) : 0;
}

static json_t *ports_to_json(const struct port_ranges *ports)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < ports->count; i++) {
		const struct port_range *range = &ports->items[i];
		json_t *item = range->first == range->last ? json_integer(range->first)
							   : json_sprintf("%u:%u", range->first, range->last);

		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int side_to_json(const struct rule_side *side, const char *prefix, json_t *json)
{
	char net[CIDR_TEXT];
	int r = set_text(json, prefix, "tag", side->tag);

	if (r == 0)
		r = set_text(json, prefix, "selector", side->selector_text);
	if (r == 0 && side->has_net)
		r = set_text(json, prefix, "net", cidr_format(&side->net, net));
	if (r == 0 && side->ports.count > 0)
		r = set(json, prefix, "ports", ports_to_json(&side->ports));
	return r;
}

static int match_to_json(const struct rule_match *match, bool negated, json_t *json)
{
	const char *sign = negated ? "!" : "";
	int r = set_text(json, sign, "protocol", match->protocol_text);

	if (r == 0 && match->icmp_type >= 0)
		r = set(json, sign, "icmp_type", json_integer(match->icmp_type));
	if (r == 0 && match->icmp_code >= 0)
		r = set(json, sign, "icmp_code", json_integer(match->icmp_code));
	if (r == 0)
		r = side_to_json(&match->src, negated ? "!src_" : "src_", json);
	if (r == 0)
		r = side_to_json(&match->dst, negated ? "!dst_" : "dst_", json);
	return r;
}

json_t *rule_to_json(const struct rule *rule)
{
	json_t *json = json_object();
	int r = set_text(json, "", "action", rule_action_name(rule->action));

	if (r == 0 && rule->ip_version)
		r = set(json, "", "ip_version", json_integer(rule->ip_version));
	if (r == 0)
		r = match_to_json(&rule->match, false, json);
	if (r == 0)
		r = match_to_json(&rule->not_match, true, json);
	if (r == 0)
		r = set_text(json, "", "log_prefix", rule->log_prefix);
	if (r < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static json_t *list_to_json(const struct rules_list *list)
{
	json_t *json = json_array();

	for (size_t i = 0; json && i < list->count; i++) {
		if (json_array_append_new(json, rule_to_json(&list->items[i])) < 0) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

/* id first, then the rules, then what else the document had. */
static json_t *rules_to_json(const struct rules *rules)
{
	json_t *json = json_object();
	int r = set_text(json, "", "id", rules->id);

	if (r == 0)
		r = field_set(json, "inbound_rules", list_to_json(&rules->inbound));
	if (r == 0)
		r = field_set(json, "outbound_rules", list_to_json(&rules->outbound));
	if (r == 0 && rules->raw && json_object_update_missing(json, rules->raw) < 0)
		r = -ENOMEM;
	if (r < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

char *rules_format(const struct rules *rules)
{
	json_t *json = rules_to_json(rules);
	char *text = json ? model_json_format(json) : NULL;

	json_decref(json);
	return text;
}

char *rules_format_pretty(const struct rules *rules)
{
	json_t *json = rules_to_json(rules);
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

	json_decref(json);
	return text;
}
