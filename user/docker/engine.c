/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A client of the Docker engine's API. */
#include "docker/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "docker/request.h"
#include "util/log.h"
#include "util/task.h"
#include "util/transfers.h"

#define TIMEOUT_MS    5000
#define MAX_ANSWER    (8 * 1024 * 1024)
#define RETRY_FIRST_S 1
#define RETRY_LAST_S  60

struct engine {
	char *server;
	struct transfers *transfers;
	struct event *refresh; /* next question for the cluster store */
	int retry_s;
	int cluster_store; /* -1: unknown */
	bool asking, closing;
	struct wait idle; /* engine_close() waits for `asking` to end */
};

struct question {
	struct transfer transfer; /* first member */
	char *body;
	size_t length;
	CURLcode code;
	struct wait done;
};

/* ---- one question ---- */

static void finish(struct transfer *transfer, CURLcode code)
{
	struct question *question = (struct question *)transfer;

	question->code = code;
	wait_wake(&question->done);
}

static size_t append_body(char *data, size_t size, size_t count, void *arg)
{
	struct question *question = arg;
	size_t length = size * count;
	char *body;

	if (length > MAX_ANSWER - question->length)
		return 0;
	body = realloc(question->body, question->length + length + 1);
	if (!body)
		return 0;
	question->body = body;
	memcpy(body + question->length, data, length);
	question->length += length;
	body[question->length] = '\0';
	return length;
}

/* Without a version in the path: every engine since 1.9 answers, and new ones refuse old versions. */
static int prepare(struct engine *engine, const char *path, struct question *question)
{
	bool is_tcp = !strncmp(engine->server, "tcp://", 6);
	char url[512];

	if (snprintf(url, sizeof(url), "http://%s%s", is_tcp ? engine->server + 6 : "docker", path) >=
	    (int)sizeof(url))
		return -ENAMETOOLONG;
	question->transfer.easy = curl_easy_init();
	if (!question->transfer.easy)
		return -ENOMEM;
	curl_easy_setopt(question->transfer.easy, CURLOPT_URL, url);
	if (!is_tcp)
		curl_easy_setopt(question->transfer.easy, CURLOPT_UNIX_SOCKET_PATH, engine->server);
	curl_easy_setopt(question->transfer.easy, CURLOPT_PROXY, "");
	curl_easy_setopt(question->transfer.easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(question->transfer.easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(question->transfer.easy, CURLOPT_WRITEFUNCTION, append_body);
	curl_easy_setopt(question->transfer.easy, CURLOPT_WRITEDATA, question);
	return 0;
}

static int read_answer(const struct question *question, const char *path, json_t **ret, struct err *err)
{
	long status = 0;
	int rc;

	if (question->code != CURLE_OK)
		return err_set(err, ENOTCONN, "the Docker engine does not answer %s: %s", path,
			       curl_easy_strerror(question->code));
	curl_easy_getinfo(question->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 404)
		return err_set(err, ENOENT, "the Docker engine has no %s", path);
	if (status != 200)
		return err_set(err, EBADMSG, "the Docker engine answers %s with status %ld", path, status);
	rc = model_json_parse(question->body ? question->body : "", ret, err);
	return rc < 0 ? err_prefix(err, rc, "the Docker engine's answer to %s", path) : 0;
}

static int get(struct engine *engine, const char *path, json_t **ret, struct err *err)
{
	struct question question = {.transfer.finished = finish, .code = CURLE_OPERATION_TIMEDOUT};
	int rc = prepare(engine, path, &question);

	if (!rc)
		rc = transfers_start(engine->transfers, &question.transfer);
	if (rc < 0) {
		err_set(err, -rc, "cannot ask the Docker engine for %s: %s", path, strerror(-rc));
	} else {
		/* libcurl keeps the time itself; the longer wait is for a loop that was busy elsewhere. */
		wait_for(&question.done, 2 * TIMEOUT_MS);
		rc = read_answer(&question, path, ret, err);
	}
	transfers_end(engine->transfers, &question.transfer);
	free(question.body);
	return rc;
}

/* ---- what the plugin wants to know ---- */

static int add_endpoints(const json_t *network, struct strings *ret)
{
	const char *container;
	json_t *entry;

	json_object_foreach (json_object_get(network, "Containers"), container, entry) {
		const char *id = json_string_value(json_object_get(entry, "EndpointID"));

		if (id && strings_add(ret, id) < 0)
			return -ENOMEM;
	}
	return 0;
}

int engine_endpoints(struct engine *engine, struct strings *ret, struct err *err)
{
	json_t *networks = NULL, *network, *details = NULL;
	size_t i;
	int rc = get(engine, "/networks", &networks, err);

	if (rc < 0)
		return rc;
	if (!json_is_array(networks))
		rc = err_set(err, EBADMSG, "the Docker engine's list of networks is not a list");
	json_array_foreach (networks, i, network) {
		const char *id = json_string_value(json_object_get(network, "Id"));
		char path[256];

		if (rc < 0 || !id || !request_id_valid(id, 1))
			continue;
		/* The list itself leaves out who is connected. */
		snprintf(path, sizeof(path), "/networks/%s", id);
		rc = get(engine, path, &details, err);
		if (rc == -ENOENT)
			rc = 0; /* removed meanwhile */
		else if (!rc) {
			rc = add_endpoints(details, ret);
			json_decref(details);
		}
	}
	json_decref(networks);
	return rc;
}

int engine_has_cluster_store(const struct engine *engine)
{
	return engine->cluster_store;
}

static void ask_cluster_store(void *arg)
{
	struct engine *engine = arg;
	struct timeval delay = {engine->retry_s, 0};
	const char *store;
	struct err err;
	json_t *info = NULL;

	if (!get(engine, "/info", &info, &err)) {
		store = json_string_value(json_object_get(info, "ClusterStore"));
		engine->cluster_store = store && *store;
		log_info("docker", "the Docker engine has %s cluster store",
			 engine->cluster_store ? "a" : "no");
		json_decref(info);
	} else if (!engine->closing) {
		log_debug("docker", "%s; asking again in %d s", err.text, engine->retry_s);
		event_add(engine->refresh, &delay);
		engine->retry_s = engine->retry_s * 2 < RETRY_LAST_S ? engine->retry_s * 2 : RETRY_LAST_S;
	}
	engine->asking = false;
	if (engine->closing)
		wait_wake(&engine->idle);
}

static void on_refresh(evutil_socket_t fd, short events, void *arg)
{
	struct engine *engine = arg;

	if (engine->asking || engine->closing)
		return;
	engine->asking = true;
	if (task_start(ask_cluster_store, engine) < 0)
		engine->asking = false;
}

void engine_refresh(struct engine *engine)
{
	engine->retry_s = RETRY_FIRST_S;
	event_active(engine->refresh, EV_TIMEOUT, 0);
}

int engine_open(const char *docker_host, struct engine **ret, struct err *err)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return err_set(err, ENOMEM, "out of memory");
	engine->cluster_store = -1;
	engine->server = strdup(docker_host);
	engine->refresh = evtimer_new(task_base(), on_refresh, engine);
	if (!engine->server || !engine->refresh || transfers_new(&engine->transfers) < 0) {
		engine_close(engine);
		return err_set(err, ENOMEM, "out of memory");
	}
	engine_refresh(engine);
	*ret = engine;
	return 0;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	engine->closing = true;
	if (engine->asking)
		wait_for(&engine->idle, -1);
	transfers_free(engine->transfers);
	if (engine->refresh)
		event_free(engine->refresh);
	free(engine->server);
	free(engine);
}
