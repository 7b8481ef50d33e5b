/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The embedded store's file: who may read it, damage, locks, replacement, writers that die. */
#include <sqlite3.h>
#include <sys/resource.h>
#include <time.h>

#include "store_backends.h"

static char path[128];

static int setup(void **state)
{
	snprintf(path, sizeof(path), "%s/below/calico.db", directory);
	return open_fixture(state, path);
}

static int teardown_file(void **state)
{
	struct fixture *fixture = *state;
	char below[160];

	store_close(fixture->store);
	recorder_free(fixture->recorder);
	event_base_free(fixture->base);
	snprintf(below, sizeof(below), "%s/below", directory);
	remove_directory(below);
	return 0;
}

static mode_t mode_of(const char *suffix)
{
	char name[160];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	assert_int_equal(stat(name, &st), 0);
	return st.st_mode & 07777;
}

static void test_only_the_owner_may_read(void **state)
{
	struct fixture *fixture = *state;
	mode_t mask = umask(0);

	put(fixture->store, "/calico/a", "1");
	umask(mask);
	assert_int_equal(mode_of(""), 0600);
	assert_int_equal(mode_of("-wal"), 0600);
	assert_int_equal(mode_of("-shm"), 0600);
	snprintf(path, sizeof(path), "%s/below", directory);
	assert_int_equal(mode_of(""), 0700);
}

static void close_and_write(struct fixture *fixture, long offset, const char *text)
{
	int fd;

	store_close(fixture->store);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), offset), strlen(text));
	close(fd);
	fixture->store = open_store(path);
}

static void assert_refused(struct fixture *fixture, int code, const char *part)
{
	struct stat before, after;
	struct err err = {0};

	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(store_set(fixture->store, "/calico/a", "2", NULL, &err), -code);
	if (!strstr(err.text, part) || !strstr(err.text, path))
		fail_msg("'%s' lacks '%s' or '%s'", err.text, part, path);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_size, after.st_size);
}

static void test_damaged_file_is_kept_and_named(void **state)
{
	struct fixture *fixture = *state;
	char *noise = malloc(8192);

	put(fixture->store, "/calico/a", "1");
	memset(noise, 'x', 8191);
	noise[8191] = '\0';
	close_and_write(fixture, 4096, noise); /* all but the first page */
	assert_refused(fixture, EBADMSG, "is damaged");
	close_and_write(fixture, 0, "not a database at all");
	assert_refused(fixture, EBADMSG, "is damaged");
	free(noise);
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void test_file_of_a_newer_version_is_refused(void **state)
{
	struct fixture *fixture = *state;

	put(fixture->store, "/calico/a", "1");
	store_close(fixture->store);
	run_sql("PRAGMA user_version = 99");
	fixture->store = open_store(path);
	assert_refused(fixture, EBADMSG, "newer version");
}

static void test_file_of_another_program_is_refused(void **state)
{
	struct fixture *fixture = *state;

	put(fixture->store, "/calico/a", "1");
	store_close(fixture->store);
	unlink(path);
	run_sql("CREATE TABLE theirs (x)");
	fixture->store = open_store(path);
	assert_refused(fixture, EBADMSG, "another program");
}

/* Root may write everywhere, so this is somebody else. */
static int try_unprivileged(void)
{
	struct store *store;
	struct err err = {0};
	int r;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 2;
	store = open_as_other(path);
	r = store_set(store, "/calico/a", "2", NULL, &err);
	store_close(store);
	if (r == -EACCES && strstr(err.text, path))
		return 0;
	fprintf(stderr, "%d: %s\n", r, err.text);
	return 1;
}

static void test_missing_permission_is_named(void **state)
{
	struct fixture *fixture = *state;
	const char *const modes[] = {"", "read"};

	put(fixture->store, "/calico/a", "1");
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(try_unprivileged());
		end_other(child);
		/* Then the directories may be entered and the file read, but not written. */
		if (*modes[i] == '\0') {
			char below[160];

			snprintf(below, sizeof(below), "%s/below", directory);
			assert_int_equal(chmod(directory, 0755) | chmod(below, 0755) | chmod(path, 0644), 0);
		}
	}
	chmod(directory, 0700);
}

static void count(evutil_socket_t fd, short what, void *arg)
{
	++*(int *)arg;
}

