/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers of the endpoints of containers with several networks of ours: the n-th has the n-th next hop.
 *
 * Kept in a file beneath the run directory: sandboxes live as long as the machine is up, and a restart of
 * this process must not forget them.
 */
#ifndef WIRING_SANDBOX_H
#define WIRING_SANDBOX_H

#include "model/model.h"
#include "util/err.h"

struct sandboxes;
/* A file that cannot be read counts as empty. */
int sandboxes_open(const char *run_dir, struct sandboxes **ret, struct err *err);
void sandboxes_close(struct sandboxes *sandboxes);

/* The endpoint's number in the sandbox, from 1; the same again for an endpoint that has one. */
int sandbox_join(struct sandboxes *sandboxes, const char *sandbox, const char *endpoint, struct err *err);
/* Adds the ids of all endpoints that are in the sandbox of this one, itself included. 0 or -ENOMEM. */
int sandbox_endpoints(const struct sandboxes *sandboxes, const char *endpoint, struct strings *ret);
void sandbox_leave(struct sandboxes *sandboxes, const char *endpoint);

#endif
