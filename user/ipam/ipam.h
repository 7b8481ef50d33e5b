/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calico IPAM v2 on the datastore: blocks of 64 addresses with an affinity to a host, changed by
 * compare-and-swap. Any number of processes and hosts may do this at once; inside one process operations on
 * one `struct ipam` queue up, so that only hosts contend.
 *
 * A lost compare-and-swap is repeated with jittered pauses, at most IPAM_ATTEMPTS times and IPAM_LIMIT_MS
 * long; after that -ETIMEDOUT. Store errors are passed on: after -ENOTCONN or -ETIMEDOUT an assignment may
 * have happened, its attribute lets ipam_collect() find it.
 */
#ifndef IPAM_IPAM_H
#define IPAM_IPAM_H

#include "model/block.h"
#include "store/store.h"
#include "util/task.h"

#define IPAM_ATTEMPTS 100
#define IPAM_LIMIT_MS 5000

/*
 * Addresses that no container may have are never assigned: those that no host may have (addr_unusable()),
 * those that hosts have registered, and those that `reserved` knows of.
 */
struct ipam { /* members not named at initialisation must be zero */
	struct store *store;
	const char *host; /* borrowed */
	/* May be NULL. Whose the address is, "an address of this host"; NULL: nobody's. */
	const char *(*reserved)(void *arg, const struct addr *addr);
	void *reserved_arg;
	/*
	 * May be NULL. An endpoint runs with the address although its block may not say so: it is not
	 * assigned to somebody who asks for any.
	 */
	bool (*in_use)(void *arg, const struct addr *addr);
	void *in_use_arg;
	struct task_mutex lock;
};

/*
 * Attribute of an address, marked with who holds it: {"handle_id": null, "secondary": {"node", "type",
 * "since"}}, strings all. host NULL: secondary is empty. New reference; NULL on memory exhaustion.
 */
json_t *ipam_attribute(const char *host, const char *type);
/* Whether it carries the mark of this host and type; the age in seconds then (may be NULL). */
bool ipam_attribute_is(const json_t *attribute, const char *host, const char *type, long *ret_age_s);

/*
 * Assigns up to `count` addresses of the family, from one pool or (pool NULL) from all enabled pools.
 * Returns how many, or < 0. None left: -ENOSPC with a text that names pool and remedy. A `pool` that is not
 * enabled for IPAM: -ENOENT.
 */
int ipam_assign_any(struct ipam *ipam, uint8_t family, size_t count, const struct cidr *pool,
		    json_t *attribute, struct addr *ret, struct err *err);
/*
 * One address for a user who names no pool: from the pool that such users have had before, on any host, while
 * it is enabled and has room, else from any. Otherwise a new pool would move everybody to other addresses.
 * 0, or < 0 as above.
 */
int ipam_assign_chosen(struct ipam *ipam, uint8_t family, json_t *attribute, struct addr *ret,
		       struct err *err);
/* 1: the pool (NULL: any pool of the family) is enabled for IPAM; 0: not; < 0. */
int ipam_pool_enabled(struct ipam *ipam, uint8_t family, const struct cidr *pool, struct err *err);
/* Refuses (-EADDRNOTAVAIL) an address that no container may have, with a text that says why. */
int ipam_check_address(struct ipam *ipam, const struct addr *addr, struct err *err);
/*
 * 0, -EEXIST (in use), -ENOENT (in no enabled pool), -EACCES (another host's block under strict affinity),
 * -EADDRNOTAVAIL as above.
 */
int ipam_assign(struct ipam *ipam, const struct addr *addr, json_t *attribute, struct err *err);
/*
 * As ipam_assign(), for an address that is in use although the datastore has forgotten it: whatever the pools
 * and the hosts' addresses are now. Also the key of this host's affinity to its block. 1: something was
 * written, 0: nothing had to be, -EEXIST: it is assigned to another host.
 */
int ipam_adopt(struct ipam *ipam, const struct addr *addr, json_t *attribute, struct err *err);
/* 0, -ENOENT (was not assigned). */
int ipam_release(struct ipam *ipam, const struct addr *addr, struct err *err);
/* As ipam_release(), if `may` agrees to the attribute that is stored at that moment; else -EPERM. */
int ipam_release_if(struct ipam *ipam, const struct addr *addr,
		    bool (*may)(void *arg, const json_t *attribute), void *arg, struct err *err);
/* 0 and the attribute as stored, {"handle_id", "secondary"} (new reference); -ENOENT. */
int ipam_info(struct ipam *ipam, const struct addr *addr, json_t **ret_attribute, struct err *err);
/* Ends all hosts' affinities to blocks inside the pool: empty blocks go, others lose their affinity. */
int ipam_release_pool(struct ipam *ipam, const struct cidr *pool, struct err *err);
/* Ends all affinities of one host and removes its directory. */
int ipam_release_host(struct ipam *ipam, const char *host, struct err *err);

/*
 * Calls back for every address whose attribute names this host and `type`, with its age in seconds (from
 * "since"). Return true to release it; one that changed hands meanwhile stays. Returns the number released or
 * < 0.
 */
int ipam_collect(struct ipam *ipam, const char *type,
		 bool (*release)(void *arg, const struct addr *addr, long age_s), void *arg, struct err *err);

#endif
