/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses of interfaces. */
#include "netlink/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/rtnetlink.h>
#include <sys/socket.h>

void netlink_address_read(struct rtnl_addr *address, struct interface_address *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ifindex = rtnl_addr_get_ifindex(address);
	ret->length = (uint8_t)rtnl_addr_get_prefixlen(address);
	ret->global = rtnl_addr_get_scope(address) == RT_SCOPE_UNIVERSE;
	netlink_addr_read(rtnl_addr_get_local(address), &ret->addr);
	netlink_addr_read(rtnl_addr_get_broadcast(address), &ret->broadcast);
}

int address_list(struct netlink *nl, struct interface_address **ret, size_t *ret_count, struct err *err)
{
	struct nl_cache *addresses = NULL, *links = NULL;
	struct interface_address *list = NULL;
	struct nl_object *obj;
	size_t count = 0;
	int rc;

	rc = rtnl_link_alloc_cache(nl->sock, AF_UNSPEC, &links);
	if (!rc)
		rc = rtnl_addr_alloc_cache(nl->sock, &addresses);
	rc = netlink_error(rc);
	if (rc)
		goto out;
	list = calloc((size_t)nl_cache_nitems(addresses) + 1, sizeof(*list));
	if (!list) {
		rc = -ENOMEM;
		goto out;
	}
	for (obj = nl_cache_get_first(addresses); obj; obj = nl_cache_get_next(obj)) {
		struct interface_address *entry = &list[count];

		netlink_address_read((struct rtnl_addr *)obj, entry);
		if (!entry->addr.family)
			continue;
		rtnl_link_i2name(links, entry->ifindex, entry->link, sizeof(entry->link));
		count++;
	}
out:
	nl_cache_free(addresses);
	nl_cache_free(links);
	if (rc)
		return err_set(err, -rc, "cannot list the addresses of the interfaces: %s", strerror(-rc));
	*ret = list;
	*ret_count = count;
	return 0;
}

int address_add(struct netlink *nl, int ifindex, const struct addr *addr, uint8_t length, struct err *err)
{
	struct rtnl_addr *address = rtnl_addr_alloc();
	struct nl_addr *local = netlink_addr_new(addr, length);
	char text[ADDR_TEXT];
	int rc = -ENOMEM;

	if (address && local) {
		rtnl_addr_set_ifindex(address, ifindex);
		rc = rtnl_addr_set_local(address, local);
		if (!rc)
			rc = rtnl_addr_add(nl->sock, address, 0);
		rc = netlink_error(rc);
	}
	nl_addr_put(local);
	rtnl_addr_put(address);
	if (rc && rc != -EEXIST)
		return err_set(err, -rc, "cannot add the address %s/%u to the interface with index %d: %s",
			       addr_format(addr, text), length, ifindex, strerror(-rc));
	return 0;
}
