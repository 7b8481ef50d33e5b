/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Host routes to endpoints in the main table, where BIRD learns them, and the default route. */
#include "netlink/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <sys/socket.h>

static struct rtnl_route *host_route_new(int ifindex, const struct addr *addr)
{
	struct nl_addr *dst = netlink_addr_new(addr, (uint8_t)addr_bits(addr));
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct rtnl_route *route = rtnl_route_alloc();

	if (!dst || !hop || !route) {
		nl_addr_put(dst);
		rtnl_route_put(route);
		if (hop)
			rtnl_route_nh_free(hop);
		return NULL;
	}
	rtnl_route_set_table(route, RT_TABLE_MAIN);
	rtnl_route_set_scope(route, RT_SCOPE_LINK);
	rtnl_route_set_dst(route, dst);
	nl_addr_put(dst);
	rtnl_route_nh_set_ifindex(hop, ifindex);
	rtnl_route_add_nexthop(route, hop);
	return route;
}

int route_add_host(struct netlink *nl, int ifindex, const struct addr *addr, struct err *err)
{
	struct rtnl_route *route = host_route_new(ifindex, addr);
	char text[ADDR_TEXT];
	int rc = -ENOMEM;

	if (route) {
		/* As `ip route` marks it; BIRD learns it as alien, which it would not do with "kernel". */
		rtnl_route_set_protocol(route, RTPROT_BOOT);
		rc = netlink_error(rtnl_route_add(nl->sock, route, NLM_F_CREATE | NLM_F_REPLACE));
		rtnl_route_put(route);
	}
	if (rc)
		return err_set(err, -rc, "cannot add the route to %s through the interface with index %d: %s",
			       addr_format(addr, text), ifindex, strerror(-rc));
	return 0;
}

int route_delete_host(struct netlink *nl, int ifindex, const struct addr *addr, struct err *err)
{
	struct rtnl_route *route = host_route_new(ifindex, addr);
	char text[ADDR_TEXT];
	int rc = -ENOMEM;

	if (route) {
		rtnl_route_set_protocol(route, RTPROT_UNSPEC); /* whoever made it */
		rc = netlink_error(rtnl_route_delete(nl->sock, route, 0));
		rtnl_route_put(route);
	}
	if (rc && rc != -ENOENT && rc != -ENODEV)
		return err_set(err, -rc,
			       "cannot delete the route to %s through the interface with index %d: %s",
			       addr_format(addr, text), ifindex, strerror(-rc));
	return 0;
}

/* Dumps a table (RT_TABLE_UNSPEC: all) of one family; ifindex 0: through any interface. */
static int dump_table(struct netlink *nl, int family, uint32_t table, int ifindex,
		      int (*fn)(struct nlmsghdr *, void *), void *arg)
{
	struct rtmsg rtm = {.rtm_family = (unsigned char)family};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP);
	int rc;

	if (!msg)
		return -ENOMEM;
	if (nlmsg_append(msg, &rtm, sizeof(rtm), NLMSG_ALIGNTO) < 0 ||
	    (table != RT_TABLE_UNSPEC && nla_put_u32(msg, RTA_TABLE, table) < 0) ||
	    (ifindex && nla_put_u32(msg, RTA_OIF, (uint32_t)ifindex) < 0)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	rc = netlink_dump(nl, msg, fn, arg);
	/* No table yet, no such interface, no such family: no routes. */
	return rc == -ENOENT || rc == -ENODEV || rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP ? 0 : rc;
}

struct host_routes {
	int ifindex;
	struct host_route *list;
	size_t count, room;
};

static int collect_host_route(struct nlmsghdr *hdr, void *arg)
{
	struct host_routes *routes = arg;
	struct rtnl_route *route;
	struct rtnl_nexthop *hop;
	struct host_route entry;
	int rc;

	rc = netlink_error(rtnl_route_parse(hdr, &route));
	if (rc)
		return rc;
	hop = rtnl_route_nexthop_n(route, 0);
	netlink_addr_read(rtnl_route_get_dst(route), &entry.addr);
	entry.ifindex = hop ? rtnl_route_nh_get_ifindex(hop) : 0;
	/* The kernel's own routes to /128 addresses of the interface are none of ours. */
	if (entry.ifindex && (!routes->ifindex || entry.ifindex == routes->ifindex) && entry.addr.family &&
	    nl_addr_get_prefixlen(rtnl_route_get_dst(route)) == addr_bits(&entry.addr) &&
	    rtnl_route_get_table(route) == RT_TABLE_MAIN && rtnl_route_get_type(route) == RTN_UNICAST &&
	    rtnl_route_get_protocol(route) != RTPROT_KERNEL) {
		if (routes->count == routes->room) {
			size_t room = routes->room * 2 + 16;
			struct host_route *list = realloc(routes->list, room * sizeof(*list));

			if (!list) {
				rtnl_route_put(route);
				return -ENOMEM;
			}
			routes->list = list;
			routes->room = room;
		}
		routes->list[routes->count++] = entry;
	}
	rtnl_route_put(route);
	return 0;
}

int route_list_hosts(struct netlink *nl, int ifindex, struct host_route **ret, size_t *ret_count,
		     struct err *err)
{
	struct host_routes routes = {.ifindex = ifindex};
	int rc;

