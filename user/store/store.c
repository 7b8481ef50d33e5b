/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The common part of the backends: argument checks, lists, and the calls themselves. */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "store/backend.h"

#define MAX_KEY_BYTES	4096
#define MAX_VALUE_BYTES (16 * 1024 * 1024)

int store_open(const struct config *config, struct store **ret, struct err *err)
{
	return config->sqlite_path ? store_open_sqlite(config, ret, err) : store_open_etcd(config, ret, err);
}

void store_close(struct store *store)
{
	char *where;

	if (!store)
		return;
	store_watch_stop_all(store);
	where = store->where;
	store->backend->close(store);
	free(where);
}

const char *store_kind(const struct store *store)
{
	return store->backend->kind;
}

const char *store_where(const struct store *store)
{
	return store->where;
}

void store_node_done(struct store_node *node)
{
	free(node->key);
	free(node->value);
	*node = (struct store_node){0};
}

void store_list_done(struct store_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		store_node_done(&list->nodes[i]);
	free(list->nodes);
	*list = (struct store_list){0};
}

/* Room for one more element; capacities are the powers of two, so only these need to grow. */
static void *grow(void *items, size_t count, size_t size)
{
	if (count & (count - 1))
		return items;
	return reallocarray(items, count ? count * 2 : 1, size);
}

int store_list_add(struct store_list *list, const char *key, const char *value, uint64_t revision)
{
	struct store_node *nodes = grow(list->nodes, list->count, sizeof(*nodes));
	struct store_node node = {.revision = revision};

	if (!nodes)
		return -ENOMEM;
	list->nodes = nodes;
	node.key = strdup(key);
	node.value = value ? strdup(value) : NULL;
	if (!node.key || (value && !node.value)) {
		store_node_done(&node);
		return -ENOMEM;
	}
	nodes[list->count++] = node;
	return 0;
}

int store_feed_add(struct store_feed *feed, const struct store_change *change)
{
	struct store_change *changes = grow(feed->changes, feed->change_count, sizeof(*changes));
	struct store_change copy = *change;

	if (!changes)
		return -ENOMEM;
	feed->changes = changes;
	copy.key = strdup(change->key);
	copy.value = change->value ? strdup(change->value) : NULL;
	if (!copy.key || (change->value && !copy.value)) {
		free(copy.key);
		free(copy.value);
		return -ENOMEM;
	}
	changes[feed->change_count++] = copy;
	return 0;
}

void store_feed_clear(struct store_feed *feed)
{
	for (size_t i = 0; i < feed->change_count; i++) {
		free(feed->changes[i].key);
		free(feed->changes[i].value);
	}
	free(feed->changes);
	feed->changes = NULL;
	feed->change_count = 0;
}

static int compare_nodes(const void *a, const void *b)
{
	return strcmp(((const struct store_node *)a)->key, ((const struct store_node *)b)->key);
}

void store_list_sort(struct store_list *list)
{
	if (list->count > 1)
		qsort(list->nodes, list->count, sizeof(*list->nodes), compare_nodes);
}

bool store_is_beneath(const char *key, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(key, directory, length) == 0 && key[length] == '/';
}

/* "." and "..", and empty segments, would be resolved by an HTTP server. */
static bool is_key(const char *key)
{
	const char *segment = key;

	if (*key != '/' || strlen(key) > MAX_KEY_BYTES)
		return false;
	while (*segment) {
		size_t length = strcspn(++segment, "/");

		if (length == 0 || (length == 1 && *segment == '.') ||
		    (length == 2 && strncmp(segment, "..", 2) == 0))
			return false;
		segment += length;
	}
	return true;
}

int store_check_key(const char *key, struct err *err)
{
	return is_key(key) ? 0 : err_set(err, EINVAL, "'%s' is not a valid datastore key", key);
}

/*
 * The beginning of every call. A call may wait; in a callback of the event loop, outside a task, it would run
 * the loop inside itself. Found here on every backend, not only where it happens to wait.
 */
