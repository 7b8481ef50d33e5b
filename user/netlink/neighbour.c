/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Permanent neighbour entries: the host never has to ask an endpoint for its MAC. */
#include "netlink/internal.h"

#include <errno.h>
#include <string.h>

#include <linux/neighbour.h>
#include <netlink/route/neighbour.h>

static struct rtnl_neigh *neighbour_new(int ifindex, const struct addr *addr)
{
	struct nl_addr *dst = netlink_addr_new(addr, (uint8_t)addr_bits(addr));
	struct rtnl_neigh *neigh = rtnl_neigh_alloc();

	if (!dst || !neigh) {
		nl_addr_put(dst);
		rtnl_neigh_put(neigh);
		return NULL;
	}
	rtnl_neigh_set_ifindex(neigh, ifindex);
	rtnl_neigh_set_dst(neigh, dst);
	nl_addr_put(dst);
	return neigh;
}

int neighbour_add(struct netlink *nl, int ifindex, const struct addr *addr, const uint8_t mac[6],
		  struct err *err)
{
	struct rtnl_neigh *neigh = neighbour_new(ifindex, addr);
	struct nl_addr *lladdr = netlink_mac_new(mac);
	char text[ADDR_TEXT];
	int rc = -ENOMEM;

	if (neigh && lladdr) {
		rtnl_neigh_set_lladdr(neigh, lladdr);
		rtnl_neigh_set_state(neigh, NUD_PERMANENT);
		rc = netlink_error(rtnl_neigh_add(nl->sock, neigh, NLM_F_CREATE | NLM_F_REPLACE));
	}
	nl_addr_put(lladdr);
	rtnl_neigh_put(neigh);
	if (rc)
		return err_set(err, -rc, "cannot add the neighbour %s to the interface with index %d: %s",
			       addr_format(addr, text), ifindex, strerror(-rc));
	return 0;
}

int neighbour_delete(struct netlink *nl, int ifindex, const struct addr *addr, struct err *err)
{
	struct rtnl_neigh *neigh = neighbour_new(ifindex, addr);
	char text[ADDR_TEXT];
	int rc = -ENOMEM;

	if (neigh) {
		rc = netlink_error(rtnl_neigh_delete(nl->sock, neigh, 0));
		rtnl_neigh_put(neigh);
	}
	if (rc && rc != -ENOENT && rc != -ENODEV)
		return err_set(err, -rc, "cannot delete the neighbour %s of the interface with index %d: %s",
			       addr_format(addr, text), ifindex, strerror(-rc));
	return 0;
}
