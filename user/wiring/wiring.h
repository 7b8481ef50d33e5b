/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An endpoint's way to the network and back, in steps that do not depend on who asks: a pair of interfaces, a
 * number in the sandbox, a next hop, policy. A step that fails undoes those before it.
 */
#ifndef WIRING_WIRING_H
#define WIRING_WIRING_H

#include "agent/agent.h"
#include "model/endpoint.h"
#include "netlink/netlink.h"
#include "store/keys.h"
#include "store/store.h"
#include "wiring/sandbox.h"

/* Who wires, and what with; all borrowed. */
struct wiring {
	const char *name; /* of the module, in the log */
	const char *hostname;
	const char *(*endpoint_key)(const char *hostname, const char *id, char key[KEY_MAX]);
	struct store *store;
	struct netlink *netlink;
	struct agent *agent;
	struct sandboxes *sandboxes;
};

/* One endpoint that is to be wired. */
struct wire {
	const char *id;
	const struct workload_endpoint *endpoint; /* what the datastore has under the id's key */
	const char *sandbox;
	unsigned int mtu; /* 0: what the way out takes */
};

/*
 * The endpoint is enforced when this returns; its peer is for the caller to move into the container. Returns
 * its number in the sandbox, from 1. An interface that the endpoint has already is replaced.
 */
int wire_plug(const struct wiring *wiring, const struct wire *wire, struct err *err);
/* Only what is in the kernel, and the number in the sandbox. The interface may never have existed. */
void wire_unplug(const struct wiring *wiring, const char *id);

/*
 * The endpoints of this one's sandbox, if there are several, say so in the datastore under `name`: their
 * container sends from the addresses of all.
 */
int wire_share_sandbox(const struct wiring *wiring, const char *id, const char *name, struct err *err);

#endif
