/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A client of the Docker engine's API. */
#include "docker/engine.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
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
#define WATCH_RETRY_S 1

/* Events of the engine itself, which are rare: the stream is there to show when the engine comes and goes. */
#define EVENTS "/events?filters=%7B%22type%22%3A%5B%22daemon%22%5D%7D"

struct engine {
	char *server;
	struct transfers *transfers;
	struct event *refresh; /* next question for the cluster store */
	int retry_s;
	int cluster_store; /* -1: unknown */
	bool asking, closing;
	struct wait idle; /* engine_close() waits for `asking` to end */

	struct transfer watch; /* the stream of events */
	struct event *watch_again;
	bool watched; /* the engine has answered it */
	void (*started)(void *arg);
	void *started_arg;
};

struct question {
	struct transfer transfer; /* first member */
	struct curl_slist *headers;
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
static int address(struct engine *engine, const char *path, CURL **ret)
{
	bool is_tcp = !strncmp(engine->server, "tcp://", 6);
	char url[512];
	CURL *easy;

	if (snprintf(url, sizeof(url), "http://%s%s", is_tcp ? engine->server + 6 : "docker", path) >=
	    (int)sizeof(url))
		return -ENAMETOOLONG;
	*ret = easy = curl_easy_init();
	if (!easy)
		return -ENOMEM;
	curl_easy_setopt(easy, CURLOPT_URL, url);
	if (!is_tcp)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, engine->server);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)TIMEOUT_MS);
	return 0;
}

