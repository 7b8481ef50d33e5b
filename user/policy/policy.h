/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy engine: turns model objects into the entries of the policy maps (include/abi.h), doing work in
 * proportion to the change. Pure: no I/O, no kernel; what to write goes to a sink, which the dataplane
 * implements with maps and the tests with arrays.
 *
 * Use: any number of policy_set_*() calls, then policy_commit(), which writes everything in an order that
 * never fails open: new sets into rows, rows before addresses, rules before steps before lists, then one
 * store per endpoint publishes, then a fence, then generations make established flows re-check (not earlier:
 * a packet still judged by the old policy could store the new generation), and only then are freed entries
 * reused. Seen by one direction of one endpoint, each packet gets the old verdict or the new one or is
 * dropped. Whatever does not fit into a map, or refers to what is missing, denies the endpoints concerned and
 * is reported; it is tried again at each commit that may have made room.
 *
 * An engine starts empty and writes to empty maps. It is never initialised from maps.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "abi.h"
#include "model/endpoint.h"
#include "model/pool.h"
#include "model/profile.h"

/* Maps that the engine writes; the order is that of their dependencies. */
enum policy_map {
	MAP_IDENTITY, /* key u32, value u64 */
	MAP_ADDRESS4, /* struct address4_key -> struct address */
	MAP_ADDRESS6,
	MAP_PREFIX4, /* struct prefix4_key -> struct address */
	MAP_PREFIX6,
	MAP_PORTSET,	     /* u32 -> struct portset */
	MAP_RULE,	     /* u32 -> struct policy_rule */
	MAP_RULE_INFO,	     /* u32 -> struct rule_info */
	MAP_LOG_PREFIX,	     /* u32 -> struct log_prefix */
	MAP_STEP,	     /* u32 -> struct policy_step */
	MAP_LIST,	     /* u32 -> struct policy_list */
	MAP_ENDPOINT_POLICY, /* u32 slot -> struct endpoint_policy */
	MAP_GENERATION,	     /* u32 -> u32 */
	POLICY_MAP_COUNT,
};

struct policy_sink {
	void *arg;
	/* Entries of each map, e.g. 65536. */
	__u32 capacity[POLICY_MAP_COUNT];
	/* count consecutive keys of an array map, or single entries of a hash. 0 or -errno (-E2BIG: full). */
	int (*write)(void *arg, enum policy_map map, const void *key, const void *value);
	int (*erase)(void *arg, enum policy_map map, const void *key); /* hash and prefix maps only */
	/* Returns when no packet that started before the call is still being judged. */
	int (*fence)(void *arg);
};

struct policy_engine;

/*
 * problem: called for every object that could not be put in force, with what to tell a person; text NULL:
 * solved. object: "profile web", "endpoint cali0123", "policy t/n". May be called from set and from commit.
 */
int policy_engine_new(const struct policy_sink *sink,
		      void (*problem)(void *arg, const char *object, const char *text), void *problem_arg,
		      struct policy_engine **ret);
void policy_engine_free(struct policy_engine *engine);

/* NULL removes. Objects are copied or taken as said. Objects may come in any order. */
int policy_set_rules(struct policy_engine *engine, const char *profile, struct rules *rules /* taken */);
int policy_set_tags(struct policy_engine *engine, const char *profile, const struct strings *tags);
int policy_set_labels(struct policy_engine *engine, const char *profile, const struct labels *labels);
int policy_set_tier(struct policy_engine *engine, const char *tier, const double *order);
int policy_set_policy(struct policy_engine *engine, const char *tier, const char *name,
		      struct policy *policy /* taken */);
int policy_set_pool(struct policy_engine *engine, const struct cidr *cidr, const struct pool *pool);
/* Blocks of addresses that IPAM has given to this host: none of them is anywhere else, unless it is known. */
int policy_set_block(struct policy_engine *engine, const struct cidr *cidr, bool present);
/* Addresses of this host's own interfaces (and their broadcast addresses). */
int policy_set_host_address(struct policy_engine *engine, const struct addr *addr, bool present);
/*
 * Addresses that are registered for hosts, this one or another: no endpoint may send them encapsulated
 * packets.
 */
int policy_set_node_address(struct policy_engine *engine, const struct addr *addr, bool present);
/*
 * An endpoint of any host, by its datastore key. slot 0: not local, or local without interface yet; else its
 * slot in the `endpoint` map: the engine publishes endpoint_policy[slot] and marks its addresses
 * ADDRESS_LOCAL while the endpoint is active. Two endpoints may have one address: tags and labels of both
 * count, the local one that was set last owns it. Endpoints of one directory with equal sandboxes are one
 * container's: all its addresses have the tags and labels of each.
 */
int policy_set_endpoint(struct policy_engine *engine, const char *key,
			const struct workload_endpoint *endpoint, __u32 slot);
/*
 * A host endpoint of any host. Its expected addresses feed tags and selectors, and are never ADDRESS_LOCAL.
 * slot as above, 0 for one without interface; the host's end of a flow that it judged has the generation of
 * that slot, which changes with the membership of this host's own addresses, too.
 */
int policy_set_host_endpoint(struct policy_engine *engine, const char *key,
			     const struct host_endpoint *endpoint, __u32 slot);

/*
 * Another host endpoint judges now what this one did: from the next commit on, established flows are checked
 * again. 0 or -errno.
 */
int policy_recheck(struct policy_engine *engine, __u32 slot);

/* Generation slot of an endpoint slot; the agent writes it into the `endpoint` map. */
__u32 policy_generation_slot(struct policy_engine *engine, __u32 slot);

/* Puts all changes in force. 0, or -errno when the sink failed (endpoints concerned deny). */
int policy_commit(struct policy_engine *engine);

struct policy_usage {
	__u32 used[POLICY_MAP_COUNT], capacity[POLICY_MAP_COUNT];
	__u32 lacking; /* bit per map in which something found no room at the last commit */
	__u32 sets, rows, lists;
	__u64 writes; /* sink writes since the start: what a change cost */
};
void policy_usage(const struct policy_engine *engine, struct policy_usage *ret);

#endif
