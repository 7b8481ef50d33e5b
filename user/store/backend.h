/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a datastore backend gives to store.c and watch.c. Private to this module. Keys that arrive here are
 * valid (store.c checks them).
 */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "store/store.h"
#include "util/task.h"

struct store {
	const struct store_backend *backend;
	char *where;		     /* for people */
	struct store_watch *watches; /* until their tasks have ended */
};

struct store_put {
	const char *key;
	const char *value; /* NULL: make a directory */
	enum { PUT_ALWAYS, PUT_IF_ABSENT, PUT_IF_REVISION } when;
	uint64_t revision;
	unsigned int ttl_s; /* 0: none */
};

struct store_removal {
	const char *key;
	bool recursive;
	uint64_t revision; /* 0: any */
};

struct store_change {
	char *key;
	char *value;	/* NULL: gone */
	bool directory; /* with everything beneath, when it is gone */
	uint64_t revision;
};

/* Where one watch stands in the history of a store. */
struct store_feed {
	const char *directory;
	/* What the history belongs to: cluster or file. Empty before the first snapshot. */
	char identity[64];
	uint64_t after; /* the last revision that was seen */
	int poll_ms;	/* how long a poll may last without a change */
	/* Ends any wait of snapshot and poll at once when `interrupted` is set before. */
	struct wait wake;
	bool interrupted;
	bool answered; /* set when the store began to answer the present poll */
	/* May be NULL: -EREMCHG when what answers on a new connection is not the store of the snapshot. */
	int (*same)(struct store_feed *feed, struct err *err);
	/* Result of a poll; freed by watch.c. */
	struct store_change *changes;
	size_t change_count;
	struct store_feed *next; /* for the backend's list of waiting ones */
};

struct store_backend {
	const char *kind;
	void (*close)(struct store *store); /* frees the store, but not `where` */
	int (*get)(struct store *store, const char *key, struct store_node *ret, struct err *err);
	/*
	 * Leaves beneath the directory, or (not recursive) its direct children, with absolute keys in any
	 * order. *ret is empty at the call; what is in it after a failure is freed by store.c.
	 */
	int (*list)(struct store *store, const char *directory, bool recursive, struct store_list *ret,
		    struct err *err);
	int (*put)(struct store *store, const struct store_put *put, uint64_t *ret_revision, struct err *err);
	int (*remove)(struct store *store, const struct store_removal *removal, struct err *err);
	/* All leaves; sets the feed's identity and `after`. -ECANCELED when interrupted. */
	int (*snapshot)(struct store *store, struct store_feed *feed, struct store_list *ret,
			struct err *err);
	/*
	 * Waits for changes after feed->after and advances it, or fails and leaves both. 0 also without a
	 * change; -ECANCELED when interrupted; -ESTALE when the store has forgotten what followed; -EREMCHG
	 * when it is another store now; -ENOTCONN and -ETIMEDOUT when it is worth to ask again from the same
	 * place.
	 */
	int (*poll)(struct store *store, struct store_feed *feed, struct err *err);
};

int store_open_sqlite(const struct config *config, struct store **ret, struct err *err);
int store_open_etcd(const struct config *config, struct store **ret, struct err *err);

/* Appends a copy. 0 or -ENOMEM. */
int store_feed_add(struct store_feed *feed, const struct store_change *change);
void store_feed_clear(struct store_feed *feed);
/* 0 or -EINVAL. */
int store_check_key(const char *key, struct err *err);

/* Ends all watches and waits until their tasks are gone. */
void store_watch_stop_all(struct store *store);

#endif
