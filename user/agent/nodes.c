/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses of hosts, as they are registered: their own, and those of their ends of tunnels. Some are in the
 * directory that the agent watches anyway, some in that of BGP. This host's count as well: a tunnel's end is
 * registered before an interface has it.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/keys.h"

struct node_address {
	UT_hash_handle hh;
	struct addr addr;
	char key[];
};

/* Another key may say the same. */
static bool is_registered(const struct agent *agent, const struct addr *addr)
{
	for (const struct node_address *entry = agent->node_addresses; entry; entry = entry->hh.next) {
		if (!addr_compare(&entry->addr, addr))
			return true;
	}
	return false;
}

static void forget(struct agent *agent, struct node_address *entry)
{
	HASH_DEL(agent->node_addresses, entry);
	if (!is_registered(agent, &entry->addr))
		policy_set_node_address(agent->engine, &entry->addr, false);
	free(entry);
}

static int add(struct agent *agent, const char *key, const struct addr *addr)
{
	struct node_address *entry = calloc(1, sizeof(*entry) + strlen(key) + 1);

	if (!entry)
		return -ENOMEM;
	entry->addr = *addr;
	memcpy(entry->key, key, strlen(key) + 1);
	HASH_ADD_KEYPTR(hh, agent->node_addresses, entry->key, strlen(entry->key), entry);
	return policy_set_node_address(agent->engine, addr, true);
}

void nodes_set(struct agent *agent, const char *key, const char *value, struct err *err)
{
	struct node_address *entry;
	struct addr addr = {};

	if (value && *value && addr_parse(value, &addr) < 0)
		err_set(err, EBADMSG,
			"'%.60s' is no IP address, so tunnels of that host may be open to containers; correct it",
			value);
	HASH_FIND_STR(agent->node_addresses, key, entry);
	if (entry && addr.family && !addr_compare(&entry->addr, &addr))
		return;
	if (entry)
		forget(agent, entry);
	if (addr.family && add(agent, key, &addr) < 0)
		err_set(err, ENOMEM, "out of memory");
}

static void on_bgp_host(void *arg, const char *key, const char *value, uint64_t revision)
{
	const char *last = key_last(key);
	struct agent *agent = arg;
	struct err err = {""};

	if (!agent->bgp_hosts || (strcmp(last, "ip_addr_v4") && strcmp(last, "ip_addr_v6")))
		return;
	nodes_set(agent, key, value, &err);
	problem_set(&agent->of_generation, key, *err.text ? err.text : NULL);
	commit_schedule(agent);
}

static void on_in_sync(void *arg)
{
}

/* The other watch tells about the datastore. Meanwhile what was known last stays in force. */
static void on_contact(void *arg, bool connected, const char *why)
{
}

static const struct store_watch_ops watch_ops = {
	.event = on_bgp_host,
	.in_sync = on_in_sync,
	.contact = on_contact,
};

int nodes_start(struct agent *agent, struct err *err)
{
	return store_watch(agent->store, KEY_BGP_HOSTS, &watch_ops, agent, &agent->bgp_hosts, err);
}

void nodes_stop(struct agent *agent)
{
	struct node_address *entry, *next;

	store_watch_stop(agent->bgp_hosts);
	agent->bgp_hosts = NULL;
	HASH_ITER (hh, agent->node_addresses, entry, next) {
		HASH_DEL(agent->node_addresses, entry);
		free(entry);
	}
}
