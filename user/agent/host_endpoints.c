/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Host endpoints of this host: which interfaces they are, by name or by the addresses they have, looked for
 * anew at every change of links, addresses and host endpoints. Order of coming: map entry, policy published,
 * then the interface; of going: the other way round. So an interface changes from the host's own rules alone
 * to the whole policy, and never to a part of it.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "store/keys.h"
#include "util/log.h"

/* No endpoint ever has it: policy denies everything, and failsafe ports are open. */
#define SLOT_DENIED UINT16_MAX

#define INTERFACES_MAX 64

struct assignment {
	int ifindex;
	char name[16];
	struct local_host_endpoint *by_name, *by_address[2]; /* of IPv4, of IPv6 */
};

struct assignments {
	struct assignment of[INTERFACES_MAX];
	size_t count;
};

/* ---- who is where ---- */

static struct assignment *find_assignment(struct assignments *all, int ifindex)
{
	for (size_t i = 0; i < all->count; i++) {
		if (all->of[i].ifindex == ifindex)
			return &all->of[i];
	}
	return NULL;
}

/* What stands in the way of an endpoint; shown when all have been looked at. */
static void report(struct local_host_endpoint *ep, const char *name, const char *what)
{
	snprintf(ep->problem, sizeof(ep->problem), "interface %s %s", name, what);
}

static void show_problem(struct agent *agent, const struct local_host_endpoint *ep)
{
	char object[300];

	snprintf(object, sizeof(object), "interfaces of host endpoint %s", key_last(ep->key));
	problem_set(&agent->of_generation, object, ep->problem[0] ? ep->problem : NULL);
}

/* The interface's place; NULL: its packets cannot be judged, or not by a host endpoint. */
static struct assignment *place_of(struct agent *agent, struct assignments *all,
				   struct local_host_endpoint *ep, int ifindex)
{
	const char *prefix = agent->felix.interface_prefix;
	struct assignment *place = find_assignment(all, ifindex);
	struct link_info link;

	if (place || ifindex <= 0 || link_get(agent->netlink, ifindex, &link))
		return place;
	if (!strncmp(link.name, prefix, strlen(prefix)))
		report(ep, link.name, "is a container's, to which no host endpoint applies");
	else if (!link.ethernet && !link.loopback)
		report(ep, link.name, "has no Ethernet headers, so that its policy is not enforced");
	else if (all->count == INTERFACES_MAX)
		report(ep, link.name, "is one too many: 64 can have host endpoints");
	else {
		place = &all->of[all->count++];
		*place = (struct assignment){.ifindex = ifindex};
		memcpy(place->name, link.name, sizeof(place->name));
	}
	return place;
}

/* The first of several has it. */
static void claim(const struct assignment *place, struct local_host_endpoint **owner,
		  struct local_host_endpoint *ep)
{
	char what[160];

	if (*owner && *owner != ep) {
		snprintf(what, sizeof(what), "has the host endpoint %.100s already", key_last((*owner)->key));
		report(ep, place->name, what);
		return;
	}
	*owner = ep;
}

static bool expects(const struct host_endpoint *model, const struct addr *addr)
{
	for (size_t i = 0; i < model->expected_count; i++) {
		if (!addr_compare(&model->expected[i], addr))
			return true;
	}
	return false;
}

/* An address on the loopback interface is one of the host as a whole; that interface must be named. */
static bool is_loopback(struct agent *agent, int ifindex)
{
	struct link_info link;

	return link_get(agent->netlink, ifindex, &link) || link.loopback;
}

static void assign_by_address(struct agent *agent, struct assignments *all, struct local_host_endpoint *ep)
{
	for (struct host_address *entry = agent->host_addresses; entry; entry = entry->hh.next) {
		struct assignment *place;

		if (!expects(ep->model, &entry->on.addr) || is_loopback(agent, entry->on.ifindex))
			continue;
		place = place_of(agent, all, ep, entry->on.ifindex);
		if (place)
			claim(place, &place->by_address[entry->on.addr.family == 6], ep);
	}
}

static void assign(struct agent *agent, struct assignments *all)
{
	struct local_host_endpoint *ep;
	struct assignment *place;

	all->count = 0;
	LL_FOREACH (agent->host_endpoints, ep) {
		ep->problem[0] = '\0';
		if (!ep->model->name[0]) {
			assign_by_address(agent, all, ep);
			continue;
		}
		place = place_of(agent, all, ep, link_index(agent->netlink, ep->model->name));
		if (place)
			claim(place, &place->by_name, ep);
	}
}

static struct local_host_endpoint *owner_of(const struct assignment *place, bool ipv6)
{
	return place->by_name ? place->by_name : place->by_address[ipv6];
}

/* ---- slots ---- */

