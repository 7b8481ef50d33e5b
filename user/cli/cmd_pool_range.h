/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl pool range add: handler for the table in cmd_pool.c, and how a range is split. */
#ifndef CLI_CMD_POOL_RANGE_H
#define CLI_CMD_POOL_RANGE_H

#include "cli/command.h"

#define RANGE_MAX_CIDRS 254 /* at most two of each prefix length */

/* The minimal list of CIDRs that covers exactly first..last (same family, first <= last). Returns how many.
 */
size_t range_split(const struct addr *first, const struct addr *last, struct cidr ret[RANGE_MAX_CIDRS]);

int cmd_pool_range_add(struct ctl *ctl, const struct args *args);

#endif
