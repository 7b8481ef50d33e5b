/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The order in which a host tries the blocks of its pools when it claims a new one: every block once, always
 * the same for one host, different between hosts so that they seldom meet. Pure, and constant in memory: an
 * IPv6 /64 has 2^58 blocks.
 */
#ifndef IPAM_CANDIDATES_H
#define IPAM_CANDIDATES_H

#include "util/addr.h"

struct candidates {
	struct candidate_pool *pools;
	size_t count, turn;
};

/* Pools smaller than a block have no candidates. 0 or -ENOMEM. */
int candidates_init(struct candidates *candidates, const struct cidr *pools, size_t count, const char *host);
void candidates_done(struct candidates *candidates);
/* Pools take turns. False: all were visited. */
bool candidates_next(struct candidates *candidates, struct cidr *ret);

#endif
