/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the datastore to the kernel. One task brings the agent up: register the host, wait for the Ready flag,
 * read the parameters, load programs with empty maps, read the snapshot into them, activate. The same way
 * again when a parameter changes that programs depend on, or when Ready goes away. Until activation, and
 * whenever the store is out of reach, what was in force stays in force.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/pool.h"
#include "model/profile.h"
#include "store/keys.h"
#include "util/log.h"
#include "util/offload.h"

#define RETRY_MS      1000
#define RETRY_LAST_MS 30000

/* ---- one value ---- */

static void apply_endpoint(struct agent *agent, const struct key_parts *parts, const char *key,
			   const char *value, struct err *err)
{
	bool local = !strcmp(parts->host, agent->config->hostname);
	struct workload_endpoint *model = NULL;

	if (value)
		workload_endpoint_parse(value, local ? agent->felix.interface_prefix : NULL, &model, err);
	if (!local) {
		policy_set_endpoint(agent->engine, key, model, 0);
		workload_endpoint_free(model);
	} else if (model) {
		endpoints_set(agent, key, model, err);
	} else {
		endpoints_remove(agent, key);
	}
}

static void apply_host_endpoint(struct agent *agent, const struct key_parts *parts, const char *key,
				const char *value, struct err *err)
{
	struct host_endpoint *model = NULL;

	if (value)
		host_endpoint_parse(value, &model, err);
	if (!strcmp(parts->host, agent->config->hostname)) {
		host_endpoints_set(agent, key, model);
		return;
	}
	policy_set_host_endpoint(agent->engine, key, model, 0);
	host_endpoint_free(model);
}

static void apply_profile(struct agent *agent, const struct key_parts *parts, const char *value,
			  struct err *err)
{
	struct strings tags = {0};
	struct labels labels = {0};
	struct rules *rules = NULL;
	bool valid;

	switch (parts->kind) {
	case KEY_IS_PROFILE_RULES:
		if (value)
			rules_parse(value, &rules, err);
		policy_set_rules(agent->engine, parts->name, rules);
		break;
	case KEY_IS_PROFILE_TAGS:
		valid = value && !tags_parse(value, &tags, err);
		policy_set_tags(agent->engine, parts->name, valid ? &tags : NULL);
		strings_done(&tags);
		break;
	default:
		valid = value && !labels_parse(value, &labels, err);
		policy_set_labels(agent->engine, parts->name, valid ? &labels : NULL);
		labels_done(&labels);
		break;
	}
}

static void apply_tier(struct agent *agent, const struct key_parts *parts, const char *value, struct err *err)
{
	struct policy *policy = NULL;
	double order;

	if (parts->kind == KEY_IS_POLICY) {
		if (value)
			policy_parse(value, &policy, err);
		policy_set_policy(agent->engine, parts->tier, parts->name, policy);
		return;
	}
	policy_set_tier(agent->engine, parts->name, value && !tier_parse(value, &order, err) ? &order : NULL);
}

static void apply_pool(struct agent *agent, const struct key_parts *parts, const char *value, struct err *err)
{
	struct masquerade_pool *entry;
	struct pool *pool = NULL;
	char name[CIDR_TEXT] = "", text[CIDR_TEXT];
	struct cidr cidr;

	if (cidr_parse_key(parts->name, &cidr) < 0) {
		if (value)
			err_set(err, EBADMSG, "the key does not name a CIDR");
		return;
	}
	cidr_mask(&cidr);
	if (value)
		pool_parse(parts->name, value, &pool, err);
	policy_set_pool(agent->engine, &cidr, pool);
	if (pool && pool->ipam && !pool->disabled && cidr_unusable(&pool->cidr))
		err_set(err, EADDRNOTAVAIL,
			"no address is given out of it, since it has %s; remove it with 'calicoctl pool remove "
			"%s'",
			cidr_unusable(&pool->cidr), cidr_format(&pool->cidr, text));

	cidr_format_key(&cidr, name);
	HASH_FIND_STR(agent->masquerade_pools, name, entry);
	if (entry && !(pool && pool->masquerade)) {
		HASH_DEL(agent->masquerade_pools, entry);
		free(entry);
		agent->netfilter_dirty = true;
	} else if (!entry && pool && pool->masquerade) {
		entry = calloc(1, sizeof(*entry));
		if (entry) {
			memcpy(entry->name, name, sizeof(entry->name));
			HASH_ADD_STR(agent->masquerade_pools, name, entry);
		}
		agent->netfilter_dirty = true;
	}
	pool_free(pool);
}

