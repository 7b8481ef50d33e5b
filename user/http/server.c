/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* evhttp on unix sockets, one task for each request. */
#include "http/server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "http/connections.h"
#include "util/log.h"
#include "util/task.h"
#include "util/unix_socket.h"

#define STOP_WAIT_MS  10000
#define FLUSH_WAIT_MS 1000

struct server {
	struct server_options options;
	struct evhttp *http;
	struct connections *connections;
	const struct route *routes;
	void *arg;
	char **paths;
	size_t path_count;
	unsigned int active;   /* requests being served */
	struct wait *all_done; /* somebody waits for active == 0 */
};

/* One request on its way through its task. */
struct exchange {
	struct server *server;
	struct evhttp_request *http; /* NULL: answered, by `late`, and evhttp's no longer */
	struct bufferevent *bev;
	struct event *late; /* the route has missed its deadline */
	char *path, *body;
	size_t length;
	pid_t peer;
};

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	default:
		return "Internal Server Error";
	}
}

static void send_answer(const struct server *server, struct evhttp_request *http, int status, json_t *answer,
			const struct err *err)
{
	json_t *error = status == 200 ? NULL : json_pack("{s:s}", "Err", err->text);
	char *text = json_dumps(status == 200 ? answer : error, JSON_COMPACT);
	struct evbuffer *body = evhttp_request_get_output_buffer(http);

	if (!text) /* memory is gone, or the text is not UTF-8 */
		status = 500;
	evbuffer_add_printf(body, "%s\n", text ? text : "{\"Err\":\"the answer could not be written\"}");
	evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type",
			  server->options.content_type);
	evhttp_send_reply(http, status, reason_of(status), NULL);
	free(text);
	json_decref(error);
}

static pid_t peer_of(struct bufferevent *bev)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	if (getsockopt(bufferevent_getfd(bev), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return 0;
	return peer.pid;
}

/* What is wrong with the envelope, whatever the method; 0: nothing. */
static int check_envelope(const struct exchange *exchange, struct err *err)
{
	const struct server_options *options = &exchange->server->options;
	bool post = evhttp_request_get_command(exchange->http) == EVHTTP_REQ_POST;

	if (options->post ? !post : evhttp_request_get_command(exchange->http) != EVHTTP_REQ_GET) {
		err_set(err, EINVAL,
			options->post ? "this socket takes POST only" : "this socket takes GET only");
		return 405;
	}
	if (exchange->length > options->max_body) {
		err_set(err, EINVAL, "the request body is larger than %zu bytes", options->max_body);
		return 400;
	}
	if (memchr(exchange->body, '\0', exchange->length)) {
		err_set(err, EINVAL, "the request body is not JSON: it contains a NUL byte");
		return 400;
	}
	return 0;
}

static void exchange_free(struct exchange *exchange)
{
	if (!exchange)
		return;
	if (exchange->late)
		event_free(exchange->late);
	free(exchange->path);
	free(exchange->body);
	free(exchange);
}

/* The request and its connection are evhttp's from here on. */
static void answer_exchange(struct exchange *exchange, int status, json_t *answer, const struct err *err)
{
	struct evhttp_request *http = exchange->http;

	exchange->http = NULL;
	event_del(exchange->late);
	send_answer(exchange->server, http, status, answer, err);
	connections_end(exchange->server->connections, exchange->bev);
}

static void on_late(evutil_socket_t fd, short events, void *arg)
{
	struct exchange *exchange = arg;
	struct err err;

	err_set(&err, ETIMEDOUT, "%s: no result within %d ms; see the log of calico-node", exchange->path + 1,
		SERVER_ANSWER_MS);
	log_repeated(
		LOG_LEVEL_ERR, exchange->server->options.name, exchange->path,
		"%s has no result within %d ms and was answered with an error; this is a fault, report it",
		exchange->path + 1, SERVER_ANSWER_MS);
	answer_exchange(exchange, 500, NULL, &err);
}

static void serve(struct exchange *exchange)
{
	struct server *server = exchange->server;
	const struct http_request request = {
		.route = route_find(server->routes, exchange->path),
		.path = exchange->path,
		.body = exchange->body,
		.length = exchange->length,
		.peer = exchange->peer,
	};
	json_t *answer = NULL;
	struct err err = {""};
	int status = check_envelope(exchange, &err);

	task_set_deadline(SERVER_DEADLINE_MS);
	if (!status)
		status = request.route->serve(server->arg, &request, &answer, &err);
	if (exchange->http)
		answer_exchange(exchange, status, answer, &err);
	else
		log_warn(server->options.name, "%s ended after its deadline: %s", exchange->path + 1,
			 status == 200 ? "done" : err.text);
	json_decref(answer);
}

static void run(void *arg)
{
	struct exchange *exchange = arg;
	struct server *server = exchange->server;

	serve(exchange);
	exchange_free(exchange);
	if (!--server->active && server->all_done)
		wait_wake(server->all_done);
}

/* Copies what the route needs: evhttp's request may be gone before the route ends. NULL: no memory. */
static struct exchange *exchange_new(struct server *server, struct evhttp_request *http)
{
	static const struct timeval limit = {SERVER_ANSWER_MS / 1000, SERVER_ANSWER_MS % 1000 * 1000};
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
	struct evbuffer *input = evhttp_request_get_input_buffer(http);

	if (!exchange)
		return NULL;
	exchange->server = server;
	exchange->http = http;
	exchange->bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(http));
	exchange->peer = peer_of(exchange->bev);
	exchange->length = evbuffer_get_length(input);
	exchange->path = strdup(uri && *evhttp_uri_get_path(uri) ? evhttp_uri_get_path(uri) : "/");
	exchange->body = malloc(exchange->length + 1);
	exchange->late = evtimer_new(task_base(), on_late, exchange);
	if (!exchange->path || !exchange->body || !exchange->late || event_add(exchange->late, &limit) < 0) {
		exchange_free(exchange);
		return NULL;
	}
	evbuffer_remove(input, exchange->body, exchange->length);
	exchange->body[exchange->length] = '\0';
	return exchange;
}

