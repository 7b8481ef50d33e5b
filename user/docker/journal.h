/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What could not be taken back yet. dockerd asks once to release an address, to delete an endpoint or a
 * network, and ignores an error: what fails then is written here, in the state directory, and tried again
 * until it succeeds, over restarts too. All entries are idempotent and name things that are never reused,
 * but for addresses, which therefore carry the time of the request.
 */
#ifndef DOCKER_JOURNAL_H
#define DOCKER_JOURNAL_H

#include <stddef.h>

#include "util/err.h"

#define JOURNAL_MAX 4096

enum journal_kind { JOURNAL_ENDPOINT, JOURNAL_ADDRESS, JOURNAL_NETWORK };

/* Does one entry; runs in a task. `when`: seconds since 1970. Returns 0 when there is nothing left to do. */
typedef int (*journal_redo)(void *arg, enum journal_kind kind, const char *id, long long when,
			    struct err *err);

struct journal;
/* Reads what an earlier run left, and begins to redo it. An unreadable file is set aside. */
int journal_open(const char *state_dir, journal_redo redo, void *arg, struct journal **ret, struct err *err);
/* The entries stay in the file. NULL is allowed. */
void journal_close(struct journal *journal);
/* On disk when this returns 0. */
int journal_add(struct journal *journal, enum journal_kind kind, const char *id, struct err *err);
size_t journal_count(const struct journal *journal);

#endif