static void report_parameter(void *arg, const char *name, const char *text)
{
	struct agent *agent = arg;
	char object[120];

	snprintf(object, sizeof(object), "parameter %s", name);
	problem_set(&agent->problems, object, text);
	strings_add(&agent->bad_parameters, object);
}

/* What was wrong before and is not any more is solved. */
static void resolve_parameters(struct agent *agent, struct felix *ret)
{
	struct strings before = agent->bad_parameters;

	agent->bad_parameters = (struct strings){0};
	felix_resolve(agent->felix_values, ret, report_parameter, agent);
	for (size_t i = 0; i < before.count; i++) {
		if (!strings_has(&agent->bad_parameters, before.items[i]))
			problem_set(&agent->problems, before.items[i], NULL);
	}
	strings_done(&before);
	log_set_level(agent->config->debug ? LOG_LEVEL_DEBUG : (enum log_level)ret->log_severity);
}

static void restart(struct agent *agent, const char *why);

static void apply_parameter(struct agent *agent, const struct key_parts *parts, const char *value)
{
	struct felix felix;

	if (parts->kind == KEY_IS_HOST_CONFIG && strcmp(parts->host, agent->config->hostname))
		return;
	felix_set(&agent->felix_values, parts->name, parts->kind == KEY_IS_HOST_CONFIG, value);
	resolve_parameters(agent, &felix);
	if (felix_needs_reload(&felix, &agent->felix)) {
		restart(agent, "a parameter changed");
		return;
	}
	agent->felix = felix;
	host_endpoints_set_failsafe(agent);
	uplinks_refresh(agent);
}

void sync_apply(struct agent *agent, const char *key, const char *value)
{
	struct err err = {""};
	struct key_parts parts;

	if (agent->phase == PHASE_ACTIVE)
		mirror_note(agent, key, value);
	key_parse(key, &parts);
	switch (parts.kind) {
	case KEY_OTHER:
		return;
	case KEY_IS_BIRD_IP:
		reserved_host_changed(agent, &parts, value);
		nodes_set(agent, key, value, &err);
		break;
	case KEY_IS_READY:
		if (!value || strcmp(value, "true"))
			restart(agent, "/calico/v1/Ready is not 'true'");
		return;
	case KEY_IS_CONFIG:
	case KEY_IS_HOST_CONFIG:
		if (parts.kind == KEY_IS_HOST_CONFIG && !strcmp(parts.name, "IpInIpTunnelAddr"))
			reserved_host_changed(agent, &parts, value);
		apply_parameter(agent, &parts, value);
		if (parts.kind != KEY_IS_HOST_CONFIG || strcmp(parts.name, "IpInIpTunnelAddr"))
			return;
		nodes_set(agent, key, value, &err);
		break;
	case KEY_MISNAMED:
		if (value)
			err_set(&err, EBADMSG,
				"names have letters, digits, '_', '.' and '-' only and are not '.' or '..', "
				"so it is ignored; give it another name");
		break;
	case KEY_IS_ENDPOINT:
		restore_key_changed(agent, key);
		apply_endpoint(agent, &parts, key, value, &err);
		break;
	case KEY_IS_HOST_ENDPOINT:
		apply_host_endpoint(agent, &parts, key, value, &err);
		break;
	case KEY_IS_PROFILE_RULES:
	case KEY_IS_PROFILE_TAGS:
	case KEY_IS_PROFILE_LABELS:
		apply_profile(agent, &parts, value, &err);
		break;
	case KEY_IS_TIER:
	case KEY_IS_POLICY:
		apply_tier(agent, &parts, value, &err);
		break;
	case KEY_IS_POOL:
		apply_pool(agent, &parts, value, &err);
		break;
	case KEY_IS_BLOCKED:
		screening_set_blocked(agent, key, value, &err);
		break;
	}
	problem_set(&agent->of_generation, key, *err.text ? err.text : NULL);
	commit_schedule(agent);
}

