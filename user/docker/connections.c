/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Watches over evhttp's connections. evhttp tells when it makes a connection but not when it drops one, so
 * each has a reference of ours to its bufferevent, and once a second those are let go whose callbacks evhttp
 * has taken away (libevent 2.1).
 */
#include "docker/connections.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <utlist.h>

#include <event2/buffer.h>
#include <event2/listener.h>

#include "util/task.h"

#define LISTENERS_MAX 2

struct connection {
	struct bufferevent *bev;
	int64_t arriving_since; /* first byte of a request, or the connection itself; 0: none is arriving */
	int64_t idle_since;
	bool busy;   /* its request is being served */
	bool ending; /* hung up: evhttp frees it soon */
	struct connection *prev, *next;
};

struct connections {
	struct connection *first;
	size_t open; /* not `ending` */
	struct evconnlistener *listeners[LISTENERS_MAX];
	size_t listener_count;
	struct event *sweep;
};

static bool is_closed(const struct connection *connection)
{
	bufferevent_data_cb read_cb, write_cb;
	bufferevent_event_cb event_cb;

	bufferevent_getcb(connection->bev, &read_cb, &write_cb, &event_cb, NULL);
	return !read_cb && !write_cb && !event_cb;
}

/* evhttp sees the end of the stream and frees what belongs to the connection. */
static void hang_up(struct connections *connections, struct connection *connection)
{
	if (connection->ending)
		return;
	connection->ending = true;
	connections->open--;
	shutdown(bufferevent_getfd(connection->bev), SHUT_RDWR);
}

static void set_listening(struct connections *connections, bool on)
{
	for (size_t i = 0; i < connections->listener_count; i++) {
		if (on)
			evconnlistener_enable(connections->listeners[i]);
		else
			evconnlistener_disable(connections->listeners[i]);
	}
}

static void drop(struct connections *connections, struct connection *connection)
{
	DL_DELETE(connections->first, connection);
	connections->open -= !connection->ending;
	bufferevent_decref(connection->bev);
	free(connection);
}

/* The descriptor of a closed connection may be somebody else's already: such connections must go first. */
static void drop_closed(struct connections *connections)
{
	struct connection *connection, *next;

	DL_FOREACH_SAFE (connections->first, connection, next) {
		if (is_closed(connection))
			drop(connections, connection);
	}
}

static void sweep(evutil_socket_t fd, short events, void *arg)
{
	struct connections *connections = arg;
	struct connection *connection;
	int64_t now = task_clock_ms();

	drop_closed(connections);
	DL_FOREACH (connections->first, connection) {
		if (connection->arriving_since && now - connection->arriving_since >= REQUEST_ARRIVE_MS)
			hang_up(connections, connection);
	}
	set_listening(connections, connections->open < CONNECTIONS_MAX);
}

/* The connection that has been without a request for longest goes; if there is none, new ones have to wait.
 */
static void make_room(struct connections *connections)
{
	struct connection *connection, *idlest = NULL;

	drop_closed(connections);
	if (connections->open < CONNECTIONS_MAX)
		return;
	DL_FOREACH (connections->first, connection) {
		if (connection->busy || connection->arriving_since || connection->ending)
			continue;
		if (!idlest || connection->idle_since < idlest->idle_since)
			idlest = connection;
	}
	if (idlest)
		hang_up(connections, idlest);
	else
		set_listening(connections, false);
}

static void on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct connection *connection = arg;

	if (info->n_added && !connection->busy && !connection->arriving_since)
		connection->arriving_since = task_clock_ms();
}

/* evhttp makes a bufferevent of its own, without limits but for its timeout, when this returns NULL. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct connections *connections = arg;
	struct connection *connection;
	struct bufferevent *bev;

	if (connections->open >= CONNECTIONS_MAX)
		make_room(connections);
	connection = calloc(1, sizeof(*connection));
	bev = bufferevent_socket_new(base, -1, 0);
	if (!connection || !bev || !evbuffer_add_cb(bufferevent_get_input(bev), on_input, connection)) {
		if (bev)
			bufferevent_free(bev);
		free(connection);
		return NULL;
	}
	connection->bev = bev;
	connection->arriving_since = task_clock_ms();
	bufferevent_incref(bev);
	DL_APPEND(connections->first, connection);
	connections->open++;
	return bev;
}

/* Without this, an accept() that fails for want of descriptors is repeated in a loop without pause. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	evconnlistener_disable(listener); /* until the next sweep */
}

static struct connection *find(struct connections *connections, const struct bufferevent *bev)
{
	struct connection *connection;

	DL_FOREACH (connections->first, connection) {
		if (connection->bev == bev)
			return connection;
	}
	return NULL;
}

void connections_begin(struct connections *connections, const struct bufferevent *bev)
{
	struct connection *connection = find(connections, bev);

	if (!connection)
		return;
	connection->busy = true;
	connection->arriving_since = 0;
}

void connections_end(struct connections *connections, const struct bufferevent *bev)
{
	struct connection *connection = find(connections, bev);

	if (!connection)
		return;
	connection->busy = false;
	connection->idle_since = task_clock_ms();
	/* A client that sent more than one request has begun the next already. */
	if (evbuffer_get_length(bufferevent_get_input(connection->bev)))
		connection->arriving_since = connection->idle_since;
}

bool connections_have_output(const struct connections *connections)
{
	struct connection *connection;

	DL_FOREACH (connections->first, connection) {
		if (!is_closed(connection) && evbuffer_get_length(bufferevent_get_output(connection->bev)))
			return true;
	}
	return false;
}

int connections_new(struct evhttp *http, struct connections **ret, struct err *err)
{
	struct connections *connections = calloc(1, sizeof(*connections));
	struct timeval second = {1, 0};

	if (connections)
		connections->sweep = event_new(task_base(), -1, EV_PERSIST, sweep, connections);
	if (!connections || !connections->sweep || event_add(connections->sweep, &second) < 0) {
		connections_free(connections);
		return err_set(err, ENOMEM, "no memory to serve the Docker plugin");
	}
	evhttp_set_bevcb(http, on_connection, connections);
	*ret = connections;
	return 0;
}

int connections_add_listener(struct connections *connections, struct evhttp_bound_socket *socket,
			     struct err *err)
{
	struct evconnlistener *listener = evhttp_bound_socket_get_listener(socket);

	if (connections->listener_count == LISTENERS_MAX)
		return err_set(err, EINVAL, "more than %d plugin sockets", LISTENERS_MAX);
	connections->listeners[connections->listener_count++] = listener;
	evconnlistener_set_error_cb(listener, on_accept_error);
	return 0;
}

void connections_free(struct connections *connections)
{
	struct connection *connection, *next;

	if (!connections)
		return;
	DL_FOREACH_SAFE (connections->first, connection, next) {
		drop(connections, connection);
	}
	if (connections->sweep)
		event_free(connections->sweep);
	free(connections);
}
