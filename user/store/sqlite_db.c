/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The SQLite file beneath the embedded store. */
#include "store/sqlite_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"
#include "util/task.h"

#define SCHEMA_VERSION 1

/*
 * node: the tree. Directories are rows too, with a NULL value. `expiry` is Unix time in milliseconds.
 * change: what watchers follow; its highest revision is that of the store. `kind` is an enum sqlite_change.
 */
static const char schema[] =
	"CREATE TABLE store (id TEXT NOT NULL);"
	"INSERT INTO store VALUES (lower(hex(randomblob(16))));"
	"CREATE TABLE node (key TEXT PRIMARY KEY, value TEXT, created INTEGER NOT NULL,"
	" modified INTEGER NOT NULL, expiry INTEGER) WITHOUT ROWID;"
	"CREATE INDEX node_expiry ON node (expiry) WHERE expiry IS NOT NULL;"
	"CREATE TABLE change (revision INTEGER PRIMARY KEY, kind INTEGER NOT NULL, key TEXT NOT NULL,"
	" value TEXT);"
	"PRAGMA user_version = 1;";

void sqlite_db_init(struct sqlite_db *db, const char *path)
{
	*db = (struct sqlite_db){.path = path};
}

void sqlite_db_done(struct sqlite_db *db)
{
	sqlite3_close(db->handle);
	db->handle = NULL;
}

/* Maps a result of SQLite and keeps a sentence about it. */
static int failure(struct sqlite_db *db, int result)
{
	const char *detail = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(result);

	switch (result & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_MISMATCH:
		return err_set(&db->cause, EBADMSG,
			       "the datastore %s is damaged (%s): restore a copy of it, or move it away to "
			       "start with an empty one",
			       db->path, detail);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		return err_set(
			&db->cause, EACCES,
			"cannot write the datastore %s (%s): check its permissions, or run this as root",
			db->path, detail);
	case SQLITE_NOMEM:
		return err_set(&db->cause, ENOMEM, "out of memory in the datastore %s", db->path);
	case SQLITE_ERROR:
	case SQLITE_SCHEMA:
		return err_set(
			&db->cause, EBADMSG,
			"the datastore %s does not have the expected tables (%s): move it away to start "
			"with an empty one",
			db->path, detail);
	default:
		return err_set(&db->cause, EIO, "cannot access the datastore %s (%s): is its disk full?",
			       db->path, detail);
	}
}

static int bind_all(sqlite3_stmt *statement, const struct sql_arg *args)
{
	int result = SQLITE_OK;

	for (int i = 0; args && args[i].kind != SQL_END && result == SQLITE_OK; i++) {
		if (args[i].kind == SQL_IS_TEXT)
			result = sqlite3_bind_text(statement, i + 1, args[i].text, -1, SQLITE_TRANSIENT);
		else
			result = sqlite3_bind_int64(statement, i + 1, args[i].number);
	}
	return result;
}

int sql_open(struct sqlite_db *db, sqlite3_stmt **ret, const char *sql, const struct sql_arg *args)
{
	int result = sqlite3_prepare_v2(db->handle, sql, -1, ret, NULL);

	if (result == SQLITE_OK)
		result = bind_all(*ret, args);
	if (result == SQLITE_OK)
		return 0;
	result = failure(db, result);
	sqlite3_finalize(*ret);
	*ret = NULL;
	return result;
}

int sql_next(struct sqlite_db *db, sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);

	if (result == SQLITE_ROW)
		return 1;
	return result == SQLITE_DONE ? 0 : failure(db, result);
}

int sql_exec(struct sqlite_db *db, const char *sql, const struct sql_arg *args)
{
	sqlite3_stmt *statement;
	int r = sql_open(db, &statement, sql, args);

	if (r < 0)
		return r;
	while ((r = sql_next(db, statement)) > 0)
		;
	sqlite3_finalize(statement);
	return r;
}

static int read_number(struct sqlite_db *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *statement;
	int r = sql_open(db, &statement, sql, NULL);

	if (r < 0)
		return r;
	r = sql_next(db, statement);
	*ret = r > 0 ? sqlite3_column_int64(statement, 0) : 0;
	sqlite3_finalize(statement);
	return r < 0 ? r : 0;
}

static int exec_plain(struct sqlite_db *db, const char *sql)
{
	int result = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return result == SQLITE_OK ? 0 : failure(db, result);
}

/* Runs inside a transaction, so that of two processes one makes the tables and the other finds them. */
static int make_schema(struct sqlite_db *db)
{
	int64_t version, objects;
	int r = read_number(db, "PRAGMA user_version", &version);

	if (r == 0)
		r = read_number(db, "SELECT count(*) FROM sqlite_schema", &objects);
	if (r < 0 || version == SCHEMA_VERSION)
		return r;
	if (version > SCHEMA_VERSION)
		return err_set(&db->cause, EBADMSG,
			       "the datastore %s was written by a newer version of this program", db->path);
	if (objects > 0)
		return err_set(&db->cause, EBADMSG, "%s is an SQLite file of another program", db->path);
	return exec_plain(db, schema);
}

