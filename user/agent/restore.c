/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When the datastore was emptied, or replaced by an empty one, while endpoints run: writes back what this
 * host owns, that is its registration, the documents of endpoints that have their interface, and their
 * addresses in IPAM. Policy is the cluster's: until the datastore has some again, that in force stays.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipam/ipam.h"
#include "store/keys.h"
#include "util/log.h"

/* A copy: endpoints may change while the datastore is waited for. */
struct owned {
	char *key, *text;
	struct addr *nets;
	size_t net_count;
};

static void owned_free(struct owned *owned, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(owned[i].key);
		free(owned[i].text);
		free(owned[i].nets);
	}
	free(owned);
}

static bool copy_endpoint(const struct local_endpoint *ep, struct owned *ret)
{
	const struct workload_endpoint *model = ep->model;

	ret->key = strdup(ep->key);
	ret->text = strdup(ep->text);
	ret->nets = calloc(model->net_count + 1, sizeof(*ret->nets));
	if (!ret->key || !ret->text || !ret->nets)
		return false;
	memcpy(ret->nets, model->nets, model->net_count * sizeof(*ret->nets));
	ret->net_count = model->net_count;
	return true;
}

static int copy_endpoints(const struct agent *agent, struct owned **ret, size_t *ret_count)
{
	struct owned *owned = calloc(HASH_COUNT(agent->endpoints) + 1, sizeof(*owned));
	size_t count = 0;
	bool copied = true;

	for (struct local_endpoint *ep = agent->endpoints; owned && copied && ep; ep = ep->hh.next) {
		if (ep->slot)
			copied = copy_endpoint(ep, &owned[count++]);
	}
	if (!owned || !copied) {
		owned_free(owned, count);
		return -ENOMEM;
	}
	*ret = owned;
	*ret_count = count;
	return 0;
}

/* What is wrong with one address is no reason to forget the others. */
static int adopt_addresses(struct agent *agent, const struct owned *owned, struct err *err)
{
	struct ipam ipam = {.store = agent->store, .host = agent->config->hostname};
	struct key_parts parts;
	json_t *attribute;
	int r = 0;

	key_parse(owned->key, &parts);
	attribute = ipam_attribute(agent->config->hostname, parts.orchestrator);
	if (!attribute)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; !r && !agent->stopping && i < owned->net_count; i++) {
		r = ipam_adopt(&ipam, &owned->nets[i], attribute, err);
		if (r < 0 && r != -ENOTCONN && r != -ETIMEDOUT) {
			log_limited(LOG_LEVEL_WARN, "agent", "adopt",
				    "IPAM does not know an address of %s any more: %s", owned->key,
				    err->text);
			r = 0;
		}
	}
	json_decref(attribute);
	return r;
}

/* Addresses first, before there are pools to assign from. The registration is last: it says that all is done.
 */
static int write_back(struct agent *agent, struct err *err)
{
	struct owned *owned = NULL;
	size_t count = 0;
	int r = copy_endpoints(agent, &owned, &count);

	if (r < 0)
		return err_set(err, -r, "out of memory");
	for (size_t i = 0; !r && !agent->stopping && i < count; i++)
		r = adopt_addresses(agent, &owned[i], err);
	for (size_t i = 0; !r && !agent->stopping && i < count; i++) {
		r = store_create(agent->store, owned[i].key, owned[i].text, NULL, err);
		r = r == -EEXIST ? 0 : r;
	}
	if (!r && !agent->stopping)
		r = startup_register(agent, err);
	if (!r && !agent->stopping)
		log_warn("agent",
			 "the datastore had lost this host: wrote back its registration, %zu endpoints and "
			 "their addresses",
			 count);
	owned_free(owned, count);
	return r;
}

static bool has_key(const struct store_list *snapshot, const char *key)
{
	for (size_t i = 0; i < snapshot->count; i++) {
		if (!strcmp(snapshot->nodes[i].key, key))
			return true;
	}
	return false;
}

static bool has_policy(const struct store_list *snapshot)
{
	struct key_parts parts;

	for (size_t i = 0; i < snapshot->count; i++) {
		key_parse(snapshot->nodes[i].key, &parts);
		if (parts.kind == KEY_IS_PROFILE_RULES || parts.kind == KEY_IS_POLICY)
			return true;
	}
	return false;
}

static bool runs_endpoints(const struct agent *agent)
{
	for (const struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		if (ep->slot)
			return true;
	}
	return false;
}

int restore_believe(struct agent *agent, const struct store_list *snapshot, struct err *err)
{
	char key[KEY_MAX];
	int r;

	if (agent->restoring || (agent->phase != PHASE_ACTIVE && !snapshot->count))
		return err_set(err, EAGAIN, "%s at %s was emptied", store_kind(agent->store),
			       store_where(agent->store));
	if (agent->phase != PHASE_ACTIVE)
		return 0;
	if (!has_key(snapshot, key_host_config(key, agent->config->hostname, "marker"))) {
		agent->restoring = true;
		r = write_back(agent, err);
		agent->restoring = false;
		if (r < 0)
			return err_prefix(err, r, "%s at %s has lost this host", store_kind(agent->store),
					  store_where(agent->store));
		agent->wiped = true;
	} else if (!agent->wiped || has_policy(snapshot) || !runs_endpoints(agent)) {
		agent->wiped = false;
		return 0;
	}
	return err_set(err, EAGAIN,
		       "%s at %s was emptied: policy stays as it was before, until there is some again "
		       "(restore a backup, or create the networks anew)",
		       store_kind(agent->store), store_where(agent->store));
}
