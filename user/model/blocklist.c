/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entries of the block list. */
#include "model/blocklist.h"

#include "model/fields.h"

int blocklist_parse(const char *text, const struct cidr *named, struct err *err)
{
	json_t *json = NULL;
	const char *written;
	struct cidr cidr;
	int r = field_object(text, &json, err);

	if (r < 0)
		return r;
	written = json_string_value(json_object_get(json, "cidr"));
	if (!written || cidr_parse(written, &cidr) < 0 || cidr_compare(&cidr, named) != 0)
		r = err_set(err, EBADMSG, "cidr: is not the network that the key names");
	json_decref(json);
	return r;
}

char *blocklist_format(const struct cidr *cidr)
{
	char text[CIDR_TEXT];
	json_t *json = json_pack("{s:s}", "cidr", cidr_format(cidr, text));
	char *value = json ? model_json_format(json) : NULL;

	json_decref(json);
	return value;
}