static int set_up(struct sqlite_db *db)
{
	int64_t version = 0;
	int r;

	/* Waiting is done by the caller, in the event loop; this covers only the shortest collisions. */
	sqlite3_busy_timeout(db->handle, 2);
	r = read_number(db, "PRAGMA user_version", &version);
	if (r == 0 && version != SCHEMA_VERSION) {
		r = exec_plain(db, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");
		if (r == 0)
			r = make_schema(db);
		if (r == 0)
			r = exec_plain(db, "COMMIT");
	}
	/* The last commits may be lost when power fails, but never the order of them. */
	return r < 0 ? r : exec_plain(db, "PRAGMA synchronous = NORMAL");
}

/* For a failed system call on the way to the file. */
static int not_opened(struct sqlite_db *db, int code)
{
	return err_set(&db->cause, code, "cannot open the datastore %s: %s%s", db->path, strerror(code),
		       code == EACCES || code == EPERM ? ", run this as root" : "");
}

/* Makes the directories above the file. */
static int make_directories(struct sqlite_db *db)
{
	char *path = strdup(db->path);
	int r = 0;

	if (!path)
		return not_opened(db, ENOMEM);
	for (char *slash = strchr(path + 1, '/'); slash && r == 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			r = not_opened(db, errno);
		*slash = '/';
	}
	free(path);
	return r;
}

/* Made here, because SQLite would make it readable by all; the -wal and -shm files get the same mode. */
static int make_file(struct sqlite_db *db)
{
	int fd = open(db->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0 && errno != EEXIST)
		return not_opened(db, errno);
	if (fd >= 0)
		close(fd);
	return 0;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Opens the file unless it is open; one that was moved or deleted meanwhile is let go first. */
static int ensure_open(struct sqlite_db *db)
{
	struct stat now;
	int r;

	if (db->handle && stat(db->path, &now) == 0 && is_same_file(&db->file, &now))
		return 0;
	sqlite_db_done(db);
	r = make_directories(db);
	if (r == 0)
		r = make_file(db);
	if (r < 0)
		return r;
	if (stat(db->path, &db->file) < 0)
		return not_opened(db, errno);
	r = sqlite3_open_v2(db->path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
	r = r == SQLITE_OK ? set_up(db) : failure(db, r);
	if (r < 0)
		sqlite_db_done(db);
	return r;
}

static int attempt(struct sqlite_db *db, bool write, sqlite_work fn, void *arg)
{
	int r = ensure_open(db);

	if (r < 0)
		return r;
	r = exec_plain(db, write ? "BEGIN IMMEDIATE" : "BEGIN");
	if (r < 0)
		return r;
	r = fn(db, arg);
	if (r >= 0)
		r = exec_plain(db, "COMMIT");
	/* Some failures have undone everything already; then there is nothing to do here. */
	if (r < 0)
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int transact(struct sqlite_db *db, bool write, sqlite_work fn, void *arg)
{
	int64_t deadline = task_clock_ms() + task_time_left(STORE_TIMEOUT_MS);
	int r;

	for (;;) {
		db->cause.text[0] = '\0';
		r = attempt(db, write, fn, arg);
		if (r != -EBUSY || task_clock_ms() >= deadline)
			break;
		/* Different pauses, so that two processes do not keep meeting. */
		task_sleep(1 + (int)arc4random_uniform(5));
	}
	if (r == -EBUSY)
		return err_set(&db->cause, ETIMEDOUT, "the datastore %s is locked by another process",
			       db->path);
	return r;
}

static int run(struct sqlite_db *db, bool write, sqlite_work fn, void *arg, bool *ret_own, struct err *err)
{
	int r = transact(db, write, fn, arg);

	*ret_own = r < 0 && !*db->cause.text;
	if (r < 0 && !*ret_own)
		err_set(err, -r, "%s", db->cause.text);
	return r;
}

int sqlite_db_read(struct sqlite_db *db, sqlite_work fn, void *arg, bool *ret_own, struct err *err)
{
	return run(db, false, fn, arg, ret_own, err);
}

int sqlite_db_write(struct sqlite_db *db, sqlite_work fn, void *arg, bool *ret_own, struct err *err)
{
	int r = run(db, true, fn, arg, ret_own, err);

	/*
	 * Told after the commit, and apart from SQLite's own writes: those to the -wal file come before the
	 * commit is visible.
	 */
	if (r >= 0)
		utimensat(AT_FDCWD, db->path, NULL, 0);
	return r;
}
