/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the datastore said last, in the state directory: all but other hosts' data. And the witness, a random
 * word that this host writes into the datastore whenever it gets an endpoint, and remembers. A datastore
 * without it is another one, or an older state of it: cluster ids cannot tell, since servers that were set up
 * alike have equal ones.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/keys.h"
#include "store/mirror.h"
#include "util/log.h"

#define FILE_NAME	"mirror.db"
#define KEY_OF_HOST	"/mirror/host"
#define KEY_OF_WITNESS	"/mirror/witness/0"
#define KEY_OF_WITNESS2 "/mirror/witness/1"
#define WITNESS_TEXT	33
#define FLUSH_MS	100
#define RETRY_MS	5000
#define AT_ONCE		1000 /* changes in one transaction, which nothing else runs beside */

struct mirror {
	struct store_mirror *file; /* NULL: it cannot be used */
	struct store_list pending; /* changes that are not in the file yet */
	struct event *flush_event;
	/* What the datastore may have: the present witness, and the one before while that is not certain. */
	char witness[2][WITNESS_TEXT];
	uint64_t revision; /* of the witness in the datastore; 0: it has none */
	bool due;	   /* the witness is to be renewed */
	bool busy;	   /* the task runs */
};

/* ---- the file ---- */

static void tell(struct agent *agent, int r, const struct err *err)
{
	struct err text;

	if (r < 0)
		err_set(&text, -r,
			"%.300s: endpoints could not be put back if the datastore lost them; make room in the "
			"state directory",
			err->text);
	problem_set(&agent->problems, "state directory", r < 0 ? text.text : NULL);
}

static int write_list(struct agent *agent, const struct store_list *list)
{
	struct mirror *mirror = agent->mirror;
	struct err err;
	int r = 0;

	for (size_t i = 0; mirror->file && r == 0 && i < list->count; i += AT_ONCE) {
		size_t left = list->count - i;
		struct store_list part = {.nodes = list->nodes + i, .count = left < AT_ONCE ? left : AT_ONCE};

		if (i && task_running())
			task_sleep(0);
		r = store_mirror_write(mirror->file, &part, &err);
	}
	if (mirror->file)
		tell(agent, r, &err);
	return r;
}

static int flush(struct agent *agent)
{
	struct store_list list = agent->mirror->pending;
	int r;

	agent->mirror->pending = (struct store_list){0};
	r = write_list(agent, &list);
	store_list_done(&list);
	return r;
}

static void write_witness(struct agent *agent)
{
	struct mirror *mirror = agent->mirror;
	struct store_node nodes[] = {
		{KEY_OF_HOST, (char *)agent->config->hostname, 0},
		{KEY_OF_WITNESS, mirror->witness[0], 0},
		{KEY_OF_WITNESS2, mirror->witness[1], 0},
	};
	struct store_list list = {.nodes = nodes, .count = 3};

	write_list(agent, &list);
}

static const char *value_of(const struct store_list *list, const char *key)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!strcmp(list->nodes[i].key, key))
			return list->nodes[i].value;
	}
	return NULL;
}

/* A disk that was copied to another host has the other's copy, which says nothing about this one. */
static int read_witness(struct agent *agent, struct err *err)
{
	struct mirror *mirror = agent->mirror;
	struct store_list list, nothing = {0};
	const char *host, *first, *second;
	int r = store_mirror_read(mirror->file, &list, err);

	if (r < 0)
		return r;
	host = value_of(&list, KEY_OF_HOST);
	first = value_of(&list, KEY_OF_WITNESS);
	second = value_of(&list, KEY_OF_WITNESS2);
	if (host && strcmp(host, agent->config->hostname) != 0) {
		log_warn("agent", "the state directory is that of host %s; it is not believed", host);
		r = store_mirror_replace(mirror->file, "", &nothing, err);
	} else if (host) {
		snprintf(mirror->witness[0], WITNESS_TEXT, "%s", first ? first : "");
		snprintf(mirror->witness[1], WITNESS_TEXT, "%s", second ? second : "");
	}
	store_list_done(&list);
	return r;
}

/* ---- what is kept ---- */

