/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A real etcd that is down, comes back, is replaced, has a neighbour that is dead or hangs, or speaks TLS. */
#include "store_fixture.h"

#define BASE "/calico/v1"

static struct etcd etcd;
static struct store *store;
static struct recorder *recorder;
static struct event_base *base;

static int setup(void **state)
{
	if (!etcd_is_installed())
		return 0;
	base = event_base_new();
	task_init(base);
	etcd = (struct etcd){0};
	etcd_start(&etcd);
	store = open_store(etcd.url);
	return 0;
}

static int teardown(void **state)
{
	if (!base)
		return 0;
	store_close(store);
	recorder_free(recorder);
	recorder = NULL;
	etcd_end(&etcd);
	event_base_free(base);
	base = NULL;
	return 0;
}

static void need_etcd(void)
{
	if (!base)
		skip(); /* no etcd here */
}

/* A port of this machine with nobody behind it. */
static const char *closed_url(void)
{
	static char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", free_port());
	return url;
}

/* One where connections are accepted by the kernel and never answered. */
static int hanging_listener(char url[64])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	snprintf(url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
	return fd;
}

static void test_closed_port(void **state)
{
	const char *url;
	struct store *closed;
	struct store_node node;
	struct store_list list;
	struct err err = {0};
	int64_t start;

	need_etcd();
	url = closed_url();
	closed = open_store(url);
	assert_string_equal(store_kind(closed), "etcd");
	assert_string_equal(store_where(closed), url);
	start = task_clock_ms();
	assert_int_equal(store_get(closed, BASE "/a", &node, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "get " BASE "/a: etcd at "));
	assert_non_null(strstr(err.text, url));
	assert_non_null(strstr(err.text, ": Connection refused"));
	assert_int_equal(store_list(closed, BASE, &list, &err), -ENOTCONN);
	assert_int_equal(store_set(closed, BASE "/a", "x", NULL, &err), -ENOTCONN);
	assert_null(strstr(err.text, "may have been made"));
	assert_int_equal(store_delete(closed, BASE "/a", &err), -ENOTCONN);
	assert_in_range(task_clock_ms() - start, 0, STORE_TIMEOUT_MS);
	store_close(closed);
}

static void test_hanging_server_costs_no_more_than_the_deadline(void **state)
{
	struct store *hanging;
	struct store_node node;
	struct err err = {0};
	char url[64];
	int64_t start;
	int fd;

	need_etcd();
	fd = hanging_listener(url);
	hanging = open_store(url);
	start = task_clock_ms();
	task_set_deadline(500);
	assert_int_equal(store_get(hanging, BASE "/a", &node, &err), -ETIMEDOUT);
	assert_in_range(task_clock_ms() - start, 490, 1500);
	/* It passed: nothing is even sent. */
	assert_int_equal(store_set(hanging, BASE "/a", "x", NULL, &err), -ETIMEDOUT);
	assert_null(strstr(err.text, "may have been made"));
	assert_non_null(strstr(err.text, "etcd at "));

	task_set_deadline(300);
	assert_int_equal(store_set(hanging, BASE "/a", "x", NULL, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "the change may have been made all the same"));
	task_set_deadline(-1);
	start = task_clock_ms();
	assert_int_equal(store_get(hanging, BASE "/a", &node, &err), -ETIMEDOUT);
	assert_in_range(task_clock_ms() - start, STORE_TIMEOUT_MS - 10, STORE_TIMEOUT_MS + 1000);
	store_close(hanging);
	close(fd);
}

static struct store *open_pair(const char *first, const char *second)
{
	char urls[160];

	snprintf(urls, sizeof(urls), "%s,%s", first, second);
	return open_store(urls);
}

/* Where a store begins is left to chance, so both beginnings happen among these. */
static void test_dead_endpoint_is_passed_over(void **state)
{
	struct err err = {0};

	need_etcd();
	put(store, BASE "/a", "0");
	for (int i = 0; i < 12; i++) {
		struct store *pair = open_pair(closed_url(), etcd.url);
		struct store_node node;
		int64_t start = task_clock_ms();

		put(pair, BASE "/a", "1");
		assert_int_equal(store_get(pair, BASE "/a", &node, &err), 0);
		store_node_done(&node);
		assert_in_range(task_clock_ms() - start, 0, 2000);
		store_close(pair);
	}
}

