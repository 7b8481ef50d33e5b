/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Log lines on stderr: "LEVEL module: text". Libraries return errors; the top level that knows the object
 * logs once. Levels: ERR needs a human, WARN continued anyway (say how), INFO state changes, DEBUG the rest.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_NONE, LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* From here on each line begins with the time (UTC), unless stderr is the journal, which has its own. */
void log_open(void);
void log_set_level(enum log_level level);
void log_write(enum log_level level, const char *module, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* What somebody asked to be told, by a LOG rule for one: whatever the level. `word` stands for the level. */
void log_always(const char *word, const char *module, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * For what is tried again and again: a line of the subject is written when it differs from the one before.
 * The same line is only counted, and the count is told when another line comes, once an hour, and when the
 * line has not come for five minutes. Main thread only.
 */
void log_repeated(enum log_level level, const char *module, const char *subject, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * For what others can cause: a subject has twenty lines at once and one more each ten seconds. The rest is
 * counted, and the count is told each ten seconds. Main thread only.
 */
void log_limited(enum log_level level, const char *module, const char *subject, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Tells the counts that are due at this time (task_clock_ms()). Needed now and then. */
void log_tell_counts(int64_t now_ms);

#define log_err(module, ...)   log_write(LOG_LEVEL_ERR, module, __VA_ARGS__)
#define log_warn(module, ...)  log_write(LOG_LEVEL_WARN, module, __VA_ARGS__)
#define log_info(module, ...)  log_write(LOG_LEVEL_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_LEVEL_DEBUG, module, __VA_ARGS__)

#endif
