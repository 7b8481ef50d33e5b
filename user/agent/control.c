/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The daemon's control socket. */
#include "agent/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/server.h"

struct control {
	struct server *server;
	json_t *(*status)(void *arg);
	void *arg;
};

static int serve(void *arg, const struct server_request *request, json_t **ret, struct err *err)
{
	struct control *control = arg;

	if (strcmp(request->path, "/status") != 0) {
		err_set(err, ENOENT, "there is no such document; /status is the only one");
		return 404;
	}
	*ret = control->status(control->arg);
	if (*ret)
		return 200;
	err_set(err, ENOMEM, "out of memory");
	return 500;
}

int control_start(const char *path, json_t *(*status)(void *arg), void *arg, struct control **ret,
		  struct err *err)
{
	static const struct server_options options = {
		.name = "control",
		.content_type = "application/json",
		.max_body = 4096,
		.max_connections = 32,
		.idle_s = 10,
	};
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return err_set(err, ENOMEM, "cannot serve %s: out of memory", path);
	control->status = status;
	control->arg = arg;
	r = server_start(&options, &path, 1, serve, control, &control->server, err);
	if (r < 0) {
		free(control);
		return r;
	}
	*ret = control;
	return 0;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	server_stop(control->server);
	free(control);
}
