/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Answers of the daemon's control socket: GET /status gives the JSON object that `calicoctl status` shows. */
#ifndef AGENT_CONTROL_H
#define AGENT_CONTROL_H

#include "http/route.h"

/* Where the answers come from. */
struct control {
	json_t *(*status)(void *arg); /* returns a new reference */
	void *arg;
};

extern const struct route control_routes[]; /* arg: struct control */

#endif
