/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The agent of this host: follows the datastore, feeds the policy engine, keeps endpoints' interfaces, routes
 * and programs as the model says, and registers the host. The Docker plugin writes an endpoint into the
 * datastore and then hands the same object to agent_apply_endpoint(); the watch event that follows changes
 * nothing.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "config/config.h"
#include "dataplane/dataplane.h"
#include "model/endpoint.h"
#include "netlink/netlink.h"
#include "store/store.h"

struct agent;

struct agent_options {
	enum attach_mode attach; /* --attach */
};

/* Loads the dataplane and starts following the store. Does not wait for the store. */
int agent_start(const struct config *config, const struct agent_options *options, struct store *store,
		struct agent **ret, struct err *err);
void agent_stop(struct agent *agent); /* enforcement stays */

/*
 * Returns when the endpoint (of this host, with its interface present but down) is enforced: programs
 * attached, policy published, interface up, routes and neighbour in place. Undoes what it did when it fails.
 * -EAGAIN with a clear sentence while the datastore has never been in sync.
 */
int agent_apply_endpoint(struct agent *agent, const char *key, const struct workload_endpoint *endpoint,
			 struct err *err);
/* Forgets it: flows purged, policy cleared, routes and programs removed. Unknown: no-op. The interface is the
 * caller's. */
void agent_remove_endpoint(struct agent *agent, const char *key);

/* A problem that somebody else has found, until it is solved: text NULL. */
void agent_set_problem(struct agent *agent, const char *object, const char *text);
/* Whether an endpoint of this host that has its interface has the address. */
bool agent_has_address(const struct agent *agent, const struct addr *addr);
/* Whose an address is that no container may have, "a gateway of this host"; NULL: nobody's. For struct ipam.
 */
const char *agent_reserved(void *agent, const struct addr *addr);
/*
 * Waits until the datastore was compared with what runs on this host, so that no address is given out that is
 * in use. -EAGAIN with a clear sentence when the task's deadline passes first.
 */
int agent_wait_restored(struct agent *agent, struct err *err);
/* The datastore says what there is: only then may what it does not have be removed from this host. */
bool agent_is_trusted(const struct agent *agent);
/* Keeps a value (NULL: forgets it) in case that the datastore loses it. */
void agent_remember(struct agent *agent, const char *key, const char *value);
/* What was kept, to be freed; NULL: nothing. May wait. */
char *agent_recall(struct agent *agent, const char *key);

/* For `calicoctl status`: a JSON object (new reference). */
json_t *agent_status(struct agent *agent);
bool agent_in_sync(const struct agent *agent);

/* Removes every trace of the product from the kernel (calico-node --teardown). */
int agent_teardown(const struct config *config, struct err *err);

#endif
