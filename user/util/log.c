/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Log lines on stderr. */
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/text.h"

#define LOG_LINE 2048

static enum log_level threshold = LOG_LEVEL_INFO;
static bool with_time;

static const char *const names[] = {
	[LOG_LEVEL_ERR] = "ERR",
	[LOG_LEVEL_WARN] = "WARN",
	[LOG_LEVEL_INFO] = "INFO",
	[LOG_LEVEL_DEBUG] = "DEBUG",
};

/* systemd names the stream by device and inode; a child may have inherited the name and another stderr. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat own;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && !fstat(STDERR_FILENO, &own) &&
	       own.st_dev == device && own.st_ino == inode;
}

void log_open(void)
{
	with_time = !is_journal();
}

void log_set_level(enum log_level level)
{
	threshold = level;
}

/* "2026-01-31T12:00:00.123Z ", or nothing. */
static void format_time(char *text, size_t size)
{
	struct timespec now;
	struct tm utc;
	size_t length;

	text[0] = '\0';
	if (!with_time)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	length = gmtime_r(&now.tv_sec, &utc) ? strftime(text, size, "%FT%T", &utc) : 0;
	snprintf(text + length, size - length, ".%03ldZ ", now.tv_nsec / 1000000);
}

static void write_line(const char *word, const char *module, const char *line)
{
	char stamp[40];
	int saved = errno;

	format_time(stamp, sizeof(stamp));
	fprintf(stderr, "%s%s %s: %s\n", stamp, word, module, line);
	errno = saved;
}

static void put_line(const char *word, const char *module, const char *format, va_list args)
{
	char line[LOG_LINE];
	int saved = errno;

	text_line(line, sizeof(line), format, args);
	write_line(word, module, line);
	errno = saved;
}

static bool is_wanted(enum log_level level)
{
	return level <= threshold && level > LOG_LEVEL_NONE && level <= LOG_LEVEL_DEBUG;
}

void log_always(const char *word, const char *module, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(word, module, format, args);
	va_end(args);
}

void log_write(enum log_level level, const char *module, const char *format, ...)
{
	va_list args;

	if (!is_wanted(level))
		return;
	va_start(args, format);
	put_line(names[level], module, format, args);
	va_end(args);
}

/* ---- lines that come again and again ---- */

#define SUBJECTS_MAX 64
#define QUIET_MS     (5 * 60 * 1000)
#define HOUR_MS	     (60 * 60 * 1000)
#define LINES_MAX    20
#define LINE_MS	     10000 /* one more line of a limited subject */

struct subject {
	const char *module;
	char name[128];
	char line[LOG_LINE]; /* the last one */
	enum log_level level;
	bool limited;
	int lines;	     /* of a limited subject: that it may still write */
	int64_t filled;	     /* `lines` is of this time */
	unsigned int unsaid; /* lines since the last that was written */
	int64_t seen, said;  /* the last line; the last that was written */
};

static struct subject *subjects[SUBJECTS_MAX];

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void tell_count(struct subject *subject, int64_t now)
{
	char line[LOG_LINE + 64];

	if (!subject->unsaid)
		return;
	if (subject->limited)
		snprintf(line, sizeof(line), "%s: %u more lines were left out", subject->name,
			 subject->unsaid);
	else
		snprintf(line, sizeof(line), "%s (repeated: %u, in %lld s)", subject->line, subject->unsaid,
			 (long long)((now - subject->said) / 1000));
	write_line(names[subject->level], subject->module, line);
	subject->unsaid = 0;
	subject->said = now;
}

static void refill(struct subject *subject, int64_t now)
{
	int64_t more = (now - subject->filled) / LINE_MS;

	subject->lines = subject->lines + more < LINES_MAX ? subject->lines + (int)more : LINES_MAX;
	subject->filled += more * LINE_MS;
}

/* An old one or a new one, in the place of the one that was quiet for longest if need be; NULL: no memory. */
static struct subject *find_subject(const char *module, const char *name, int64_t now)
{
	struct subject **place = &subjects[0];

	for (size_t i = 0; i < SUBJECTS_MAX; i++) {
		struct subject *subject = subjects[i];

		if (subject && subject->module == module &&
		    !strncmp(subject->name, name, sizeof(subject->name) - 1))
			return subject;
		if (*place && (!subject || subject->seen < (*place)->seen))
			place = &subjects[i];
	}
	if (*place)
		tell_count(*place, now);
	else
		*place = malloc(sizeof(**place));
	if (!*place)
		return NULL;
	**place = (struct subject){.module = module, .lines = LINES_MAX, .filled = now, .said = now};
	snprintf((*place)->name, sizeof((*place)->name), "%s", name);
	return *place;
}

static bool is_due(struct subject *subject, const char *line, int64_t now)
{
	refill(subject, now);
	if (subject->limited)
		return subject->lines > 0;
	return strcmp(subject->line, line) != 0;
}

static void put_subject(enum log_level level, const char *module, const char *name, bool limited,
			const char *line)
{
	int64_t now = clock_ms();
	struct subject *subject = find_subject(module, name, now);

	if (!subject) {
		write_line(names[level], module, line);
		return;
	}
	subject->limited = limited;
	subject->seen = now;
	if (!is_due(subject, line, now)) {
		subject->unsaid++;
		return;
	}
	tell_count(subject, now);
	subject->level = level;
	subject->lines -= subject->limited;
	subject->said = now;
	snprintf(subject->line, sizeof(subject->line), "%s", line);
	write_line(names[level], module, line);
}

void log_repeated(enum log_level level, const char *module, const char *subject, const char *format, ...)
{
	char line[LOG_LINE];
	va_list args;

	if (!is_wanted(level))
		return;
	va_start(args, format);
	text_line(line, sizeof(line), format, args);
	va_end(args);
	put_subject(level, module, subject, false, line);
}

void log_limited(enum log_level level, const char *module, const char *subject, const char *format, ...)
{
	char line[LOG_LINE];
	va_list args;

	if (!is_wanted(level))
		return;
	va_start(args, format);
	text_line(line, sizeof(line), format, args);
	va_end(args);
	put_subject(level, module, subject, true, line);
}

void log_tell_counts(int64_t now)
{
	for (size_t i = 0; i < SUBJECTS_MAX; i++) {
		struct subject *subject = subjects[i];
		bool quiet = subject && now - subject->seen >= QUIET_MS;

		if (!subject)
			continue;
		if (quiet || now - subject->said >= (subject->limited ? LINE_MS : HOUR_MS))
			tell_count(subject, now);
		if (quiet) {
			free(subject);
			subjects[i] = NULL;
		}
	}
}
