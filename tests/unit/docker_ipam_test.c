/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The IPAM driver's methods as dockerd calls them, on a real embedded store. */
#include "docker_fixture.h"

#include <time.h>

#define POOL	"IpamDriver.RequestPool"
#define REQUEST "IpamDriver.RequestAddress"
#define RELEASE "IpamDriver.ReleaseAddress"
#define GLOBAL	"'AddressSpace':'CalicoGlobalAddressSpace'"
#define ANY_ANSWER                                                                                           \
	"{'PoolID':'CalicoPoolIPv4','Pool':'0.0.0.0/0','Data':{'com.docker.network.gateway':'0.0.0.0/0'}}"

static int redo_nothing(void *arg, enum journal_kind kind, const char *id, long long when, struct err *err)
{
	return err_set(err, ENOTCONN, "not in this test");
}

static void open_journal(struct plugin *plugin)
{
	struct err err;

	assert_int_equal(journal_open(directory, redo_nothing, plugin, &plugin->journal, &err), 0);
}

static void test_a_pool_for_any_address(void **state)
{
	struct plugin *plugin = plugin_of(state);

	add_pool(plugin->store, "10.1.0.0/16", "");
	assert_answer(plugin, POOL, "{" GLOBAL ",'Pool':'','SubPool':'','Options':{},'V6':false}",
		      ANY_ANSWER);
	assert_answer(plugin, POOL, "{" GLOBAL ",'Options':null}", ANY_ANSWER);
	assert_answer(
		plugin, POOL, "{" GLOBAL ",'Pool':'','SubPool':'','Options':{},'V6':true}",
		"{'PoolID':'CalicoPoolIPv6','Pool':'::/0','Data':{'com.docker.network.gateway':'::/0'}}");
}

/* The network can be made before the pool; what is missing is said when an address is asked for. */
static void test_no_pool_at_all_is_no_reason_to_refuse_a_network(void **state)
{
	assert_answer(plugin_of(state), POOL, "{" GLOBAL "}", ANY_ANSWER);
	assert_refused(plugin_of(state), REQUEST, "{'PoolID':'CalicoPoolIPv4','Address':'','Options':null}",
		       500, "calicoctl pool add");
}

static void test_a_subnet_must_be_a_pool(void **state)
{
	struct plugin *plugin = plugin_of(state);

	add_pool(plugin->store, "192.168.0.0/16", "");
	add_pool(plugin->store, "10.2.0.0/16", ",\"disabled\":true");
	add_pool(plugin->store, "10.3.0.0/16", ",\"ipam\":false");
	add_pool(plugin->store, "fd80::/64", "");
	assert_answer(
		plugin, POOL, "{" GLOBAL ",'Pool':'192.168.0.0/16','SubPool':'','Options':{},'V6':false}",
		"{'PoolID':'192.168.0.0/16','Pool':'192.168.0.0/16','Data':{'com.docker.network.gateway':"
		"'0.0.0.0/0'}}");
	assert_answer(
		plugin, POOL, "{" GLOBAL ",'Pool':'192.168.0.1/16'}",
		"{'PoolID':'192.168.0.0/16','Pool':'192.168.0.0/16','Data':{'com.docker.network.gateway':"
		"'0.0.0.0/0'}}");
	assert_answer(
		plugin, POOL, "{" GLOBAL ",'Pool':'fd80::/64','V6':true}",
		"{'PoolID':'fd80::/64','Pool':'fd80::/64','Data':{'com.docker.network.gateway':'::/0'}}");
	assert_refused(plugin, POOL, "{" GLOBAL ",'Pool':'192.168.0.0/24'}", 500,
		       "The requested subnet must match the CIDR of a configured Calico IP Pool");
	assert_refused(plugin, POOL, "{" GLOBAL ",'Pool':'10.2.0.0/16'}", 500, "must match");
	assert_refused(plugin, POOL, "{" GLOBAL ",'Pool':'10.3.0.0/16'}", 500, "must match");
	add_pool(plugin->store, "127.1.0.0/16", "");
	assert_refused(plugin, POOL, "{" GLOBAL ",'Pool':'127.1.0.0/16'}", 500, "has loopback addresses");
	assert_refused(plugin, POOL, "{" GLOBAL ",'Pool':'0.0.0.0/0'}", 500, "which no container can have");
	assert_refused(plugin, POOL, "{" GLOBAL ",'Pool':'fd80::/64'}", 400, "not of IPv4");
	assert_refused(plugin, POOL, "{" GLOBAL ",'Pool':'192.168.0.0/33'}", 400,
		       "not an IP address or CIDR");
}

