/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Watches: a task per watch that reads a snapshot, reports how it differs from what was reported before, and
 * follows the changes after it. Everything that goes wrong leads back to the snapshot, or to asking again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM	 1
#define uthash_nonfatal_oom(elt) (failed = true) /* of known_add(), the only place that adds */
#include <uthash.h>

#include "store/backend.h"

#define POLL_MS	    90000
#define POLL_MS_MIN 5000
/* Pauses between snapshots double from the first to the second. */
#define PAUSE_MS_MIN 200
#define PAUSE_MS_MAX 2000
/* So many nodes of a snapshot are reported before other work gets its turn. */
#define NODES_AT_ONCE 100

/*
 * A leaf that was reported. Values are compared by a hash of them: revisions say nothing when a store was
 * replaced or put back to an older state, and a cluster made again from the same settings has the same id.
 */
struct known {
	char *key;
	uint64_t hash;
	uint64_t generation; /* the last snapshot that had it */
	UT_hash_handle hh;
};

struct store_watch {
	struct store_feed feed; /* first member */
	struct store *store;
	const struct store_watch_ops *ops;
	void *arg;
	char *directory;
	struct known *known;
	uint64_t generation;
	bool stopped, resync;
	bool lost;    /* contact, as last reported */
	int pause_ms; /* before the last snapshot */
	struct store_watch *next;
};

static void report_lost(struct store_watch *watch, const char *why)
{
	if (watch->lost || watch->stopped)
		return;
	watch->lost = true;
	if (watch->ops->contact)
		watch->ops->contact(watch->arg, false, why);
}

static void report_found(struct store_watch *watch)
{
	if (!watch->lost || watch->stopped)
		return;
	watch->lost = false;
	if (watch->ops->contact)
		watch->ops->contact(watch->arg, true, NULL);
}

static void known_free(struct known *known)
{
	free(known->key);
	free(known);
}

static struct known *known_add(struct store_watch *watch, const char *key)
{
	struct known *known = calloc(1, sizeof(*known));
	bool failed = false;

	if (!known || !(known->key = strdup(key))) {
		free(known);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, watch->known, known->key, strlen(key), known);
	if (failed) {
		known_free(known);
		return NULL;
	}
	return known;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_value(const char *value)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *value; value++)
		hash = (hash ^ (unsigned char)*value) * UINT64_C(0x100000001b3);
	return hash;
}

static int report_set(struct store_watch *watch, struct known *known, const struct store_change *change)
{
	if (!known)
		known = known_add(watch, change->key);
	if (!known)
		return -ENOMEM;
	known->hash = hash_value(change->value);
	known->generation = watch->generation;
	watch->ops->event(watch->arg, change->key, change->value, change->revision);
	return 0;
}

static void report_gone(struct store_watch *watch, struct known *known, uint64_t revision)
{
	HASH_DEL(watch->known, known);
	watch->ops->event(watch->arg, known->key, NULL, revision);
	known_free(known);
}

static struct known *find(struct store_watch *watch, const char *key)
{
	struct known *known;

	HASH_FIND_STR(watch->known, key, known);
	return known;
}

/* One node of a snapshot. */
static int merge_node(struct store_watch *watch, const struct store_node *node)
{
	struct store_change change = {.key = node->key, .value = node->value, .revision = node->revision};
	struct known *known = find(watch, node->key);

	if (known)
		known->generation = watch->generation;
	if (known && known->hash == hash_value(node->value))
		return 0;
	return report_set(watch, known, &change);
}

static int merge_change(struct store_watch *watch, const struct store_change *change)
{
	struct known *known = find(watch, change->key), *next;

	if (change->value) {
		if (!store_is_beneath(change->key, watch->directory))
			return 0;
		return report_set(watch, known, change);
	}
	if (!change->directory) {
		if (known)
			report_gone(watch, known, change->revision);
		return 0;
	}
	/* The end of the whole tree is no reason to forget it: see synchronise(). */
	if (strcmp(change->key, watch->directory) == 0 || store_is_beneath(watch->directory, change->key) ||
	    (watch->ops->precious && watch->ops->precious(watch->arg, change->key)))
		return -EREMCHG;
	HASH_ITER (hh, watch->known, known, next) {
		if (store_is_beneath(known->key, change->key))
			report_gone(watch, known, change->revision);
		if (watch->stopped)
			break;
	}
	return 0;
}

