/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the plugin keeps in files: removals to be made up for, and the numbers of endpoints in sandboxes. */
#include "store_fixture.h"

#include "docker/journal.h"
#include "util/log.h"
#include "wiring/next_hop.h"
#include "wiring/sandbox.h"

static char directory[] = "/tmp/calico-journal-XXXXXX";

struct log {
	char lines[1000];
	int failures;	     /* the next so many attempts fail */
	const char *fail_on; /* attempts for this id fail */
	struct wait quiet;
	size_t expected, done;
	struct journal *journal;
	bool add_another; /* during the first entry */
};

static int redo(void *arg, enum journal_kind kind, const char *id, long long when, struct err *err)
{
	struct log *log = arg;

	if (log->add_another) {
		log->add_another = false;
		assert_int_equal(journal_add(log->journal, JOURNAL_NETWORK, "added", err), 0);
	}
	if (log->failures) {
		log->failures--;
		return err_set(err, ENOTCONN, "the datastore does not answer");
	}
	if (log->fail_on && !strcmp(log->fail_on, id))
		return err_set(err, ENOTCONN, "not this one");
	assert_true(when > 1000000000);
	snprintf(log->lines + strlen(log->lines), sizeof(log->lines) - strlen(log->lines), "%d:%s ",
		 (int)kind, id);
	if (++log->done == log->expected)
		wait_wake(&log->quiet);
	return 0;
}

static void open_journal(struct log *log)
{
	struct err err = {""};

	if (journal_open(directory, redo, log, &log->journal, &err) < 0)
		fail_msg("%s", err.text);
}

static void add(struct log *log, enum journal_kind kind, const char *id)
{
	struct err err = {""};

	if (journal_add(log->journal, kind, id, &err) < 0)
		fail_msg("%s", err.text);
}

static int setup(void **state)
{
	strcpy(strrchr(directory, '-'), "-XXXXXX");
	task_init(event_base_new());
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	remove_directory(directory);
	event_base_free(task_base());
	return 0;
}

static void test_entries_are_done_in_order_and_once(void **state)
{
	struct log log = {.expected = 3};

	open_journal(&log);
	add(&log, JOURNAL_ENDPOINT, "e1");
	add(&log, JOURNAL_ADDRESS, "10.1.2.3");
	add(&log, JOURNAL_NETWORK, "n1");
	assert_int_equal(journal_count(log.journal), 3);
	assert_int_equal(wait_for(&log.quiet, PATIENCE_MS), 0);
	journal_close(log.journal);
	assert_string_equal(log.lines, "0:e1 1:10.1.2.3 2:n1 ");
	open_journal(&log);
	assert_int_equal(journal_count(log.journal), 0);
	journal_close(log.journal);
}

static void test_entries_outlive_the_process(void **state)
{
	struct log first = {.expected = 1}, second = {.expected = 2};

	open_journal(&first);
	add(&first, JOURNAL_ENDPOINT, "e1");
	add(&first, JOURNAL_ADDRESS, "fd80::1");
	journal_close(first.journal);
	assert_string_equal(first.lines, "");
	open_journal(&second);
	assert_int_equal(journal_count(second.journal), 2);
	assert_int_equal(wait_for(&second.quiet, PATIENCE_MS), 0);
	assert_string_equal(second.lines, "0:e1 1:fd80::1 ");
	journal_close(second.journal);
}

static void test_a_failure_is_tried_again(void **state)
{
	struct log log = {.expected = 1, .failures = 1};

	open_journal(&log);
	add(&log, JOURNAL_ENDPOINT, "e1");
	assert_int_equal(wait_for(&log.quiet, PATIENCE_MS), 0);
	assert_string_equal(log.lines, "0:e1 ");
	journal_close(log.journal);
}

static void test_one_that_fails_does_not_hold_up_the_others(void **state)
{
	struct log log = {.expected = 1, .fail_on = "e1"};

	open_journal(&log);
	add(&log, JOURNAL_ENDPOINT, "e1");
	add(&log, JOURNAL_ENDPOINT, "e2");
	assert_int_equal(wait_for(&log.quiet, PATIENCE_MS), 0);
	journal_close(log.journal);
	assert_string_equal(log.lines, "0:e2 ");
	open_journal(&log);
	assert_int_equal(journal_count(log.journal), 1);
	journal_close(log.journal);
}

static void test_the_list_may_grow_while_it_is_worked_off(void **state)
{
	struct log log = {.expected = 2, .add_another = true};

	open_journal(&log);
	add(&log, JOURNAL_ENDPOINT, "e1");
	assert_int_equal(wait_for(&log.quiet, PATIENCE_MS), 0);
	journal_close(log.journal);
	assert_string_equal(log.lines, "0:e1 2:added ");
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_a_broken_file_is_set_aside(void **state)
{
	static const char *const broken[] = {
		"", "{", "{}", "[1]", "[{\"what\":\"moon\",\"id\":\"x\"}]", "[{\"what\":\"endpoint\"}]"};
	char path[256];

	snprintf(path, sizeof(path), "%s/journal.json.bad", directory);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct log log = {0};

		write_file("journal.json", broken[i]);
		open_journal(&log);
		assert_int_equal(journal_count(log.journal), 0);
		add(&log, JOURNAL_ENDPOINT, "e1");
		journal_close(log.journal);
		assert_int_equal(access(path, F_OK), 0);
		unlink(path);
	}
}

