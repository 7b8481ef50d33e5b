/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Interfaces: make veth pairs, bring up, delete, describe. */
#include "netlink/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <netlink/route/link/veth.h>
#include <sys/socket.h>

static int fill_end(struct rtnl_link *link, const char *name, const uint8_t mac[6], unsigned int mtu)
{
	struct nl_addr *addr = netlink_mac_new(mac);

	if (!addr)
		return -ENOMEM;
	rtnl_link_set_name(link, name);
	rtnl_link_set_addr(link, addr);
	nl_addr_put(addr);
	if (mtu)
		rtnl_link_set_mtu(link, mtu);
	return 0;
}

int link_make_veth(struct netlink *nl, const struct veth_spec *spec, int *ret_ifindex, struct err *err)
{
	struct rtnl_link *host = rtnl_link_veth_alloc(), *peer;
	int rc = -ENOMEM;

	if (!host)
		goto out;
	peer = rtnl_link_veth_get_peer(host);
	rc = fill_end(host, spec->host_name, spec->host_mac, spec->mtu);
	if (!rc)
		rc = fill_end(peer, spec->peer_name, spec->peer_mac, spec->mtu);
	rtnl_link_put(peer);
	if (!rc)
		rc = netlink_error(rtnl_link_add(nl->sock, host, NLM_F_CREATE | NLM_F_EXCL));
	if (!rc) {
		rc = link_index(nl, spec->host_name);
		*ret_ifindex = rc;
	}
out:
	rtnl_link_put(host);
	if (rc == -EEXIST)
		return err_set(err, EEXIST,
			       "cannot create the veth pair %s, %s: an interface of that name exists",
			       spec->host_name, spec->peer_name);
	if (rc < 0)
		return err_set(err, -rc, "cannot create the veth pair %s, %s: %s", spec->host_name,
			       spec->peer_name, strerror(-rc));
	return 0;
}

int link_delete(struct netlink *nl, int ifindex, struct err *err)
{
	struct rtnl_link *link = rtnl_link_alloc();
	int rc = -ENOMEM;

	if (link) {
		rtnl_link_set_ifindex(link, ifindex);
		rc = netlink_error(rtnl_link_delete(nl->sock, link));
		rtnl_link_put(link);
	}
	if (rc && rc != -ENODEV)
		return err_set(err, -rc, "cannot delete the interface with index %d: %s", ifindex,
			       strerror(-rc));
	return 0;
}

int link_index(struct netlink *nl, const char *name)
{
	struct rtnl_link *link;
	int rc = netlink_error(rtnl_link_get_kernel(nl->sock, 0, name, &link));

	if (rc)
		return -ENODEV;
	rc = rtnl_link_get_ifindex(link);
	rtnl_link_put(link);
	return rc;
}

int link_set_up(struct netlink *nl, int ifindex, const uint8_t mac[6], struct err *err)
{
	struct rtnl_link *link = rtnl_link_alloc(), *change = rtnl_link_alloc();
	struct nl_addr *address = mac ? netlink_mac_new(mac) : NULL;
	int rc = -ENOMEM;

	if (link && change && (address || !mac)) {
		if (address)
			rtnl_link_set_addr(change, address);
		rtnl_link_set_ifindex(link, ifindex);
		rtnl_link_set_flags(change, IFF_UP);
		rc = netlink_error(rtnl_link_change(nl->sock, link, change, 0));
	}
	nl_addr_put(address);
	rtnl_link_put(change);
	rtnl_link_put(link);
	if (rc)
		return err_set(err, -rc, "cannot bring up the interface with index %d: %s", ifindex,
			       strerror(-rc));
	return 0;
}

/* Takes the change; NULL: there was no memory for it. */
static int apply(struct netlink *nl, int ifindex, struct rtnl_link *change, const char *what, struct err *err)
{
	struct rtnl_link *link = rtnl_link_alloc();
	int rc = -ENOMEM;

	if (link && change) {
		rtnl_link_set_ifindex(link, ifindex);
		rc = netlink_error(rtnl_link_change(nl->sock, link, change, 0));
	}
	rtnl_link_put(change);
	rtnl_link_put(link);
	return rc ? err_set(err, -rc, "cannot set the %s of the interface with index %d: %s", what, ifindex,
			    strerror(-rc))
		  : 0;
}