static int merge_snapshot(struct store_watch *watch, const struct store_list *list)
{
	struct known *known, *next;
	int r;

	watch->generation++;
	for (size_t i = 0; i < list->count && !watch->stopped; i++) {
		if (i % NODES_AT_ONCE == NODES_AT_ONCE - 1)
			task_sleep(0);
		r = merge_node(watch, &list->nodes[i]);
		if (r < 0)
			return r;
	}
	HASH_ITER (hh, watch->known, known, next) {
		if (watch->stopped)
			break;
		if (known->generation != watch->generation)
			report_gone(watch, known, watch->feed.after);
	}
	return 0;
}

/*
 * An empty store after a full one is somebody's accident, or a store that is just being filled again. What
 * was reported stays good until there is something to compare it with.
 */
static int believe(struct store_watch *watch, const struct store_list *list, struct err *err)
{
	if (!watch->known && watch->ops->first)
		return watch->ops->first(watch->arg, list, err);
	if (watch->known && watch->ops->believe)
		return watch->ops->believe(watch->arg, list, err);
	if (watch->known && list->count == 0)
		return err_set(err, EAGAIN,
			       "%s at %s has nothing beneath %s any more: keeping what was there before",
			       watch->store->backend->kind, watch->store->where, watch->directory);
	return 0;
}

static int synchronise(struct store_watch *watch, struct err *err)
{
	struct store_list list = {0};
	int r = watch->store->backend->snapshot(watch->store, &watch->feed, &list, err);

	if (r == 0 && !watch->stopped) {
		store_list_sort(&list);
		r = believe(watch, &list, err);
	}
	if (r == 0 && !watch->stopped) {
		report_found(watch);
		r = merge_snapshot(watch, &list);
		if (r < 0)
			err_set(err, -r, "out of memory following %s", watch->directory);
	}
	store_list_done(&list);
	if (r == 0 && !watch->stopped && watch->ops->in_sync)
		watch->ops->in_sync(watch->arg);
	return r;
}

static int merge_changes(struct store_watch *watch, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < watch->feed.change_count && r == 0 && !watch->stopped; i++)
		r = merge_change(watch, &watch->feed.changes[i]);
	if (r == -EREMCHG) {
		const char *key = watch->feed.changes[i - 1].key;

		err_set(err, EREMCHG, "%s was deleted as a whole in %s at %s: keeping what was there before",
			strlen(key) > strlen(watch->directory) ? key : watch->directory,
			watch->store->backend->kind, watch->store->where);
	}
	store_feed_clear(&watch->feed);
	if (r == -EREMCHG)
		return r;
	return r < 0 ? err_set(err, -r, "out of memory following %s", watch->directory) : 0;
}

static void pause_for(struct store_watch *watch, int ms)
{
	if (watch->feed.interrupted)
		return;
	watch->feed.wake = (struct wait){0};
	/* Hosts that lost the same server at the same time come back one after the other. */
	wait_for(&watch->feed.wake, ms + (int)arc4random_uniform((uint32_t)ms / 4));
}

/* Returns when a new snapshot is needed, or when interrupted. */
static int follow(struct store_watch *watch, struct err *err)
{
	struct store_feed *feed = &watch->feed;
	unsigned int failures = 0;

	while (!feed->interrupted) {
		int r;

		feed->wake = (struct wait){0};
		feed->answered = false;
		r = watch->store->backend->poll(watch->store, feed, err);
		if (feed->answered)
			failures = 0;
		/*
		 * Servers and balancers end idle connections: the first failure means nothing. After more
		 * of them the server that comes back may not have the same data.
		 */
		if ((r == -ENOTCONN || r == -ETIMEDOUT) && failures++ == 0) {
			pause_for(watch, PAUSE_MS_MIN);
			continue;
		}
		if (r == 0)
			r = merge_changes(watch, err);
		if (r < 0)
			return r;
		watch->pause_ms = 0;
	}
	return -ECANCELED;
}