static int check(const char *key, const char *value, struct err *err)
{
	int r;

	if (!task_running()) {
		r = event_base_loop(task_base(), EVLOOP_NONBLOCK);
		assert(r >= 0);
	}
	r = store_check_key(key, err);
	if (r < 0)
		return r;
	if (value && strlen(value) > MAX_VALUE_BYTES)
		return err_set(err, EINVAL, "the value for datastore key %s is too large", key);
	return 0;
}

int store_get(struct store *store, const char *key, struct store_node *ret, struct err *err)
{
	int r = check(key, NULL, err);

	*ret = (struct store_node){0};
	return r < 0 ? r : store->backend->get(store, key, ret, err);
}

static int list(struct store *store, const char *directory, bool recursive, struct store_list *ret,
		struct err *err)
{
	int r = check(directory, NULL, err);

	*ret = (struct store_list){0};
	if (r < 0)
		return r;
	r = store->backend->list(store, directory, recursive, ret, err);
	if (r < 0)
		store_list_done(ret);
	store_list_sort(ret);
	return r;
}

int store_list(struct store *store, const char *directory, struct store_list *ret, struct err *err)
{
	return list(store, directory, true, ret, err);
}

int store_children(struct store *store, const char *directory, struct store_list *ret, struct err *err)
{
	int r = list(store, directory, false, ret, err);

	for (size_t i = 0; i < ret->count; i++) {
		char *key = ret->nodes[i].key;
		const char *name = strrchr(key, '/') + 1;

		memmove(key, name, strlen(name) + 1);
	}
	return r;
}

static int put(struct store *store, const struct store_put *put, uint64_t *ret_revision, struct err *err)
{
	uint64_t revision;
	int r = check(put->key, put->value, err);

	return r < 0 ? r : store->backend->put(store, put, ret_revision ? ret_revision : &revision, err);
}

int store_set(struct store *store, const char *key, const char *value, uint64_t *ret_revision,
	      struct err *err)
{
	return put(store, &(struct store_put){.key = key, .value = value}, ret_revision, err);
}

int store_set_ttl(struct store *store, const char *key, const char *value, unsigned int ttl_s,
		  struct err *err)
{
	return put(store, &(struct store_put){.key = key, .value = value, .ttl_s = ttl_s}, NULL, err);
}

int store_create(struct store *store, const char *key, const char *value, uint64_t *ret_revision,
		 struct err *err)
{
	return put(store, &(struct store_put){.key = key, .value = value, .when = PUT_IF_ABSENT},
		   ret_revision, err);
}

int store_update(struct store *store, const char *key, const char *value, uint64_t revision,
		 uint64_t *ret_revision, struct err *err)
{
	struct store_put request = {
		.key = key, .value = value, .when = PUT_IF_REVISION, .revision = revision};

	if (revision == 0)
		return err_set(err, EINVAL, "no revision was given to compare %s with", key);
	return put(store, &request, ret_revision, err);
}

static int drop(struct store *store, const struct store_removal *removal, struct err *err)
{
	int r = check(removal->key, NULL, err);

	return r < 0 ? r : store->backend->remove(store, removal, err);
}

int store_delete(struct store *store, const char *key, struct err *err)
{
	return drop(store, &(struct store_removal){.key = key}, err);
}

int store_delete_if(struct store *store, const char *key, uint64_t revision, struct err *err)
{
	if (revision == 0)
		return err_set(err, EINVAL, "no revision was given to compare %s with", key);
	return drop(store, &(struct store_removal){.key = key, .revision = revision}, err);
}

int store_delete_tree(struct store *store, const char *directory, struct err *err)
{
	return drop(store, &(struct store_removal){.key = directory, .recursive = true}, err);
}

int store_make_directory(struct store *store, const char *directory, struct err *err)
{
	int r = put(store, &(struct store_put){.key = directory, .when = PUT_IF_ABSENT}, NULL, err);

	return r == -EEXIST ? 0 : r;
}