static bool is_kept(const struct agent *agent, const char *key)
{
	struct key_parts parts;

	key_parse(key, &parts);
	switch (parts.kind) {
	case KEY_IS_CONFIG:
	case KEY_IS_PROFILE_RULES:
	case KEY_IS_PROFILE_TAGS:
	case KEY_IS_PROFILE_LABELS:
	case KEY_IS_TIER:
	case KEY_IS_POLICY:
	case KEY_IS_POOL:
	case KEY_IS_BLOCKED:
		return true;
	case KEY_IS_HOST_CONFIG:
		return !strcmp(parts.host, agent->config->hostname) && strcmp(parts.name, "marker") != 0;
	case KEY_IS_ENDPOINT:
	case KEY_IS_HOST_ENDPOINT:
		return !strcmp(parts.host, agent->config->hostname);
	default:
		return !strncmp(key, KEY_LIBNETWORK "/", strlen(KEY_LIBNETWORK "/"));
	}
}

static void schedule(struct mirror *mirror, int ms)
{
	const struct timeval delay = {ms / 1000, (ms % 1000) * 1000};

	if (!evtimer_pending(mirror->flush_event, NULL))
		event_add(mirror->flush_event, &delay);
}

void mirror_note(struct agent *agent, const char *key, const char *value)
{
	struct mirror *mirror = agent->mirror;
	struct key_parts parts;

	if (!mirror || !is_kept(agent, key))
		return;
	if (store_list_add(&mirror->pending, key, value, 0) < 0)
		log_warn("agent", "out of memory: the copy of the datastore lacks %s", key);
	key_parse(key, &parts);
	if (value && parts.kind == KEY_IS_ENDPOINT)
		mirror->due = true;
	if (!value && agent->restoring)
		strings_add(&agent->gone_meanwhile, key);
	schedule(mirror, FLUSH_MS);
}

const char *mirror_waiting(const char *key)
{
	return store_is_beneath(key, MIRROR_WAITING) ? key + strlen(MIRROR_WAITING) : NULL;
}

const char *mirror_waiting_key(const char *key, char waiting[MIRROR_KEY_MAX])
{
	snprintf(waiting, MIRROR_KEY_MAX, MIRROR_WAITING "%s", key);
	return waiting;
}

void mirror_set_waiting(struct agent *agent, const char *key, const char *text)
{
	struct mirror *mirror = agent->mirror;
	char waiting[MIRROR_KEY_MAX];

	if (!mirror)
		return;
	if (store_list_add(&mirror->pending, mirror_waiting_key(key, waiting), text, 0) < 0)
		log_warn("agent", "out of memory: the copy of the datastore lacks %s", key);
	schedule(mirror, FLUSH_MS);
}

void mirror_flush(struct agent *agent)
{
	if (agent->mirror)
		flush(agent);
}

void mirror_replace(struct agent *agent, const struct store_list *snapshot)
{
	struct mirror *mirror = agent->mirror;
	struct store_list kept = {0};
	struct err err;
	int r;

	if (!mirror || !mirror->file)
		return;
	/* Borrows the texts. */
	kept.nodes = calloc(snapshot->count + 1, sizeof(*kept.nodes));
	for (size_t i = 0; kept.nodes && i < snapshot->count; i++) {
		if (is_kept(agent, snapshot->nodes[i].key))
			kept.nodes[kept.count++] = snapshot->nodes[i];
	}
	r = kept.nodes ? store_mirror_replace(mirror->file, KEY_V1, &kept, &err)
		       : err_set(&err, ENOMEM, "out of memory");
	tell(agent, r, &err);
	free(kept.nodes);
}

int mirror_read(struct agent *agent, struct store_list *ret, struct err *err)
{
	*ret = (struct store_list){0};
	if (!agent->mirror || !agent->mirror->file)
		return 0;
	flush(agent);
	return store_mirror_read(agent->mirror->file, ret, err);
}

/* ---- the witness ---- */

static const char *witness_key(const struct agent *agent, char key[KEY_MAX])
{
	return key_felix_status(key, agent->config->hostname, "witness");
}

static bool is_accepted(const struct mirror *mirror, const char *value)
{
	return *value && (!strcmp(value, mirror->witness[0]) || !strcmp(value, mirror->witness[1]));
}

int mirror_compare(struct agent *agent, struct err *err)
{
	struct mirror *mirror = agent->mirror;
	struct store_node node;
	char key[KEY_MAX];
	bool same;
	int r;

	if (!mirror || !*mirror->witness[0])
		return 0;
	r = store_get(agent->store, witness_key(agent, key), &node, err);
	if (r < 0 && r != -ENOENT && r != -EISDIR)
		return r;
	same = !r && is_accepted(mirror, node.value);
	if (!r)
		store_node_done(&node);
	return same ? 0
		    : err_set(err, EREMCHG,
			      "%s at %s is another datastore than before, or an older state of it",
			      store_kind(agent->store), store_where(agent->store));
}

