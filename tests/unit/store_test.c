/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every datastore backend must do, run on the embedded store and on a real etcd. Other processes are
 * this program again, as `store_test increment|set WHERE ...`.
 */
#include "store_fixture.h"

static struct etcd etcd;
static char directory[] = "/tmp/calico-store-XXXXXX";

/* What a test gets: an empty store. */
struct fixture {
	struct event_base *base;
	const char *where;
	struct store *store;
	struct recorder *recorder;
};

static int open_fixture(void **state, const char *where)
{
	static struct fixture fixture;

	fixture = (struct fixture){.base = event_base_new(), .where = where};
	task_init(fixture.base);
	fixture.store = open_store(where);
	*state = &fixture;
	return 0;
}

static int setup_sqlite(void **state)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/below/calico.db", directory);
	return open_fixture(state, path);
}

static int setup_etcd(void **state)
{
	*state = NULL;
	if (!etcd_is_installed())
		return 0;
	return open_fixture(state, etcd.url);
}

static int teardown(void **state)
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

static struct fixture *use(void **state)
{
	if (!*state)
		skip(); /* no etcd here */
	return *state;
}

/* ---- reading and writing ---- */

static void test_values_live(void **state)
{
	struct store *store = use(state)->store;
	uint64_t created = 0, updated = 0;
	struct store_node node;
	struct err err = {0};

	assert_int_equal(store_get(store, "/calico/a", &node, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/calico/a"));
	assert_int_equal(store_update(store, "/calico/a", "x", 1, NULL, &err), -ENOENT);
	assert_int_equal(store_delete(store, "/calico/a", &err), -ENOENT);
	assert_int_equal(store_delete_if(store, "/calico/a", 1, &err), -ENOENT);

	assert_int_equal(store_create(store, "/calico/a", "one", &created, &err), 0);
	assert_int_equal(store_create(store, "/calico/a", "two", NULL, &err), -EEXIST);
	assert_int_equal(store_get(store, "/calico/a", &node, &err), 0);
	assert_string_equal(node.key, "/calico/a");
	assert_string_equal(node.value, "one");
	assert_int_equal(node.revision, created);
	store_node_done(&node);

	assert_int_equal(store_update(store, "/calico/a", "two", created, &updated, &err), 0);
	assert_true(updated > created);
	assert_int_equal(store_update(store, "/calico/a", "three", created, NULL, &err), -ESTALE);
	assert_int_equal(store_delete_if(store, "/calico/a", created, &err), -ESTALE);
	assert_int_equal(store_update(store, "/calico/a", "three", 0, NULL, &err), -EINVAL);
	assert_int_equal(store_delete_if(store, "/calico/a", 0, &err), -EINVAL);
	assert_int_equal(store_get(store, "/calico/a", &node, &err), 0);
	assert_string_equal(node.value, "two");
	store_node_done(&node);

	assert_int_equal(store_delete_if(store, "/calico/a", updated, &err), 0);
	assert_int_equal(store_get(store, "/calico/a", &node, &err), -ENOENT);
	put(store, "/calico/a", "set");
	put(store, "/calico/a", "again");
	assert_int_equal(store_get(store, "/calico/a", &node, &err), 0);
	assert_string_equal(node.value, "again");
	assert_true(node.revision > updated);
	store_node_done(&node);
	drop(store, "/calico/a");
	assert_int_equal(store_delete(store, "/calico/a", &err), -ENOENT);
}

static void test_directories_and_values_exclude_each_other(void **state)
{
	struct store *store = use(state)->store;
	struct store_list list;
	struct store_node node;
	struct err err = {0};

	put(store, "/calico/d/leaf", "x");
	assert_int_equal(store_get(store, "/calico/d", &node, &err), -EISDIR);
	assert_int_equal(store_set(store, "/calico/d", "x", NULL, &err), -EISDIR);
	assert_int_equal(store_create(store, "/calico/d", "x", NULL, &err), -EEXIST);
	assert_int_equal(store_delete(store, "/calico/d", &err), -EISDIR);
	assert_int_equal(store_set(store, "/calico/d/leaf/beneath", "x", NULL, &err), -ENOTDIR);
	assert_int_equal(store_list(store, "/calico/d/leaf", &list, &err), -ENOTDIR);
	assert_int_equal(list.count, 0);
	assert_int_equal(store_get(store, "/calico/d/leaf", &node, &err), 0);
	store_node_done(&node);
}

static void test_directories_stay_until_deleted(void **state)
{
	struct store *store = use(state)->store;
	struct store_list list;
	struct err err = {0};

	assert_int_equal(store_children(store, "/calico", &list, &err), 0);
	assert_int_equal(list.count, 0);
	put(store, "/calico/d/e/leaf", "x");
	drop(store, "/calico/d/e/leaf");
	assert_int_equal(store_children(store, "/calico/d", &list, &err), 0);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.nodes[0].key, "e");
	assert_null(list.nodes[0].value);
	store_list_done(&list);
	assert_int_equal(store_list(store, "/calico/d", &list, &err), 0);
	assert_int_equal(list.count, 0);

	assert_int_equal(store_make_directory(store, "/calico/made", &err), 0);
	assert_int_equal(store_make_directory(store, "/calico/made", &err), 0);
	assert_int_equal(store_children(store, "/calico", &list, &err), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.nodes[1].key, "made");
	store_list_done(&list);

	drop_tree(store, "/calico/made");
	assert_int_equal(store_delete_tree(store, "/calico/made", &err), -ENOENT);
	put(store, "/calico/d/e/leaf", "x");
	drop_tree(store, "/calico/d");
	assert_int_equal(store_children(store, "/calico", &list, &err), 0);
	assert_int_equal(list.count, 0);
	put(store, "/calico/d", "a value now");
}

static void test_lists_are_sorted_and_keep_to_their_directory(void **state)
{
	static const char *const keys[] = {"/calico/ab/x",  "/calico/a/c/d", "/calico/a/b", "/calico/a-b/x",
					   "/calico/a/c/e", "/calico/a/c-",  "/calico/a/B", "/calico/a0"};
	static const char *const all[] = {"/calico/a/B", "/calico/a/b", "/calico/a/c-", "/calico/a/c/d",
					  "/calico/a/c/e"};
	static const char *const names[] = {"B", "b", "c", "c-"};
	struct store *store = use(state)->store;
	struct store_node node;
	struct store_list list;
	struct err err = {0};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		put(store, keys[i], keys[i]);
	assert_int_equal(store_list(store, "/calico/a", &list, &err), 0);
	assert_int_equal(list.count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(list.nodes[i].key, all[i]);
		assert_string_equal(list.nodes[i].value, all[i]);
	}
	assert_int_equal(store_get(store, "/calico/a0", &node, &err), 0);
	assert_true(list.revision >= node.revision);
	store_node_done(&node);
	store_list_done(&list);

	assert_int_equal(store_children(store, "/calico/a", &list, &err), 0);
	assert_int_equal(list.count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(list.nodes[i].key, names[i]);
		assert_true(!list.nodes[i].value == (strcmp(names[i], "c") == 0));
	}
	store_list_done(&list);

	drop_tree(store, "/calico/a");
	assert_int_equal(store_list(store, "/calico", &list, &err), 0);
	assert_int_equal(list.count, 3);
	store_list_done(&list);
}

static void test_any_text_survives(void **state)
{
	static const char *const segments[] = {
		"a b",	       "100%",
		"%2F",	       "q?x=1",
		"#",	       "a&b=c",
		"a+b",	       "\"quoted\"",
		"back\\slash", "\303\244\342\202\254",
		"~:@!$'()*,;", "...",
		"tab\there",   "\360\237\220\235",
		"-",	       "0.0.0.0-0",
	};
	static const char *const values[] = {
		"",
		" ",
		"a&value=b",
		"100%+%20",
		"line\nline\r\n",
		"\"\\\"",
		"\001\037",
		"\342\202\254 \360\237\220\235",
		"{\"a\": [1, \"<>&\"]}",
		"dir=true",
		"null",
	};
	struct store *store = use(state)->store;
	struct store_list list;
	struct err err = {0};

	for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
		for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
			struct store_node node;
			char key[256];

			snprintf(key, sizeof(key), "/calico/%s/leaf of %s", segments[i], segments[i]);
			put(store, key, values[j]);
			assert_int_equal(store_get(store, key, &node, &err), 0);
			assert_string_equal(node.key, key);
			assert_string_equal(node.value, values[j]);
			store_node_done(&node);
		}
	}
	assert_int_equal(store_children(store, "/calico", &list, &err), 0);
	assert_int_equal(list.count, sizeof(segments) / sizeof(segments[0]));
	store_list_done(&list);
}

