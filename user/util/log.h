/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Log lines on stderr: "LEVEL module: text". Libraries return errors; the top level that knows the object
 * logs once. Levels: ERR needs a human, WARN continued anyway (say how), INFO state changes, DEBUG the rest.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

enum log_level { LOG_LEVEL_NONE, LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
void log_write(enum log_level level, const char *module, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* What somebody asked to be told, by a LOG rule for one: whatever the level. `word` stands for the level. */
void log_always(const char *word, const char *module, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_err(module, ...)   log_write(LOG_LEVEL_ERR, module, __VA_ARGS__)
#define log_warn(module, ...)  log_write(LOG_LEVEL_WARN, module, __VA_ARGS__)
#define log_info(module, ...)  log_write(LOG_LEVEL_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_LEVEL_DEBUG, module, __VA_ARGS__)

#endif
