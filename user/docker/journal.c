/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A list of entries in one file, and a task that works it off. */
#include "docker/journal.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/log.h"
#include "util/task.h"
#include "wiring/state_file.h"

#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS  60000
/* One entry may take as long as one request. */
#define REDO_DEADLINE_MS 8000

static const char *const kind_names[] = {
	[JOURNAL_ENDPOINT] = "endpoint",
	[JOURNAL_ADDRESS] = "address",
	[JOURNAL_NETWORK] = "network",
};
#define KIND_COUNT (sizeof(kind_names) / sizeof(kind_names[0]))

struct journal {
	char *path;
	json_t *entries; /* list of {"what", "id", "when"} */
	journal_redo redo;
	void *arg;
	struct event *retry;
	int retry_ms;
	bool running;
	bool stopping;
	struct wait stopped; /* journal_close() waits for the task */
};

static bool parse_entry(const json_t *entry, enum journal_kind *ret_kind, const char **ret_id,
			long long *ret_when)
{
	const char *what = json_string_value(json_object_get(entry, "what"));

	*ret_id = json_string_value(json_object_get(entry, "id"));
	*ret_when = json_integer_value(json_object_get(entry, "when"));
	for (size_t i = 0; what && *ret_id && i < KIND_COUNT; i++) {
		if (!strcmp(what, kind_names[i])) {
			*ret_kind = (enum journal_kind)i;
			return true;
		}
	}
	return false;
}

static bool is_readable(const json_t *entries)
{
	enum journal_kind kind;
	const char *id;
	long long when;
	json_t *entry;
	size_t i;

	json_array_foreach (entries, i, entry) {
		if (!parse_entry(entry, &kind, &id, &when))
			return false;
	}
	return json_is_array(entries);
}

static void schedule(struct journal *journal)
{
	struct timeval delay = {journal->retry_ms / 1000, (journal->retry_ms % 1000) * 1000};

	if (!json_array_size(journal->entries))
		return;
	event_add(journal->retry, &delay);
	journal->retry_ms = journal->retry_ms * 2 < RETRY_LAST_MS ? journal->retry_ms * 2 : RETRY_LAST_MS;
}

/* True: the entry is done. */
static bool redo_entry(struct journal *journal, json_t *entry)
{
	enum journal_kind kind;
	const char *id;
	long long when;
	struct err err;
	int rc;

	if (!parse_entry(entry, &kind, &id, &when))
		return true;
	task_set_deadline(REDO_DEADLINE_MS);
	rc = journal->redo(journal->arg, kind, id, when, &err);
	if (rc < 0)
		log_debug("docker", "%s %s: %s; trying again later", kind_names[kind], id, err.text);
	else
		log_info("docker", "made up for a failed removal: %s %s", kind_names[kind], id);
	return rc >= 0;
}

static void work_off(void *arg)
{
	struct journal *journal = arg;
	bool any = false;
	struct err err;

	for (size_t i = 0; !journal->stopping && i < json_array_size(journal->entries);) {
		/* The list may grow while the entry is being done, but only at its end. */
		json_t *entry = json_incref(json_array_get(journal->entries, i));

		if (redo_entry(journal, entry)) {
			json_array_remove(journal->entries, i);
			journal->retry_ms = RETRY_FIRST_MS;
			any = true;
		} else {
			i++;
		}
		json_decref(entry);
	}
	if (any && state_file_write(journal->path, journal->entries, &err) < 0)
		log_repeated(LOG_LEVEL_WARN, "docker", "journal",
			     "%s; what was done will be done again after a restart", err.text);
	journal->running = false;
	if (journal->stopping)
		wait_wake(&journal->stopped);
	else
		schedule(journal);
}

static void on_retry(evutil_socket_t fd, short events, void *arg)
{
	struct journal *journal = arg;

	if (journal->running)
		return;
	journal->running = true;
	if (task_start(work_off, journal) < 0) {
		journal->running = false;
		schedule(journal);
	}
}

static void read_file(struct journal *journal)
{
	char aside[512];
	struct err err;
	int rc = state_file_read(journal->path, &journal->entries, &err);

	if (!rc && !is_readable(journal->entries)) {
		json_decref(journal->entries);
		journal->entries = NULL;
		rc = err_set(&err, EBADMSG, "%s is not a journal", journal->path);
	}
	if (!rc)
		return;
	journal->entries = json_array();
	if (rc == -ENOENT)
		return;
	snprintf(aside, sizeof(aside), "%s.bad", journal->path);
	log_warn("docker", "%s, setting it aside as %s; the collector finds what it named", err.text, aside);
	rename(journal->path, aside);
}

int journal_open(const char *state_dir, journal_redo redo, void *arg, struct journal **ret, struct err *err)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal || asprintf(&journal->path, "%s/journal.json", state_dir) < 0) {
		free(journal);
		return err_set(err, ENOMEM, "out of memory");
	}
	journal->redo = redo;
	journal->arg = arg;
	journal->retry_ms = RETRY_FIRST_MS;
	journal->retry = evtimer_new(task_base(), on_retry, journal);
	read_file(journal);
	if (!journal->retry || !journal->entries) {
		journal_close(journal);
		return err_set(err, ENOMEM, "out of memory");
	}
	schedule(journal);
	*ret = journal;
	return 0;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	journal->stopping = true;
	if (journal->running)
		wait_for(&journal->stopped, -1);
	if (journal->retry)
		event_free(journal->retry);
	json_decref(journal->entries);
	free(journal->path);
	free(journal);
}

int journal_add(struct journal *journal, enum journal_kind kind, const char *id, struct err *err)
{
	int rc;

	if (json_array_size(journal->entries) >= JOURNAL_MAX)
		return err_set(err, ENOSPC, "%d removals wait for the datastore already", JOURNAL_MAX);
	if (json_array_append_new(journal->entries, json_pack("{s:s, s:s, s:I}", "what", kind_names[kind],
							      "id", id, "when", (json_int_t)time(NULL))) < 0)
		return err_set(err, ENOMEM, "out of memory");
	rc = state_file_write(journal->path, journal->entries, err);
	if (rc < 0) {
		json_array_remove(journal->entries, json_array_size(journal->entries) - 1);
		return rc;
	}
	if (!journal->running && !evtimer_pending(journal->retry, NULL))
		schedule(journal);
	return 0;
}

size_t journal_count(const struct journal *journal)
{
	return json_array_size(journal->entries);
}
