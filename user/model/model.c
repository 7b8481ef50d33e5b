/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Identifiers, string lists, label maps and JSON documents. */
#include "model/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

void *model_grow(void *items, size_t count, size_t size)
{
	if (count & (count - 1))
		return items;
	return reallocarray(items, count ? count * 2 : 1, size);
}

void strings_done(struct strings *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strings){0};
}

int strings_add(struct strings *list, const char *text)
{
	char **items = model_grow(list->items, list->count, sizeof(*items));
	char *copy = strdup(text);

	if (items)
		list->items = items;
	if (!items || !copy) {
		free(copy);
		return -ENOMEM;
	}
	items[list->count++] = copy;
	return 0;
}

bool strings_has(const struct strings *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

bool strings_equal(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

void labels_done(struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		free(labels->items[i].name);
		free(labels->items[i].value);
	}
	free(labels->items);
	*labels = (struct labels){0};
}

/* Index of the name, or of the place where it belongs. */
static size_t labels_find(const struct labels *labels, const char *name, bool *ret_found)
{
	size_t low = 0, high = labels->count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(labels->items[middle].name, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *labels_get(const struct labels *labels, const char *name)
{
	bool found;
	size_t i = labels_find(labels, name, &found);

	return found ? labels->items[i].value : NULL;
}

int labels_set(struct labels *labels, const char *name, const char *value)
{
	struct label label = {.value = strdup(value)};
	struct label *items;
	bool found;
	size_t i = labels_find(labels, name, &found);

	if (!label.value)
		return -ENOMEM;
	if (found) {
		free(labels->items[i].value);
		labels->items[i].value = label.value;
		return 0;
	}
	label.name = strdup(name);
	items = model_grow(labels->items, labels->count, sizeof(*items));
	if (items)
		labels->items = items;
	if (!items || !label.name) {
		free(label.name);
		free(label.value);
		return -ENOMEM;
	}
	memmove(items + i + 1, items + i, (labels->count - i) * sizeof(*items));
	items[i] = label;
	labels->count++;
	return 0;
}

static bool consists_of(const char *text, const char *set)
{
	return *text && !text[strspn(text, set)];
}

bool model_id_valid(const char *id)
{
	return consists_of(id, LETTERS_AND_DIGITS "_.-");
}

bool model_interface_valid(const char *name)
{
	return strlen(name) <= 15 && consists_of(name, LETTERS_AND_DIGITS "_-");
}

bool model_label_name_valid(const char *name)
{
	return consists_of(name, LETTERS_AND_DIGITS "_.-/");
}

/* jansson's own limit cannot be set; counting brackets outside strings is enough to find the depth. */
static size_t json_depth(const char *text)
{
	size_t depth = 0, deepest = 0;
	bool in_string = false;

	for (const char *c = text; *c; c++) {
		if (in_string) {
			if (*c == '\\' && c[1])
				c++;
			else if (*c == '"')
				in_string = false;
		} else if (*c == '"') {
			in_string = true;
		} else if (*c == '[' || *c == '{') {
			if (++depth > deepest)
				deepest = depth;
		} else if ((*c == ']' || *c == '}') && depth > 0) {
			depth--;
		}
	}
	return deepest;
}

int model_json_parse(const char *text, json_t **ret, struct err *err)
{
	size_t length = strnlen(text, MODEL_MAX_BYTES + 1);
	json_error_t error;
	json_t *json;

	if (length > MODEL_MAX_BYTES)
		return err_set(err, EBADMSG, "larger than %d bytes", MODEL_MAX_BYTES);
	if (json_depth(text) > MODEL_MAX_DEPTH)
		return err_set(err, EBADMSG, "nested deeper than %d levels", MODEL_MAX_DEPTH);
	json = json_loadb(text, length, JSON_DECODE_ANY, &error);
	/* jansson has no text for most of the places where memory runs out. */
	if (!json && !error.text[0])
		return err_set(err, ENOMEM, "memory is exhausted");
	if (!json)
		return err_set(err, EBADMSG, "not valid JSON (line %d, column %d: %s)", error.line,
			       error.column, error.text);
	*ret = json;
	return 0;
}

char *model_json_format(const json_t *json)
{
	return json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
}

json_t *model_json_text(const char *text)
{
	json_t *json = json_string(text ? text : "");
	char *copy;

	/* Names of interfaces and paths are bytes. */
	if (json)
		return json;
	copy = strdup(text ? text : "");
	json = copy ? json_string(text_clean(copy)) : NULL;
	free(copy);
	return json;
}
