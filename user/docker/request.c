/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checked access to the members of a request. */
#include "docker/request.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define ID_LENGTH_MAX 128

/* Absent and null are the same to Docker. */
static json_t *member(const json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

int request_text(const json_t *object, const char *name, const char **ret, struct err *err)
{
	json_t *value = member(object, name);

	if (value && !json_is_string(value))
		return err_set(err, EBADMSG, "%s must be a string", name);
	*ret = value ? json_string_value(value) : "";
	return 0;
}

bool request_id_valid(const char *id, size_t shortest)
{
	size_t length = strlen(id);

	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)id[i]))
			return false;
	}
	return length >= shortest && length <= ID_LENGTH_MAX;
}

int request_id(const json_t *object, const char *name, size_t shortest, const char **ret, struct err *err)
{
	int rc = request_text(object, name, ret, err);

	if (rc < 0)
		return rc;
	if (!**ret)
		return err_set(err, EBADMSG, "%s is missing", name);
	if (!request_id_valid(*ret, shortest))
		return err_set(err, EBADMSG, "%s '%.80s' is not an id of Docker", name, *ret);
	return 0;
}

int request_cidr(const json_t *object, const char *name, uint8_t family, struct cidr *ret, struct err *err)
{
	const char *text = "";
	int rc = request_text(object, name, &text, err);

	*ret = (struct cidr){0};
	if (rc < 0 || !*text)
		return rc;
	if (cidr_parse(text, ret) < 0)
		return err_set(err, EBADMSG, "%s '%.80s' is not an IP address or CIDR", name, text);
	if (family && ret->addr.family != family)
		return err_set(err, EBADMSG, "%s '%.80s' is not of IPv%u", name, text, family);
	return 0;
}

int request_object(const json_t *object, const char *name, const json_t **ret, struct err *err)
{
	*ret = member(object, name);
	if (*ret && !json_is_object(*ret))
		return err_set(err, EBADMSG, "%s must be an object", name);
	return 0;
}

int request_array(const json_t *object, const char *name, const json_t **ret, struct err *err)
{
	*ret = member(object, name);
	if (*ret && !json_is_array(*ret))
		return err_set(err, EBADMSG, "%s must be a list", name);
	return 0;
}

int request_bool(const json_t *object, const char *name, bool *ret, struct err *err)
{
	json_t *value = member(object, name);
	const char *text = json_string_value(value);

	*ret = json_is_true(value) || (text && (!strcasecmp(text, "true") || !strcmp(text, "1")));
	if (!value || json_is_boolean(value) || *ret)
		return 0;
	if (text && (!*text || !strcasecmp(text, "false") || !strcmp(text, "0")))
		return 0;
	return err_set(err, EBADMSG, "%s must be true or false", name);
}
