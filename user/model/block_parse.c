/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Allocation blocks from JSON and back. Two hosts that see one block differently would give one address to
 * two containers, so nothing that is odd is accepted.
 */
#include "model/block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/fields.h"

#define HOST_PREFIX "host:"

static int parse_cidr(const json_t *json, struct cidr *ret, struct err *err)
{
	const json_t *value = json_object_get(json, "cidr");
	const char *text = json_string_value(value);
	char shown[FIELD_SHOW];
	struct cidr block;

	if (!value)
		return err_set(err, EBADMSG, "cidr is missing");
	if (!text || cidr_parse(text, ret) < 0)
		return err_set(err, EBADMSG, "cidr: %s is not a network", field_show(value, shown));
	block = block_cidr_of(&ret->addr);
	if (cidr_compare(&block, ret) != 0)
		return err_set(err, EBADMSG, "cidr: %s is not a block of %d addresses", text, BLOCK_SIZE);
	return 0;
}

static int parse_affinity(const json_t *json, char **ret, struct err *err)
{
	const json_t *affinity = json_object_get(json, "affinity");
	const char *text = json_string_value(affinity);
	char shown[FIELD_SHOW];

	if (!affinity || json_is_null(affinity) || (text && !*text))
		return 0;
	if (!text || strncmp(text, HOST_PREFIX, strlen(HOST_PREFIX)) != 0 || !text[strlen(HOST_PREFIX)])
		return err_set(err, EBADMSG, "affinity: %s is not \"host:NAME\"",
			       field_show(affinity, shown));
	*ret = strdup(text + strlen(HOST_PREFIX));
	return *ret ? 0 : field_out_of_memory(err);
}

/* Some writers spell it "strictAffinity". */
static int parse_strict(const json_t *json, bool *ret, struct err *err)
{
	int r = field_bool(json, "strictAffinity", false, ret, err);

	return r < 0 ? r : field_bool(json, "strict_affinity", *ret, ret, err);
}

static int parse_attributes(json_t *json, json_t **ret, struct err *err)
{
	json_t *list = json_object_get(json, "attributes");
	const json_t *item, *handle;
	size_t i;

	if (!json_is_array(list))
		return err_set(err, EBADMSG, "attributes is not a list");
	if (json_array_size(list) > BLOCK_SIZE)
		return err_set(err, EBADMSG, "attributes has more than %d entries", BLOCK_SIZE);
	json_array_foreach (list, i, item) {
		handle = json_object_get(item, "handle_id");
		if (!json_is_object(item))
			return err_set(err, EBADMSG, "attribute %zu is not an object", i);
		if (handle && !json_is_string(handle) && !json_is_null(handle))
			return err_set(err, EBADMSG, "handle_id of attribute %zu is not a string", i);
	}
	*ret = json_incref(list);
	return 0;
}

static int parse_allocations(const json_t *json, struct block *block, struct err *err)
{
	const json_t *list = json_object_get(json, "allocations"), *item;
	size_t attributes = json_array_size(block->attributes), i;
	bool used[BLOCK_SIZE] = {false};
	char shown[FIELD_SHOW];

	if (!json_is_array(list) || json_array_size(list) != BLOCK_SIZE)
		return err_set(err, EBADMSG, "allocations is not a list of %d entries", BLOCK_SIZE);
	json_array_foreach (list, i, item) {
		json_int_t index = json_integer_value(item);

		block->allocations[i] = -1;
		if (json_is_null(item))
			continue;
		if (!json_is_integer(item) || index < 0 || (size_t)index >= attributes)
			return err_set(err, EBADMSG, "allocation %zu: %s is not the index of an attribute", i,
				       field_show(item, shown));
		block->allocations[i] = (int)index;
		used[index] = true;
	}
	for (i = 0; i < attributes; i++)
		if (!used[i])
			return err_set(err, EBADMSG, "attribute %zu is not used by any allocation", i);
	return 0;
}

static void derive_unallocated(struct block *block)
{
	for (uint8_t i = 0; i < BLOCK_SIZE; i++)
		if (block->allocations[i] < 0)
			block->unallocated[block->unallocated_count++] = i;
}

