/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The routing daemon's BGP sessions, asked on its control socket. */
#ifndef CLI_BIRD_H
#define CLI_BIRD_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/arena.h"
#include "util/err.h"

struct bird_peer {
	const char *address, *type, *state, *since, *info;
	unsigned int family;
	struct bird_peer *next;
};

/*
 * One line of "show protocols" after its code. false: not one of our BGP sessions. Texts are in the arena.
 */
bool bird_parse_protocol(struct arena *arena, const char *line, struct bird_peer *ret);
/* Reads an answer; sessions in BIRD's order. 0 or -EBADMSG. */
int bird_read_protocols(struct arena *arena, FILE *socket, struct bird_peer **ret);
/* Asks on the socket at this path. 0, -EACCES, or another error when BIRD does not answer. */
int bird_peers(struct arena *arena, const char *path, struct bird_peer **ret);

#endif
