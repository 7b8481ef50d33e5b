/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The embedded store's parts: operations in store_sqlite.c, watches in sqlite_feed.c, rows in sqlite_rows.c.
 */
#ifndef STORE_STORE_SQLITE_H
#define STORE_STORE_SQLITE_H

#include "store/backend.h"
#include "store/sqlite_db.h"

/* Unix time in milliseconds. */
#define SQL_NOW "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

/* Values of change.kind in the file. */
enum sqlite_change {
	CHANGE_LEAF_SET,
	CHANGE_DIRECTORY_MADE,
	CHANGE_LEAF_GONE,
	CHANGE_DIRECTORY_GONE,
};

struct sqlite_store {
	struct store base;
	struct sqlite_db db;
	int notify_fd;		    /* inotify on the file; -1: none */
	struct event *notify;	    /* there while notify_fd is open */
	struct stat notified;	    /* the file that it is on */
	struct store_feed *polling; /* woken by each notification */
};

struct sqlite_state {
	bool exists, directory;
	uint64_t revision;
};

/* What there is of a key. Inside a transaction, as the next three. */
int sqlite_find(struct sqlite_db *db, const char *key, struct sqlite_state *ret);
/* Gives a change its revision. */
int sqlite_log(struct sqlite_db *db, enum sqlite_change kind, const char *key, const char *value,
	       uint64_t *ret_revision);
/* All leaves beneath the directory, or its direct children. */
int sqlite_list(struct sqlite_db *db, const char *directory, bool recursive, struct store_list *ret);
/* Removes what has expired and logs it. */
int sqlite_purge(struct sqlite_db *db);

int sqlite_snapshot(struct store *store, struct store_feed *feed, struct store_list *ret, struct err *err);
int sqlite_poll(struct store *store, struct store_feed *feed, struct err *err);
void sqlite_notify_done(struct sqlite_store *store);

#endif
