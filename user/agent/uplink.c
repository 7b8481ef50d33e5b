/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interfaces towards other hosts: those that the parameter Uplinks names, else those with the default routes
 * and with the address that other hosts know. Looked for at every change of links, addresses and default
 * routes, and again at every refresh.
 */
#include "agent/state.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "agent/choice.h"
#include "util/log.h"

#define UPLINKS_MAX 16

struct wanted {
	struct link_info link[UPLINKS_MAX];
	size_t count;
};

static bool includes(const struct wanted *wanted, int ifindex)
{
	for (size_t i = 0; i < wanted->count; i++) {
		if (wanted->link[i].ifindex == ifindex)
			return true;
	}
	return false;
}

/*
 * The programs read Ethernet headers; tunnels carry what has left or will arrive by another interface. A
 * bridge of containers has one of the host's addresses, too, but leads to no other host.
 */
enum reason { NAMED, DEFAULT_ROUTE, ADDRESS };

static void want(struct agent *agent, struct wanted *wanted, int ifindex, enum reason reason)
{
	const char *prefix = agent->felix.interface_prefix;
	struct link_info link;

	if (ifindex <= 0 || wanted->count == UPLINKS_MAX || includes(wanted, ifindex) ||
	    link_get(agent->netlink, ifindex, &link) || link.loopback || !link.ethernet ||
	    !strncmp(link.name, prefix, strlen(prefix)) ||
	    (reason != NAMED && !choice_is_uplink(&link, reason == DEFAULT_ROUTE)))
		return;
	wanted->link[wanted->count++] = link;
}

static void want_named(struct agent *agent, struct wanted *wanted)
{
	char names[sizeof(agent->felix.uplinks)], *rest = names, *name;

	memcpy(names, agent->felix.uplinks, sizeof(names));
	while ((name = strsep(&rest, ",")))
		want(agent, wanted, link_index(agent->netlink, name), NAMED);
}

static void want_routed(struct agent *agent, struct wanted *wanted)
{
	const struct host_address *entry;
	unsigned int mtu;
	int ifindex;

	for (uint8_t family = 4; family <= 6; family += 2) {
		if (!route_default_link(agent->netlink, family, &ifindex, &mtu))
			want(agent, wanted, ifindex, DEFAULT_ROUTE);
	}
	for (entry = agent->host_addresses; entry; entry = entry->hh.next) {
		if (!addr_compare(&entry->on.addr, &agent->address))
			want(agent, wanted, entry->on.ifindex, ADDRESS);
	}
}

static void find_wanted(struct agent *agent, struct wanted *wanted)
{
	wanted->count = 0;
	if (!strcmp(agent->felix.uplinks, "none"))
		return;
	if (agent->felix.uplinks[0])
		want_named(agent, wanted);
	else
		want_routed(agent, wanted);
}

static struct agent_uplink *find(struct agent *agent, int ifindex)
{
	struct agent_uplink *up;

	LL_FOREACH (agent->uplinks, up) {
		if (up->ifindex == ifindex)
			return up;
	}
	return NULL;
}

/*
 * What the kernel would masquerade as. Where the interface has several addresses, that depends on the route:
 * then it is left to the kernel.
 */
static struct addr nat_address(struct agent *agent, int ifindex)
{
	struct interface_address *list = NULL;
	struct addr found = {0};
	size_t count = 0, matches = 0;

	if (!agent->felix.nat_first || address_list(agent->netlink, &list, &count, NULL) < 0)
		return found;
	for (size_t i = 0; i < count; i++) {
		if (list[i].ifindex != ifindex || list[i].addr.family != 4)
			continue;
		found = list[i].addr;
		matches++;
	}
	free(list);
	return matches == 1 ? found : (struct addr){0};
}

/* Notifications trail behind the kernel: it may have gone when half of the programs were attached. */
static bool forget_if_gone(struct agent *agent, const struct link_info *link)
{
	struct link_info now;

	if (!link_get(agent->netlink, link->ifindex, &now))
		return false;
	dataplane_detach_uplink(agent->dataplane, link->ifindex, link->name, NULL);
	problem_set(&agent->of_generation, link->name, NULL);
	return true;
}

