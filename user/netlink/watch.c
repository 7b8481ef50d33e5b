/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Notifications about links, addresses and routing. libnl keeps a copy of both tables and calls back on
 * differences, so when the kernel had to throw notifications away (ENOBUFS), comparing the copy with a fresh
 * list delivers exactly what was missed, removals included. Of what routing depends on there is no copy: that
 * something has changed is all there is to tell.
 */
#include "netlink/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/cache.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "util/log.h"
#include "util/task.h"

#define WATCH_BUFFER	     (1 << 20) /* bytes; room for some hundred links appearing at once */
#define RESYNC_RETRY_SECONDS 1
#define TOUCH_BUFFER	     (16 << 10)
#define MESSAGES_AT_ONCE     256 /* before other events get their turn */

struct netlink_watch {
	struct netlink_watch_ops ops;
	void *arg;
	struct nl_sock *sock;  /* notifications */
	struct netlink *query; /* lists after an overrun */
	struct nl_cache_mngr *manager;
	struct nl_cache *links, *addresses; /* owned by the manager */
	struct event *readable, *retry;
	struct nl_sock *routing;
	struct event *routing_readable;
	struct nl_sock *touches;
	struct event *touches_readable;
};

static void link_changed(struct nl_cache *cache, struct nl_object *obj, int action, void *arg)
{
	struct rtnl_link *link = (struct rtnl_link *)obj;
	struct netlink_watch *watch = arg;
	struct link_info info;

	/* A port that leaves a bridge is announced as a deleted link of family AF_BRIDGE. */
	if (rtnl_link_get_family(link) != AF_UNSPEC)
		return;
	netlink_link_read(link, &info);
	watch->ops.link(watch->arg, &info, action == NL_ACT_DEL);
}

static void address_changed(struct nl_cache *cache, struct nl_object *obj, int action, void *arg)
{
	struct netlink_watch *watch = arg;
	struct interface_address info;

	netlink_address_read((struct rtnl_addr *)obj, &info);
	if (!info.addr.family)
		return;
	rtnl_link_i2name(watch->links, info.ifindex, info.link, sizeof(info.link));
	watch->ops.address(watch->arg, &info, action == NL_ACT_DEL);
}

static void resync(struct netlink_watch *watch)
{
	struct timeval delay = {.tv_sec = RESYNC_RETRY_SECONDS};
	int rc;

	rc = nl_cache_resync(watch->query->sock, watch->links, link_changed, watch);
	if (rc >= 0)
		rc = nl_cache_resync(watch->query->sock, watch->addresses, address_changed, watch);
	if (rc < 0)
		event_add(watch->retry, &delay);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct netlink_watch *watch = arg;
	int rc = nl_cache_mngr_data_ready(watch->manager);

	if (rc >= 0)
		return;
	log_debug("netlink", "notifications were lost (%s); listing links and addresses again",
		  nl_geterror(rc));
	resync(watch);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	resync(arg);
}

/* Only the start of each message is read. That some were lost (ENOBUFS) says as much as all of them. */
static void on_routing(evutil_socket_t fd, short what, void *arg)
{
	struct netlink_watch *watch = arg;
	bool of_default = false;
	struct {
		struct nlmsghdr hdr;
		struct rtmsg route;
	} start;

	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		ssize_t n = recv(fd, &start, sizeof(start), MSG_DONTWAIT);

		if (n < 0 && errno != ENOBUFS)
			break;
		of_default |=
			n < 0 ||
			(n == sizeof(start) && !start.route.rtm_dst_len &&
			 (start.hdr.nlmsg_type == RTM_NEWROUTE || start.hdr.nlmsg_type == RTM_DELROUTE));
	}
	watch->ops.routing(watch->arg, of_default);
}

/* Routes go with links and addresses without a notification of their own. */
static int watch_routing(struct netlink_watch *watch, struct err *err)
{
	int rc;

	watch->routing = nl_socket_alloc();
	if (!watch->routing)
		return err_set(err, ENOMEM, "out of memory while subscribing to changes of routes");
	rc = nl_connect(watch->routing, NETLINK_ROUTE);
	if (rc >= 0)
		rc = nl_socket_add_memberships(watch->routing, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
					       RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
					       RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP,
					       RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF, 0);
	if (rc < 0)
		return err_set(err, -netlink_error(rc), "cannot subscribe to changes of routes: %s",
			       nl_geterror(rc));
	watch->routing_readable = event_new(task_base(), nl_socket_get_fd(watch->routing),
					    EV_READ | EV_PERSIST, on_routing, watch);
	if (!watch->routing_readable || event_add(watch->routing_readable, NULL))
		return err_set(err, ENOMEM, "out of memory while subscribing to changes of routes");
	return 0;
}

/* ---- what else belongs to an interface ---- */

static int netconf_ifindex(struct nlmsghdr *hdr)
{
	struct nlattr *index = nlmsg_find_attr(hdr, sizeof(struct netconfmsg), NETCONFA_IFINDEX);
	int ifindex = index && nla_len(index) == sizeof(int) ? (int)nla_get_u32(index) : 0;

	return ifindex > 0 ? ifindex : -1;
}

/* 0: none. A route with several next hops is none of ours. */
static int route_ifindex(struct nlmsghdr *hdr)
{
	struct nlattr *out = nlmsg_find_attr(hdr, sizeof(struct rtmsg), RTA_OIF);

	return out ? (int)nla_get_u32(out) : 0;
}

