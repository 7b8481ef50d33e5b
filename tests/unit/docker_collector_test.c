/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The collector of what lost calls left, with real interfaces in a namespace of its own and a real embedded
 * store. Only time (a minute passes at once) and the Docker engine are played.
 */
#include "util/task.h"

static int64_t passed_ms;

static int64_t task_clock_later(void)
{
	return task_clock_ms() + passed_ms;
}

#define task_clock_ms task_clock_later
#include "docker/collector.c"
#undef task_clock_ms

#include "docker_fixture.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <event2/buffer.h>
#include <event2/http.h>

#define ENDPOINTS "/calico/v1/host/host-a/workload/libnetwork/libnetwork/endpoint/"
#define LOST	  "11fec705239aaaaa"
#define OTHER	  "22fec705239bbbbb"

/* ---- an engine that says what it is told to, or fails ---- */

static bool engine_fails;
static const char *engine_containers; /* answer to /containers/json?all=1 */
static const char *engine_entries;    /* of the network: who is connected */
static const char *existing;	      /* a container that has this name */
static char forgotten[256];	      /* body of the last forced disconnect */

static void note_disconnect(struct evhttp_request *request)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	int length = evbuffer_copyout(input, forgotten, sizeof(forgotten) - 1);

	forgotten[length > 0 ? length : 0] = '\0';
}

static void answer(struct evhttp_request *request, void *arg)
{
	struct evbuffer *body = evhttp_request_get_output_buffer(request);
	const char *uri = evhttp_request_get_uri(request);
	char inspect[256];

	if (engine_fails) {
		evhttp_send_error(request, 500, "Internal Server Error");
		return;
	}
	snprintf(inspect, sizeof(inspect), "/containers/%s/json", existing);
	if (!strcmp(uri, "/networks"))
		evbuffer_add_printf(
			body, "[{\"Name\":\"n1\",\"Id\":\"56a2\",\"Driver\":\"calico\",\"Containers\":{}},"
			      "{\"Name\":\"gone\",\"Id\":\"77\",\"Driver\":\"calico\"}]");
	else if (!strcmp(uri, "/networks/56a2"))
		evbuffer_add_printf(body, "{\"Name\":\"n1\",\"Id\":\"56a2\",\"Containers\":{%s}}",
				    engine_entries);
	else if (!strcmp(uri, "/containers/json?all=1"))
		evbuffer_add_printf(body, "[%s]", engine_containers);
	else if (!strcmp(uri, inspect))
		evbuffer_add_printf(body, "{}");
	else if (!strcmp(uri, "/networks/56a2/disconnect"))
		note_disconnect(request);
	evhttp_send_reply(request, evbuffer_get_length(body) || strstr(uri, "disconnect") ? 200 : 404, "",
			  NULL);
}

static struct evhttp *serve_engine(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct evhttp *http = evhttp_new(task_base());
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(evhttp_accept_socket(http, fd), 0);
	evhttp_set_gencb(http, answer, NULL);
	return http;
}

/* ---- fixture ---- */

struct bench {
	struct plugin *plugin;
	struct collector collector;
	struct evhttp *http;
};

static struct bench bench;
static int home;

static int setup_bench(void **state)
{
	static char path[64];
	struct err err;

	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || unshare(CLONE_NEWNET) < 0)
		return -1;
	setup_plugin(state);
	bench = (struct bench){.plugin = plugin_of(state)};
	bench.collector.plugin = bench.plugin;
	collector_stop(bench.plugin->collector);
	bench.plugin->collector = NULL; /* the tests run it themselves */
	passed_ms = 0;
	engine_fails = false;
	engine_containers = engine_entries = existing = "";
	*forgotten = '\0';
	snprintf(path, sizeof(path), "%s/docker.sock", directory);
	bench.http = serve_engine(path);
	engine_close(bench.plugin->engine);
	assert_int_equal(engine_open(path, &bench.plugin->engine, &err), 0);
	add_pool(bench.plugin->store, "10.1.2.0/26", "");
	return 0;
}

static int teardown_bench(void **state)
{
	forget_suspects(&bench.collector, true);
	evhttp_free(bench.http);
	teardown_plugin(state);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return 0;
}

static void add_endpoint(const char *key, const char *name, const char *addr)
{
	char value[512];

	snprintf(value, sizeof(value),
		 "{\"state\":\"active\",\"name\":\"%s\",\"mac\":\"ee:ee:ee:ee:ee:ee\",\"profile_ids\":[],"
		 "\"ipv4_nets\":[\"%s/32\"],\"ipv6_nets\":[]}",
		 name, addr);
	put(bench.plugin->store, key, value);
}

