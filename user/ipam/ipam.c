/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Single addresses: assign a given one, release, look up. */
#include "ipam/ipam.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "ipam/internal.h"
#include "store/keys.h"

int ipam_enter(struct ipam *ipam, struct race *race, struct err *err)
{
	if (task_lock(&ipam->lock, task_time_left(IPAM_LIMIT_MS)) < 0)
		return err_set(err, ETIMEDOUT,
			       "other address assignments of this host did not end in time; try again");
	*race = (struct race){.deadline = task_clock_ms() + task_time_left(IPAM_LIMIT_MS)};
	return 0;
}

void ipam_leave(struct ipam *ipam)
{
	task_unlock(&ipam->lock);
}

int race_lost(struct race *race, struct err *err)
{
	/* The ceiling doubles up to 128 ms, about the length of a few etcd round trips under load. */
	unsigned int ceiling = 2U << (race->losses < 6 ? race->losses : 6);
	unsigned int pause = 0;

	if (getrandom(&pause, sizeof(pause), GRND_NONBLOCK) < 0)
		pause = (unsigned int)task_clock_ms();
	if (++race->losses < IPAM_ATTEMPTS && task_clock_ms() < race->deadline) {
		task_sleep(1 + (int)(pause % ceiling));
		return 0;
	}
	return err_set(err, ETIMEDOUT,
		       "address blocks kept changing under this host's hands (%u attempts); try again",
		       race->losses);
}

json_t *ipam_attribute(const char *host, const char *type)
{
	char since[24];

	if (!host)
		return json_pack("{s:n, s:{}}", "handle_id", "secondary");
	snprintf(since, sizeof(since), "%lld", (long long)time(NULL));
	return json_pack("{s:n, s:{s:s, s:s, s:s}}", "handle_id", "secondary", "node", host, "type", type,
			 "since", since);
}

bool ipam_attribute_is(const json_t *attribute, const char *host, const char *type, long *ret_age_s)
{
	const json_t *secondary = json_object_get(attribute, "secondary");
	const char *node = json_string_value(json_object_get(secondary, "node"));
	const char *kind = json_string_value(json_object_get(secondary, "type"));
	const char *since = json_string_value(json_object_get(secondary, "since"));

	if (!node || !kind || !since || strcmp(node, host) != 0 || strcmp(kind, type) != 0)
		return false;
	if (ret_age_s)
		*ret_age_s = (long)time(NULL) - strtol(since, NULL, 10);
	return true;
}

static int not_in_pool(const struct addr *addr, struct err *err)
{
	char text[ADDR_TEXT];

	return err_set(err, ENOENT,
		       "address %s is not in any enabled Calico IP pool; see 'calicoctl pool show'",
		       addr_format(addr, text));
}

static int read_or_claim(struct ipam *ipam, const struct cidr *cidr, struct lease *lease, struct err *err)
{
	struct ipam_config config;
	int rc = lease_read(ipam, cidr, lease, err);

	if (rc != -ENOENT)
		return rc;
	rc = ipam_read_config(ipam->store, &config, err);
	if (rc < 0)
		return rc;
	rc = lease_claim(ipam, cidr, config.strict_affinity, lease, err);
	return rc == -EEXIST ? -ESTALE : rc; /* claimed by another host this moment: use theirs */
}

static int assign_in_block(struct ipam *ipam, struct lease *lease, const struct addr *addr, json_t *attribute,
			   struct err *err)
{
	char text[ADDR_TEXT];
	int rc;

	if (lease->block->strict_affinity && !lease_is_mine(ipam, lease))
		return err_set(
			err, EACCES,
			"address %s belongs to a block of host %s, and strict affinity forbids to borrow it",
			addr_format(addr, text), lease->block->affinity ? lease->block->affinity : "(none)");
	rc = block_assign(lease->block, addr, attribute);
	if (rc == -EEXIST)
		return err_set(err, EEXIST, "address %s is already in use", addr_format(addr, text));
	if (rc < 0)
		return err_set(err, -rc, "address %s could not be put into its block",
			       addr_format(addr, text));
	return lease_write(ipam, lease, err);
}

static int put_into_block(struct ipam *ipam, struct race *race, const struct addr *addr, json_t *attribute,
			  struct err *err)
{
	struct cidr cidr = block_cidr_of(addr);
	struct lease lease = {0};
	int rc;

	do {
		rc = read_or_claim(ipam, &cidr, &lease, err);
		if (!rc)
			rc = assign_in_block(ipam, &lease, addr, attribute, err);
	} while (rc == -ESTALE && !(rc = race_lost(race, err)));
	lease_done(&lease);
	return rc;
}

static int check_pools(struct ipam *ipam, const struct addr *addr, struct err *err)
{
	struct pools pools;
	int rc = pools_read(ipam->store, addr->family, NULL, &pools, err);

	if (!rc && !pools_have_addr(&pools, addr))
		rc = not_in_pool(addr, err);
	pools_done(&pools);
	return rc;
}

int ipam_assign(struct ipam *ipam, const struct addr *addr, json_t *attribute, struct err *err)
{
	struct race race = {0};
	int rc = ipam_enter(ipam, &race, err);

	if (rc < 0)
		return rc;
	rc = check_pools(ipam, addr, err);
	if (!rc)
		rc = ipam_check_address(ipam, addr, err);
	if (!rc)
		rc = put_into_block(ipam, &race, addr, attribute, err);
	ipam_leave(ipam);
	return rc;
}

