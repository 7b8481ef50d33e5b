/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The Docker plugin: network driver and IPAM driver "calico" on a unix socket, and the same on "calico-ipam"
 * beside it. Writes the datastore first, then hands the same object to the agent.
 */
#ifndef DOCKER_PLUGIN_H
#define DOCKER_PLUGIN_H

#include <jansson.h>

#include "agent/agent.h"
#include "config/config.h"
#include "netlink/netlink.h"
#include "store/store.h"

struct plugin;

/* Borrows all its arguments until plugin_stop(). Answers as soon as it returns; does not wait for the store.
 */
int plugin_start(const struct config *config, struct store *store, struct agent *agent,
		 struct netlink *netlink, struct plugin **ret, struct err *err);
/* Waits for requests that are being served. NULL is allowed. */
void plugin_stop(struct plugin *plugin);
/* For `calicoctl status`: a JSON object (new reference). NULL without a plugin or memory. */
json_t *plugin_status(struct plugin *plugin);

#endif
