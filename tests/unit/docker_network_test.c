/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* CreateNetwork, DeleteNetwork and CreateEndpoint as dockerd calls them, on a real embedded store. */
#include "docker_fixture.h"

#define CREATE "NetworkDriver.CreateNetwork"
#define DELETE "NetworkDriver.DeleteNetwork"
#define ATTACH "NetworkDriver.CreateEndpoint"
#define ID     "'NetworkID':'" NETWORK "'"
#define OPTIONS(generic)                                                                                     \
	"'Options':{'com.docker.network.enable_ipv6':false,'com.docker.network.generic':{" generic "}}"
#define CALICO                                                                                               \
	"'IPv4Data':[{'AddressSpace':'CalicoGlobalAddressSpace','Gateway':'0.0.0.0/0','Pool':'0.0.0.0/0'}]," \
	"'IPv6Data':[]"
#define DEFAULT_IPAM                                                                                         \
	"'IPv4Data':[{'AddressSpace':'GlobalDefault','Gateway':'10.99.0.1/24','Pool':'10.99.0.0/24'}],"      \
	"'IPv6Data':[]"
#define NETWORK_KEY "/calico/libnetwork/v1/" NETWORK
#define PROFILE_KEY "/calico/v1/policy/profile/" NETWORK
#define POOL_KEY    "/calico/v1/ipam/v4/pool/10.99.0.0-24"
#define ENDPOINTS   "/calico/v1/host/host-a/workload/libnetwork/libnetwork/endpoint/"
#define INTERFACE(v4, v6, mac)                                                                               \
	"{'NetworkID':'" NETWORK "','EndpointID':'" ENDPOINT "','Interface':{'Address':'" v4                 \
	"','AddressIPv6':'" v6 "','MacAddress':'" mac "'},'Options':{}}"

static void test_a_network_with_calico_ipam(void **state)
{
	static const char request[] = "{" ID "," OPTIONS("") "," CALICO "}";
	struct plugin *plugin = plugin_of(state);

	assert_answer(plugin, CREATE, request, "{}");
	assert_string_equal(value_of(plugin->store, NETWORK_KEY), request);
	assert_string_equal(value_of(plugin->store, PROFILE_KEY "/tags"), "['" NETWORK "']");
	assert_string_equal(value_of(plugin->store, PROFILE_KEY "/labels"), "{}");
	assert_non_null(strstr(value_of(plugin->store, PROFILE_KEY "/rules"), "'id':'" NETWORK "'"));
	assert_non_null(strstr(value_of(plugin->store, PROFILE_KEY "/rules"), "'src_tag':'" NETWORK "'"));
	assert_answer(plugin, CREATE, request, "{}"); /* and again */
	assert_answer(plugin, DELETE, "{" ID "}", "{}");
	assert_null(value_of(plugin->store, NETWORK_KEY));
	assert_null(value_of(plugin->store, PROFILE_KEY "/tags"));
	assert_null(value_of(plugin->store, PROFILE_KEY "/rules"));
	assert_answer(plugin, DELETE, "{" ID "}", "{}");
}

static void test_an_edited_profile_stays(void **state)
{
	struct plugin *plugin = plugin_of(state);

	put(plugin->store, PROFILE_KEY "/rules", "edited");
	assert_answer(plugin, CREATE, "{" ID "," OPTIONS("") "," CALICO "}", "{}");
	assert_string_equal(value_of(plugin->store, PROFILE_KEY "/rules"), "edited");
	assert_non_null(value_of(plugin->store, PROFILE_KEY "/tags"));
}

static void test_no_profiles_if_the_setting_says_so(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct config config = *plugin->config;

	plugin->config = &config;
	config.create_profiles = false;
	assert_answer(plugin, CREATE, "{" ID "," OPTIONS("") "," CALICO "}", "{}");
	assert_null(value_of(plugin->store, PROFILE_KEY "/rules"));
	put(plugin->store, PROFILE_KEY "/rules", "the user's");
	assert_answer(plugin, DELETE, "{" ID "}", "{}");
	assert_non_null(value_of(plugin->store, PROFILE_KEY "/rules"));
	assert_null(value_of(plugin->store, NETWORK_KEY));
}

static void test_a_network_with_dockers_ipam(void **state)
{
	struct plugin *plugin = plugin_of(state);

	assert_answer(plugin, CREATE,
		      "{" ID "," OPTIONS("'ipip':'true','nat-outgoing':'1'") "," DEFAULT_IPAM "}", "{}");
	assert_string_equal(value_of(plugin->store, POOL_KEY),
			    "{'cidr':'10.99.0.0/24','ipip':'tunl0','masquerade':true,'ipam':false}");
	assert_string_equal(value_of(plugin->store, "/calico/v1/config/IpInIpEnabled"), "true");
	assert_non_null(value_of(plugin->store, PROFILE_KEY "/rules"));
	assert_answer(plugin, DELETE, "{" ID "}", "{}");
	assert_null(value_of(plugin->store, POOL_KEY));
}

