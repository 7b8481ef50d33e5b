/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The pools that addresses may come from, and IPAM's configuration. */
#include <errno.h>
#include <stdlib.h>

#include "ipam/internal.h"
#include "model/pool.h"
#include "store/keys.h"

int pools_read(struct store *store, uint8_t family, const struct cidr *only, struct pools *ret,
	       struct err *err)
{
	struct store_list list = {0};
	struct cidr wanted;
	int rc;

	*ret = (struct pools){0};
	if (only) {
		wanted = *only;
		cidr_mask(&wanted);
	}
	rc = store_list(store, key_pools(family), &list, err);
	if (rc < 0)
		return rc;
	ret->items = calloc(list.count + 1, sizeof(*ret->items));
	if (!ret->items) {
		rc = err_set(err, ENOMEM, "no memory for %zu IP pools", list.count);
		goto out;
	}
	for (size_t i = 0; i < list.count; i++) {
		struct pool *pool;

		/* A malformed pool counts as deleted, as it does for policy. */
		if (pool_parse(key_last(list.nodes[i].key), list.nodes[i].value, &pool, NULL) < 0)
			continue;
		if (pool->ipam && !pool->disabled && !cidr_unusable(&pool->cidr) &&
		    pool->cidr.addr.family == family && (!only || !cidr_compare(&wanted, &pool->cidr)))
			ret->items[ret->count++] = pool->cidr;
		pool_free(pool);
	}
out:
	store_list_done(&list);
	return rc;
}

void pools_done(struct pools *pools)
{
	free(pools->items);
	*pools = (struct pools){0};
}

bool pools_have_addr(const struct pools *pools, const struct addr *addr)
{
	for (size_t i = 0; i < pools->count; i++) {
		if (cidr_contains(&pools->items[i], addr))
			return true;
	}
	return false;
}

bool pools_have_block(const struct pools *pools, const struct cidr *block)
{
	for (size_t i = 0; i < pools->count; i++) {
		if (pools->items[i].length <= block->length && cidr_contains(&pools->items[i], &block->addr))
			return true;
	}
	return false;
}

int ipam_pool_enabled(struct ipam *ipam, uint8_t family, const struct cidr *pool, struct err *err)
{
	struct pools pools;
	int rc = pools_read(ipam->store, family, pool, &pools, err);

	if (!rc)
		rc = pools.count > 0;
	pools_done(&pools);
	return rc;
}

int ipam_read_config(struct store *store, struct ipam_config *ret, struct err *err)
{
	struct store_node node = {0};
	int rc = store_get(store, KEY_IPAM_CONFIG, &node, err);

	if (rc == -ENOENT) {
		*ret = (struct ipam_config){.auto_allocate_blocks = true};
		return 0;
	}
	if (rc < 0)
		return rc;
	rc = ipam_config_parse(node.value, ret, err);
	if (rc < 0)
		err_prefix(err, rc, "%s", KEY_IPAM_CONFIG);
	store_node_done(&node);
	return rc;
}
