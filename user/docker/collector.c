/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The garbage collector of this host: endpoints first, so that their addresses are free in the same run. */
#include "docker/collector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "docker/internal.h"
#include "docker/snapshot.h"
#include "util/log.h"

#define INTERVAL_S   300
#define YOUNG_S	     60
#define YOUNG_MS     (YOUNG_S * 1000)
#define RUN_LIMIT_MS 30000
#define DISTRUST_S   1 /* between two looks whether the datastore is believed */

/* Something that looks dead, by id or interface name, and since when it has. */
struct suspect {
	int64_t since_ms;
	bool seen;	   /* in the present run */
	char problem[128]; /* the object of the problem that it is; "": none */
	struct suspect *next;
	char name[];
};

struct collector {
	struct plugin *plugin;
	struct event *next;
	bool running, stopping;
	bool again;	      /* something has happened during a run */
	bool look_at_records; /* the engine may keep endpoints that are gone */
	struct wait stopped;
	struct suspect *suspects;
	unsigned int runs, addresses, endpoints, interfaces, records;
};

/* The clock starts when it is first seen. NULL: no memory. */
static struct suspect *suspect_get(struct collector *collector, const char *name)
{
	size_t length = strlen(name);
	struct suspect *suspect;

	LL_FOREACH (collector->suspects, suspect) {
		if (!strcmp(suspect->name, name))
			return suspect;
	}
	suspect = calloc(1, sizeof(*suspect) + length + 1);
	if (!suspect)
		return NULL;
	memcpy(suspect->name, name, length + 1);
	suspect->since_ms = task_clock_ms();
	LL_PREPEND(collector->suspects, suspect);
	return suspect;
}

/* Whether it has looked dead for a minute. */
static bool is_old_suspect(struct collector *collector, const char *name)
{
	struct suspect *suspect = suspect_get(collector, name);

	if (!suspect)
		return false;
	suspect->seen = true;
	return task_clock_ms() - suspect->since_ms >= YOUNG_MS;
}

static void set_problem(struct collector *collector, struct suspect *suspect, const char *object,
			const char *text)
{
	snprintf(suspect->problem, sizeof(suspect->problem), "%s", object);
	agent_set_problem(collector->plugin->agent, suspect->problem, text);
}

static void free_suspect(struct collector *collector, struct suspect *suspect)
{
	if (*suspect->problem)
		agent_set_problem(collector->plugin->agent, suspect->problem, NULL);
	free(suspect);
}

/* Lets those go that were not seen in this run: they came to life, or were removed. */
static void forget_suspects(struct collector *collector, bool all)
{
	struct suspect **link = &collector->suspects;

	while (*link) {
		struct suspect *suspect = *link;

		if (suspect->seen && !all) {
			suspect->seen = false;
			link = &suspect->next;
		} else {
			*link = suspect->next;
			free_suspect(collector, suspect);
		}
	}
}

/* What one run has found out from the engine, which is asked at most once, and only when there is a reason.
 */
struct inquiry {
	struct collector *collector;
	struct engine_endpoints endpoints;
	bool asked;
	int rc;
};

static int inquire(struct inquiry *inquiry, struct err *err)
{
	if (!inquiry->asked)
		inquiry->rc = engine_endpoints(inquiry->collector->plugin->engine, &inquiry->endpoints, err);
	inquiry->asked = true;
	return inquiry->rc;
}

/* The engine's record of an endpoint that no container has; NULL: there is none. */
static const struct engine_record *find_record(const struct inquiry *inquiry, const char *id)
{
	for (size_t i = 0; i < inquiry->endpoints.record_count; i++) {
		if (!strcmp(inquiry->endpoints.records[i].id, id))
			return &inquiry->endpoints.records[i];
	}
	return NULL;
}

/*
 * The engine first: it asks us to delete the endpoint and to release its addresses, which nobody else has
 * yet. While it keeps the record the network cannot be removed, nor a container of that name be started.
 */
static int forget_record(struct collector *collector, const struct engine_record *record)
{
	struct suspect *suspect = suspect_get(collector, record->id);
	char object[sizeof(suspect->problem)];
	struct err err;
	int rc = engine_forget(collector->plugin->engine, record, &err);

	if (!rc) {
		log_info("docker",
			 "made the Docker engine forget endpoint %.12s: container %s does not exist",
			 record->id, record->name);
		collector->records++;
	} else if (rc == -EBUSY && suspect) {
		snprintf(object, sizeof(object), "container %.100s", record->name);
		set_problem(collector, suspect, object, err.text);
	} else {
		log_debug("docker", "%s; trying again", err.text);
	}
	return rc;
}

static int remove_dead(struct collector *collector, const struct inquiry *inquiry, const char *id,
		       struct err *err)
{
	const struct engine_record *record = find_record(inquiry, id);
	int rc;

	if (record && forget_record(collector, record) < 0)
		collector->look_at_records = true;
	rc = endpoint_remove(collector->plugin, id, err);
	if (rc < 0)
		return rc;
	log_info("docker", "removed endpoint %.12s: no container has it", id);
	collector->endpoints++;
	return 0;
}

