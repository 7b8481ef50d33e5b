/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The copy of a datastore, in the tables of the embedded one; its log of changes stays empty. */
#include "store/mirror.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/backend.h"
#include "store/sqlite_db.h"
#include "util/log.h"

struct store_mirror {
	struct sqlite_db db;
	char *path;
};

struct work {
	const char *directory;
	const struct store_list *list;
	struct store_list *ret;
};

static int read_all(struct sqlite_db *db, void *arg)
{
	struct work *work = arg;
	sqlite3_stmt *row;
	int r = sql_open(db, &row, "SELECT key, value FROM node ORDER BY key", NULL);

	if (r < 0)
		return r;
	store_list_done(work->ret);
	while ((r = sql_next(db, row)) > 0) {
		r = store_list_add(work->ret, sql_text(row, 0), sql_text(row, 1), 0);
		if (r < 0)
			break;
	}
	sqlite3_finalize(row);
	return r;
}

static int put(struct sqlite_db *db, const char *key, const char *value)
{
	if (!value)
		return sql_exec(db, "DELETE FROM node WHERE key = ?1", SQL_ARGS(SQL_TEXT(key)));
	return sql_exec(db,
			"INSERT INTO node VALUES (?1, ?2, 0, 0, NULL) ON CONFLICT (key) DO UPDATE SET "
			"value = excluded.value WHERE value IS NOT excluded.value",
			SQL_ARGS(SQL_TEXT(key), SQL_TEXT(value)));
}

static int write_all(struct sqlite_db *db, void *arg)
{
	const struct store_list *list = ((struct work *)arg)->list;
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = put(db, list->nodes[i].key, list->nodes[i].value);
	return r;
}

/* Two sorted lists side by side. */
static int write_differences(struct sqlite_db *db, const struct store_list *old, const struct work *work)
{
	const struct store_list *new = work->list;
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < old->count || j < new->count)) {
		int order = i == old->count   ? 1
			    : j == new->count ? -1
					      : strcmp(old->nodes[i].key, new->nodes[j].key);

		if (order < 0 && store_is_beneath(old->nodes[i].key, work->directory))
			r = put(db, old->nodes[i].key, NULL);
		else if (order > 0 || (order == 0 && strcmp(old->nodes[i].value, new->nodes[j].value)))
			r = put(db, new->nodes[j].key, new->nodes[j].value);
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}

static int replace_all(struct sqlite_db *db, void *arg)
{
	struct work *work = arg;
	struct store_list old = {0};
	struct work reading = {.ret = &old};
	int r = read_all(db, &reading);

	if (r == 0)
		r = write_differences(db, &old, work);
	store_list_done(&old);
	return r;
}

static int tell(const struct store_mirror *mirror, int r, bool own, struct err *err)
{
	if (own)
		err_set(err, -r, "cannot keep a copy of the datastore in %s: %s", mirror->path, strerror(-r));
	return r;
}

int store_mirror_read(struct store_mirror *mirror, struct store_list *ret, struct err *err)
{
	struct work work = {.ret = ret};
	bool own;
	int r;

	*ret = (struct store_list){0};
	r = sqlite_db_read(&mirror->db, read_all, &work, &own, err);
	if (r < 0)
		store_list_done(ret);
	return r < 0 ? tell(mirror, r, own, err) : 0;
}

int store_mirror_write(struct store_mirror *mirror, const struct store_list *changes, struct err *err)
{
	struct work work = {.list = changes};
	bool own;
	int r = sqlite_db_write(&mirror->db, write_all, &work, &own, err);

	return r < 0 ? tell(mirror, r, own, err) : 0;
}

int store_mirror_replace(struct store_mirror *mirror, const char *directory, const struct store_list *list,
			 struct err *err)
{
	struct work work = {.directory = directory, .list = list};
	bool own;
	int r = sqlite_db_write(&mirror->db, replace_all, &work, &own, err);

	return r < 0 ? tell(mirror, r, own, err) : 0;
}

/* A copy is no reason to keep a daemon from starting. */
static void set_aside(struct store_mirror *mirror, const char *why)
{
	char *aside;

	if (asprintf(&aside, "%s.bad", mirror->path) < 0)
		return;
	log_warn("store", "%s; setting it aside as %s", why, aside);
	sqlite_db_done(&mirror->db);
	rename(mirror->path, aside);
	free(aside);
	/* SQLite's own files go with it, or they would be taken for those of the next one. */
	for (size_t i = 0; i < 2; i++) {
		if (asprintf(&aside, "%s%s", mirror->path, i ? "-shm" : "-wal") < 0)
			return;
		unlink(aside);
		free(aside);
	}
}

int store_mirror_open(const char *path, struct store_mirror **ret, struct err *err)
{
	struct store_mirror *mirror = calloc(1, sizeof(*mirror));
	struct store_list list;
	struct err cause;
	int r;

	if (!mirror || !(mirror->path = strdup(path))) {
		free(mirror);
		return err_set(err, ENOMEM, "out of memory opening %s", path);
	}
	sqlite_db_init(&mirror->db, mirror->path);
	r = store_mirror_read(mirror, &list, &cause);
	if (r == -EBADMSG) {
		set_aside(mirror, cause.text);
		r = store_mirror_read(mirror, &list, &cause);
	}
	if (r < 0) {
		store_mirror_close(mirror);
		return err_set(err, -r, "%s", cause.text);
	}
	store_list_done(&list);
	*ret = mirror;
	return 0;
}

void store_mirror_close(struct store_mirror *mirror)
{
	if (!mirror)
		return;
	sqlite_db_done(&mirror->db);
	free(mirror->path);
	free(mirror);
}
