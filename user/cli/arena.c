/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Memory that lives as long as one run of the command. */
#include "cli/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_chunk {
	struct arena_chunk *next;
	_Alignas(max_align_t) char bytes[];
};

void *arena_check(void *pointer)
{
	if (!pointer) {
		fputs("Out of memory.\n", stderr);
		exit(1);
	}
	return pointer;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena_check(calloc(1, sizeof(*chunk) + size));

	chunk->next = arena->chunks;
	arena->chunks = chunk;
	return chunk->bytes;
}

char *arena_copy(struct arena *arena, const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(arena_alloc(arena, size), text, size);
}

char *arena_vformat(struct arena *arena, const char *format, va_list list)
{
	va_list again;

	va_copy(again, list);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);

	size_t size = (size_t)(length < 0 ? 0 : length) + 1;
	char *text = arena_alloc(arena, size);

	vsnprintf(text, size, format, list);
	return text;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	char *text = arena_vformat(arena, format, list);
	va_end(list);
	return text;
}

char *arena_join(struct arena *arena, char *const *items, size_t count, const char *separator)
{
	size_t size = 1;

	for (size_t i = 0; i < count; i++)
		size += strlen(items[i]) + strlen(separator);

	char *text = arena_alloc(arena, size);
	char *end = text;

	for (size_t i = 0; i < count; i++) {
		if (i)
			end = stpcpy(end, separator);
		end = stpcpy(end, items[i]);
	}
	return text;
}

void arena_done(struct arena *arena)
{
	while (arena->chunks) {
		struct arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		free(chunk);
	}
}