int link_set_mac(struct netlink *nl, int ifindex, const uint8_t mac[6], struct err *err)
{
	struct rtnl_link *change = rtnl_link_alloc();
	struct nl_addr *address = netlink_mac_new(mac);

	if (change && address)
		rtnl_link_set_addr(change, address);
	nl_addr_put(address);
	return apply(nl, ifindex, change, "MAC", err);
}

int link_set_mtu(struct netlink *nl, int ifindex, unsigned int mtu, struct err *err)
{
	struct rtnl_link *change = rtnl_link_alloc();

	if (change)
		rtnl_link_set_mtu(change, mtu);
	return apply(nl, ifindex, change, "MTU", err);
}

int link_set_arp(struct netlink *nl, int ifindex, struct err *err)
{
	struct rtnl_link *change = rtnl_link_alloc();

	if (change)
		rtnl_link_unset_flags(change, IFF_NOARP);
	return apply(nl, ifindex, change, "flag NOARP", err);
}

int link_release(struct netlink *nl, int ifindex, struct err *err)
{
	struct rtnl_link *change = rtnl_link_alloc();

	if (change)
		rtnl_link_set_master(change, 0);
	return apply(nl, ifindex, change, "master", err);
}

/* Most kinds of interfaces only change their name while they are down. */
int link_rename(struct netlink *nl, int ifindex, const char *name, struct err *err)
{
	struct rtnl_link *down = rtnl_link_alloc(), *change = rtnl_link_alloc();
	int rc;

	if (down)
		rtnl_link_unset_flags(down, IFF_UP);
	rc = apply(nl, ifindex, down, "state", err);
	if (change)
		rtnl_link_set_name(change, name);
	if (rc < 0) {
		rtnl_link_put(change);
		return rc;
	}
	return apply(nl, ifindex, change, "name", err);
}

void netlink_link_read(struct rtnl_link *link, struct link_info *ret)
{
	const char *name = rtnl_link_get_name(link), *kind = rtnl_link_get_type(link);
	unsigned int flags = rtnl_link_get_flags(link);
	int32_t netns;

	memset(ret, 0, sizeof(*ret));
	ret->ifindex = rtnl_link_get_ifindex(link);
	strncpy(ret->name, name ? name : "", sizeof(ret->name) - 1);
	strncpy(ret->kind, kind ? kind : "", sizeof(ret->kind) - 1);
	ret->up = flags & IFF_UP;
	ret->running = flags & IFF_RUNNING;
	ret->loopback = flags & IFF_LOOPBACK;
	ret->ethernet = rtnl_link_get_arptype(link) == ARPHRD_ETHER;
	ret->mtu = rtnl_link_get_mtu(link);
	if (strcmp(ret->kind, "veth") == 0) {
		ret->peer_ifindex = rtnl_link_get_link(link);
		/* The kernel adds IFLA_LINK_NETNSID exactly when the other end is in another namespace. */
		ret->peer_is_local = ret->peer_ifindex > 0 && rtnl_link_get_link_netnsid(link, &netns) != 0;
	}
}

int link_get(struct netlink *nl, int ifindex, struct link_info *ret)
{
	struct rtnl_link *link;

	if (rtnl_link_get_kernel(nl->sock, ifindex, NULL, &link))
		return -ENODEV;
	netlink_link_read(link, ret);
	rtnl_link_put(link);
	return 0;
}

int link_list(struct netlink *nl, struct link_info **ret, size_t *ret_count, struct err *err)
{
	struct nl_cache *cache;
	struct nl_object *obj;
	struct link_info *list;
	size_t count = 0;
	int rc;

	rc = netlink_error(rtnl_link_alloc_cache(nl->sock, AF_UNSPEC, &cache));
	if (rc)
		return err_set(err, -rc, "cannot list the interfaces: %s", strerror(-rc));
	list = calloc((size_t)nl_cache_nitems(cache) + 1, sizeof(*list));
	if (list) {
		for (obj = nl_cache_get_first(cache); obj; obj = nl_cache_get_next(obj))
			netlink_link_read((struct rtnl_link *)obj, &list[count++]);
	}
	nl_cache_free(cache);
	if (!list)
		return err_set(err, ENOMEM, "out of memory while listing the interfaces");
	*ret = list;
	*ret_count = count;
	return 0;
}