static void add_pair(const char *host_name, const char *peer_name)
{
	struct veth_spec spec = {host_name, peer_name, {CONTAINER_MAC}, {CONTAINER_MAC}, 0};
	struct err err = {""};
	int ifindex;

	if (link_make_veth(bench.plugin->netlink, &spec, &ifindex, &err) < 0)
		fail_msg("%s", err.text);
}

static bool has_link(const char *name)
{
	return link_index(bench.plugin->netlink, name) > 0;
}

/* One run of the collector. */
static int collect_now(void)
{
	struct err err = {""};
	int r = collect(&bench.collector, &err);

	forget_suspects(&bench.collector, false);
	return r;
}

static void age_addresses(const char *since)
{
	struct block *block = read_block(bench.plugin->store, "10.1.2.0/26");
	json_t *attribute;
	size_t i;
	char *text;

	json_array_foreach (block->attributes, i, attribute)
		json_object_set_new(json_object_get(attribute, "secondary"), "since", json_string(since));
	text = block_format(block);
	put(bench.plugin->store, "/calico/ipam/v2/assignment/ipv4/block/10.1.2.0-26", text);
	free(text);
	block_free(block);
}

/* ---- tests ---- */

static void test_addresses_without_an_endpoint_are_released(void **state)
{
	struct plugin *plugin = bench.plugin;

	assert_string_equal(take(&plugin->ipam), "10.1.2.0");
	assert_string_equal(take(&plugin->ipam), "10.1.2.1");
	add_endpoint(ENDPOINTS LOST, "cali11fec705239", "10.1.2.1");
	assert_int_equal(collect_now(), 0);
	assert_int_equal(count_used(plugin->store, 4), 2); /* young */
	age_addresses("1500000000");
	assert_int_equal(collect_now(), 0);
	assert_int_equal(count_used(plugin->store, 4), 1);
	assert_int_equal(give_back(&plugin->ipam, "10.1.2.1"), 0);
	assert_int_equal(bench.collector.addresses, 1);
}

/* Endpoints of all orchestrators hold their addresses. */
static void test_addresses_of_other_orchestrators_stay(void **state)
{
	take(&bench.plugin->ipam);
	age_addresses("1500000000");
	add_endpoint("/calico/v1/host/host-a/workload/docker/c1/endpoint/e1", "cali0", "10.1.2.0");
	assert_int_equal(collect_now(), 0);
	assert_int_equal(count_used(bench.plugin->store, 4), 1);
}

static void test_a_dead_endpoint_goes_after_a_minute(void **state)
{
	struct plugin *plugin = bench.plugin;

	take(&plugin->ipam);
	age_addresses("1500000000");
	add_endpoint(ENDPOINTS LOST, "cali11fec705239", "10.1.2.0");
	assert_int_equal(collect_now(), 0);
	passed_ms = YOUNG_MS - 1000;
	assert_int_equal(collect_now(), 0);
	assert_non_null(value_of(plugin->store, ENDPOINTS LOST));
	passed_ms = YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	assert_null(value_of(plugin->store, ENDPOINTS LOST));
	assert_int_equal(count_used(plugin->store, 4), 0); /* in the same run */
	assert_int_equal(bench.collector.endpoints, 1);
}

/* Whether an endpoint stays that has had no interface for a minute, with what the engine says. */
static bool stays(const char *containers, const char *entries)
{
	add_endpoint(ENDPOINTS LOST, "cali11fec705239", "10.1.2.0");
	engine_containers = containers;
	engine_entries = entries;
	passed_ms = 0;
	assert_int_equal(collect_now(), 0);
	passed_ms = YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	forget_suspects(&bench.collector, true);
	return value_of(bench.plugin->store, ENDPOINTS LOST) != NULL;
}

#define ENTRY(key)	 "\"" key "\":{\"Name\":\"c1\",\"EndpointID\":\"" LOST "\"}"
#define CONTAINER(state) "{\"Id\":\"c0ffee\",\"State\":\"" state "\",\"NetworkSettings\":{\"Networks\":{}}}"
#define RUNNING(state)                                                                                       \
	"{\"Id\":\"c0ffee\",\"State\":\"" state                                                              \
	"\",\"NetworkSettings\":{\"Networks\":{\"n1\":{\"EndpointID\":\"" LOST "\"}}}}"

static void test_what_a_container_of_dockers_has_stays(void **state)
{
	assert_true(stays(CONTAINER("created"), ENTRY("c0ffee"))); /* being started */
	assert_true(stays(CONTAINER("running"), ENTRY("c0ffee")));
	assert_true(stays(RUNNING("running"), ""));
	assert_true(stays(RUNNING("paused"), ENTRY("ep-1")));
}

