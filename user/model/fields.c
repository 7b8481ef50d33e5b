/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Members that several objects share. */
#include "model/fields.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *field_show(const json_t *value, char text[FIELD_SHOW])
{
	size_t length = json_dumpb(value, text, FIELD_SHOW - 1, JSON_COMPACT | JSON_ENCODE_ANY);

	if (length < FIELD_SHOW)
		text[length] = '\0';
	else
		memcpy(text + FIELD_SHOW - 4, "...", sizeof("..."));
	return text;
}

int field_object(const char *text, json_t **ret, struct err *err)
{
	char shown[FIELD_SHOW];
	json_t *json;
	int r = model_json_parse(text, &json, err);

	if (r < 0)
		return r;
	if (!json_is_object(json)) {
		err_set(err, EBADMSG, "not an object but %s", field_show(json, shown));
		json_decref(json);
		return -EBADMSG;
	}
	*ret = json;
	return 0;
}

int field_ids(const json_t *value, const char *what, struct strings *ret, struct err *err)
{
	struct strings list = {0};
	char shown[FIELD_SHOW];
	const json_t *item;
	size_t i;

	if (!json_is_array(value))
		return err_set(err, EBADMSG, "%s is not a list but %s", what, field_show(value, shown));
	json_array_foreach (value, i, item) {
		if (!json_is_string(item) || !model_id_valid(json_string_value(item))) {
			strings_done(&list);
			return err_set(err, EBADMSG,
				       "%s: %s is not a name of letters, digits, '_', '.' and '-'", what,
				       field_show(item, shown));
		}
		if (strings_add(&list, json_string_value(item)) < 0) {
			strings_done(&list);
			return field_out_of_memory(err);
		}
	}
	*ret = list;
	return 0;
}

static int label_order(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static int label_append(struct labels *labels, const char *name, const char *value)
{
	struct label *items = model_grow(labels->items, labels->count, sizeof(*items));
	struct label *label;

	if (!items)
		return -ENOMEM;
	labels->items = items;
	label = &items[labels->count++];
	label->name = strdup(name);
	label->value = strdup(value);
	return label->name && label->value ? 0 : -ENOMEM;
}

static int label_check(const char *what, const char *name, const json_t *value, struct err *err)
{
	char shown[FIELD_SHOW];

	if (!model_label_name_valid(name))
		return err_set(err, EBADMSG,
			       "%s: '%s' is not a label name of letters, digits, '_', '.', '-' and '/'", what,
			       name);
	if (!json_is_string(value))
		return err_set(err, EBADMSG, "%s: value of '%s' is not a string but %s", what, name,
			       field_show(value, shown));
	return 0;
}

int field_labels(const json_t *value, const char *what, struct labels *ret, struct err *err)
{
	struct labels labels = {0};
	char shown[FIELD_SHOW];
	const json_t *item;
	const char *name;
	int r;

	if (!json_is_object(value))
		return err_set(err, EBADMSG, "%s is not an object but %s", what, field_show(value, shown));
	/* The members of an object are unique; sorting once at the end keeps this linear. */
	json_object_foreach ((json_t *)value, name, item) {
		r = label_check(what, name, item, err);
		if (r == 0 && label_append(&labels, name, json_string_value(item)) < 0)
			r = field_out_of_memory(err);
		if (r < 0) {
			labels_done(&labels);
			return r;
		}
	}
	if (labels.count > 1)
		qsort(labels.items, labels.count, sizeof(*labels.items), label_order);
	*ret = labels;
	return 0;
}

int field_profiles(const json_t *endpoint, struct strings *ret, struct err *err)
{
	const json_t *list = json_object_get(endpoint, "profile_ids");
	const json_t *single = json_object_get(endpoint, "profile_id");
	char shown[FIELD_SHOW];

	if (list)
		return field_ids(list, "profile_ids", ret, err);
	if (!single)
		return 0;
	if (!json_is_string(single) || !model_id_valid(json_string_value(single)))
		return err_set(err, EBADMSG,
			       "profile_id: %s is not a name of letters, digits, '_', '.' and '-'",
			       field_show(single, shown));
	return strings_add(ret, json_string_value(single)) < 0 ? field_out_of_memory(err) : 0;
}

int field_endpoint_labels(const json_t *endpoint, struct labels *ret, struct err *err)
{
	const json_t *labels = json_object_get(endpoint, "labels");

	return labels ? field_labels(labels, "labels", ret, err) : 0;
}

int field_interface(const json_t *endpoint, char ret[16], struct err *err)
{
	const json_t *name = json_object_get(endpoint, "name");
	char shown[FIELD_SHOW];

	if (!name)
		return 0;
	if (!json_is_string(name) || !model_interface_valid(json_string_value(name)))
		return err_set(err, EBADMSG,
			       "name: %s is not an interface name of 1 to 15 letters, digits, '_' and '-'",
			       field_show(name, shown));
	snprintf(ret, 16, "%s", json_string_value(name));
	return 0;
}

int field_order(const json_t *value, double *ret, struct err *err)
{
	char shown[FIELD_SHOW];

	if (!value || (json_is_string(value) && strcmp(json_string_value(value), "default") == 0))
		*ret = INFINITY;
	else if (json_is_number(value))
		*ret = json_number_value(value);
	else
		return err_set(err, EBADMSG, "order is not a number but %s", field_show(value, shown));
	return 0;
}

int field_bool(const json_t *object, const char *name, bool otherwise, bool *ret, struct err *err)
{
	const json_t *value = json_object_get(object, name);
	char shown[FIELD_SHOW];

	if (value && !json_is_boolean(value))
		return err_set(err, EBADMSG, "%s is not true or false but %s", name,
			       field_show(value, shown));
	*ret = value ? json_is_true(value) : otherwise;
	return 0;
}

int field_set(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) < 0 ? -ENOMEM : 0;
}

json_t *field_copy(const json_t *raw)
{
	return raw ? json_copy((json_t *)raw) : json_object();
}

json_t *field_from_strings(const struct strings *list)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->count; i++) {
		if (json_array_append_new(array, json_string(list->items[i])) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}
