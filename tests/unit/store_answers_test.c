/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Servers that answer wrongly, late, in part or never, and what etcd answers rarely: a scripted server on
 * loopback, in the event loop of the test.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "store/backend.h"
#include "store_fixture.h"

#define BASE "/calico/v1"

/* "hang" sends nothing; an answer that starts with '<' ends the connection after it. */
struct script {
	const char *answers[8]; /* the last one again and again */
	size_t next;
};

struct server {
	struct evconnlistener *listener;
	char url[64];
	struct script plain, polls; /* by whether the request has "wait=true" */
	char lines[256][256];	    /* request lines */
	size_t count;
	size_t plain_count;
	int connections;
};

static struct event_base *base;
static struct server server;
static struct store *store;
static struct recorder *recorder;

static const char *next_answer(struct script *script)
{
	const char *answer = script->answers[script->next];

	if (script->next + 1 < 8 && script->answers[script->next + 1])
		script->next++;
	return answer ? answer : "hang";
}

static void end_connection(struct bufferevent *connection)
{
	bufferevent_free(connection);
	server.connections--;
}

static void on_sent(struct bufferevent *connection, void *arg)
{
	end_connection(connection);
}

static void on_end(struct bufferevent *connection, short what, void *arg)
{
	end_connection(connection);
}

static void on_request(struct bufferevent *connection, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(connection);
	const char *answer;
	char *line;
	bool poll;

	if (evbuffer_search(input, "\r\n\r\n", 4, NULL).pos < 0)
		return;
	line = evbuffer_readln(input, NULL, EVBUFFER_EOL_CRLF);
	evbuffer_drain(input, evbuffer_get_length(input));
	poll = strstr(line, "wait=true");
	server.plain_count += !poll;
	if (server.count < 256)
		snprintf(server.lines[server.count++], sizeof(server.lines[0]), "%s", line);
	free(line);
	answer = next_answer(poll ? &server.polls : &server.plain);
	if (strcmp(answer, "<") == 0)
		end_connection(connection);
	if (strcmp(answer, "<") == 0 || strcmp(answer, "hang") == 0)
		return;
	if (*answer == '<')
		bufferevent_setcb(connection, NULL, on_sent, on_end, NULL);
	bufferevent_write(connection, answer + (*answer == '<'), strlen(answer) - (*answer == '<'));
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
			  int length, void *arg)
{
	struct bufferevent *connection = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	bufferevent_setcb(connection, on_request, NULL, on_end, NULL);
	bufferevent_enable(connection, EV_READ | EV_WRITE);
	server.connections++;
}

static int setup(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	base = event_base_new();
	task_init(base);
	server = (struct server){0};
	server.listener = evconnlistener_new_bind(base, on_connection, NULL, LEV_OPT_CLOSE_ON_FREE, 64,
						  (struct sockaddr *)&address, sizeof(address));
	assert_non_null(server.listener);
	getsockname(evconnlistener_get_fd(server.listener), (struct sockaddr *)&address, &length);
	snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%d", ntohs(address.sin_port));
	store = open_store(server.url);
	return 0;
}

static int teardown(void **state)
{
	store_close(store);
	recorder_free(recorder);
	recorder = NULL;
	while (server.connections > 0)
		event_base_loop(base, EVLOOP_ONCE);
	evconnlistener_free(server.listener);
	event_base_free(base);
	return 0;
}

#define HEAD(status, index, length)                                                                          \
	"HTTP/1.1 " status "\r\nContent-Type: application/json\r\nX-Etcd-Cluster-Id: c1\r\n"                 \
	"X-Etcd-Index: " index "\r\n" length "\r\n"
#define CLOSED(status, index, body) "<" HEAD(status, index, "Connection: close\r\n") body
#define LEAF(name, value, index)                                                                             \
	"{\"key\":\"" BASE "/" name "\",\"value\":\"" value "\",\"modifiedIndex\":" index "}"
