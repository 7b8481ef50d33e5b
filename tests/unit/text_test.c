/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lines that are fit for a log and for JSON whatever went into them: errors, log lines, numbers in text. */
#include <fcntl.h>
#include <unistd.h>

#include "rows.h"
#include "util/log.h"
#include "util/text.h"

static void errors(void **state)
{
	struct err err;

	assert_int_equal(err_set(&err, EINVAL, "port %d is odd", 5), -EINVAL);
	assert_string_equal(err.text, "port 5 is odd");
	assert_int_equal(err_prefix(&err, -EBADMSG, "rule %d", 3), -EBADMSG);
	assert_string_equal(err.text, "rule 3: port 5 is odd");
	assert_int_equal(err_prefix(&err, -EBADMSG, "%s", err.text), -EBADMSG);
	assert_string_equal(err.text, "rule 3: port 5 is odd: rule 3: port 5 is odd");
	assert_int_equal(err_set(NULL, ENOENT, "x"), -ENOENT);
	assert_int_equal(err_prefix(NULL, -ENOENT, "x"), -ENOENT);
}

static void clean_lines(void **state)
{
	static const char *const rows[][2] = {
		{"a\nb\tc\x1b[1m\x7f", "a?b?c?[1m?"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\xff", "?"},
		{"\xc3", "?"},
		{"\xc3(", "?("},
		{"\xe2\x82", "??"},
		{"\x80", "?"},
		{"\xc2\x9b", "??"},	      /* C1 control: CSI */
		{"\xc0\x80", "??"},	      /* overlong */
		{"\xe0\x80\x80", "???"},      /* overlong */
		{"\xed\xa0\x80", "???"},      /* surrogate */
		{"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
		{"\xf0\x80\x80\x80", "????"},
		{"\xf5\x80\x80\x80", "????"},
	};
	struct err err;

	for (size_t i = 0; i < ROWS(rows); i++) {
		err_set(&err, EINVAL, "%s", rows[i][0]);
		assert_string_equal(err.text, rows[i][1]);
	}
}

/* A character that is cut in two at the end of the buffer does not leave its first bytes behind. */
static void cut_characters(void **state)
{
	char text[600];
	struct err err;

	for (size_t fill = sizeof(err.text) - 6; fill < sizeof(err.text); fill++) {
		memset(text, 'a', fill);
		strcpy(text + fill, "\xf0\x9f\x98\x80");
		err_set(&err, EINVAL, "%s", text);
		if (fill + 4 < sizeof(err.text))
			assert_string_equal(err.text, text);
		else
			assert_int_equal(strspn(err.text, "a?"), sizeof(err.text) - 1);
	}
}

/* What log_write() puts on stderr. */
static void check_log(enum log_level threshold, enum log_level level, const char *expected)
{
	char line[4096] = "";
	int ends[2], saved = dup(STDERR_FILENO);

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	log_set_level(threshold);
	log_write(level, "module", "%s %d", "a\nb", 5);
	dup2(saved, STDERR_FILENO);
	if (read(ends[0], line, sizeof(line) - 1) < 0)
		assert_int_equal(errno, EAGAIN);
	assert_string_equal(line, expected);
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

static void log_lines(void **state)
{
	check_log(LOG_LEVEL_DEBUG, LOG_LEVEL_ERR, "ERR module: a?b 5\n");
	check_log(LOG_LEVEL_WARN, LOG_LEVEL_WARN, "WARN module: a?b 5\n");
	check_log(LOG_LEVEL_WARN, LOG_LEVEL_INFO, "");
	check_log(LOG_LEVEL_INFO, LOG_LEVEL_INFO, "INFO module: a?b 5\n");
	check_log(LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, "");
	check_log(LOG_LEVEL_DEBUG, LOG_LEVEL_DEBUG, "DEBUG module: a?b 5\n");
	check_log(LOG_LEVEL_NONE, LOG_LEVEL_ERR, "");
	check_log(LOG_LEVEL_DEBUG, LOG_LEVEL_NONE, "");
}

/* Who logs a failure may go on to use its errno. */
static void errno_survives_a_closed_log(void **state)
{
	int read_only = open("/dev/null", O_RDONLY), saved = dup(STDERR_FILENO), after;

	dup2(read_only, STDERR_FILENO);
	errno = 77;
	log_err("module", "lost");
	after = errno;
	dup2(saved, STDERR_FILENO);
	assert_int_equal(after, 77);
	close(read_only);
	close(saved);
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		unsigned int max;
		int value;
		const char *rest;
	} rows[] = {
		{"0", 10, 0, ""},
		{"10", 10, 10, ""},
		{"11", 10, -EINVAL, "11"},
		{"7:8", 10, 7, ":8"},
		{"", 10, -EINVAL, ""},
		{"-1", 10, -EINVAL, "-1"},
		{"+1", 10, -EINVAL, "+1"},
		{" 1", 10, -EINVAL, " 1"},
		{"01", 10, -EINVAL, "01"},
		{"00", 10, -EINVAL, "00"},
		{"99999999999999999999", 100000000, -EINVAL, "99999999999999999999"},
		{"4294967297", 10, -EINVAL, "4294967297"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *text = rows[i].text;

		assert_int_equal(text_decimal(&text, rows[i].max), rows[i].value);
		assert_string_equal(text, rows[i].rest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),
		cmocka_unit_test(clean_lines),
		cmocka_unit_test(cut_characters),
		cmocka_unit_test(log_lines),
		cmocka_unit_test(errno_survives_a_closed_log),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
