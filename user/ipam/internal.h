/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the IPAM module share: retries, the enabled pools, blocks with their revision. */
#ifndef IPAM_INTERNAL_H
#define IPAM_INTERNAL_H

#include "ipam/ipam.h"

/* How often and how long one operation has been losing. */
struct race {
	unsigned int losses;
	int64_t deadline; /* task_clock_ms() */
};

/* Takes the lock and starts the clock. 0 or -ETIMEDOUT. */
int ipam_enter(struct ipam *ipam, struct race *race, struct err *err);
void ipam_leave(struct ipam *ipam);
/* Pauses before the next attempt; -ETIMEDOUT when there may be none. */
int race_lost(struct race *race, struct err *err);

struct pools {
	struct cidr *items;
	size_t count;
};
/* Enabled pools whose addresses we may assign; `only` (or NULL) restricts them to that
 * one, host bits ignored. */
int pools_read(struct store *store, uint8_t family, const struct cidr *only, struct pools *ret,
	       struct err *err);
void pools_done(struct pools *pools);
bool pools_have_addr(const struct pools *pools, const struct addr *addr);
/* The whole block lies in one of them. */
bool pools_have_block(const struct pools *pools, const struct cidr *block);

/* Addresses that hosts have registered, and what else no container may have. */
struct reserved {
	struct ipam *ipam;
	struct store_list hosts;
};
int reserved_read(struct ipam *ipam, struct reserved *ret, struct err *err);
void reserved_done(struct reserved *reserved);
/* Whose the address is: "an address of this host". NULL: a container may have it. */
const char *reserved_for(struct reserved *reserved, const struct addr *addr);

/* A block as read at a revision. */
struct lease {
	struct block *block;
	uint64_t revision;
};
void lease_done(struct lease *lease);
bool lease_is_mine(const struct ipam *ipam, const struct lease *lease);
/* Replaces what *lease held. 0, -ENOENT, -EBADMSG, store errors. */
int lease_read(struct ipam *ipam, const struct cidr *cidr, struct lease *lease, struct err *err);
/* From an entry of a listing. 0 or -EBADMSG. */
int lease_parse(const struct store_node *node, struct lease *lease, struct err *err);
/* Writes it back, or deletes the block when it is empty and nobody's. -ESTALE: read again. */
int lease_write(struct ipam *ipam, struct lease *lease, struct err *err);
/* Makes the block this host's. 0 and the lease, -EEXIST (another host's, or nobody's but in use). */
int lease_claim(struct ipam *ipam, const struct cidr *cidr, bool strict, struct lease *lease,
		struct err *err);

int ipam_read_config(struct store *store, struct ipam_config *ret, struct err *err);

#endif