static void test_lock_of_another_holds_up_only_the_call(void **state)
{
	struct fixture *fixture = *state;
	struct timeval every = {.tv_usec = 10000};
	struct event *timer;
	struct store_node node;
	struct err err = {0};
	int64_t start;
	int ticks = 0;
	sqlite3 *db;

	put(fixture->store, "/calico/a", "1");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	timer = event_new(fixture->base, -1, EV_PERSIST, count, &ticks);
	event_add(timer, &every);

	start = task_clock_ms();
	task_set_deadline(300);
	assert_int_equal(store_set(fixture->store, "/calico/a", "2", NULL, &err), -ETIMEDOUT);
	task_set_deadline(-1);
	assert_non_null(strstr(err.text, "locked by another process"));
	assert_in_range(task_clock_ms() - start, 290, 1500);
	assert_true(ticks >= 10); /* other work went on */

	assert_int_equal(store_get(fixture->store, "/calico/a", &node, &err), 0);
	assert_string_equal(node.value, "1");
	store_node_done(&node);
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	put(fixture->store, "/calico/a", "2");
	event_free(timer);
	sqlite3_close(db);
}

static void unlink_all(void)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[160];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

static void test_deleted_file_deletes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct store *other;

	put(fixture->store, "/calico/v1/a", "1");
	put(fixture->store, "/calico/v1/b", "1");
	fixture->recorder = watch(fixture->store, "/calico/v1");
	for (int i = 0; i < 3; i++)
		next_line(fixture->recorder);
	unlink_all();
	assert_next_starts(fixture->recorder, "lost: the datastore ");
	assert_string_equal(next_line_within(fixture->recorder, 500), "(nothing)");

	/* The new file is the one that everybody uses. */
	other = open_store(path);
	put(other, "/calico/v1/b", "2");
	assert_next(fixture->recorder, "found");
	assert_next(fixture->recorder, "/calico/v1/b=2");
	assert_next(fixture->recorder, "/calico/v1/a gone");
	assert_next(fixture->recorder, "in sync");
	put(fixture->store, "/calico/v1/c", "3");
	assert_next(fixture->recorder, "/calico/v1/c=3");
	store_close(other);
}

/* A copy put back has the same identity, and revisions that were used before. */
static void test_older_copy_put_back_is_read_again(void **state)
{
	struct fixture *fixture = *state;
	char copy[160], sql[256];

	snprintf(copy, sizeof(copy), "%s.copy", path);
	snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", copy);
	put(fixture->store, "/calico/v1/a", "old");
	put(fixture->store, "/calico/v1/b", "old");
	run_sql(sql);
	put(fixture->store, "/calico/v1/a", "new");
	put(fixture->store, "/calico/v1/c", "new");
	fixture->recorder = watch(fixture->store, "/calico/v1");
	for (int i = 0; i < 4; i++)
		next_line(fixture->recorder);
	unlink_all();
	assert_int_equal(rename(copy, path), 0);
	assert_next(fixture->recorder, "/calico/v1/a=old");
	assert_next(fixture->recorder, "/calico/v1/c gone");
	assert_next(fixture->recorder, "in sync");
	assert_quiet(fixture->recorder, fixture->store, "/calico/v1");
}

static int64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

struct delays {
	int64_t us[50];
	int count;
	struct wait all;
};

static void measure(void *arg, const char *key, const char *value, uint64_t revision)
{
	struct delays *delays = arg;

	delays->us[delays->count] = clock_us() - atoll(value);
	if (++delays->count == 50)
		wait_wake(&delays->all);
}

static int write_times(const char *where)
{
	struct store *store = open_as_other(where);

	for (int i = 0; i < 50; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%lld", (long long)clock_us());
		put(store, "/calico/v1/time", text);
		task_sleep(5);
	}
	store_close(store);
	return 0;
}

static int compare_us(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

static void test_other_processes_are_seen_at_once(void **state)
{
	static const struct store_watch_ops ops = {.event = measure};
	struct fixture *fixture = *state;
	struct delays delays = {0};
	struct store_watch *follow;
	struct err err = {0};
	pid_t child;

	assert_int_equal(store_watch(fixture->store, "/calico/v1", &ops, &delays, &follow, &err), 0);
	child = start_other("times", path, "");
	assert_int_equal(wait_for(&delays.all, PATIENCE_MS), 0);
	end_other(child);
	store_watch_stop(follow);
	qsort(delays.us, 50, sizeof(delays.us[0]), compare_us);
	print_message("from before the write to the event: median %lld us, worst %lld us\n",
		      (long long)delays.us[25], (long long)delays.us[49]);
	assert_in_range(delays.us[25], 0, 100000); /* far from the pause between unasked looks */
}

static void test_writer_that_did_not_tell_is_noticed(void **state)
{
	struct fixture *fixture = *state;

	put(fixture->store, "/calico/v1/a", "1");
	fixture->recorder = watch(fixture->store, "/calico/v1");
	assert_next(fixture->recorder, "/calico/v1/a=1");
	assert_next(fixture->recorder, "in sync");
	run_sql("INSERT INTO change (kind, key, value) VALUES (0, '/calico/v1/a', '2')");
	assert_next(fixture->recorder, "/calico/v1/a=2");
}

/* Bytes that this process has read from files. */
static long long bytes_read(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	long long count = -1;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "rchar: %lld", &count), 1);
	fclose(file);
	return count;
}