/* [0.8] took "false" for true. */
static void test_options_that_are_off(void **state)
{
	struct plugin *plugin = plugin_of(state);

	assert_answer(plugin, CREATE,
		      "{" ID "," OPTIONS("'ipip':'false','nat-outgoing':'0'") "," DEFAULT_IPAM "}", "{}");
	assert_string_equal(value_of(plugin->store, POOL_KEY), "{'cidr':'10.99.0.0/24','ipam':false}");
	assert_null(value_of(plugin->store, "/calico/v1/config/IpInIpEnabled"));
}

static void test_a_pool_of_the_user_is_neither_changed_nor_deleted(void **state)
{
	struct plugin *plugin = plugin_of(state);

	add_pool(plugin->store, "10.99.0.0/24", "");
	assert_answer(plugin, CREATE, "{" ID "," OPTIONS("'ipip':'true'") "," DEFAULT_IPAM "}", "{}");
	assert_string_equal(value_of(plugin->store, POOL_KEY), "{'cidr':'10.99.0.0/24'}");
	assert_answer(plugin, DELETE, "{" ID "}", "{}");
	assert_string_equal(value_of(plugin->store, POOL_KEY), "{'cidr':'10.99.0.0/24'}");
}

static void test_a_pool_goes_with_its_last_network(void **state)
{
	struct plugin *plugin = plugin_of(state);

	assert_answer(plugin, CREATE, "{" ID "," OPTIONS("") "," DEFAULT_IPAM "}", "{}");
	assert_answer(plugin, CREATE, "{'NetworkID':'77'," OPTIONS("") "," DEFAULT_IPAM "}", "{}");
	assert_answer(plugin, DELETE, "{" ID "}", "{}");
	assert_non_null(value_of(plugin->store, POOL_KEY));
	assert_answer(plugin, DELETE, "{'NetworkID':'77'}", "{}");
	assert_null(value_of(plugin->store, POOL_KEY));
}