static void test_large_values(void **state)
{
	struct store *store = use(state)->store;
	char *large = malloc(300001);
	struct store_node node;
	struct err err = {0};

	memset(large, '%', 300000);
	large[300000] = '\0';
	put(store, "/calico/large", large);
	assert_int_equal(store_get(store, "/calico/large", &node, &err), 0);
	assert_string_equal(node.value, large);
	store_node_done(&node);
	free(large);
}

static void test_invalid_keys_are_refused(void **state)
{
	static const char *const keys[] = {
		"", "/", "calico/a", "/calico/", "/calico//a", "/calico/../a", "/calico/.", "/calico/./a"};
	struct store *store = use(state)->store;
	struct store_watch *never;
	struct store_list list;
	struct err err;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_int_equal(store_set(store, keys[i], "x", NULL, &err), -EINVAL);
		assert_int_equal(store_delete_tree(store, keys[i], &err), -EINVAL);
		assert_int_equal(store_list(store, keys[i], &list, &err), -EINVAL);
		assert_int_equal(store_watch(store, keys[i], &recorder_ops, NULL, &never, &err), -EINVAL);
	}
}

static void test_time_to_live(void **state)
{
	struct fixture *fixture = use(state);
	int64_t start = task_clock_ms();
	struct store_node node;
	struct err err = {0};

	fixture->recorder = watch(fixture->store, "/calico");
	assert_next(fixture->recorder, "in sync");
	assert_int_equal(store_set_ttl(fixture->store, "/calico/status", "up", 1, &err), 0);
	assert_next(fixture->recorder, "/calico/status=up");
	assert_int_equal(store_set_ttl(fixture->store, "/calico/kept", "x", 1, &err), 0);
	assert_next(fixture->recorder, "/calico/kept=x");
	put(fixture->store, "/calico/kept", "without end");
	assert_next(fixture->recorder, "/calico/kept=without end");
	assert_int_equal(store_get(fixture->store, "/calico/status", &node, &err), 0);
	store_node_done(&node);

	assert_next(fixture->recorder, "/calico/status gone");
	assert_in_range(task_clock_ms() - start, 900, 5000);
	assert_int_equal(store_get(fixture->store, "/calico/status", &node, &err), -ENOENT);
	assert_int_equal(store_get(fixture->store, "/calico/kept", &node, &err), 0);
	store_node_done(&node);
}