static int find_revision(struct agent *agent, struct err *err)
{
	struct mirror *mirror = agent->mirror;
	struct store_node node;
	char key[KEY_MAX];
	int r = store_get(agent->store, witness_key(agent, key), &node, err);

	mirror->revision = r < 0 ? 0 : node.revision;
	if (!r)
		store_node_done(&node);
	return r == -ENOENT ? 0 : r;
}

/* Only over the word that is known to be there: an older datastore must not get the word of a newer one. */
static int renew(struct agent *agent, struct err *err)
{
	struct mirror *mirror = agent->mirror;
	unsigned char bytes[(WITNESS_TEXT - 1) / 2];
	char key[KEY_MAX], *word = mirror->witness[0];
	int r;

	memcpy(mirror->witness[1], mirror->witness[0], WITNESS_TEXT);
	arc4random_buf(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(word + 2 * i, 3, "%02x", bytes[i]);
	write_witness(agent);
	witness_key(agent, key);
	r = mirror->revision ? store_update(agent->store, key, word, mirror->revision, &mirror->revision, err)
			     : store_create(agent->store, key, word, &mirror->revision, err);
	if (r == -ENOTCONN || r == -ETIMEDOUT)
		return r; /* either of the two may be there */
	if (r < 0)
		memcpy(mirror->witness[0], mirror->witness[1], WITNESS_TEXT);
	*mirror->witness[1] = '\0';
	write_witness(agent);
	return r;
}

int mirror_renew(struct agent *agent, struct err *err)
{
	int r = agent->mirror ? find_revision(agent, err) : 0;

	if (r < 0 || !agent->mirror)
		return r;
	agent->mirror->due = false;
	/* With the new word, what waits for its address would count as removed. */
	flush(agent);
	return renew(agent, err);
}

/* A datastore that does not have the word any more is read again, and compared. */
static void renew_if_due(struct agent *agent)
{
	struct mirror *mirror = agent->mirror;
	struct err err;
	int r;

	if (!mirror->due || !agent->restored || agent->restoring || agent->phase != PHASE_ACTIVE ||
	    !agent->connected || agent->stopping)
		return;
	mirror->due = false;
	r = mirror_compare(agent, &err);
	if (!r)
		r = find_revision(agent, &err);
	if (!r)
		r = renew(agent, &err);
	if (r == -ENOTCONN || r == -ETIMEDOUT)
		mirror->due = true;
	else if (r < 0 && agent->watch)
		store_watch_resync(agent->watch);
}

/* ---- the task ---- */

static void run(void *arg)
{
	struct agent *agent = arg;

	flush(agent);
	renew_if_due(agent);
	agent->mirror->busy = false;
	if (!agent->stopping && (agent->mirror->pending.count || agent->mirror->due))
		schedule(agent->mirror, agent->mirror->due ? RETRY_MS : FLUSH_MS);
}

static void on_flush(evutil_socket_t fd, short events, void *arg)
{
	struct agent *agent = arg;

	if (agent->mirror->busy || agent->stopping)
		return;
	agent->mirror->busy = true;
	if (task_start(run, agent) < 0) {
		agent->mirror->busy = false;
		schedule(agent->mirror, RETRY_MS);
	}
}

int mirror_start(struct agent *agent, struct err *err)
{
	struct mirror *mirror = calloc(1, sizeof(*mirror));
	struct err cause;
	char *path;
	int r;

	if (!mirror || asprintf(&path, "%s/" FILE_NAME, agent->config->state_dir) < 0) {
		free(mirror);
		return err_set(err, ENOMEM, "cannot start the agent: out of memory");
	}
	agent->mirror = mirror;
	mirror->flush_event = evtimer_new(task_base(), on_flush, agent);
	r = store_mirror_open(path, &mirror->file, &cause);
	free(path);
	if (!r)
		r = read_witness(agent, &cause);
	tell(agent, r, &cause);
	return mirror->flush_event ? 0 : err_set(err, ENOMEM, "cannot start the agent: out of memory");
}

void mirror_stop(struct agent *agent)
{
	struct mirror *mirror = agent->mirror;

	if (!mirror)
		return;
	while (mirror->busy)
		event_base_loop(task_base(), EVLOOP_ONCE);
	flush(agent);
	if (mirror->flush_event)
		event_free(mirror->flush_event);
	store_mirror_close(mirror->file);
	free(mirror);
	agent->mirror = NULL;
}
