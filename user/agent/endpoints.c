/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Endpoints of this host. Order of coming: map entry (which denies), programs on the interface, policy
 * published, interface up, neighbours and routes. Order of going: policy and address, flows, routes,
 * programs, map entry.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"

static struct local_endpoint *find(struct agent *agent, const char *key)
{
	struct local_endpoint *ep;

	HASH_FIND_STR(agent->endpoints, key, ep);
	return ep;
}

static struct local_endpoint *find_bound(struct agent *agent, const char *interface)
{
	struct local_endpoint *ep, *next;

	HASH_ITER (hh, agent->endpoints, ep, next) {
		if (ep->ifindex && !strcmp(ep->model->name, interface))
			return ep;
	}
	return NULL;
}

static struct local_endpoint *find_by_index(struct agent *agent, int ifindex)
{
	struct local_endpoint *ep, *next;

	HASH_ITER (hh, agent->endpoints, ep, next) {
		if (ep->slot && ep->ifindex == ifindex)
			return ep;
	}
	return NULL;
}

__u32 endpoints_slot_take(struct agent *agent)
{
	__u32 capacity = dataplane_endpoint_capacity(agent->dataplane);

	if (!agent->slots_used)
		agent->slots_used = calloc(capacity, 1);
	if (!agent->slots_used)
		return 0;
	for (__u32 slot = 1; slot < capacity; slot++) {
		if (!agent->slots_used[slot]) {
			agent->slots_used[slot] = 1;
			return slot;
		}
	}
	return 0;
}

void endpoints_slot_give(struct agent *agent, __u32 slot)
{
	agent->slots_used[slot] = 0;
}

static bool shares_container(const struct local_endpoint *a, const struct local_endpoint *b)
{
	const char *name_a = strrchr(a->key, '/'), *name_b = strrchr(b->key, '/');

	return a->model && b->model && *a->model->sandbox && !strcmp(a->model->sandbox, b->model->sandbox) &&
	       name_a && name_b && name_a - a->key == name_b - b->key &&
	       !strncmp(a->key, b->key, (size_t)(name_a - a->key));
}

static bool sandbox_is_used(const struct agent *agent, __u16 number)
{
	for (const struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		if (ep->sandbox == number)
			return true;
	}
	return false;
}

/* That of an endpoint of the same container, or one that nobody has: there are fewer endpoints than numbers.
 */
static __u16 choose_sandbox(struct agent *agent, const struct local_endpoint *ep)
{
	if (!*ep->model->sandbox || HASH_COUNT(agent->endpoints) >= UINT16_MAX)
		return 0;
	for (const struct local_endpoint *other = agent->endpoints; other; other = other->hh.next) {
		if (other != ep && other->sandbox && shares_container(ep, other))
			return other->sandbox;
	}
	do {
		agent->last_sandbox++;
	} while (!agent->last_sandbox || sandbox_is_used(agent, agent->last_sandbox));
	return agent->last_sandbox;
}

static int write_map_entry(struct agent *agent, const struct local_endpoint *ep, struct err *err)
{
	const struct workload_endpoint *model = ep->model;
	struct endpoint entry = {
		.ifindex = (__u32)ep->ifindex,
		.state = model->active ? ENDPOINT_ACTIVE : ENDPOINT_INACTIVE,
		.flags = model->has_mac ? ENDPOINT_CHECK_MAC : 0,
		.sandbox = ep->sandbox,
		.generation_slot = policy_generation_slot(agent->engine, ep->slot),
	};

	memcpy(entry.mac, model->mac, sizeof(entry.mac));
	memcpy(entry.host_mac, (__u8[]){HOST_MAC}, sizeof(entry.host_mac));
	memcpy(entry.name, model->name, sizeof(entry.name));
	return dataplane_set_endpoint(agent->dataplane, ep->slot, &entry, err);
}

static void unbind(struct agent *agent, struct local_endpoint *ep)
{
	if (!ep->slot)
		return;
	repair_end(agent, ep);
	policy_set_endpoint(agent->engine, ep->key, NULL, 0);
	commit_now(agent);
	dataplane_set_endpoint(agent->dataplane, ep->slot, NULL, NULL);
	endpoints_slot_give(agent, ep->slot);
	ep->slot = 0;
	ep->ifindex = 0;
	ep->enforced = false;
}

static void give_way(struct agent *agent, struct local_endpoint *ep, const struct local_endpoint *other)
{
	struct err err;

	unbind(agent, ep);
	err_set(&err, EEXIST, "its interface %s is that of %s, too, which came later and has it",
		ep->model->name, other->key);
	problem_set(&agent->of_generation, ep->key, err.text);
}

