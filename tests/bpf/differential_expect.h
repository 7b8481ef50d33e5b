/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What must become of a packet, from the datastore's documents alone: who may send it, where it goes, and
 * what the reference evaluator says about the policies of both ends.
 */
#ifndef TESTS_BPF_DIFFERENTIAL_EXPECT_H
#define TESTS_BPF_DIFFERENTIAL_EXPECT_H

#include "differential_uplink.h"

enum fate { DROPPED, PASSED /* as it came */, TO_PEER, TO_STACK, TO_STACK_MASQUERADED };

struct expectation {
	enum fate fate;
	enum drop_reason reason; /* DROP_NONE unless DROPPED */
	bool opens_flow;
	bool early;   /* dropped by XDP */
	__u32 blamed; /* slot whose interface a drop is counted for; 0: the unknown one */
	/* Policies that are consulted, in order. */
	struct reference verdict[2];
	size_t verdicts;
};
/* At the hooks of endpoints. */
void expect(const struct world *world, const struct settings *settings, const struct shot *shot,
	    struct expectation *ret);
/* ARRIVING or LEAVING; until it is delivered or the host's stack has it. Not of a flow that there is. */
void expect_at_uplink(const struct world *world, const struct settings *settings, const struct shot *shot,
		      enum screener screener, struct expectation *ret);
/* Why the addresses alone make the packet one to drop where it arrives. */
enum drop_reason expect_screened(const struct world *world, const struct shot *shot);

#endif
