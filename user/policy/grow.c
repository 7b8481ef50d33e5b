/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Arrays that grow. */
#include "policy/grow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int vector_push(struct vector *vector, void *item)
{
	if (vector->count == vector->room) {
		size_t room = vector->room ? vector->room * 2 : 4;
		void **items = reallocarray(vector->items, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		vector->items = items;
		vector->room = room;
	}
	vector->items[vector->count++] = item;
	return 0;
}

void vector_remove(struct vector *vector, const void *item)
{
	for (size_t i = 0; i < vector->count; i++) {
		if (vector->items[i] == item) {
			vector->items[i] = vector->items[--vector->count];
			return;
		}
	}
}

void vector_done(struct vector *vector)
{
	free(vector->items);
	*vector = (struct vector){};
}

int buffer_add(struct buffer *buffer, const void *data, size_t size)
{
	if (buffer->room - buffer->size < size) {
		size_t room = buffer->room ? buffer->room : 64;
		char *grown;

		while (room - buffer->size < size)
			room *= 2;
		grown = realloc(buffer->data, room);
		if (!grown)
			return -ENOMEM;
		buffer->data = grown;
		buffer->room = room;
	}
	if (size)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	return 0;
}

int buffer_add_text(struct buffer *buffer, const char *text)
{
	size_t length = strlen(text);
	int r = buffer_add(buffer, &length, sizeof(length));

	return r < 0 ? r : buffer_add(buffer, text, length);
}

void buffer_done(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){};
}
