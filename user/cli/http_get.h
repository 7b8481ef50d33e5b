/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One HTTP GET to a service of this host that answers JSON: the Docker engine, the daemon. */
#ifndef CLI_HTTP_GET_H
#define CLI_HTTP_GET_H

#include <jansson.h>

#include "util/err.h"

#define HTTP_GET_TIMEOUT_MS 3000

/*
 * server: path of a unix socket, or "tcp://host:port". path: "/status". 0 and the document (new reference);
 * -ENOENT for status 404, -ECONNREFUSED when nobody answers, -EACCES when the socket is not for us, -EBADMSG
 * for any other status or a body that is not a JSON object.
 */
int http_get(const char *server, const char *path, json_t **ret, struct err *err);
/* Percent-encodes a path segment; malloc'd, NULL on memory exhaustion. */
char *http_escape(const char *segment);

#endif
