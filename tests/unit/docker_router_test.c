/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The protocol's envelope: names of methods, empty and malformed bodies, answers that need no datastore. */
#include "docker_fixture.h"

#define SPACES                                                                                               \
	"{'LocalDefaultAddressSpace':'CalicoLocalAddressSpace','GlobalDefaultAddressSpace':"                 \
	"'CalicoGlobalAddressSpace'}"

static const char *const without_arguments[] = {
	"Plugin.Activate",
	"NetworkDriver.GetCapabilities",
	"IpamDriver.GetCapabilities",
	"IpamDriver.GetDefaultAddressSpaces",
};

/* With arguments that nothing depends on. */
static const char *const without_effect[] = {
	"NetworkDriver.DiscoverNew",
	"NetworkDriver.DiscoverDelete",
	"NetworkDriver.AllocateNetwork",
	"NetworkDriver.FreeNetwork",
	"NetworkDriver.EndpointOperInfo",
	"NetworkDriver.ProgramExternalConnectivity",
	"NetworkDriver.RevokeExternalConnectivity",
	"IpamDriver.ReleasePool",
};

static const char *const with_arguments[] = {
	"NetworkDriver.CreateNetwork",	"NetworkDriver.DeleteNetwork", "NetworkDriver.CreateEndpoint",
	"NetworkDriver.DeleteEndpoint", "NetworkDriver.Join",	       "NetworkDriver.Leave",
	"IpamDriver.RequestPool",	"IpamDriver.RequestAddress",   "IpamDriver.ReleaseAddress",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_unknown_paths(void **state)
{
	struct plugin *plugin = plugin_of(state);

	assert_refused(plugin, "NetworkDriver.Nothing", "{}", 404, "no method");
	assert_refused(plugin, "", "", 404, "no method");
	assert_refused(plugin, "networkdriver.join", "{}", 404, "no method");
	assert_refused(plugin, "NetworkDriver.Join/", "{}", 404, "no method");
	assert_null(route_find(router_methods, "NetworkDriver.Join")->path);
}

static void test_an_empty_body_never_succeeds(void **state)
{
	struct plugin *plugin = plugin_of(state);

	for (size_t i = 0; i < COUNT(with_arguments); i++) {
		assert_refused(plugin, with_arguments[i], "", 400, "empty request body");
		assert_refused(plugin, with_arguments[i], " \r\n", 400, "empty request body");
	}
}

/* dockerd's retry after a broken connection: an error here would make it keep an endpoint that nobody can
 * remove. */
static void test_an_empty_body_is_nothing_where_nothing_was_asked_for(void **state)
{
	struct plugin *plugin = plugin_of(state);

	for (size_t i = 0; i < COUNT(without_effect); i++) {
		assert_int_equal(call_method(plugin, without_effect[i], ""), 200);
		assert_int_equal(call_method(plugin, without_effect[i], " \r\n"), 200);
	}
	assert_answer(plugin, "NetworkDriver.EndpointOperInfo", "", "{'Value':{}}");
	assert_answer(plugin, "NetworkDriver.ProgramExternalConnectivity", "", "{}");
}

static void test_malformed_bodies(void **state)
{
	static const char *const bodies[] = {"{",	 "[]",	       "'text'",  "null",
					     "{'a':1}}", "{'a':\x01}", "\xff\xfe"};
	struct plugin *plugin = plugin_of(state);
	char deep[400];

	for (size_t i = 0; i < COUNT(with_arguments); i++) {
		for (size_t j = 0; j < COUNT(bodies); j++)
			assert_refused(plugin, with_arguments[i], bodies[j], 400, "JSON");
	}
	for (size_t i = 0; i < COUNT(without_effect); i++) {
		for (size_t j = 0; j < COUNT(bodies); j++)
			assert_refused(plugin, without_effect[i], bodies[j], 400, "JSON");
	}
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_refused(plugin, "NetworkDriver.Join", deep, 400, "JSON");
}

/* dockerd sends an empty body, and a later one may send something. */
static void test_methods_without_arguments(void **state)
{
	struct plugin *plugin = plugin_of(state);

	for (size_t i = 0; i < COUNT(without_arguments); i++) {
		assert_int_equal(call_method(plugin, without_arguments[i], ""), 200);
		assert_int_equal(call_method(plugin, without_arguments[i], "{}"), 200);
		assert_int_equal(call_method(plugin, without_arguments[i], "garbage"), 200);
	}
}

static void test_constant_answers(void **state)
{
	static const char of_endpoint[] = "{'NetworkID':'" NETWORK "','EndpointID':'" ENDPOINT "'}";
	struct plugin *plugin = plugin_of(state);

	assert_answer(plugin, "Plugin.Activate", "", "{'Implements':['NetworkDriver','IpamDriver']}");
	assert_answer(plugin, "IpamDriver.GetDefaultAddressSpaces", "", SPACES);
	assert_answer(plugin, "IpamDriver.GetCapabilities", "",
		      "{'RequiresMACAddress':false,'RequiresRequestReplay':false}");
	assert_answer(
		plugin, "NetworkDriver.DiscoverNew",
		"{'DiscoveryType':1,'DiscoveryData':{'Address':'127.0.0.1','BindAddress':'','Self':true}}",
		"{}");
	assert_answer(
		plugin, "NetworkDriver.DiscoverDelete",
		"{'DiscoveryType':1,'DiscoveryData':{'Address':'127.0.0.2','BindAddress':'','Self':false}}",
		"{}");
	assert_answer(plugin, "NetworkDriver.EndpointOperInfo", of_endpoint, "{'Value':{}}");
	assert_answer(plugin, "NetworkDriver.RevokeExternalConnectivity", of_endpoint, "{}");
	assert_answer(plugin, "IpamDriver.ReleasePool", "{'PoolID':'CalicoPoolIPv4'}", "{}");
	assert_answer(plugin, "NetworkDriver.AllocateNetwork", "{'NetworkID':'" NETWORK "'}",
		      "{'Options':null}");
}

/* An error here leaves Docker with an endpoint that nobody can remove. */
static void test_program_never_fails(void **state)
{
	struct plugin *plugin = plugin_of(state);

	assert_answer(plugin, "NetworkDriver.ProgramExternalConnectivity", "{}", "{}");
	assert_answer(
		plugin, "NetworkDriver.ProgramExternalConnectivity",
		"{'NetworkID':'x','EndpointID':7,'Options':{'com.docker.network.portmap':[{'Proto':6}]}}",
		"{}");
}

static void test_scope_follows_the_setting(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct config config = *plugin->config;

	plugin->config = &config;
	config.scope = SCOPE_GLOBAL;
	assert_answer(plugin, "NetworkDriver.GetCapabilities", "", "{'Scope':'global'}");
	config.scope = SCOPE_LOCAL;
	assert_answer(plugin, "NetworkDriver.GetCapabilities", "", "{'Scope':'local'}");
}

static void test_requests_are_counted(void **state)
{
	struct plugin *plugin = plugin_of(state);

	call_method(plugin, "Plugin.Activate", "");
	call_method(plugin, "NetworkDriver.Join", "");
	call_method(plugin, "nothing", "");
	assert_int_equal(plugin->requests, 3);
	assert_int_equal(plugin->errors, 2);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup_plugin, teardown_plugin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unknown_paths),
		TEST(test_an_empty_body_never_succeeds),
		TEST(test_an_empty_body_is_nothing_where_nothing_was_asked_for),
		TEST(test_malformed_bodies),
		TEST(test_methods_without_arguments),
		TEST(test_constant_answers),
		TEST(test_program_never_fails),
		TEST(test_scope_follows_the_setting),
		TEST(test_requests_are_counted),
	};

	log_set_level(LOG_LEVEL_NONE);
	return cmocka_run_group_tests(tests, setup_directory, teardown_group);
}
