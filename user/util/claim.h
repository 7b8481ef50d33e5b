/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One daemon per network namespace, whatever directories it uses. */
#ifndef UTIL_CLAIM_H
#define UTIL_CLAIM_H

#include "util/err.h"

/*
 * The claim is a listening socket with an abstract name: each network namespace has such names of its own,
 * and the kernel ends the claim with the process. Returns the descriptor, for the caller to keep and to
 * close. Somebody has to accept connections to it, which ask for nothing. -EBUSY when another process of root
 * has the name. One of another user cannot keep a daemon from starting: that is logged only.
 */
int claim_namespace(struct err *err);

#endif
