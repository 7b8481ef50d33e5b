/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What watches of every datastore backend must do. */
#include "store_backends.h"

static void test_watch_reports_the_snapshot_then_changes_in_order(void **state)
{
	struct fixture *fixture = use(state);
	struct store *store = fixture->store;
	struct store_node node;
	struct err err = {0};

	put(store, "/calico/v1/b", "2");
	put(store, "/calico/v1/a/x", "1");
	put(store, "/calico/v10", "sibling");
	put(store, "/calico/v2/a", "sibling");
	fixture->recorder = watch(store, "/calico/v1");
	assert_next(fixture->recorder, "/calico/v1/a/x=1");
	assert_next(fixture->recorder, "/calico/v1/b=2");
	assert_next(fixture->recorder, "in sync");

	put(store, "/calico/v1/b", "3");
	put(store, "/calico/v11", "sibling");
	assert_int_equal(store_create(store, "/calico/v1/c", "", NULL, &err), 0);
	assert_int_equal(store_get(store, "/calico/v1/b", &node, &err), 0);
	assert_int_equal(store_update(store, "/calico/v1/b", "4", node.revision, NULL, &err), 0);
	store_node_done(&node);
	drop(store, "/calico/v1/c");
	drop(store, "/calico/v10");
	assert_int_equal(store_make_directory(store, "/calico/v1/empty", &err), 0);
	put(store, "/calico/v1/c", "5");
	assert_next(fixture->recorder, "/calico/v1/b=3");
	assert_next(fixture->recorder, "/calico/v1/c=");
	assert_next(fixture->recorder, "/calico/v1/b=4");
	assert_next(fixture->recorder, "/calico/v1/c gone");
	assert_next(fixture->recorder, "/calico/v1/c=5");
	assert_quiet(fixture->recorder, store, "/calico/v1");
}

static void test_watch_fans_out_deleted_directories(void **state)
{
	struct fixture *fixture = use(state);
	struct store *store = fixture->store;

	put(store, "/calico/v1/d/a", "1");
	put(store, "/calico/v1/d/e/b", "2");
	put(store, "/calico/v1/de/c", "3");
	fixture->recorder = watch(store, "/calico/v1");
	for (int i = 0; i < 4; i++)
		next_line(fixture->recorder);
	put(store, "/calico/v1/d/later", "4");
	assert_next(fixture->recorder, "/calico/v1/d/later=4");
	drop_tree(store, "/calico/v1/d");
	assert_next(fixture->recorder, "/calico/v1/d/a gone");
	assert_next(fixture->recorder, "/calico/v1/d/e/b gone");
	assert_next(fixture->recorder, "/calico/v1/d/later gone");
	put(store, "/calico/v1/d/a", "again");
	assert_next(fixture->recorder, "/calico/v1/d/a=again");
	assert_quiet(fixture->recorder, store, "/calico/v1");
}

static void test_watch_of_what_is_not_there_yet(void **state)
{
	struct fixture *fixture = use(state);

	fixture->recorder = watch(fixture->store, "/calico/v1");
	assert_next(fixture->recorder, "in sync");
	put(fixture->store, "/calico/v1/a", "1");
	assert_next(fixture->recorder, "/calico/v1/a=1");
}

static void test_watch_sees_other_processes(void **state)
{
	struct fixture *fixture = use(state);

	fixture->recorder = watch(fixture->store, "/calico/v1");
	assert_next(fixture->recorder, "in sync");
	end_other(start_other("set", fixture->where, "/calico/v1/key"));
	assert_next(fixture->recorder, "/calico/v1/key=from elsewhere");
}

static void test_two_watches_of_one_store(void **state)
{
	struct fixture *fixture = use(state);
	struct recorder *second;

	fixture->recorder = watch(fixture->store, "/calico/v1");
	second = watch(fixture->store, "/calico/v1/d");
	assert_next(fixture->recorder, "in sync");
	assert_next(second, "in sync");
	put(fixture->store, "/calico/v1/a", "1");
	put(fixture->store, "/calico/v1/d/b", "2");
	assert_next(fixture->recorder, "/calico/v1/a=1");
	assert_next(fixture->recorder, "/calico/v1/d/b=2");
	assert_next(second, "/calico/v1/d/b=2");
	store_watch_stop(second->watch);
	put(fixture->store, "/calico/v1/d/b", "3");
	assert_next(fixture->recorder, "/calico/v1/d/b=3");
	assert_string_equal(next_line_within(second, 0), "(nothing)");
	task_sleep(5); /* its task ends */
	recorder_free(second);
}

