/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The daemon's control socket. */
#include "agent/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "util/task.h"
#include "util/unix_socket.h"

#define REQUEST_TIMEOUT_S 10
#define REQUEST_MAX	  4096

struct control {
	struct evhttp *http;
	char *path;
	json_t *(*status)(void *arg);
	void *arg;
};

static void answer_status(struct evhttp_request *request, void *arg)
{
	struct control *control = arg;
	struct evbuffer *body = evhttp_request_get_output_buffer(request);
	json_t *json = control->status(control->arg);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (text) {
		evbuffer_add(body, text, strlen(text));
		evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
				  "application/json");
		evhttp_send_reply(request, HTTP_OK, "OK", NULL);
	} else {
		evhttp_send_error(request, HTTP_INTERNAL, "out of memory");
	}
	free(text);
	json_decref(json);
}

int control_start(const char *path, json_t *(*status)(void *arg), void *arg, struct control **ret,
		  struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd, r;

	if (!control || !(control->path = strdup(path)) || !(control->http = evhttp_new(task_base()))) {
		r = err_set(err, ENOMEM, "cannot serve %s: out of memory", path);
		goto fail;
	}
	control->status = status;
	control->arg = arg;
	evhttp_set_timeout(control->http, REQUEST_TIMEOUT_S);
	evhttp_set_max_headers_size(control->http, REQUEST_MAX);
	evhttp_set_max_body_size(control->http, REQUEST_MAX);
	evhttp_set_allowed_methods(control->http, EVHTTP_REQ_GET);
	evhttp_set_cb(control->http, "/status", answer_status, control);

	r = unix_socket_listen(path, &fd, err);
	if (r < 0)
		goto fail;
	if (evhttp_accept_socket(control->http, fd) < 0) {
		r = err_set(err, ENOMEM, "cannot serve %s: out of memory", path);
		close(fd);
		goto fail;
	}
	*ret = control;
	return 0;
fail:
	control_stop(control);
	return r;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	if (control->http)
		evhttp_free(control->http);
	if (control->path)
		unlink(control->path);
	free(control->path);
	free(control);
}