static void test_what_only_a_record_of_dockers_has_goes(void **state)
{
	assert_false(stays("", ""));
	assert_false(stays("", ENTRY("ep-1")));
	assert_false(stays(RUNNING("created"), "")); /* it never was */
	assert_false(stays(RUNNING("exited"), ENTRY("ep-1")));
	assert_false(stays(CONTAINER("exited"), ENTRY("c0ffee")));
	assert_false(stays("", ENTRY("c0ffee")));
}

static void test_docker_is_made_to_forget_a_dead_endpoint(void **state)
{
	assert_false(stays("", ENTRY("ep-1")));
	assert_string_equal(forgotten, "{\"Container\":\"c1\",\"Force\":true}");
	assert_int_equal(bench.collector.records, 1);
}

/* The engine would take the network from the container instead. */
static void test_a_record_of_a_container_that_exists_is_a_problem(void **state)
{
	put(bench.plugin->store, "/calico/libnetwork/v1/56a2", "{\"NetworkID\":\"56a2\"}");
	add_endpoint(ENDPOINTS LOST, "cali11fec705239", "10.1.2.0");
	engine_entries = ENTRY("ep-1");
	existing = "c1";
	assert_int_equal(collect_now(), 0);
	passed_ms = YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	assert_null(value_of(bench.plugin->store, ENDPOINTS LOST));
	assert_string_equal(forgotten, "");
	assert_non_null(strstr(problem_text, "container c1: the Docker engine was killed"));
	/* It is still looked for, though its endpoint is gone. */
	existing = "";
	assert_int_equal(collect_now(), 0);
	assert_string_equal(forgotten, "{\"Container\":\"c1\",\"Force\":true}");
	engine_entries = "";
	assert_int_equal(collect_now(), 0);
	assert_string_equal(problem_text, "");
	assert_false(bench.collector.look_at_records);
}

/* Networks of other drivers have records as well, and live endpoints of other hosts look like them. */
static void test_records_of_others_stay(void **state)
{
	engine_entries = ENTRY("ep-1");
	bench.collector.look_at_records = true;
	assert_int_equal(collect_now(), 0);
	passed_ms = YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	put(bench.plugin->store, "/calico/libnetwork/v1/56a2", "{\"NetworkID\":\"56a2\"}");
	add_endpoint("/calico/v1/host/host-b/workload/libnetwork/libnetwork/endpoint/" LOST,
		     "cali11fec705239", "10.1.2.0");
	bench.collector.look_at_records = true;
	passed_ms = 2 * YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	passed_ms = 3 * YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	assert_string_equal(forgotten, "");
}

/* What Docker knows cannot be known while it does not answer. The rest is done all the same. */
static void test_without_docker_no_endpoint_is_judged(void **state)
{
	struct plugin *plugin = bench.plugin;

	take(&plugin->ipam);
	age_addresses("1500000000");
	add_endpoint(ENDPOINTS LOST, "cali11fec705239", "10.1.2.9");
	add_pair("calideadbeef000", "tmpdeadbeef000");
	engine_fails = true;
	assert_int_equal(collect_now(), 0);
	passed_ms = YOUNG_MS;
	assert_true(collect_now() < 0);
	assert_non_null(value_of(plugin->store, ENDPOINTS LOST));
	assert_int_equal(count_used(plugin->store, 4), 0);
	assert_false(has_link("calideadbeef000"));
}

static void test_an_endpoint_whose_container_lives_stays(void **state)
{
	struct plugin *plugin = bench.plugin;
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), container;
	char move[128];

	/* The other end goes into a namespace of its own, as a container's does. */
	add_endpoint(ENDPOINTS LOST, "cali11fec705239", "10.1.2.0");
	add_pair("cali11fec705239", "tmp11fec705239");
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	container = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	snprintf(move, sizeof(move), "ip link set tmp11fec705239 netns /proc/%d/fd/%d", (int)getpid(),
		 container);
	assert_int_equal(system(move), 0);
	assert_int_equal(collect_now(), 0);
	passed_ms = YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	assert_non_null(value_of(plugin->store, ENDPOINTS LOST));
	assert_true(has_link("cali11fec705239"));
	close(container);
	close(here);
}

/* Both ends in the host's namespace: nobody ever took it, or Docker moved it back. */
static void test_an_endpoint_that_was_unplugged_goes_with_its_interface(void **state)
{
	add_endpoint(ENDPOINTS LOST, "cali11fec705239", "10.1.2.0");
	add_pair("cali11fec705239", "tmp11fec705239");
	assert_int_equal(collect_now(), 0);
	assert_true(has_link("cali11fec705239"));
	passed_ms = YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	assert_null(value_of(bench.plugin->store, ENDPOINTS LOST));
	assert_false(has_link("cali11fec705239"));
}