static void test_resync_reports_only_differences(void **state)
{
	struct fixture *fixture = use(state);

	put(fixture->store, "/calico/v1/a", "1");
	fixture->recorder = watch(fixture->store, "/calico/v1");
	assert_next(fixture->recorder, "/calico/v1/a=1");
	assert_next(fixture->recorder, "in sync");
	store_watch_resync(fixture->recorder->watch);
	assert_next(fixture->recorder, "in sync");
	assert_quiet(fixture->recorder, fixture->store, "/calico/v1");
}

/*
 * The watch is held up inside a callback while more happens, mostly elsewhere in the store, than the backend
 * remembers.
 */
static void test_lost_history_leads_to_differences(void **state)
{
	struct fixture *fixture = use(state);
	int many = strcmp(store_kind(fixture->store), "etcd") == 0 ? 1100 : 10100;
	struct store *store = fixture->store;

	put(store, "/calico/v1/changed", "1");
	put(store, "/calico/v1/deleted", "1");
	put(store, "/calico/v1/tree/deleted", "1");
	put(store, "/calico/v1/same", "1");
	fixture->recorder = watch(store, "/calico/v1");
	for (int i = 0; i < 5; i++)
		next_line(fixture->recorder);
	fixture->recorder->hold_at = "/calico/v1/hold";
	put(store, "/calico/v1/hold", "1");
	assert_next(fixture->recorder, "/calico/v1/hold=1");

	put(store, "/calico/v1/changed", "2");
	drop(store, "/calico/v1/deleted");
	drop_tree(store, "/calico/v1/tree");
	put(store, "/calico/v1/flickering", "1");
	drop(store, "/calico/v1/flickering");
	put(store, "/calico/v1/new", "1");
	for (int i = 0; i < many; i++)
		put(store, "/other/noise", "x");
	wait_wake(&fixture->recorder->release);
	assert_next(fixture->recorder, "/calico/v1/changed=2");
	assert_next(fixture->recorder, "/calico/v1/new=1");
	assert_next(fixture->recorder, "/calico/v1/deleted gone");
	assert_next(fixture->recorder, "/calico/v1/tree/deleted gone");
	assert_next(fixture->recorder, "in sync");
	assert_quiet(fixture->recorder, store, "/calico/v1");
}

static void test_deleting_everything_deletes_nothing(void **state)
{
	static const char *const roots[] = {"/calico", "/calico/v1"};
	struct fixture *fixture = use(state);
	struct store *store = fixture->store;

	put(store, "/calico/v1/a", "1");
	put(store, "/calico/v1/b", "1");
	fixture->recorder = watch(store, "/calico/v1");
	for (int i = 0; i < 3; i++)
		next_line(fixture->recorder);
	for (int i = 0; i < 2; i++) {
		drop_tree(store, roots[i]);
		assert_next_starts(fixture->recorder, "lost: /calico/v1 was deleted as a whole");
		assert_string_equal(next_line_within(fixture->recorder, 500), "(nothing)");
		put(store, "/calico/v1/b", i == 0 ? "2" : "3");
		assert_next(fixture->recorder, "found");
		assert_next(fixture->recorder, i == 0 ? "/calico/v1/b=2" : "/calico/v1/b=3");
		if (i == 0)
			assert_next(fixture->recorder, "/calico/v1/a gone");
		assert_next(fixture->recorder, "in sync");
	}
	/* One by one is what somebody wanted. */
	drop(store, "/calico/v1/b");
	assert_next(fixture->recorder, "/calico/v1/b gone");
}

static int doubt(void *arg, const struct store_list *snapshot, struct err *err)
{
	struct recorder *recorder = arg;

	record(recorder, "asked about %zu", snapshot->count);
	for (size_t i = 0; i < snapshot->count; i++) {
		if (strcmp(snapshot->nodes[i].key, "/calico/v1/proof") == 0)
			return 0;
	}
	return err_set(err, EAGAIN, "no proof");
}