/* ---- several at once ---- */

static pid_t start_other(const char *what, const char *where, const char *argument)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/proc/self/exe", "store_test", what, where, argument, NULL);
		_exit(127);
	}
	assert_true(child > 0);
	return child;
}

static void end_other(pid_t child)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int increment(struct store *store, struct err *err)
{
	struct store_node node;
	char text[32];
	int r;

	do {
		r = store_get(store, "/calico/counter", &node, err);
		if (r < 0)
			return r;
		snprintf(text, sizeof(text), "%d", atoi(node.value) + 1);
		r = store_update(store, "/calico/counter", text, node.revision, NULL, err);
		store_node_done(&node);
	} while (r == -ESTALE);
	return r;
}

static int other_process(const char *what, const char *where, const char *argument)
{
	struct store *store;
	struct err err = {0};
	int r = 0;

	task_init(event_base_new());
	store = open_store(where);
	if (strcmp(what, "increment") == 0) {
		for (int i = atoi(argument); i > 0 && r == 0; i--)
			r = increment(store, &err);
	} else {
		r = store_set(store, argument, "from elsewhere", NULL, &err);
	}
	if (r < 0)
		fprintf(stderr, "%s %s: %s\n", what, where, err.text);
	store_close(store);
	return r < 0;
}

static void test_concurrent_increments_all_count(void **state)
{
	struct fixture *fixture = use(state);
	struct store_node node;
	struct err err = {0};
	pid_t children[4];

	put(fixture->store, "/calico/counter", "0");
	for (int i = 0; i < 4; i++)
		children[i] = start_other("increment", fixture->where, "250");
	for (int i = 0; i < 4; i++)
		end_other(children[i]);
	assert_int_equal(store_get(fixture->store, "/calico/counter", &node, &err), 0);
	assert_string_equal(node.value, "1000");
	store_node_done(&node);
}

struct incrementer {
	struct store *store;
	int result;
	struct wait finished;
};

static void increment_task(void *arg)
{
	struct incrementer *incrementer = arg;
	struct err err;

	for (int i = 0; i < 10 && incrementer->result == 0; i++)
		incrementer->result = increment(incrementer->store, &err);
	wait_wake(&incrementer->finished);
}

