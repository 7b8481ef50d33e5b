/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For the tests of the datastore: temporary directories, a real etcd on loopback, stores opened on either
 * backend, and a recorder that turns watch callbacks into lines which a test reads one by one.
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/config.h"
#include "store/store.h"
#include "util/task.h"

#define PATIENCE_MS 20000 /* for what must happen; reached only when a test fails */

/* ---- places ---- */

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	return remove(path);
}

static inline void remove_directory(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

/* ---- stores ---- */

/* where: "http://..." (several with commas) or the path of an embedded store. */
static inline struct store *open_store(const char *where)
{
	char text[512], *urls[5] = {0}, *rest = text;
	struct config config = {0};
	struct store *store = NULL;
	struct err err = {0};

	snprintf(text, sizeof(text), "%s", where);
	if (*where == '/') {
		config.sqlite_path = text;
	} else {
		config.endpoints = urls;
		while (config.endpoint_count < 4 && (urls[config.endpoint_count] = strsep(&rest, ",")))
			config.endpoint_count++;
	}
	if (store_open(&config, &store, &err) < 0)
		fail_msg("cannot open %s: %s", where, err.text);
	return store;
}

static inline void put(struct store *store, const char *key, const char *value)
{
	struct err err = {0};

	if (store_set(store, key, value, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void drop(struct store *store, const char *key)
{
	struct err err = {0};

	if (store_delete(store, key, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void drop_tree(struct store *store, const char *key)
{
	struct err err = {0};

	if (store_delete_tree(store, key, &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- etcd ---- */

struct etcd {
	pid_t pid;
	char directory[64];
	char url[64], peer_url[64];
	bool version3_only; /* without the v2 API */
};

static inline bool etcd_is_installed(void)
{
	return access("/usr/bin/etcd", X_OK) == 0;
}

static inline void etcd_exec(const struct etcd *etcd)
{
	char cluster[128], log[128];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a test crashes */
	snprintf(cluster, sizeof(cluster), "default=%s", etcd->peer_url);
	snprintf(log, sizeof(log), "%s.log", etcd->directory);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execl("/usr/bin/etcd", "etcd", etcd->version3_only ? "--enable-v2=false" : "--enable-v2",
	      strncmp(etcd->url, "https", 5) == 0 ? "--auto-tls" : "--auto-tls=false", "--name", "default",
	      "--data-dir", etcd->directory, "--listen-client-urls", etcd->url, "--advertise-client-urls",
	      etcd->url, "--listen-peer-urls", etcd->peer_url, "--initial-advertise-peer-urls",
	      etcd->peer_url, "--initial-cluster", cluster, "--heartbeat-interval", "20",
	      "--election-timeout", "200", NULL);
	_exit(127);
}

/* Starts it again on the same address, with what its data directory holds, and waits until it answers. */
static inline void etcd_run(struct etcd *etcd)
{
	int64_t deadline = task_clock_ms() + PATIENCE_MS;
	struct store *store;
	struct store_list list;
	struct err err = {0};
	int r;

	etcd->pid = fork();
	if (etcd->pid == 0)
		etcd_exec(etcd);
	store = open_store(etcd->url);
	while ((r = store_list(store, "/calico", &list, &err)) < 0 && task_clock_ms() < deadline)
		task_sleep(20);
	if (r < 0)
		fail_msg("etcd did not start: %s", err.text);
	store_list_done(&list);
	store_close(store);
}

static inline void etcd_start(struct etcd *etcd)
{
	snprintf(etcd->directory, sizeof(etcd->directory), "/tmp/calico-etcd-XXXXXX");
	assert_non_null(mkdtemp(etcd->directory));
	chmod(etcd->directory, 0700);
	snprintf(etcd->url, sizeof(etcd->url), "http://127.0.0.1:%d", free_port());
	snprintf(etcd->peer_url, sizeof(etcd->peer_url), "http://127.0.0.1:%d", free_port());
	etcd_run(etcd);
}

static inline void etcd_kill(struct etcd *etcd)
{
	if (etcd->pid > 0) {
		kill(etcd->pid, SIGKILL);
		waitpid(etcd->pid, NULL, 0);
	}
	etcd->pid = 0;
}

/* Kills it and forgets its data, so that the next run is another cluster at the same address. */
static inline void etcd_erase(struct etcd *etcd)
{
	etcd_kill(etcd);
	remove_directory(etcd->directory);
	assert_int_equal(mkdir(etcd->directory, 0700), 0);
}

static inline void etcd_end(struct etcd *etcd)
{
	char log[128];

	etcd_kill(etcd);
	if (!*etcd->directory)
		return;
	remove_directory(etcd->directory);
	snprintf(log, sizeof(log), "%s.log", etcd->directory);
	unlink(log);
}

/* ---- watches ---- */

struct recorder {
	struct store_watch *watch;
	char *lines[64 * 1024];
	size_t count, read;
	struct wait *reader;
	const char *hold_at; /* an event of this key holds the watch up until `release` */
	struct wait release;
};

static inline void record(struct recorder *recorder, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static inline void record(struct recorder *recorder, const char *format, ...)
{
	va_list args;

	if (recorder->count == sizeof(recorder->lines) / sizeof(recorder->lines[0]))
		abort();
	va_start(args, format);
	if (vasprintf(&recorder->lines[recorder->count++], format, args) < 0)
		abort();
	va_end(args);
	if (recorder->reader)
		wait_wake(recorder->reader);
}

static inline void record_event(void *arg, const char *key, const char *value, uint64_t revision)
{
	struct recorder *recorder = arg;

	if (value)
		record(recorder, "%s=%s", key, value);
	else
		record(recorder, "%s gone", key);
	if (recorder->hold_at && strcmp(recorder->hold_at, key) == 0) {
		recorder->hold_at = NULL;
		wait_for(&recorder->release, -1);
	}
}

static inline void record_in_sync(void *arg)
{
	record(arg, "in sync");
}

static inline void record_contact(void *arg, bool connected, const char *why)
{
	if (connected)
		record(arg, "found");
	else
		record(arg, "lost: %s", why);
}

static const struct store_watch_ops recorder_ops = {
	.event = record_event,
	.in_sync = record_in_sync,
	.contact = record_contact,
};

/* Reading it lets the event loop run until there is a line. */
static inline const char *next_line_within(struct recorder *recorder, int timeout_ms)
{
	struct wait wait = {0};

	if (recorder->read == recorder->count) {
		recorder->reader = &wait;
		wait_for(&wait, timeout_ms);
		recorder->reader = NULL;
	}
	return recorder->read < recorder->count ? recorder->lines[recorder->read++] : "(nothing)";
}

static inline const char *next_line(struct recorder *recorder)
{
	return next_line_within(recorder, PATIENCE_MS);
}

static inline void assert_next_starts(struct recorder *recorder, const char *start)
{
	const char *line = next_line(recorder);

	if (strncmp(line, start, strlen(start)) != 0)
		fail_msg("'%s' came instead of '%s...'", line, start);
}

#define assert_next(recorder, expected) assert_string_equal(next_line(recorder), expected)

/* Whatever a working watch would report by now is reported before a change made after it. */
static inline void assert_quiet(struct recorder *recorder, struct store *store, const char *directory)
{
	static int number;
	char key[256], line[300];

	snprintf(key, sizeof(key), "%s/probe-%d", directory, ++number);
	put(store, key, "x");
	snprintf(line, sizeof(line), "%s=x", key);
	assert_next(recorder, line);
	drop(store, key);
	snprintf(line, sizeof(line), "%s gone", key);
	assert_next(recorder, line);
}

static inline struct recorder *watch(struct store *store, const char *directory)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	struct err err = {0};

	assert_non_null(recorder);
	if (store_watch(store, directory, &recorder_ops, recorder, &recorder->watch, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(recorder->count, 0); /* no callback inside the call */
	return recorder;
}

/* After its store is closed, when nobody writes into it any more. */
static inline void recorder_free(struct recorder *recorder)
{
	if (!recorder)
		return;
	for (size_t i = 0; i < recorder->count; i++)
		free(recorder->lines[i]);
	free(recorder);
}

#endif
