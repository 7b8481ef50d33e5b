/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by the files of this folder: the request socket and conversions to and from libnl's types. */
#ifndef NETLINK_INTERNAL_H
#define NETLINK_INTERNAL_H

#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include "netlink/netlink.h"

struct netlink {
	struct nl_sock *sock;
};

/* libnl's error code (of either sign) as -errno. */
int netlink_error(int code);
/* struct addr <-> struct nl_addr; NULL when out of memory. A length of 0..128 sets the prefix length. */
struct nl_addr *netlink_addr_new(const struct addr *addr, uint8_t length);
/* Leaves family 0 for NULL and for other families than IPv4 and IPv6. */
void netlink_addr_read(const struct nl_addr *nl, struct addr *ret);
struct nl_addr *netlink_mac_new(const uint8_t mac[6]);

void netlink_link_read(struct rtnl_link *link, struct link_info *ret);
/* The interface's name is left empty: the message does not hold it. */
void netlink_address_read(struct rtnl_addr *address, struct interface_address *ret);

/*
 * Sends one dump request and hands every answer to fn until it returns non-zero, which is passed on when
 * negative. Takes the message, also on failure.
 */
int netlink_dump(struct netlink *nl, struct nl_msg *msg, int (*fn)(struct nlmsghdr *hdr, void *arg),
		 void *arg);
/* The same for a request that one message answers. */
int netlink_ask(struct netlink *nl, struct nl_msg *msg, int (*fn)(struct nlmsghdr *hdr, void *arg),
		void *arg);

#endif
