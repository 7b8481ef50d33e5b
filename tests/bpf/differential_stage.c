/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The host of the differential tests. */
#include "differential_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "sink.h"
#include "unit/feed.h"
#include "unit/problems.h"

/* The programs tell of ten drops per second, interface and reason. Giving them another ten takes a while. */
#define SHOTS_PER_BUDGET 8

static void note_problem(void *arg, const char *object, const char *text)
{
	struct stage *stage = arg;

	if (text && !problem_is_of_documents(text))
		snprintf(stage->problem, sizeof(stage->problem), "%s: %s", object, text);
}

static void start_engine(struct stage *stage)
{
	assert_int_equal(policy_engine_new(&stage->sink, note_problem, stage, &stage->engine), 0);
}

struct stage *stage_new(const struct settings *settings)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	assert_non_null(stage);
	stage->fixture = fixture_new(settings);
	stage->counters = calloc(RULE_IDS, sizeof(*stage->counters));
	if (!stage->fixture || !stage->counters) {
		stage_free(stage);
		return NULL;
	}
	assert_int_equal(sink_open(progrun_object(stage->fixture->progrun), false, &stage->sink), 0);
	fixture_empty(stage->fixture);
	start_engine(stage);
	return stage;
}

void stage_free(struct stage *stage)
{
	if (!stage)
		return;
	policy_engine_free(stage->engine);
	sink_close(&stage->sink);
	world_done(&stage->world);
	fixture_free(stage->fixture);
	free(stage->counters);
	free(stage);
}

void stage_clear(struct stage *stage)
{
	static const char *const left[] = {"rule_info", "log_prefix"};

	policy_engine_free(stage->engine);
	world_done(&stage->world);
	stage->problem[0] = '\0';
	memset(stage->last_mac, 0, sizeof(stage->last_mac));
	fixture_empty(stage->fixture);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		progrun_clear(stage->fixture->progrun, left[i]);
	progrun_zero(stage->fixture->progrun, "endpoint_policy");
	progrun_zero(stage->fixture->progrun, "generation");
	start_engine(stage);
}

void stage_change(struct stage *stage, const struct change *change)
{
	bool valid = world_set(&stage->world, change->kind, change->name, change->text, change->slot);

	if (!valid)
		world_set(&stage->world, change->kind, change->name, NULL, 0);
	if (change->kind == BLOCKED) /* no matter of policy */
		return;
	if (valid && change->text)
		engine_feed(stage->engine, world_find(&stage->world, change->kind, change->name));
	else
		engine_remove(stage->engine, change->kind, change->name);
}

static void write_endpoint(struct stage *stage, __u32 slot)
{
	const struct document *d = world_slot(&stage->world, slot);
	struct progrun *progrun = stage->fixture->progrun;
	__u32 ifindex = stage->fixture->ifindex[slot];
	const struct interface interface = {.endpoint = slot};
	struct endpoint endpoint = {};

	if (!d) {
		progrun_delete(progrun, "interface", &ifindex);
		progrun_put(progrun, "endpoint", &slot, &endpoint);
		return;
	}
	endpoint.ifindex = ifindex;
	endpoint.state = d->workload->active ? ENDPOINT_ACTIVE : ENDPOINT_INACTIVE;
	endpoint.flags = d->workload->has_mac ? ENDPOINT_CHECK_MAC : 0;
	endpoint.generation_slot = policy_generation_slot(stage->engine, slot);
	if (d->workload->has_mac) {
		memcpy(endpoint.mac, d->workload->mac, sizeof(endpoint.mac));
		memcpy(stage->last_mac[slot], d->workload->mac, MAC_LENGTH);
	}
	memcpy(endpoint.host_mac, HOST_VETH_MAC, sizeof(endpoint.host_mac));
	snprintf(endpoint.name, sizeof(endpoint.name), "%s", d->workload->name);
	progrun_put(progrun, "endpoint", &slot, &endpoint);
	progrun_put(progrun, "interface", &ifindex, &interface);
}

/* What each rule id means now, by the map that says it to people. */
static void read_rule_infos(struct stage *stage)
{
	int fd = progrun_map(stage->fixture->progrun, "rule_info");
	__u32 id;

	memset(stage->rules, 0, sizeof(stage->rules));
	stage->rule_ids = 0;
	for (int r = bpf_map_get_next_key(fd, NULL, &id); r == 0; r = bpf_map_get_next_key(fd, &id, &id)) {
		assert_in_range(id, 1, RULE_IDS - 1);
		assert_int_equal(bpf_map_lookup_elem(fd, &id, &stage->rules[id]), 0);
		if (id >= stage->rule_ids)
			stage->rule_ids = id + 1;
	}
}

static void read_hits(struct stage *stage, __u64 *ret)
{
	progrun_counters(stage->fixture->progrun, "rule_hits", stage->rule_ids, stage->counters);
	for (__u32 id = 0; id < stage->rule_ids; id++)
		ret[id] = stage->counters[id].packets;
}

void stage_commit(struct stage *stage)
{
	assert_int_equal(policy_commit(stage->engine), 0);
	for (__u32 slot = 1; slot <= SLOTS; slot++)
		write_endpoint(stage, slot);
	read_rule_infos(stage);
	read_hits(stage, stage->hits);
	progrun_events(stage->fixture->progrun, NULL, 0);
}

/* ---- packets ---- */

