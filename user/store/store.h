/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The datastore: one tree of keys ("/calico/v1/...") with string values, compare-and-swap and watches, on one
 * of the backends. Knows nothing of what the values mean.
 *
 * Calls may wait (see util/task.h) for at most STORE_TIMEOUT_MS or the task's own deadline. Errors: -ENOENT,
 * -EEXIST, -ESTALE (compare failed), -ENOTCONN / -ETIMEDOUT (unreachable: the operation may or may not have
 * happened), -EBADMSG (answer not understood, or file damaged), -EACCES, -EIO. The text names backend,
 * operation and key; with etcd it has the words "Error accessing etcd" unless it is about the key's presence.
 *
 * Semantics are those of the etcd v2 API in every backend: a directory comes into being with its first child
 * (or empty, by store_make_directory()) and stays, empty or not, until it is deleted itself; a key cannot be
 * both value (-EISDIR) and directory (-ENOTDIR); revisions ("modifiedIndex") grow with every write in the
 * store. Keys start with '/' and have no empty, "." or ".." segment (-EINVAL). etcd hides segments that begin
 * with '_' from lists and watches.
 *
 * Inside a callback of the event loop only tasks may call what waits: get, list, children, every write, and
 * store_close().
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define STORE_TIMEOUT_MS 4000

struct config;
struct store;

struct store_node {
	char *key;	   /* absolute, no trailing slash */
	char *value;	   /* NULL for a directory */
	uint64_t revision; /* modifiedIndex */
};

struct store_list {
	struct store_node *nodes; /* leaves and, if asked for, directories; sorted by key, byte order */
	size_t count;
	uint64_t revision; /* of the store when the list was read */
};

/* Opens the backend that the configuration names. Does not wait for a server: the first call does. */
int store_open(const struct config *config, struct store **ret, struct err *err);
/* Ends its watches, which must not be stopped later. Not from their callbacks. NULL: no-op. */
void store_close(struct store *store);
/* "etcd" or "sqlite", and where, e.g. "http://127.0.0.1:2379" or "/var/lib/calico/calico.db". */
const char *store_kind(const struct store *store);
const char *store_where(const struct store *store);

void store_node_done(struct store_node *node);
void store_list_done(struct store_list *list);
/* Appends copies. 0 or -ENOMEM. */
int store_list_add(struct store_list *list, const char *key, const char *value, uint64_t revision);
/* Byte order of the keys. */
void store_list_sort(struct store_list *list);
/* True when key is strictly beneath directory: "/a/bc" is not beneath "/a/b". */
bool store_is_beneath(const char *key, const char *directory);

/* Reads are linearised (etcd: quorum). A directory is -EISDIR. */
int store_get(struct store *store, const char *key, struct store_node *ret, struct err *err);
/* All leaves beneath the directory, recursively; absent: an empty list and 0. */
int store_list(struct store *store, const char *directory, struct store_list *ret, struct err *err);
/* The direct children, with only the last path segment in node.key; directories with value NULL; absent:
 * empty. */
int store_children(struct store *store, const char *directory, struct store_list *ret, struct err *err);

/* Writes are given the revision they created in *ret_revision (may be NULL). */
int store_set(struct store *store, const char *key, const char *value, uint64_t *ret_revision,
	      struct err *err);
int store_set_ttl(struct store *store, const char *key, const char *value, unsigned int ttl_s,
		  struct err *err);
int store_create(struct store *store, const char *key, const char *value, uint64_t *ret_revision,
		 struct err *err); /* -EEXIST */
int store_update(struct store *store, const char *key, const char *value, uint64_t revision,
		 uint64_t *ret_revision, struct err *err);				       /* -ESTALE */
int store_delete(struct store *store, const char *key, struct err *err);		       /* -ENOENT */
int store_delete_if(struct store *store, const char *key, uint64_t revision, struct err *err); /* -ESTALE */
int store_delete_tree(struct store *store, const char *directory, struct err *err);	       /* -ENOENT */
int store_make_directory(struct store *store, const char *directory, struct err *err); /* existing: 0 */

/*
 * Follows a subtree: first every leaf as an event, then `in_sync`, then each change as it happens. When
 * history is lost (etcd error 401, cluster replaced, connection lost for long) it reads a snapshot again and
 * reports only the differences, deletions included, and `in_sync` once more. While the store is unreachable
 * nothing is reported as deleted; nor when everything beneath the directory is gone at once (the tree was
 * deleted, or the store replaced by an empty one): that counts as lost contact until there is a key again.
 *
 * Callbacks run in a task of the watch, never inside a call of this header. They may wait, which holds up the
 * events after them, and may stop the watch.
 */
struct store_watch_ops {
	/* value NULL: the key is gone. Directory deletions fan out to one event per known leaf. */
	void (*event)(void *arg, const char *key, const char *value, uint64_t revision);
	void (*in_sync)(void *arg);
	/* connected: false once when contact is lost (why: one sentence), true when it is back (why: NULL).
	 */
	void (*contact)(void *arg, bool connected, const char *why);
	/*
	 * May be NULL: the user's word on a snapshot (sorted) after the first one. < 0: it is not believed
	 * and, as with an empty one, contact is lost for this reason, what was reported stays good, and it is
	 * read again.
	 */
	int (*believe)(void *arg, const struct store_list *snapshot, struct err *err);
	/* The same for the first snapshot. NULL: it is believed. */
	int (*first)(void *arg, const struct store_list *snapshot, struct err *err);
	/*
	 * May be NULL: whether the end of this directory as a whole is to be taken for a loss. Then nothing
	 * is reported as gone before `believe` has agreed to a snapshot without it.
	 */
	bool (*precious)(void *arg, const char *directory);
	/*
	 * May be NULL: asked when the connection to the store is a new one, before anything that comes by it
	 * counts. < 0: it is another store, or an older state of it; a snapshot is read. May wait.
	 */
	int (*same)(void *arg, struct err *err);
};
struct store_watch;
int store_watch(struct store *store, const char *directory, const struct store_watch_ops *ops, void *arg,
		struct store_watch **ret, struct err *err);
/* No callback follows. NULL: no-op. */
void store_watch_stop(struct store_watch *watch);
/* Reads a snapshot again as if history had been lost. */
void store_watch_resync(struct store_watch *watch);

#endif