/* Gives the endpoint its slot if its interface exists. 0 also when there is no interface yet. */
static int bind_interface(struct agent *agent, struct local_endpoint *ep, struct err *err)
{
	int ifindex = link_index(agent->netlink, ep->model->name);
	struct local_endpoint *other;

	if (ep->slot && ep->ifindex != ifindex)
		unbind(agent, ep);
	if (ifindex <= 0)
		return 0;
	/* An interface belongs to the endpoint that named it last. */
	other = find_bound(agent, ep->model->name);
	if (other && other != ep)
		give_way(agent, other, ep);
	if (!ep->slot)
		ep->slot = endpoints_slot_take(agent);
	if (!ep->slot)
		return err_set(err, ENOSPC, "endpoint %s: all %u endpoint slots of this host are in use",
			       ep->model->name, dataplane_endpoint_capacity(agent->dataplane) - 1);
	ep->ifindex = ifindex;
	return write_map_entry(agent, ep, err);
}

static bool has_net(const struct workload_endpoint *model, const struct addr *addr)
{
	for (size_t i = 0; i < model->net_count; i++) {
		if (!addr_compare(&model->nets[i], addr))
			return true;
	}
	return false;
}

bool endpoints_have(const struct agent *agent, const struct addr *addr)
{
	for (const struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		if (ep->ifindex && has_net(ep->model, addr))
			return true;
	}
	return false;
}

static bool wants_route(const struct workload_endpoint *model, const struct addr *addr)
{
	return model->active && has_net(model, addr);
}

static void remove_routes(struct agent *agent, const struct local_endpoint *ep, bool all)
{
	struct host_route *routes = NULL;
	size_t count = 0;

	if (route_list_hosts(agent->netlink, ep->ifindex, &routes, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!all && wants_route(ep->model, &routes[i].addr))
			continue;
		route_delete_host(agent->netlink, ep->ifindex, &routes[i].addr, NULL);
		neighbour_delete(agent->netlink, ep->ifindex, &routes[i].addr, NULL);
		dataplane_purge_flows(agent->dataplane, &routes[i].addr);
	}
	free(routes);
}

static int add_routes(struct agent *agent, const struct local_endpoint *ep, struct err *err)
{
	const struct workload_endpoint *model = ep->model;
	const char *off = ipv6_off();
	bool skipped = false;
	char object[32];
	int r = 0;

	for (size_t i = 0; model->active && !r && i < model->net_count; i++) {
		/* IPv4 goes on without it. */
		if (off && model->nets[i].family == 6) {
			skipped = true;
			continue;
		}
		if (model->has_mac)
			r = neighbour_add(agent->netlink, ep->ifindex, &model->nets[i], model->mac, err);
		if (!r)
			r = route_add_host(agent->netlink, ep->ifindex, &model->nets[i], err);
	}
	snprintf(object, sizeof(object), "IPv6 of %s", model->name);
	problem_set(&agent->of_generation, object, skipped ? off : NULL);
	return r;
}

/* Everything after the map entry. Policy of the endpoint must have been handed to the engine. */
static int enforce(struct agent *agent, struct local_endpoint *ep, struct err *err)
{
	/* Whoever made the interface: that is what the endpoint is told when it asks for its gateway. */
	static const __u8 host_mac[6] = {HOST_MAC};
	int r = dataplane_attach(agent->dataplane, ep->ifindex, ep->model->name, err);

	if (r < 0)
		return r;
	commit_now(agent);
	repair_begin(agent, ep);
	r = link_set_up(agent->netlink, ep->ifindex, host_mac, err);
	if (r < 0)
		return r;
	remove_routes(agent, ep, false);
	r = add_routes(agent, ep, err);
	if (r < 0)
		return r;
	ep->enforced = true;
	ep->down = false;
	return 0;
}

static int put_in_force(struct agent *agent, struct local_endpoint *ep, struct err *err)
{
	int r = bind_interface(agent, ep, err);

	/*
	 * Without an interface it is no member of anything: the datastore's events trail behind what the
	 * plugin does, so its address may have another endpoint by now.
	 */
	if (!r)
		r = policy_set_endpoint(agent->engine, ep->key, ep->slot ? ep->model : NULL, ep->slot) < 0
			    ? err_set(err, ENOMEM, "endpoint %s: out of memory", ep->model->name)
			    : 0;
	if (!r && agent->phase == PHASE_ACTIVE && ep->slot)
		r = enforce(agent, ep, err);
	else if (!r)
		commit_schedule(agent);
	if (r < 0)
		unbind(agent, ep);
	return r;
}

static void free_endpoint(struct local_endpoint *ep)
{
	if (!ep)
		return;
	workload_endpoint_free(ep->model);
	free(ep->text);
	free(ep);
}

