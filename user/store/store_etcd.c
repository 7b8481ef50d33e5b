/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The datastore in etcd, through its v2 API, on any number of endpoints of one cluster. */
#include "store/store_etcd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

struct call {
	const char *operation, *method, *key, *query, *form;
};

static bool is_read(const struct call *call)
{
	return strcmp(call->method, "GET") == 0;
}

/* Does it twice what it does once? What does not takes a connection, and so a local port, for itself. */
static bool is_repeatable(const struct call *call)
{
	return is_read(call) || (strcmp(call->method, "PUT") == 0 && !*call->query);
}

/* Asks the present endpoint, once. */
static int call_once(struct etcd_store *store, const struct call *call, int connect_ms, int total_ms,
		     struct etcd_request *request, struct err *err)
{
	char *url = etcd_url(store, call->key, call->query);
	struct wait done = {0};

	*request = (struct etcd_request){
		.method = call->method,
		.url = url,
		.form = call->form,
		.connect_ms = connect_ms,
		.total_ms = total_ms,
		.once = !is_repeatable(call),
		.wake = &done,
	};
	if (!url || etcd_http_start(store->http, request) < 0) {
		free(url);
		return err_set(err, ENOMEM, "out of memory accessing etcd");
	}
	etcd_http_wait(request, &done);
	free(url);
	return 0;
}

static int not_done(const struct etcd_store *store, const struct call *call,
		    const struct etcd_request *request, struct err *err)
{
	char detail[CURL_ERROR_SIZE + 64];
	bool unknown = request->sent && !is_read(call);

	snprintf(detail, sizeof(detail), "%s%s", request->why,
		 unknown ? "; the change may have been made all the same" : "");
	return etcd_failed(store, -request->result, call->operation, call->key, detail, err);
}

/*
 * Asks one endpoint after the other, each at most once. A write that may have reached a server is not sent to
 * another one: its compare would meet its own first change.
 */
static int exchange(struct etcd_store *store, const struct call *call, json_t **ret,
		    struct etcd_request *request, struct err *err)
{
	int64_t deadline = task_clock_ms() + task_time_left(STORE_TIMEOUT_MS);
	int r = -ETIMEDOUT;

	etcd_failed(store, ETIMEDOUT, call->operation, call->key, "no time left", err);
	for (size_t left = store->endpoint_count; left > 0; left--) {
		int time_left = (int)(deadline - task_clock_ms());
		int share = time_left / (int)left;

		if (share <= 0)
			return r;
		r = call_once(store, call, share, is_read(call) ? share : time_left, request, err);
		if (r < 0)
			return r;
		r = request->result < 0
			    ? not_done(store, call, request, err)
			    : etcd_read_answer(store, request, call->operation, call->key, ret, err);
		if (r != -ENOTCONN && r != -ETIMEDOUT)
			return r;
		etcd_rotate(store);
		if (request->sent && !is_read(call))
			return r;
		if (left > 1)
			etcd_http_end(store->http, request);
	}
	return r;
}

/* Runs a call to its end; the answer's head in *ret_index. */
static int run(struct store *base, const struct call *call, json_t **ret, uint64_t *ret_index,
	       struct err *err)
{
	struct etcd_store *store = (struct etcd_store *)base;
	struct etcd_request request = {0};
	int r;

	*ret = NULL;
	r = exchange(store, call, ret, &request, err);
	*ret_index = request.index;
	etcd_http_end(store->http, &request);
	return r;
}

static int unreadable(struct store *base, int r, const struct call *call, struct err *err)
{
	return etcd_refused((struct etcd_store *)base, r, call->operation, call->key,
			    r == -EBADMSG ? "the answer has not the expected members" : NULL, err);
}

static int get(struct store *store, const char *key, struct store_node *ret, struct err *err)
{
	struct call call = {"get", "GET", key, "quorum=true", NULL};
	uint64_t index;
	json_t *answer;
	int r = run(store, &call, &answer, &index, err);

	if (r < 0)
		return r;
	r = etcd_json_node(answer, ret);
	json_decref(answer);
	return r < 0 ? unreadable(store, r, &call, err) : 0;
}

