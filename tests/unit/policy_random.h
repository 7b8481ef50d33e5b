/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Random documents and packets, drawn from so few names and addresses that they meet all the time. */
#ifndef TESTS_UNIT_POLICY_RANDOM_H
#define TESTS_UNIT_POLICY_RANDOM_H

#include "unit/policy_fixture.h"

struct random {
	__u64 state; /* not 0 */
};
/* 0 .. limit-1 */
__u32 random_below(struct random *random, __u32 limit);

#define RANDOM_SLOTS	 5 /* workload endpoints have slots 0 .. 4 */
#define RANDOM_HOST_SLOT 5 /* host endpoints have this one, or 0 */

/* Sets or removes a document. */
void random_change(struct random *random, struct fixture *fixture);
struct probe random_probe(struct random *random);
size_t random_address_count(void);
struct addr random_address(size_t i);

#endif