static struct hook hook_of(const struct stage *stage, const struct shot *shot)
{
	const struct fixture *fixture = stage->fixture;
	unsigned int ifindex = fixture->ifindex[shot->slot];

	switch (shot->way) {
	case FROM_SLOT:
		return (struct hook){FROM_ENDPOINT, ifindex, ifindex, 0};
	case FROM_STRANGER:
		return (struct hook){FROM_ENDPOINT, fixture->uplink, fixture->uplink, 0};
	case TO_SLOT_HOST:
		return (struct hook){TO_ENDPOINT, ifindex, 0, 0};
	case TO_SLOT_ROUTED:
		return (struct hook){TO_ENDPOINT, ifindex, fixture->ifindex[shot->from],
				     fixture->settings.mark_approved};
	case TO_SLOT_FORGED:
		return (struct hook){TO_ENDPOINT, ifindex, fixture->ifindex[shot->from], 0};
	default:
		return (struct hook){TO_ENDPOINT, ifindex, fixture->uplink, 0};
	}
}

/* The ports that a packet's flow has, as include/flow.h says. */
static void flow_ports(const struct shot *shot, __u16 ret[2])
{
	const struct probe *probe = &shot->probe;
	bool asks;
	__u8 question = reference_question(probe, &asks);

	ret[0] = ret[1] = 0;
	if (shot_has_ports(shot)) {
		ret[0] = probe->sport;
		ret[1] = probe->dport;
	} else if (question) {
		ret[!asks] = shot_echo_id(shot);
		ret[asks] = (__u16)(ret[!asks] + question);
	}
}

union flow_key {
	struct flow4_key v4;
	struct flow6_key v6;
};

/* With the packet's source as end 0, or as end 1. */
static void flow_key(const struct shot *shot, int source, union flow_key *ret)
{
	const struct probe *probe = &shot->probe;
	__u16 port[2];

	flow_ports(shot, port);
	memset(ret, 0, sizeof(*ret));
	if (probe->src.family == 4) {
		memcpy(ret->v4.address[source], probe->src.bytes, 4);
		memcpy(ret->v4.address[!source], probe->dst.bytes, 4);
		ret->v4.port[source] = port[0];
		ret->v4.port[!source] = port[1];
		ret->v4.protocol = probe->protocol;
		return;
	}
	memcpy(ret->v6.address[source], probe->src.bytes, 16);
	memcpy(ret->v6.address[!source], probe->dst.bytes, 16);
	ret->v6.port[source] = port[0];
	ret->v6.port[!source] = port[1];
	ret->v6.protocol = probe->protocol;
}

static int flow_table(const struct stage *stage, const struct shot *shot)
{
	return progrun_map(stage->fixture->progrun, shot->probe.src.family == 4 ? "flow4" : "flow6");
}

/* Which end comes first is the programs' business: one of both keys it is. */
static bool has_flow(const struct stage *stage, const struct shot *shot)
{
	union flow_key key;
	struct flow flow;
	bool found = false;

	for (int source = 0; source < 2; source++) {
		flow_key(shot, source, &key);
		found |= bpf_map_lookup_elem(flow_table(stage, shot), &key, &flow) == 0;
	}
	return found;
}

bool stage_forget(struct stage *stage, const struct shot *shot)
{
	union flow_key key;
	bool found = false;

	for (int source = 0; source < 2; source++) {
		flow_key(shot, source, &key);
		found |= bpf_map_delete_elem(flow_table(stage, shot), &key) == 0;
	}
	return found;
}

static void count_hits(struct stage *stage, struct observation *ret)
{
	static __u64 now[RULE_IDS];

	read_hits(stage, now);
	ret->hit_count = 0;
	for (__u32 id = 0; id < stage->rule_ids; id++) {
		if (now[id] == stage->hits[id])
			continue;
		assert_in_range(ret->hit_count, 0, sizeof(ret->hits) / sizeof(ret->hits[0]) - 1);
		ret->hits[ret->hit_count++] = (struct hit){id, (__u32)(now[id] - stage->hits[id])};
		stage->hits[id] = now[id];
	}
}

void stage_build(struct stage *stage, const struct shot *shot, struct observation *ret)
{
	bool outside = shot->way == ARRIVING || shot->way == LEAVING;
	const struct document *sender = outside ? NULL : world_slot(&stage->world, shot->slot);
	bool has_mac = sender && sender->workload->has_mac;

	if (stage->shots++ % SHOTS_PER_BUDGET == 0)
		progrun_zero(stage->fixture->progrun, "event_budgets");
	ret->early = false;
	shot_build(shot, has_mac ? sender->workload->mac : PACKET_SENDER_MAC, &ret->sent);
}

void stage_observe(struct stage *stage, const struct shot *shot, bool keep, struct observation *ret)
{
	count_hits(stage, ret);
	ret->event_count = progrun_events(stage->fixture->progrun, ret->events,
					  sizeof(ret->events) / sizeof(ret->events[0]));
	ret->flow = keep ? has_flow(stage, shot) : stage_forget(stage, shot);
}

void stage_shoot(struct stage *stage, const struct shot *shot, bool keep, struct observation *ret)
{
	struct hook hook = hook_of(stage, shot);

	stage_build(stage, shot, ret);
	progrun_packet(stage->fixture->progrun, &hook, &ret->sent, &ret->run);
	stage_observe(stage, shot, keep, ret);
}
