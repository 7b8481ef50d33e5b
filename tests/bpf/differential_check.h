/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a packet did against what was expected of it. */
#ifndef TESTS_BPF_DIFFERENTIAL_CHECK_H
#define TESTS_BPF_DIFFERENTIAL_CHECK_H

#include "differential_expect.h"
#include "differential_stage.h"

/* What differs in verdict, reason, way out, matching rules, log events or flow; NULL: nothing. */
const char *check_observation(const struct stage *stage, const struct shot *shot,
			      const struct expectation *expected, const struct observation *seen);
/* Is the packet what the next one on its way must get? One that was dropped always is. */
bool check_packet(const struct stage *stage, const struct shot *shot, const struct observation *seen);
/* Prints all that is needed to understand it, and fails the running test. */
void complain(const struct stage *stage, const struct shot *shot, const struct expectation *expected,
	      const struct observation *seen, const char *what);

#endif
