/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The policy engine's sink onto the maps of a progrun. */
#ifndef TESTS_BPF_SINK_H
#define TESTS_BPF_SINK_H

#include "policy/policy.h"
#include "progrun.h"

/* The progrun must stay open. Without a fence: packets only run when a test runs them. */
void sink_to_maps(struct policy_sink *sink, struct progrun *progrun);

#endif
