/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the path of a request to what answers it: one kind of table for all sockets. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/err.h"

struct http_request {
	const struct route *route; /* that was found */
	const char *path;	   /* "/IpamDriver.RequestPool" */
	const char *body;	   /* NUL-terminated */
	size_t length;
	pid_t peer; /* process that made the connection; 0: unknown, or of another pid namespace */
};

struct route {
	const char *path; /* NULL: any other path; ends the table */
	/*
	 * Returns the HTTP status. 200: *ret is the answer (new reference). Others: the text in *err goes out
	 * as {"Err": text}. arg: of server_start().
	 */
	int (*serve)(void *arg, const struct http_request *request, json_t **ret, struct err *err);
	const void *detail; /* what `serve` must know of this route */
};

/* Never NULL: the last route of the table takes each path that no other has. */
const struct route *route_find(const struct route *table, const char *path);

#endif
