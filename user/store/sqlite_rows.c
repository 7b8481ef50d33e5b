/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rows of nodes and of changes, inside a transaction. */
#include "store/store_sqlite.h"

#include <errno.h>
#include <string.h>

/* So many changes are kept; a watcher that was away for more reads a snapshot. */
#define CHANGES_KEPT 10000

int sqlite_find(struct sqlite_db *db, const char *key, struct sqlite_state *ret)
{
	sqlite3_stmt *row;
	int r = sql_open(db, &row,
			 "SELECT value IS NULL, modified FROM node WHERE key = ?1 AND "
			 "(expiry IS NULL OR expiry > " SQL_NOW ")",
			 SQL_ARGS(SQL_TEXT(key)));

	if (r < 0)
		return r;
	r = sql_next(db, row);
	*ret = (struct sqlite_state){.exists = r > 0};
	if (r > 0) {
		ret->directory = sqlite3_column_int(row, 0);
		ret->revision = (uint64_t)sqlite3_column_int64(row, 1);
	}
	sqlite3_finalize(row);
	return r < 0 ? r : 0;
}

static int read_revision(struct sqlite_db *db, uint64_t *ret)
{
	sqlite3_stmt *row;
	int r = sql_open(db, &row, "SELECT max(revision) FROM change", NULL);

	if (r < 0)
		return r;
	r = sql_next(db, row);
	*ret = r > 0 ? (uint64_t)sqlite3_column_int64(row, 0) : 0;
	sqlite3_finalize(row);
	return r < 0 ? r : 0;
}

/* The log gives every change its revision. It never becomes empty, so revisions never start again. */
int sqlite_log(struct sqlite_db *db, enum sqlite_change kind, const char *key, const char *value,
	       uint64_t *ret_revision)
{
	int r = sql_exec(db, "INSERT INTO change (kind, key, value) VALUES (?1, ?2, ?3)",
			 SQL_ARGS(SQL_NUMBER(kind), SQL_TEXT(key), SQL_TEXT(value)));

	if (r < 0)
		return r;
	*ret_revision = (uint64_t)sqlite3_last_insert_rowid(db->handle);
	return sql_exec(db, "DELETE FROM change WHERE revision <= ?1",
			SQL_ARGS(SQL_NUMBER(*ret_revision - CHANGES_KEPT)));
}

int sqlite_purge(struct sqlite_db *db)
{
	struct store_list expired = {0};
	sqlite3_stmt *row;
	uint64_t revision;
	int r = sql_open(db, &row, "DELETE FROM node WHERE expiry <= " SQL_NOW " RETURNING key", NULL);

	if (r < 0)
		return r;
	while ((r = sql_next(db, row)) > 0) {
		r = store_list_add(&expired, sql_text(row, 0), NULL, 0);
		if (r < 0)
			break;
	}
	sqlite3_finalize(row);
	for (size_t i = 0; i < expired.count && r == 0; i++)
		r = sqlite_log(db, CHANGE_LEAF_GONE, expired.nodes[i].key, NULL, &revision);
	store_list_done(&expired);
	return r;
}

/* '0' is the character after '/': both bounds make an index range of exactly what is beneath. */
int sqlite_list(struct sqlite_db *db, const char *directory, bool recursive, struct store_list *ret)
{
	sqlite3_stmt *row;
	int r = sql_open(
		db, &row,
		"SELECT key, value, modified FROM node WHERE key > ?1 || '/' AND key < ?1 || '0' AND "
		"(expiry IS NULL OR expiry > " SQL_NOW ")",
		SQL_ARGS(SQL_TEXT(directory)));

	if (r < 0)
		return r;
	while ((r = sql_next(db, row)) > 0) {
		const char *key = sql_text(row, 0), *value = sql_text(row, 1);

		if (recursive ? !value : strchr(key + strlen(directory) + 1, '/') != NULL)
			continue;
		r = store_list_add(ret, key, value, (uint64_t)sqlite3_column_int64(row, 2));
		if (r < 0)
			break;
	}
	sqlite3_finalize(row);
	return r < 0 ? r : read_revision(db, &ret->revision);
}
