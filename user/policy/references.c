/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What rules name by number: port sets and log prefixes here, all of them together at the end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

/* ---- port sets ---- */

static int ports_write(struct policy_engine *engine, const struct ports *ports)
{
	struct portset *value = calloc(1, sizeof(*value));
	int r;

	if (!value)
		return -ENOMEM;
	for (size_t i = 0; i < ports->count; i++) {
		for (__u32 port = ports->ranges[i].first; port <= ports->ranges[i].last; port++)
			value->word[port / 64] |= 1ULL << (port % 64);
	}
	r = sink_write(engine, MAP_PORTSET, &ports->number, value);
	free(value);
	return r;
}

static int ports_new(struct policy_engine *engine, const struct port_range *ranges, size_t count,
		     struct ports **ret)
{
	size_t size = count * sizeof(*ranges);
	struct ports *ports = calloc(1, sizeof(*ports) + size);
	int r;

	if (!ports)
		return -ENOMEM;
	ports->count = count;
	memcpy(ports->ranges, ranges, size);
	r = engine_take(engine, MAP_PORTSET, &engine->port_numbers, 1, &ports->number);
	if (r < 0)
		goto free_ports;
	r = ports_write(engine, ports);
	if (r < 0)
		goto give_number;
	HASH_ADD_KEYPTR(hh, engine->ports, ports->ranges, size, ports);
	if (HASH_FAILED(ports)) {
		r = -ENOMEM;
		goto give_number;
	}
	engine->ports_by_number[ports->number] = ports;
	*ret = ports;
	return 0;
give_number:
	space_give(&engine->port_numbers, ports->number, 1);
free_ports:
	free(ports);
	return r;
}

int ports_get(struct policy_engine *engine, const struct port_range *ranges, size_t count, __u32 *ret)
{
	struct ports *ports;
	int r = 0;

	HASH_FIND(hh, engine->ports, ranges, count * sizeof(*ranges), ports);
	if (!ports)
		r = ports_new(engine, ranges, count, &ports);
	if (r < 0)
		return r;
	ports->refs++;
	*ret = ports->number;
	return 0;
}

static void ports_unref(struct policy_engine *engine, __u32 number)
{
	struct ports *ports = engine->ports_by_number[number];

	if (--ports->refs > 0)
		return;
	HASH_DEL(engine->ports, ports);
	engine->ports_by_number[number] = NULL;
	space_give(&engine->port_numbers, number, 1);
	free(ports);
}

/* ---- log prefixes ---- */

static int log_text_new(struct policy_engine *engine, const char *text, struct log_text **ret)
{
	struct log_text *log = calloc(1, sizeof(*log) + strlen(text) + 1);
	struct log_prefix value = {};
	int r;

	if (!log)
		return -ENOMEM;
	memcpy(log->text, text, strlen(text));
	memcpy(value.text, text, strnlen(text, sizeof(value.text) - 1));
	r = engine_take(engine, MAP_LOG_PREFIX, &engine->log_numbers, 1, &log->number);
	if (r < 0)
		goto free_log;
	r = sink_write(engine, MAP_LOG_PREFIX, &log->number, &value);
	if (r < 0)
		goto give_number;
	HASH_ADD_STR(engine->logs, text, log);
	if (HASH_FAILED(log)) {
		r = -ENOMEM;
		goto give_number;
	}
	engine->log_by_number[log->number] = log;
	*ret = log;
	return 0;
give_number:
	space_give(&engine->log_numbers, log->number, 1);
free_log:
	free(log);
	return r;
}

int log_text_get(struct policy_engine *engine, const char *text, __u32 *ret)
{
	struct log_text *log;
	int r = 0;

	HASH_FIND_STR(engine->logs, text, log);
	if (!log)
		r = log_text_new(engine, text, &log);
	if (r < 0)
		return r;
	log->refs++;
	*ret = log->number;
	return 0;
}

static void log_text_unref(struct policy_engine *engine, __u32 number)
{
	struct log_text *log = engine->log_by_number[number];

	if (--log->refs > 0)
		return;
	HASH_DEL(engine->logs, log);
	engine->log_by_number[number] = NULL;
	sink_erase(engine, MAP_LOG_PREFIX, &number);
	space_give(&engine->log_numbers, number, 1);
	free(log);
}

/* ---- all of a rule ---- */

void rule_ref(struct policy_engine *engine, const struct policy_rule *rule)
{
	if (rule->src_set)
		engine->set_by_number[rule->src_set]->refs++;
	if (rule->dst_set)
		engine->set_by_number[rule->dst_set]->refs++;
	if (rule->src_portset)
		engine->ports_by_number[rule->src_portset]->refs++;
	if (rule->dst_portset)
		engine->ports_by_number[rule->dst_portset]->refs++;
	if (rule->log_prefix)
		engine->log_by_number[rule->log_prefix]->refs++;
	if (rule->rule_id)
		engine->rule_refs[rule->rule_id]++;
}

void rule_release(struct policy_engine *engine, const struct policy_rule *rule)
{
	if (rule->src_set)
		set_unref(engine, rule->src_set);
	if (rule->dst_set)
		set_unref(engine, rule->dst_set);
	if (rule->src_portset)
		ports_unref(engine, rule->src_portset);
	if (rule->dst_portset)
		ports_unref(engine, rule->dst_portset);
	if (rule->log_prefix)
		log_text_unref(engine, rule->log_prefix);
	if (rule->rule_id)
		rule_id_unref(engine, rule->rule_id);
}
