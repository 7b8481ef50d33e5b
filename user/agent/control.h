/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's control socket, <run-dir>/calico-node.sock, mode 0600: HTTP on a unix socket, GET /status
 * answers the JSON object that `calicoctl status` shows.
 */
#ifndef AGENT_CONTROL_H
#define AGENT_CONTROL_H

#include <jansson.h>

#include "util/err.h"

struct control;
/* status returns a new reference. */
int control_start(const char *path, json_t *(*status)(void *arg), void *arg, struct control **ret,
		  struct err *err);
void control_stop(struct control *control);

#endif
