/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Says of endpoints which container they are in. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wiring/wiring.h"

#define MARK_TRIES 5

/* Writes into an endpoint's document which container it is in; somebody may change the document meanwhile. */
static int mark_endpoint(const struct wiring *wiring, const char *id, const char *sandbox, struct err *err)
{
	struct store_node node = {0};
	struct workload_endpoint *model = NULL;
	char key[KEY_MAX], *text = NULL;
	int rc = store_get(wiring->store, wiring->endpoint_key(wiring->hostname, id, key), &node, err);

	if (!rc)
		rc = workload_endpoint_parse(node.value, NULL, &model, err);
	if (!rc && strcmp(model->sandbox, sandbox) != 0) {
		snprintf(model->sandbox, sizeof(model->sandbox), "%s", sandbox);
		text = workload_endpoint_format(model);
		rc = text ? store_update(wiring->store, key, text, node.revision, NULL, err)
			  : err_set(err, ENOMEM, "out of memory");
		if (!rc && link_index(wiring->netlink, model->name) > 0)
			rc = agent_apply_endpoint(wiring->agent, key, model, err);
	}
	free(text);
	workload_endpoint_free(model);
	store_node_done(&node);
	return rc;
}

int wire_share_sandbox(const struct wiring *wiring, const char *id, const char *name, struct err *err)
{
	struct strings ids = {0};
	int rc = 0;

	if (sandbox_endpoints(wiring->sandboxes, id, &ids) < 0)
		rc = err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; ids.count > 1 && !rc && i < ids.count; i++) {
		int tries = 0;

		do {
			rc = mark_endpoint(wiring, ids.items[i], name, err);
		} while (rc == -ESTALE && ++tries < MARK_TRIES);
		/* One whose end was not told. */
		if (rc == -ENOENT && strcmp(ids.items[i], id) != 0)
			rc = 0;
	}
	strings_done(&ids);
	return rc;
}
