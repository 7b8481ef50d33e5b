/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What must become of a packet, from the datastore's documents alone: who may send it, where it goes, and
 * what the reference evaluator says about the policies of both ends.
 */
#ifndef TESTS_BPF_DIFFERENTIAL_EXPECT_H
#define TESTS_BPF_DIFFERENTIAL_EXPECT_H

#include "differential_random.h"

enum fate { DROPPED, PASSED /* as it came */, TO_PEER, TO_STACK, TO_STACK_MASQUERADED };

struct expectation {
	enum fate fate;
	enum drop_reason reason; /* DROP_NONE unless DROPPED */
	bool opens_flow;
	__u32 blamed; /* slot whose interface a drop is counted for; 0: the unknown one */
	/* Policies that are consulted, in order. */
	struct reference verdict[2];
	size_t verdicts;
};
void expect(const struct world *world, const struct settings *settings, const struct shot *shot,
	    struct expectation *ret);

#endif
