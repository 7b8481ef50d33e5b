/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Limits that evhttp does not have: on the number of connections, and on the time that one request may take
 * to arrive. A connection without a request may stay for long: dockerd keeps its connections for hours, and
 * one that breaks under a request makes it repeat that request with an empty body.
 */
#ifndef HTTP_CONNECTIONS_H
#define HTTP_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/bufferevent.h>
#include <event2/http.h>

#include "util/err.h"

#define REQUEST_ARRIVE_MS 10000 /* from its first byte to its last */

struct connections;
/* At most `max` connections. */
int connections_new(struct evhttp *http, size_t max, struct connections **ret, struct err *err);
/* After evhttp_free(). NULL is allowed. */
void connections_free(struct connections *connections);
/* A listener of the same evhttp, to pause while there are too many connections or no descriptors left. */
int connections_add_listener(struct connections *connections, struct evhttp_bound_socket *socket,
			     struct err *err);
/* A request has arrived in full on this connection; its answer was handed to evhttp. */
void connections_begin(struct connections *connections, const struct bufferevent *bev);
void connections_end(struct connections *connections, const struct bufferevent *bev);
/* Answers that clients have not taken yet. */
bool connections_have_output(const struct connections *connections);

#endif