/* ---- the watch ---- */

static void on_event(void *arg, const char *key, const char *value, uint64_t revision)
{
	struct agent *agent = arg;

	if (agent->watch)
		sync_apply(agent, key, value);
}

static void on_in_sync(void *arg)
{
	struct agent *agent = arg;
	struct err err;

	/* Nor when something in the snapshot itself has asked to read it again. */
	if (!agent->watch || agent->phase != PHASE_SNAPSHOT)
		return;
	reserved_hosts_complete(agent);
	commit_policy(agent);
	if (dataplane_activate(agent->dataplane, &err) < 0) {
		problem_set(&agent->problems, "programs", err.text);
		restart(agent, err.text);
		return;
	}
	problem_set(&agent->problems, "programs", NULL);
	agent->phase = PHASE_ACTIVE;
	commit_is_busy(agent);
	agent->netfilter_dirty = true;
	commit_netfilter(agent);
	endpoints_activate(agent);
	host_endpoints_refresh(agent);
	uplinks_activate(agent);
	if (dataplane_remove_other_layouts(agent->dataplane))
		log_info("agent", "removed the programs and maps that a daemon of another version had left");
	agent->contact[0] = '\0';
	log_info("agent", "in sync with the datastore; policy is enforced (%s)",
		 dataplane_attach_mode(agent->dataplane));
	waiters_wake(&agent->waiters);
}

static void on_contact(void *arg, bool connected, const char *why)
{
	struct agent *agent = arg;

	agent->connected = connected;
	snprintf(agent->contact, sizeof(agent->contact), "%s", connected || !why ? "" : why);
	problem_set(&agent->problems, "datastore", connected ? NULL : agent->contact);
}

/* Contact may have been lost before, for a reason that says less. */
static int judged(struct agent *agent, int r, const struct err *err)
{
	if (r < 0)
		on_contact(agent, false, err->text);
	return r;
}

static int on_snapshot(void *arg, const struct store_list *snapshot, struct err *err)
{
	return judged(arg, restore_believe(arg, snapshot, err), err);
}

static int on_first_snapshot(void *arg, const struct store_list *snapshot, struct err *err)
{
	return judged(arg, restore_first(arg, snapshot, err), err);
}

static bool on_directory_gone(void *arg, const char *directory)
{
	return restore_is_precious(arg, directory);
}

static int on_new_connection(void *arg, struct err *err)
{
	return mirror_compare(arg, err);
}

static const struct store_watch_ops watch_ops = {
	.event = on_event,
	.in_sync = on_in_sync,
	.contact = on_contact,
	.believe = on_snapshot,
	.first = on_first_snapshot,
	.precious = on_directory_gone,
	.same = on_new_connection,
};

/* ---- bringing up ---- */

static void drop_generation(struct agent *agent)
{
	struct masquerade_pool *pool, *next;

	screening_stop(agent);
	assignments_stop(agent);
	nodes_stop(agent);
	store_watch_stop(agent->watch);
	agent->watch = NULL;
	policy_engine_free(agent->engine);
	agent->engine = NULL;
	packets_stop(agent);
	uplinks_free(agent);
	host_endpoints_free(agent);
	dataplane_close(agent->dataplane);
	agent->dataplane = NULL;
	/* The next snapshot brings those that still exist, and what is wrong with them. */
	endpoints_free(agent);
	reserved_hosts_doubtful(agent);
	problems_free(&agent->of_generation);
	HASH_ITER (hh, agent->masquerade_pools, pool, next) {
		HASH_DEL(agent->masquerade_pools, pool);
		free(pool);
	}
}

