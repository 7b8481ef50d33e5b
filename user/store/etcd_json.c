/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the JSON of the etcd v2 API to nodes, lists and changes. */
#include "store/etcd_json.h"

#include <errno.h>
#include <string.h>

/* Two per level of directories. Bounds the recursion here and in the parser, which run on small stacks. */
#define MAX_DEPTH 128

static bool is_shallow(const char *text, size_t size)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < size && depth <= MAX_DEPTH; i++) {
		char c = text[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '['))
			depth++;
		else if (!in_string && (c == '}' || c == ']'))
			depth--;
	}
	return depth <= MAX_DEPTH;
}

int etcd_json_load(const char *text, size_t size, json_t **ret, struct err *err)
{
	json_error_t error;

	if (!text || size == 0)
		return err_set(err, EBADMSG, "empty answer");
	if (!is_shallow(text, size))
		return err_set(err, EBADMSG, "directories nested too deep");
	/* A value with a NUL character in it must not make all the others unreadable. */
	*ret = json_loadb(text, size, JSON_ALLOW_NUL, &error);
	if (!*ret)
		return err_set(err, EBADMSG, "not an answer of the v2 API, line %d: %.100s", error.line,
			       error.text);
	return 0;
}

int etcd_json_error(const json_t *answer, const char **ret_message)
{
	*ret_message = json_string_value(json_object_get(answer, "message"));
	return (int)json_integer_value(json_object_get(answer, "errorCode"));
}

int etcd_json_errno(int code)
{
	static const struct {
		int code, number;
	} known[] = {
		{100, ENOENT},	  /* key not found */
		{101, ESTALE},	  /* compare failed */
		{102, EISDIR},	  /* not a file */
		{104, ENOTDIR},	  /* not a directory */
		{105, EEXIST},	  /* key already exists */
		{107, EACCES},	  /* root is read only */
		{108, ENOTEMPTY}, /* directory not empty */
		{110, EACCES},	  /* insufficient credentials */
		{300, ENOTCONN},  /* raft internal error */
		{301, ENOTCONN},  /* during leader election */
		{400, ENOTCONN},  /* watcher cleared */
		{401, ESTALE},	  /* event index outdated and cleared */
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].code == code)
			return -known[i].number;
	}
	return -EBADMSG;
}

static bool is_directory(const json_t *node)
{
	return json_is_true(json_object_get(node, "dir"));
}

static int read_revision(const json_t *node, uint64_t *ret)
{
	json_int_t revision = json_integer_value(json_object_get(node, "modifiedIndex"));

	*ret = (uint64_t)revision;
	return revision > 0 ? 0 : -EBADMSG;
}

int etcd_json_revision(const json_t *answer, uint64_t *ret)
{
	return read_revision(json_object_get(answer, "node"), ret);
}

/* Appends one node without what is beneath it. */
static int add_node(const json_t *node, struct store_list *list)
{
	const char *key = json_string_value(json_object_get(node, "key"));
	const char *value = json_string_value(json_object_get(node, "value"));
	uint64_t revision;

	if (!key || *key != '/' || read_revision(node, &revision) < 0 || (!value && !is_directory(node)))
		return -EBADMSG;
	return store_list_add(list, key, is_directory(node) ? NULL : value, revision);
}

int etcd_json_node(const json_t *answer, struct store_node *ret)
{
	const json_t *node = json_object_get(answer, "node");
	struct store_list list = {0};
	int r = add_node(node, &list);

	if (r == 0 && !list.nodes[0].value)
		r = -EISDIR;
	if (r == 0) {
		*ret = list.nodes[0];
		list.count = 0;
	}
	store_list_done(&list);
	return r;
}

/* Directories without children have no "nodes". */
static int add_children(const json_t *directory, bool recursive, struct store_list *list)
{
	json_t *children = json_object_get(directory, "nodes"), *child;
	size_t i;
	int r;

	json_array_foreach (children, i, child) {
		if (recursive && is_directory(child))
			r = add_children(child, true, list);
		else
			r = add_node(child, list);
		if (r < 0)
			return r;
	}
	return 0;
}

int etcd_json_list(const json_t *answer, bool recursive, struct store_list *ret)
{
	const json_t *node = json_object_get(answer, "node");

	if (!json_is_object(node))
		return -EBADMSG;
	return is_directory(node) ? add_children(node, recursive, ret) : -ENOTDIR;
}

static bool is_one_of(const char *text, const char *const *words)
{
	while (*words && strcmp(*words, text) != 0)
		words++;
	return *words;
}

int etcd_json_change(const json_t *answer, struct store_feed *feed, uint64_t *ret_revision)
{
	static const char *const sets[] = {"set", "create", "update", "compareAndSwap", NULL};
	static const char *const deletions[] = {"delete", "compareAndDelete", "expire", NULL};
	const char *action = json_string_value(json_object_get(answer, "action"));
	const json_t *node = json_object_get(answer, "node");
	struct store_change change = {
		.key = (char *)json_string_value(json_object_get(node, "key")),
		.value = (char *)json_string_value(json_object_get(node, "value")),
		.directory = is_directory(node),
	};

	if (!action || !change.key || read_revision(node, &change.revision) < 0)
		return -EBADMSG;
	*ret_revision = change.revision;
	if (is_one_of(action, deletions)) {
		change.value = NULL;
		return store_feed_add(feed, &change);
	}
	if (!is_one_of(action, sets) || (!change.value && !change.directory))
		return -EBADMSG;
	return change.directory ? 0 : store_feed_add(feed, &change);
}
