/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One SQLite file: opening it, its schema, transactions that wait for other processes, statements. */
#ifndef STORE_SQLITE_DB_H
#define STORE_SQLITE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "util/err.h"

struct sqlite_db {
	const char *path; /* borrowed */
	sqlite3 *handle;  /* NULL: not open */
	struct stat file; /* of what is open, to notice that somebody replaced it */
	struct err cause; /* of the last failure of SQLite itself */
};

/* Does not open anything yet: every transaction makes sure that the present file is open. */
void sqlite_db_init(struct sqlite_db *db, const char *path);
void sqlite_db_done(struct sqlite_db *db);

/*
 * Runs fn inside one transaction, which is undone when fn returns < 0. While another process holds the lock
 * it tries again, letting the event loop run, until the deadline: fn may run more than once, and must not
 * wait. When SQLite fails the text is complete; for fn's own codes *ret_own is true and err is untouched.
 */
typedef int (*sqlite_work)(struct sqlite_db *db, void *arg);
int sqlite_db_read(struct sqlite_db *db, sqlite_work fn, void *arg, bool *ret_own, struct err *err);
/* Afterwards those who watch the file's attributes in other processes are woken. */
int sqlite_db_write(struct sqlite_db *db, sqlite_work fn, void *arg, bool *ret_own, struct err *err);

/* Values for the parameters ?1, ?2, ... of a statement; SQL_ARGS() makes the list of them, NULL is none. */
struct sql_arg {
	enum { SQL_END, SQL_IS_TEXT, SQL_IS_NUMBER } kind;
	const char *text; /* NULL: SQL NULL */
	int64_t number;
};
#define SQL_TEXT(value)	  ((struct sql_arg){.kind = SQL_IS_TEXT, .text = (value)})
#define SQL_NUMBER(value) ((struct sql_arg){.kind = SQL_IS_NUMBER, .number = (int64_t)(value)})
#define SQL_ARGS(...)	  ((const struct sql_arg[]){__VA_ARGS__, {.kind = SQL_END}})

/* To be ended with sqlite3_finalize(). */
int sql_open(struct sqlite_db *db, sqlite3_stmt **ret, const char *sql, const struct sql_arg *args);
/* 1: a row, 0: no more, < 0: failed. */
int sql_next(struct sqlite_db *db, sqlite3_stmt *statement);
/* Runs to the end. 0 or < 0. */
int sql_exec(struct sqlite_db *db, const char *sql, const struct sql_arg *args);
static inline const char *sql_text(sqlite3_stmt *statement, int column)
{
	return (const char *)sqlite3_column_text(statement, column);
}

#endif
