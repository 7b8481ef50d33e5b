/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One HTTP GET: to a service of this host that answers JSON (the Docker engine, the daemon), or to etcd. */
#ifndef CLI_HTTP_GET_H
#define CLI_HTTP_GET_H

#include <jansson.h>

#include "config/config.h"
#include "util/err.h"

#define HTTP_GET_TIMEOUT_MS 3000

/*
 * server: path of a unix socket, or "tcp://host:port". path: "/status". 0 and the document (new reference);
 * -ENOENT for status 404, -ECONNREFUSED when nobody answers, -EACCES when the socket is not for us, -EBADMSG
 * for any other status or a body that is not a JSON object.
 */
int http_get(const char *server, const char *path, json_t **ret, struct err *err);
/*
 * The body as it is, malloc'd, of a URL; https with the TLS files of the configuration. Errors as above, but
 * that -ECONNREFUSED is any failure to get an answer.
 */
int http_get_text(const struct config *config, const char *url, char **ret, struct err *err);
/* Percent-encodes a path segment; malloc'd, NULL on memory exhaustion. */
char *http_escape(const char *segment);

#endif
