/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* BGP peers of all nodes, or of one: what `bgp peer` and `node bgp peer` have in common. */
#ifndef CLI_BGP_PEERS_H
#define CLI_BGP_PEERS_H

#include "cli/command.h"

/* Words in place of these: section 8 and section 9.5 of the command line specification. */
struct peer_scope {
	const char *host;	 /* NULL: all nodes */
	const char *headings[2]; /* of the address column: IPv4, IPv6 */
	const char *none[2];	 /* line when there are no peers */
	const char *removed;	 /* line after removal */
	const char *unknown;	 /* " is not ...", after the address */
};

int bgp_peer_add(struct ctl *ctl, const struct args *args, const struct peer_scope *scope);
int bgp_peer_remove(struct ctl *ctl, const struct args *args, const struct peer_scope *scope);
int bgp_peer_show(struct ctl *ctl, const struct args *args, const struct peer_scope *scope);

struct bgp_peer {
	const char *ip, *as;
};
/*
 * Peers of the family in a directory ("peer_v4"), sorted by address; host NULL: of all nodes. Kept until the
 * end of the run. false: told.
 */
bool bgp_peers_load(struct ctl *ctl, const char *host, uint8_t family, struct bgp_peer **ret,
		    size_t *ret_count);

/* AS number of all nodes without an own one: stored, or the default. false: told. */
bool bgp_default_as(struct ctl *ctl, const char **ret);

#endif
