/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For the tests of IPAM: both kinds of store, emptied before every test, and short words for what they do. */
#ifndef TESTS_IPAM_FIXTURE_H
#define TESTS_IPAM_FIXTURE_H

#include "store_fixture.h"

#include "ipam/ipam.h"
#include "store/keys.h"

static struct etcd etcd;
static char directory[] = "/tmp/calico-ipam-XXXXXX";

struct fixture {
	struct event_base *base;
	char where[128];
	struct store *store;
	struct plugin *plugin; /* of docker_fixture.h */
};

static inline struct store *store_of(void **state)
{
	return ((struct fixture *)*state)->store;
}

static inline int open_fixture(void **state, const char *where)
{
	static struct fixture fixture;
	struct err err;

	fixture = (struct fixture){.base = event_base_new()};
	task_init(fixture.base);
	snprintf(fixture.where, sizeof(fixture.where), "%s", where);
	fixture.store = open_store(where);
	store_delete_tree(fixture.store, "/calico", &err);
	*state = &fixture;
	return 0;
}

static inline int setup_sqlite(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/calico.db", directory);
	return open_fixture(state, path);
}

static inline int setup_etcd(void **state)
{
	return open_fixture(state, etcd.url);
}

static inline int teardown(void **state)
{
	struct fixture *fixture = *state;

	store_close(fixture->store);
	event_base_free(fixture->base);
	return 0;
}

static inline int setup_directory(void **state)
{
	assert_non_null(mkdtemp(directory));
	return 0;
}

static inline int setup_group(void **state)
{
	setup_directory(state);
	if (!etcd_is_installed())
		fail_msg("/usr/bin/etcd is needed (Debian package etcd-server)");
	task_init(event_base_new());
	etcd_start(&etcd);
	event_base_free(task_base());
	return 0;
}

static inline int teardown_group(void **state)
{
	etcd_end(&etcd);
	remove_directory(directory);
	return 0;
}

/* A test on each kind of store. */
#define EACH(test)                                                                                           \
	{"embedded: " #test, test, setup_sqlite, teardown, NULL},                                            \
	{                                                                                                    \
		"etcd: " #test, test, setup_etcd, teardown, NULL                                             \
	}

/* ---- words ---- */

static inline struct addr address(const char *text)
{
	struct addr addr;

	if (addr_parse(text, &addr) < 0)
		fail_msg("bad address %s", text);
	return addr;
}

static inline struct cidr network(const char *text)
{
	struct cidr cidr;

	if (cidr_parse(text, &cidr) < 0)
		fail_msg("bad CIDR %s", text);
	return cidr;
}

/* options: further members, as ",\"disabled\":true"; "" for none. */
static inline void add_pool(struct store *store, const char *text, const char *options)
{
	struct cidr cidr = network(text);
	char key[KEY_MAX], value[256];

	snprintf(value, sizeof(value), "{\"cidr\":\"%s\"%s}", text, options);
	put(store, key_pool(key, &cidr), value);
}

static inline void remove_pool(struct store *store, const char *text)
{
	struct cidr cidr = network(text);
	char key[KEY_MAX];

	drop(store, key_pool(key, &cidr));
}

static inline struct ipam on_host(struct store *store, const char *host)
{
	return (struct ipam){.store = store, .host = host};
}

static inline int try_any(struct ipam *ipam, uint8_t family, size_t count, const char *pool, struct addr *ret,
			  struct err *err)
{
	json_t *attribute = ipam_attribute(ipam->host, "libnetwork");
	struct cidr cidr;
	int r;

	if (pool)
		cidr = network(pool);
	r = ipam_assign_any(ipam, family, count, pool ? &cidr : NULL, attribute, ret, err);
	json_decref(attribute);
	return r;
}

/* One IPv4 address, which there must be; its text, until the next call. */
static inline const char *take(struct ipam *ipam)
{
	static char text[ADDR_TEXT];
	struct addr addr;
	struct err err = {""};

	if (try_any(ipam, 4, 1, NULL, &addr, &err) != 1)
		fail_msg("%s", err.text);
	return addr_format(&addr, text);
}

static inline int try_take(struct ipam *ipam, const char *text, struct err *err)
{
	json_t *attribute = ipam_attribute(ipam->host, "libnetwork");
	struct addr addr = address(text);
	int r = ipam_assign(ipam, &addr, attribute, err);

	json_decref(attribute);
	return r;
}

static inline int give_back(struct ipam *ipam, const char *text)
{
	struct addr addr = address(text);
	struct err err;

	return ipam_release(ipam, &addr, &err);
}

static inline struct block *read_block(struct store *store, const char *text)
{
	struct store_node node;
	struct cidr cidr = network(text);
	struct block *block;
	char key[KEY_MAX];
	struct err err;

	if (store_get(store, key_block(key, &cidr), &node, &err) < 0)
		return NULL;
	if (block_parse(node.value, &block, &err) < 0)
		fail_msg("%s: %s", key, err.text);
	store_node_done(&node);
	return block;
}

/* "host-a", "" for none, NULL when there is no such block. */
static inline const char *owner_of(struct store *store, const char *text)
{
	static char owner[64];
	struct block *block = read_block(store, text);

	if (!block)
		return NULL;
	snprintf(owner, sizeof(owner), "%s", block->affinity ? block->affinity : "");
	block_free(block);
	return owner;
}

static inline bool exists(struct store *store, const char *key)
{
	struct store_node node;
	struct err err;

	if (store_get(store, key, &node, &err) < 0)
		return false;
	store_node_done(&node);
	return true;
}

static inline bool claims(struct store *store, const char *host, const char *text)
{
	struct cidr cidr = network(text);
	char key[KEY_MAX];

	return exists(store, key_affinity(key, host, &cidr));
}

static inline size_t count_blocks(struct store *store, uint8_t family)
{
	struct store_list list;
	struct err err;
	size_t count;

	assert_int_equal(store_list(store, key_blocks(family), &list, &err), 0);
	count = list.count;
	store_list_done(&list);
	return count;
}

static inline size_t count_used(struct store *store, uint8_t family)
{
	struct store_list list;
	struct err err;
	size_t used = 0;

	assert_int_equal(store_list(store, key_blocks(family), &list, &err), 0);
	for (size_t i = 0; i < list.count; i++) {
		struct block *block;

		if (block_parse(list.nodes[i].value, &block, &err) < 0)
			fail_msg("%s: %s", list.nodes[i].key, err.text);
		used += block_used(block);
		block_free(block);
	}
	store_list_done(&list);
	return used;
}

#endif
