/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which next hop an endpoint has, and who answers for it. */
#include "wiring/next_hop.h"

#include <stdio.h>

struct addr next_hop(uint8_t family, unsigned int number)
{
	struct addr first;

	addr_parse(family == 6 ? "fe80::1" : "169.254.1.1", &first);
	return addr_add(&first, number - 1);
}

bool next_hop_is_wanted(const struct workload_endpoint *endpoint, uint8_t family)
{
	for (size_t i = 0; i < endpoint->net_count; i++) {
		if (endpoint->nets[i].family == family)
			return true;
	}
	return false;
}

/*
 * The programs answer ARP for every next hop, but neighbour discovery only for the first: the host's stack
 * answers for the others. Nobody else is on the link, so detection of duplicates would just delay that.
 */
int next_hop_serve(struct netlink *netlink, int ifindex, const char *host_name, unsigned int number,
		   struct err *err)
{
	struct addr hop = next_hop(6, number);
	char path[64];
	int rc;

	if (number == 1)
		return 0;
	snprintf(path, sizeof(path), "ipv6/conf/%s/accept_dad", host_name);
	rc = sysctl_write(path, "0", err);
	return rc < 0 ? rc : address_add(netlink, ifindex, &hop, 64, err);
}
