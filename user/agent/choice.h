/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which of this host's addresses others reach it by, and which interfaces lead to other hosts. */
#ifndef AGENT_CHOICE_H
#define AGENT_CHOICE_H

#include "netlink/netlink.h"

struct address_choice {
	const struct interface_address *addresses; /* in the kernel's order */
	size_t address_count;
	const struct link_info *links;
	size_t link_count;
	const char *uplinks; /* the parameter: names with commas */
	const char *prefix;  /* of endpoints' interfaces */
	int default_link;    /* index of the interface of the default route; 0: there is none */
};

/*
 * An IPv4 address of the interface of the default route, else the first that is global, else the last. None
 * of an interface that software for containers or tunnels has made, nor of a bridge, unless Uplinks names it;
 * a bridge that the default route leaves by is one of the uplinks. NULL: there is none.
 */
const struct interface_address *choice_host_address(const struct address_choice *choice);

/* Whether an interface that no parameter names may be an uplink. */
bool choice_is_uplink(const struct link_info *link, bool has_default_route);

#endif
