/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lines that come again and again, and the time in front of lines. */
#include <regex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rows.h"
#include "util/log.h"
#include "util/task.h"

static int saved = -1, file = -1;
static char text[1 << 18];

static int capture(void **state)
{
	saved = dup(STDERR_FILENO);
	file = memfd_create("log", 0);
	return dup2(file, STDERR_FILENO) < 0;
}

static int release(void **state)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(file);
	log_tell_counts(INT64_MAX / 2); /* all subjects are forgotten */
	return 0;
}

/* What was written since the last call. */
static const char *written(void)
{
	ssize_t length = pread(file, text, sizeof(text) - 1, 0);

	text[length > 0 ? length : 0] = '\0';
	assert_int_equal(ftruncate(file, 0), 0);
	lseek(file, 0, SEEK_SET);
	return text;
}

static int lines(const char *from)
{
	int count = 0;

	for (; *from; from++)
		count += *from == '\n';
	return count;
}

static void the_same_line_is_written_once(void **state)
{
	int64_t now = task_clock_ms();

	for (int i = 0; i < 100; i++)
		log_repeated(LOG_LEVEL_WARN, "module", "thing", "it fails");
	log_repeated(LOG_LEVEL_WARN, "module", "other", "it fails");
	assert_string_equal(written(), "WARN module: it fails\nWARN module: it fails\n");
	log_tell_counts(now + 1000);
	assert_string_equal(written(), "");
	log_repeated(LOG_LEVEL_WARN, "module", "thing", "it fails otherwise");
	assert_non_null(strstr(written(), "WARN module: it fails (repeated: 99, in "));
	assert_int_equal(lines(text), 2);
	assert_non_null(strstr(text, " s)\nWARN module: it fails otherwise\n"));
	log_repeated(LOG_LEVEL_WARN, "module", "thing", "it fails otherwise");
	assert_string_equal(written(), "");
	/* It ended: the count is told once, and the same would be news again. */
	log_tell_counts(now + 400000);
	assert_non_null(strstr(written(), "WARN module: it fails otherwise (repeated: 1, in "));
	assert_int_equal(lines(text), 1);
	log_tell_counts(now + 800000);
	assert_string_equal(written(), "");
	log_repeated(LOG_LEVEL_WARN, "module", "thing", "it fails otherwise");
	assert_string_equal(written(), "WARN module: it fails otherwise\n");
}

static void a_flood_is_cut(void **state)
{
	int64_t now = task_clock_ms();

	for (int i = 0; i < 1000; i++)
		log_limited(LOG_LEVEL_WARN, "module", "Join", "refused: %d", i);
	assert_int_equal(lines(written()), 20);
	log_tell_counts(now + 5000);
	assert_string_equal(written(), "");
	log_tell_counts(now + 11000);
	assert_string_equal(written(), "WARN module: Join: 980 more lines were left out\n");
	log_limited(LOG_LEVEL_WARN, "module", "Leave", "refused");
	assert_string_equal(written(), "WARN module: refused\n");
}

/* There are only so many subjects: what takes the place of another tells its count. */
static void more_subjects_than_there_is_room_for(void **state)
{
	char name[16];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		log_repeated(LOG_LEVEL_INFO, "module", name, "line of %d", i);
		log_repeated(LOG_LEVEL_INFO, "module", name, "line of %d", i);
	}
	log_tell_counts(INT64_MAX / 2);
	assert_int_equal(lines(written()), 2000);
}

static void levels_hold(void **state)
{
	log_repeated(LOG_LEVEL_DEBUG, "module", "thing", "x");
	log_limited(LOG_LEVEL_DEBUG, "module", "thing", "x");
	assert_string_equal(written(), "");
}

static bool has_time(const char *line)
{
	regex_t pattern;
	bool matches;

	assert_int_equal(
		regcomp(&pattern,
			"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z INFO m: x\n$",
			REG_EXTENDED | REG_NOSUB),
		0);
	matches = !regexec(&pattern, line, 0, NULL, 0);
	regfree(&pattern);
	return matches;
}

static void the_journal_has_its_own_time(void **state)
{
	struct stat own;
	char name[64];

	unsetenv("JOURNAL_STREAM");
	log_open();
	log_info("m", "x");
	assert_true(has_time(written()));

	setenv("JOURNAL_STREAM", "9:99", 1); /* of somebody before us */
	log_open();
	log_info("m", "x");
	assert_true(has_time(written()));

	assert_int_equal(fstat(STDERR_FILENO, &own), 0);
	snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)own.st_dev,
		 (unsigned long long)own.st_ino);
	setenv("JOURNAL_STREAM", name, 1);
	log_open();
	log_info("m", "x");
	assert_string_equal(written(), "INFO m: x\n");
	unsetenv("JOURNAL_STREAM");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_line_is_written_once, capture, release),
		cmocka_unit_test_setup_teardown(a_flood_is_cut, capture, release),
		cmocka_unit_test_setup_teardown(more_subjects_than_there_is_room_for, capture, release),
		cmocka_unit_test_setup_teardown(levels_hold, capture, release),
		cmocka_unit_test_setup_teardown(the_journal_has_its_own_time, capture, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
