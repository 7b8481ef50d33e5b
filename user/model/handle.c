/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IPAM's handles and configuration. */
#include "model/block.h"

#include <errno.h>
#include <limits.h>

#include "model/fields.h"

static int parse_required_bool(const json_t *json, const char *name, bool *ret, struct err *err)
{
	if (!json_object_get(json, name))
		return err_set(err, EBADMSG, "%s is missing", name);
	return field_bool(json, name, false, ret, err);
}

int ipam_config_parse(const char *text, struct ipam_config *ret, struct err *err)
{
	struct ipam_config config;
	json_t *json;
	int r = field_object(text, &json, err);

	if (r < 0)
		return r;
	r = parse_required_bool(json, "strict_affinity", &config.strict_affinity, err);
	if (r == 0)
		r = parse_required_bool(json, "auto_allocate_blocks", &config.auto_allocate_blocks, err);
	json_decref(json);
	if (r == 0)
		*ret = config;
	return r;
}

static int handle_parse(const char *id, const char *text, json_t **ret, struct err *err)
{
	const json_t *blocks, *count;
	const char *cidr;
	int r;

	if (!text) {
		*ret = json_pack("{s:s, s:{}}", "id", id, "block");
		return *ret ? 0 : field_out_of_memory(err);
	}
	r = field_object(text, ret, err);
	if (r < 0)
		return r;
	blocks = json_object_get(*ret, "block");
	if (!json_is_object(blocks))
		r = err_set(err, EBADMSG, "block is not an object");
	json_object_foreach ((json_t *)blocks, cidr, count)
		if (!json_is_integer(count) || json_integer_value(count) < 1)
			r = err_set(err, EBADMSG, "the count of block %s is not a positive number", cidr);
	if (r < 0)
		json_decref(*ret);
	return r;
}

/* 0, 1 (had less than is taken away) or -ENOMEM. */
static int change_count(json_t *blocks, const struct cidr *block, int change)
{
	char cidr[CIDR_TEXT];
	const char *name = cidr_format(block, cidr);
	json_int_t count = json_integer_value(json_object_get(blocks, name));

	if (count > INT_MAX)
		count = INT_MAX; /* nonsense, and a sum with it must not overflow */
	count += change;
	if (count > 0)
		return field_set(blocks, name, json_integer(count));
	json_object_del(blocks, name);
	return count < 0;
}

int handle_change(const char *id, const char *text_or_null, const struct cidr *block, int count_change,
		  char **ret_text, struct err *err)
{
	json_t *json, *blocks;
	char *text = NULL;
	int r = handle_parse(id, text_or_null, &json, err);

	if (r < 0)
		return r;
	blocks = json_object_get(json, "block");
	r = change_count(blocks, block, count_change);
	if (r >= 0 && json_object_size(blocks) > 0) {
		text = model_json_format(json);
		if (!text)
			r = -ENOMEM;
	}
	json_decref(json);
	if (r < 0)
		return field_out_of_memory(err);
	*ret_text = text;
	return r;
}