	rc = dump_table(nl, AF_INET, RT_TABLE_MAIN, ifindex, collect_host_route, &routes);
	if (!rc)
		rc = dump_table(nl, AF_INET6, RT_TABLE_MAIN, ifindex, collect_host_route, &routes);
	if (rc) {
		free(routes.list);
		return err_set(err, -rc, "cannot list the routes through the interface with index %d: %s",
			       ifindex, strerror(-rc));
	}
	*ret = routes.list;
	*ret_count = routes.count;
	return 0;
}

struct gateways {
	struct addr *list;
	size_t count, room;
};

/* Bytes of an address in network order; of any other length: none. */
static int add_gateway(struct gateways *gateways, const void *bytes, int length)
{
	struct addr addr = {.family = length == 16 ? 6 : 4};

	if (length != 4 && length != 16)
		return 0;
	memcpy(addr.bytes, bytes, (size_t)length);
	if (gateways->count && !addr_compare(&gateways->list[gateways->count - 1], &addr))
		return 0;
	if (gateways->count == gateways->room) {
		size_t room = gateways->room * 2 + 16;
		struct addr *list = realloc(gateways->list, room * sizeof(*list));

		if (!list)
			return -ENOMEM;
		gateways->list = list;
		gateways->room = room;
	}
	gateways->list[gateways->count++] = addr;
	return 0;
}

/* RTA_VIA carries the family before the address: IPv4 over an IPv6 next hop. */
static int add_gateways_of(struct gateways *gateways, const struct nlattr *gateway, const struct nlattr *via)
{
	int rc = 0;

	if (gateway)
		rc = add_gateway(gateways, nla_data(gateway), nla_len(gateway));
	if (!rc && via && nla_len(via) > (int)sizeof(struct rtvia))
		rc = add_gateway(gateways, ((const struct rtvia *)nla_data(via))->rtvia_addr,
				 nla_len(via) - (int)sizeof(struct rtvia));
	return rc;
}

static int collect_hops(struct gateways *gateways, const struct nlattr *multipath)
{
	const struct rtnexthop *hop = nla_data(multipath);
	int rest = nla_len(multipath), rc = 0;

	while (!rc && RTNH_OK(hop, rest)) {
		const struct nlattr *attributes = (const struct nlattr *)RTNH_DATA(hop);
		int size = hop->rtnh_len - (int)sizeof(*hop);

		rc = add_gateways_of(gateways, nla_find(attributes, size, RTA_GATEWAY),
				     nla_find(attributes, size, RTA_VIA));
		rest -= RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
	return rc;
}

/* Most routes are those of endpoints and have none: libnl would build an object of each. */
static int collect_gateways(struct nlmsghdr *hdr, void *arg)
{
	const struct nlattr *multipath = nlmsg_find_attr(hdr, sizeof(struct rtmsg), RTA_MULTIPATH);
	int rc = add_gateways_of(arg, nlmsg_find_attr(hdr, sizeof(struct rtmsg), RTA_GATEWAY),
				 nlmsg_find_attr(hdr, sizeof(struct rtmsg), RTA_VIA));

	return !rc && multipath ? collect_hops(arg, multipath) : rc;
}

int route_list_gateways(struct netlink *nl, struct addr **ret, size_t *ret_count, struct err *err)
{
	struct gateways gateways = {0};
	int rc = dump_table(nl, AF_INET, RT_TABLE_UNSPEC, 0, collect_gateways, &gateways);

	if (!rc)
		rc = dump_table(nl, AF_INET6, RT_TABLE_UNSPEC, 0, collect_gateways, &gateways);
	if (rc) {
		free(gateways.list);
		return err_set(err, -rc, "cannot list the gateways of this host: %s", strerror(-rc));
	}
	*ret = gateways.list;
	*ret_count = gateways.count;
	return 0;
}

struct default_route {
	int ifindex;
	uint32_t priority;
};

static int pick_default_route(struct nlmsghdr *hdr, void *arg)
{
	struct default_route *best = arg;
	struct rtmsg *rtm = nlmsg_data(hdr);
	struct rtnl_route *route;
	struct rtnl_nexthop *hop;
	int rc;

	if (!nlmsg_valid_hdr(hdr, sizeof(*rtm)) || rtm->rtm_dst_len || rtm->rtm_type != RTN_UNICAST)
		return 0;
	rc = netlink_error(rtnl_route_parse(hdr, &route));
	if (rc)
		return rc;
	hop = rtnl_route_nexthop_n(route, 0);
	if (hop && rtnl_route_nh_get_ifindex(hop) > 0 && rtnl_route_get_table(route) == RT_TABLE_MAIN &&
	    (!best->ifindex || rtnl_route_get_priority(route) < best->priority)) {
		best->ifindex = rtnl_route_nh_get_ifindex(hop);
		best->priority = rtnl_route_get_priority(route);
	}
	rtnl_route_put(route);
	return 0;
}

int route_default_link(struct netlink *nl, uint8_t family, int *ret_ifindex, unsigned int *ret_mtu)
{
	struct default_route best = {0};
	struct link_info link;
	int rc;

	rc = dump_table(nl, family == 6 ? AF_INET6 : AF_INET, RT_TABLE_MAIN, 0, pick_default_route, &best);
	if (rc)
		return rc;
	if (!best.ifindex || link_get(nl, best.ifindex, &link))
		return -ENOENT;
	*ret_ifindex = best.ifindex;
	*ret_mtu = link.mtu;
	return 0;
}
