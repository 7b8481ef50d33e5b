/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* evhttp on unix sockets, one task for each request. */
#include "docker/server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "docker/connections.h"
#include "util/log.h"
#include "util/task.h"
#include "util/unix_socket.h"

#define CONTENT_TYPE   "application/vnd.docker.plugins.v1.1+json"
#define IDLE_TIMEOUT_S 3600
#define STOP_WAIT_MS   10000
#define FLUSH_WAIT_MS  1000

struct server {
	struct evhttp *http;
	struct connections *connections;
	server_handler handler;
	void *arg;
	char **paths;
	size_t path_count;
	unsigned int active;   /* requests being served */
	struct wait *all_done; /* somebody waits for active == 0 */
};

/* One request on its way through its task. */
struct exchange {
	struct server *server;
	struct evhttp_request *http;
	struct bufferevent *bev;
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

static void send_answer(struct evhttp_request *http, int status, json_t *answer, const struct err *err)
{
	json_t *error = status == 200 ? NULL : json_pack("{s:s}", "Err", err->text);
	char *text = json_dumps(status == 200 ? answer : error, JSON_COMPACT);
	struct evbuffer *body = evhttp_request_get_output_buffer(http);

	if (!text) /* memory is gone, or the text is not UTF-8 */
		status = 500;
	evbuffer_add_printf(body, "%s\n", text ? text : "{\"Err\":\"the answer could not be written\"}");
	evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type", CONTENT_TYPE);
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
static int check_envelope(struct evhttp_request *http, const struct server_request *request, struct err *err)
{
	if (evhttp_request_get_command(http) != EVHTTP_REQ_POST) {
		err_set(err, EINVAL, "the Docker plugin protocol uses POST only");
		return 405;
	}
	if (request->length > SERVER_MAX_BODY) {
		err_set(err, EINVAL, "the request body is larger than %d bytes", SERVER_MAX_BODY);
		return 400;
	}
	if (memchr(request->body, '\0', request->length)) {
		err_set(err, EINVAL, "the request body is not JSON: it contains a NUL byte");
		return 400;
	}
	return 0;
}

static void serve(struct exchange *exchange)
{
	struct server *server = exchange->server;
	struct evbuffer *input = evhttp_request_get_input_buffer(exchange->http);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(exchange->http);
	struct server_request request = {
		.path = uri ? evhttp_uri_get_path(uri) : "",
		.length = evbuffer_get_length(input),
		.peer = peer_of(exchange->bev),
	};
	char *body = malloc(request.length + 1);
	json_t *answer = NULL;
	struct err err = {""};
	int status;

	if (!body) {
		err_set(&err, ENOMEM, "out of memory");
		send_answer(exchange->http, 500, NULL, &err);
		return;
	}
	evbuffer_remove(input, body, request.length);
	body[request.length] = '\0';
	request.body = body;
	task_set_deadline(SERVER_DEADLINE_MS);
	status = check_envelope(exchange->http, &request, &err);
	if (!status)
		status = server->handler(server->arg, &request, &answer, &err);
	send_answer(exchange->http, status, answer, &err);
	json_decref(answer);
	free(body);
}

static void run(void *arg)
{
	struct exchange *exchange = arg;
	struct server *server = exchange->server;

	serve(exchange);
	connections_end(server->connections, exchange->bev);
	free(exchange);
	if (!--server->active && server->all_done)
		wait_wake(server->all_done);
}

/* evhttp reads nothing from this connection until it is answered, and so does not free it before. */
static void on_request(struct evhttp_request *http, void *arg)
{
	struct server *server = arg;
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	struct err err;

	if (exchange) {
		exchange->server = server;
		exchange->http = http;
		exchange->bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(http));
		connections_begin(server->connections, exchange->bev);
		server->active++;
		if (!task_start(run, exchange))
			return;
		server->active--;
		connections_end(server->connections, exchange->bev);
		free(exchange);
	}
	err_set(&err, ENOMEM, "out of memory");
	send_answer(http, 500, NULL, &err);
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
	evhttp_set_timeout(http, IDLE_TIMEOUT_S);
	evhttp_set_max_headers_size(http, SERVER_MAX_HEADERS);
	/* evhttp answers what is above its own limit with a page of HTML: leave it the grossly large. */
	evhttp_set_max_body_size(http, 2 * SERVER_MAX_BODY);
	evhttp_set_allowed_methods(http, 0xffff);
	evhttp_set_gencb(http, on_request, server);
	return http;
}

int server_start(const char *const *paths, size_t count, server_handler handler, void *arg,
		 struct server **ret, struct err *err)
{
	struct server *server = calloc(1, sizeof(*server));
	int rc;

	if (!server || !(server->paths = calloc(count, sizeof(*server->paths))) ||
	    !(server->http = http_new(server))) {
		rc = err_set(err, ENOMEM, "no memory to serve the Docker plugin");
		goto fail;
	}
	server->handler = handler;
	server->arg = arg;
	rc = connections_new(server->http, &server->connections, err);
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

/* Handlers end by their deadline, so this does too. */
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
	for (size_t i = 0; i < server->path_count; i++) {
		if (server->paths[i])
			unlink(server->paths[i]);
		free(server->paths[i]);
	}
	if (!wait_for_requests(server)) {
		log_warn("docker", "%u requests did not end in time, leaving them behind", server->active);
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
