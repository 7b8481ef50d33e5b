/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Runs a table of tests twice: on the embedded store and on a real etcd. Every test gets an empty store.
 * Where there is no etcd its half is skipped, and counted as that.
 */
#ifndef TESTS_STORE_BACKENDS_H
#define TESTS_STORE_BACKENDS_H

#include "store_fixture.h"

static struct etcd etcd;
static char directory[] = "/tmp/calico-store-XXXXXX";

struct fixture {
	struct event_base *base;
	const char *where;
	struct store *store;
	struct recorder *recorder;
};

static inline int open_fixture(void **state, const char *where)
{
	static struct fixture fixture;

	fixture = (struct fixture){.base = event_base_new(), .where = where};
	task_init(fixture.base);
	fixture.store = open_store(where);
	*state = &fixture;
	return 0;
}

static inline int setup_sqlite(void **state)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/below/calico.db", directory);
	return open_fixture(state, path);
}

static inline int setup_etcd(void **state)
{
	*state = NULL;
	if (!etcd_is_installed())
		return 0;
	return open_fixture(state, etcd.url);
}

static inline int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct err err;

	if (!fixture)
		return 0;
	store_delete_tree(fixture->store, "/calico", &err);
	store_delete_tree(fixture->store, "/other", &err);
	store_close(fixture->store);
	recorder_free(fixture->recorder);
	event_base_free(fixture->base);
	return 0;
}

static inline struct fixture *use(void **state)
{
	if (!*state)
		skip(); /* no etcd here */
	return *state;
}

static inline int start_etcd(void **state)
{
	struct event_base *base;

	if (!etcd_is_installed())
		return 0;
	base = event_base_new();
	task_init(base);
	etcd_start(&etcd);
	event_base_free(base);
	return 0;
}

static inline int end_etcd(void **state)
{
	etcd_end(&etcd);
	return 0;
}

static inline int run_on(const char *name, const struct CMUnitTest *tests, size_t count,
			 CMFixtureFunction setup, CMFixtureFunction start, CMFixtureFunction end)
{
	struct CMUnitTest group[64];

	assert_true(count <= 64);
	for (size_t i = 0; i < count; i++) {
		group[i] = tests[i];
		group[i].setup_func = setup;
		group[i].teardown_func = teardown;
	}
	return _cmocka_run_group_tests(name, group, count, start, end);
}

static inline int run_on_both(const struct CMUnitTest *tests, size_t count)
{
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = run_on("embedded store", tests, count, setup_sqlite, NULL, NULL);
	remove_directory(directory);
	return failed + run_on("etcd", tests, count, setup_etcd, start_etcd, end_etcd);
}

/* ---- other processes: this program again, as `NAME what where argument` ---- */

static inline pid_t start_other(const char *what, const char *where, const char *argument)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/proc/self/exe", "other", what, where, argument, NULL);
		_exit(127);
	}
	assert_true(child > 0);
	return child;
}

static inline void end_other(pid_t child)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The other process's store. */
static inline struct store *open_as_other(const char *where)
{
	task_init(event_base_new());
	return open_store(where);
}

#endif
