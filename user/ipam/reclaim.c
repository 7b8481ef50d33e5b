/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Giving back: a removed pool's blocks, a removed host's blocks, addresses that nobody uses any more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipam/internal.h"
#include "store/keys.h"

/* Ends the affinity of one block: to `host`, or (NULL) to whichever host has it. 0 also when it has none. */
static int end_affinity(struct ipam *ipam, struct race *race, const struct cidr *cidr, const char *host,
			struct err *err)
{
	struct lease lease = {0};
	char key[KEY_MAX];
	char *owner = NULL;
	int rc;

	do {
		free(owner);
		owner = NULL;
		rc = lease_read(ipam, cidr, &lease, err);
		if (rc < 0)
			break;
		owner = lease.block->affinity;
		lease.block->affinity = NULL;
		if (!owner || (host && strcmp(owner, host) != 0)) {
			lease.block->affinity = owner;
			owner = NULL;
			break;
		}
		rc = lease_write(ipam, &lease, err);
	} while (rc == -ESTALE && !(rc = race_lost(race, err)));
	lease_done(&lease);
	if (rc == -ENOENT)
		rc = 0;
	if (!rc && owner) {
		rc = store_delete(ipam->store, key_affinity(key, owner, cidr), err);
		rc = rc == -ENOENT ? 0 : rc;
	}
	free(owner);
	return rc;
}

/* All blocks of the family inside `pool` (NULL: everywhere). The blocks are the truth, so they come first. */
static int end_affinities(struct ipam *ipam, struct race *race, uint8_t family, const struct cidr *pool,
			  const char *host, struct err *err)
{
	struct store_list list = {0};
	int rc = store_list(ipam->store, key_blocks(family), &list, err);

	for (size_t i = 0; !rc && i < list.count; i++) {
		struct cidr cidr;

		if (cidr_parse_key(key_last(list.nodes[i].key), &cidr) < 0 ||
		    (pool && !cidr_contains(pool, &cidr.addr)))
			continue;
		rc = end_affinity(ipam, race, &cidr, host, err);
		if (rc == -EBADMSG)
			rc = 0; /* a broken block cannot be rewritten, and must not keep the others */
	}
	store_list_done(&list);
	return rc;
}

/* Keys of hosts that name blocks of the pool which are gone, or were never made. */
static int drop_affinity_keys(struct ipam *ipam, const struct cidr *pool, struct err *err)
{
	const char *family = pool->addr.family == 6 ? "/ipv6/block/" : "/ipv4/block/";
	struct store_list list = {0};
	int rc = store_list(ipam->store, KEY_IPAM_HOSTS, &list, err);

	for (size_t i = 0; !rc && i < list.count; i++) {
		const char *key = list.nodes[i].key;
		struct cidr cidr;

		if (!strstr(key, family) || cidr_parse_key(key_last(key), &cidr) < 0 ||
		    !cidr_contains(pool, &cidr.addr))
			continue;
		rc = store_delete(ipam->store, key, err);
		rc = rc == -ENOENT ? 0 : rc;
	}
	store_list_done(&list);
	return rc;
}

int ipam_release_pool(struct ipam *ipam, const struct cidr *pool, struct err *err)
{
	struct race race = {0};
	int rc = ipam_enter(ipam, &race, err);

	if (rc < 0)
		return rc;
	rc = end_affinities(ipam, &race, pool->addr.family, pool, NULL, err);
	if (!rc)
		rc = drop_affinity_keys(ipam, pool, err);
	ipam_leave(ipam);
	return rc;
}

int ipam_release_host(struct ipam *ipam, const char *host, struct err *err)
{
	char key[KEY_MAX];
	struct race race = {0};
	int rc = ipam_enter(ipam, &race, err);

	if (rc < 0)
		return rc;
	rc = end_affinities(ipam, &race, 4, NULL, host, err);
	if (!rc)
		rc = end_affinities(ipam, &race, 6, NULL, host, err);
	if (!rc) {
		rc = store_delete_tree(ipam->store, key_ipam_host(key, host), err);
		rc = rc == -ENOENT ? 0 : rc;
	}
	ipam_leave(ipam);
	return rc;
}

static bool attribute_is_unchanged(void *arg, const json_t *attribute)
{
	return json_equal(arg, attribute);
}

struct collection {
	struct ipam *ipam;
	const char *type;
	bool (*release)(void *arg, const struct addr *addr, long age_s);
	void *arg;
	int released;
};

static int collect_block(struct collection *c, const struct block *block, struct err *err)
{
	for (unsigned int i = 0; i < BLOCK_SIZE; i++) {
		struct addr addr = addr_add(&block->cidr.addr, i);
		json_t *attribute = block_attribute(block, &addr);
		long age_s;
		int rc;

		if (!attribute || !ipam_attribute_is(attribute, c->ipam->host, c->type, &age_s) ||
		    !c->release(c->arg, &addr, age_s))
			continue;
		rc = ipam_release_if(c->ipam, &addr, attribute_is_unchanged, attribute, err);
		if (!rc)
			c->released++;
		else if (rc != -ENOENT && rc != -EPERM)
			return rc;
	}
	return 0;
}

int ipam_collect(struct ipam *ipam, const char *type,
		 bool (*release)(void *arg, const struct addr *addr, long age_s), void *arg, struct err *err)
{
	struct collection c = {.ipam = ipam, .type = type, .release = release, .arg = arg};

	for (uint8_t family = 4; family <= 6; family += 2) {
		struct store_list list = {0};
		struct lease lease = {0};
		int rc = store_list(ipam->store, key_blocks(family), &list, err);

		for (size_t i = 0; !rc && i < list.count; i++) {
			if (!lease_parse(&list.nodes[i], &lease, NULL))
				rc = collect_block(&c, lease.block, err);
		}
		lease_done(&lease);
		store_list_done(&list);
		if (rc < 0)
			return rc;
	}
	return c.released;
}
