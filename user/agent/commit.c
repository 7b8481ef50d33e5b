/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Putting changes in force: those of one turn of the event loop together, and telling what found no room. */
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SETTLED_S 2 /* without work */

void commit_netfilter(struct agent *agent)
{
	struct err err;

	if (!agent->netfilter_dirty || agent->phase != PHASE_ACTIVE)
		return;
	if (netfilter_apply(agent->dataplane, agent->masquerade_pools != NULL, &err) < 0) {
		problem_set(&agent->problems, "netfilter", err.text);
		return;
	}
	agent->netfilter_dirty = false;
	problem_set(&agent->problems, "netfilter", NULL);
}

/* "rule (65530 of 65536 in use), ..." */
static void name_full_maps(const struct policy_usage *usage, struct err *ret)
{
	size_t used = 0;

	for (int map = 0; map < POLICY_MAP_COUNT && used < sizeof(ret->text); map++) {
		if (usage->lacking & 1U << map)
			used += (size_t)snprintf(ret->text + used, sizeof(ret->text) - used,
						 "%s%s (%u of %u in use)", used ? ", " : "",
						 dataplane_policy_map(map), usage->used[map],
						 usage->capacity[map]);
	}
}

static void tell_failure(struct agent *agent, int code)
{
	struct policy_usage usage;
	struct err full, err;

	policy_usage(agent->engine, &usage);
	if (usage.lacking) {
		name_full_maps(&usage, &full);
		err_set(&err, ENOSPC,
			"no room in %s: what needs it is denied; use less of it, or raise MaxRules or "
			"MaxAddresses",
			full.text);
	} else {
		err_set(&err, -code, "policy cannot be written: %s", strerror(-code));
	}
	problem_set(&agent->of_generation, "policy maps", err.text);
}

void commit_is_busy(struct agent *agent)
{
	static const struct timeval pause = {SETTLED_S, 0};

	event_add(agent->settle_event, &pause);
}

void commit_policy(struct agent *agent)
{
	int r = policy_commit(agent->engine);

	commit_is_busy(agent);
	if (r < 0)
		tell_failure(agent, r);
	else
		problem_set(&agent->of_generation, "policy maps", NULL);
}

void commit_now(struct agent *agent)
{
	if (agent->phase == PHASE_ACTIVE)
		commit_policy(agent);
}

static void on_turn(evutil_socket_t fd, short events, void *arg)
{
	commit_now(arg);
	commit_netfilter(arg);
}

void commit_schedule(struct agent *agent)
{
	if (agent->phase == PHASE_ACTIVE)
		event_active(agent->commit_event, EV_TIMEOUT, 0);
}

int commit_start(struct agent *agent, struct err *err)
{
	agent->commit_event = event_new(task_base(), -1, 0, on_turn, agent);
	return agent->commit_event ? 0
				   : err_set(err, ENOMEM, "cannot create the commit event: out of memory");
}

void commit_stop(struct agent *agent)
{
	if (agent->commit_event)
		event_free(agent->commit_event);
}
