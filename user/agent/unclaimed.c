/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interfaces of containers that no endpoint names. Their programs drop everything: whoever reads that no
 * endpoint is up would not know that one should be.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_S	  3 /* longer than between an interface and its endpoint, whichever comes or goes first */
#define NAMES_MAX 8

static bool is_claimed(const struct agent *agent, const char *interface)
{
	for (const struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		if (!strcmp(ep->model->name, interface))
			return true;
	}
	return false;
}

/* "cali1, cali2 and 3 more", into an empty text. Returns how many there are. */
static size_t list_unclaimed(const struct agent *agent, const struct link_info *links, size_t count,
			     struct err *ret)
{
	const char *prefix = agent->felix.interface_prefix;
	size_t found = 0, used = 0, named = 0;

	for (size_t i = 0; i < count; i++) {
		if (strncmp(links[i].name, prefix, strlen(prefix)) != 0 || strcmp(links[i].kind, "veth") ||
		    links[i].peer_is_local || is_claimed(agent, links[i].name) ||
		    strings_has(&agent->unclaimed, links[i].name))
			continue;
		if (found++ == NAMES_MAX)
			named = used;
		if (found <= NAMES_MAX)
			used += (size_t)snprintf(ret->text + used, sizeof(ret->text) - used, "%s%s",
						 used ? ", " : "", links[i].name);
	}
	if (named)
		snprintf(ret->text + named, sizeof(ret->text) - named, " and %zu more", found - NAMES_MAX);
	return found;
}

static const char *reason_object(const char *interface, char object[40])
{
	snprintf(object, 40, "address of %.20s", interface);
	return object;
}

void unclaimed_set_reason(struct agent *agent, const char *interface, const char *text)
{
	char object[40];

	if (strings_has(&agent->unclaimed, interface) || !strings_add(&agent->unclaimed, interface))
		problem_set(&agent->problems, reason_object(interface, object), text);
}

static void forget_reasons(struct agent *agent)
{
	struct strings kept = {0};
	char object[40];

	for (size_t i = 0; i < agent->unclaimed.count; i++) {
		const char *name = agent->unclaimed.items[i];

		if (link_index(agent->netlink, name) > 0 && !is_claimed(agent, name))
			strings_add(&kept, name);
		else
			problem_set(&agent->problems, reason_object(name, object), NULL);
	}
	strings_done(&agent->unclaimed);
	agent->unclaimed = kept;
}

void unclaimed_tell(struct agent *agent)
{
	struct link_info *links = NULL;
	struct err names = {""}, text;
	size_t count = 0, found = 0;

	if (agent->phase != PHASE_ACTIVE || link_list(agent->netlink, &links, &count, NULL) < 0)
		return;
	forget_reasons(agent);
	found = list_unclaimed(agent, links, count, &names);
	free(links);
	err_set(&text, ENOENT,
		"%s: containers are behind them, but the datastore has no endpoint for them, so all their "
		"traffic is dropped; restart these containers, or restore a backup of the datastore",
		names.text);
	problem_set(&agent->of_generation, "interfaces without endpoint", found ? text.text : NULL);
}

void unclaimed_look_soon(struct agent *agent)
{
	static const struct timeval soon = {LOOK_S, 0};

	if (agent->unclaimed_event && !evtimer_pending(agent->unclaimed_event, NULL))
		event_add(agent->unclaimed_event, &soon);
}
