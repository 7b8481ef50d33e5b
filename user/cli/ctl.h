/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One run of calicoctl: configuration, datastore, output, and how failures are told. */
#ifndef CLI_CTL_H
#define CLI_CTL_H

#include <stdbool.h>

#include "cli/out.h"
#include "config/config.h"
#include "store/store.h"

struct ctl {
	struct config *config;
	struct store *store; /* NULL until ctl_open() */
	struct out out;
	const char *operation; /* command words, for error texts: "profile show" */
};

/* Opens the datastore that the configuration names. false: told already, end with STATUS_FAILED. */
bool ctl_open(struct ctl *ctl);
/* Whether the datastore can be opened and answers; tells nothing, for commands with own words for that. */
bool ctl_answers(struct ctl *ctl);
void ctl_done(struct ctl *ctl);

/* Tells that the datastore failed. Returns STATUS_FAILED. */
int ctl_store_failed(struct ctl *ctl, const struct err *err);
/* Tells any other failure in one line on stderr. Returns STATUS_FAILED. */
int ctl_failed(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether this is root; if not, says that it must be: end with STATUS_ROOT. */
bool ctl_is_root(struct ctl *ctl);

/*
 * Value of a key in *ret (kept until the end of the run), NULL if the key is absent or a directory. Returns
 * false when the datastore failed, which has been told.
 */
bool ctl_read(struct ctl *ctl, const char *key, const char **ret);
bool ctl_write(struct ctl *ctl, const char *key, const char *value);
/* Deletes; *ret_was (may be NULL) tells whether it was there. */
bool ctl_delete(struct ctl *ctl, const char *key, bool *ret_was);
/* All leaves beneath a directory; free with store_list_done(). */
bool ctl_list(struct ctl *ctl, const char *directory, struct store_list *ret);

/*
 * Replaces a value by compare-and-swap. `change` is given the present text (NULL: absent) and sets *ret_new,
 * or leaves it NULL to write nothing; a status other than STATUS_DONE ends it. Losing against another writer
 * is told as a failure of the datastore: the user repeats the command.
 */
typedef int (*ctl_change_fn)(struct ctl *ctl, void *arg, const char *old, const char **ret_new);
int ctl_change(struct ctl *ctl, const char *key, ctl_change_fn change, void *arg);

/* arena_format() in the arena of this run. */
#define ctl_text(ctl, ...) arena_format(&(ctl)->out.arena, __VA_ARGS__)
/* Takes a malloc'd text (NULL: out of memory) into it. */
const char *ctl_keep(struct ctl *ctl, char *text);

#endif
