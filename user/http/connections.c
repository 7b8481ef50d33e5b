/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Watches over evhttp's connections. evhttp tells when it makes a connection but not when it drops one, so
 * each has a reference of ours to its bufferevent, and once a second those are let go whose callbacks evhttp
 * has taken away (libevent 2.1).
 *
 * The bufferevent owns the descriptor and closes it with its last reference, behind its events. If evhttp
 * closed it earlier, our reference would keep the events of a number that belongs to somebody else by then:
 * libevent believes that it watches that number already, and the new owner is never told anything.
 */
#include "http/connections.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include <event2/buffer.h>
#include <event2/listener.h>

#include "util/log.h"
#include "util/task.h"

#define LISTENERS_MAX 2
/* A connection as young as this may be about to send its request. */
#define YOUNG_MS 1000

struct connection {
	struct bufferevent *bev;
	int64_t arriving_since; /* first byte of a request, or the connection itself; 0: none is arriving */
	int64_t idle_since;
	pid_t peer;  /* process that made it; 0: unknown */
	bool busy;   /* its request is being served */
	bool ending; /* hung up: evhttp frees it soon */
	struct connection *prev, *next;
};

struct connections {
	struct connection *first;
	size_t max, open; /* open: not `ending` */
	bool paused;	  /* not listening */
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
	connections->paused = !on;
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

static void drop_closed(struct connections *connections)
{
	struct connection *connection, *next;

	DL_FOREACH_SAFE (connections->first, connection, next) {
		if (is_closed(connection))
			drop(connections, connection);
	}
}

static pid_t peer_of(const struct connection *connection)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	if (getsockopt(bufferevent_getfd(connection->bev), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return 0;
	return peer.pid;
}

/* evhttp sets the descriptor only after on_connection(). */
static void learn_peers(struct connections *connections)
{
	struct connection *connection;

	DL_FOREACH (connections->first, connection) {
		if (!connection->peer)
			connection->peer = peer_of(connection);
	}
}

static size_t count_of_peer(const struct connections *connections, pid_t peer)
{
	const struct connection *connection;
	size_t count = 0;

	DL_FOREACH (connections->first, connection)
		count += !connection->ending && connection->peer == peer;
	return count;
}

/* 0: must stay; else the higher, the sooner it may go. */
static int64_t expendable(const struct connections *connections, const struct connection *connection,
			  int64_t now)
{
	bool answer_waits = evbuffer_get_length(bufferevent_get_output(connection->bev));

	if (connection->busy || connection->ending ||
	    (answer_waits && now - connection->idle_since < YOUNG_MS))
		return 0;
	if (!connection->arriving_since)
		return INT_MAX + now - connection->idle_since; /* all of them before any that sends */
	return now - connection->arriving_since >= YOUNG_MS ? now - connection->arriving_since : 0;
}

/*
 * The process that has the most connections loses one, so that no client shuts another out: the one without a
 * request for longest, else the one whose request is under way for longest. NULL: all must stay.
 */
static struct connection *find_victim(struct connections *connections)
{
	struct connection *connection, *victim = NULL;
	int64_t now = task_clock_ms(), most = 0;
	size_t crowd = 0;

	learn_peers(connections);
	DL_FOREACH (connections->first, connection) {
		int64_t worth = expendable(connections, connection, now);
		size_t peers = worth ? count_of_peer(connections, connection->peer) : 0;

		if (!worth || peers < crowd || (peers == crowd && worth <= most))
			continue;
		victim = connection;
		crowd = peers;
		most = worth;
	}
	return victim;
}

/* Hangs up a connection if there are too many; if all must stay, new ones have to wait. */
static void make_room(struct connections *connections)
{
	struct connection *victim;

	drop_closed(connections);
	while (connections->open >= connections->max && (victim = find_victim(connections)))
		hang_up(connections, victim);
	if (connections->paused != (connections->open >= connections->max))
		set_listening(connections, connections->paused);
}

static void sweep(evutil_socket_t fd, short events, void *arg)
{
	struct connections *connections = arg;
	struct connection *connection;
	int64_t now = task_clock_ms();

	DL_FOREACH (connections->first, connection) {
		if (!is_closed(connection) && connection->arriving_since &&
		    now - connection->arriving_since >= REQUEST_ARRIVE_MS)
			hang_up(connections, connection);
	}
	make_room(connections);
	if (!connections->paused)
		set_listening(connections, true); /* an accept() may have failed */
}

static void on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct connection *connection = arg;

	if (is_closed(connection))
		bufferevent_disable(connection->bev, EV_READ); /* nobody would take it from the buffer */
	else if (info->n_added && !connection->busy && !connection->arriving_since)
		connection->arriving_since = task_clock_ms();
}

/* evhttp makes a bufferevent of its own, without limits but for its timeout, when this returns NULL. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct connections *connections = arg;
	struct connection *connection;
	struct bufferevent *bev;

	make_room(connections);
	connection = calloc(1, sizeof(*connection));
	bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
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

/*
 * Without this, an accept() that fails for lack of descriptors is repeated in a loop without pause. A pause
 * ends with the next sweep. evhttp owns the callback's argument.
 */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	int error = EVUTIL_SOCKET_ERROR();

	evconnlistener_disable(listener);
	log_repeated(LOG_LEVEL_WARN, "http", "accept", "a connection cannot be accepted: %s%s",
		     strerror(error),
		     error == EMFILE || error == ENFILE ? "; raise LimitNOFILE or fs.file-max" : "");
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
	if (connections->paused)
		make_room(connections);
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

int connections_new(struct evhttp *http, size_t max, struct connections **ret, struct err *err)
{
	struct connections *connections = calloc(1, sizeof(*connections));
	struct timeval second = {1, 0};

	if (connections)
		connections->sweep = event_new(task_base(), -1, EV_PERSIST, sweep, connections);
	if (!connections || !connections->sweep || event_add(connections->sweep, &second) < 0) {
		connections_free(connections);
		return err_set(err, ENOMEM, "no memory to serve connections");
	}
	connections->max = max;
	evhttp_set_bevcb(http, on_connection, connections);
	*ret = connections;
	return 0;
}

int connections_add_listener(struct connections *connections, struct evhttp_bound_socket *socket,
			     struct err *err)
{
	struct evconnlistener *listener = evhttp_bound_socket_get_listener(socket);

	if (connections->listener_count == LISTENERS_MAX)
		return err_set(err, EINVAL, "more than %d sockets", LISTENERS_MAX);
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