static int touched_ifindex(struct nlmsghdr *hdr)
{
	switch (hdr->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return nlmsg_valid_hdr(hdr, sizeof(struct ndmsg))
			       ? ((struct ndmsg *)nlmsg_data(hdr))->ndm_ifindex
			       : 0;
	case RTM_NEWNETCONF:
		return nlmsg_valid_hdr(hdr, sizeof(struct netconfmsg)) ? netconf_ifindex(hdr) : 0;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return nlmsg_valid_hdr(hdr, sizeof(struct rtmsg)) ? route_ifindex(hdr) : 0;
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
		return nlmsg_valid_hdr(hdr, sizeof(struct tcmsg))
			       ? ((struct tcmsg *)nlmsg_data(hdr))->tcm_ifindex
			       : 0;
	}
	return 0;
}

/* The first message that says what was touched; attributes behind the end of the buffer are not needed. */
static void on_touches(evutil_socket_t fd, short what, void *arg)
{
	struct netlink_watch *watch = arg;
	char buffer[TOUCH_BUFFER] __attribute__((aligned(NLMSG_ALIGNTO)));

	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		struct nlmsghdr *hdr = (struct nlmsghdr *)buffer;
		ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		int left = (int)n;

		if (n < 0 && errno != ENOBUFS)
			return;
		if (n < 0)
			watch->ops.touched(watch->arg, 0);
		for (; nlmsg_ok(hdr, left); hdr = nlmsg_next(hdr, &left)) {
			int ifindex = touched_ifindex(hdr);

			if (ifindex)
				watch->ops.touched(watch->arg, ifindex);
		}
	}
}

static int watch_touches(struct netlink_watch *watch, struct err *err)
{
	int rc;

	watch->touches = nl_socket_alloc();
	if (!watch->touches)
		return err_set(err, ENOMEM, "out of memory while subscribing to changes of settings");
	rc = nl_connect(watch->touches, NETLINK_ROUTE);
	if (rc >= 0)
		rc = nl_socket_add_memberships(watch->touches, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE,
					       RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF,
					       RTNLGRP_TC, 0);
	if (rc < 0)
		return err_set(err, -netlink_error(rc), "cannot subscribe to changes of settings: %s",
			       nl_geterror(rc));
	watch->touches_readable = event_new(task_base(), nl_socket_get_fd(watch->touches),
					    EV_READ | EV_PERSIST, on_touches, watch);
	if (!watch->touches_readable || event_add(watch->touches_readable, NULL))
		return err_set(err, ENOMEM, "out of memory while subscribing to changes of settings");
	return 0;
}

static int watch_open(struct netlink_watch *watch, struct err *err)
{
	int rc;

	rc = netlink_open(&watch->query, err);
	if (rc)
		return rc;
	watch->sock = nl_socket_alloc();
	if (!watch->sock)
		return err_set(err, ENOMEM, "out of memory while subscribing to network changes");
	rc = nl_cache_mngr_alloc(watch->sock, NETLINK_ROUTE, 0, &watch->manager);
	if (rc >= 0)
		rc = nl_socket_set_buffer_size(watch->sock, WATCH_BUFFER, 0);
	if (rc >= 0)
		rc = nl_cache_mngr_add(watch->manager, "route/link", link_changed, watch, &watch->links);
	if (rc >= 0)
		rc = nl_cache_mngr_add(watch->manager, "route/addr", address_changed, watch,
				       &watch->addresses);
	if (rc < 0)
		return err_set(err, -netlink_error(rc), "cannot subscribe to network changes: %s",
			       nl_geterror(rc));

	watch->readable = event_new(task_base(), nl_cache_mngr_get_fd(watch->manager), EV_READ | EV_PERSIST,
				    on_readable, watch);
	watch->retry = evtimer_new(task_base(), on_retry, watch);
	if (!watch->readable || !watch->retry || event_add(watch->readable, NULL))
		return err_set(err, ENOMEM, "out of memory while subscribing to network changes");
	rc = watch_routing(watch, err);
	return rc || !watch->ops.touched ? rc : watch_touches(watch, err);
}

int netlink_watch_start(const struct netlink_watch_ops *ops, void *arg, struct netlink_watch **ret,
			struct err *err)
{
	struct netlink_watch *watch = calloc(1, sizeof(*watch));
	int rc;

	if (!watch)
		return err_set(err, ENOMEM, "out of memory while subscribing to network changes");
	watch->ops = *ops;
	watch->arg = arg;
	rc = watch_open(watch, err);
	if (rc) {
		netlink_watch_stop(watch);
		return rc;
	}
	*ret = watch;
	return 0;
}

void netlink_watch_stop(struct netlink_watch *watch)
{
	if (!watch)
		return;
	if (watch->readable)
		event_free(watch->readable);
	if (watch->retry)
		event_free(watch->retry);
	if (watch->routing_readable)
		event_free(watch->routing_readable);
	if (watch->touches_readable)
		event_free(watch->touches_readable);
	nl_socket_free(watch->routing);
	nl_socket_free(watch->touches);
	nl_cache_mngr_free(watch->manager);
	nl_socket_free(watch->sock);
	netlink_close(watch->query);
	free(watch);
}