static void test_hanging_endpoint_is_passed_over_for_reads(void **state)
{
	char url[64];
	int fd;

	need_etcd();
	fd = hanging_listener(url);
	put(store, BASE "/a", "1");
	for (int i = 0; i < 8; i++) {
		struct store *pair = open_pair(url, etcd.url);
		struct store_node node;
		struct err err = {0};

		task_set_deadline(1000);
		if (store_get(pair, BASE "/a", &node, &err) < 0)
			fail_msg("%s", err.text);
		store_node_done(&node);
		/* It stays with the one that answers, so this write is not at risk. */
		put(pair, BASE "/b", "2");
		task_set_deadline(-1);
		store_close(pair);
	}
	close(fd);
}

static void test_watch_fails_over(void **state)
{
	need_etcd();
	put(store, BASE "/a", "1");
	for (int i = 0; i < 6; i++) {
		struct store *pair = open_pair(closed_url(), etcd.url);
		struct recorder *pairs = watch(pair, BASE);
		const char *line = next_line(pairs);

		if (strncmp(line, "lost: ", 6) == 0) {
			assert_next(pairs, "found");
			line = next_line(pairs);
		}
		assert_string_equal(line, BASE "/a=1");
		assert_next(pairs, "in sync");
		assert_quiet(pairs, store, BASE);
		store_close(pair);
		recorder_free(pairs);
	}
}

static void start_watch(void)
{
	put(store, BASE "/a", "1");
	put(store, BASE "/b", "1");
	recorder = watch(store, BASE);
	assert_next(recorder, BASE "/a=1");
	assert_next(recorder, BASE "/b=1");
	assert_next(recorder, "in sync");
}

static void test_restart_loses_nothing(void **state)
{
	need_etcd();
	start_watch();
	etcd_kill(&etcd);
	assert_next_starts(recorder, "lost: watch " BASE ": etcd at ");
	assert_string_equal(next_line_within(recorder, 1000), "(nothing)");
	etcd_run(&etcd);
	assert_next(recorder, "found");
	assert_next(recorder, "in sync");
	put(store, BASE "/a", "2");
	drop(store, BASE "/b");
	assert_next(recorder, BASE "/a=2");
	assert_next(recorder, BASE "/b gone");
}

static void test_changes_while_away_are_found(void **state)
{
	struct store *other;

	need_etcd();
	start_watch();
	/* The watch cannot reach the server for a while: its host is stopped, so to say, in this callback. */
	recorder->hold_at = BASE "/hold";
	put(store, BASE "/hold", "1");
	assert_next(recorder, BASE "/hold=1");
	other = open_store(etcd.url);
	put(other, BASE "/a", "2");
	drop(other, BASE "/b");
	store_close(other);
	etcd_kill(&etcd);
	etcd_run(&etcd);
	wait_wake(&recorder->release);
	for (;;) {
		const char *line = next_line(recorder);

		if (strncmp(line, "lost", 4) != 0 && strcmp(line, "found") != 0) {
			assert_string_equal(line, BASE "/a=2");
			break;
		}
	}
	assert_next(recorder, BASE "/b gone");
}

/* Made again from the same settings, it even has the same cluster id. */
static void test_empty_replacement_deletes_nothing(void **state)
{
	need_etcd();
	start_watch();
	etcd_erase(&etcd);
	assert_next_starts(recorder, "lost: ");
	etcd_run(&etcd);
	assert_string_equal(next_line_within(recorder, 1500), "(nothing)");
	put(store, BASE "/b", "2");
	assert_next(recorder, "found");
	assert_next(recorder, BASE "/b=2");
	assert_next(recorder, BASE "/a gone");
	assert_next(recorder, "in sync");
	assert_quiet(recorder, store, BASE);
}

/* While the watch is held up in a callback, so that it never meets a closed port. */
static void replace_unnoticed(void)
{
	recorder->hold_at = BASE "/hold";
	put(store, BASE "/hold", "1");
	assert_next(recorder, BASE "/hold=1");
	etcd_erase(&etcd);
}

static void assert_replacement_is_read(const char *why)
{
	put(store, BASE "/a", "other");
	put(store, BASE "/c", "other");
	wait_wake(&recorder->release);
	assert_next_starts(recorder, "lost: watch " BASE ": etcd at ");
	assert_non_null(strstr(recorder->lines[recorder->read - 1], why));
	assert_next(recorder, "found");
	assert_next(recorder, BASE "/a=other");
	assert_next(recorder, BASE "/c=other");
	assert_next(recorder, BASE "/b gone");
	assert_next(recorder, BASE "/hold gone");
	assert_next(recorder, "in sync");
	assert_quiet(recorder, store, BASE);
}

