/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IP pools. */
#include "model/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/fields.h"

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	free(pool->ipip);
	json_decref(pool->raw);
	free(pool);
}

struct pool *pool_new(const struct cidr *cidr)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->cidr = *cidr;
	cidr_mask(&pool->cidr);
	pool->ipam = true;
	return pool;
}

static int parse_cidr(const json_t *json, uint8_t family, struct cidr *ret, struct err *err)
{
	const json_t *cidr = json_object_get(json, "cidr");
	char shown[FIELD_SHOW];

	if (!cidr)
		return err_set(err, EBADMSG, "cidr is missing");
	if (!json_is_string(cidr) || cidr_parse_loose(json_string_value(cidr), ret) < 0 ||
	    ret->addr.family != family)
		return err_set(err, EBADMSG, "cidr: %s is not an IPv%d network", field_show(cidr, shown),
			       family);
	cidr_mask(ret);
	return 0;
}

/* The name goes into BIRD's configuration. */
static int parse_ipip(const json_t *json, char **ret, struct err *err)
{
	const json_t *ipip = json_object_get(json, "ipip");
	const char *text = json_string_value(ipip);
	char shown[FIELD_SHOW];

	if (!ipip || json_is_null(ipip) || (text && !*text))
		return 0;
	if (!text || !model_interface_valid(text))
		return err_set(err, EBADMSG, "ipip: %s is not an interface name", field_show(ipip, shown));
	*ret = strdup(text);
	return *ret ? 0 : field_out_of_memory(err);
}

static int parse_members(const json_t *json, uint8_t family, struct pool *pool, struct err *err)
{
	int r = parse_cidr(json, family, &pool->cidr, err);

	if (r == 0)
		r = parse_ipip(json, &pool->ipip, err);
	if (r == 0)
		r = field_bool(json, "masquerade", false, &pool->masquerade, err);
	if (r == 0)
		r = field_bool(json, "ipam", true, &pool->ipam, err);
	return r < 0 ? r : field_bool(json, "disabled", false, &pool->disabled, err);
}

int pool_parse(const char *key_name, const char *text, struct pool **ret, struct err *err)
{
	size_t length = strlen(key_name);
	struct pool *pool;
	int r;

	if (length == 0 || length > 43 || key_name[strspn(key_name, "0123456789abcdefABCDEF.:-")])
		return err_set(err, EBADMSG, "the key does not name a network");
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return field_out_of_memory(err);
	r = field_object(text, &pool->raw, err);
	if (r == 0)
		r = parse_members(pool->raw, strchr(key_name, ':') ? 6 : 4, pool, err);
	if (r < 0) {
		pool_free(pool);
		return r;
	}
	*ret = pool;
	return 0;
}

/* A member only where it is not the default: what v0.20 expects, and compares. */
static int set_option(json_t *json, const char *name, json_t *value, bool is_default)
{
	if (!is_default)
		return field_set(json, name, value);
	json_decref(value);
	json_object_del(json, name);
	return 0;
}

static int set_members(json_t *json, const struct pool *pool)
{
	char cidr[CIDR_TEXT];
	int r = field_set(json, "cidr", json_string(cidr_format(&pool->cidr, cidr)));

	if (r == 0)
		r = set_option(json, "ipip", pool->ipip ? json_string(pool->ipip) : NULL, !pool->ipip);
	if (r == 0)
		r = set_option(json, "masquerade", json_true(), !pool->masquerade);
	if (r == 0)
		r = set_option(json, "ipam", json_false(), pool->ipam);
	return r < 0 ? r : set_option(json, "disabled", json_true(), !pool->disabled);
}

char *pool_format(const struct pool *pool)
{
	json_t *json = field_copy(pool->raw);
	char *text = json && set_members(json, pool) == 0 ? model_json_format(json) : NULL;

	json_decref(json);
	return text;
}