static int collect_endpoints(struct inquiry *inquiry, struct snapshot *snapshot, struct err *err)
{
	struct collector *collector = inquiry->collector;
	int rc = 0;

	for (size_t i = 0; !rc && !collector->stopping && i < snapshot->nodes.count; i++) {
		struct workload_endpoint **model = &snapshot->endpoints[i].model;
		const char *id;

		if (!*model || !endpoint_key_is_ours(snapshot->nodes.nodes[i].key, &id) ||
		    !snapshot_is_unplugged(snapshot, *model) || !is_old_suspect(collector, id))
			continue;
		rc = inquire(inquiry, err);
		if (rc < 0 || strings_has(&inquiry->endpoints.alive, id))
			continue;
		rc = remove_dead(collector, inquiry, id, err);
		if (rc < 0)
			continue;
		workload_endpoint_free(*model);
		*model = NULL; /* its addresses are free now */
	}
	return rc;
}

static bool is_last_of_any(const struct store_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!strcmp(key_last(list->nodes[i].key), id))
			return true;
	}
	return false;
}

/*
 * Records in networks of ours whose endpoint is gone already, here and on all hosts. Looked for when an
 * engine has come back, and as long as there are some: all endpoints of the cluster must be read for it.
 */
static int collect_records(struct inquiry *inquiry, const struct snapshot *snapshot, struct err *err)
{
	struct collector *collector = inquiry->collector;
	struct store_list hosts = {0};
	int rc = inquire(inquiry, err);

	if (!rc && inquiry->endpoints.record_count)
		rc = store_list(collector->plugin->store, KEY_HOSTS, &hosts, err);
	collector->look_at_records = rc < 0;
	for (size_t i = 0; !rc && !collector->stopping && i < inquiry->endpoints.record_count; i++) {
		const struct engine_record *record = &inquiry->endpoints.records[i];

		if (!is_last_of_any(&snapshot->networks, record->network) ||
		    is_last_of_any(&hosts, record->id) ||
		    (is_old_suspect(collector, record->id) && !forget_record(collector, record)))
			continue;
		collector->look_at_records = true;
	}
	store_list_done(&hosts);
	return rc;
}

static int collect_interfaces(struct collector *collector, const struct snapshot *snapshot, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < snapshot->link_count; i++) {
		const struct link_info *link = &snapshot->links[i];

		if (!snapshot_is_our_pair(snapshot, link) || snapshot_has_interface(snapshot, link->name) ||
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

struct collection {
	const struct agent *agent;
	const struct snapshot *snapshot;
};

static bool is_lost_address(void *arg, const struct addr *addr, long age_s)
{
	const struct collection *collection = arg;
	const struct snapshot *snapshot = collection->snapshot;
	const struct workload_endpoint *holder;
	char text[ADDR_TEXT];

	if (age_s < YOUNG_S || snapshot_find_holder(snapshot, addr, &holder) ||
	    snapshot_is_reserved(snapshot, addr) || agent_has_address(collection->agent, addr))
		return false;
	log_info("docker", "releasing address %s: no endpoint has it", addr_format(addr, text));
	return true;
}

static int collect(struct collector *collector, struct err *err)
{
	struct plugin *plugin = collector->plugin;
	struct inquiry inquiry = {.collector = collector};
	struct snapshot snapshot;
	struct collection collection = {plugin->agent, &snapshot};
	struct err second;
	int rc = snapshot_take(plugin, &snapshot, err), r;

	if (rc < 0)
		return rc;
	/* One kind's failure (Docker is down) must not keep the others. */
	rc = collect_endpoints(&inquiry, &snapshot, err);
	if (!rc && !collector->stopping && collector->look_at_records)
		rc = collect_records(&inquiry, &snapshot, err);
	engine_endpoints_done(&inquiry.endpoints);
	r = collect_interfaces(collector, &snapshot, rc ? &second : err);
	rc = rc ? rc : r;
	r = collector->stopping ? 0
				: ipam_collect(&plugin->ipam, ADDRESS_TYPE, is_lost_address, &collection,
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

	if (collector->again)
		delay.tv_sec = 0;
	collector->again = false;
	if (!agent_is_trusted(collector->plugin->agent))
		delay.tv_sec = DISTRUST_S;

	event_add(collector->next, &delay);
}

static void run(void *arg)
{
	struct collector *collector = arg;
	struct err err;

	task_set_deadline(RUN_LIMIT_MS);
	/* What a datastore has lost is not lost here: it may get it back. */
	if (agent_is_trusted(collector->plugin->agent)) {
		if (collect(collector, &err) < 0)
			log_debug("docker", "looking for what was left behind: %s; trying again", err.text);
		forget_suspects(collector, false);
		collector->runs++;
	}
	collector->running = false;
	if (collector->stopping)
		wait_wake(&collector->stopped);
	else
		schedule(collector);
}

static void on_next(evutil_socket_t fd, short events, void *arg)
{
	struct collector *collector = arg;

	if (collector->stopping)
		return;
	if (collector->running) {
		collector->again = true;
		return;
	}
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

void collector_engine_started(struct collector *collector)
{
	collector->look_at_records = true;
	collector_run_soon(collector);
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
	if (!collector)
		return;
	collector->stopping = true;
	if (collector->running)
		wait_for(&collector->stopped, -1); /* it has a deadline of its own */
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
	const struct store_node *node = snapshot_find_holder(snapshot, addr, &holder);
	char text[ADDR_TEXT];
	const char *id;

	addr_format(addr, text);
	if (snapshot_is_reserved(snapshot, addr))
		return err_set(err, EEXIST, "address %s is reserved by a network (--aux-address)", text);
	if (node && (!endpoint_key_is_ours(node->key, &id) || !snapshot_is_unplugged(snapshot, holder)))
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
	return json_pack("{s:i, s:i, s:i, s:i, s:i}", "runs", collector->runs, "addresses",
			 collector->addresses, "endpoints", collector->endpoints, "interfaces",
			 collector->interfaces, "records", collector->records);
}