static void test_what_a_pool_request_may_not_have(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct config config = *plugin->config;

	add_pool(plugin->store, "10.1.0.0/16", "");
	assert_refused(plugin, POOL, "{" GLOBAL ",'SubPool':'10.1.2.0/24'}", 500, "--ip-range 10.1.2.0/24");
	assert_refused(plugin, POOL, "{" GLOBAL ",'Options':{'color':'red'}}", 500, "option color");
	assert_refused(plugin, POOL, "{'AddressSpace':'CalicoLocalAddressSpace'}", 500,
		       "works only with the calico network driver");
	/* Networks of local scope use that address space themselves. */
	plugin->config = &config;
	config.scope = SCOPE_LOCAL;
	assert_answer(plugin, POOL, "{'AddressSpace':'CalicoLocalAddressSpace'}", ANY_ANSWER);
}

static void test_addresses_come_and_go(void **state)
{
	struct plugin *plugin = plugin_of(state);

	open_journal(plugin);
	add_pool(plugin->store, "10.1.2.0/26", "");
	assert_answer(plugin, REQUEST, "{'PoolID':'CalicoPoolIPv4','Address':'','Options':null}",
		      "{'Address':'10.1.2.0/32','Data':{}}");
	assert_answer(plugin, REQUEST, "{'PoolID':'10.1.2.0/26','Address':''}",
		      "{'Address':'10.1.2.1/32','Data':{}}");
	assert_answer(plugin, RELEASE, "{'PoolID':'CalicoPoolIPv4','Address':'10.1.2.0'}", "{}");
	assert_answer(plugin, RELEASE, "{'PoolID':'CalicoPoolIPv4','Address':'10.1.2.0'}", "{}");
	assert_int_equal(count_used(plugin->store, 4), 1);
	assert_answer(plugin, REQUEST, "{'PoolID':'CalicoPoolIPv4','Address':'10.1.2.50'}",
		      "{'Address':'10.1.2.50/32','Data':{}}");
	assert_int_equal(journal_count(plugin->journal), 0);
}

/* An engine gives back what an endpoint had that it lost long ago. */
static void test_an_address_that_an_endpoint_has_stays(void **state)
{
	struct plugin *plugin = plugin_of(state);

	open_journal(plugin);
	add_pool(plugin->store, "10.1.2.0/26", "");
	assert_answer(plugin, REQUEST, "{'PoolID':'CalicoPoolIPv4','Address':''}",
		      "{'Address':'10.1.2.0/32','Data':{}}");
	held_address = address("10.1.2.0");
	assert_answer(plugin, RELEASE, "{'PoolID':'CalicoPoolIPv4','Address':'10.1.2.0'}", "{}");
	assert_int_equal(count_used(plugin->store, 4), 1);
}

static void test_ipv6_addresses(void **state)
{
	struct plugin *plugin = plugin_of(state);

	add_pool(plugin->store, "fd80::/122", "");
	assert_answer(plugin, REQUEST, "{'PoolID':'CalicoPoolIPv6','Address':''}",
		      "{'Address':'fd80::/128','Data':{}}");
	assert_answer(plugin, REQUEST, "{'PoolID':'fd80::/122','Address':'fd80::0d'}",
		      "{'Address':'fd80::d/128','Data':{}}");
}

/* dockerd releases the gateways that it never got, at every end of a network. */
static void test_dummy_gateways_are_released_without_the_store(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct store *store = plugin->store;

	plugin->store = plugin->ipam.store = NULL; /* any use of it crashes */
	assert_answer(plugin, RELEASE, "{'PoolID':'CalicoPoolIPv4','Address':'0.0.0.0'}", "{}");
	assert_answer(plugin, RELEASE, "{'PoolID':'CalicoPoolIPv6','Address':'::'}", "{}");
	plugin->store = plugin->ipam.store = store;
}