static int write_map_entry(struct agent *agent, const struct local_host_endpoint *ep, struct err *err)
{
	struct endpoint entry = {
		.state = ENDPOINT_ACTIVE,
		.flags = ENDPOINT_HOST,
		.generation_slot = policy_generation_slot(agent->engine, ep->slot),
	};

	strncpy(entry.name, key_last(ep->key), sizeof(entry.name) - 1);
	return dataplane_set_endpoint(agent->dataplane, ep->slot, &entry, err);
}

static void give_slot(struct agent *agent, struct local_host_endpoint *ep)
{
	__u32 slot = ep->slot;

	ep->slot = 0;
	if (!slot)
		return;
	policy_set_host_endpoint(agent->engine, ep->key, ep->model, 0);
	commit_now(agent);
	dataplane_set_endpoint(agent->dataplane, slot, NULL, NULL);
	endpoints_slot_give(agent, slot);
}

static void take_slot(struct agent *agent, struct local_host_endpoint *ep)
{
	struct err err = {"all endpoint slots of this host are in use, so all but failsafe ports is denied"};

	if (ep->slot)
		return;
	ep->slot = endpoints_slot_take(agent);
	if (ep->slot && write_map_entry(agent, ep, &err) == 0 &&
	    policy_set_host_endpoint(agent->engine, ep->key, ep->model, ep->slot) == 0)
		return;
	give_slot(agent, ep);
	snprintf(ep->problem, sizeof(ep->problem), "%.250s", err.text);
}

static __u32 slot_of(const struct local_host_endpoint *ep)
{
	if (!ep)
		return 0;
	return ep->slot ? ep->slot : SLOT_DENIED;
}

/* Policies of all that have an interface are in force when this returns. */
static void take_slots(struct agent *agent, const struct assignments *all)
{
	struct local_host_endpoint *ep;

	LL_FOREACH (agent->host_endpoints, ep)
		ep->used = false;
	for (size_t i = 0; i < all->count; i++) {
		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			ep = owner_of(&all->of[i], ipv6);
			if (!ep)
				continue;
			ep->used = true;
			take_slot(agent, ep);
		}
	}
	commit_now(agent);
}

static void give_slots(struct agent *agent)
{
	struct local_host_endpoint *ep;

	LL_FOREACH (agent->host_endpoints, ep) {
		if (!ep->used)
			give_slot(agent, ep);
	}
}

/* ---- interfaces ---- */

static struct host_link *find_link(const struct agent *agent, int ifindex)
{
	struct host_link *link;

	LL_FOREACH (agent->host_links, link) {
		if (link->ifindex == ifindex)
			return link;
	}
	return NULL;
}

/* Whoever has judged flows of the interface until now may stay in force on another one. */
static void recheck(struct agent *agent, const struct host_interface *before,
		    const struct host_interface *after)
{
	bool changed4 = before->endpoint4 && before->endpoint4 != after->endpoint4;
	bool changed6 = before->endpoint6 && before->endpoint6 != after->endpoint6;

	if (changed4)
		policy_recheck(agent->engine, before->endpoint4);
	if (changed6)
		policy_recheck(agent->engine, before->endpoint6);
	if (changed4 || changed6)
		commit_now(agent);
}

static void attach(struct agent *agent, const struct assignment *place)
{
	struct host_link *link = find_link(agent, place->ifindex);
	struct host_interface entry = {
		.endpoint4 = slot_of(owner_of(place, false)),
		.endpoint6 = slot_of(owner_of(place, true)),
	};
	bool lost = link && !dataplane_is_host(agent->dataplane, place->ifindex, place->name);
	struct err err;
	int r;

	memcpy(entry.name, place->name, sizeof(entry.name));
	if (link && !lost && !memcmp(&link->entry, &entry, sizeof(entry)))
		return;
	r = dataplane_attach_host(agent->dataplane, place->ifindex, &entry, &err);
	/* Notifications trail behind the kernel: it may be gone already. */
	problem_set(&agent->of_generation, place->name, r < 0 && r != -ENODEV ? err.text : NULL);
	if (!link) {
		link = calloc(1, sizeof(*link));
		if (!link)
			return; /* in force, and remembered at the next look */
		link->ifindex = place->ifindex;
		LL_PREPEND(agent->host_links, link);
	}
	recheck(agent, &link->entry, &entry);
	link->entry = entry;
	if (!r && lost)
		repaired_tell(agent, &agent->repairs.programs,
			      "another program removed ours from %s; they are attached again", place->name);
	else if (!r)
		log_info("agent", "%s is under the policy of host endpoints", place->name);
}

static void detach(struct agent *agent, struct host_link *link)
{
	struct err err;

	if (dataplane_detach_host(agent->dataplane, link->ifindex, link->entry.name, &err) < 0)
		log_debug("agent", "%s, ignoring", err.text);
	problem_set(&agent->of_generation, link->entry.name, NULL);
	log_info("agent", "%s has no host endpoint any more", link->entry.name);
	LL_DELETE(agent->host_links, link);
	free(link);
}

