/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calico IPAM v2 on the datastore: blocks of 64 addresses with an affinity to a host, changed by
 * compare-and-swap. Any number of processes and hosts may do this at once.
 */
#ifndef IPAM_IPAM_H
#define IPAM_IPAM_H

#include "model/block.h"
#include "store/store.h"

struct ipam {
	struct store *store;
	const char *host; /* borrowed */
};

/* attributes of an address: "handle_id" null and these members in "secondary"; NULL: empty. New reference. */
json_t *ipam_attribute(const char *host, const char *type);

/*
 * Assigns up to `count` addresses of the family, from one pool or (pool NULL) from all enabled pools.
 * Returns how many, or < 0. None left: -ENOSPC with a text that names pool and remedy.
 */
int ipam_assign_any(struct ipam *ipam, uint8_t family, size_t count, const struct cidr *pool,
		    json_t *attribute, struct addr *ret, struct err *err);
/* 0, -EEXIST (in use), -ENOENT (in no enabled pool). */
int ipam_assign(struct ipam *ipam, const struct addr *addr, json_t *attribute, struct err *err);
/* 0, -ENOENT (was not assigned). */
int ipam_release(struct ipam *ipam, const struct addr *addr, struct err *err);
/* 0 and the attribute (new reference, may be JSON null), -ENOENT. */
int ipam_info(struct ipam *ipam, const struct addr *addr, json_t **ret_attribute, struct err *err);
/* Ends all hosts' affinities to blocks inside the pool: empty blocks go, others lose their affinity. */
int ipam_release_pool(struct ipam *ipam, const struct cidr *pool, struct err *err);
/* Ends all affinities of one host and removes its directory. */
int ipam_release_host(struct ipam *ipam, const char *host, struct err *err);

/*
 * Calls back for every address whose attribute names this host and `type`, with its age in seconds (from
 * "since"). Return true to release it. Returns the number released or < 0.
 */
int ipam_collect(struct ipam *ipam, const char *type,
		 bool (*release)(void *arg, const struct addr *addr, long age_s), void *arg, struct err *err);

#endif
