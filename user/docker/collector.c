/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The garbage collector of this host. Order matters: interfaces are listed before endpoints, since an
 * endpoint is written before its interface is made, and endpoints before addresses are judged.
 */
#include "docker/collector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "docker/internal.h"
#include "util/log.h"

#define INTERVAL_S   300
#define YOUNG_S	     60
#define YOUNG_MS     (YOUNG_S * 1000)
#define RUN_LIMIT_MS 30000

/* Something that looks dead, by id or interface name, and since when it has. */
struct suspect {
	int64_t since_ms;
	bool seen; /* in the present run */
	UT_hash_handle hh;
	char name[];
};

struct collector {
	struct plugin *plugin;
	struct event *next;
	bool running, stopping;
	struct wait *stopped;
	struct suspect *suspects;
	unsigned int runs, addresses, endpoints, interfaces;
};

/* What there is on this host at the time of a run. */
struct snapshot {
	struct link_info *links;
	size_t link_count;
	struct store_list endpoints;	   /* all orchestrators' */
	struct workload_endpoint **models; /* of `endpoints`, NULL: malformed or removed */
	struct store_list networks;
};

static void snapshot_done(struct snapshot *snapshot)
{
	for (size_t i = 0; snapshot->models && i < snapshot->endpoints.count; i++)
		workload_endpoint_free(snapshot->models[i]);
	free(snapshot->models);
	free(snapshot->links);
	store_list_done(&snapshot->endpoints);
	store_list_done(&snapshot->networks);
}

static int snapshot_take(struct plugin *plugin, struct snapshot *ret, struct err *err)
{
	char directory[KEY_MAX];
	int rc;

	*ret = (struct snapshot){0};
	rc = link_list(plugin->netlink, &ret->links, &ret->link_count, err);
	if (!rc)
		rc = store_list(plugin->store, key_host_workloads(directory, plugin->config->hostname),
				&ret->endpoints, err);
	if (!rc)
		rc = store_list(plugin->store, KEY_LIBNETWORK, &ret->networks, err);
	if (!rc && !(ret->models = calloc(ret->endpoints.count + 1, sizeof(*ret->models))))
		rc = err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; !rc && i < ret->endpoints.count; i++)
		workload_endpoint_parse(ret->endpoints.nodes[i].value, NULL, &ret->models[i], NULL);
	if (rc < 0)
		snapshot_done(ret);
	return rc;
}

static const struct link_info *find_link(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->link_count; i++) {
		if (!strcmp(snapshot->links[i].name, name))
			return &snapshot->links[i];
	}
	return NULL;
}

/* No container has it: there is no interface, or its other end is (back) in the host's namespace. */
static bool is_unplugged(const struct snapshot *snapshot, const struct workload_endpoint *endpoint)
{
	const struct link_info *link = find_link(snapshot, endpoint->name);

	return !link || link->peer_is_local;
}

/* NULL: no endpoint of this host has the address. */
static const struct store_node *find_holder(const struct snapshot *snapshot, const struct addr *addr,
					    const struct workload_endpoint **ret)
{
	for (size_t i = 0; i < snapshot->endpoints.count; i++) {
		const struct workload_endpoint *model = snapshot->models[i];

		for (size_t j = 0; model && j < model->net_count; j++) {
			if (!addr_compare(&model->nets[j], addr)) {
				*ret = model;
				return &snapshot->endpoints.nodes[i];
			}
		}
	}
	return NULL;
}

static bool list_reserves(const json_t *list, const struct addr *addr)
{
	json_t *data, *value;
	const char *name;
	size_t i;

	json_array_foreach (list, i, data) {
		json_object_foreach (json_object_get(data, "AuxAddresses"), name, value) {
			struct cidr cidr;

			if (json_is_string(value) && !cidr_parse(json_string_value(value), &cidr) &&
			    !addr_compare(&cidr.addr, addr))
				return true;
		}
	}
	return false;
}

/* --aux-address takes addresses that no endpoint will ever have. */
static bool is_reserved(const struct snapshot *snapshot, const struct addr *addr)
{
	bool reserved = false;

	for (size_t i = 0; !reserved && i < snapshot->networks.count; i++) {
		json_t *request;

		if (model_json_parse(snapshot->networks.nodes[i].value, &request, NULL) < 0)
			continue;
		reserved = list_reserves(json_object_get(request, "IPv4Data"), addr) ||
			   list_reserves(json_object_get(request, "IPv6Data"), addr);
		json_decref(request);
	}
	return reserved;
}

/* Whether it has looked dead for a minute. The clock starts when it is first seen so. */
static bool is_old_suspect(struct collector *collector, const char *name)
{
	size_t length = strlen(name);
	struct suspect *suspect;

	HASH_FIND(hh, collector->suspects, name, length, suspect);
	if (!suspect) {
		suspect = calloc(1, sizeof(*suspect) + length + 1);
		if (!suspect)
			return false;
		memcpy(suspect->name, name, length + 1);
		suspect->since_ms = task_clock_ms();
		HASH_ADD_KEYPTR(hh, collector->suspects, suspect->name, length, suspect);
	}
	suspect->seen = true;
	return task_clock_ms() - suspect->since_ms >= YOUNG_MS;
}

