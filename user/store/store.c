/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The common part of the backends: argument checks, and the calls themselves. */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/backend.h"

#define MAX_VALUE_BYTES (16 * 1024 * 1024)

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
