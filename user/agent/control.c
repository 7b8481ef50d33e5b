/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "agent/control.h"

#include <errno.h>

static int serve_status(void *arg, const struct http_request *request, json_t **ret, struct err *err)
{
	const struct control *control = arg;

	*ret = control->status(control->arg);
	if (*ret)
		return 200;
	err_set(err, ENOMEM, "out of memory");
	return 500;
}

static int serve_unknown(void *arg, const struct http_request *request, json_t **ret, struct err *err)
{
	err_set(err, ENOENT, "there is no such document; /status is the only one");
	return 404;
}

const struct route control_routes[] = {
	{.path = "/status", .serve = serve_status},
	{.serve = serve_unknown},
};
