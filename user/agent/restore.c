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
#include "model/pool.h"
#include "store/keys.h"
#include "util/log.h"

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
	bool missing;  /* in the datastore */
	bool conflict; /* somebody else has its address now */
};

struct loss {
	struct agent *agent;
	bool other; /* it is another datastore, or an older state */
	bool gone[PARTS];
	bool ipam_gone;
	struct store_list known;	  /* the copy */
	const struct store_list *now;	  /* the datastore beneath /calico/v1, sorted */
	struct store_list read, networks; /* storage of `now`; beneath the other directory */
	struct link_info *links;
	size_t link_count;
	struct owned *owned;
	size_t owned_count;
	size_t endpoints, values; /* written back */
	bool adopted;		  /* some address */
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
	strcat(key, part == HOST_PARAMETERS ? "/config" : "/endpoint");
	return key;
}

bool restore_is_precious(const struct agent *agent, const char *directory)
{
	char key[KEY_MAX];

	for (enum part part = 0; part < PARTS; part++) {
		const char *own = directory_of(agent, part, key);

		if (!strcmp(own, directory) || store_is_beneath(own, directory))
			return true;
	}
	return false;
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
	if (!loss->owned_count)
		return 0;
	r = exists(loss->agent, key_ipam_host(key, loss->agent->config->hostname), err);
	if (r > 0)
		r = exists(loss->agent, KEY_ASSIGNMENTS, err);
	loss->ipam_gone = !r;
	return r < 0 ? r : 0;
}

static bool is_loss(const struct loss *loss)
{
	for (enum part part = 0; part < PARTS; part++) {
		if (loss->gone[part])
			return true;
	}
	return loss->other || (loss->ipam_gone && loss->adopted);
}

/* The copy may lack what could not be written into it. */
static int find_owned(struct loss *loss, struct err *err)
{
	struct agent *agent = loss->agent;
	struct key_parts parts;
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

		owned->key = loss->known.nodes[i].key;
		owned->text = loss->known.nodes[i].value;
		key_parse(owned->key, &parts);
		if (parts.kind == KEY_IS_ENDPOINT &&
		    !workload_endpoint_parse(owned->text, NULL, &owned->model, NULL))
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
	return loss->other && !strcmp(parts.orchestrator, "libnetwork");
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

static void tell_conflict(struct loss *loss, struct owned *owned, const char *why)
{
	struct err text;

	owned->conflict = true;
	err_set(&text, EEXIST,
		"the datastore had lost its endpoint %.100s, and %.200s: its traffic is dropped; restart its "
		"container to get another address",
		key_last(owned->key), why);
	unclaimed_set_reason(loss->agent, owned->model->name, text.text);
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
			tell_conflict(loss, owned, why.text);
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

/* Docker's own IPAM keeps its addresses itself. */
static bool is_of_ipam(const struct loss *loss, const struct addr *addr)
{
	return !list_excludes(&loss->known, addr) && !list_excludes(loss->now, addr);
}

/* What is wrong with one address is no reason to forget the others. */
static int adopt_address(struct loss *loss, struct ipam *ipam, struct owned *owned, const struct addr *addr,
			 json_t *attribute, struct err *err)
{
	int r = ipam_adopt(ipam, addr, attribute, err);

	loss->adopted |= !r;
	if (r == -ENOTCONN || r == -ETIMEDOUT || r == 0)
		return r;
	if (r == -EEXIST || r == -EACCES)
		tell_conflict(loss, owned, err->text);
	else
		log_warn("agent", "IPAM does not know an address of %s any more: %s", owned->key, err->text);
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

		if ((loss->other || loss->ipam_gone || owned->missing) && may_come_back(loss, owned))
			r = adopt_addresses(loss, owned, err);
	}
	return r;
}

static int write_endpoints(struct loss *loss, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && !loss->agent->stopping && i < loss->owned_count; i++) {
		struct owned *owned = &loss->owned[i];

		if (owned->missing && !owned->conflict && may_come_back(loss, owned))
			r = create(loss, owned->key, owned->text, &loss->endpoints, err);
	}
	return r;
}

/* Addresses first, before there are pools to assign from. */
static int write_back(struct loss *loss, struct err *err)
{
	int r;

	for (size_t i = 0; i < loss->owned_count; i++)
		loss->owned[i].missing =
			(loss->other || loss->gone[WORKLOADS]) && !has_key(loss->now, loss->owned[i].key);
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
	if (loss->endpoints || loss->values || (loss->ipam_gone && loss->adopted))
		log_warn(
			"agent",
			"the datastore had lost data of this host: wrote back %zu endpoints, the addresses of "
			"all, and %zu other values",
			loss->endpoints, loss->values);
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
	if (r < 0 || !(is_loss(loss) || loss->ipam_gone))
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
