/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of the plugin share. Private to user/docker. */
#ifndef DOCKER_INTERNAL_H
#define DOCKER_INTERNAL_H

#include "docker/collector.h"
#include "docker/engine.h"
#include "docker/journal.h"
#include "docker/plugin.h"
#include "http/server.h"
#include "ipam/ipam.h"
#include "store/keys.h"
#include "wiring/veth.h"
#include "wiring/wiring.h"

/* Endpoints of all Docker networks share one orchestrator and one workload: nothing is keyed by container. */
#define ORCHESTRATOR "libnetwork"
#define WORKLOAD     "libnetwork"
/* "type" in the attributes of addresses that Docker holds. */
#define ADDRESS_TYPE "libnetwork"

#define DUMMY_GATEWAY4 "0.0.0.0/0"
#define DUMMY_GATEWAY6 "::/0"
#define GLOBAL_SPACE   "CalicoGlobalAddressSpace"
#define LOCAL_SPACE    "CalicoLocalAddressSpace"

/* What is left of a request's time for undoing what it did, after its own deadline. */
#define UNDO_MS 1500

struct plugin {
	const struct config *config;
	struct store *store;
	struct agent *agent;
	struct netlink *netlink;
	struct ipam ipam;
	struct server *server;
	struct engine *engine;
	struct journal *journal;
	struct sandboxes *sandboxes;
	struct collector *collector;
	uint64_t requests, errors;
};

/* One request that is being answered. */
struct call {
	struct plugin *plugin;
	const json_t *body; /* an object; NULL for methods without arguments */
	pid_t peer;
	json_t *answer; /* NULL means {} */
};

/* network.c: what CreateNetwork stored; the request itself, as the reference plugin keeps it. */
struct network {
	bool calico_ipam;
	unsigned int mtu;      /* 0: not given */
	struct cidr pools[2];  /* of Docker's own IPAM; family 0: none */
	bool ipip, masquerade; /* options of those pools */
};
/* Fills *ret with whatever can be understood, also when it returns what is wrong with the request. */
int network_parse(const json_t *request, struct network *ret, struct err *err);
/* -ENOENT with a text that says why a host may not know a network. */
int network_read(struct plugin *plugin, const char *id, struct network *ret, struct err *err);
/* Everything that CreateNetwork made; idempotent. */
int network_remove(struct plugin *plugin, const char *id, struct err *err);

/* endpoint.c */
const char *endpoint_key(const struct plugin *plugin, const char *id, char key[KEY_MAX]);
/* Whether a key beneath this host's workloads is an endpoint of Docker's; its id then points into the key. */
bool endpoint_key_is_ours(const char *key, const char **ret_id);
/* Key, interface, policy; idempotent. The interface goes even when the datastore cannot be reached. */
int endpoint_remove(struct plugin *plugin, const char *id, struct err *err);
struct wiring endpoint_wiring(const struct plugin *plugin);

/* ipam_methods.c */
/* Releases it unless somebody else was given the address after `before` (seconds since 1970). */
int address_release(struct plugin *plugin, const struct addr *addr, long long before, struct err *err);

/* scope.c: whether the engine that asks has a cluster store. */
bool scope_is_global(const struct plugin *plugin, pid_t peer);

/* Handlers, by file. 0 or -errno: -EBADMSG (the request is malformed) gives status 400, the others 500. */
int network_create(struct call *call, struct err *err);
int network_delete(struct call *call, struct err *err);
int endpoint_create(struct call *call, struct err *err);
int endpoint_delete(struct call *call, struct err *err);
int endpoint_join(struct call *call, struct err *err);
int endpoint_leave(struct call *call, struct err *err);
int pool_request(struct call *call, struct err *err);
int address_request(struct call *call, struct err *err);
int address_give_back(struct call *call, struct err *err);

#endif