static void test_refused_address_requests(void **state)
{
	struct plugin *plugin = plugin_of(state);

	add_pool(plugin->store, "10.1.2.0/26", "");
	assert_refused(plugin, REQUEST,
		       "{'PoolID':'CalicoPoolIPv4','Address':'10.1.2.1','Options':{'RequestAddressType':"
		       "'com.docker.network.gateway'}}",
		       500, "--gateway is not supported");
	assert_refused(plugin, REQUEST, "{'PoolID':'CalicoPoolIPv4','Address':'10.1.2.'}", 400,
		       "not an IP address");
	assert_refused(plugin, REQUEST, "{'PoolID':'StubPool','Address':''}", 400, "none of Calico's");
	assert_refused(plugin, REQUEST, "{'PoolID':'10.9.0.0/16','Address':''}", 500,
		       "pool was deleted or disabled");
	assert_refused(plugin, REQUEST, "{'PoolID':'CalicoPoolIPv4','Address':'10.9.0.1'}", 500,
		       "10.9.0.1 is not in any enabled Calico IP pool");
	assert_refused(plugin, RELEASE, "{'PoolID':'CalicoPoolIPv4','Address':'nonsense'}", 400,
		       "not an IP address");
	assert_int_equal(count_used(plugin->store, 4), 0);
}

static void test_the_address_is_marked(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct addr addr = address("10.1.2.0");
	json_t *attribute;
	struct err err;

	add_pool(plugin->store, "10.1.2.0/26", "");
	call_method(plugin, REQUEST, "{'PoolID':'CalicoPoolIPv4','Address':''}");
	assert_int_equal(ipam_info(&plugin->ipam, &addr, &attribute, &err), 0);
	assert_true(ipam_attribute_is(attribute, "host-a", "libnetwork", NULL));
	json_decref(attribute);
}

/* A release that is done late must not take the address from the container that got it since. */
static void test_a_late_release(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct ipam other = on_host(plugin->store, "host-b");
	json_t *plain = ipam_attribute(NULL, NULL);
	struct addr old = address("10.1.2.9"), addr = address("10.1.2.10"), foreign = address("10.1.2.11");
	long long now = time(NULL);
	struct err err;

	add_pool(plugin->store, "10.1.2.0/26", "");
	assert_int_equal(ipam_assign(&plugin->ipam, &old, plain, &err), 0);
	json_decref(plain);
	assert_int_equal(try_take(&plugin->ipam, "10.1.2.10", &err), 0);
	assert_int_equal(try_take(&other, "10.1.2.11", &err), 0);
	assert_int_equal(address_release(plugin, &addr, now - 100, &err), 0);
	assert_int_equal(count_used(plugin->store, 4), 3);
	assert_int_equal(address_release(plugin, &addr, now + 100, &err), 0);
	assert_int_equal(count_used(plugin->store, 4), 2);
	assert_int_equal(address_release(plugin, &old, now - 100, &err), 0);
	assert_int_equal(count_used(plugin->store, 4), 1);
	assert_int_equal(address_release(plugin, &foreign, now + 100, &err), 0);
	assert_int_equal(count_used(plugin->store, 4), 1);
}

/* Nothing listens at this address: every operation fails at once. */
static void test_without_a_store_releases_are_remembered(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct store *store = plugin->store, *none = open_store("http://127.0.0.1:1");

	open_journal(plugin);
	plugin->store = plugin->ipam.store = none;
	assert_answer(plugin, RELEASE, "{'PoolID':'CalicoPoolIPv4','Address':'10.1.2.0'}", "{}");
	assert_int_equal(journal_count(plugin->journal), 1);
	assert_refused(plugin, REQUEST, "{'PoolID':'CalicoPoolIPv4','Address':''}", 500, "127.0.0.1:1");
	assert_refused(plugin, POOL, "{" GLOBAL "}", 500, "127.0.0.1:1");
	assert_int_equal(call_method(plugin, "Plugin.Activate", ""), 200);
	plugin->store = plugin->ipam.store = store;
	store_close(none);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup_plugin, teardown_plugin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_pool_for_any_address),
		TEST(test_no_pool_at_all_is_no_reason_to_refuse_a_network),
		TEST(test_a_subnet_must_be_a_pool),
		TEST(test_what_a_pool_request_may_not_have),
		TEST(test_addresses_come_and_go),
		TEST(test_an_address_that_an_endpoint_has_stays),
		TEST(test_ipv6_addresses),
		TEST(test_dummy_gateways_are_released_without_the_store),
		TEST(test_refused_address_requests),
		TEST(test_the_address_is_marked),
		TEST(test_a_late_release),
		TEST(test_without_a_store_releases_are_remembered),
	};

	log_set_level(LOG_LEVEL_NONE);
	return cmocka_run_group_tests(tests, setup_directory, teardown_group);
}