static void test_a_snapshot_that_is_not_believed_changes_nothing(void **state)
{
	static const struct store_watch_ops ops = {.event = record_event,
						   .in_sync = record_in_sync,
						   .contact = record_contact,
						   .believe = doubt};
	struct fixture *fixture = use(state);
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	const char *line;
	struct err err;

	assert_non_null(recorder);
	fixture->recorder = recorder;
	put(fixture->store, "/calico/v1/a", "1");
	assert_int_equal(store_watch(fixture->store, "/calico/v1", &ops, recorder, &recorder->watch, &err),
			 0);
	assert_next(recorder, "/calico/v1/a=1"); /* the first is what there is */
	assert_next(recorder, "in sync");
	drop_tree(fixture->store, "/calico/v1");
	assert_next_starts(recorder, "lost: ");
	assert_next(recorder, "asked about 0");
	put(fixture->store, "/calico/v1/b", "1");
	put(fixture->store, "/calico/v1/proof", "1");
	do {
		line = next_line(recorder);
	} while (strncmp(line, "asked", 5) == 0);
	assert_string_equal(line, "found");
	assert_next(recorder, "/calico/v1/b=1");
	assert_next(recorder, "/calico/v1/proof=1");
	assert_next(recorder, "/calico/v1/a gone");
	assert_next(recorder, "in sync");
}

static void stop_in_event(void *arg, const char *key, const char *value, uint64_t revision)
{
	struct recorder *recorder = arg;

	record(recorder, "%s", key);
	store_watch_stop(recorder->watch);
}

static void test_stop_inside_a_callback_is_the_end(void **state)
{
	static const struct store_watch_ops ops = {.event = stop_in_event, .in_sync = record_in_sync};
	struct fixture *fixture = use(state);
	struct err err = {0};

	fixture->recorder = calloc(1, sizeof(*fixture->recorder));
	put(fixture->store, "/calico/v1/a", "1");
	put(fixture->store, "/calico/v1/b", "1");
	assert_int_equal(store_watch(fixture->store, "/calico/v1", &ops, fixture->recorder,
				     &fixture->recorder->watch, &err),
			 0);
	assert_next(fixture->recorder, "/calico/v1/a");
	assert_string_equal(next_line_within(fixture->recorder, 100), "(nothing)");
}

static void write_and_read(void *arg, const char *key, const char *value, uint64_t revision)
{
	struct fixture *fixture = arg;
	struct store_node node;
	struct err err;

	if (strcmp(key, "/calico/v1/ask") == 0 && value) {
		store_set(fixture->store, "/calico/v1/answer", "yes", NULL, &err);
		if (store_get(fixture->store, "/calico/v1/answer", &node, &err) == 0)
			store_node_done(&node);
	}
	record(fixture->recorder, "%s", key);
}

static void test_callbacks_may_use_the_store(void **state)
{
	static const struct store_watch_ops ops = {.event = write_and_read};
	struct fixture *fixture = use(state);
	struct err err = {0};

	fixture->recorder = calloc(1, sizeof(*fixture->recorder));
	assert_int_equal(
		store_watch(fixture->store, "/calico/v1", &ops, fixture, &fixture->recorder->watch, &err), 0);
	put(fixture->store, "/calico/v1/ask", "?");
	assert_next(fixture->recorder, "/calico/v1/ask");
	assert_next(fixture->recorder, "/calico/v1/answer");
}

/* A watch must not keep its store from closing, whatever it waits for. */
static void test_close_ends_watches_at_once(void **state)
{
	struct fixture *fixture = use(state);
	int64_t start;

	fixture->recorder = watch(fixture->store, "/calico/v1");
	assert_next(fixture->recorder, "in sync");
	task_sleep(20);
	start = task_clock_ms();
	store_close(fixture->store);
	assert_in_range(task_clock_ms() - start, 0, 1000);
	fixture->store = open_store(fixture->where);
}

static int set_once(const char *where, const char *key)
{
	struct store *store = open_as_other(where);

	put(store, key, "from elsewhere");
	store_close(store);
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_watch_reports_the_snapshot_then_changes_in_order),
	cmocka_unit_test(test_watch_fans_out_deleted_directories),
	cmocka_unit_test(test_watch_of_what_is_not_there_yet),
	cmocka_unit_test(test_watch_sees_other_processes),
	cmocka_unit_test(test_two_watches_of_one_store),
	cmocka_unit_test(test_resync_reports_only_differences),
	cmocka_unit_test(test_lost_history_leads_to_differences),
	cmocka_unit_test(test_deleting_everything_deletes_nothing),
	cmocka_unit_test(test_a_snapshot_that_is_not_believed_changes_nothing),
	cmocka_unit_test(test_stop_inside_a_callback_is_the_end),
	cmocka_unit_test(test_callbacks_may_use_the_store),
	cmocka_unit_test(test_close_ends_watches_at_once),
};

int main(int argc, char **argv)
{
	if (argc == 4)
		return set_once(argv[2], argv[3]);
	return run_on_both(tests, sizeof(tests) / sizeof(tests[0]));
}