static int list(struct store *store, const char *directory, bool recursive, struct store_list *ret,
		struct err *err)
{
	struct call call = {"list", "GET", directory,
			    recursive ? "quorum=true&recursive=true" : "quorum=true", NULL};
	json_t *answer;
	int r = run(store, &call, &answer, &ret->revision, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = etcd_json_list(answer, recursive, ret);
	json_decref(answer);
	return r < 0 ? unreadable(store, r, &call, err) : 0;
}

static char *make_form(const struct store_put *put)
{
	char *escaped, *form = NULL;
	int r;

	if (!put->value)
		return strdup("");
	escaped = curl_easy_escape(NULL, put->value, 0);
	if (!escaped)
		return NULL;
	if (put->ttl_s)
		r = asprintf(&form, "value=%s&ttl=%u", escaped, put->ttl_s);
	else
		r = asprintf(&form, "value=%s", escaped);
	curl_free(escaped);
	return r < 0 ? NULL : form;
}

static int put(struct store *store, const struct store_put *put, uint64_t *ret_revision, struct err *err)
{
	struct call call = {.operation = "set", .method = "PUT", .key = put->key};
	char query[128] = "", *form = make_form(put);
	json_t *answer;
	uint64_t index;
	int r;

	if (!form)
		return err_set(err, ENOMEM, "out of memory accessing etcd");
	if (put->when == PUT_IF_ABSENT)
		snprintf(query, sizeof(query), "prevExist=false%s", put->value ? "" : "&dir=true");
	else if (put->when == PUT_IF_REVISION)
		snprintf(query, sizeof(query), "prevExist=true&prevIndex=%llu",
			 (unsigned long long)put->revision);
	call.query = query;
	call.form = form;
	r = run(store, &call, &answer, &index, err);
	free(form);
	if (r < 0)
		return r;
	r = etcd_json_revision(answer, ret_revision);
	json_decref(answer);
	return r < 0 ? unreadable(store, r, &call, err) : 0;
}

static int drop(struct store *store, const struct store_removal *removal, struct err *err)
{
	struct call call = {.operation = "delete", .method = "DELETE", .key = removal->key};
	char query[64] = "";
	json_t *answer;
	uint64_t index;
	int r;

	if (removal->recursive)
		snprintf(query, sizeof(query), "recursive=true");
	else if (removal->revision)
		snprintf(query, sizeof(query), "prevIndex=%llu", (unsigned long long)removal->revision);
	call.query = query;
	r = run(store, &call, &answer, &index, err);
	json_decref(answer);
	return r;
}

static void close_store(struct store *base)
{
	struct etcd_store *store = (struct etcd_store *)base;

	etcd_http_free(store->http);
	for (size_t i = 0; i < store->endpoint_count; i++)
		free(store->endpoints[i]);
	free(store->endpoints);
	free(store->tls.ca_file);
	free(store->tls.cert_file);
	free(store->tls.key_file);
	free(store);
}

static const struct store_backend backend = {
	.kind = "etcd",
	.close = close_store,
	.get = get,
	.list = list,
	.put = put,
	.remove = drop,
	.snapshot = etcd_snapshot,
	.poll = etcd_poll,
};

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int copy_endpoints(struct etcd_store *store, const struct config *config)
{
	size_t length = 1;
	char *end;

	store->endpoints = calloc(config->endpoint_count, sizeof(*store->endpoints));
	if (!store->endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < config->endpoint_count; i++) {
		if (copy_text(&store->endpoints[i], config->endpoints[i]) < 0)
			return -ENOMEM;
		store->endpoint_count++;
		length += strlen(config->endpoints[i]) + 1;
	}
	/* Hosts spread over the servers. */
	store->current = arc4random_uniform((uint32_t)store->endpoint_count);
	store->base.where = end = malloc(length);
	if (!end)
		return -ENOMEM;
	for (size_t i = 0; i < store->endpoint_count; i++) {
		end = stpcpy(end, i ? "," : "");
		end = stpcpy(end, store->endpoints[i]);
	}
	return 0;
}

int store_open_etcd(const struct config *config, struct store **ret, struct err *err)
{
	struct etcd_store *store = calloc(1, sizeof(*store));
	int r = store ? copy_endpoints(store, config) : -ENOMEM;

	if (r == 0)
		r = copy_text(&store->tls.ca_file, config->ca_file);
	if (r == 0)
		r = copy_text(&store->tls.cert_file, config->cert_file);
	if (r == 0)
		r = copy_text(&store->tls.key_file, config->key_file);
	if (r < 0)
		err_set(err, ENOMEM, "out of memory preparing to access etcd");
	else
		r = etcd_http_new(&store->tls, &store->http, err);
	if (r == 0) {
		store->base.backend = &backend;
		*ret = &store->base;
	} else if (store) {
		free(store->base.where);
		close_store(&store->base);
	}
	return r;
}
