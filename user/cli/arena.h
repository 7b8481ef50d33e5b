/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory that lives as long as one run of the command: texts of table cells, names and messages. Nothing is
 * freed on its own; arena_done() frees everything. Running out of memory ends the process with one line and
 * status 1, so these functions never return NULL.
 */
#ifndef CLI_ARENA_H
#define CLI_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena {
	struct arena_chunk *chunks;
};

void *arena_alloc(struct arena *arena, size_t size); /* zeroed */
char *arena_copy(struct arena *arena, const char *text);
char *arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vformat(struct arena *arena, const char *format, va_list list)
	__attribute__((format(printf, 2, 0)));
/* "a, b, c" for a separator of ", ". */
char *arena_join(struct arena *arena, char *const *items, size_t count, const char *separator);
/* For what cannot be kept in an arena: `pointer` unchanged, or the end of the process if it is NULL. */
void *arena_check(void *pointer);
void arena_done(struct arena *arena);

#endif