static void engine_problem(void *arg, const char *object, const char *text)
{
	struct agent *agent = arg;

	problem_set(&agent->of_generation, object, text);
}

struct load {
	struct dataplane_config config;
	struct dataplane *dataplane;
	struct err *err;
	int result;
};

static void load_programs(void *arg)
{
	struct load *load = arg;

	load->result = dataplane_open(&load->config, &load->dataplane, load->err);
}

/* 0: the kernel translates. Sockets that have such a port by their own wish are the operator's to avoid. */
static __u16 nat_ports(const struct felix *felix)
{
	return felix->nat_first ? (__u16)(felix->nat_last - felix->nat_first + 1) : 0;
}

static void reserve_nat_ports(struct agent *agent)
{
	const struct felix *felix = &agent->felix;
	struct err err;
	bool failed = felix->nat_first && ports_reserve(felix->nat_first, felix->nat_last, &err) < 0;

	problem_set(&agent->problems, "parameter NatPorts", failed ? err.text : NULL);
}

/* The verifier needs a good part of a second; the plugin socket must answer meanwhile. */
static int load_dataplane(struct agent *agent, struct err *err)
{
	struct load load = {
		.config =
			{
				.bpffs = agent->config->bpffs,
				.pins = agent->pins,
				.interface_prefix = agent->felix.interface_prefix,
				.attach = agent->options.attach,
				.flow_capacity = agent->felix.flow_table_size,
				.endpoint_capacity = agent->felix.max_endpoints,
				.address_capacity = agent->felix.max_addresses,
				.rule_capacity = agent->felix.max_rules,
				.settings =
					{
						.host_action = agent->felix.host_action,
						.drop_action = agent->felix.drop_action,
						.keep_established = agent->felix.keep_established,
						.source_limit = agent->felix.source_limit,
						.nat_port_first = agent->felix.nat_first,
						.nat_ports = nat_ports(&agent->felix),
					},
			},
		.err = err,
	};
	int r;

	agent->loading = true;
	r = offload("loading the BPF programs", load_programs, &load);
	agent->loading = false;
	if (r < 0)
		return err_set(err, -r, "cannot start a thread to load the BPF programs: %s", strerror(-r));
	agent->dataplane = load.dataplane;
	return load.result;
}

static int load_generation(struct agent *agent, struct err *err)
{
	int r;

	reserve_nat_ports(agent);
	r = load_dataplane(agent, err);
	if (r < 0)
		return r;
	if (agent->stopping)
		return err_set(err, ECANCELED, "the daemon is ending");
	r = policy_engine_new(dataplane_sink(agent->dataplane), engine_problem, agent, &agent->engine);
	if (r < 0)
		return err_set(err, -r, "cannot create the policy engine: %s", strerror(-r));
	host_endpoints_set_failsafe(agent);
	packets_start(agent);
	addresses_feed(agent);
	agent->phase = PHASE_SNAPSHOT;
	r = screening_start(agent, err);
	if (!r)
		r = assignments_start(agent, err);
	if (!r)
		r = nodes_start(agent, err);
	if (r < 0)
		return r;
	return store_watch(agent->store, KEY_V1, &watch_ops, agent, &agent->watch, err);
}

static int wait_ready(struct agent *agent, struct err *err)
{
	struct store_node node;
	int r = store_get(agent->store, KEY_READY, &node, err);
	bool ready;

	if (r < 0)
		return r == -ENOENT ? err_set(err, EAGAIN, "waiting for %s to become 'true'", KEY_READY) : r;
	ready = node.value && !strcmp(node.value, "true");
	store_node_done(&node);
	return ready ? 0 : err_set(err, EAGAIN, "waiting for %s to become 'true'", KEY_READY);
}

static int read_parameters_of(struct agent *agent, const char *directory, bool of_host, struct err *err)
{
	struct store_list list;
	int r = store_list(agent->store, directory, &list, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++)
		felix_set(&agent->felix_values, key_last(list.nodes[i].key), of_host, list.nodes[i].value);
	store_list_done(&list);
	return 0;
}