static void test_interfaces_without_an_endpoint_go(void **state)
{
	add_pair("calideadbeef000", "tmpdeadbeef000"); /* ours */
	add_pair("calideadbeef001", "veth0");	       /* somebody's */
	add_pair("caliother00000", "tmpdifferent00");
	add_pair("veth1", "tmpdeadbeef002");
	add_endpoint(ENDPOINTS OTHER, "cali22fec705239", "10.1.2.0");
	add_pair("cali22fec705239", "tmp22fec705239");
	engine_containers = "{\"Id\":\"c0ffee\",\"State\":\"created\"}";
	engine_entries = "\"c0ffee\":{\"Name\":\"c2\",\"EndpointID\":\"" OTHER "\"}";
	assert_int_equal(collect_now(), 0);
	assert_true(has_link("calideadbeef000"));
	passed_ms = YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	assert_false(has_link("calideadbeef000"));
	assert_true(has_link("calideadbeef001"));
	assert_true(has_link("caliother00000"));
	assert_true(has_link("veth1"));
	assert_true(has_link("cali22fec705239"));
	assert_int_equal(bench.collector.interfaces, 1);
}

/* The minute begins anew when it looked alive in between. */
static void test_a_suspect_that_came_to_life_is_forgotten(void **state)
{
	add_endpoint(ENDPOINTS LOST, "cali11fec705239", "10.1.2.0");
	assert_int_equal(collect_now(), 0);
	drop(bench.plugin->store, ENDPOINTS LOST);
	assert_int_equal(collect_now(), 0);
	assert_null(bench.collector.suspects);
	add_endpoint(ENDPOINTS LOST, "cali11fec705239", "10.1.2.0");
	passed_ms = YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	assert_non_null(value_of(bench.plugin->store, ENDPOINTS LOST));
}

static void test_malformed_endpoints_are_left_alone(void **state)
{
	put(bench.plugin->store, ENDPOINTS LOST, "not JSON");
	assert_int_equal(collect_now(), 0);
	passed_ms = YOUNG_MS;
	assert_int_equal(collect_now(), 0);
	assert_non_null(value_of(bench.plugin->store, ENDPOINTS LOST));
}

static void test_without_a_store_nothing_is_touched(void **state)
{
	struct plugin *plugin = bench.plugin;
	struct store *store = plugin->store, *none = open_store("http://127.0.0.1:1");

	add_pair("calideadbeef000", "tmpdeadbeef000");
	plugin->store = plugin->ipam.store = none;
	assert_true(collect_now() < 0);
	passed_ms = YOUNG_MS;
	assert_true(collect_now() < 0);
	assert_true(has_link("calideadbeef000"));
	plugin->store = plugin->ipam.store = store;
	store_close(none);
}

static void note_start(void *arg)
{
	++*(int *)arg;
}

/* By the stream of events, which this engine does not have. */
static void test_an_engine_that_refuses_events_has_not_started(void **state)
{
	int64_t deadline = task_clock_ms() + 200;
	int starts = 0;
	struct err err;

	assert_int_equal(engine_watch(bench.plugin->engine, note_start, &starts, &err), 0);
	while (task_clock_ms() < deadline)
		task_sleep(1);
	assert_int_equal(starts, 0);
	engine_unwatch(bench.plugin->engine);
}

static void test_runs_come_by_themselves(void **state)
{
	struct collector *collector;
	int64_t deadline = task_clock_ms() + PATIENCE_MS;
	struct err err;

	assert_int_equal(collector_start(bench.plugin, &collector, &err), 0);
	while (!collector->runs && task_clock_ms() < deadline)
		task_sleep(1);
	assert_int_equal(collector->runs, 1);
	collector_stop(collector);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup_bench, teardown_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_addresses_without_an_endpoint_are_released),
		TEST(test_addresses_of_other_orchestrators_stay),
		TEST(test_a_dead_endpoint_goes_after_a_minute),
		TEST(test_what_a_container_of_dockers_has_stays),
		TEST(test_what_only_a_record_of_dockers_has_goes),
		TEST(test_docker_is_made_to_forget_a_dead_endpoint),
		TEST(test_a_record_of_a_container_that_exists_is_a_problem),
		TEST(test_records_of_others_stay),
		TEST(test_without_docker_no_endpoint_is_judged),
		TEST(test_an_endpoint_whose_container_lives_stays),
		TEST(test_an_endpoint_that_was_unplugged_goes_with_its_interface),
		TEST(test_interfaces_without_an_endpoint_go),
		TEST(test_a_suspect_that_came_to_life_is_forgotten),
		TEST(test_malformed_endpoints_are_left_alone),
		TEST(test_without_a_store_nothing_is_touched),
		TEST(test_an_engine_that_refuses_events_has_not_started),
		TEST(test_runs_come_by_themselves),
	};

	log_set_level(LOG_LEVEL_NONE);
	return cmocka_run_group_tests(tests, setup_directory, teardown_group);
}
