/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The configured IP pools, and adding to them all or nothing. */
#ifndef CLI_POOL_LIST_H
#define CLI_POOL_LIST_H

#include "cli/ctl.h"
#include "model/pool.h"

#define POOL_MAX_LENGTH4 26 /* one block of IPAM */
#define POOL_MAX_LENGTH6 122

struct pool_list {
	struct pool **items; /* sorted by key, which is the CIDR as text */
	size_t count;
};

/* Pools of a family; values that are not valid are left out. false: told. Free with pool_list_done(). */
bool pool_list_load(struct ctl *ctl, uint8_t family, struct pool_list *ret);
void pool_list_done(struct pool_list *pools);

/* Whether every address of the network can be a container's; says so if not. */
bool pool_check_usable(struct ctl *ctl, const struct cidr *cidr);

struct pool_options {
	bool ipip, masquerade;
};
/* Writes (or replaces) the pools. Returns a status; failures are told. */
int pool_list_write(struct ctl *ctl, const struct cidr *pools, size_t count,
		    const struct pool_options *options);

static inline uint8_t pool_max_length(uint8_t family)
{
	return family == 6 ? POOL_MAX_LENGTH6 : POOL_MAX_LENGTH4;
}

#endif
