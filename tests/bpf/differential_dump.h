/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the policy maps mean, as text: numbers of sets, rows, lists, steps, rules and texts are replaced by
 * what they stand for, so that two engines that say the same print the same.
 */
#ifndef TESTS_BPF_DIFFERENTIAL_DUMP_H
#define TESTS_BPF_DIFFERENTIAL_DUMP_H

#include "differential_stage.h"

/* malloc'd. Sets appear as those of the stock of addresses that are in them. */
char *maps_dump(const struct stage *stage);

#endif
