/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The embedded store: the tree of keys in one SQLite file, with the semantics of the etcd v2 API. */
#include "store/store_sqlite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

struct request {
	const char *key;
	bool recursive;
	const struct store_put *put;
	const struct store_removal *removal;
	struct store_node *node;
	struct store_list *list;
	uint64_t revision;
};

static int get_node(struct sqlite_db *db, void *arg)
{
	struct request *request = arg;
	sqlite3_stmt *row;
	int r = sql_open(db, &row,
			 "SELECT value, modified FROM node WHERE key = ?1 AND "
			 "(expiry IS NULL OR expiry > " SQL_NOW ")",
			 SQL_ARGS(SQL_TEXT(request->key)));

	if (r < 0)
		return r;
	store_node_done(request->node);
	r = sql_next(db, row);
	if (r == 0) {
		r = -ENOENT;
	} else if (r > 0 && !sql_text(row, 0)) {
		r = -EISDIR;
	} else if (r > 0) {
		request->node->key = strdup(request->key);
		request->node->value = strdup(sql_text(row, 0));
		request->node->revision = (uint64_t)sqlite3_column_int64(row, 1);
		r = request->node->key && request->node->value ? 0 : -ENOMEM;
	}
	sqlite3_finalize(row);
	return r;
}

static int list_nodes(struct sqlite_db *db, void *arg)
{
	struct request *request = arg;
	struct sqlite_state state;
	int r = sqlite_find(db, request->key, &state);

	store_list_done(request->list);
	if (r == 0 && state.exists && !state.directory)
		r = -ENOTDIR;
	return r < 0 ? r : sqlite_list(db, request->key, request->recursive, request->list);
}

static int make_parents(struct sqlite_db *db, const char *key, uint64_t revision)
{
	char *parent = strdup(key), *slash;
	int r = parent ? 0 : -ENOMEM;

	while (r == 0 && (slash = strrchr(parent, '/')) != parent) {
		struct sqlite_state state;

		*slash = '\0';
		r = sqlite_find(db, parent, &state);
		if (r < 0 || (state.exists && state.directory))
			break;
		r = state.exists ? -ENOTDIR
				 : sql_exec(db, "INSERT INTO node VALUES (?1, NULL, ?2, ?2, NULL)",
					    SQL_ARGS(SQL_TEXT(parent), SQL_NUMBER(revision)));
	}
	free(parent);
	return r;
}

static int check_put(const struct store_put *put, const struct sqlite_state *state)
{
	if (put->when == PUT_IF_ABSENT && state->exists)
		return -EEXIST;
	if (put->when == PUT_IF_REVISION && !state->exists)
		return -ENOENT;
	if (state->exists && state->directory)
		return -EISDIR;
	if (put->when == PUT_IF_REVISION && state->revision != put->revision)
		return -ESTALE;
	return 0;
}

static int put_node(struct sqlite_db *db, void *arg)
{
	struct request *request = arg;
	const struct store_put *put = request->put;
	struct sqlite_state state = {0};
	int r = sqlite_purge(db);

	if (r == 0)
		r = sqlite_find(db, put->key, &state);
	if (r == 0)
		r = check_put(put, &state);
	if (r == 0)
		r = sqlite_log(db, put->value ? CHANGE_LEAF_SET : CHANGE_DIRECTORY_MADE, put->key, put->value,
			       &request->revision);
	if (r == 0)
		r = make_parents(db, put->key, request->revision);
	if (r < 0)
		return r;
	return sql_exec(
		db,
		"INSERT INTO node VALUES (?1, ?2, ?3, ?3, iif(?4 = 0, NULL, " SQL_NOW " + ?4 * 1000)) "
		"ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified = excluded.modified, "
		"expiry = excluded.expiry",
		SQL_ARGS(SQL_TEXT(put->key), SQL_TEXT(put->value), SQL_NUMBER(request->revision),
			 SQL_NUMBER(put->ttl_s)));
}

