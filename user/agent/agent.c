/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The agent put together: what the rest of the daemon sees of it. */
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/pins.h"
#include "util/log.h"
#include "util/memory.h"

static void on_link(void *arg, const struct link_info *link, bool gone)
{
	endpoints_link_changed(arg, link, gone);
	repair_touched(arg, link->ifindex);
	host_endpoints_link_changed(arg, link, gone);
	uplinks_link_changed(arg, link, gone);
}

static void on_address(void *arg, const struct interface_address *address, bool gone)
{
	addresses_changed(arg, address, gone);
	host_endpoints_refresh(arg);
	uplinks_refresh(arg);
}

static void on_routing(void *arg, bool of_default)
{
	struct agent *agent = arg;

	agent->gateways_stale = true;
	if (agent->dataplane)
		dataplane_routing_changed(agent->dataplane);
	if (of_default)
		uplinks_refresh(agent);
}

static void on_touched(void *arg, int ifindex)
{
	repair_touched(arg, ifindex);
	if (ifindex >= 0)
		look_at(arg, ifindex);
}

static const struct netlink_watch_ops netlink_ops = {
	.link = on_link,
	.address = on_address,
	.routing = on_routing,
	.touched = on_touched,
};

static void on_pins(void *arg, int count, const struct err *why)
{
	struct agent *agent = arg;

	problem_set(&agent->problems, "pins", count < 0 ? why->text : NULL);
	if (count <= 0)
		return;
	agent->repairs.pins += (unsigned int)count - 1;
	repaired_tell(agent, &agent->repairs.pins,
		      "another program removed %d pins in %s; they are back, policy stayed in force", count,
		      agent->config->bpffs);
}

static int open_pins(struct agent *agent, struct err *err)
{
	int r = pins_open(agent->config->bpffs, &agent->pins, err);

	return r ? r : pins_watch(agent->pins, on_pins, agent, err);
}

/* Flows time out in the kernel, but somebody has to look. */
static void refresh(evutil_socket_t fd, short events, void *arg)
{
	struct agent *agent = arg;
	unsigned int interval = agent->felix.refresh_interval_s;
	struct timeval next = {interval ? interval : 5, 0};

	if (agent->phase == PHASE_ACTIVE) {
		flows_expire(agent);
		endpoints_retry(agent);
	}
	repair_refresh(agent);
	event_add(agent->refresh_event, &next);
}

static void look_for_unclaimed(evutil_socket_t fd, short events, void *arg)
{
	unclaimed_tell(arg);
}

static void settle(evutil_socket_t fd, short events, void *arg)
{
	memory_trim();
}

/* Settings that have no effect. Each needs an object of its own. */
static void tell_settings(struct agent *agent)
{
	char object[32];

	for (size_t i = 0; agent->config->warnings && agent->config->warnings[i]; i++) {
		snprintf(object, sizeof(object), i ? "settings %zu" : "settings", i + 1);
		problem_set(&agent->problems, object, agent->config->warnings[i]);
	}
}

int agent_start(const struct config *config, const struct agent_options *options, struct store *store,
		struct agent **ret, struct err *err)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int r;

	if (!agent)
		return err_set(err, ENOMEM, "cannot start the agent: out of memory");
	agent->config = config;
	agent->options = *options;
	agent->store = store;
	agent->gateways_stale = true;
	clock_gettime(CLOCK_MONOTONIC, &agent->started);

	reserved_start(agent);
	r = open_pins(agent, err);
	if (!r)
		r = netlink_open(&agent->netlink, err);
	if (!r)
		r = look_start(agent, err);
	if (!r)
		r = addresses_start(agent, err);
	if (!r)
		r = netlink_watch_start(&netlink_ops, agent, &agent->netlink_watch, err);
	if (r < 0)
		goto fail;
	r = mirror_start(agent, err);
	if (r < 0)
		goto fail;
	tell_settings(agent);
	r = repair_start(agent, err);
	if (r < 0)
		goto fail;
	agent->refresh_event = evtimer_new(task_base(), refresh, agent);
	agent->settle_event = evtimer_new(task_base(), settle, agent);
	agent->unclaimed_event = evtimer_new(task_base(), look_for_unclaimed, agent);
	if (!agent->refresh_event || !agent->settle_event || !agent->unclaimed_event ||
	    restore_start(agent) < 0) {
		r = err_set(err, ENOMEM, "cannot start the agent: out of memory");
		goto fail;
	}
	refresh(-1, 0, agent);
	r = sync_start(agent, err);
	if (r < 0)
		goto fail;
	*ret = agent;
	return 0;
