/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What there is on this host at one time: its interfaces, its endpoints, and the networks. */
#ifndef DOCKER_SNAPSHOT_H
#define DOCKER_SNAPSHOT_H

#include "model/endpoint.h"
#include "netlink/netlink.h"
#include "store/store.h"

struct plugin;

struct snapshot {
	struct link_info *links;
	size_t link_count;
	struct store_list nodes; /* endpoints of all orchestrators */
	struct snapshot_endpoint {
		struct workload_endpoint *model; /* NULL: malformed or removed */
	} * endpoints;				 /* of `nodes` */
	struct store_list networks;
};

/*
 * Interfaces are listed before endpoints: an endpoint is written before its interface is made, so every
 * interface that is seen without one has none.
 */
int snapshot_take(struct plugin *plugin, struct snapshot *ret, struct err *err);
void snapshot_done(struct snapshot *snapshot);

/* No container has it: there is no interface, or its other end is (back) in the host's namespace. */
bool snapshot_is_unplugged(const struct snapshot *snapshot, const struct workload_endpoint *endpoint);
/* The endpoint of this host that has the address. NULL: none. */
const struct store_node *snapshot_find_holder(const struct snapshot *snapshot, const struct addr *addr,
					      const struct workload_endpoint **ret);
/* By --aux-address, which takes addresses that no endpoint will ever have. */
bool snapshot_is_reserved(const struct snapshot *snapshot, const struct addr *addr);
/* Whether an endpoint names this interface. */
bool snapshot_has_interface(const struct snapshot *snapshot, const char *interface);
/* One end of a pair that Join made, by its names, with both ends in this namespace. */
bool snapshot_is_our_pair(const struct snapshot *snapshot, const struct link_info *link);

#endif
