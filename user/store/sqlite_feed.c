/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Watches of the embedded store read its change log. They are woken through inotify by the touch that every
 * writer, in this process or another, gives the file after a commit; and now and then without one, for a
 * writer that died before it or a file system that does not tell.
 */
#include "store/store_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define UNASKED_MS	 1000 /* at most so long between two looks at the log */
#define UNASKED_BLIND_MS 50   /* when inotify is not to be had */
#define ROWS_AT_ONCE	 500

static void on_notify(evutil_socket_t fd, short what, void *arg)
{
	struct sqlite_store *store = arg;
	char events[4096];

	while (read(fd, events, sizeof(events)) > 0)
		;
	for (struct store_feed *feed = store->polling; feed; feed = feed->next)
		wait_wake(&feed->wake);
}

void sqlite_notify_done(struct sqlite_store *store)
{
	if (store->notify)
		event_free(store->notify);
	if (store->notify_fd >= 0)
		close(store->notify_fd);
	store->notify = NULL;
	store->notify_fd = -1;
}

/* The watch is on an inode, so a file that took the place of the old one needs a new watch. */
static void notify_follow(struct sqlite_store *store)
{
	const struct stat *file = &store->db.file;

	if (store->notify && store->notified.st_ino == file->st_ino && store->notified.st_dev == file->st_dev)
		return;
	sqlite_notify_done(store);
	store->notified = *file;
	store->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (store->notify_fd < 0 || inotify_add_watch(store->notify_fd, store->base.where, IN_ATTRIB) < 0)
		goto blind;
	store->notify = event_new(task_base(), store->notify_fd, EV_READ | EV_PERSIST, on_notify, store);
	if (store->notify && event_add(store->notify, NULL) == 0)
		return;
blind:
	sqlite_notify_done(store);
}

struct feed_work {
	struct store_feed *feed;
	struct store_list *list;
	uint64_t after; /* the feed's next place */
	bool expired;	/* something waits for being purged */
	int next_ms;	/* until something expires, at most UNASKED_MS */
};

/* A copy of a file has the id of the file: which of them is open belongs to the identity. */
static int read_identity(struct sqlite_db *db, char *ret, size_t size)
{
	sqlite3_stmt *row;
	int r = sql_open(db, &row, "SELECT id FROM store", NULL);

	if (r < 0)
		return r;
	r = sql_next(db, row);
	snprintf(ret, size, "%.36s %llu", r > 0 ? sql_text(row, 0) : "", (unsigned long long)db->file.st_ino);
	sqlite3_finalize(row);
	return r < 0 ? r : 0;
}

static int take_snapshot(struct sqlite_db *db, void *arg)
{
	struct feed_work *work = arg;
	int r;

	store_list_done(work->list);
	r = sqlite_list(db, work->feed->directory, true, work->list);
	if (r == 0)
		r = read_identity(db, work->feed->identity, sizeof(work->feed->identity));
	if (r == 0)
		work->feed->after = work->list->revision;
	return r;
}

static int explain(const struct store *store, int r, bool own, struct err *err)
{
	if (!own)
		return r;
	if (r == -EREMCHG)
		return err_set(err, EREMCHG, "the datastore %s was replaced by another one", store->where);
	if (r == -ESTALE)
		return err_set(err, ESTALE, "the datastore %s no longer knows what changed", store->where);
	return err_set(err, -r, "cannot follow the datastore %s: %s", store->where, strerror(-r));
}

int sqlite_snapshot(struct store *base, struct store_feed *feed, struct store_list *ret, struct err *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct feed_work work = {.feed = feed, .list = ret};
	bool own;
	int r = sqlite_db_read(&store->db, take_snapshot, &work, &own, err);

	return explain(base, r, own, err);
}