static struct local_endpoint *add(struct agent *agent, const char *key)
{
	size_t length = strlen(key);
	struct local_endpoint *ep = calloc(1, sizeof(*ep) + length + 1);

	if (!ep)
		return NULL;
	memcpy(ep->key, key, length + 1);
	HASH_ADD_STR(agent->endpoints, key, ep);
	return ep;
}

/* Nothing publishes ports yet, and Docker does not say so. */
static void tell_of_ports(struct agent *agent, const struct workload_endpoint *model, bool gone)
{
	char object[64], text[512], own[ADDR_TEXT] = "";
	char *port = !gone && model->port_count ? endpoint_port_format(&model->ports[0]) : NULL;

	snprintf(object, sizeof(object), "ports of endpoint %s", model->name);
	if (!port) {
		problem_set(&agent->of_generation, object, NULL);
		return;
	}
	if (model->net_count)
		addr_format(&model->nets[0], own);
	snprintf(
		text, sizeof(text),
		"%s%s not published on this host; the container is reached under its own address %s, port %u, if "
		"its profile allows that: 'calicoctl profile %.80s rule add inbound allow %s to ports %u'",
		port, model->port_count > 1 ? " and others are" : " is", own, model->ports[0].port,
		model->profiles.count ? model->profiles.items[0] : "NAME",
		endpoint_port_protocol(&model->ports[0]), model->ports[0].port);
	problem_set(&agent->of_generation, object, text);
	free(port);
}

int endpoints_set(struct agent *agent, const char *key, struct workload_endpoint *model, struct err *err)
{
	struct local_endpoint *ep = find(agent, key);
	char *text = workload_endpoint_format(model);
	struct workload_endpoint *old;
	int r;

	if (!text || (!ep && !(ep = add(agent, key)))) {
		workload_endpoint_free(model);
		free(text);
		return err_set(err, ENOMEM, "endpoint %s: out of memory", key);
	}
	if (ep->text && !strcmp(ep->text, text) &&
	    (ep->enforced || link_index(agent->netlink, model->name) <= 0)) {
		workload_endpoint_free(model);
		free(text);
		return 0;
	}
	if (ep->model && strcmp(ep->model->name, model->name)) {
		tell_of_ports(agent, ep->model, true);
		unbind(agent, ep);
	}
	old = ep->model;
	free(ep->text);
	ep->model = model;
	ep->text = text;
	ep->sandbox = choose_sandbox(agent, ep);
	reserved_review_endpoint(agent, old);
	reserved_review_endpoint(agent, model);
	workload_endpoint_free(old);

	r = put_in_force(agent, ep, err);
	problem_set(&agent->of_generation, key, r < 0 && err ? err->text : NULL);
	tell_of_ports(agent, model, false);
	unclaimed_look_soon(agent);
	return r;
}

void endpoints_remove(struct agent *agent, const char *key)
{
	struct local_endpoint *ep = find(agent, key);

	if (!ep)
		return;
	policy_set_endpoint(agent->engine, ep->key, NULL, 0);
	commit_now(agent);
	if (ep->slot) {
		repair_end(agent, ep);
		for (size_t i = 0; i < ep->model->net_count; i++)
			dataplane_purge_flows(agent->dataplane, &ep->model->nets[i]);
		remove_routes(agent, ep, true);
		/* The interface may outlive its endpoint: without a map entry the programs on it drop
		 * everything. */
		dataplane_set_endpoint(agent->dataplane, ep->slot, NULL, NULL);
		endpoints_slot_give(agent, ep->slot);
	}
	problem_set(&agent->of_generation, key, NULL);
	if (ep->model)
		tell_of_ports(agent, ep->model, true);
	unclaimed_look_soon(agent);
	HASH_DEL(agent->endpoints, ep);
	reserved_review_endpoint(agent, ep->model);
	free_endpoint(ep);
}

/*
 * An interface with our prefix that no endpoint claims gets programs too: they drop what comes from it.
 * Notifications trail behind the kernel, so it may be gone already.
 */
static void guard_interface(struct agent *agent, int ifindex, const char *name)
{
	const struct local_endpoint *ep = find_by_index(agent, ifindex);
	struct err err;
	int r;

	if (dataplane_is_attached(agent->dataplane, ifindex, name))
		return;
	r = dataplane_attach(agent->dataplane, ifindex, name, &err);
	if (!r && ep && ep->enforced)
		repaired_tell(agent, &agent->repairs.programs,
			      "another program removed ours from %s; they are attached again", name);
	problem_set(&agent->of_generation, name, r < 0 && r != -ENODEV ? err.text : NULL);
}

