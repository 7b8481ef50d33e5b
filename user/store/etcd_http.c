/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One request: its options, its answer, and what its end means. */
#include "store/etcd_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An answer above this is not from a datastore of ours. */
#define MAX_ANSWER (64 * 1024 * 1024)

struct etcd_http {
	struct transfers *transfers;
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

static void finish(struct transfer *transfer, CURLcode code)
{
	struct etcd_request *request = (struct etcd_request *)transfer;
	curl_off_t pretransfer = 0;
	long number = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
	request->sent = pretransfer > 0;
	request->result = result_of(code);
	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
	/* curl's own text tells how many milliseconds it took: a known problem would look new each time. */
	if (code == CURLE_COULDNT_CONNECT && number)
		snprintf(request->why, sizeof(request->why), "%s", strerror((int)number));
	else if (code != CURLE_OK && !*request->why)
		strncpy(request->why, curl_easy_strerror(code), sizeof(request->why) - 1);
	request->finished = true;
	wait_wake(request->wake);
}

static void read_head(struct etcd_request *request)
{
	struct curl_header *header;

	curl_easy_getinfo(request->transfer.easy, CURLINFO_RESPONSE_CODE, &request->status);
	if (request->status < 200)
		return; /* "100 Continue" and its like */
	if (curl_easy_header(request->transfer.easy, "X-Etcd-Index", 0, CURLH_HEADER, -1, &header) ==
	    CURLHE_OK)
		request->index = strtoull(header->value, NULL, 10);
	if (curl_easy_header(request->transfer.easy, "X-Etcd-Cluster-Id", 0, CURLH_HEADER, -1, &header) ==
	    CURLHE_OK)
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
	CURL *easy = request->transfer.easy;

	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->form)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->form);
	/* On a connection that was kept, and has died meanwhile, libcurl would send the request once more. */
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
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
	request->transfer = (struct transfer){.easy = curl_easy_init(), .finished = finish};
	if (!request->transfer.easy)
		return -ENOMEM;
	set_options(http, request);
	return transfers_start(http->transfers, &request->transfer);
}

void etcd_http_wait(struct etcd_request *request, struct wait *done)
{
	int64_t end = task_clock_ms() + request->total_ms + ETCD_LATE_MS;

	while (!request->finished) {
		int64_t left = end - task_clock_ms();

		*done = (struct wait){0};
		if (left > 0 && wait_for(done, (int)left) == 0)
			continue;
		request->sent = true; /* for all that is known */
		request->result = -ETIMEDOUT;
		snprintf(request->why, sizeof(request->why), "its answer was missed");
		return;
	}
}

void etcd_http_end(struct etcd_http *http, struct etcd_request *request)
{
	transfers_end(http->transfers, &request->transfer);
	free(request->body);
	request->body = NULL;
}

int etcd_http_new(const struct etcd_tls *tls, struct etcd_http **ret, struct err *err)
{
	struct etcd_http *http = calloc(1, sizeof(*http));

	if (!http || transfers_new(&http->transfers) < 0) {
		free(http);
		return err_set(err, ENOMEM, "out of memory preparing to access etcd");
	}
	http->tls = tls;
	*ret = http;
	return 0;
}

void etcd_http_free(struct etcd_http *http)
{
	if (!http)
		return;
	transfers_free(http->transfers);
	free(http);
}
