/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Blocks in the datastore: read, compare-and-swap, claim. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipam/internal.h"
#include "store/keys.h"

void lease_done(struct lease *lease)
{
	block_free(lease->block);
	*lease = (struct lease){0};
}

bool lease_is_mine(const struct ipam *ipam, const struct lease *lease)
{
	return lease->block->affinity && !strcmp(lease->block->affinity, ipam->host);
}

int lease_parse(const struct store_node *node, struct lease *lease, struct err *err)
{
	int rc;

	lease_done(lease);
	rc = block_parse(node->value, &lease->block, err);
	if (rc < 0)
		return err_prefix(err, rc, "%s", node->key);
	lease->revision = node->revision;
	return 0;
}

int lease_read(struct ipam *ipam, const struct cidr *cidr, struct lease *lease, struct err *err)
{
	struct store_node node = {0};
	char key[KEY_MAX];
	int rc;

	lease_done(lease);
	rc = store_get(ipam->store, key_block(key, cidr), &node, err);
	if (rc < 0)
		return rc;
	rc = lease_parse(&node, lease, err);
	/* Addresses are computed from the CIDR inside: it must be the one that the key promises. */
	if (!rc && cidr_compare(&lease->block->cidr, cidr)) {
		lease_done(lease);
		rc = err_set(err, EBADMSG, "%s holds another block", key);
	}
	store_node_done(&node);
	return rc;
}

int lease_write(struct ipam *ipam, struct lease *lease, struct err *err)
{
	char key[KEY_MAX];
	char *text;
	int rc;

	key_block(key, &lease->block->cidr);
	if (block_empty(lease->block) && !lease->block->affinity) {
		rc = store_delete_if(ipam->store, key, lease->revision, err);
	} else {
		text = block_format(lease->block);
		if (!text)
			return err_set(err, ENOMEM, "no memory to write %s", key);
		rc = store_update(ipam->store, key, text, lease->revision, &lease->revision, err);
		free(text);
	}
	return rc == -ENOENT ? -ESTALE : rc; /* deleted meanwhile */
}

static int block_create(struct ipam *ipam, const struct cidr *cidr, bool strict, struct lease *lease,
			struct err *err)
{
	char key[KEY_MAX];
	char *text;
	int rc;

	lease_done(lease);
	lease->block = block_new(cidr, ipam->host, strict);
	text = lease->block ? block_format(lease->block) : NULL;
	if (text)
		rc = store_create(ipam->store, key_block(key, cidr), text, &lease->revision, err);
	else
		rc = err_set(err, ENOMEM, "no memory for an address block");
	free(text);
	if (rc < 0)
		lease_done(lease);
	return rc;
}

/*
 * The host's own key comes first: should we stop in between, it names a block that does not exist, and the
 * next assignment of this host completes the claim. The block itself is the truth.
 */
int lease_claim(struct ipam *ipam, const struct cidr *cidr, bool strict, struct lease *lease, struct err *err)
{
	char key[KEY_MAX], text[CIDR_TEXT];
	int rc;

	key_affinity(key, ipam->host, cidr);
	rc = store_set(ipam->store, key, "", NULL, err);
	if (rc < 0)
		return rc;
	rc = block_create(ipam, cidr, strict, lease, err);
	if (rc != -EEXIST)
		return rc;
	rc = lease_read(ipam, cidr, lease, err);
	if (rc < 0)
		return rc == -ENOENT ? -ESTALE : rc; /* there a moment ago: try again */
	if (lease_is_mine(ipam, lease))
		return 0;
	rc = store_delete(ipam->store, key, err);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	return err_set(err, EEXIST, "block %s belongs to %s", cidr_format(cidr, text),
		       lease->block->affinity ? lease->block->affinity : "no host");
}
