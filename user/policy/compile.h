/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pieces of the compiler, private to compile*.c. */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "policy/engine.h"

#define FAMILIES (MATCH_IPV4 | MATCH_IPV6)

/*
 * What a rule comes to before it is written per class: flags and fields common to all, and the families that
 * it can match in each class (0: none).
 */
struct outline {
	struct policy_rule common;
	__u16 families[CLASS_COUNT]; /* of enum match_flags */
};

/*
 * Protocol, ICMP and address family conditions. Returns false when no packet can match. A rule that cannot be
 * expressed, or has no meaning, becomes an unconditional deny at its place.
 */
bool outline_rule(const struct rule *rule, struct outline *ret);

/* Address conditions: fills src_set, dst_set and their negations. 1: goes on; 0: no packet can match. */
int outline_addresses(struct policy_engine *engine, const struct rule *rule, struct outline *outline);

#endif
