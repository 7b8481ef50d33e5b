/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For the tests of the plugin's methods: a plugin without sockets and agent, on a real embedded store, and
 * requests as the router gets them. Bodies are written with ' for ".
 */
#ifndef TESTS_DOCKER_FIXTURE_H
#define TESTS_DOCKER_FIXTURE_H

#include "ipam_fixture.h"

#include "docker/router.h"
#include "util/log.h"

#define NETWORK	 "56a2000000000000000000000000000000000000000000000000000000000001"
#define ENDPOINT "11fec70523900000000000000000000000000000000000000000000000000002"

/* What the agent does with endpoints is for system tests; here it says yes, or fails if a test wants it to.
 */
static bool agent_fails;

int agent_apply_endpoint(struct agent *agent, const char *key, const struct workload_endpoint *endpoint,
			 struct err *err)
{
	return agent_fails ? err_set(err, EAGAIN, "policy is not complete yet") : 0;
}

void agent_remove_endpoint(struct agent *agent, const char *key)
{
}

static struct addr held_address; /* of an endpoint in force */

bool agent_has_address(const struct agent *agent, const struct addr *addr)
{
	return !addr_compare(&held_address, addr);
}

static char problem_text[1024]; /* that was set last; "": solved */

void agent_set_problem(struct agent *agent, const char *object, const char *text)
{
	snprintf(problem_text, sizeof(problem_text), "%s%s%s", text ? object : "", text ? ": " : "",
		 text ? text : "");
}

int agent_wait_restored(struct agent *agent, struct err *err)
{
	return agent_fails ? err_set(err, EAGAIN, "not compared yet") : 0;
}

static bool agent_is_distrustful;

bool agent_is_trusted(const struct agent *agent)
{
	return !agent_is_distrustful;
}

/* The copy of one value. */
static char remembered_key[256], remembered_value[4096];

void agent_remember(struct agent *agent, const char *key, const char *value)
{
	snprintf(remembered_key, sizeof(remembered_key), "%s", value ? key : "");
	snprintf(remembered_value, sizeof(remembered_value), "%s", value ? value : "");
}

char *agent_recall(struct agent *agent, const char *key)
{
	return strcmp(key, remembered_key) ? NULL : strdup(remembered_value);
}

static char answer_text[4096]; /* of the last call: the answer, or the error's text */

static inline void forget_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	unlink(path);
}

static inline int setup_plugin(void **state)
{
	static struct plugin plugin;
	static struct config config;
	struct fixture *fixture;
	struct err err;

	setup_sqlite(state);
	forget_file("sandboxes.json");
	forget_file("journal.json");
	fixture = *state;
	config = (struct config){
		.hostname = "host-a",
		.scope = SCOPE_GLOBAL,
		.create_profiles = true,
		.interface_prefix = "cali",
		.run_dir = directory,
		.state_dir = directory,
		.docker_host = "/nonexistent/docker.sock",
	};
	plugin = (struct plugin){
		.config = &config,
		.store = fixture->store,
		.ipam = {.store = fixture->store, .host = "host-a"},
	};
	assert_int_equal(netlink_open(&plugin.netlink, &err), 0);
	assert_int_equal(engine_open(config.docker_host, &plugin.engine, &err), 0);
	assert_int_equal(sandboxes_open(config.run_dir, &plugin.sandboxes, &err), 0);
	agent_fails = false;
	held_address = (struct addr){0};
	*problem_text = '\0';
	agent_is_distrustful = false;
	*remembered_key = '\0';
	assert_int_equal(collector_start(&plugin, &plugin.collector, &err), 0);
	fixture->plugin = &plugin;
	return 0;
}

static inline int teardown_plugin(void **state)
{
	struct plugin *plugin = ((struct fixture *)*state)->plugin;

	collector_stop(plugin->collector);
	journal_close(plugin->journal);
	sandboxes_close(plugin->sandboxes);
	engine_close(plugin->engine);
	netlink_close(plugin->netlink);
	return teardown(state);
}

static inline struct plugin *plugin_of(void **state)
{
	return ((struct fixture *)*state)->plugin;
}

/* The HTTP status; answer_text has the rest, with ' for ". */
static inline int call_method(struct plugin *plugin, const char *method, const char *body)
{
	char path[128], text[4096];
	struct http_request request = {.path = path, .body = text};
	json_t *answer = NULL;
	struct err err = {""};
	char *dump;
	int status;

	snprintf(path, sizeof(path), "/%s", method);
	snprintf(text, sizeof(text), "%s", body);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	request.length = strlen(text);
	request.route = route_find(router_methods, path);
	status = request.route->serve(plugin, &request, &answer, &err);
	if (status == 200)
		assert_non_null(answer);
	else
		assert_true(err.text[0]);
	dump = answer ? json_dumps(answer, JSON_COMPACT) : strdup(err.text);
	snprintf(answer_text, sizeof(answer_text), "%s", dump);
	for (char *c = answer_text; *c; c++)
		*c = *c == '"' ? '\'' : *c;
	free(dump);
	json_decref(answer);
	return status;
}

static inline void assert_answer(struct plugin *plugin, const char *method, const char *body,
				 const char *answer)
{
	int status = call_method(plugin, method, body);

	if (status != 200)
		fail_msg("%s %s: %d %s", method, body, status, answer_text);
	assert_string_equal(answer_text, answer);
}

static inline void assert_refused(struct plugin *plugin, const char *method, const char *body, int expected,
				  const char *part)
{
	int status = call_method(plugin, method, body);

	if (status != expected || !strstr(answer_text, part))
		fail_msg("%s %s: %d %s", method, body, status, answer_text);
}

/* Value of a key, until the next call; NULL: absent. */
static inline const char *value_of(struct store *store, const char *key)
{
	static char text[8192];
	struct store_node node;
	struct err err;

	if (store_get(store, key, &node, &err) < 0)
		return NULL;
	snprintf(text, sizeof(text), "%s", node.value);
	for (char *c = text; *c; c++)
		*c = *c == '"' ? '\'' : *c;
	store_node_done(&node);
	return text;
}

#endif
