/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names and ids of Docker networks. Requests carry no API version: engines since 1.9 have this call, and none
 * of its members changed, while newer engines refuse old version numbers.
 */
#include "cli/docker_api.h"

#include <stdlib.h>
#include <string.h>

#include "cli/http_get.h"

/* The engine looks for full id, full name, then id prefix; only the exact ones count for us. */
static bool network_inspect(struct ctl *ctl, const char *reference, struct docker_network *ret)
{
	const char *segment = ctl_keep(ctl, http_escape(reference));
	const char *path = ctl_text(ctl, "/networks/%s", segment);
	json_t *network;

	if (http_get(ctl->config->docker_host, path, &network, NULL) < 0)
		return false;

	const char *id = json_string_value(json_object_get(network, "Id"));
	const char *name = json_string_value(json_object_get(network, "Name"));

	if (id && name)
		*ret = (struct docker_network){ctl_text(ctl, "%s", id), ctl_text(ctl, "%s", name)};
	json_decref(network);
	return id && name;
}

bool docker_network_by_name(struct ctl *ctl, const char *name, struct docker_network *ret)
{
	return network_inspect(ctl, name, ret) && !strcmp(ret->name, name);
}

bool docker_network_by_id(struct ctl *ctl, const char *id, struct docker_network *ret)
{
	return network_inspect(ctl, id, ret) && !strcmp(ret->id, id);
}
