/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When the datastore has lost something: it was emptied or replaced, an older backup was restored, or a part
 * of its tree was deleted. Writes back what this host owns or needs, from the copy in the state directory:
 * its endpoints, their addresses in IPAM, the profiles, networks and pools that they use. What the datastore
 * has counts more than the copy, except that all policy comes back when it has none. Nothing is overwritten.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipam/ipam.h"
#include "model/block.h"
#include "model/pool.h"
#include "store/keys.h"
#include "util/log.h"

#define LIBNETWORK "libnetwork"
#define SOON_MS	   300 /* what is lost together is told one by one */

/* Directories of the datastore whose end is a loss. Single objects in them come and go. */
enum part {
	PROFILES,
	TIERS,
	POOLS4,
	POOLS6,
	PARAMETERS,
	BLOCKED4,
	BLOCKED6,
	NETWORKS,
	HOST_PARAMETERS,
	HOST_ENDPOINTS,
	WORKLOADS,
	PARTS,
};

/* An endpoint of this host according to the copy. */
struct owned {
	const char *key, *text; /* borrowed from it */
	struct workload_endpoint *model;
	bool waiting;	 /* since an earlier time, in which it was a conflict */
	bool homeless;	 /* the directory that it shares with others is gone */
	bool unassigned; /* IPAM may lack an address of it */
	bool missing;	 /* in the datastore */
	bool conflict;	 /* somebody else has its address now */
};

struct loss {
	struct agent *agent;
	bool other; /* it is another datastore, or an older state */
	bool gone[PARTS];
	bool unassigned, waiting;	  /* some endpoint is */
	struct store_list known;	  /* the copy */
	const struct store_list *now;	  /* the datastore beneath /calico/v1, sorted */
	struct store_list read, networks; /* storage of `now`; beneath the other directory */
	struct link_info *links;
	size_t link_count;
	struct owned *owned;
	size_t owned_count;
	size_t endpoints, addresses, values; /* written back */
};

static const char *directory_of(const struct agent *agent, enum part part, char key[KEY_MAX])
{
	static const char *const fixed[PARTS] = {
		[PROFILES] = KEY_PROFILES, [TIERS] = KEY_TIERS,		[POOLS4] = KEY_POOLS4,
		[POOLS6] = KEY_POOLS6,	   [PARAMETERS] = KEY_CONFIG,	[BLOCKED4] = KEY_BLOCKED4,
		[BLOCKED6] = KEY_BLOCKED6, [NETWORKS] = KEY_LIBNETWORK,
	};
	const char *host = agent->config->hostname;

	if (fixed[part])
		return fixed[part];
	if (part == WORKLOADS)
		return key_host_workloads(key, host);
	key_host(key, host);
	snprintf(key + strlen(key), KEY_MAX - strlen(key), "%s",
		 part == HOST_PARAMETERS ? "/config" : "/endpoint");
	return key;
}

/*
 * Whether a directory beneath that of all workloads is of more than one. An orchestrator's is; that of a
 * workload is removed by those who end it, but Docker's endpoints are all of one workload.
 */
static bool is_shared(const char *path)
{
	return !strchr(path, '/') || !strncmp(path, LIBNETWORK "/", strlen(LIBNETWORK "/"));
}

bool restore_is_precious(const struct agent *agent, const char *directory)
{
	char key[KEY_MAX];

	for (enum part part = 0; part < PARTS; part++) {
		const char *own = directory_of(agent, part, key);

		if (!strcmp(own, directory) || store_is_beneath(own, directory))
			return true;
	}
	key_host_workloads(key, agent->config->hostname);
	return store_is_beneath(directory, key) && is_shared(directory + strlen(key) + 1);
}

/* ---- looking things up ---- */

