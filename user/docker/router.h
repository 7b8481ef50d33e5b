/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the path of a request to the handler of its method. */
#ifndef DOCKER_ROUTER_H
#define DOCKER_ROUTER_H

#include "docker/internal.h"

enum route_body {
	BODY_IGNORED,  /* dockerd sends none */
	BODY_OPTIONAL, /* nothing is done with it that matters: an empty one must not fail, see router.c */
	BODY_REQUIRED, /* an empty one is an error, see router.c */
};

struct route {
	const char *method; /* "NetworkDriver.Join" */
	enum route_body body;
	int (*handle)(struct call *call, struct err *err);
};

/* NULL: there is no such method. */
const struct route *router_find(const char *path);
/* A server_handler; arg: struct plugin. */
int router_serve(void *arg, const struct server_request *request, json_t **ret, struct err *err);

#endif
