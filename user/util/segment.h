/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A name in a path of the datastore: 1 to 255 bytes, no slash or control character, not "." or "..". Pure.
 */
#ifndef UTIL_SEGMENT_H
#define UTIL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>

#define SEGMENT_MAX 255

bool segment_valid(const char *segment);
/* Why a name is not: "must not be '..', which leads elsewhere in the datastore". NULL when it is valid. */
const char *segment_fault(const char *segment);
/* The same for a part of a longer text. */
const char *segment_fault_of(const char *segment, size_t length);

#endif