/* The first node at or after the text. */
static size_t lower_bound(const struct store_list *list, const char *text)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(list->nodes[middle].key, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_key(const struct store_list *list, const char *key)
{
	size_t i = lower_bound(list, key);

	return i < list->count && !strcmp(list->nodes[i].key, key);
}

static bool has_beneath(const struct store_list *list, const char *directory)
{
	char text[KEY_MAX];
	size_t i;

	snprintf(text, sizeof(text), "%s/", directory);
	i = lower_bound(list, text);
	return i < list->count && store_is_beneath(list->nodes[i].key, directory);
}

static const struct store_list *where(const struct loss *loss, enum part part)
{
	return part == NETWORKS ? &loss->networks : loss->now;
}

/* A container is at the other end. */
static bool is_running(const struct loss *loss, const struct workload_endpoint *model)
{
	for (size_t i = 0; i < loss->link_count; i++) {
		if (!strcmp(loss->links[i].name, model->name))
			return !loss->links[i].peer_is_local;
	}
	return false;
}

/* ---- what is lost ---- */

/* 1: it is there; 0: it is not. */
static int exists(struct agent *agent, const char *directory, struct err *err)
{
	struct store_node node;
	int r = store_get(agent->store, directory, &node, err);

	if (!r)
		store_node_done(&node);
	return r == -ENOENT ? 0 : r < 0 && r != -EISDIR ? r : 1;
}

static int find_gone(struct loss *loss, struct err *err)
{
	char key[KEY_MAX];
	int r;

	for (enum part part = 0; part < PARTS; part++) {
		const char *directory = directory_of(loss->agent, part, key);

		if (!has_beneath(&loss->known, directory))
			continue;
		r = exists(loss->agent, directory, err);
		if (r < 0)
			return r;
		loss->gone[part] = !r;
	}
	return 0;
}

/* The innermost directory that the endpoint shares with others: see is_shared(). */
static const char *home_of(const struct loss *loss, const struct owned *owned, char key[KEY_MAX])
{
	struct key_parts parts;
	size_t length;

	key_parse(owned->key, &parts);
	length = strlen(key_host_workloads(key, loss->agent->config->hostname));
	if (strcmp(parts.orchestrator, LIBNETWORK) != 0)
		snprintf(key + length, KEY_MAX - length, "/%s", parts.orchestrator);
	else
		snprintf(key + length, KEY_MAX - length, "/" LIBNETWORK "/%s/endpoint", parts.workload);
	return key;
}

/* Whoever removes an endpoint leaves its home. Equal ones are neighbours. */
static int find_homeless(struct loss *loss, struct err *err)
{
	char key[KEY_MAX], last[KEY_MAX] = "";
	int r = 1;

	for (size_t i = 0; i < loss->owned_count; i++) {
		struct owned *owned = &loss->owned[i];

		if (strcmp(home_of(loss, owned, key), last) != 0)
			r = exists(loss->agent, key, err);
		if (r < 0)
			return r;
		memcpy(last, key, sizeof(last));
		owned->homeless = !r;
	}
	return 0;
}

static bool list_excludes(const struct store_list *list, const struct addr *addr)
{
	struct key_parts parts;
	struct pool *pool;
	bool excluded = false;

	for (size_t i = 0; !excluded && i < list->count; i++) {
		key_parse(list->nodes[i].key, &parts);
		if (parts.kind != KEY_IS_POOL ||
		    pool_parse(parts.name, list->nodes[i].value, &pool, NULL) < 0)
			continue;
		excluded = !pool->ipam && cidr_contains(&pool->cidr, addr);
		pool_free(pool);
	}
	return excluded;
}

/* A block of addresses in IPAM. */
struct known_block {
	UT_hash_handle hh;
	bool complete; /* it is there, and the key of this host's affinity, too */
	char key[KEY_MAX];
};

static int look_at_block(struct loss *loss, const struct cidr *block, struct known_block *ret,
			 struct err *err)
{
	char affinity[KEY_MAX];
	int r = exists(loss->agent, ret->key, err);

	if (r > 0)
		r = exists(loss->agent, key_affinity(affinity, loss->agent->config->hostname, block), err);
	ret->complete = r > 0;
	return r < 0 ? r : 0;
}

/* Each block once. 1: complete, 0: not. */
static int is_complete(struct loss *loss, struct known_block **known, const struct addr *addr,
		       struct err *err)
{
	struct cidr block = block_cidr_of(addr);
	struct known_block *entry;
	char key[KEY_MAX];
	int r;

	HASH_FIND_STR(*known, key_block(key, &block), entry);
	if (entry)
		return entry->complete;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return err_set(err, ENOMEM, "out of memory");
	memcpy(entry->key, key, sizeof(entry->key));
	HASH_ADD_STR(*known, key, entry);
	r = look_at_block(loss, &block, entry, err);
	return r < 0 ? r : entry->complete;
}

/* Docker's own IPAM keeps its addresses itself. */
static int find_unassigned(struct loss *loss, struct err *err)
{
	struct known_block *known = NULL, *next, *entry;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < loss->owned_count; i++) {
		struct owned *owned = &loss->owned[i];

		for (size_t j = 0; r >= 0 && j < owned->model->net_count; j++) {
			const struct addr *addr = &owned->model->nets[j];

			if (list_excludes(&loss->known, addr))
				continue;
			r = is_complete(loss, &known, addr, err);
			owned->unassigned |= !r;
		}
		loss->unassigned |= owned->unassigned;
	}
	HASH_ITER (hh, known, entry, next) {
		HASH_DEL(known, entry);
		free(entry);
	}
	return r < 0 ? r : 0;
}

