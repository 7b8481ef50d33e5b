/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Arrays that grow: of pointers, and of bytes for everything else. Zero-initialised is empty. */
#ifndef POLICY_GROW_H
#define POLICY_GROW_H

#include <stddef.h>

struct vector {
	void **items;
	size_t count, room;
};
int vector_push(struct vector *vector, void *item); /* 0 or -ENOMEM */
/* The last item takes the place of the removed one. */
void vector_remove(struct vector *vector, const void *item);
void vector_done(struct vector *vector);

struct buffer {
	char *data;
	size_t size, room;
};
int buffer_add(struct buffer *buffer, const void *data, size_t size); /* 0 or -ENOMEM */
/* The text and its length, so that no text can look like the end of another. */
int buffer_add_text(struct buffer *buffer, const char *text);
void buffer_done(struct buffer *buffer);

#endif