/* Lets those go that were not seen in this run: they came to life, or were removed. */
static void forget_suspects(struct collector *collector, bool all)
{
	struct suspect *suspect, *next;

	HASH_ITER (hh, collector->suspects, suspect, next) {
		if (suspect->seen && !all) {
			suspect->seen = false;
			continue;
		}
		HASH_DEL(collector->suspects, suspect);
		free(suspect);
	}
}

/* Docker is asked once, and only when there is something to ask about. */
static int collect_endpoints(struct collector *collector, struct snapshot *snapshot, struct err *err)
{
	struct strings known = {0};
	bool asked = false;
	int rc = 0;

	for (size_t i = 0; !rc && !collector->stopping && i < snapshot->endpoints.count; i++) {
		const char *id;

		if (!snapshot->models[i] || !endpoint_key_is_ours(snapshot->endpoints.nodes[i].key, &id) ||
		    !is_unplugged(snapshot, snapshot->models[i]) || !is_old_suspect(collector, id))
			continue;
		if (!asked)
			rc = engine_endpoints(collector->plugin->engine, &known, err);
		asked = true;
		if (rc < 0 || strings_has(&known, id))
			continue;
		rc = endpoint_remove(collector->plugin, id, err);
		if (rc < 0)
			continue;
		log_info("docker", "removed endpoint %.12s: it has no container, and Docker does not know it",
			 id);
		workload_endpoint_free(snapshot->models[i]);
		snapshot->models[i] = NULL; /* its addresses are free now */
		collector->endpoints++;
	}
	strings_done(&known);
	return rc;
}

static bool has_endpoint(const struct snapshot *snapshot, const char *interface)
{
	for (size_t i = 0; i < snapshot->endpoints.count; i++) {
		if (snapshot->models[i] && !strcmp(snapshot->models[i]->name, interface))
			return true;
	}
	return false;
}

/* A pair that Join made, by its names, both ends in this namespace. */
static bool is_our_pair(const struct snapshot *snapshot, const struct link_info *link)
{
	if (strncmp(link->name, "cali", 4) || strcmp(link->kind, "veth") || !link->peer_is_local)
		return false;
	for (size_t i = 0; i < snapshot->link_count; i++) {
		const struct link_info *peer = &snapshot->links[i];

		if (peer->ifindex == link->peer_ifindex)
			return !strncmp(peer->name, "tmp", 3) && !strcmp(peer->name + 3, link->name + 4);
	}
	return false;
}

static int collect_interfaces(struct collector *collector, const struct snapshot *snapshot, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < snapshot->link_count; i++) {
		const struct link_info *link = &snapshot->links[i];

		if (!is_our_pair(snapshot, link) || has_endpoint(snapshot, link->name) ||
		    !is_old_suspect(collector, link->name))
			continue;
		rc = link_delete(collector->plugin->netlink, link->ifindex, err);
		if (rc < 0)
			continue;
		log_info("docker", "removed interface %s: it has no endpoint", link->name);
		collector->interfaces++;
	}
	return rc;
}

static bool is_lost_address(void *arg, const struct addr *addr, long age_s)
{
	const struct snapshot *snapshot = arg;
	const struct workload_endpoint *holder;
	char text[ADDR_TEXT];

	if (age_s < YOUNG_S || find_holder(snapshot, addr, &holder) || is_reserved(snapshot, addr))
		return false;
	log_info("docker", "releasing address %s: no endpoint has it", addr_format(addr, text));
	return true;
}

static int collect(struct collector *collector, struct err *err)
{
	struct plugin *plugin = collector->plugin;
	struct snapshot snapshot;
	int rc = snapshot_take(plugin, &snapshot, err), r;
	struct err second;

	if (rc < 0)
		return rc;
	/* One kind's failure (Docker is down) must not keep the others. */
	rc = collect_endpoints(collector, &snapshot, err);
	r = collect_interfaces(collector, &snapshot, rc ? &second : err);
	rc = rc ? rc : r;
	r = collector->stopping ? 0
				: ipam_collect(&plugin->ipam, ADDRESS_TYPE, is_lost_address, &snapshot,
					       rc ? &second : err);
	if (r > 0)
		collector->addresses += (unsigned int)r;
	snapshot_done(&snapshot);
	return rc < 0 ? rc : (r < 0 ? r : 0);
}

static void schedule(struct collector *collector)
{
	/* What looked dead is looked at again as soon as it may be judged. */
	struct timeval delay = {collector->suspects || collector->runs < 2 ? YOUNG_S + 1 : INTERVAL_S, 0};

	event_add(collector->next, &delay);
}

