/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Automatic assignment: from the blocks this host owns, else from a block it claims, else (unless strict
 * affinity forbids) from anybody's block.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipam/candidates.h"
#include "ipam/internal.h"
#include "store/keys.h"

struct assignment {
	struct ipam *ipam;
	uint8_t family;
	size_t wanted, got;
	json_t *attribute;
	struct addr *ret;
	struct race race;
	struct pools pools;
	struct reserved reserved;
	struct ipam_config config;
	struct store_list existing; /* all blocks of the family */
	bool claim_lost;	    /* another host was faster: `existing` is out of date */
};

static bool is_satisfied(const struct assignment *a)
{
	return a->got == a->wanted;
}

/* Whether this host may take from a block that was just read again. */
static bool may_take(const struct assignment *a, const struct lease *lease)
{
	return lease_is_mine(a->ipam, lease) || !(lease->block->strict_affinity || a->config.strict_affinity);
}

static bool may_assign(void *arg, const struct addr *addr)
{
	struct assignment *a = arg;
	struct ipam *ipam = a->ipam;

	return !reserved_for(&a->reserved, addr) && !(ipam->in_use && ipam->in_use(ipam->in_use_arg, addr));
}

/* Takes what the block has. 0 also when that is nothing. */
static int take(struct assignment *a, struct lease *lease, struct err *err)
{
	const struct block_filter filter = {may_assign, a};
	struct cidr cidr = lease->block->cidr;
	int rc;

	while (may_take(a, lease)) {
		size_t n = block_assign_any(lease->block, a->wanted - a->got, &filter, a->attribute,
					    a->ret + a->got);

		if (!n)
			return 0;
		rc = lease_write(a->ipam, lease, err);
		if (!rc) {
			a->got += n;
			return 0;
		}
		if (rc != -ESTALE)
			return rc;
		rc = race_lost(&a->race, err);
		if (rc < 0)
			return rc;
		rc = lease_read(a->ipam, &cidr, lease, err);
		if (rc < 0)
			return rc == -ENOENT || rc == -EBADMSG ? 0 : rc;
	}
	return 0;
}

/* Claims the block and takes from it; one that another host won, or that is broken, gives nothing. */
static int claim_and_take(struct assignment *a, const struct cidr *cidr, struct err *err)
{
	struct lease lease = {0};
	int rc;

	while ((rc = lease_claim(a->ipam, cidr, a->config.strict_affinity, &lease, err)) == -ESTALE) {
		rc = race_lost(&a->race, err);
		if (rc < 0)
			break;
	}
	a->claim_lost |= rc == -EEXIST;
	if (!rc)
		rc = take(a, &lease, err);
	else if (rc == -EEXIST || rc == -EBADMSG)
		rc = 0;
	lease_done(&lease);
	return rc;
}

static int take_from_own_block(struct assignment *a, const struct cidr *cidr, struct err *err)
{
	struct lease lease = {0};
	int rc = lease_read(a->ipam, cidr, &lease, err);

	if (!rc && lease_is_mine(a->ipam, &lease))
		rc = take(a, &lease, err);
	else if (!rc || rc == -ENOENT)
		/* The key promises more than the block holds: claiming completes it, or removes the key. */
		rc = claim_and_take(a, cidr, err);
	else if (rc == -EBADMSG)
		rc = 0;
	lease_done(&lease);
	return rc;
}

/* Blocks that this host's own keys name. Those outside the enabled pools are left to run dry. */
static int assign_from_own(struct assignment *a, struct err *err)
{
	struct store_list keys = {0};
	char key[KEY_MAX];
	int rc = store_children(a->ipam->store, key_affinities(key, a->ipam->host, a->family), &keys, err);

	for (size_t i = 0; !rc && i < keys.count && !is_satisfied(a); i++) {
		struct cidr cidr;

		if (!cidr_parse_key(key_last(keys.nodes[i].key), &cidr) && cidr.addr.family == a->family &&
		    pools_have_block(&a->pools, &cidr))
			rc = take_from_own_block(a, &cidr, err);
	}
	store_list_done(&keys);
	return rc;
}

/* Existing blocks of the enabled pools: this host's (whose key was lost), or all others'. */
static int assign_from_existing(struct assignment *a, bool own, struct err *err)
{
	struct lease lease = {0};
	int rc = 0;

	for (size_t i = 0; !rc && i < a->existing.count && !is_satisfied(a); i++) {
		if (lease_parse(&a->existing.nodes[i], &lease, NULL) < 0)
			continue;
		if (!pools_have_block(&a->pools, &lease.block->cidr) || !lease.block->unallocated_count ||
		    lease_is_mine(a->ipam, &lease) != own)
			continue;
		if (own) {
			struct cidr cidr = lease.block->cidr;

			rc = claim_and_take(a, &cidr, err);
		} else {
			rc = take(a, &lease, err);
		}
	}
	lease_done(&lease);
	return rc;
}

static int compare_cidrs(const void *a, const void *b)
{
	return cidr_compare(a, b);
}