/* An address that is assigned: to this host, or by somebody who does not say to which. */
static int check_holder(struct ipam *ipam, const struct addr *addr, struct err *err)
{
	char text[ADDR_TEXT];
	json_t *attribute = NULL;
	const char *node;
	int rc = ipam_info(ipam, addr, &attribute, err);

	if (rc < 0)
		return rc;
	node = json_string_value(json_object_get(json_object_get(attribute, "secondary"), "node"));
	if (node && strcmp(node, ipam->host) != 0)
		rc = err_set(err, EEXIST, "its address %s belongs to host %.80s now", addr_format(addr, text),
			     node);
	json_decref(attribute);
	return rc;
}

/* 1: the key of this host's affinity to the address's block had been lost. */
static int complete_affinity(struct ipam *ipam, const struct addr *addr, struct err *err)
{
	struct cidr cidr = block_cidr_of(addr);
	struct lease lease = {0};
	char key[KEY_MAX];
	int rc = lease_read(ipam, &cidr, &lease, err);

	if (!rc && lease_is_mine(ipam, &lease)) {
		rc = store_create(ipam->store, key_affinity(key, ipam->host, &cidr), "", NULL, err);
		rc = rc == -EEXIST ? 0 : rc < 0 ? rc : 1;
	}
	lease_done(&lease);
	return rc;
}

int ipam_adopt(struct ipam *ipam, const struct addr *addr, json_t *attribute, struct err *err)
{
	struct race race = {0};
	int rc = ipam_enter(ipam, &race, err);

	if (rc < 0)
		return rc;
	rc = put_into_block(ipam, &race, addr, attribute, err);
	ipam_leave(ipam);
	if (!rc)
		return 1;
	if (rc == -EEXIST)
		rc = check_holder(ipam, addr, err);
	return rc < 0 ? rc : complete_affinity(ipam, addr, err);
}

/*
 * One address less for its handle. Handles may over-count after a crash and other tools leave corrupt ones:
 * nothing that is wrong with one may fail a release that has happened.
 */
static void handle_decrement(struct ipam *ipam, struct race *race, const char *handle,
			     const struct cidr *block)
{
	char key[KEY_MAX];
	int rc;

	if (strchr(handle, '/') || strlen(handle) > 255)
		return; /* no key of ours */
	key_handle(key, handle);
	do {
		struct store_node node = {0};
		char *text = NULL;

		rc = store_get(ipam->store, key, &node, NULL);
		if (rc < 0)
			return;
		rc = handle_change(handle, node.value, block, -1, &text, NULL);
		if (rc >= 0)
			rc = text ? store_update(ipam->store, key, text, node.revision, NULL, NULL)
				  : store_delete_if(ipam->store, key, node.revision, NULL);
		free(text);
		store_node_done(&node);
	} while (rc == -ESTALE && !race_lost(race, NULL));
}

static int not_assigned(const struct addr *addr, struct err *err)
{
	char text[ADDR_TEXT];

	return err_set(err, ENOENT, "address %s is not assigned", addr_format(addr, text));
}

struct condition {
	bool (*may)(void *arg, const json_t *attribute);
	void *arg;
};

static int release_once(struct ipam *ipam, const struct addr *addr, const struct condition *condition,
			char **ret_handle, struct err *err)
{
	struct cidr cidr = block_cidr_of(addr);
	struct lease lease = {0};
	char text[ADDR_TEXT];
	json_t *attribute;
	int rc = lease_read(ipam, &cidr, &lease, err);

	if (rc == -ENOENT)
		return not_assigned(addr, err);
	if (rc < 0)
		return rc;
	attribute = block_attribute(lease.block, addr);
	if (!attribute) {
		rc = not_assigned(addr, err);
	} else if (condition->may && !condition->may(condition->arg, attribute)) {
		rc = err_set(err, EPERM, "address %s is held by somebody else", addr_format(addr, text));
	} else {
		rc = block_release(lease.block, addr, ret_handle);
		rc = rc < 0 ? err_set(err, -rc, "address %s could not be released", addr_format(addr, text))
			    : lease_write(ipam, &lease, err);
	}
	lease_done(&lease);
	return rc;
}

int ipam_release_if(struct ipam *ipam, const struct addr *addr,
		    bool (*may)(void *arg, const json_t *attribute), void *arg, struct err *err)
{
	struct condition condition = {may, arg};
	struct cidr block = block_cidr_of(addr);
	char *handle = NULL;
	struct race race = {0};
	int rc = ipam_enter(ipam, &race, err);

	if (rc < 0)
		return rc;
	while ((rc = release_once(ipam, addr, &condition, &handle, err)) == -ESTALE) {
		free(handle);
		handle = NULL;
		rc = race_lost(&race, err);
		if (rc < 0)
			break;
	}
	if (!rc && handle)
		handle_decrement(ipam, &race, handle, &block);
	free(handle);
	ipam_leave(ipam);
	return rc;
}

int ipam_release(struct ipam *ipam, const struct addr *addr, struct err *err)
{
	return ipam_release_if(ipam, addr, NULL, NULL, err);
}

int ipam_info(struct ipam *ipam, const struct addr *addr, json_t **ret_attribute, struct err *err)
{
	struct cidr cidr = block_cidr_of(addr);
	struct lease lease = {0};
	json_t *attribute = NULL;
	int rc = lease_read(ipam, &cidr, &lease, err);

	if (!rc)
		attribute = block_attribute(lease.block, addr);
	if (rc == -ENOENT || (!rc && !attribute))
		rc = not_assigned(addr, err);
	if (!rc)
		*ret_attribute = json_incref(attribute);
	lease_done(&lease);
	return rc;
}
