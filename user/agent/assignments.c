/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IPAM's blocks of addresses, of all hosts. When one ends in which an endpoint of this host has its address,
 * IPAM could give that to another one: what is lost is written back at once.
 */
#include "agent/state.h"

#include <string.h>

#include "model/block.h"
#include "store/keys.h"

static bool is_in_force(const struct agent *agent, const struct cidr *block)
{
	for (const struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		for (size_t i = 0; ep->slot && i < ep->model->net_count; i++) {
			if (cidr_contains(block, &ep->model->nets[i]))
				return true;
		}
	}
	return false;
}

void assignments_lost(struct agent *agent, const struct cidr *block)
{
	if (is_in_force(agent, block))
		restore_soon(agent);
}

static void on_block(void *arg, const char *key, const char *value, uint64_t revision)
{
	struct agent *agent = arg;
	struct cidr block;

	if (!agent->assignments)
		return;
	if (!value && !cidr_parse_key(key_last(key), &block))
		assignments_lost(agent, &block);
	restore_key_changed(agent, key);
}

/* Also an empty one: then each block is told to be gone. */
static int on_snapshot(void *arg, const struct store_list *snapshot, struct err *err)
{
	return 0;
}

static void on_in_sync(void *arg)
{
}

/* The agent's main watch tells about the datastore. */
static void on_contact(void *arg, bool connected, const char *why)
{
}

static const struct store_watch_ops watch_ops = {
	.event = on_block,
	.in_sync = on_in_sync,
	.contact = on_contact,
	.believe = on_snapshot,
};

int assignments_start(struct agent *agent, struct err *err)
{
	return store_watch(agent->store, KEY_ASSIGNMENTS, &watch_ops, agent, &agent->assignments, err);
}

void assignments_stop(struct agent *agent)
{
	store_watch_stop(agent->assignments);
	agent->assignments = NULL;
}
