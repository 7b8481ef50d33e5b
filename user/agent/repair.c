/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Other software changes interfaces of endpoints and switches forwarding off. Both are compared with what
 * they must be when the kernel tells of a change and at every refresh, and set back. Who insists is not
 * fought at full speed: after some repairs in a row there is a problem to read, and a pause before each
 * further one.
 */
#include "agent/state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"

#define COLLECT_MS   50 /* changes that come together are looked at together */
#define FREE_REPAIRS 10 /* in a row, without a pause */
#define PAUSE_S	     5	/* before each further one */
#define QUIET_S	     60 /* without a repair: they were no row */
#define SINGLE_LOOKS 8	/* more interfaces than that are listed at once */
#define TABLES_S     60 /* between looks at everything while no event comes */
#define FIND_IT	     "find out what changes it, and end that"

/*
 * Strict reverse path filtering stays on as a second line behind the programs' own source check. No
 * proxy_arp: the program answers ARP and neighbour solicitations itself. No route_localnet: it would open the
 * host's loopback services to containers, and the metadata redirection that needed it does not exist here.
 */
static const int32_t wanted[LINK_SETTINGS] = {
	[LINK_FORWARDING4] = 1, [LINK_RP_FILTER] = 1, [LINK_FORWARDING6] = 1,
	/* all others: 0 */
};

static int32_t wanted_setting(const struct local_endpoint *ep, int setting)
{
	/* A container with several endpoints sends by any of them, from the addresses of all: loose. */
	return setting == LINK_RP_FILTER && ep->sandbox ? 2 : wanted[setting];
}

static const char *const things[REPAIR_THINGS] = {
	[REPAIR_NAME] = "name",	  [REPAIR_MASTER] = "master",  [REPAIR_MAC] = "MAC",
	[REPAIR_MTU] = "MTU",	  [REPAIR_ARP] = "flag noarp", [REPAIR_NEIGHBOUR] = "neighbour",
	[REPAIR_ROUTE] = "route",
};

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static bool is_insistent(const struct repair_row *row)
{
	return row->count >= FREE_REPAIRS && seconds() - row->last <= QUIET_S;
}

static bool may_repair(struct agent *agent, struct repair_row *row)
{
	time_t idle = seconds() - row->last;

	if (idle > QUIET_S)
		row->count = 0;
	if (row->count < FREE_REPAIRS || idle >= PAUSE_S)
		return true;
	agent->repair_later = true;
	return false;
}

/* Tells, and counts. */
static void was_repaired(struct agent *agent, struct repair_row *row, const char *text)
{
	/* Several of one kind at once are one: a changed MAC takes all neighbours. */
	row->count += row->look != agent->repair_looks;
	row->look = agent->repair_looks;
	row->last = seconds();
	agent->repairs.settings++;
	if (row->count <= FREE_REPAIRS)
		log_warn("agent", "%s", text);
	else
		log_debug("agent", "%s", text);
}

/* ---- one endpoint ---- */

static void note_problem(struct local_endpoint *ep, const char *text)
{
	if (!ep->repair.problem[0])
		snprintf(ep->repair.problem, sizeof(ep->repair.problem), "%s", text);
}

static const char *thing_text(char text[80], const struct local_endpoint *ep, int thing)
{
	char path[LINK_SETTING_PATH];

	if (thing < REPAIR_THINGS)
		snprintf(text, 80, "%s", things[thing]);
	else
		snprintf(
			text, 80, "setting net/%s",
			link_setting_path(path, (enum link_setting)(thing - REPAIR_THINGS), ep->model->name));
	return text;
}

/* r: result of the repair that may_repair() allowed. */
static void finish(struct agent *agent, struct local_endpoint *ep, int thing, const char *was,
		   const char *wants, int r, const struct err *err)
{
	char text[300], what[80];

	if (r < 0) {
		note_problem(ep, err->text);
		agent->tables_due = 0; /* the next refresh tries again */
		return;
	}
	snprintf(text, sizeof(text), "%s: its %s was changed to %s; set back to %s", ep->model->name,
		 thing_text(what, ep, thing), was, wants);
	was_repaired(agent, &ep->repair.row[thing], text);
}