static int parse_unallocated(const json_t *json, struct block *block, struct err *err)
{
	const json_t *list = json_object_get(json, "unallocated"), *item;
	bool seen[BLOCK_SIZE] = {false};
	char shown[FIELD_SHOW];
	size_t i;

	if (!list) {
		derive_unallocated(block);
		return 0;
	}
	if (!json_is_array(list))
		return err_set(err, EBADMSG, "unallocated is not a list");
	json_array_foreach (list, i, item) {
		json_int_t ordinal = json_integer_value(item);

		if (!json_is_integer(item) || ordinal < 0 || ordinal >= BLOCK_SIZE || seen[ordinal])
			return err_set(err, EBADMSG,
				       "unallocated: %s is not an ordinal from 0 to 63, or is there twice",
				       field_show(item, shown));
		if (block->allocations[ordinal] >= 0)
			return err_set(err, EBADMSG, "ordinal %d is both allocated and unallocated",
				       (int)ordinal);
		seen[ordinal] = true;
		block->unallocated[block->unallocated_count++] = (uint8_t)ordinal;
	}
	for (i = 0; i < BLOCK_SIZE; i++)
		if (block->allocations[i] < 0 && !seen[i])
			return err_set(err, EBADMSG, "ordinal %zu is neither allocated nor unallocated", i);
	return 0;
}

/* Leaves the members that we do not know in the document. */
static void take_known(json_t *json)
{
	static const char *const known[] = {
		"cidr",	       "affinity",   "strict_affinity", "strictAffinity",
		"allocations", "attributes", "unallocated",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		json_object_del(json, known[i]);
}

static int parse_block(json_t *json, struct block *block, struct err *err)
{
	int r = parse_cidr(json, &block->cidr, err);

	if (r == 0)
		r = parse_affinity(json, &block->affinity, err);
	if (r == 0)
		r = parse_strict(json, &block->strict_affinity, err);
	if (r == 0)
		r = parse_attributes(json, &block->attributes, err);
	if (r == 0)
		r = parse_allocations(json, block, err);
	if (r == 0)
		r = parse_unallocated(json, block, err);
	if (r == 0)
		take_known(json);
	return r;
}

int block_parse(const char *text, struct block **ret, struct err *err)
{
	struct block *block = calloc(1, sizeof(*block));
	int r;

	if (!block)
		return field_out_of_memory(err);
	r = field_object(text, &block->raw, err);
	if (r == 0)
		r = parse_block(block->raw, block, err);
	if (r < 0) {
		block_free(block);
		return r;
	}
	*ret = block;
	return 0;
}

static json_t *allocations_to_json(const struct block *block)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < BLOCK_SIZE; i++) {
		int index = block->allocations[i];

		if (json_array_append_new(list, index < 0 ? json_null() : json_integer(index)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *unallocated_to_json(const struct block *block)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < block->unallocated_count; i++) {
		if (json_array_append_new(list, json_integer(block->unallocated[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int set_members(json_t *json, const struct block *block)
{
	char cidr[CIDR_TEXT];
	int r = field_set(json, "cidr", json_string(cidr_format(&block->cidr, cidr)));

	if (r == 0)
		r = field_set(json, "affinity",
			      block->affinity ? json_sprintf(HOST_PREFIX "%s", block->affinity)
					      : json_string(""));
	if (r == 0)
		r = field_set(json, "strict_affinity", json_boolean(block->strict_affinity));
	if (r == 0)
		r = field_set(json, "allocations", allocations_to_json(block));
	if (r == 0)
		r = field_set(json, "attributes", json_incref(block->attributes));
	return r < 0 ? r : field_set(json, "unallocated", unallocated_to_json(block));
}

char *block_format(const struct block *block)
{
	json_t *json = json_object();
	char *text = NULL;

	if (json && set_members(json, block) == 0 &&
	    (!block->raw || json_object_update_missing(json, block->raw) == 0))
		text = model_json_format(json);
	json_decref(json);
	return text;
}