static void test_replacement_with_the_same_id_is_read_completely(void **state)
{
	need_etcd();
	start_watch();
	replace_unnoticed();
	etcd_run(&etcd);
	assert_replacement_is_read("it went back from index");
}

static void test_another_cluster_is_read_completely(void **state)
{
	need_etcd();
	start_watch();
	replace_unnoticed();
	snprintf(etcd.peer_url, sizeof(etcd.peer_url), "http://127.0.0.1:%d", free_port());
	etcd_run(&etcd);
	assert_replacement_is_read("another cluster");
}

static void test_watch_begins_before_the_server(void **state)
{
	need_etcd();
	put(store, BASE "/a", "1");
	etcd_kill(&etcd);
	recorder = watch(store, BASE);
	assert_next_starts(recorder, "lost: watch " BASE ": etcd at ");
	etcd_run(&etcd);
	assert_next(recorder, "found");
	assert_next(recorder, BASE "/a=1");
	assert_next(recorder, "in sync");
}

static void test_server_without_the_api_is_told_apart(void **state)
{
	struct store_node node;
	struct err err = {0};

	need_etcd();
	etcd_kill(&etcd);
	etcd.version3_only = true;
	etcd.pid = fork();
	if (etcd.pid == 0)
		etcd_exec(&etcd);
	for (int64_t end = task_clock_ms() + PATIENCE_MS; task_clock_ms() < end; task_sleep(20)) {
		if (store_get(store, BASE "/a", &node, &err) != -ENOTCONN)
			break;
	}
	assert_int_equal(store_get(store, BASE "/a", &node, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "--enable-v2"));
}

static struct store *open_tls(const char *url, char *ca_file)
{
	char *urls[] = {(char *)url, NULL};
	struct config config = {.endpoints = urls, .endpoint_count = 1, .ca_file = ca_file};
	struct store *secure = NULL;
	struct err err;

	assert_int_equal(store_open(&config, &secure, &err), 0);
	return secure;
}

/* etcd makes itself a certificate, which then is its own authority. */
static void test_tls_checks_the_server(void **state)
{
	char ca_file[128], url[64];
	struct store *secure, *stranger;
	struct store_node node;
	struct err err = {0};
	int r = -ENOTCONN;

	need_etcd();
	etcd_kill(&etcd);
	snprintf(url, sizeof(url), "https://%.50s", etcd.url + strlen("http://"));
	strcpy(etcd.url, url);
	snprintf(ca_file, sizeof(ca_file), "%s/fixtures/client/cert.pem", etcd.directory);
	etcd.pid = fork();
	if (etcd.pid == 0)
		etcd_exec(&etcd);
	for (int64_t end = task_clock_ms() + PATIENCE_MS; task_clock_ms() < end; task_sleep(20)) {
		if (access(ca_file, R_OK) == 0)
			break;
	}
	secure = open_tls(url, ca_file);
	/* The certificate is there before the port is open. */
	for (int64_t end = task_clock_ms() + PATIENCE_MS; task_clock_ms() < end; task_sleep(20)) {
		r = store_set(secure, BASE "/a", "1", NULL, &err);
		if (r != -ENOTCONN)
			break;
	}
	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(store_get(secure, BASE "/a", &node, &err), 0);
	store_node_done(&node);
	store_close(secure);

	stranger = open_tls(url, NULL);
	assert_int_equal(store_get(stranger, BASE "/a", &node, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "certificate"));
	store_close(stranger);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_closed_port),
		TEST(test_hanging_server_costs_no_more_than_the_deadline),
		TEST(test_dead_endpoint_is_passed_over),
		TEST(test_hanging_endpoint_is_passed_over_for_reads),
		TEST(test_watch_fails_over),
		TEST(test_restart_loses_nothing),
		TEST(test_changes_while_away_are_found),
		TEST(test_empty_replacement_deletes_nothing),
		TEST(test_replacement_with_the_same_id_is_read_completely),
		TEST(test_another_cluster_is_read_completely),
		TEST(test_watch_begins_before_the_server),
		TEST(test_server_without_the_api_is_told_apart),
		TEST(test_tls_checks_the_server),
	};

	return cmocka_run_group_tests_name("etcd in trouble", tests, NULL, NULL);
}