static bool is_loss(const struct loss *loss)
{
	for (enum part part = 0; part < PARTS; part++) {
		if (loss->gone[part])
			return true;
	}
	return loss->other || loss->addresses || loss->endpoints;
}

/* Something may have to be written. */
static bool is_suspect(const struct loss *loss)
{
	for (size_t i = 0; i < loss->owned_count; i++) {
		if (loss->owned[i].homeless)
			return true;
	}
	return is_loss(loss) || loss->unassigned || loss->waiting;
}

/* The copy may lack what could not be written into it. */
static int find_owned(struct loss *loss, struct err *err)
{
	struct agent *agent = loss->agent;
	struct key_parts parts;
	char key[MIRROR_KEY_MAX];
	int r = 0;

	for (struct local_endpoint *ep = agent->endpoints; !r && ep; ep = ep->hh.next) {
		if (ep->slot && !has_key(&loss->known, ep->key)) {
			r = store_list_add(&loss->known, ep->key, ep->text, 0);
			store_list_sort(&loss->known);
		}
	}
	loss->owned = calloc(loss->known.count + 1, sizeof(*loss->owned));
	if (r < 0 || !loss->owned)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < loss->known.count; i++) {
		struct owned *owned = &loss->owned[loss->owned_count];
		const char *waiting = mirror_waiting(loss->known.nodes[i].key);

		owned->key = waiting ? waiting : loss->known.nodes[i].key;
		owned->text = loss->known.nodes[i].value;
		owned->waiting = waiting || has_key(&loss->known, mirror_waiting_key(owned->key, key));
		key_parse(owned->key, &parts);
		if (parts.kind != KEY_IS_ENDPOINT || (waiting && has_key(&loss->known, waiting)) ||
		    workload_endpoint_parse(owned->text, NULL, &owned->model, NULL) < 0)
			continue;
		loss->waiting |= owned->waiting;
		loss->owned_count++;
	}
	return 0;
}

/*
 * Docker's endpoints come back without an interface, too: after a restart of the whole host the engine still
 * has them, and gives their addresses back itself. The collector removes those that it does not have.
 */
static bool may_come_back(const struct loss *loss, const struct owned *owned)
{
	struct key_parts parts;

	if (is_running(loss, owned->model))
		return true;
	key_parse(owned->key, &parts);
	return loss->other && !strcmp(parts.orchestrator, LIBNETWORK);
}

static bool has_profile(const struct owned *owned, const char *name)
{
	return strings_has(&owned->model->profiles, name);
}

/* Some endpoint of this host, or a network that Docker has made here, uses the profile. */
static bool is_used_profile(const struct loss *loss, const char *name)
{
	char key[KEY_MAX];

	for (size_t i = 0; i < loss->owned_count; i++) {
		if (has_profile(&loss->owned[i], name))
			return true;
	}
	return has_key(&loss->known, key_network(key, name));
}

static bool in_pool(const struct owned *owned, const struct cidr *pool)
{
	for (size_t i = 0; i < owned->model->net_count; i++) {
		if (cidr_contains(pool, &owned->model->nets[i]))
			return true;
	}
	return false;
}

static bool is_used_pool(const struct loss *loss, const char *name)
{
	struct cidr pool;

	if (cidr_parse_key(name, &pool) < 0)
		return false;
	for (size_t i = 0; i < loss->owned_count; i++) {
		if (in_pool(&loss->owned[i], &pool))
			return true;
	}
	return false;
}

/* Of an older state: policy and parameters are as its administrator wants them, what runs here stays. */
static bool is_needed(const struct loss *loss, enum part part, const char *key)
{
	char profile[KEY_MAX];
	struct key_parts parts;

	key_parse(key, &parts);
	switch (part) {
	case PROFILES:
		return is_used_profile(loss, parts.name) &&
		       !has_beneath(loss->now, key_profile(profile, parts.name));
	case POOLS4:
	case POOLS6:
		return is_used_pool(loss, parts.name);
	case NETWORKS:
	case HOST_ENDPOINTS:
		return true;
	default:
		return false;
	}
}