static bool may(struct agent *agent, struct local_endpoint *ep, int thing)
{
	return may_repair(agent, &ep->repair.row[thing]);
}

static const char *mac_text(char text[20], const __u8 mac[6])
{
	snprintf(text, 20, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return text;
}

static bool has_ipv6(const struct workload_endpoint *model)
{
	for (size_t i = 0; i < model->net_count; i++) {
		if (model->nets[i].family == 6)
			return true;
	}
	return false;
}

/* IPv6 may be switched off on the host; an endpoint that has an address of it needs it. */
static bool is_wrong(const struct local_endpoint *ep, const struct link_state *state, int setting)
{
	return state->setting[setting] >= 0 && state->setting[setting] != wanted_setting(ep, setting) &&
	       (setting != LINK_DISABLE_IPV6 || has_ipv6(ep->model));
}

static int set_setting(const struct local_endpoint *ep, int setting, struct err *err)
{
	char path[LINK_SETTING_PATH], value[12];

	snprintf(value, sizeof(value), "%d", wanted_setting(ep, setting));
	return sysctl_write(link_setting_path(path, (enum link_setting)setting, ep->model->name), value, err);
}

static void check_settings(struct agent *agent, struct local_endpoint *ep, const struct link_state *state)
{
	char was[12], wants[12];
	struct err err;

	for (int i = 0; i < LINK_SETTINGS; i++) {
		int thing = REPAIR_THINGS + i, r;

		if (!is_wrong(ep, state, i) || !may(agent, ep, thing))
			continue;
		snprintf(was, sizeof(was), "%d", state->setting[i]);
		snprintf(wants, sizeof(wants), "%d", wanted_setting(ep, i));
		r = set_setting(ep, i, &err);
		finish(agent, ep, thing, was, wants, r, &err);
	}
}

/* The kernel has set it down for that. */
static int rename_back(struct agent *agent, struct local_endpoint *ep, struct err *err)
{
	int r = link_rename(agent->netlink, ep->ifindex, ep->model->name, err);
	int up = link_set_up(agent->netlink, ep->ifindex, NULL, r < 0 ? NULL : err);

	return r < 0 ? r : up;
}

static void check_name(struct agent *agent, struct local_endpoint *ep, const struct link_state *state)
{
	struct err err;

	if (!strcmp(state->name, ep->model->name) || !may(agent, ep, REPAIR_NAME))
		return;
	finish(agent, ep, REPAIR_NAME, state->name, ep->model->name, rename_back(agent, ep, &err), &err);
}

static void check_link(struct agent *agent, struct local_endpoint *ep, const struct link_state *state)
{
	static const __u8 host_mac[6] = {HOST_MAC};
	char was[20], wants[20];
	struct err err;
	int r;

	check_name(agent, ep, state);
	/* Programs hand packets to the other end of the veth: there is no queue on that way. */
	ep->repair.shaped =
		state->qdisc[0] && strcmp(state->qdisc, "noqueue") && strcmp(state->qdisc, "noop");
	memcpy(ep->repair.qdisc, state->qdisc, sizeof(ep->repair.qdisc));
	if (state->master && may(agent, ep, REPAIR_MASTER)) {
		snprintf(was, sizeof(was), "interface %d", state->master);
		r = link_release(agent->netlink, ep->ifindex, &err);
		finish(agent, ep, REPAIR_MASTER, was, "none", r, &err);
	}
	if (memcmp(state->mac, host_mac, sizeof(host_mac)) && may(agent, ep, REPAIR_MAC)) {
		r = link_set_mac(agent->netlink, ep->ifindex, host_mac, &err);
		finish(agent, ep, REPAIR_MAC, mac_text(was, state->mac), mac_text(wants, host_mac), r, &err);
	}
	if (ep->repair.mtu && state->mtu != ep->repair.mtu && may(agent, ep, REPAIR_MTU)) {
		snprintf(was, sizeof(was), "%u", state->mtu);
		snprintf(wants, sizeof(wants), "%u", ep->repair.mtu);
		r = link_set_mtu(agent->netlink, ep->ifindex, ep->repair.mtu, &err);
		finish(agent, ep, REPAIR_MTU, was, wants, r, &err);
	}
	if (!state->arp && may(agent, ep, REPAIR_ARP)) {
		r = link_set_arp(agent->netlink, ep->ifindex, &err);
		finish(agent, ep, REPAIR_ARP, "on", "off", r, &err);
	}
}

/* ---- its neighbours and routes ---- */

struct tables {
	struct neighbour *neighbours;
	struct host_route *routes;
	size_t neighbour_count, route_count;
};

static int compare_neighbours(const void *a, const void *b)
{
	const struct neighbour *left = a, *right = b;

	return left->ifindex != right->ifindex
		       ? (left->ifindex > right->ifindex) - (left->ifindex < right->ifindex)
		       : addr_compare(&left->addr, &right->addr);
}

static int compare_routes(const void *a, const void *b)
{
	return addr_compare(&((const struct host_route *)a)->addr, &((const struct host_route *)b)->addr);
}

/* ifindex 0: of all interfaces. */
static int read_tables(struct agent *agent, int ifindex, struct tables *ret)
{
	struct err err;

	*ret = (struct tables){0};
	if (neighbour_list(agent->netlink, ifindex, &ret->neighbours, &ret->neighbour_count, &err) < 0 ||
	    route_list_hosts(agent->netlink, ifindex, &ret->routes, &ret->route_count, &err) < 0) {
		log_debug("agent", "%s; endpoints are compared later", err.text);
		agent->tables_due = 0;
		return -1;
	}
	if (ret->neighbours)
		qsort(ret->neighbours, ret->neighbour_count, sizeof(*ret->neighbours), compare_neighbours);
	if (ret->routes)
		qsort(ret->routes, ret->route_count, sizeof(*ret->routes), compare_routes);
	return 0;
}

static void free_tables(struct tables *tables)
{
	free(tables->neighbours);
	free(tables->routes);
}

static void check_neighbour(struct agent *agent, struct local_endpoint *ep, const struct tables *tables,
			    const struct addr *addr)
{
	struct neighbour key = {.ifindex = ep->ifindex, .addr = *addr};
	const struct neighbour *found =
		bsearch(&key, tables->neighbours, tables->neighbour_count, sizeof(key), compare_neighbours);
	char text[ADDR_TEXT], was[ADDR_TEXT + 40], mac[20], wants[20];
	struct err err;
	int r;

	if (found && found->permanent && !memcmp(found->mac, ep->model->mac, sizeof(found->mac)))
		return;
	if (!may(agent, ep, REPAIR_NEIGHBOUR))
		return;
	snprintf(was, sizeof(was), "%s%s for %s", found ? mac_text(mac, found->mac) : "none",
		 found && !found->permanent ? " (not permanent)" : "", addr_format(addr, text));
	r = neighbour_add(agent->netlink, ep->ifindex, addr, ep->model->mac, &err);
	finish(agent, ep, REPAIR_NEIGHBOUR, was, mac_text(wants, ep->model->mac), r, &err);
}

static bool is_other_endpoint(struct agent *agent, const struct local_endpoint *ep, int ifindex)
{
	for (const struct local_endpoint *other = agent->endpoints; other; other = other->hh.next) {
		if (other != ep && other->slot && other->ifindex == ifindex)
			return true;
	}
	return false;
}

/* Two endpoints with one address must not take the route from each other. */
static bool has_route(struct agent *agent, const struct local_endpoint *ep, const struct tables *tables,
		      const struct addr *addr, int *ret_elsewhere)
{
	*ret_elsewhere = 0;
	for (size_t i = 0; i < tables->route_count; i++) {
		const struct host_route *route = &tables->routes[i];

		if (addr_compare(&route->addr, addr))
			continue;
		if (route->ifindex == ep->ifindex || is_other_endpoint(agent, ep, route->ifindex))
			return true;
		*ret_elsewhere = route->ifindex;
	}
	return false;
}

static void check_route(struct agent *agent, struct local_endpoint *ep, const struct addr *addr)
{
	char text[ADDR_TEXT], was[ADDR_TEXT + 40];
	struct tables all = {0};
	int elsewhere = 0, r;
	struct err err;

	r = route_list_hosts(agent->netlink, 0, &all.routes, &all.route_count, &err);
	if (r < 0 || has_route(agent, ep, &all, addr, &elsewhere) || !may(agent, ep, REPAIR_ROUTE)) {
		free_tables(&all);
		return;
	}
	free_tables(&all);
	addr_format(addr, text);
	if (elsewhere)
		snprintf(was, sizeof(was), "interface %d for %s", elsewhere, text);
	else
		snprintf(was, sizeof(was), "none for %s", text);
	r = route_add_host(agent->netlink, ep->ifindex, addr, &err);
	finish(agent, ep, REPAIR_ROUTE, was, "this interface", r, &err);
}

static void check_tables(struct agent *agent, struct local_endpoint *ep, const struct tables *tables)
{
	const struct workload_endpoint *model = ep->model;

	for (size_t i = 0; model->active && !ep->down && i < model->net_count; i++) {
		struct host_route key = {.addr = model->nets[i]};
		const struct host_route *route =
			bsearch(&key, tables->routes, tables->route_count, sizeof(key), compare_routes);

		if (model->has_mac)
			check_neighbour(agent, ep, tables, &model->nets[i]);
		if (!route || route->ifindex != ep->ifindex)
			check_route(agent, ep, &model->nets[i]);
	}
}

/* ---- what there is to tell of it ---- */

static void tell(struct agent *agent, struct local_endpoint *ep)
{
	char object[40], text[300], what[80];

	if (ep->model->active && ep->down) {
		snprintf(text, sizeof(text),
			 "it is down, so its container has no network; set it up: ip link set %s up",
			 ep->model->name);
		note_problem(ep, text);
	}
	if (ep->repair.shaped) {
		snprintf(
			text, sizeof(text),
			"it has the queueing discipline %s, which most packets to its container pass by; remove it "
			"(tc qdisc del dev %s root) and limit inside the container or at the uplink",
			ep->repair.qdisc, ep->model->name);
		note_problem(ep, text);
	}
	for (int i = 0; i < REPAIR_ROWS; i++) {
		if (!is_insistent(&ep->repair.row[i]))
			continue;
		snprintf(text, sizeof(text),
			 "its %s is changed again and again, and set back every %d seconds; " FIND_IT,
			 thing_text(what, ep, i), PAUSE_S);
		note_problem(ep, text);
	}
	snprintf(object, sizeof(object), "interface %s", ep->model->name);
	problem_set(&agent->of_generation, object, ep->repair.problem[0] ? ep->repair.problem : NULL);
}

void repair_begin(struct agent *agent, struct local_endpoint *ep)
{
	struct link_state state;
	unsigned int mtu;
	struct err err;

	memset(&ep->repair, 0, sizeof(ep->repair));
	if (link_state_get(agent->netlink, ep->ifindex, &state) < 0)
		return;
	/* Both ends of a veth were made with one MTU: so a change while the daemon was away is seen, too. */
	mtu = link_peer_mtu(agent->netlink, &state);
	ep->repair.mtu = mtu ? mtu : state.mtu;
	for (int i = 0; i < LINK_SETTINGS; i++) {
		if (is_wrong(ep, &state, i) && set_setting(ep, i, &err) < 0)
			log_debug("agent", "%s; tried again soon", err.text);
	}
	repair_touched(agent, ep->ifindex);
}

void repair_end(struct agent *agent, struct local_endpoint *ep)
{
	char object[40];

	snprintf(object, sizeof(object), "interface %s", ep->model->name);
	problem_set(&agent->of_generation, object, NULL);
	memset(&ep->repair, 0, sizeof(ep->repair));
}

/* ---- which endpoints ---- */

void repair_touched(struct agent *agent, int ifindex)
{
	static const struct timeval soon = {0, COLLECT_MS * 1000};

	/* Who replaces a route tells only of the interface that has it now: the next refresh looks at all. */
	agent->tables_due = 0;
	for (size_t i = 0; i < agent->touched_count; i++) {
		if (agent->touched[i] == ifindex)
			return;
	}
	if (!ifindex || agent->touched_count == REPAIR_TOUCHED)
		agent->touched_all = true;
	else
		agent->touched[agent->touched_count++] = ifindex;
	/* In place of a later look: that one will be asked for again. */
	if (agent->repair_event && !agent->repair_soon)
		event_add(agent->repair_event, &soon);
	agent->repair_soon = true;
}

static bool is_touched(const struct agent *agent, const struct local_endpoint *ep)
{
	if (!ep->slot || !ep->enforced)
		return false;
	for (size_t i = 0; i < agent->touched_count; i++) {
		if (agent->touched[i] == ep->ifindex)
			return true;
	}
	return agent->touched_all;
}

static int compare_states(const void *a, const void *b)
{
	const struct link_state *left = a, *right = b;

	return (left->ifindex > right->ifindex) - (left->ifindex < right->ifindex);
}

struct links {
	struct link_state *list;
	size_t count;
};

static bool find_state(struct agent *agent, const struct links *links, int ifindex, struct link_state *ret)
{
	struct link_state key = {.ifindex = ifindex}, *found;

	if (!links->list)
		return !link_state_get(agent->netlink, ifindex, ret);
	found = bsearch(&key, links->list, links->count, sizeof(key), compare_states);
	if (found)
		*ret = *found;
	return found;
}

static void check_links(struct agent *agent, const struct links *links)
{
	struct link_state state;

	for (struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		if (!is_touched(agent, ep) || !find_state(agent, links, ep->ifindex, &state))
			continue;
		ep->repair.problem[0] = '\0';
		check_link(agent, ep, &state);
		check_settings(agent, ep, &state);
	}
}

/* After the links, whose repair takes neighbours and routes away. */
static void check_all_tables(struct agent *agent, int ifindex, bool links_only)
{
	struct tables tables = {0};
	int r = links_only ? -1 : read_tables(agent, ifindex, &tables);

	for (struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		if (!is_touched(agent, ep))
			continue;
		if (!r)
			check_tables(agent, ep, &tables);
		tell(agent, ep);
	}
	free_tables(&tables);
}

static void check_endpoints(struct agent *agent, bool links_only)
{
	const unsigned int repairs = agent->repairs.settings;
	const struct local_endpoint *ep;
	struct links links = {0};
	size_t count = 0;
	int ifindex = 0;
	struct err err;

	for (ep = agent->endpoints; ep; ep = ep->hh.next) {
		if (is_touched(agent, ep)) {
			ifindex = ep->ifindex;
			count++;
		}
	}
	if (!count)
		return;
	if (agent->touched_all && count > SINGLE_LOOKS &&
	    link_state_list(agent->netlink, &links.list, &links.count, &err) < 0) {
		log_debug("agent", "%s; endpoints are compared later", err.text);
		return;
	}
	if (links.list)
		qsort(links.list, links.count, sizeof(*links.list), compare_states);
	check_links(agent, &links);
	free(links.list);
	links_only = links_only && agent->repairs.settings == repairs;
	check_all_tables(agent, count == 1 ? ifindex : 0, links_only);
}

/* ---- the host's forwarding ---- */

static const struct switch_of_host {
	const char *path, *effect;
} switches[2] = {
	{"ipv4/ip_forward", "containers reach no other host over IPv4, nor are they reached"},
	{"ipv6/conf/all/forwarding", "containers reach no other host over IPv6, nor are they reached"},
};

static void check_switch(struct agent *agent, int i)
{
	struct repair_row *row = &agent->forwarding[i];
	const char *path = switches[i].path;
	struct err err, text;
	char value[16];

	/* A kernel without IPv6 has no such file. */
	if (sysctl_read(path, value, sizeof(value)) < 0 || (strcmp(value, "0") && !is_insistent(row))) {
		problem_set(&agent->problems, path, NULL);
		return;
	}
	if (!strcmp(value, "0") && may_repair(agent, row)) {
		if (sysctl_write(path, "1", &err) < 0) {
			err_set(&text, EIO, "forwarding is switched off: %s; %s. %s", switches[i].effect,
				err.text,
				"Set it to 1 yourself, or give calico-node a /proc/sys that can be written");
			problem_set(&agent->problems, path, text.text);
			return;
		}
		err_set(&text, EIO, "net/%s was set to 0; set back to 1", path);
		was_repaired(agent, row, text.text);
	}
	if (is_insistent(row)) {
		err_set(&text, EIO,
			"forwarding is switched off again and again, and on every %d seconds; " FIND_IT,
			PAUSE_S);
		problem_set(&agent->problems, path, text.text);
	} else {
		problem_set(&agent->problems, path, NULL);
	}
}

/* The host's own interfaces are the administrator's: told, not changed. */
static void check_uplink(struct agent *agent, const struct agent_uplink *up)
{
	struct link_state state;
	char object[40];
	struct err err;
	bool off = !link_state_get(agent->netlink, up->ifindex, &state) && !state.setting[LINK_FORWARDING4];

	if (off)
		err_set(&err, EIO,
			"forwarding is off for what arrives by it, so other hosts do not reach containers; "
			"sysctl -w net.ipv4.conf.%s.forwarding=1",
			up->name);
	snprintf(object, sizeof(object), "forwarding of %s", up->name);
	problem_set(&agent->of_generation, object, off ? err.text : NULL);
}

void repair_uplink_gone(struct agent *agent, const struct agent_uplink *up)
{
	char object[40];

	snprintf(object, sizeof(object), "forwarding of %s", up->name);
	problem_set(&agent->of_generation, object, NULL);
}

static bool concerns_host(const struct agent *agent)
{
	for (size_t i = 0; i < agent->touched_count; i++) {
		if (agent->touched[i] < 0)
			return true;
		for (const struct agent_uplink *up = agent->uplinks; up; up = up->next) {
			if (up->ifindex == agent->touched[i])
				return true;
		}
	}
	return agent->touched_all;
}

static void check_host(struct agent *agent)
{
	for (int i = 0; i < 2; i++)
		check_switch(agent, i);
	for (const struct agent_uplink *up = agent->uplinks; up; up = up->next)
		check_uplink(agent, up);
}

/* ---- when ---- */

static void look(struct agent *agent, bool links_only)
{
	static const struct timeval later = {PAUSE_S, 0};

	agent->repair_looks++;
	agent->repair_soon = false;
	if (concerns_host(agent))
		check_host(agent);
	if (agent->phase == PHASE_ACTIVE)
		check_endpoints(agent, links_only);
	agent->touched_count = 0;
	agent->touched_all = false;
	/* By then they are no more in the list of what has changed. */
	if (agent->repair_later) {
		agent->repair_later = false;
		agent->touched_all = true;
		event_add(agent->repair_event, &later);
	}
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	look(arg, false);
}

/* No event tells of some settings. Of many endpoints each refresh looks at the next ones only. */
static void touch_part(struct agent *agent)
{
	const unsigned int count = HASH_COUNT(agent->endpoints);
	unsigned int first = agent->part < count ? agent->part : 0, i = 0;

	agent->touched[agent->touched_count++] = -1;
	agent->part = first + REPAIR_TOUCHED - 1;
	for (const struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next, i++) {
		if (i >= first && i < agent->part)
			agent->touched[agent->touched_count++] = ep->ifindex;
	}
}

void repair_refresh(struct agent *agent)
{
	const time_t now = seconds();
	const bool links_only = now < agent->tables_due && !agent->touched_all && !agent->touched_count;

	if (!links_only && agent->phase == PHASE_ACTIVE)
		agent->tables_due = now + TABLES_S;
	if (links_only && HASH_COUNT(agent->endpoints) >= REPAIR_TOUCHED)
		touch_part(agent);
	else
		agent->touched_all = true;
	look(agent, links_only);
}

int repair_start(struct agent *agent, struct err *err)
{
	struct err failure;
	char value[16];

	agent->repair_event = evtimer_new(task_base(), on_timer, agent);
	if (!agent->repair_event)
		return err_set(err, ENOMEM, "cannot start the agent: out of memory");
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		if (sysctl_read(switches[i].path, value, sizeof(value)) == 0 && !strcmp(value, "0") &&
		    sysctl_write(switches[i].path, "1", &failure) == 0)
			log_info("agent", "net/%s was 0; set to 1", switches[i].path);
	}
	check_host(agent);
	return 0;
}

void repair_stop(struct agent *agent)
{
	if (agent->repair_event)
		event_free(agent->repair_event);
	agent->repair_event = NULL;
}