static void test_concurrent_increments_of_tasks(void **state)
{
	struct store *store = use(state)->store;
	struct incrementer incrementers[20] = {0};
	struct store_node node;
	struct err err = {0};

	put(store, "/calico/counter", "0");
	for (int i = 0; i < 20; i++) {
		incrementers[i].store = store;
		assert_int_equal(task_start(increment_task, &incrementers[i]), 0);
	}
	for (int i = 0; i < 20; i++) {
		assert_int_equal(wait_for(&incrementers[i].finished, PATIENCE_MS), 0);
		assert_int_equal(incrementers[i].result, 0);
	}
	assert_int_equal(store_get(store, "/calico/counter", &node, &err), 0);
	assert_string_equal(node.value, "200");
	store_node_done(&node);
}

static void test_only_one_creates(void **state)
{
	struct fixture *fixture = use(state);
	struct store *other = open_store(fixture->where);
	struct err err = {0};
	char key[64];

	for (int i = 0; i < 20; i++) {
		int first, second;

		snprintf(key, sizeof(key), "/calico/lock-%d", i);
		first = store_create(i & 1 ? other : fixture->store, key, "a", NULL, &err);
		second = store_create(i & 1 ? fixture->store : other, key, "b", NULL, &err);
		assert_int_equal(first, 0);
		assert_int_equal(second, -EEXIST);
	}
	store_close(other);
}

/* ---- watches ---- */

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
		put(store, "/calico/v1/b", "2");
		assert_next(fixture->recorder, "found");
		assert_next(fixture->recorder, "/calico/v1/b=2");
		if (i == 0)
			assert_next(fixture->recorder, "/calico/v1/a gone");
		assert_next(fixture->recorder, "in sync");
	}
	/* One by one is what somebody wanted. */
	drop(store, "/calico/v1/b");
	assert_next(fixture->recorder, "/calico/v1/b gone");
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

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_values_live),
	cmocka_unit_test(test_directories_and_values_exclude_each_other),
	cmocka_unit_test(test_directories_stay_until_deleted),
	cmocka_unit_test(test_lists_are_sorted_and_keep_to_their_directory),
	cmocka_unit_test(test_any_text_survives),
	cmocka_unit_test(test_large_values),
	cmocka_unit_test(test_invalid_keys_are_refused),
	cmocka_unit_test(test_time_to_live),
	cmocka_unit_test(test_concurrent_increments_all_count),
	cmocka_unit_test(test_concurrent_increments_of_tasks),
	cmocka_unit_test(test_only_one_creates),
	cmocka_unit_test(test_watch_reports_the_snapshot_then_changes_in_order),
	cmocka_unit_test(test_watch_fans_out_deleted_directories),
	cmocka_unit_test(test_watch_of_what_is_not_there_yet),
	cmocka_unit_test(test_watch_sees_other_processes),
	cmocka_unit_test(test_two_watches_of_one_store),
	cmocka_unit_test(test_resync_reports_only_differences),
	cmocka_unit_test(test_lost_history_leads_to_differences),
	cmocka_unit_test(test_deleting_everything_deletes_nothing),
	cmocka_unit_test(test_stop_inside_a_callback_is_the_end),
	cmocka_unit_test(test_callbacks_may_use_the_store),
	cmocka_unit_test(test_close_ends_watches_at_once),
};
#define TEST_COUNT (sizeof(tests) / sizeof(tests[0]))

static int run_on(const char *name, CMFixtureFunction setup, CMFixtureFunction start,
		     CMFixtureFunction end)
{
	struct CMUnitTest group[TEST_COUNT];

	for (size_t i = 0; i < TEST_COUNT; i++) {
		group[i] = tests[i];
		group[i].setup_func = setup;
		group[i].teardown_func = teardown;
	}
	return _cmocka_run_group_tests(name, group, TEST_COUNT, start, end);
}

static int start_etcd(void **state)
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

static int end_etcd(void **state)
{
	etcd_end(&etcd);
	return 0;
}

int main(int argc, char **argv)
{
	int failed;

	if (argc == 4)
		return other_process(argv[1], argv[2], argv[3]);
	if (!mkdtemp(directory))
		return 1;
	failed = run_on("embedded store", setup_sqlite, NULL, NULL);
	remove_directory(directory);
	failed += run_on("etcd", setup_etcd, start_etcd, end_etcd);
	return failed;
}