static void test_an_entry_that_cannot_be_written_is_an_error(void **state)
{
	struct log log = {0};
	struct err err = {""};

	open_journal(&log);
	remove_directory(directory);
	assert_int_equal(journal_add(log.journal, JOURNAL_ENDPOINT, "e1", &err), -ENOENT);
	assert_non_null(strstr(err.text, "journal.json"));
	assert_int_equal(journal_count(log.journal), 0);
	journal_close(log.journal);
}

static void test_the_number_of_entries_is_bounded(void **state)
{
	struct log log = {0};
	struct err err = {""};
	FILE *file;
	char path[256];

	snprintf(path, sizeof(path), "%s/journal.json", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < JOURNAL_MAX; i++)
		fprintf(file, "%s{\"what\":\"endpoint\",\"id\":\"e%d\",\"when\":1500000000}", i ? "," : "[",
			i);
	fputs("]", file);
	fclose(file);
	open_journal(&log);
	assert_int_equal(journal_count(log.journal), JOURNAL_MAX);
	assert_int_equal(journal_add(log.journal, JOURNAL_ENDPOINT, "one", &err), -ENOSPC);
	journal_close(log.journal);
}

static struct sandboxes *open_sandboxes(void)
{
	struct sandboxes *sandboxes;
	struct err err;

	assert_int_equal(sandboxes_open(directory, &sandboxes, &err), 0);
	return sandboxes;
}

static void test_endpoints_of_a_sandbox_are_numbered(void **state)
{
	struct sandboxes *sandboxes = open_sandboxes();
	struct err err;

	assert_int_equal(sandbox_join(sandboxes, "/netns/a", "e1", &err), 1);
	assert_int_equal(sandbox_join(sandboxes, "/netns/a", "e2", &err), 2);
	assert_int_equal(sandbox_join(sandboxes, "/netns/b", "e3", &err), 1);
	assert_int_equal(sandbox_join(sandboxes, "/netns/a", "e1", &err), 1);
	/* Another process, the same numbers; and the first free one is used again. */
	sandboxes_close(sandboxes);
	sandboxes = open_sandboxes();
	assert_int_equal(sandbox_join(sandboxes, "/netns/a", "e4", &err), 3);
	sandbox_leave(sandboxes, "e1");
	sandbox_leave(sandboxes, "e1");
	sandbox_leave(sandboxes, "unknown");
	assert_int_equal(sandbox_join(sandboxes, "/netns/a", "e5", &err), 1);
	/* An endpoint that moves to another sandbox starts anew there. */
	assert_int_equal(sandbox_join(sandboxes, "/netns/b", "e5", &err), 2);
	sandboxes_close(sandboxes);
}

static void test_a_sandbox_has_an_end(void **state)
{
	struct sandboxes *sandboxes = open_sandboxes();
	struct err err = {""};
	char id[16];

	for (int i = 1; i <= 254; i++) {
		snprintf(id, sizeof(id), "e%d", i);
		assert_int_equal(sandbox_join(sandboxes, "/netns/a", id, &err), i);
	}
	assert_int_equal(sandbox_join(sandboxes, "/netns/a", "one", &err), -ENOSPC);
	sandboxes_close(sandboxes);
}

static void test_a_broken_sandbox_file_counts_as_empty(void **state)
{
	static const char *const broken[] = {"[", "[]", "{\"e1\":{}}",
					     "{\"e1\":{\"sandbox\":\"a\",\"number\":999}}",
					     "{\"e1\":{\"sandbox\":\"a\",\"number\":-1}}"};
	struct err err;

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct sandboxes *sandboxes;

		write_file("sandboxes.json", broken[i]);
		sandboxes = open_sandboxes();
		assert_int_equal(sandbox_join(sandboxes, "a", "e2", &err), 1);
		sandboxes_close(sandboxes);
	}
}

static void test_next_hops(void **state)
{
	struct addr hop;
	char text[ADDR_TEXT];

	hop = next_hop(4, 1);
	assert_string_equal(addr_format(&hop, text), "169.254.1.1");
	hop = next_hop(4, 254);
	assert_string_equal(addr_format(&hop, text), "169.254.1.254");
	hop = next_hop(6, 1);
	assert_string_equal(addr_format(&hop, text), "fe80::1");
	hop = next_hop(6, 2);
	assert_string_equal(addr_format(&hop, text), "fe80::2");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_entries_are_done_in_order_and_once),
		TEST(test_entries_outlive_the_process),
		TEST(test_a_failure_is_tried_again),
		TEST(test_one_that_fails_does_not_hold_up_the_others),
		TEST(test_the_list_may_grow_while_it_is_worked_off),
		TEST(test_a_broken_file_is_set_aside),
		TEST(test_an_entry_that_cannot_be_written_is_an_error),
		TEST(test_the_number_of_entries_is_bounded),
		TEST(test_endpoints_of_a_sandbox_are_numbered),
		TEST(test_a_sandbox_has_an_end),
		TEST(test_a_broken_sandbox_file_counts_as_empty),
		cmocka_unit_test(test_next_hops),
	};

	log_set_level(LOG_LEVEL_NONE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
