/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HTTP for the Docker plugin protocol, over evhttp: requests to a handler that runs as a task, JSON answers
 * and one-line errors back. Knows no method names.
 */
#ifndef DOCKER_SERVER_H
#define DOCKER_SERVER_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/err.h"

#define SERVER_MAX_HEADERS (16 * 1024)
#define SERVER_MAX_BODY	   (1024 * 1024)
/* Of a handler. It must leave time to undo what it did and still answer within 10 seconds. */
#define SERVER_DEADLINE_MS 8000

struct server;

struct server_request {
	const char *path; /* "/IpamDriver.RequestPool" */
	const char *body; /* NUL-terminated */
	size_t length;
	pid_t peer; /* process that made the connection; 0: unknown, or of another pid namespace */
};

/*
 * Returns the HTTP status. 200: *ret is the answer (new reference). Others: the text in *err goes out as
 * {"Err": text}.
 */
typedef int (*server_handler)(void *arg, const struct server_request *request, json_t **ret, struct err *err);

/* Listens on the paths; nobody reaches a socket before it answers. */
int server_start(const char *const *paths, size_t count, server_handler handler, void *arg,
		 struct server **ret, struct err *err);
/* Stops listening, waits for the requests that are being served, closes all connections. NULL is allowed. */
void server_stop(struct server *server);

#endif