/* body: JSON to be posted; NULL: a plain GET. */
static int prepare(struct engine *engine, const char *path, const char *body, struct question *question)
{
	int rc = address(engine, path, &question->transfer.easy);

	if (rc < 0)
		return rc;
	curl_easy_setopt(question->transfer.easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(question->transfer.easy, CURLOPT_WRITEFUNCTION, append_body);
	curl_easy_setopt(question->transfer.easy, CURLOPT_WRITEDATA, question);
	if (!body)
		return 0;
	question->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (!question->headers)
		return -ENOMEM;
	curl_easy_setopt(question->transfer.easy, CURLOPT_HTTPHEADER, question->headers);
	curl_easy_setopt(question->transfer.easy, CURLOPT_POSTFIELDS, body);
	return 0;
}

/* What the engine says is wrong; "": nothing. */
static const char *complaint_of(const json_t *answer)
{
	const char *message = json_string_value(json_object_get(answer, "message"));

	return message ? message : "";
}

static int refusal(const struct question *question, const char *path, long status, struct err *err)
{
	json_t *answer = NULL;

	if (status == 404)
		return err_set(err, ENOENT, "the Docker engine has no %s", path);
	model_json_parse(question->body ? question->body : "", &answer, NULL);
	err_set(err, EBADMSG, "the Docker engine answers %s with status %ld: %.200s", path, status,
		complaint_of(answer));
	json_decref(answer);
	return -EBADMSG;
}

/* ret NULL: the answer may be anything. */
static int read_answer(const struct question *question, const char *path, json_t **ret, struct err *err)
{
	long status = 0;
	int rc;

	if (question->code != CURLE_OK)
		return err_set(err, ENOTCONN, "the Docker engine does not answer %s: %s", path,
			       curl_easy_strerror(question->code));
	curl_easy_getinfo(question->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status > 299)
		return refusal(question, path, status, err);
	if (!ret)
		return 0;
	rc = model_json_parse(question->body ? question->body : "", ret, err);
	return rc < 0 ? err_prefix(err, rc, "the Docker engine's answer to %s", path) : 0;
}

static int ask(struct engine *engine, const char *path, const char *body, json_t **ret, struct err *err)
{
	struct question question = {.transfer.finished = finish, .code = CURLE_OPERATION_TIMEDOUT};
	int rc = prepare(engine, path, body, &question);

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
	curl_slist_free_all(question.headers);
	free(question.body);
	return rc;
}

static int get(struct engine *engine, const char *path, json_t **ret, struct err *err)
{
	return ask(engine, path, NULL, ret, err);
}

/* ---- endpoints ---- */

static int get_list(struct engine *engine, const char *path, json_t **ret, struct err *err)
{
	int rc = get(engine, path, ret, err);

	if (rc < 0)
		return rc;
	if (json_is_array(*ret))
		return 0;
	json_decref(*ret);
	*ret = NULL;
	return err_set(err, EBADMSG, "the Docker engine's answer to %s is not a list", path);
}

static bool is_state(const json_t *container, const char *state)
{
	const char *text = json_string_value(json_object_get(container, "State"));

	return text && !strcmp(text, state);
}

/* An engine that was killed remembers endpoints of containers that it could not finish to create. */
static int add_of_container(const json_t *container, struct strings *alive)
{
	const json_t *settings = json_object_get(container, "NetworkSettings");
	const char *name;
	json_t *network;

	if (is_state(container, "created") || is_state(container, "exited") || is_state(container, "dead"))
		return 0;
	json_object_foreach (json_object_get(settings, "Networks"), name, network) {
		const char *id = json_string_value(json_object_get(network, "EndpointID"));

		if (id && *id && strings_add(alive, id) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* By id. The engine keeps a sandbox that it failed to clean under the id of a container that has ended. */
static bool may_live(const json_t *containers, const char *id)
{
	const json_t *container;
	size_t i;

	json_array_foreach (containers, i, container) {
		const char *other = json_string_value(json_object_get(container, "Id"));

		if (other && !strcmp(other, id))
			return !is_state(container, "exited") && !is_state(container, "dead");
	}
	return false;
}

static int add_record(struct engine_endpoints *endpoints, const char *network, const json_t *entry)
{
	const char *id = json_string_value(json_object_get(entry, "EndpointID"));
	const char *name = json_string_value(json_object_get(entry, "Name"));
	struct engine_record *records, *record;

	if (!id || !name)
		return 0;
	records = realloc(endpoints->records, (endpoints->record_count + 1) * sizeof(*records));
	if (!records)
		return -ENOMEM;
	endpoints->records = records;
	record = &records[endpoints->record_count++];
	*record = (struct engine_record){strdup(id), strdup(network), strdup(name)};
	return record->id && record->network && record->name ? 0 : -ENOMEM;
}

/* The engine lists endpoints by their container's id, and those without a container here as "ep-...". */
static int add_of_network(const json_t *network, const char *network_id, const json_t *containers,
			  struct engine_endpoints *endpoints)
{
	const char *container;
	json_t *entry;
	int rc = 0;

	json_object_foreach (json_object_get(network, "Containers"), container, entry) {
		const char *id = json_string_value(json_object_get(entry, "EndpointID"));

		if (!strncmp(container, "ep-", 3))
			rc = add_record(endpoints, network_id, entry);
		else if (id && may_live(containers, container))
			rc = strings_add(&endpoints->alive, id);
		if (rc < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_networks(struct engine *engine, const json_t *networks, const json_t *containers,
			struct engine_endpoints *endpoints, struct err *err)
{
	const json_t *network;
	int rc = 0;
	size_t i;

	json_array_foreach (networks, i, network) {
		const char *id = json_string_value(json_object_get(network, "Id"));
		json_t *details = NULL;
		char path[256];

		if (rc < 0 || !id || !request_id_valid(id, 1))
			continue;
		/* The list itself leaves out who is connected. */
		snprintf(path, sizeof(path), "/networks/%s", id);
		rc = get(engine, path, &details, err);
		if (rc == -ENOENT)
			rc = 0; /* removed meanwhile */
		else if (!rc && add_of_network(details, id, containers, endpoints) < 0)
			rc = err_set(err, ENOMEM, "out of memory");
		json_decref(details);
	}
	return rc;
}

int engine_endpoints(struct engine *engine, struct engine_endpoints *ret, struct err *err)
{
	json_t *networks = NULL, *containers = NULL;
	const json_t *container;
	size_t i;
	int rc;

	*ret = (struct engine_endpoints){0};
	rc = get_list(engine, "/networks", &networks, err);
	if (!rc)
		rc = get_list(engine, "/containers/json?all=1", &containers, err);
	json_array_foreach (containers, i, container) {
		if (!rc && add_of_container(container, &ret->alive) < 0)
			rc = err_set(err, ENOMEM, "out of memory");
	}
	if (!rc)
		rc = add_networks(engine, networks, containers, ret, err);
	json_decref(containers);
	json_decref(networks);
	return rc;
}

void engine_endpoints_done(struct engine_endpoints *endpoints)
{
	strings_done(&endpoints->alive);
	for (size_t i = 0; i < endpoints->record_count; i++) {
		free(endpoints->records[i].id);
		free(endpoints->records[i].network);
		free(endpoints->records[i].name);
	}
	free(endpoints->records);
	*endpoints = (struct engine_endpoints){0};
}

static bool is_container_name(const char *name)
{
	if (!isalnum((unsigned char)*name))
		return false;
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	}
	return true;
}

int engine_forget(struct engine *engine, const struct engine_record *record, struct err *err)
{
	char path[512], body[512];
	int rc;

	if (!is_container_name(record->name) || !request_id_valid(record->network, 1))
		return err_set(err, EINVAL, "the Docker engine's record of endpoint %.12s is malformed",
			       record->id);
	snprintf(path, sizeof(path), "/containers/%.300s/json", record->name);
	rc = get(engine, path, NULL, err);
	if (!rc)
		return err_set(
			err, EBUSY,
			"the Docker engine was killed while it started the container, and will not let "
			"it start again; do 'docker rename %.100s OTHER', wait two minutes, and rename it "
			"back (or remove it)",
			record->name);
	if (rc != -ENOENT)
		return rc;
	snprintf(path, sizeof(path), "/networks/%s/disconnect", record->network);
	snprintf(body, sizeof(body), "{\"Container\":\"%.300s\",\"Force\":true}", record->name);
	return ask(engine, path, body, NULL, err);
}

/* ---- what kind of engine it is ---- */

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

/* ---- when it comes and goes ---- */

static size_t ignore_event(char *data, size_t size, size_t count, void *arg)
{
	return size * count;
}

/* Called for each line of the header: the engine answers at once, and then says something now and then. */
static size_t note_header(char *data, size_t size, size_t count, void *arg)
{
	struct engine *engine = arg;

	if (!engine->watched && size * count > 12 && !strncmp(data, "HTTP/", 5) &&
	    !strncmp(data + 8, " 200", 4)) {
		engine->watched = true;
		engine->started(engine->started_arg);
	}
	return size * count;
}

static void watch_later(struct engine *engine)
{
	struct timeval delay = {WATCH_RETRY_S, 0};

	event_add(engine->watch_again, &delay);
}

static void on_watch_end(struct transfer *transfer, CURLcode code)
{
	struct engine *engine = (struct engine *)((char *)transfer - offsetof(struct engine, watch));

	if (engine->watched)
		log_debug("docker", "the Docker engine has gone; waiting for its return");
	watch_later(engine);
}

static void watch_now(evutil_socket_t fd, short events, void *arg)
{
	struct engine *engine = arg;
	CURL *easy;

	transfers_end(engine->transfers, &engine->watch);
	engine->watched = false;
	if (address(engine, EVENTS, &engine->watch.easy) < 0) {
		watch_later(engine);
		return;
	}
	easy = engine->watch.easy;
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore_event);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, note_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, engine);
	engine->watch.finished = on_watch_end;
	if (transfers_start(engine->transfers, &engine->watch) < 0)
		watch_later(engine);
}

int engine_watch(struct engine *engine, void (*started)(void *arg), void *arg, struct err *err)
{
	engine->watch_again = evtimer_new(task_base(), watch_now, engine);
	if (!engine->watch_again)
		return err_set(err, ENOMEM, "out of memory");
	engine->started = started;
	engine->started_arg = arg;
	event_active(engine->watch_again, EV_TIMEOUT, 0);
	return 0;
}

void engine_unwatch(struct engine *engine)
{
	if (!engine || !engine->watch_again)
		return;
	transfers_end(engine->transfers, &engine->watch);
	event_free(engine->watch_again);
	engine->watch_again = NULL;
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
	engine_unwatch(engine);
	transfers_free(engine->transfers);
	if (engine->refresh)
		event_free(engine->refresh);
	free(engine->server);
	free(engine);
}