static int read_parameters(struct agent *agent, struct err *err)
{
	char key[KEY_MAX];
	int r;

	felix_values_free(agent->felix_values);
	agent->felix_values = NULL;
	r = read_parameters_of(agent, KEY_CONFIG, false, err);
	if (!r)
		r = read_parameters_of(agent, key_host_config(key, agent->config->hostname, ""), true, err);
	if (!r)
		resolve_parameters(agent, &agent->felix);
	return r;
}

/* What a failure is about, in *ret_about. */
static int bring_up(struct agent *agent, const char **ret_about, struct err *err)
{
	int r = restore_before_start(agent, err);

	if (!r && !agent->stopping && !agent->registered) {
		/* The choice of the address depends on Uplinks. */
		r = read_parameters(agent, err);
		if (!r)
			r = startup_register(agent, err);
		agent->registered = !r;
	}
	if (!r)
		r = wait_ready(agent, err);
	if (!r)
		r = read_parameters(agent, err);
	*ret_about = "datastore";
	if (!r && !agent->stopping) {
		r = load_generation(agent, err);
		*ret_about = "programs";
	}
	return r;
}

static void failed(struct agent *agent, const char *about, int r, const struct err *err)
{
	bool of_store = !strcmp(about, "datastore");

	agent->connected = !of_store || r == -EAGAIN;
	snprintf(agent->contact, sizeof(agent->contact), "%s", err->text);
	problem_set(&agent->problems, about, err->text);
	if (!of_store)
		problem_set(&agent->problems, "datastore", NULL);
}

static void sync_task(void *arg)
{
	struct agent *agent = arg;
	const char *about;
	struct err err;
	int r, pause_ms = RETRY_MS;

	while (!agent->stopping) {
		/* The generation that a restart left behind; not from inside its own watch's callback. */
		drop_generation(agent);
		r = bring_up(agent, &about, &err);
		if (!r || agent->stopping)
			break;
		failed(agent, about, r, &err);
		/* The verifier takes most of a second of a processor each time. */
		pause_ms = strcmp(about, "programs") ? RETRY_MS : 2 * pause_ms;
		pause_ms = pause_ms < RETRY_LAST_MS ? pause_ms : RETRY_LAST_MS;
		task_sleep(pause_ms);
	}
	if (!agent->stopping) {
		agent->connected = true;
		problem_set(&agent->problems, "datastore", NULL);
	}
	agent->syncing = false;
}

static void start_task(evutil_socket_t fd, short events, void *arg)
{
	static const struct timeval later = {1, 0};

	if (task_start(sync_task, arg) < 0)
		event_base_once(task_base(), -1, EV_TIMEOUT, start_task, arg, &later);
}

/* Safe from any callback: the work happens in a task of its own, from the event loop. */
static void restart(struct agent *agent, const char *why)
{
	static const struct timeval soon = {0, 0};

	if (agent->syncing || agent->stopping)
		return;
	log_info("agent", "reading the datastore again: %s", why);
	agent->syncing = true;
	agent->phase = PHASE_WAITING;
	event_base_once(task_base(), -1, EV_TIMEOUT, start_task, agent, &soon);
}

int sync_start(struct agent *agent, struct err *err)
{
	int r = commit_start(agent, err);

	if (r < 0)
		return r;
	agent->syncing = true;
	return task_start(sync_task, agent) < 0
		       ? err_set(err, ENOMEM, "cannot start the datastore task: out of memory")
		       : 0;
}

void sync_stop(struct agent *agent)
{
	agent->stopping = true;
	agent->phase = PHASE_WAITING;
	while (agent->loading || agent->restoring) /* the thread uses our configuration, the task ourselves */
		event_base_loop(task_base(), EVLOOP_ONCE);
	waiters_wake(&agent->waiters);
	waiters_wake(&agent->restored_waiters);
	drop_generation(agent);
	mirror_stop(agent);
	commit_stop(agent);
	felix_values_free(agent->felix_values);
	strings_done(&agent->bad_parameters);
}
