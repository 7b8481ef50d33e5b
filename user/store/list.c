/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Nodes, lists, the changes of a watch, and what a key may be: what all backends build on. */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/backend.h"

#define MAX_KEY_BYTES 4096

void store_node_done(struct store_node *node)
{
	free(node->key);
	free(node->value);
	*node = (struct store_node){0};
}

void store_list_done(struct store_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		store_node_done(&list->nodes[i]);
	free(list->nodes);
	*list = (struct store_list){0};
}

/* Room for one more element; capacities are the powers of two, so only these need to grow. */
static void *grow(void *items, size_t count, size_t size)
{
	if (count & (count - 1))
		return items;
	return reallocarray(items, count ? count * 2 : 1, size);
}

int store_list_add(struct store_list *list, const char *key, const char *value, uint64_t revision)
{
	struct store_node *nodes = grow(list->nodes, list->count, sizeof(*nodes));
	struct store_node node = {.revision = revision};

	if (!nodes)
		return -ENOMEM;
	list->nodes = nodes;
	node.key = strdup(key);
	node.value = value ? strdup(value) : NULL;
	if (!node.key || (value && !node.value)) {
		store_node_done(&node);
		return -ENOMEM;
	}
	nodes[list->count++] = node;
	return 0;
}

int store_feed_add(struct store_feed *feed, const struct store_change *change)
{
	struct store_change *changes = grow(feed->changes, feed->change_count, sizeof(*changes));
	struct store_change copy = *change;

	if (!changes)
		return -ENOMEM;
	feed->changes = changes;
	copy.key = strdup(change->key);
	copy.value = change->value ? strdup(change->value) : NULL;
	if (!copy.key || (change->value && !copy.value)) {
		free(copy.key);
		free(copy.value);
		return -ENOMEM;
	}
	changes[feed->change_count++] = copy;
	return 0;
}

void store_feed_clear(struct store_feed *feed)
{
	for (size_t i = 0; i < feed->change_count; i++) {
		free(feed->changes[i].key);
		free(feed->changes[i].value);
	}
	free(feed->changes);
	feed->changes = NULL;
	feed->change_count = 0;
}

static int compare_nodes(const void *a, const void *b)
{
	return strcmp(((const struct store_node *)a)->key, ((const struct store_node *)b)->key);
}

void store_list_sort(struct store_list *list)
{
	if (list->count > 1)
		qsort(list->nodes, list->count, sizeof(*list->nodes), compare_nodes);
}

bool store_is_beneath(const char *key, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(key, directory, length) == 0 && key[length] == '/';
}

/* "." and "..", and empty segments, would be resolved by an HTTP server. */
static bool is_key(const char *key)
{
	const char *segment = key;

	if (*key != '/' || strlen(key) > MAX_KEY_BYTES)
		return false;
	while (*segment) {
		size_t length = strcspn(++segment, "/");

		if (length == 0 || (length == 1 && *segment == '.') ||
		    (length == 2 && strncmp(segment, "..", 2) == 0))
			return false;
		segment += length;
	}
	return true;
}

int store_check_key(const char *key, struct err *err)
{
	return is_key(key) ? 0 : err_set(err, EINVAL, "'%s' is not a valid datastore key", key);
}
