/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The routing daemon's BGP sessions, asked on its control socket. */
#ifndef ROUTING_BIRD_H
#define ROUTING_BIRD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "util/err.h"

struct bird_peer {
	char address[64];
	const char *type; /* "node-to-node mesh", "node specific" or "global" */
	char state[16], since[32];
	char info[160]; /* free text, cut if it is longer */
	unsigned int family;
};

/* One line of "show protocols" after its code. false: not one of our BGP sessions. */
bool bird_parse_protocol(const char *line, struct bird_peer *ret);
/* Reads an answer; sessions in BIRD's order, malloc'd. 0, -EBADMSG or -ENOMEM. */
int bird_read_protocols(FILE *socket, struct bird_peer **ret, size_t *ret_count);
/* Asks on the socket at this path. 0, -EACCES, or another error when BIRD does not answer. */
int bird_peers(const char *path, struct bird_peer **ret, size_t *ret_count);

#endif