static bool has_prefix(const struct agent *agent, const char *name)
{
	return !strncmp(name, agent->felix.interface_prefix, strlen(agent->felix.interface_prefix));
}

void endpoints_activate(struct agent *agent)
{
	struct local_endpoint *ep, *next;
	struct link_info *links = NULL;
	size_t count = 0;
	struct err err;

	HASH_ITER (hh, agent->endpoints, ep, next) {
		if (!ep->slot || !ep->enforced) {
			int r = put_in_force(agent, ep, &err);
			problem_set(&agent->of_generation, ep->key, r < 0 ? err.text : NULL);
		}
	}
	if (link_list(agent->netlink, &links, &count, &err) < 0) {
		log_repeated(LOG_LEVEL_WARN, "agent", "links",
			     "%s; interfaces without an endpoint are guarded when they change", err.text);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (has_prefix(agent, links[i].name))
			guard_interface(agent, links[i].ifindex, links[i].name);
	}
	free(links);
	unclaimed_look_soon(agent);
}

static void restore_routes(struct agent *agent, struct local_endpoint *ep)
{
	struct err err;
	int r = add_routes(agent, ep, &err);

	problem_set(&agent->of_generation, ep->key, r < 0 ? err.text : NULL);
}

/* What failed before may succeed now: there is room for it, or its interface is free. */
static void try_again(struct agent *agent, struct local_endpoint *ep)
{
	struct err err;
	int r;

	if (link_index(agent->netlink, ep->model->name) <= 0 || find_bound(agent, ep->model->name))
		return;
	r = put_in_force(agent, ep, &err);
	problem_set(&agent->of_generation, ep->key, r < 0 ? err.text : NULL);
}

void endpoints_retry(struct agent *agent)
{
	struct local_endpoint *ep, *next;

	HASH_ITER (hh, agent->endpoints, ep, next) {
		if (!ep->slot)
			try_again(agent, ep);
	}
}

void endpoints_refresh(struct agent *agent)
{
	struct local_endpoint *ep, *next;

	endpoints_retry(agent);
	HASH_ITER (hh, agent->endpoints, ep, next) {
		if (ep->slot)
			guard_interface(agent, ep->ifindex, ep->model->name);
	}
}

bool endpoints_look(struct agent *agent, int ifindex)
{
	struct link_info link;

	if (link_get(agent->netlink, ifindex, &link))
		return true;
	if (!has_prefix(agent, link.name))
		return false;
	guard_interface(agent, ifindex, link.name);
	return true;
}

/* The kernel takes routes and neighbours from an interface that goes down, and does not put them back. */
static void follow_state(struct agent *agent, struct local_endpoint *ep, const struct link_info *link)
{
	bool was_down = ep->down;

	ep->down = !link->up;
	if (was_down && link->up)
		restore_routes(agent, ep);
}

void endpoints_link_changed(struct agent *agent, const struct link_info *link, bool gone)
{
	struct local_endpoint *ep, *next;
	struct err err;
	int r;

	if (agent->phase != PHASE_ACTIVE)
		return;
	ep = find_by_index(agent, link->ifindex);
	/* Renamed by somebody: it will have its name back in a moment. */
	if (ep && !gone && strcmp(ep->model->name, link->name)) {
		follow_state(agent, ep, link);
		return;
	}
	if (!ep && !has_prefix(agent, link->name))
		return;
	unclaimed_look_soon(agent);
	if (gone) {
		const char *name = ep ? ep->model->name : link->name;

		HASH_ITER (hh, agent->endpoints, ep, next) {
			if (ep->ifindex == link->ifindex)
				unbind(agent, ep);
		}
		dataplane_detach(agent->dataplane, link->ifindex, name, NULL);
		problem_set(&agent->of_generation, name, NULL);
		return;
	}
	/* Programs first: whatever the interface turns out to be, nothing passes it unjudged. */
	guard_interface(agent, link->ifindex, link->name);
	HASH_ITER (hh, agent->endpoints, ep, next) {
		if (strcmp(ep->model->name, link->name))
			continue;
		if (ep->enforced && ep->ifindex == link->ifindex) {
			follow_state(agent, ep, link);
			continue;
		}
		r = put_in_force(agent, ep, &err);
		problem_set(&agent->of_generation, ep->key, r < 0 ? err.text : NULL);
	}
}

void endpoints_free(struct agent *agent)
{
	struct local_endpoint *ep, *next;

	HASH_ITER (hh, agent->endpoints, ep, next) {
		HASH_DEL(agent->endpoints, ep);
		free_endpoint(ep);
	}
	free(agent->slots_used);
	agent->slots_used = NULL;
}