static void run(void *arg)
{
	struct collector *collector = arg;
	struct err err;

	task_set_deadline(RUN_LIMIT_MS);
	if (collect(collector, &err) < 0)
		log_debug("docker", "looking for what was left behind: %s; trying again", err.text);
	forget_suspects(collector, false);
	collector->runs++;
	collector->running = false;
	if (collector->stopping)
		wait_wake(collector->stopped);
	else
		schedule(collector);
}

static void on_next(evutil_socket_t fd, short events, void *arg)
{
	struct collector *collector = arg;

	if (collector->running || collector->stopping)
		return;
	collector->running = true;
	if (task_start(run, collector) < 0) {
		collector->running = false;
		schedule(collector);
	}
}

void collector_run_soon(struct collector *collector)
{
	event_active(collector->next, EV_TIMEOUT, 0);
}

int collector_start(struct plugin *plugin, struct collector **ret, struct err *err)
{
	struct collector *collector = calloc(1, sizeof(*collector));

	if (collector)
		collector->next = evtimer_new(task_base(), on_next, collector);
	if (!collector || !collector->next) {
		free(collector);
		return err_set(err, ENOMEM, "out of memory");
	}
	collector->plugin = plugin;
	collector_run_soon(collector);
	*ret = collector;
	return 0;
}

void collector_stop(struct collector *collector)
{
	struct wait stopped = {0};

	if (!collector)
		return;
	collector->stopping = true;
	if (collector->running) {
		collector->stopped = &stopped;
		wait_for(&stopped, -1); /* it has a deadline of its own */
	}
	forget_suspects(collector, true);
	event_free(collector->next);
	free(collector);
}

/*
 * Docker's question is evidence too: it believes the address free. So an endpoint without a container gives
 * way here without asking Docker, which could not be asked now.
 */
static int give_way(struct collector *collector, const struct snapshot *snapshot, const struct addr *addr,
		    long age_s, struct err *err)
{
	const struct workload_endpoint *holder;
	const struct store_node *node = find_holder(snapshot, addr, &holder);
	char text[ADDR_TEXT];
	const char *id;

	addr_format(addr, text);
	if (is_reserved(snapshot, addr))
		return err_set(err, EEXIST, "address %s is reserved by a network (--aux-address)", text);
	if (node && (!endpoint_key_is_ours(node->key, &id) || !is_unplugged(snapshot, holder)))
		return err_set(err, EEXIST, "address %s is in use by endpoint %.12s of this host", text,
			       key_last(node->key));
	if (age_s < YOUNG_S)
		return err_set(err, EEXIST, "address %s was given out less than a minute ago", text);
	if (!node)
		return 0;
	log_info("docker", "removing endpoint %.12s: it has no container, and its address %s is asked for",
		 id, text);
	return endpoint_remove(collector->plugin, id, err);
}

static bool is_ours_and_old(void *arg, const json_t *attribute)
{
	const struct collector *collector = arg;
	long age_s;

	return ipam_attribute_is(attribute, collector->plugin->config->hostname, ADDRESS_TYPE, &age_s) &&
	       age_s >= YOUNG_S;
}

static int reclaim_own(struct collector *collector, const struct addr *addr, long age_s, struct err *err)
{
	struct plugin *plugin = collector->plugin;
	struct snapshot snapshot;
	int rc = snapshot_take(plugin, &snapshot, err);

	if (rc < 0)
		return rc;
	rc = give_way(collector, &snapshot, addr, age_s, err);
	snapshot_done(&snapshot);
	if (!rc)
		rc = ipam_release_if(&plugin->ipam, addr, is_ours_and_old, collector, err);
	return rc == -ENOENT || rc == -EPERM ? 0 : rc; /* somebody was faster */
}

int collector_reclaim(struct collector *collector, const struct addr *addr, struct err *err)
{
	struct plugin *plugin = collector->plugin;
	const char *host = plugin->config->hostname, *node;
	char text[ADDR_TEXT];
	json_t *attribute;
	long age_s;
	int rc = ipam_info(&plugin->ipam, addr, &attribute, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc; /* released this moment */
	addr_format(addr, text);
	node = json_string_value(json_object_get(json_object_get(attribute, "secondary"), "node"));
	if (ipam_attribute_is(attribute, host, ADDRESS_TYPE, &age_s))
		rc = reclaim_own(collector, addr, age_s, err);
	else if (node)
		rc = err_set(err, EEXIST, "address %s is in use on host %.80s", text, node);
	else
		rc = err_set(
			err, EEXIST,
			"address %s is already in use; if it is not, 'calicoctl ipam release %s' frees it",
			text, text);
	json_decref(attribute);
	return rc;
}

json_t *collector_status(const struct collector *collector)
{
	return json_pack("{s:i, s:i, s:i, s:i}", "runs", collector->runs, "addresses", collector->addresses,
			 "endpoints", collector->endpoints, "interfaces", collector->interfaces);
}