static bool is_lost(const struct loss *loss, enum part part, const char *directory, const char *key)
{
	if (has_key(where(loss, part), key))
		return false;
	if (loss->gone[part] || (loss->other && !has_beneath(where(loss, part), directory)))
		return true;
	return loss->other && is_needed(loss, part, key);
}

/* ---- whose the addresses are now ---- */

/* holder: the key whose change may be the conflict's end. */
static void tell_conflict(struct loss *loss, struct owned *owned, const char *holder, const char *why)
{
	struct agent *agent = loss->agent;
	struct err text;

	owned->conflict = true;
	if (!strings_has(&agent->holders, holder) && strings_add(&agent->holders, holder) < 0)
		log_warn("agent", "out of memory: the end of %s will not be noticed", holder);
	err_set(&text, EEXIST,
		"the datastore had lost its endpoint %.100s, and %.200s: its traffic is dropped until that "
		"ends; restart its container to get another address",
		key_last(owned->key), why);
	unclaimed_set_reason(agent, owned->model->name, text.text);
}

/* Endpoints that the datastore has, with an address of one that it lacks. */
static void compare_addresses(struct loss *loss, const char *key, const struct workload_endpoint *model)
{
	char text[ADDR_TEXT];
	struct err why;

	for (size_t i = 0; i < loss->owned_count; i++) {
		struct owned *owned = &loss->owned[i];

		if (!owned->missing || owned->conflict)
			continue;
		for (size_t j = 0; j < model->net_count; j++) {
			struct cidr addr = {model->nets[j], (uint8_t)addr_bits(&model->nets[j])};

			if (!in_pool(owned, &addr))
				continue;
			err_set(&why, EEXIST, "its address %s is that of %.120s now",
				addr_format(&model->nets[j], text), key);
			tell_conflict(loss, owned, key, why.text);
			break;
		}
	}
}

static void find_conflicts(struct loss *loss)
{
	const char *host = loss->agent->config->hostname;
	struct workload_endpoint *model;
	struct key_parts parts;

	for (size_t i = 0; i < loss->now->count; i++) {
		key_parse(loss->now->nodes[i].key, &parts);
		if (parts.kind != KEY_IS_ENDPOINT ||
		    workload_endpoint_parse(loss->now->nodes[i].value, NULL, &model, NULL) < 0)
			continue;
		/* An older state has endpoints of this host that ended since. */
		if (strcmp(parts.host, host) != 0 || is_running(loss, model))
			compare_addresses(loss, loss->now->nodes[i].key, model);
		workload_endpoint_free(model);
	}
}

static bool is_of_ipam(const struct loss *loss, const struct addr *addr)
{
	return !list_excludes(&loss->known, addr) && !list_excludes(loss->now, addr);
}

/* What is wrong with one address is no reason to forget the others. */
static int adopt_address(struct loss *loss, struct ipam *ipam, struct owned *owned, const struct addr *addr,
			 json_t *attribute, struct err *err)
{
	struct cidr block = block_cidr_of(addr);
	int r = ipam_adopt(ipam, addr, attribute, err);
	char key[KEY_MAX];

	if (r >= 0) {
		loss->addresses += (size_t)r;
		return 0;
	}
	if (r == -ENOTCONN || r == -ETIMEDOUT)
		return r;
	if (owned->missing && (r == -EEXIST || r == -EACCES))
		tell_conflict(loss, owned, key_block(key, &block), err->text);
	else
		log_warn("agent", "IPAM does not have an address of %s for it: %s", owned->key, err->text);
	return 0;
}

static int adopt_addresses(struct loss *loss, struct owned *owned, struct err *err)
{
	struct agent *agent = loss->agent;
	struct ipam ipam = {.store = agent->store, .host = agent->config->hostname};
	struct key_parts parts;
	json_t *attribute;
	int r = 0;

	key_parse(owned->key, &parts);
	attribute = ipam_attribute(agent->config->hostname, parts.orchestrator);
	if (!attribute)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; !r && !owned->conflict && !agent->stopping && i < owned->model->net_count; i++) {
		if (is_of_ipam(loss, &owned->model->nets[i]))
			r = adopt_address(loss, &ipam, owned, &owned->model->nets[i], attribute, err);
	}
	json_decref(attribute);
	return r;
}