/* Each pause is longer than the one before, until a poll is answered well. */
static void rest(struct store_watch *watch)
{
	watch->pause_ms *= 2;
	if (watch->pause_ms < PAUSE_MS_MIN)
		watch->pause_ms = PAUSE_MS_MIN;
	if (watch->pause_ms > PAUSE_MS_MAX)
		watch->pause_ms = PAUSE_MS_MAX;
	pause_for(watch, watch->pause_ms);
}

static void watch_free(struct store_watch *watch)
{
	struct known *known = watch->known, *next;

	HASH_CLEAR(hh, watch->known); /* the elements stay linked */
	for (; known; known = next) {
		next = known->hh.next;
		known_free(known);
	}
	store_feed_clear(&watch->feed);
	free(watch->directory);
	free(watch);
}

static void run(void *arg)
{
	struct store_watch *watch = arg, **place;

	wait_for(&watch->feed.wake, 0); /* the caller of store_watch() returns first */
	while (!watch->stopped) {
		struct err err = {0};
		int r;

		watch->resync = false;
		watch->feed.interrupted = false;
		watch->feed.wake = (struct wait){0};
		r = synchronise(watch, &err);
		if (r == 0)
			r = follow(watch, &err);
		if (watch->stopped || watch->resync)
			continue;
		if (r == -ESTALE) {
			/* More happened elsewhere in the store during one poll than it remembers. */
			if (watch->feed.poll_ms / 2 >= POLL_MS_MIN)
				watch->feed.poll_ms /= 2;
		} else {
			report_lost(watch, err.text);
		}
		rest(watch);
	}
	for (place = &watch->store->watches; *place != watch; place = &(*place)->next)
		;
	*place = watch->next;
	watch_free(watch);
}

static int is_same(struct store_feed *feed, struct err *err)
{
	struct store_watch *watch = (struct store_watch *)feed;
	int r = watch->stopped ? 0 : watch->ops->same(watch->arg, err);

	/* Without an answer the next poll asks again. */
	return r == -ENOTCONN || r == -ETIMEDOUT || r == 0 ? r : -EREMCHG;
}

int store_watch(struct store *store, const char *directory, const struct store_watch_ops *ops, void *arg,
		struct store_watch **ret, struct err *err)
{
	struct store_watch *watch;
	int r = store_check_key(directory, err);

	if (r < 0)
		return r;
	watch = calloc(1, sizeof(*watch));
	if (!watch || !(watch->directory = strdup(directory)))
		goto out_of_memory;
	watch->feed.directory = watch->directory;
	watch->feed.poll_ms = POLL_MS;
	watch->feed.same = ops->same ? is_same : NULL;
	watch->store = store;
	watch->ops = ops;
	watch->arg = arg;
	watch->next = store->watches;
	store->watches = watch;
	if (task_start(run, watch) == 0) {
		*ret = watch;
		return 0;
	}
	store->watches = watch->next;
	free(watch->directory);
out_of_memory:
	free(watch);
	return err_set(err, ENOMEM, "out of memory starting to follow %s", directory);
}

static void interrupt(struct store_watch *watch)
{
	watch->feed.interrupted = true;
	wait_wake(&watch->feed.wake);
}

void store_watch_stop(struct store_watch *watch)
{
	if (!watch)
		return;
	watch->stopped = true;
	interrupt(watch);
}

void store_watch_resync(struct store_watch *watch)
{
	watch->resync = true;
	interrupt(watch);
}

void store_watch_stop_all(struct store *store)
{
	for (struct store_watch *watch = store->watches; watch; watch = watch->next)
		store_watch_stop(watch);
	while (store->watches)
		task_sleep(1);
}