static void test_looking_does_not_read_the_whole_log(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;
	long long before;

	put(fixture->store, "/calico/v1/a", "1");
	run_sql("INSERT INTO change (kind, key, value) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
		"FROM n WHERE i < 8000) SELECT 0, '/calico/v1/x' || i, hex(zeroblob(500)) FROM n");
	fixture->recorder = watch(fixture->store, "/calico/v1");
	assert_next(fixture->recorder, "/calico/v1/a=1");
	assert_next(fixture->recorder, "in sync");
	assert_quiet(fixture->recorder, fixture->store, "/calico/v1");
	before = bytes_read();
	for (int i = 0; i < 20; i++)
		assert_quiet(fixture->recorder, fixture->store, "/calico/v1");
	assert_int_equal(stat(path, &st), 0);
	assert_true(bytes_read() - before < st.st_size);
}

static void test_watch_without_inotify(void **state)
{
	struct fixture *fixture = *state;
	int lowest = open("/dev/null", O_RDONLY);
	struct rlimit limit, tight;

	put(fixture->store, "/calico/v1/a", "1");
	close(lowest);
	lowest = open("/dev/null", O_RDONLY); /* after the store's own */
	close(lowest);
	getrlimit(RLIMIT_NOFILE, &limit);
	tight = limit;
	tight.rlim_cur = (rlim_t)lowest;
	setrlimit(RLIMIT_NOFILE, &tight);
	fixture->recorder = watch(fixture->store, "/calico/v1");
	assert_next(fixture->recorder, "/calico/v1/a=1");
	assert_next(fixture->recorder, "in sync");
	put(fixture->store, "/calico/v1/a", "2");
	assert_next(fixture->recorder, "/calico/v1/a=2");
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int count_up(const char *where)
{
	struct store *store = open_as_other(where);
	char text[32];

	for (int i = 1; i < 1000000; i++) { /* killed long before */
		snprintf(text, sizeof(text), "%d", i);
		put(store, "/calico/v1/count", text);
	}
	return 1;
}

static void test_killed_writer_leaves_a_whole_store(void **state)
{
	struct fixture *fixture = *state;
	struct store_node node;
	struct err err = {0};
	const char *last = "";
	char line[64];
	pid_t child;

	fixture->recorder = watch(fixture->store, "/calico/v1");
	assert_next(fixture->recorder, "in sync");
	for (int round = 0; round < 5; round++) {
		child = start_other("count", path, "");
		do {
			last = next_line(fixture->recorder);
		} while (strncmp(last, "/calico/v1/count=", 17) == 0 && atoi(last + 17) < 20 + round);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	assert_int_equal(store_get(fixture->store, "/calico/v1/count", &node, &err), 0);
	snprintf(line, sizeof(line), "/calico/v1/count=%s", node.value);
	put(fixture->store, "/calico/v1/end", "x");
	while (strcmp(fixture->recorder->lines[fixture->recorder->count - 1], "/calico/v1/end=x") != 0)
		assert_string_not_equal(next_line(fixture->recorder), "(nothing)");
	assert_string_equal(fixture->recorder->lines[fixture->recorder->count - 2], line);
	store_node_done(&node);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown_file)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_only_the_owner_may_read),
		TEST(test_damaged_file_is_kept_and_named),
		TEST(test_file_of_a_newer_version_is_refused),
		TEST(test_file_of_another_program_is_refused),
		TEST(test_missing_permission_is_named),
		TEST(test_lock_of_another_holds_up_only_the_call),
		TEST(test_deleted_file_deletes_nothing),
		TEST(test_older_copy_put_back_is_read_again),
		TEST(test_other_processes_are_seen_at_once),
		TEST(test_writer_that_did_not_tell_is_noticed),
		TEST(test_looking_does_not_read_the_whole_log),
		TEST(test_watch_without_inotify),
		TEST(test_killed_writer_leaves_a_whole_store),
	};
	int r;

	if (argc == 4)
		return strcmp(argv[1], "times") == 0 ? write_times(argv[2]) : count_up(argv[2]);
	if (!mkdtemp(directory))
		return 1;
	r = cmocka_run_group_tests_name("embedded store's file", tests, NULL, NULL);
	remove_directory(directory);
	return r;
}
