/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The address of this host's end of IP-in-IP tunnels: one address out of a pool with ipip, kept across starts
 * (calicoctl specification, section 16.1 step 10).
 */
#include "agent/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipam/ipam.h"
#include "model/pool.h"
#include "store/keys.h"
#include "util/log.h"

struct tunnel {
	struct agent *agent;
	struct ipam ipam;
	struct pool **pools; /* all of IPv4 */
	size_t count;
	char key[KEY_MAX]; /* of the host's IpInIpTunnelAddr */
};

static bool usable(const struct pool *pool)
{
	return pool->ipip && pool->ipam && !pool->disabled && !cidr_unusable(&pool->cidr);
}

static int read_pools(struct tunnel *tunnel, struct err *err)
{
	struct store_list list;
	int r = store_list(tunnel->agent->store, KEY_POOLS4, &list, err);

	if (r < 0)
		return r;
	tunnel->pools = calloc(list.count + 1, sizeof(*tunnel->pools));
	if (!tunnel->pools)
		r = err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; !r && i < list.count; i++) {
		/* The agent reports pools that nobody can read when it meets them in the snapshot. */
		if (!pool_parse(key_last(list.nodes[i].key), list.nodes[i].value,
				&tunnel->pools[tunnel->count], NULL))
			tunnel->count++;
	}
	store_list_done(&list);
	return r;
}

static const struct pool *pool_of(const struct tunnel *tunnel, const struct addr *addr)
{
	for (size_t i = 0; i < tunnel->count; i++) {
		if (cidr_contains(&tunnel->pools[i]->cidr, addr))
			return tunnel->pools[i];
	}
	return NULL;
}

/* 0 and the present address, or -ENOENT. */
static int read_present(struct tunnel *tunnel, struct addr *ret, struct err *err)
{
	struct store_node node;
	int r = store_get(tunnel->agent->store, tunnel->key, &node, err);

	if (r < 0)
		return r;
	r = addr_parse(node.value ? node.value : "", ret) < 0 ? -ENOENT : 0;
	store_node_done(&node);
	return r;
}

static int assign(struct tunnel *tunnel, struct err *err)
{
	json_t *attribute = ipam_attribute(tunnel->agent->config->hostname, "tunnel");
	char text[ADDR_TEXT];
	struct addr addr;
	int r = 0;

	for (size_t i = 0; r <= 0 && i < tunnel->count; i++) {
		if (!usable(tunnel->pools[i]))
			continue;
		r = ipam_assign_any(&tunnel->ipam, 4, 1, &tunnel->pools[i]->cidr, attribute, &addr, err);
		if (r < 0 && r != -ENOSPC)
			break;
	}
	json_decref(attribute);
	if (r > 0)
		return store_set(tunnel->agent->store, tunnel->key, addr_format(&addr, text), NULL, err);
	return r < 0 && r != -ENOSPC
		       ? r
		       : err_set(err, ENOSPC,
				 "no address for the IP-in-IP tunnel: the pools with ipip are exhausted; add one with 'calicoctl pool add CIDR --ipip'");
}

static int drop_present(struct tunnel *tunnel, const struct addr *present, struct err *err)
{
	int r = ipam_release(&tunnel->ipam, present, err);

	if (r < 0 && r != -ENOENT)
		return r;
	r = store_delete(tunnel->agent->store, tunnel->key, err);
	return r == -ENOENT ? 0 : r;
}

static int reconcile(struct tunnel *tunnel, struct err *err)
{
	const struct pool *pool = NULL;
	bool wanted = false, present;
	struct addr addr;
	int r = read_present(tunnel, &addr, err);

	if (r < 0 && r != -ENOENT)
		return r;
	present = !r;
	if (present)
		pool = pool_of(tunnel, &addr);
	for (size_t i = 0; i < tunnel->count; i++)
		wanted |= usable(tunnel->pools[i]);

	if (wanted && pool && pool->ipip)
		return 0;
	/* An address that is in no pool any more belongs to nobody: nothing to release. */
	if (present && (pool || !wanted)) {
		r = drop_present(tunnel, &addr, err);
		if (r < 0)
			return r;
	}
	return wanted ? assign(tunnel, err) : 0;
}

int tunnel_register(struct agent *agent, struct err *err)
{
	struct tunnel tunnel = {.agent = agent,
				.ipam = {.store = agent->store,
					 .host = agent->config->hostname,
					 .reserved = agent_reserved,
					 .reserved_arg = agent}};
	int r;

	key_host_config(tunnel.key, agent->config->hostname, "IpInIpTunnelAddr");
	r = read_pools(&tunnel, err);
	if (!r)
		r = reconcile(&tunnel, err);
	for (size_t i = 0; i < tunnel.count; i++)
		pool_free(tunnel.pools[i]);
	free(tunnel.pools);
	return r;
}
