/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The dataplane's own sink, onto the maps of objects that a test has loaded. */
#ifndef TESTS_BPF_SINK_H
#define TESTS_BPF_SINK_H

#include <stdbool.h>

#include "policy/policy.h"

struct bpf_object;

/*
 * Unless fenced, the sink does not wait for packets: they only run when the test runs them. 0 or -errno.
 */
int sink_open(struct bpf_object *maps, bool fenced, struct policy_sink *ret);
void sink_close(struct policy_sink *sink);

#endif
