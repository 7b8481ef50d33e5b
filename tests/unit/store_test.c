/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every datastore backend must do: values, directories, odd texts, several writers at once. */
#include "store_backends.h"

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

static int increment_many(const char *where, int count)
{
	struct store *store = open_as_other(where);
	struct err err = {0};
	int r = 0;

	while (count-- > 0 && r == 0)
		r = increment(store, &err);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", where, err.text);
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
};

int main(int argc, char **argv)
{
	if (argc == 4)
		return increment_many(argv[2], atoi(argv[3]));
	return run_on_both(tests, sizeof(tests) / sizeof(tests[0]));
}
