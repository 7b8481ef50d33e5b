/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ways to put a program on an interface's hooks: tcx links (Linux 6.6 and later), or filters of a clsact
 * qdisc. Both are replaced atomically, and each knows its own and touches nothing else.
 */
#ifndef DATAPLANE_ATTACH_H
#define DATAPLANE_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "dataplane/pins.h"
#include "util/err.h"

/* XDP is not one of those that every interface has: only links know it, of whichever kind the others are. */
enum hook { HOOK_INGRESS, HOOK_EGRESS, HOOK_COUNT, HOOK_XDP = HOOK_COUNT };

struct attach_point {
	struct pins *pins;
	int ifindex;
	const char *name;
	enum hook hook;
};

struct attach_ops {
	const char *name;
	/* Makes it our only program of this kind there, ahead of everybody else's. */
	int (*set)(const struct attach_point *point, int prog_fd);
	/* Id of our program there; 0: none (that an interface or pin is missing means none). Or -errno. */
	int (*get)(const struct attach_point *point, __u32 *ret_prog_id);
	/* Absent: 0. The interface may be gone. */
	int (*remove)(const struct attach_point *point);
};

extern const struct attach_ops attach_tcx, attach_clsact;

/* The running kernel has tcx links. */
bool attach_tcx_probe(void);
/* Deletes pins of links, XDP's included, whose interface is gone; with `all`, detaches and deletes the others
 * too. */
void attach_tcx_prune(struct pins *pins, bool all);
/*
 * How many of the next 256 held links are on no interface, or with a program that `is_own` denies. The cursor
 * starts at 0 and comes round.
 */
int attach_tcx_lost(struct pins *pins, size_t *cursor, bool (*is_own)(void *arg, __u32 prog_id), void *arg);

#endif