/* evhttp reads nothing from this connection until it is answered, and so does not free it before. */
static void on_request(struct evhttp_request *http, void *arg)
{
	struct server *server = arg;
	struct exchange *exchange = exchange_new(server, http);
	struct err err;

	if (exchange) {
		connections_begin(server->connections, exchange->bev);
		server->active++;
		if (!task_start(run, exchange))
			return;
		server->active--;
		connections_end(server->connections, exchange->bev);
		exchange_free(exchange);
	}
	err_set(&err, ENOMEM, "out of memory");
	send_answer(server, http, 500, NULL, &err);
}

static int listen_on(struct server *server, const char *path, struct err *err)
{
	struct evhttp_bound_socket *socket;
	int fd, rc = unix_socket_listen(path, &fd, err);

	if (rc < 0)
		return rc;
	server->paths[server->path_count] = strdup(path);
	socket =
		server->paths[server->path_count] ? evhttp_accept_socket_with_handle(server->http, fd) : NULL;
	server->path_count++;
	if (!socket) {
		close(fd);
		unlink(path);
		return err_set(err, ENOMEM, "no memory to serve %s", path);
	}
	return connections_add_listener(server->connections, socket, err);
}

static struct evhttp *http_new(struct server *server)
{
	struct evhttp *http = evhttp_new(task_base());

	if (!http)
		return NULL;
	evhttp_set_timeout(http, server->options.idle_s);
	evhttp_set_max_headers_size(http, SERVER_MAX_HEADERS);
	/* evhttp answers what is above its own limit with a page of HTML: leave it the grossly large. */
	evhttp_set_max_body_size(http, (ev_ssize_t)(2 * server->options.max_body));
	evhttp_set_allowed_methods(http, 0xffff);
	evhttp_set_gencb(http, on_request, server);
	return http;
}

int server_start(const struct server_options *options, const char *const *paths, size_t count,
		 const struct route *routes, void *arg, struct server **ret, struct err *err)
{
	struct server *server = calloc(1, sizeof(*server));
	int rc;

	if (!server)
		return err_set(err, ENOMEM, "no memory to serve %s", paths[0]);
	server->options = *options;
	server->routes = routes;
	server->arg = arg;
	if (!(server->paths = calloc(count, sizeof(*server->paths))) || !(server->http = http_new(server))) {
		rc = err_set(err, ENOMEM, "no memory to serve %s", paths[0]);
		goto fail;
	}
	rc = connections_new(server->http, options->max_connections, &server->connections, err);
	for (size_t i = 0; !rc && i < count; i++)
		rc = listen_on(server, paths[i], err);
	if (rc < 0)
		goto fail;
	*ret = server;
	return 0;
fail:
	server_stop(server);
	return rc;
}

/* Routes end by their deadline, so this does too. */
static bool wait_for_requests(struct server *server)
{
	struct wait all_done = {0};

	if (!server->active)
		return true;
	server->all_done = &all_done;
	wait_for(&all_done, STOP_WAIT_MS);
	server->all_done = NULL;
	return !server->active;
}

/* evhttp_free() would drop answers that it has not written yet. */
static void wait_for_output(struct server *server)
{
	int64_t deadline = task_clock_ms() + FLUSH_WAIT_MS;

	while (connections_have_output(server->connections) && task_clock_ms() < deadline)
		task_sleep(1);
}

void server_stop(struct server *server)
{
	if (!server)
		return;
	for (size_t i = 0; server->paths && i < server->path_count; i++) {
		if (server->paths[i])
			unlink(server->paths[i]);
		free(server->paths[i]);
	}
	if (!wait_for_requests(server)) {
		log_warn(server->options.name, "%u requests did not end in time, leaving them behind",
			 server->active);
		return;
	}
	if (server->connections)
		wait_for_output(server);
	if (server->http)
		evhttp_free(server->http);
	connections_free(server->connections);
	free(server->paths);
	free(server);
}
