/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HTTP on unix sockets, over evhttp: requests to a route that runs as a task, JSON answers and one-line
 * errors back. Serves what is in http/sockets.h; knows no paths of its own.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "http/route.h"
#include "util/err.h"

#define SERVER_MAX_HEADERS (16 * 1024)
/* Of a route. It must leave time to undo what it did and still answer within 10 seconds. */
#define SERVER_DEADLINE_MS 8000
/* A route that misses its deadline by so much has met a fault: the client gets an error instead. */
#define SERVER_ANSWER_MS 9500

struct server;

struct server_options {
	const char *name;	  /* of the module, in the log */
	const char *content_type; /* of answers */
	bool post;		  /* only POST is served; else only GET */
	size_t max_body;
	size_t max_connections; /* of all sockets together */
	int idle_s;		/* a connection without a request ends then */
};

/* Listens on the paths; nobody reaches a socket before it answers. */
int server_start(const struct server_options *options, const char *const *paths, size_t count,
		 const struct route *routes, void *arg, struct server **ret, struct err *err);
/* Stops listening, waits for the requests that are being served, closes all connections. NULL is allowed. */
void server_stop(struct server *server);

#endif
