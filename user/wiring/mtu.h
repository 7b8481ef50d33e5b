/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The MTU of an endpoint's interface where nobody set one. */
#ifndef WIRING_MTU_H
#define WIRING_MTU_H

#include "model/endpoint.h"
#include "netlink/netlink.h"
#include "store/store.h"

/* In *ret what the way out takes; 0: the kernel's default. */
int mtu_choose(struct store *store, struct netlink *netlink, const struct workload_endpoint *endpoint,
	       unsigned int *ret, struct err *err);

#endif
