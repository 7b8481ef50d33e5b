/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The agent's state for `calicoctl status`. */
#include "agent/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <net/if.h>

#include "agent/packet_line.h"
#include "reasons.h"
#include "util/version.h"

/* "up", or what it is instead and why. */
static const char *endpoint_state(const struct agent *agent, const struct local_endpoint *ep, struct err *why)
{
	const char *name = ep->model->name, *problem = problem_text(agent->of_generation, ep->key);

	if (problem) {
		err_set(why, EIO, "%s", problem);
		return ep->slot ? "error" : "waiting for its interface";
	}
	if (!ep->slot) {
		err_set(why, ENODEV, "there is no interface %s", name);
		return "waiting for its interface";
	}
	if (!ep->enforced) {
		err_set(why, EAGAIN, "%s",
			agent->phase == PHASE_ACTIVE ? "its policy is not in force"
						     : "the datastore has not been read yet");
		return "error";
	}
	if (!ep->model->active) {
		err_set(why, EIO, "its state in the datastore is not 'active'");
		return "down";
	}
	if (ep->down) {
		err_set(why, ENETDOWN, "its interface was set down; 'ip link set %s up' ends that", name);
		return "interface down";
	}
	return "up";
}

static json_t *endpoints_json(const struct agent *agent)
{
	json_t *list = json_array();

	for (const struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		struct err why = {""};
		const char *state = endpoint_state(agent, ep, &why);

		json_array_append_new(list, json_pack("{s:o?, s:o?, s:s, s:s, s:i}", "key",
						      model_json_text(ep->key), "interface",
						      model_json_text(ep->model->name), "state", state, "why",
						      why.text, "slot", (int)ep->slot));
	}
	return list;
}

static json_t *uplinks_json(const struct agent *agent)
{
	json_t *list = json_array();

	for (const struct agent_uplink *up = agent->uplinks; up; up = up->next)
		json_array_append_new(list,
				      json_pack("{s:o?, s:s, s:o?}", "interface", model_json_text(up->name),
						"screening", up->xdp ? "xdp" : "tc", "why",
						model_json_text(up->why)));
	return list;
}

static json_t *drops_json(struct agent *agent)
{
	json_t *list = json_array();
	struct drop_count *drops = NULL;
	char name[IF_NAMESIZE];
	size_t count = 0;

	if (!agent->dataplane || dataplane_drops(agent->dataplane, &drops, &count) < 0)
		return list;
	for (size_t i = 0; i < count; i++) {
		if (!drops[i].packets || drops[i].reason >= DROP_REASON_COUNT)
			continue;
		if (!drops[i].ifindex)
			snprintf(name, sizeof(name), "total");
		else if (!if_indextoname(drops[i].ifindex, name))
			snprintf(name, sizeof(name), "#%u", drops[i].ifindex);
		json_array_append_new(
			list, json_pack("{s:o?, s:s, s:I, s:I}", "interface", model_json_text(name), "reason",
					drop_reason_text(drops[i].reason), "packets",
					(json_int_t)drops[i].packets, "bytes", (json_int_t)drops[i].bytes));
	}
	free(drops);
	return list;
}

static json_t *policy_json(const struct agent *agent)
{
	struct policy_usage usage;

	if (!agent->engine)
		return json_null();
	policy_usage(agent->engine, &usage);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "rules", (json_int_t)usage.used[MAP_RULE],
			 "rules_max", (json_int_t)usage.capacity[MAP_RULE], "sets", (json_int_t)usage.sets,
			 "rows", (json_int_t)usage.rows, "lists", (json_int_t)usage.lists, "writes",
			 (json_int_t)usage.writes);
}

static json_t *all_problems(const struct agent *agent)
{
	json_t *list = json_array();

	problems_json(agent->problems, list);
	problems_json(agent->of_generation, list);
	return list;
}

/* A part that cannot be told is null: it must not take all others away. */
json_t *agent_status(struct agent *agent)
{
	bool active = agent->phase == PHASE_ACTIVE;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	reserved_update_gateways(agent);
	return json_pack(
		"{s:s, s:s, s:I, s:b, s:b, s:{s:s, s:o?, s:b, s:o?}, s:s, s:o?, s:o?, s:o?, s:i, s:i, s:o?, s:o?, s:o?, s:o?, s:{s:i, s:i, s:i}}",
		"version", version_number, "commit", version_commit, "uptime_s",
		(json_int_t)(now.tv_sec - agent->started.tv_sec), "ready", agent->registered, "in_sync",
		active, "datastore", "kind", store_kind(agent->store), "where",
		model_json_text(store_where(agent->store)), "connected", agent->connected, "why",
		model_json_text(agent->contact), "attach",
		agent->dataplane ? dataplane_attach_mode(agent->dataplane) : "", "endpoints",
		endpoints_json(agent), "host_endpoints", host_endpoints_json(agent), "uplinks",
		uplinks_json(agent), "flows", agent->flows, "blocked",
		agent->dataplane ? (int)dataplane_blocked(agent->dataplane) : 0, "policy", policy_json(agent),
		"problems", all_problems(agent), "drops", drops_json(agent), "packet_log",
		packets_json(agent), "repairs", "pins", (int)agent->repairs.pins, "programs",
		(int)agent->repairs.programs, "settings", (int)agent->repairs.settings);
}