void host_endpoints_refresh(struct agent *agent)
{
	const struct local_host_endpoint *ep;
	struct host_link *link, *next;
	struct assignments all;

	if (agent->phase != PHASE_ACTIVE || (!agent->host_endpoints && !agent->host_links))
		return;
	assign(agent, &all);
	take_slots(agent, &all);
	for (size_t i = 0; i < all.count; i++)
		attach(agent, &all.of[i]);
	LL_FOREACH_SAFE (agent->host_links, link, next) {
		if (!find_assignment(&all, link->ifindex))
			detach(agent, link);
	}
	give_slots(agent);
	LL_FOREACH (agent->host_endpoints, ep)
		show_problem(agent, ep);
}

void host_endpoints_link_changed(struct agent *agent, const struct link_info *link, bool gone)
{
	struct host_link *known = find_link(agent, link->ifindex);

	if (gone && known)
		detach(agent, known);
	host_endpoints_refresh(agent);
}

void host_endpoints_set_failsafe(struct agent *agent)
{
	const struct failsafe_ports *inbound = &agent->felix.failsafe_inbound;
	const struct failsafe_ports *outbound = &agent->felix.failsafe_outbound;
	struct err err;
	int r;

	if (!agent->dataplane)
		return;
	r = dataplane_set_failsafe(agent->dataplane, FAILSAFE_INBOUND, inbound->port, inbound->count, &err);
	if (!r)
		r = dataplane_set_failsafe(agent->dataplane, FAILSAFE_OUTBOUND, outbound->port,
					   outbound->count, &err);
	problem_set(&agent->of_generation, "failsafe ports", r < 0 ? err.text : NULL);
}

/* ---- from the datastore ---- */

static int compare(const struct local_host_endpoint *a, const struct local_host_endpoint *b)
{
	return strcmp(a->key, b->key);
}

static struct local_host_endpoint *find(struct agent *agent, const char *key)
{
	struct local_host_endpoint *ep;

	LL_FOREACH (agent->host_endpoints, ep) {
		if (!strcmp(ep->key, key))
			return ep;
	}
	return NULL;
}

static void free_endpoint(struct local_host_endpoint *ep)
{
	host_endpoint_free(ep->model);
	free(ep);
}

static void forget(struct agent *agent, const char *key)
{
	struct local_host_endpoint *ep = find(agent, key);

	if (!ep)
		return;
	LL_DELETE(agent->host_endpoints, ep);
	host_endpoints_refresh(agent);
	give_slot(agent, ep);
	policy_set_host_endpoint(agent->engine, key, NULL, 0);
	ep->problem[0] = '\0';
	show_problem(agent, ep);
	free_endpoint(ep);
}

void host_endpoints_set(struct agent *agent, const char *key, struct host_endpoint *model)
{
	struct local_host_endpoint *ep = find(agent, key);
	size_t length = strlen(key);

	if (!model) {
		forget(agent, key);
		return;
	}
	if (!ep) {
		ep = calloc(1, sizeof(*ep) + length + 1);
		if (!ep) {
			problem_set(&agent->of_generation, key, "out of memory");
			host_endpoint_free(model);
			return;
		}
		memcpy(ep->key, key, length + 1);
		LL_INSERT_INORDER(agent->host_endpoints, ep, compare);
	}
	host_endpoint_free(ep->model);
	ep->model = model;
	policy_set_host_endpoint(agent->engine, key, model, ep->slot);
	host_endpoints_refresh(agent);
}

json_t *host_endpoints_json(const struct agent *agent)
{
	const struct local_host_endpoint *ep;
	const struct host_link *link;
	json_t *list = json_array();

	LL_FOREACH (agent->host_endpoints, ep) {
		json_t *interfaces = json_array();

		LL_FOREACH (agent->host_links, link) {
			if (ep->slot &&
			    (link->entry.endpoint4 == ep->slot || link->entry.endpoint6 == ep->slot))
				json_array_append_new(interfaces, model_json_text(link->entry.name));
		}
		json_array_append_new(list,
				      json_pack("{s:o?, s:s, s:o?, s:i}", "key", model_json_text(ep->key),
						"state", ep->slot ? "up" : "waiting for its interface",
						"interfaces", interfaces, "slot", (int)ep->slot));
	}
	return list;
}

void host_endpoints_free(struct agent *agent)
{
	struct local_host_endpoint *ep, *next_ep;
	struct host_link *link, *next_link;

	LL_FOREACH_SAFE (agent->host_endpoints, ep, next_ep)
		free_endpoint(ep);
	LL_FOREACH_SAFE (agent->host_links, link, next_link)
		free(link);
	agent->host_endpoints = NULL;
	agent->host_links = NULL;
}
