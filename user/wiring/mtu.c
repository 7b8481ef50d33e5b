/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the pools of an endpoint's addresses, and the host's routes. */
#include "wiring/mtu.h"

#include "model/pool.h"
#include "store/keys.h"

#define MTU_IPIP 1440 /* room for an IPIP header even behind another tunnel; what Calico's tunl0 has */

/* 1: the endpoint has an address in a pool with IPIP. */
static int is_tunnelled(struct store *store, const struct workload_endpoint *endpoint, struct err *err)
{
	struct store_list list = {0};
	int rc = store_list(store, KEY_POOLS4, &list, err);

	for (size_t i = 0; !rc && i < list.count; i++) {
		struct pool *pool;

		if (pool_parse(key_last(list.nodes[i].key), list.nodes[i].value, &pool, NULL) < 0)
			continue;
		for (size_t j = 0; pool->ipip && j < endpoint->net_count; j++)
			rc |= cidr_contains(&pool->cidr, &endpoint->nets[j]);
		pool_free(pool);
	}
	store_list_done(&list);
	return rc;
}

int mtu_choose(struct store *store, struct netlink *netlink, const struct workload_endpoint *endpoint,
	       unsigned int *ret, struct err *err)
{
	struct link_info tunnel;
	int ifindex, rc = is_tunnelled(store, endpoint, err);

	if (rc < 0)
		return rc;
	if (rc) {
		ifindex = link_index(netlink, "tunl0");
		*ret = MTU_IPIP;
		if (ifindex > 0 && !link_get(netlink, ifindex, &tunnel) && tunnel.mtu < MTU_IPIP)
			*ret = tunnel.mtu;
	} else if (route_default_link(netlink, 4, &ifindex, ret) < 0 &&
		   route_default_link(netlink, 6, &ifindex, ret) < 0) {
		*ret = 0;
	}
	return 0;
}