fail:
	agent_stop(agent);
	return r;
}

void agent_stop(struct agent *agent)
{
	if (!agent)
		return;
	sync_stop(agent);
	repair_stop(agent);
	netlink_watch_stop(agent->netlink_watch);
	netlink_close(agent->netlink);
	look_stop(agent);
	addresses_free(agent);
	reserved_free(agent);
	if (agent->refresh_event)
		event_free(agent->refresh_event);
	if (agent->settle_event)
		event_free(agent->settle_event);
	restore_stop(agent);
	if (agent->unclaimed_event)
		event_free(agent->unclaimed_event);
	strings_done(&agent->unclaimed);
	problems_free(&agent->problems);
	pins_close(agent->pins);
	free(agent);
}

int agent_apply_endpoint(struct agent *agent, const char *key, const struct workload_endpoint *endpoint,
			 struct err *err)
{
	struct workload_endpoint *copy = NULL;
	char *text;
	int r = wait_active(agent, err);

	if (r < 0)
		return r;
	if (link_index(agent->netlink, endpoint->name) <= 0)
		return err_set(err, ENODEV, "endpoint %s: its interface does not exist", endpoint->name);
	text = workload_endpoint_format(endpoint);
	if (!text)
		return err_set(err, ENOMEM, "endpoint %s: out of memory", endpoint->name);
	r = workload_endpoint_parse(text, agent->felix.interface_prefix, &copy, err);
	free(text);
	if (r < 0)
		return err_prefix(err, r, "endpoint %s", endpoint->name);
	text = workload_endpoint_format(copy);
	r = endpoints_set(agent, key, copy, err);
	if (r < 0) {
		endpoints_remove(agent, key);
	} else if (text) {
		mirror_note(agent, key, text);
		mirror_flush(agent);
	}
	free(text);
	return r;
}

void agent_remove_endpoint(struct agent *agent, const char *key)
{
	mirror_note(agent, key, NULL);
	endpoints_remove(agent, key);
}

void agent_set_problem(struct agent *agent, const char *object, const char *text)
{
	problem_set(&agent->problems, object, text);
}

int agent_wait_restored(struct agent *agent, struct err *err)
{
	return wait_restored(agent, err);
}

bool agent_is_trusted(const struct agent *agent)
{
	return agent->restored && !agent->restoring && agent->connected && agent->phase == PHASE_ACTIVE;
}

bool agent_has_address(const struct agent *agent, const struct addr *addr)
{
	return endpoints_have(agent, addr);
}

void agent_remember(struct agent *agent, const char *key, const char *value)
{
	mirror_note(agent, key, value);
}

char *agent_recall(struct agent *agent, const char *key)
{
	struct store_list list;
	char *value = NULL;

	if (mirror_read(agent, &list, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < list.count; i++) {
		if (!strcmp(list.nodes[i].key, key)) {
			value = list.nodes[i].value;
			list.nodes[i].value = NULL;
		}
	}
	store_list_done(&list);
	return value;
}

bool agent_in_sync(const struct agent *agent)
{
	return agent->phase == PHASE_ACTIVE;
}

int agent_teardown(const struct config *config, struct err *err)
{
	return dataplane_teardown(config->bpffs, "cali", err);
}