/* CIDRs of the existing blocks, sorted. NULL on memory exhaustion. */
static struct cidr *existing_cidrs(const struct assignment *a, size_t *ret_count)
{
	struct cidr *cidrs = calloc(a->existing.count + 1, sizeof(*cidrs));

	*ret_count = 0;
	for (size_t i = 0; cidrs && i < a->existing.count; i++) {
		if (!cidr_parse_key(key_last(a->existing.nodes[i].key), &cidrs[*ret_count]))
			++*ret_count;
	}
	if (cidrs)
		qsort(cidrs, *ret_count, sizeof(*cidrs), compare_cidrs);
	return cidrs;
}

static int assign_from_new(struct assignment *a, struct err *err)
{
	struct candidates candidates;
	struct cidr *taken = NULL;
	struct cidr cidr;
	size_t taken_count = 0;
	int rc = candidates_init(&candidates, a->pools.items, a->pools.count, a->ipam->host);

	if (!rc) {
		taken = existing_cidrs(a, &taken_count);
		rc = taken ? 0 : -ENOMEM;
	}
	if (rc < 0)
		err_set(err, -rc, "no memory to look for a free address block");
	while (!rc && !is_satisfied(a) && candidates_next(&candidates, &cidr)) {
		if (!bsearch(&cidr, taken, taken_count, sizeof(*taken), compare_cidrs))
			rc = claim_and_take(a, &cidr, err);
	}
	free(taken);
	candidates_done(&candidates);
	return rc;
}

static int search_all_blocks(struct assignment *a, struct err *err)
{
	int rc;

	a->claim_lost = false;
	store_list_done(&a->existing);
	rc = store_list(a->ipam->store, key_blocks(a->family), &a->existing, err);
	if (!rc)
		rc = assign_from_existing(a, true, err);
	if (!rc && !is_satisfied(a) && a->config.auto_allocate_blocks)
		rc = assign_from_new(a, err);
	if (!rc && !is_satisfied(a) && !a->config.strict_affinity)
		rc = assign_from_existing(a, false, err);
	return rc;
}

static int assign_beyond_own(struct assignment *a, struct err *err)
{
	int rc;

	do {
		rc = search_all_blocks(a, err);
	} while (!rc && !is_satisfied(a) && a->claim_lost && !(rc = race_lost(&a->race, err)));
	return rc;
}

static int no_pool(const struct assignment *a, const struct cidr *pool, struct err *err)
{
	char text[CIDR_TEXT];

	if (pool && cidr_unusable(pool))
		return err_set(err, ENOENT, "the pool %s has %s: no address is given out of it",
			       cidr_format(pool, text), cidr_unusable(pool));
	if (pool)
		return err_set(err, ENOENT,
			       "%s is not an enabled Calico IP pool; see 'calicoctl pool show', add it with "
			       "'calicoctl pool add %s'",
			       cidr_format(pool, text), text);
	return err_set(
		err, ENOSPC,
		"There are no available IP addresses in the configured Calico IP pools: no IPv%u pool is "
		"enabled; add one with 'calicoctl pool add <CIDR>'",
		a->family);
}

static int none_left(const struct assignment *a, struct err *err)
{
	char names[256] = "", text[CIDR_TEXT];
	size_t length = 0;

	for (size_t i = 0; i < a->pools.count && length + CIDR_TEXT + 8 < sizeof(names); i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s", i ? ", " : "",
					   cidr_format(&a->pools.items[i], text));
	return err_set(
		err, ENOSPC,
		"There are no available IP addresses in the configured Calico IP pools (%s)%s; release "
		"addresses or add a pool with 'calicoctl pool add <CIDR>'",
		names, a->config.strict_affinity ? " under strict affinity" : "");
}

static int assign_locked(struct assignment *a, const struct cidr *pool, struct err *err)
{
	int rc = pools_read(a->ipam->store, a->family, pool, &a->pools, err);

	if (rc < 0)
		return rc;
	if (!a->pools.count)
		return no_pool(a, pool, err);
	rc = ipam_read_config(a->ipam->store, &a->config, err);
	if (!rc)
		rc = reserved_read(a->ipam, &a->reserved, err);
	if (!rc)
		rc = assign_from_own(a, err);
	if (!rc && !is_satisfied(a))
		rc = assign_beyond_own(a, err);
	if (!rc && !a->got)
		rc = none_left(a, err);
	return rc;
}

int ipam_assign_any(struct ipam *ipam, uint8_t family, size_t count, const struct cidr *pool,
		    json_t *attribute, struct addr *ret, struct err *err)
{
	struct assignment a = {
		.ipam = ipam,
		.family = family,
		.wanted = count,
		.attribute = attribute,
		.ret = ret,
	};
	int rc;

	rc = ipam_enter(ipam, &a.race, err);
	if (rc < 0)
		return rc;
	rc = assign_locked(&a, pool, err);
	ipam_leave(ipam);
	store_list_done(&a.existing);
	reserved_done(&a.reserved);
	pools_done(&a.pools);
	/* What was assigned belongs to the caller, whatever ended the search for more. */
	return a.got ? (int)a.got : rc;
}