/* ---- writing back ---- */

static int create(struct loss *loss, const char *key, const char *value, size_t *count, struct err *err)
{
	struct agent *agent = loss->agent;
	int r;

	/* Removed while the datastore was waited for. */
	if (strings_has(&agent->gone_meanwhile, key))
		return 0;
	r = store_create(agent->store, key, value, NULL, err);
	if (!r)
		++*count;
	/* A value where a directory would be needed, or the reverse, is somebody's mistake, not ours. */
	return r == -EEXIST || r == -ENOTDIR || r == -EISDIR ? 0 : r;
}

static int write_values(struct loss *loss, enum part part, struct err *err)
{
	char buffer[KEY_MAX], text[KEY_MAX];
	const char *directory = directory_of(loss->agent, part, buffer);
	int r = 0;

	snprintf(text, sizeof(text), "%s/", directory);
	for (size_t i = lower_bound(&loss->known, text);
	     !r && !loss->agent->stopping && i < loss->known.count; i++) {
		const struct store_node *node = &loss->known.nodes[i];

		if (!store_is_beneath(node->key, directory))
			break;
		if (is_lost(loss, part, directory, node->key))
			r = create(loss, node->key, node->value, &loss->values, err);
	}
	return r;
}

static int adopt_all(struct loss *loss, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < loss->owned_count; i++) {
		struct owned *owned = &loss->owned[i];

		if ((loss->other || owned->unassigned || owned->missing) && may_come_back(loss, owned))
			r = adopt_addresses(loss, owned, err);
	}
	return r;
}

/* An empty one says that nothing is lost. */
static int make_home(struct loss *loss, const struct owned *owned, struct err *err)
{
	char key[KEY_MAX];

	return owned->homeless ? store_make_directory(loss->agent->store, home_of(loss, owned, key), err) : 0;
}

/* What is in conflict stays in the copy, so that it is tried again, also after a restart of the daemon. */
static void keep_waiting(struct loss *loss, const struct owned *owned)
{
	bool waits = owned->missing && owned->conflict && is_running(loss, owned->model);

	if (waits != owned->waiting)
		mirror_set_waiting(loss->agent, owned->key, waits ? owned->text : NULL);
}

static int write_endpoints(struct loss *loss, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && !loss->agent->stopping && i < loss->owned_count; i++) {
		struct owned *owned = &loss->owned[i];

		r = make_home(loss, owned, err);
		if (!r && owned->missing && !owned->conflict && may_come_back(loss, owned))
			r = create(loss, owned->key, owned->text, &loss->endpoints, err);
		if (!r)
			keep_waiting(loss, owned);
	}
	return r;
}

static bool is_missing(const struct loss *loss, const struct owned *owned)
{
	bool lost = loss->other || loss->gone[WORKLOADS] || owned->homeless || owned->waiting;

	return lost && !has_key(loss->now, owned->key);
}

/* Addresses first, before there are pools to assign from. */
static int write_back(struct loss *loss, struct err *err)
{
	int r;

	for (size_t i = 0; i < loss->owned_count; i++)
		loss->owned[i].missing = is_missing(loss, &loss->owned[i]);
	strings_done(&loss->agent->holders);
	find_conflicts(loss);
	r = adopt_all(loss, err);
	for (enum part part = 0; !r && part < WORKLOADS; part++)
		r = write_values(loss, part, err);
	if (!r)
		r = write_endpoints(loss, err);
	return r;
}

static int read_store(struct loss *loss, const struct store_list *snapshot, struct err *err)
{
	struct agent *agent = loss->agent;
	int r = store_list(agent->store, KEY_LIBNETWORK, &loss->networks, err);

	loss->now = snapshot ? snapshot : &loss->read;
	if (!r && !snapshot)
		r = store_list(agent->store, KEY_V1, &loss->read, err);
	return r ? r : link_list(agent->netlink, &loss->links, &loss->link_count, err);
}

static void loss_done(struct loss *loss)
{
	store_list_done(&loss->known);
	store_list_done(&loss->read);
	store_list_done(&loss->networks);
	for (size_t i = 0; i < loss->owned_count; i++)
		workload_endpoint_free(loss->owned[i].model);
	free(loss->owned);
	free(loss->links);
}

