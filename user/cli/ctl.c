/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One run of calicoctl: access to the datastore with uniform error texts. */
#include "cli/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "store/keys.h"

bool ctl_open(struct ctl *ctl)
{
	struct err err;

	if (ctl->store || store_open(ctl->config, &ctl->store, &err) == 0)
		return true;
	ctl_store_failed(ctl, &err);
	return false;
}

bool ctl_answers(struct ctl *ctl)
{
	struct store_node node;
	int r = ctl->store ? 0 : store_open(ctl->config, &ctl->store, NULL);

	if (r == 0)
		r = store_get(ctl->store, KEY_READY, &node, NULL);
	if (r == 0)
		store_node_done(&node);
	return r == 0 || r == -ENOENT;
}

void ctl_done(struct ctl *ctl)
{
	store_close(ctl->store);
	config_free(ctl->config);
	out_finish(&ctl->out);
}

int ctl_store_failed(struct ctl *ctl, const struct err *err)
{
	if (ctl->config->endpoint_count)
		out_para(&ctl->out, "%s: Error accessing etcd (%s).  Is etcd running?", ctl->operation,
			 err->text);
	else
		out_para(&ctl->out, "%s: Error accessing the embedded datastore %s (%s).", ctl->operation,
			 ctl->config->sqlite_path, err->text);
	return STATUS_FAILED;
}

int ctl_failed(struct ctl *ctl, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fprintf(stderr, "%s\n", arena_vformat(&ctl->out.arena, format, list));
	va_end(list);
	return STATUS_FAILED;
}

bool ctl_is_root(struct ctl *ctl)
{
	if (geteuid() == 0)
		return true;
	ctl_failed(ctl, "This command must be run as root.");
	return false;
}

const char *ctl_keep(struct ctl *ctl, char *text)
{
	const char *kept = arena_copy(&ctl->out.arena, arena_check(text));

	free(text);
	return kept;
}

bool ctl_read(struct ctl *ctl, const char *key, const char **ret)
{
	struct store_node node;
	struct err err;
	int r = store_get(ctl->store, key, &node, &err);

	*ret = NULL;
	if (r == -ENOENT || r == -EISDIR)
		return true;
	if (r < 0) {
		ctl_store_failed(ctl, &err);
		return false;
	}
	*ret = arena_copy(&ctl->out.arena, node.value);
	store_node_done(&node);
	return true;
}

bool ctl_write(struct ctl *ctl, const char *key, const char *value)
{
	struct err err;

	if (store_set(ctl->store, key, value, NULL, &err) == 0)
		return true;
	ctl_store_failed(ctl, &err);
	return false;
}

bool ctl_delete(struct ctl *ctl, const char *key, bool *ret_was)
{
	struct err err;
	int r = store_delete(ctl->store, key, &err);

	if (r < 0 && r != -ENOENT) {
		ctl_store_failed(ctl, &err);
		return false;
	}
	if (ret_was)
		*ret_was = r == 0;
	return true;
}

bool ctl_list(struct ctl *ctl, const char *directory, struct store_list *ret)
{
	struct err err;

	if (store_list(ctl->store, directory, ret, &err) == 0)
		return true;
	ctl_store_failed(ctl, &err);
	return false;
}

int ctl_change(struct ctl *ctl, const char *key, ctl_change_fn change, void *arg)
{
	struct store_node node = {0};
	const char *changed = NULL;
	struct err err;
	int r = store_get(ctl->store, key, &node, &err);
	bool absent = r == -ENOENT;

	if (r < 0 && !absent)
		return ctl_store_failed(ctl, &err);

	int status = change(ctl, arg, absent ? NULL : node.value, &changed);

	if (status == STATUS_DONE && changed) {
		r = absent ? store_create(ctl->store, key, changed, NULL, &err)
			   : store_update(ctl->store, key, changed, node.revision, NULL, &err);
		if (r < 0)
			status = ctl_store_failed(ctl, &err);
	}
	if (!absent)
		store_node_done(&node);
	return status;
}
