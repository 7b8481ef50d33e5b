/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pool that addresses come from when nobody names one. Networks of Docker without --subnet are such
 * users: their requests do not say which network they are for, so all of them share the choice.
 */
#include <errno.h>

#include "ipam/internal.h"
#include "store/keys.h"
#include "util/log.h"

/* What is stored; revision 0: nothing. */
struct choice {
	struct cidr pool;
	uint64_t revision;
};

static int read_choice(struct ipam *ipam, uint8_t family, struct choice *ret, struct err *err)
{
	struct store_node node = {0};
	int rc = store_get(ipam->store, key_chosen_pool(family), &node, err);

	*ret = (struct choice){0};
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	ret->revision = node.revision;
	if (cidr_parse(node.value, &ret->pool) < 0 || ret->pool.addr.family != family)
		ret->pool = (struct cidr){0};
	store_node_done(&node);
	return 0;
}

/*
 * The pool with most addresses in use: those who took them did not know of a choice yet. -ENOENT: none has
 * any.
 */
static int most_used_pool(struct ipam *ipam, uint8_t family, struct cidr *ret, struct err *err)
{
	struct store_list list = {0};
	struct lease lease = {0};
	struct pools pools;
	size_t most = 0;
	int rc = pools_read(ipam->store, family, NULL, &pools, err);

	if (!rc)
		rc = store_list(ipam->store, key_blocks(family), &list, err);
	for (size_t p = 0; !rc && p < pools.count; p++) {
		size_t used = 0;

		for (size_t i = 0; i < list.count; i++) {
			struct cidr block;

			if (!cidr_parse_key(key_last(list.nodes[i].key), &block) &&
			    cidr_contains(&pools.items[p], &block.addr) &&
			    !lease_parse(&list.nodes[i], &lease, NULL))
				used += block_used(lease.block);
		}
		if (used > most) {
			most = used;
			*ret = pools.items[p];
		}
	}
	lease_done(&lease);
	store_list_done(&list);
	pools_done(&pools);
	return rc || most ? rc : -ENOENT;
}

/* Another host may choose at the same time: whoever writes first has chosen for all. */
static void remember(struct ipam *ipam, const struct choice *choice, const struct addr *addr)
{
	const char *key = key_chosen_pool(addr->family);
	char text[CIDR_TEXT];
	struct pools pools;
	struct err err;
	int rc = pools_read(ipam->store, addr->family, NULL, &pools, &err);

	for (size_t i = 0; !rc && i < pools.count; i++) {
		if (!cidr_contains(&pools.items[i], addr))
			continue;
		cidr_format(&pools.items[i], text);
		rc = choice->revision ? store_update(ipam->store, key, text, choice->revision, NULL, &err)
				      : store_create(ipam->store, key, text, NULL, &err);
		break;
	}
	pools_done(&pools);
	if (rc < 0 && rc != -EEXIST && rc != -ESTALE && rc != -ENOENT)
		log_warn("ipam", "the choice of an IP pool is not remembered: %s", err.text);
}

int ipam_assign_chosen(struct ipam *ipam, uint8_t family, json_t *attribute, struct addr *ret,
		       struct err *err)
{
	struct choice choice;
	int rc = read_choice(ipam, family, &choice, err);
	bool stands;

	if (rc < 0)
		return rc;
	rc = choice.pool.addr.family ? ipam_assign_any(ipam, family, 1, &choice.pool, attribute, ret, err)
				     : -ENOENT;
	stands = rc != -ENOENT; /* also a pool that is full for now */
	if (!stands) {
		rc = most_used_pool(ipam, family, &choice.pool, err);
		if (!rc)
			rc = ipam_assign_any(ipam, family, 1, &choice.pool, attribute, ret, err);
	}
	if (rc == -ENOSPC || rc == -ENOENT)
		rc = ipam_assign_any(ipam, family, 1, NULL, attribute, ret, err);
	if (rc < 0)
		return rc;
	if (!stands)
		remember(ipam, &choice, ret);
	return 0;
}
