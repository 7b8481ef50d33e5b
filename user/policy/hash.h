/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* uthash, told to survive memory exhaustion: an element that could not be added has no table. */
#ifndef POLICY_HASH_H
#define POLICY_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define HASH_FAILED(element) (!(element)->hh.tbl)

#endif
