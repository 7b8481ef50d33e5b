/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* libcurl reports its sockets and its timer; libevent watches them; finished requests wake their tasks. */
#include "store/etcd_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An answer above this is not from a datastore of ours. */
#define MAX_ANSWER (64 * 1024 * 1024)

struct etcd_http {
	CURLM *multi;
	struct event *timer;
	const struct etcd_tls *tls;
};

static int result_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_WRITE_ERROR: /* ours: too large */
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return -EBADMSG;
	default:
		return -ENOTCONN;
	}
}

static void finish(struct etcd_request *request, CURLcode code)
{
	curl_off_t pretransfer = 0;
	long number = 0;

	curl_easy_getinfo(request->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
	request->sent = pretransfer > 0;
	request->result = result_of(code);
	curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &number);
	/* curl's own text tells how many milliseconds it took: a known problem would look new each time. */
	if (code == CURLE_COULDNT_CONNECT && number)
		snprintf(request->why, sizeof(request->why), "%s", strerror((int)number));
	else if (code != CURLE_OK && !*request->why)
		strncpy(request->why, curl_easy_strerror(code), sizeof(request->why) - 1);
	request->finished = true;
	wait_wake(request->wake);
}

static void collect(struct etcd_http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct etcd_request *request;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
		finish(request, message->data.result);
	}
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct etcd_http *http = arg;
	int mask = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(http->multi, fd, mask, &running);
	collect(http);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct etcd_http *http = arg;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(http);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watched)
{
	struct etcd_http *http = arg;
	struct event *event = watched;
	short events = EV_PERSIST;

	if (event)
		event_free(event);
	curl_multi_assign(http->multi, fd, NULL);
	if (what == CURL_POLL_REMOVE)
		return 0;
	if (what & CURL_POLL_IN)
		events |= EV_READ;
	if (what & CURL_POLL_OUT)
		events |= EV_WRITE;
	event = event_new(task_base(), fd, events, on_socket, http);
	if (!event || event_add(event, NULL) < 0 || curl_multi_assign(http->multi, fd, event) != CURLM_OK) {
		if (event)
			event_free(event);
		return -1;
	}
	return 0;
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct etcd_http *http = arg;
	struct timeval timeout = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	return ms < 0 ? evtimer_del(http->timer) : evtimer_add(http->timer, &timeout);
}

static void read_head(struct etcd_request *request)
{
	struct curl_header *header;

	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->status);
	if (request->status < 200)
		return; /* "100 Continue" and its like */
	if (curl_easy_header(request->easy, "X-Etcd-Index", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		request->index = strtoull(header->value, NULL, 10);
	if (curl_easy_header(request->easy, "X-Etcd-Cluster-Id", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		strncpy(request->cluster, header->value, sizeof(request->cluster) - 1);
	request->answered = true;
	wait_wake(request->wake);
}

/* The empty line ends the head. */
static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct etcd_request *request = arg;

	if (size * count <= 2 && !request->answered)
		read_head(request);
	return size * count;
}

/* Room for `more` bytes and a final NUL. */
static bool make_room(struct etcd_request *request, size_t more)
{
	size_t needed = request->size + more + 1;
	size_t capacity = request->capacity * 2 > needed ? request->capacity * 2 : needed;
	char *body;

	if (more > MAX_ANSWER - request->size)
		return false;
	if (needed <= request->capacity)
		return true;
	body = realloc(request->body, capacity);
	if (!body)
		return false;
	request->body = body;
	request->capacity = capacity;
	return true;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct etcd_request *request = arg;
	size_t length = size * count;

	if (!make_room(request, length))
		return CURL_WRITEFUNC_ERROR;
	memcpy(request->body + request->size, data, length);
	request->size += length;
	request->body[request->size] = '\0';
	return length;
}

static void set_options(struct etcd_http *http, struct etcd_request *request)
{
	CURL *easy = request->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->form)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->form);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	/* Root's shell may name a proxy for the Internet; the datastore is not reached through it. */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	/*
	 * CURLOPT_NOSIGNAL stays off: libcurl then keeps the SIGPIPE of TLS writes from us. It uses no other
	 * signal with its threaded resolver, whose end must not be waited for: that would block everything
	 * while a name server is down.
	 */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_ms);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, request->stalled_s ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)request->stalled_s);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->why);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	if (http->tls->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->tls->ca_file);
	if (http->tls->cert_file)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, http->tls->cert_file);
	if (http->tls->key_file)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, http->tls->key_file);
}

int etcd_http_start(struct etcd_http *http, struct etcd_request *request)
{
	request->easy = curl_easy_init();
	if (!request->easy)
		return -ENOMEM;
	set_options(http, request);
	if (curl_multi_add_handle(http->multi, request->easy) == CURLM_OK)
		return 0;
	curl_easy_cleanup(request->easy);
	request->easy = NULL;
	return -ENOMEM;
}

void etcd_http_end(struct etcd_http *http, struct etcd_request *request)
{
	if (request->easy) {
		curl_multi_remove_handle(http->multi, request->easy);
		curl_easy_cleanup(request->easy);
	}
	request->easy = NULL;
	free(request->body);
	request->body = NULL;
}

int etcd_http_new(const struct etcd_tls *tls, struct etcd_http **ret, struct err *err)
{
	struct etcd_http *http = calloc(1, sizeof(*http));

	if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		goto out_of_memory;
	http->tls = tls;
	http->multi = curl_multi_init();
	http->timer = evtimer_new(task_base(), on_timer, http);
	if (!http->multi || !http->timer)
		goto out_of_memory;
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	*ret = http;
	return 0;

out_of_memory:
	etcd_http_free(http);
	return err_set(err, ENOMEM, "out of memory preparing to access etcd");
}

void etcd_http_free(struct etcd_http *http)
{
	if (!http)
		return;
	curl_multi_cleanup(http->multi);
	if (http->timer)
		event_free(http->timer);
	free(http);
}