static int remove_node(struct sqlite_db *db, void *arg)
{
	struct request *request = arg;
	const struct store_removal *removal = request->removal;
	struct sqlite_state state = {0};
	uint64_t revision;
	int r = sqlite_purge(db);

	if (r == 0)
		r = sqlite_find(db, removal->key, &state);
	if (r < 0)
		return r;
	if (!state.exists)
		return -ENOENT;
	if (state.directory && !removal->recursive)
		return -EISDIR;
	if (removal->revision && state.revision != removal->revision)
		return -ESTALE;
	r = sqlite_log(db, state.directory ? CHANGE_DIRECTORY_GONE : CHANGE_LEAF_GONE, removal->key, NULL,
		       &revision);
	if (r < 0)
		return r;
	return sql_exec(db, "DELETE FROM node WHERE key = ?1 OR (key > ?1 || '/' AND key < ?1 || '0')",
			SQL_ARGS(SQL_TEXT(removal->key)));
}

/* The sentence for a refusal that is not SQLite's. */
static int refuse(const struct store *store, int r, const char *key, struct err *err)
{
	const char *path = store->where;

	switch (r) {
	case -ENOENT:
		return err_set(err, ENOENT, "there is no key %s in the datastore %s", key, path);
	case -EEXIST:
		return err_set(err, EEXIST, "the key %s is in the datastore %s already", key, path);
	case -ESTALE:
		return err_set(err, ESTALE, "the key %s in the datastore %s was changed meanwhile, try again",
			       key, path);
	case -EISDIR:
		return err_set(err, EISDIR, "%s is a directory in the datastore %s", key, path);
	case -ENOTDIR:
		return err_set(err, ENOTDIR, "a part of %s is a value, not a directory, in the datastore %s",
			       key, path);
	default:
		return err_set(err, -r, "cannot access %s in the datastore %s: %s", key, path, strerror(-r));
	}
}

static int run(struct store *store, bool write, sqlite_work fn, struct request *request, struct err *err)
{
	struct sqlite_db *db = &((struct sqlite_store *)store)->db;
	bool own;
	int r = write ? sqlite_db_write(db, fn, request, &own, err)
		      : sqlite_db_read(db, fn, request, &own, err);

	return own ? refuse(store, r, request->key, err) : r;
}

static int get(struct store *store, const char *key, struct store_node *ret, struct err *err)
{
	struct request request = {.key = key, .node = ret};
	int r = run(store, false, get_node, &request, err);

	if (r < 0)
		store_node_done(ret);
	return r;
}

static int list(struct store *store, const char *directory, bool recursive, struct store_list *ret,
		struct err *err)
{
	struct request request = {.key = directory, .recursive = recursive, .list = ret};

	return run(store, false, list_nodes, &request, err);
}

static int put(struct store *store, const struct store_put *put, uint64_t *ret_revision, struct err *err)
{
	struct request request = {.key = put->key, .put = put};
	int r = run(store, true, put_node, &request, err);

	*ret_revision = request.revision;
	return r;
}

static int drop(struct store *store, const struct store_removal *removal, struct err *err)
{
	struct request request = {.key = removal->key, .removal = removal};

	return run(store, true, remove_node, &request, err);
}

static void close_store(struct store *base)
{
	struct sqlite_store *store = (struct sqlite_store *)base;

	sqlite_notify_done(store);
	sqlite_db_done(&store->db);
	free(store);
}

static const struct store_backend backend = {
	.kind = "sqlite",
	.close = close_store,
	.get = get,
	.list = list,
	.put = put,
	.remove = drop,
	.snapshot = sqlite_snapshot,
	.poll = sqlite_poll,
};

int store_open_sqlite(const struct config *config, struct store **ret, struct err *err)
{
	struct sqlite_store *store = calloc(1, sizeof(*store));

	if (!store || !(store->base.where = strdup(config->sqlite_path))) {
		free(store);
		return err_set(err, ENOMEM, "out of memory opening the datastore %s", config->sqlite_path);
	}
	store->base.backend = &backend;
	store->notify_fd = -1;
	sqlite_db_init(&store->db, store->base.where);
	*ret = &store->base;
	return 0;
}
