/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The pair of interfaces of an endpoint: one on the host, its peer for the container. */
#ifndef WIRING_VETH_H
#define WIRING_VETH_H

#include "netlink/netlink.h"
#include "util/err.h"

/* The MAC in containers unless the user gave one, as in v0.20: `docker inspect` shows it. */
#define CONTAINER_MAC 0xee, 0xee, 0xee, 0xee, 0xee, 0xee

/* Interface names carry that much of an endpoint's id. */
#define ENDPOINT_ID_SHORTEST 11

/* Names on the host side: "cali" or "tmp" and the first 11 characters of the endpoint id. */
struct veth_names {
	char host[16], peer[16];
};
struct veth_names veth_names_of(const char *endpoint_id);

/* Both ends, wherever the peer is. No such interface: 0. May wait. */
int veth_delete(struct netlink *netlink, const char *host_name, struct err *err);

#endif