/* Does the log hold everything after the feed's place? */
static int check_history(struct sqlite_db *db, const struct store_feed *feed)
{
	char identity[sizeof(feed->identity)];
	uint64_t first = 0, last = 0;
	sqlite3_stmt *row;
	int r = read_identity(db, identity, sizeof(identity));

	if (r == 0 && strcmp(identity, feed->identity) != 0)
		r = strncmp(identity, feed->identity, strcspn(identity, " ")) ? -EREMCHG : -ESTALE;
	/* Asked for both at once, SQLite would read the whole log. */
	if (r == 0)
		r = sql_open(db, &row,
			     "SELECT (SELECT min(revision) FROM change), (SELECT max(revision) FROM change)",
			     NULL);
	if (r < 0)
		return r;
	r = sql_next(db, row);
	if (r > 0) {
		first = (uint64_t)sqlite3_column_int64(row, 0);
		last = (uint64_t)sqlite3_column_int64(row, 1);
	}
	sqlite3_finalize(row);
	if (r < 0)
		return r;
	return last < feed->after || first > feed->after + 1 ? -ESTALE : 0;
}

static int read_changes(struct sqlite_db *db, struct feed_work *work)
{
	struct store_feed *feed = work->feed;
	sqlite3_stmt *row;
	int r = sql_open(db, &row,
			 "SELECT revision, kind, key, value FROM change WHERE revision > ?1 "
			 "ORDER BY revision LIMIT ?2",
			 SQL_ARGS(SQL_NUMBER(feed->after), SQL_NUMBER(ROWS_AT_ONCE)));

	if (r < 0)
		return r;
	while ((r = sql_next(db, row)) > 0) {
		int kind = sqlite3_column_int(row, 1);
		struct store_change change = {
			.key = (char *)sql_text(row, 2),
			.value = (char *)sql_text(row, 3),
			.directory = kind == CHANGE_DIRECTORY_GONE,
			.revision = (uint64_t)sqlite3_column_int64(row, 0),
		};

		if (kind != CHANGE_DIRECTORY_MADE && (r = store_feed_add(feed, &change)) < 0)
			break;
		work->after = change.revision;
	}
	sqlite3_finalize(row);
	return r;
}

static int read_expiry(struct sqlite_db *db, struct feed_work *work)
{
	sqlite3_stmt *row;
	int r = sql_open(db, &row, "SELECT min(expiry) - " SQL_NOW " FROM node WHERE expiry IS NOT NULL",
			 NULL);

	if (r < 0)
		return r;
	r = sql_next(db, row);
	if (r > 0 && sqlite3_column_type(row, 0) != SQLITE_NULL) {
		int64_t left = sqlite3_column_int64(row, 0);

		work->expired = left <= 0;
		if (left < work->next_ms)
			work->next_ms = left > 0 ? (int)left : 0;
	}
	sqlite3_finalize(row);
	return r < 0 ? r : 0;
}

static int look(struct sqlite_db *db, void *arg)
{
	struct feed_work *work = arg;
	int r = check_history(db, work->feed);

	store_feed_clear(work->feed);
	if (r == 0)
		r = read_expiry(db, work);
	return r < 0 ? r : read_changes(db, work);
}

static int purge(struct sqlite_db *db, void *arg)
{
	return sqlite_purge(db);
}

static void wait_for_notice(struct sqlite_store *store, struct store_feed *feed, int timeout_ms)
{
	struct store_feed **place;

	feed->next = store->polling;
	store->polling = feed;
	wait_for(&feed->wake, timeout_ms);
	for (place = &store->polling; *place != feed; place = &(*place)->next)
		;
	*place = feed->next;
}

int sqlite_poll(struct store *base, struct store_feed *feed, struct err *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	bool own;
	int r;

	task_sleep(0); /* a writer that never rests must not keep this task running alone */
	while (!feed->interrupted) {
		struct feed_work work = {.feed = feed, .after = feed->after, .next_ms = UNASKED_MS};

		notify_follow(store); /* before the look, or a change right after it goes unnoticed */
		r = sqlite_db_read(&store->db, look, &work, &own, err);
		if (r == 0 && work.expired)
			r = sqlite_db_write(&store->db, purge, NULL, &own, err);
		if (r < 0) {
			store_feed_clear(feed);
			return explain(base, r, own, err);
		}
		feed->after = work.after;
		feed->answered = true;
		if (feed->change_count > 0)
			return 0;
		if (!store->notify && work.next_ms > UNASKED_BLIND_MS)
			work.next_ms = UNASKED_BLIND_MS;
		wait_for_notice(store, feed, work.next_ms);
		feed->wake = (struct wait){0};
	}
	return -ECANCELED;
}
