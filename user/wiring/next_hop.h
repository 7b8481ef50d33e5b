/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Next hops of containers: 169.254.1.<n> and fe80::<n> for the n-th endpoint of a sandbox, because libnetwork
 * refuses a second interface with the same route.
 */
#ifndef WIRING_NEXT_HOP_H
#define WIRING_NEXT_HOP_H

#include <stdbool.h>

#include "model/endpoint.h"
#include "netlink/netlink.h"

struct addr next_hop(uint8_t family, unsigned int number);
/* Containers without IPv6 addresses have IPv6 disabled: an IPv6 route makes their start fail. */
bool next_hop_is_wanted(const struct workload_endpoint *endpoint, uint8_t family);
/* Gives an interface on the host the IPv6 next hop of that number, if the programs do not answer for it. */
int next_hop_serve(struct netlink *netlink, int ifindex, const char *host_name, unsigned int number,
		   struct err *err);

#endif