#define TREE(leaves)                                                                                         \
	"{\"action\":\"get\",\"node\":{\"key\":\"" BASE                                                      \
	"\",\"dir\":true,\"modifiedIndex\":1,\"nodes\":[" leaves "]}}"
#define FIRST			   CLOSED("200 OK", "10", TREE(LEAF("a", "1", "5") "," LEAF("b", "1", "6")))
#define SECOND			   CLOSED("200 OK", "20", TREE(LEAF("a", "2", "15")))
#define EVENT(action, node, index) CLOSED("200 OK", index, "{\"action\":\"" action "\",\"node\":" node "}")
#define CLEARED                                                                                              \
	CLOSED("400 Bad Request", "5000",                                                                    \
	       "{\"errorCode\":401,\"message\":\"The event in requested index is outdated and cleared\","    \
	       "\"cause\":\"x\",\"index\":5000}")

/* ---- calls ---- */

static void test_answers_that_are_none(void **state)
{
	static const struct {
		const char *answer;
		int code;
		const char *part;
	} rows[] = {
		{"<this is not HTTP at all\r\n\r\n", EBADMSG, ""},
		{"<", ENOTCONN, ""},
		{"<HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"action\":", ENOTCONN, ""},
		{"<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"act", ENOTCONN, ""},
		{CLOSED("200 OK", "1", ""), EBADMSG, "empty answer"},
		{CLOSED("200 OK", "1", "<html>"), EBADMSG, "not an answer of the v2 API"},
		{CLOSED("200 OK", "1", "{\"action\":\"get\",\"node\":"), EBADMSG, ""},
		{CLOSED("200 OK", "1", "{}"), EBADMSG, "expected members"},
		{CLOSED("200 OK", "1", "[]"), EBADMSG, "expected members"},
		{CLOSED("200 OK", "1", "{\"node\":{\"key\":\"/a\",\"value\":7,\"modifiedIndex\":1}}"),
		 EBADMSG, ""},
		{CLOSED("200 OK", "1", "{\"node\":{\"key\":\"/a\",\"value\":\"x\"}}"), EBADMSG, ""},
		{CLOSED("200 OK", "1", "{\"node\":{\"key\":\"/a\",\"value\":\"x\",\"modifiedIndex\":-1}}"),
		 EBADMSG, ""},
		{CLOSED("500 Internal Server Error", "1",
			"{\"errorCode\":300,\"message\":\"Raft Internal Error\"}"),
		 ENOTCONN, "Raft Internal Error"},
		{CLOSED("401 Unauthorized", "1", "{\"errorCode\":110,\"message\":\"needs a user\"}"), EACCES,
		 "needs a user"},
		{CLOSED("400 Bad Request", "1", "{\"errorCode\":9999}"), EBADMSG, ""},
		{CLOSED("403 Forbidden", "1", "{\"message\":\"no number\"}"), EBADMSG, "403"},
		{CLOSED("503 Service Unavailable", "1", "<html>"), ENOTCONN, "503"},
		{CLOSED("404 Not Found", "1", "404 page not found"), EBADMSG, "--enable-v2"},
		{CLOSED("302 Found", "1", "elsewhere"), EBADMSG, "302"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store_node node;
		struct err err = {0};
		int r;

		server.plain = (struct script){.answers = {rows[i].answer}};
		r = store_get(store, BASE "/a", &node, &err);
		if (r != -rows[i].code || !strstr(err.text, rows[i].part) || !strstr(err.text, "etcd at "))
			fail_msg("row %zu: %d, %s", i, r, err.text);
		assert_null(node.key);
	}
}

static char *repeat(const char *before, const char *part, size_t count, const char *after)
{
	char *text = malloc(strlen(before) + strlen(part) * count + strlen(after) + 1), *end = text;

	assert_non_null(text);
	end = stpcpy(end, before);
	while (count-- > 0)
		end = stpcpy(end, part);
	strcpy(end, after);
	return text;
}

static void test_answers_without_bounds_are_refused(void **state)
{
	char *deep = repeat(CLOSED("200 OK", "1", "{\"node\":"), "[", 100000, "");
	char *large = repeat(CLOSED("200 OK", "1", "{\"node\":\""), "0123456789abcdef", 65 * 65536, "\"}");
	struct store_node node;
	struct err err = {0};

	server.plain = (struct script){.answers = {deep}};
	assert_int_equal(store_get(store, BASE "/a", &node, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "too deep"));
	server.plain = (struct script){.answers = {large}};
	assert_int_equal(store_get(store, BASE "/a", &node, &err), -EBADMSG);
	free(deep);
	free(large);
}

/* Its compare would meet its own first change. */
static void test_write_that_was_sent_is_not_sent_again(void **state)
{
	char urls[160];
	struct store_node node;
	struct err err = {0};

	store_close(store);
	snprintf(urls, sizeof(urls), "%s,%s", server.url, server.url);
	store = open_store(urls);
	server.plain = (struct script){.answers = {"<"}};
	assert_int_equal(store_update(store, BASE "/a", "1", 7, NULL, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "the change may have been made all the same"));
	assert_int_equal(server.count, 1);
	assert_int_equal(store_get(store, BASE "/a", &node, &err), -ENOTCONN);
	assert_null(strstr(err.text, "may have been made"));
	assert_int_equal(server.count, 3);
}

/* Leaves the connection open. */
static const char kept[] =
	HEAD("200 OK", "7", "Content-Length: 76\r\n") "{\"action\":\"get\",\"node\":" LEAF("a", "1", "5") "}";

/* What dies as the request arrives may be a connection that was kept from an earlier one. */
static void test_write_is_not_sent_again_on_another_connection(void **state)
{
	struct store_node node;
	struct err err = {0};

	server.plain = (struct script){.answers = {kept, "<"}};
	assert_int_equal(store_get(store, BASE "/a", &node, &err), 0);
	store_node_done(&node);
	assert_int_equal(store_create(store, BASE "/b", "1", NULL, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "may have been made"));
	assert_int_equal(server.plain_count, 2);
}

/* Many writes, each with a connection of its own, would run out of local ports. */
static void test_plain_writes_share_a_connection(void **state)
{
	struct store_node node;
	struct err err = {0};

	server.plain = (struct script){.answers = {kept}};
	assert_int_equal(store_get(store, BASE "/a", &node, &err), 0);
	store_node_done(&node);
	for (int i = 0; i < 3; i++)
		assert_int_equal(store_set(store, BASE "/a", "1", NULL, &err), 0);
	assert_int_equal(server.plain_count, 4);
	assert_int_equal(server.connections, 1);
}

/* One odd value must not hide the others of a list. */
static void test_values_with_null_characters_end_there(void **state)
{
	struct store_list list;
	struct err err = {0};

	server.plain = (struct script){
		.answers = {
			CLOSED("200 OK", "9", TREE(LEAF("b", "x\\u0000y", "5") "," LEAF("a", "1", "6")))}};
	assert_int_equal(store_list(store, BASE, &list, &err), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.revision, 9);
	assert_string_equal(list.nodes[0].value, "1");
	assert_string_equal(list.nodes[1].value, "x");
	store_list_done(&list);
}

/* ---- watches ---- */

static void start_watch(const char *second_plain, const char *poll)
{
	server.plain = (struct script){.answers = {FIRST, second_plain, SECOND}};
	server.polls = (struct script){.answers = {poll, "hang"}};
	recorder = watch(store, BASE);
	assert_next(recorder, BASE "/a=1");
	assert_next(recorder, BASE "/b=1");
	assert_next(recorder, "in sync");
}

static void assert_differences(void)
{
	assert_next(recorder, BASE "/a=2");
	assert_next(recorder, BASE "/b gone");
	assert_next(recorder, "in sync");
}

static void test_cleared_history_is_no_lost_contact(void **state)
{
	start_watch(SECOND, CLEARED);
	assert_differences();
}

static void test_bad_events_lead_to_a_snapshot(void **state)
{
	static const char *const polls[] = {
		CLOSED("200 OK", "11", "garbage"),
		CLOSED("200 OK", "11", "{}"),
		CLOSED("200 OK", "11", "{\"action\":\"set\"}"),
		EVENT("set", "{\"key\":\"" BASE "/a\",\"modifiedIndex\":11}", "11"),
		EVENT("set", "{\"key\":\"" BASE "/a\",\"value\":\"2\"}", "11"),
		EVENT("explode", LEAF("a", "2", "11"), "11"),
		CLOSED("400 Bad Request", "11", "{\"errorCode\":203,\"message\":\"odd\"}"),
		"<HTTP/1.1 200 OK\r\nX-Etcd-Index: 11\r\n\r\n{}", /* of no cluster */
	};

	for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
		start_watch(SECOND, polls[i]);
		assert_next_starts(recorder, "lost: watch " BASE ": etcd at ");
		assert_next(recorder, "found");
		assert_differences();
		teardown(NULL);
		setup(NULL);
	}
}

static void test_bad_snapshots_delete_nothing(void **state)
{
	static const char *const snapshots[] = {
		"<HTTP/1.1 200 OK\r\nX-Etcd-Cluster-Id: c1\r\nX-Etcd-Index: 20\r\nContent-Length: 900\r\n\r\n{\"a",
		CLOSED("200 OK", "20", "{\"action\":\"get\",\"node\":{"),
		CLOSED("200 OK", "20", "{\"errorCode\":100}"),
		CLOSED("200 OK", "20", TREE("{}")),
		CLOSED("200 OK", "20", TREE("")),
		CLOSED("500 Oops", "20", "{\"errorCode\":300,\"message\":\"Raft Internal Error\"}"),
		CLOSED("404 Not Found", "20", "{\"errorCode\":100,\"message\":\"Key not found\"}"),
		CLOSED("404 Not Found", "20", "404 page not found"),
		"<HTTP/1.1 200 OK\r\nX-Etcd-Index: 20\r\n\r\n" TREE(""), /* of no cluster */
		"<",
	};

	for (size_t i = 0; i < sizeof(snapshots) / sizeof(snapshots[0]); i++) {
		start_watch(snapshots[i], CLEARED);
		assert_next_starts(recorder, "lost: ");
		assert_next(recorder, "found");
		assert_differences();
		teardown(NULL);
		setup(NULL);
	}
}

static void wait_for_polls(size_t count)
{
	int64_t deadline = task_clock_ms() + PATIENCE_MS;

	while (server.count - server.plain_count < count && task_clock_ms() < deadline)
		task_sleep(5);
	assert_true(server.count - server.plain_count >= count);
}

static const char *last_line(void)
{
	return server.lines[server.count - 1];
}

/* A quiet directory in a busy store must not fall behind what the store remembers. */
static void test_poll_without_event_goes_on_at_the_stores_index(void **state)
{
	struct store_feed *feed;

	server.plain = (struct script){.answers = {FIRST}};
	server.polls = (struct script){.answers = {HEAD("200 OK", "1500", "Transfer-Encoding: chunked\r\n")}};
	recorder = watch(store, BASE);
	feed = (struct store_feed *)recorder->watch; /* its first member */
	assert_int_equal(feed->poll_ms, 90000);
	feed->poll_ms = 100;
	wait_for_polls(3);
	assert_non_null(strstr(server.lines[1], "waitIndex=11 "));
	assert_non_null(strstr(server.lines[2], "waitIndex=1501 "));
	assert_non_null(strstr(server.lines[3], "waitIndex=1501 "));
	assert_int_equal(server.plain_count, 1);
	assert_int_equal(recorder->count, 3); /* two leaves, in sync, and no trouble */
}

static void test_poll_that_is_cut_off_is_repeated(void **state)
{
	start_watch(NULL, "<" HEAD("200 OK", "10", "Connection: close\r\n"));
	wait_for_polls(2);
	assert_non_null(strstr(last_line(), "waitIndex=11 "));
	assert_int_equal(server.plain_count, 1);
	assert_string_equal(next_line_within(recorder, 0), "(nothing)");
}

static void test_events_follow_each_other(void **state)
{
	server.plain = (struct script){.answers = {FIRST}};
	server.polls = (struct script){
		.answers = {EVENT("create", LEAF("c", "3", "12"), "12"),
			    EVENT("set", "{\"key\":\"" BASE "/d\",\"dir\":true,\"modifiedIndex\":13}", "13"),
			    EVENT("expire", "{\"key\":\"" BASE "/a\",\"modifiedIndex\":14}", "14"),
			    EVENT("compareAndDelete", "{\"key\":\"" BASE "/c\",\"modifiedIndex\":15}", "15"),
			    EVENT("compareAndSwap", LEAF("b", "4", "17"), "17"), "hang"}};
	recorder = watch(store, BASE);
	assert_next(recorder, BASE "/a=1");
	assert_next(recorder, BASE "/b=1");
	assert_next(recorder, "in sync");
	assert_next(recorder, BASE "/c=3");
	assert_next(recorder, BASE "/a gone");
	assert_next(recorder, BASE "/c gone");
	assert_next(recorder, BASE "/b=4");
	wait_for_polls(6);
	assert_non_null(strstr(last_line(), "waitIndex=18 "));
}

static void test_restarts_are_not_a_storm(void **state)
{
	int64_t end;
	size_t before;

	start_watch(NULL, CLEARED);
	server.plain = (struct script){.answers = {FIRST}};
	server.polls = (struct script){.answers = {CLEARED}};
	before = server.plain_count;
	for (end = task_clock_ms() + 2000; task_clock_ms() < end;)
		task_sleep(50);
	/* Pauses of 0.2, 0.4, 0.8, 1.6 seconds. */
	assert_in_range(server.plain_count - before, 1, 4);
}

static void test_snapshot_that_stands_still_is_given_up(void **state)
{
	int64_t start = task_clock_ms();

	server.plain = (struct script){.answers = {"hang", FIRST}};
	recorder = watch(store, BASE);
	assert_next_starts(recorder, "lost: watch " BASE ": etcd at ");
	assert_in_range(task_clock_ms() - start, 8000, 15000);
	assert_next(recorder, "found");
	assert_next(recorder, BASE "/a=1");
}

static void test_stop_does_not_wait_for_a_server(void **state)
{
	int64_t start;

	recorder = watch(store, BASE); /* its snapshot hangs */
	task_sleep(50);
	assert_int_equal(server.plain_count, 1);
	start = task_clock_ms();
	store_close(store);
	assert_in_range(task_clock_ms() - start, 0, 1000);
	store = open_store(server.url);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers_that_are_none),
		TEST(test_answers_without_bounds_are_refused),
		TEST(test_write_that_was_sent_is_not_sent_again),
		TEST(test_write_is_not_sent_again_on_another_connection),
		TEST(test_plain_writes_share_a_connection),
		TEST(test_values_with_null_characters_end_there),
		TEST(test_cleared_history_is_no_lost_contact),
		TEST(test_bad_events_lead_to_a_snapshot),
		TEST(test_bad_snapshots_delete_nothing),
		TEST(test_poll_without_event_goes_on_at_the_stores_index),
		TEST(test_poll_that_is_cut_off_is_repeated),
		TEST(test_events_follow_each_other),
		TEST(test_restarts_are_not_a_storm),
		TEST(test_snapshot_that_stands_still_is_given_up),
		TEST(test_stop_does_not_wait_for_a_server),
	};

	signal(SIGPIPE, SIG_IGN); /* the scripted server writes to clients that have gone */
	return cmocka_run_group_tests_name("answers of etcd", tests, NULL, NULL);
}