static void tell(const struct loss *loss)
{
	if (loss->other)
		log_warn("agent", "%s at %s is another datastore than before, or an older state of it",
			 store_kind(loss->agent->store), store_where(loss->agent->store));
	if (loss->endpoints || loss->addresses || loss->values)
		log_warn("agent",
			 "the datastore had lost data of this host: wrote back %zu endpoints, %zu addresses, "
			 "and %zu other values",
			 loss->endpoints, loss->addresses, loss->values);
}

static int compare(struct loss *loss, const struct store_list *snapshot, struct err *err)
{
	int r = mirror_compare(loss->agent, err);

	loss->other = r == -EREMCHG;
	if (r == -EREMCHG)
		r = 0;
	if (!r)
		r = mirror_read(loss->agent, &loss->known, err);
	if (!r)
		r = find_owned(loss, err);
	if (!r)
		r = find_gone(loss, err);
	if (!r)
		r = find_homeless(loss, err);
	if (!r)
		r = find_unassigned(loss, err);
	if (r < 0 || !is_suspect(loss))
		return r;
	r = read_store(loss, snapshot, err);
	if (!r)
		r = write_back(loss, err);
	tell(loss);
	return r;
}

/* 1: something was written. */
static int restore(struct agent *agent, const struct store_list *snapshot, struct err *err)
{
	struct loss loss = {.agent = agent};
	bool lost = false;
	int r;

	agent->restoring = true;
	r = compare(&loss, snapshot, err);
	lost = is_loss(&loss);
	if (!r && lost && snapshot && !agent->stopping)
		r = startup_register(agent, err);
	/* Last: it says that all is done. */
	if (!r && !agent->stopping && (lost || !agent->restored))
		r = mirror_renew(agent, err);
	agent->restoring = false;
	strings_done(&agent->gone_meanwhile);
	if (r < 0)
		err_prefix(err, r, "%s at %s may have lost data of this host", store_kind(agent->store),
			   store_where(agent->store));
	else
		r = lost;
	loss_done(&loss);
	return r;
}

static void compare_again(evutil_socket_t fd, short events, void *arg)
{
	struct agent *agent = arg;

	if (agent->watch && agent->phase == PHASE_ACTIVE && !agent->stopping)
		store_watch_resync(agent->watch);
}

int restore_start(struct agent *agent)
{
	agent->restore_event = evtimer_new(task_base(), compare_again, agent);
	return agent->restore_event ? 0 : -ENOMEM;
}

void restore_stop(struct agent *agent)
{
	if (agent->restore_event)
		event_free(agent->restore_event);
	strings_done(&agent->holders);
}

void restore_soon(struct agent *agent)
{
	static const struct timeval soon = {0, SOON_MS * 1000};

	if (!evtimer_pending(agent->restore_event, NULL))
		event_add(agent->restore_event, &soon);
}

void restore_key_changed(struct agent *agent, const char *key)
{
	if (strings_has(&agent->holders, key))
		restore_soon(agent);
}

int restore_before_start(struct agent *agent, struct err *err)
{
	int r = restore(agent, NULL, err);

	if (r < 0)
		return r;
	if (r > 0)
		agent->registered = false;
	wait_is_restored(agent);
	return 0;
}

int restore_believe(struct agent *agent, const struct store_list *snapshot, struct err *err)
{
	int r;

	if (agent->restoring)
		return err_set(err, EAGAIN, "%s at %s is being compared with what it was",
			       store_kind(agent->store), store_where(agent->store));
	r = restore(agent, snapshot, err);
	if (r < 0)
		return r;
	if (r > 0 || !snapshot->count)
		return err_set(err, EAGAIN, "%s at %s had lost data; reading what was written back",
			       store_kind(agent->store), store_where(agent->store));
	mirror_replace(agent, snapshot);
	return 0;
}

int restore_first(struct agent *agent, const struct store_list *snapshot, struct err *err)
{
	char key[KEY_MAX];
	int r = 0;

	/* Compared a moment ago, by restore_before_start(). */
	if (has_key(snapshot, key_host_config(key, agent->config->hostname, "marker"))) {
		mirror_replace(agent, snapshot);
		return 0;
	}
	r = restore(agent, snapshot, err);
	if (r >= 0)
		r = startup_register(agent, err);
	return r < 0 ? r
		     : err_set(err, EAGAIN, "%s at %s had lost this host; reading what was written back",
			       store_kind(agent->store), store_where(agent->store));
}