static void test_refused_networks(void **state)
{
	struct plugin *plugin = plugin_of(state);
	static const struct {
		const char *body;
		int status;
		const char *part;
	} rows[] = {
		{"{" OPTIONS("") "," CALICO "}", 400, "NetworkID is missing"},
		{"{'NetworkID':'../x'," OPTIONS("") "," CALICO "}", 400, "is not an id"},
		{"{" ID "," OPTIONS("'color':'red'") "," CALICO "}", 500, "option color"},
		{"{" ID "," OPTIONS("'ipip':'true'") "," CALICO "}", 500, "calicoctl pool add CIDR --ipip"},
		{"{" ID "," OPTIONS("'nat-outgoing':'true'") "," CALICO "}", 500, "--nat-outgoing"},
		{"{" ID "," OPTIONS("'ipip':'maybe'") "," DEFAULT_IPAM "}", 400,
		 "ipip must be true or false"},
		{"{" ID "," OPTIONS("'com.docker.network.driver.mtu':'big'") "," CALICO "}", 500, "mtu=big"},
		{"{" ID "," OPTIONS("'com.docker.network.driver.mtu':'67'") "," CALICO "}", 500, "mtu=67"},
		{"{" ID "," OPTIONS("'com.docker.network.driver.mtu':'65536'") "," CALICO "}", 500,
		 "mtu=65536"},
		{"{" ID ",'Options':{'com.docker.network.internal':true}," CALICO "}", 500, "--internal"},
		{"{" ID ",'IPv4Data':[{'AddressSpace':'CalicoGlobalAddressSpace','Gateway':'192.168.77.1/32',"
		 "'Pool':'0.0.0.0/0'}]}",
		 500, "--gateway is not supported"},
		{"{" ID ",'IPv4Data':[{'Pool':'10.1.0.0/16'},{'Pool':'10.2.0.0/16'}]}", 500,
		 "2 IPv4 subnets"},
		{"{" ID ",'IPv4Data':[7]}", 400, "IPv4Data must be a list of objects"},
		{"{" ID ",'IPv4Data':{}}", 400, "IPv4Data must be a list"},
		{"{" ID ",'IPv4Data':[{'Pool':'fd80::/64'}]}", 400, "not of IPv4"},
		{"{" ID ",'IPv4Data':[{'Gateway':'0.0.0.0/0','Pool':'0.0.0.0/0'}],'IPv6Data':[{'Gateway':"
		 "'fd80::1/64','Pool':'fd80::/64'}]}",
		 500, "same IPAM driver"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_refused(plugin, CREATE, rows[i].body, rows[i].status, rows[i].part);
	assert_null(value_of(plugin->store, NETWORK_KEY));
	assert_null(value_of(plugin->store, PROFILE_KEY "/tags"));
}

static void test_only_calico_ipam_if_the_setting_says_so(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct config config = *plugin->config;

	plugin->config = &config;
	config.require_calico_ipam = true;
	assert_refused(plugin, CREATE, "{" ID "," OPTIONS("") "," DEFAULT_IPAM "}", 500,
		       "--ipam-driver calico");
	assert_answer(plugin, CREATE, "{" ID "," OPTIONS("") "," CALICO "}", "{}");
}

/* What v0.20 took and stored would be refused today, but its networks must go on working. */
static void test_networks_of_v0_20_are_read(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct network network;
	struct err err;
	char text[] =
		"{'NetworkID':'x','Options':{'com.docker.network.internal':true,'com.docker.network.generic':"
		"{'color':'red','ipip':'certainly','com.docker.network.driver.mtu':'1400'}},'IPv4Data':["
		"{'AddressSpace':'CalicoGlobalAddressSpace','Gateway':'10.1.2.1/32','Pool':'0.0.0.0/0'}]}";

	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	put(plugin->store, NETWORK_KEY, text);
	assert_int_equal(network_read(plugin, NETWORK, &network, &err), 0);
	assert_true(network.calico_ipam);
	assert_int_equal(network.pools[0].addr.family, 0);
}

/* Nothing may stay of a network that Docker was told does not exist. */
static void test_without_a_store_no_network_is_made(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct store *none = open_store("http://127.0.0.1:1"), *store = plugin->store;
	struct err err;

	assert_int_equal(journal_open(directory, NULL, NULL, &plugin->journal, &err), 0);
	plugin->store = none;
	assert_refused(plugin, CREATE, "{" ID "," OPTIONS("") "," CALICO "}", 500, "127.0.0.1:1");
	assert_int_equal(journal_count(plugin->journal), 1);
	assert_answer(plugin, DELETE, "{" ID "}", "{}");
	assert_int_equal(journal_count(plugin->journal), 2);
	plugin->store = store;
	store_close(none);
}

static void create_network(struct plugin *plugin)
{
	assert_answer(plugin, CREATE, "{" ID "," OPTIONS("") "," CALICO "}", "{}");
}

static void test_an_endpoint_is_written(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct workload_endpoint *endpoint;
	struct store_node node;
	struct err err = {""};
	char mac[MAC_TEXT], addr[ADDR_TEXT];

	create_network(plugin);
	assert_answer(plugin, ATTACH, INTERFACE("192.168.77.11/32", "fd77::d/128", ""),
		      "{'Interface':{'MacAddress':'ee:ee:ee:ee:ee:ee'}}");
	assert_int_equal(store_get(plugin->store, ENDPOINTS ENDPOINT, &node, &err), 0);
	assert_int_equal(workload_endpoint_parse(node.value, "cali", &endpoint, &err), 0);
	store_node_done(&node);
	assert_true(endpoint->active);
	assert_string_equal(endpoint->name, "cali11fec705239");
	assert_string_equal(mac_format(endpoint->mac, mac), "ee:ee:ee:ee:ee:ee");
	assert_int_equal(endpoint->profiles.count, 1);
	assert_string_equal(endpoint->profiles.items[0], NETWORK);
	assert_int_equal(endpoint->net_count, 2);
	assert_string_equal(addr_format(&endpoint->nets[0], addr), "192.168.77.11");
	assert_string_equal(addr_format(&endpoint->nets[1], addr), "fd77::d");
	workload_endpoint_free(endpoint);
}

/* Docker's own IPAM says 10.99.0.2/24; the endpoint has the address alone. */
static void test_prefixes_of_dockers_ipam_are_not_written(void **state)
{
	struct plugin *plugin = plugin_of(state);

	create_network(plugin);
	assert_int_equal(call_method(plugin, ATTACH, INTERFACE("10.99.0.2/24", "", "")), 200);
	assert_non_null(strstr(value_of(plugin->store, ENDPOINTS ENDPOINT), "'10.99.0.2/32'"));
}

/* dockerd refuses an answer that repeats the MAC it sent. */
static void test_a_mac_of_the_user_is_kept_and_not_repeated(void **state)
{
	struct plugin *plugin = plugin_of(state);

	create_network(plugin);
	assert_answer(plugin, ATTACH, INTERFACE("192.168.77.11/32", "", "02:11:22:33:44:55"),
		      "{'Interface':{}}");
	assert_non_null(strstr(value_of(plugin->store, ENDPOINTS ENDPOINT), "02:11:22:33:44:55"));
}

static void test_refused_endpoints(void **state)
{
	struct plugin *plugin = plugin_of(state);

	assert_refused(plugin, ATTACH, INTERFACE("192.168.77.11/32", "", ""), 500, "--cluster-store");
	create_network(plugin);
	assert_refused(plugin, ATTACH, INTERFACE("", "", ""), 400, "neither an IPv4 nor an IPv6 address");
	assert_refused(plugin, ATTACH, INTERFACE("fd77::d/128", "", ""), 400, "not of IPv4");
	assert_refused(plugin, ATTACH, INTERFACE("10.1.2.3/32", "", "01:00:5e:00:00:01"), 500,
		       "single interface");
	assert_refused(plugin, ATTACH, INTERFACE("10.1.2.3/32", "", "ee:ee:ee:ee:ee:fe"), 500, "host's side");
	assert_refused(plugin, ATTACH, INTERFACE("10.1.2.3/32", "", "zz"), 400, "is not a MAC address");
	assert_refused(plugin, ATTACH, "{'NetworkID':'" NETWORK "','EndpointID':'" ENDPOINT "'}", 400,
		       "neither");
	assert_refused(plugin, ATTACH, "{'NetworkID':'" NETWORK "','EndpointID':'short'}", 400, "EndpointID");
	assert_null(value_of(plugin->store, ENDPOINTS ENDPOINT));
}

static void test_an_older_endpoint_with_the_address_gives_way(void **state)
{
	static const char other[] =
		"{\"state\":\"active\",\"name\":\"cali0ld0ld0ld0l\",\"mac\":\"ee:ee:ee:ee:ee:ee\","
		"\"profile_ids\":[],\"ipv4_nets\":[\"192.168.77.11/32\"],\"ipv6_nets\":[]}";
	struct plugin *plugin = plugin_of(state);

	create_network(plugin);
	put(plugin->store, ENDPOINTS "0ld0ld0ld0ld0ld", other);
	put(plugin->store, "/calico/v1/host/host-b/workload/libnetwork/libnetwork/endpoint/0ld0ld0ld0ld0ld",
	    other);
	assert_int_equal(call_method(plugin, ATTACH, INTERFACE("192.168.77.12/32", "", "")), 200);
	assert_non_null(value_of(plugin->store, ENDPOINTS "0ld0ld0ld0ld0ld"));
	assert_int_equal(call_method(plugin, ATTACH, INTERFACE("192.168.77.11/32", "", "")), 200);
	assert_null(value_of(plugin->store, ENDPOINTS "0ld0ld0ld0ld0ld"));
	assert_non_null(value_of(plugin->store,
				 "/calico/v1/host/host-b/workload/libnetwork/libnetwork/endpoint/"
				 "0ld0ld0ld0ld0ld"));
	assert_non_null(value_of(plugin->store, ENDPOINTS ENDPOINT));
}

static void test_endpoints_are_deleted_any_number_of_times(void **state)
{
	struct plugin *plugin = plugin_of(state);

	create_network(plugin);
	call_method(plugin, ATTACH, INTERFACE("192.168.77.11/32", "", ""));
	for (int i = 0; i < 2; i++) {
		assert_answer(plugin, "NetworkDriver.Leave", INTERFACE("", "", ""), "{}");
		assert_answer(plugin, "NetworkDriver.DeleteEndpoint", INTERFACE("", "", ""), "{}");
		assert_null(value_of(plugin->store, ENDPOINTS ENDPOINT));
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup_plugin, teardown_plugin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_network_with_calico_ipam),
		TEST(test_an_edited_profile_stays),
		TEST(test_no_profiles_if_the_setting_says_so),
		TEST(test_a_network_with_dockers_ipam),
		TEST(test_options_that_are_off),
		TEST(test_a_pool_of_the_user_is_neither_changed_nor_deleted),
		TEST(test_a_pool_goes_with_its_last_network),
		TEST(test_refused_networks),
		TEST(test_only_calico_ipam_if_the_setting_says_so),
		TEST(test_networks_of_v0_20_are_read),
		TEST(test_without_a_store_no_network_is_made),
		TEST(test_an_endpoint_is_written),
		TEST(test_prefixes_of_dockers_ipam_are_not_written),
		TEST(test_a_mac_of_the_user_is_kept_and_not_repeated),
		TEST(test_refused_endpoints),
		TEST(test_an_older_endpoint_with_the_address_gives_way),
		TEST(test_endpoints_are_deleted_any_number_of_times),
	};

	log_set_level(LOG_LEVEL_NONE);
	return cmocka_run_group_tests(tests, setup_directory, teardown_group);
}