static void attach(struct agent *agent, const struct link_info *link)
{
	struct agent_uplink *up = find(agent, link->ifindex);
	struct addr nat = nat_address(agent, link->ifindex);
	bool lost = up && !dataplane_is_uplink(agent->dataplane, link->ifindex, link->name);
	struct err err;
	int r;

	if (up && up->xdp && !dataplane_is_screened(agent->dataplane, up->ifindex, up->name)) {
		repaired_tell(agent, &agent->repairs.programs, "another program removed ours for XDP from %s",
			      up->name);
		up->screening = 0;
	}
	if (up)
		screening_choose(agent, up, link);
	if (up && !lost && !addr_compare(&up->nat, &nat))
		return;
	r = dataplane_attach_uplink(agent->dataplane, link->ifindex, link->name, &nat, &err);
	if (r < 0 && forget_if_gone(agent, link))
		return;
	problem_set(&agent->of_generation, link->name, r < 0 ? err.text : NULL);
	if (r < 0)
		return;
	if (up) {
		if (lost)
			repaired_tell(
				agent, &agent->repairs.programs,
				"another program removed ours from the uplink %s; they are attached again",
				link->name);
		up->nat = nat;
		return;
	}
	up = calloc(1, sizeof(*up));
	if (!up)
		return; /* remembered at the next refresh */
	up->nat = nat;
	up->ifindex = link->ifindex;
	memcpy(up->name, link->name, sizeof(up->name));
	LL_PREPEND(agent->uplinks, up);
	log_info("agent", "%s is an uplink", up->name);
	screening_choose(agent, up, link);
}

static void detach(struct agent *agent, struct agent_uplink *up)
{
	dataplane_detach_uplink(agent->dataplane, up->ifindex, up->name, NULL);
	problem_set(&agent->of_generation, up->name, NULL);
	repair_uplink_gone(agent, up);
	screening_forget(agent, up);
	log_info("agent", "%s is no uplink any more", up->name);
	LL_DELETE(agent->uplinks, up);
	free(up);
}

void uplinks_refresh(struct agent *agent)
{
	struct agent_uplink *up, *next;
	struct wanted wanted;

	if (agent->phase != PHASE_ACTIVE)
		return;
	find_wanted(agent, &wanted);
	LL_FOREACH_SAFE (agent->uplinks, up, next) {
		if (!includes(&wanted, up->ifindex))
			detach(agent, up);
	}
	for (size_t i = 0; i < wanted.count; i++)
		attach(agent, &wanted.link[i]);
}

/* Programs of an earlier run are still on its uplinks, with its policy. */
void uplinks_activate(struct agent *agent)
{
	const char *prefix = agent->felix.interface_prefix;
	struct link_info *links = NULL;
	struct wanted wanted;
	size_t count = 0;
	struct err err;

	find_wanted(agent, &wanted);
	if (link_list(agent->netlink, &links, &count, &err) < 0)
		log_repeated(LOG_LEVEL_WARN, "agent", "uplinks",
			     "%s; what is no uplink any more may keep its programs", err.text);
	for (size_t i = 0; i < count; i++) {
		if (strncmp(links[i].name, prefix, strlen(prefix)) && !includes(&wanted, links[i].ifindex))
			dataplane_detach_uplink(agent->dataplane, links[i].ifindex, links[i].name, NULL);
	}
	free(links);
	uplinks_refresh(agent);
}

void uplinks_link_changed(struct agent *agent, const struct link_info *link, bool gone)
{
	const char *prefix = agent->felix.interface_prefix;
	struct agent_uplink *up = find(agent, link->ifindex);

	if (gone && up)
		detach(agent, up);
	else if (!gone && link->ethernet && strncmp(link->name, prefix, strlen(prefix)))
		uplinks_refresh(agent);
}

void uplinks_free(struct agent *agent)
{
	struct agent_uplink *up, *next;

	LL_FOREACH_SAFE (agent->uplinks, up, next)
		free(up);
	agent->uplinks = NULL;
}
