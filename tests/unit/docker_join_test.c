/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Join and Leave with real interfaces, in a namespace of its own: what is made, answered, and undone. */
#include "docker_fixture.h"

#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define CREATE	 "NetworkDriver.CreateNetwork"
#define ATTACH	 "NetworkDriver.CreateEndpoint"
#define JOIN	 "NetworkDriver.Join"
#define LEAVE	 "NetworkDriver.Leave"
#define HOST_END "cali11fec705239"
#define PEER	 "tmp11fec705239"
#define NAMES	 "{'InterfaceName':{'SrcName':'" PEER "','DstPrefix':'cali'},"
#define OF(endpoint, rest)                                                                                   \
	"{'NetworkID':'" NETWORK "','EndpointID':'" endpoint "','SandboxKey':'/netns/a'" rest "}"
#define CALICO(generic)                                                                                      \
	"{'NetworkID':'" NETWORK "','Options':{'com.docker.network.generic':{" generic "}},'IPv4Data':[{"    \
	"'AddressSpace':'CalicoGlobalAddressSpace','Gateway':'0.0.0.0/0','Pool':'0.0.0.0/0'}]}"
#define ROUTE(destination) "{'Destination':'" destination "','RouteType':1,'NextHop':''}"
#define CLOSED		   ",'DisableGatewayService':true}" /* no interface but ours */

static int home;

static int setup_namespace(void **state)
{
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || unshare(CLONE_NEWNET) < 0)
		return -1;
	setup_plugin(state);
	assert_answer(plugin_of(state), CREATE, CALICO(""), "{}");
	return 0;
}

static int teardown_namespace(void **state)
{
	teardown_plugin(state);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return 0;
}

static void attach(struct plugin *plugin, const char *endpoint, const char *addr, const char *addr6)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{'NetworkID':'" NETWORK
		 "','EndpointID':'%s','Interface':{'Address':'%s','AddressIPv6':'%s'}}",
		 endpoint, addr, addr6);
	if (call_method(plugin, ATTACH, body) != 200)
		fail_msg("%s", answer_text);
}

static int index_of(struct plugin *plugin, const char *name)
{
	return link_index(plugin->netlink, name);
}

static unsigned int mtu_of(struct plugin *plugin, const char *name)
{
	struct link_info link;

	assert_int_equal(link_get(plugin->netlink, index_of(plugin, name), &link), 0);
	return link.mtu;
}

static void test_join_makes_a_pair_and_leave_removes_it(void **state)
{
	struct plugin *plugin = plugin_of(state);

	attach(plugin, ENDPOINT, "10.1.2.3/32", "");
	assert_answer(plugin, JOIN, OF(ENDPOINT, ",'Options':{}"),
		      NAMES "'Gateway':'169.254.1.1','GatewayIPv6':'','StaticRoutes':[" ROUTE(
			      "169.254.1.1/32") "]" CLOSED);
	assert_true(index_of(plugin, HOST_END) > 0);
	assert_true(index_of(plugin, PEER) > 0);
	for (int i = 0; i < 2; i++) {
		assert_answer(plugin, LEAVE, OF(ENDPOINT, ""), "{}");
		assert_true(index_of(plugin, HOST_END) < 0);
		assert_true(index_of(plugin, PEER) < 0);
	}
}

static void test_next_hops_by_family(void **state)
{
	struct plugin *plugin = plugin_of(state);

	attach(plugin, ENDPOINT, "10.1.2.3/32", "fd80::3/128");
	assert_answer(plugin, JOIN, OF(ENDPOINT, ""),
		      NAMES "'Gateway':'169.254.1.1','GatewayIPv6':'fe80::1','StaticRoutes':[" ROUTE(
			      "169.254.1.1/32") "," ROUTE("fe80::1/128") "]" CLOSED);
	assert_answer(plugin, LEAVE, OF(ENDPOINT, ""), "{}");
	attach(plugin, ENDPOINT, "", "fd80::3/128");
	assert_answer(plugin, JOIN, OF(ENDPOINT, ""),
		      NAMES "'Gateway':'','GatewayIPv6':'fe80::1','StaticRoutes':[" ROUTE(
			      "fe80::1/128") "]" CLOSED);
}

/* The programs answer for fe80::1 only: the host itself must have the others. */
static void test_the_second_ipv6_next_hop_is_the_hosts(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct interface_address *addresses;
	struct addr hop = address("fe80::2");
	bool found = false;
	size_t count;
	struct err err;

	attach(plugin, "22fec705239bbbbb", "10.1.2.2/32", "");
	assert_int_equal(call_method(plugin, JOIN, OF("22fec705239bbbbb", "")), 200);
	attach(plugin, ENDPOINT, "10.1.2.3/32", "fd80::3/128");
	assert_answer(plugin, JOIN, OF(ENDPOINT, ""),
		      NAMES "'Gateway':'169.254.1.2','GatewayIPv6':'fe80::2','StaticRoutes':[" ROUTE(
			      "169.254.1.2/32") "," ROUTE("fe80::2/128") "]" CLOSED);
	assert_int_equal(address_list(plugin->netlink, &addresses, &count, &err), 0);
	for (size_t i = 0; i < count; i++)
		found |= addresses[i].ifindex == index_of(plugin, HOST_END) &&
			 !addr_compare(&addresses[i].addr, &hop);
	free(addresses);
	assert_true(found);
}

/* Without a gateway dockerd would give the container a second interface on its own bridge, past every policy.
 */
static void test_dockers_ipam_gets_our_gateway(void **state)
{
	struct plugin *plugin = plugin_of(state);

	assert_answer(plugin, CREATE,
		      "{'NetworkID':'" NETWORK "','IPv4Data':[{'AddressSpace':'GlobalDefault','Gateway':"
		      "'10.99.0.1/24','Pool':'10.99.0.0/24'}]}",
		      "{}");
	attach(plugin, ENDPOINT, "10.99.0.2/24", "");
	assert_answer(plugin, JOIN, OF(ENDPOINT, ""),
		      NAMES "'Gateway':'169.254.1.1','GatewayIPv6':'','StaticRoutes':[" ROUTE(
			      "169.254.1.1/32") "]" CLOSED);
}

/* Alone, an endpoint needs no word about its container. */
static void test_endpoints_of_one_sandbox_say_so(void **state)
{
	struct plugin *plugin = plugin_of(state);
	char key[KEY_MAX];

	attach(plugin, "22fec705239bbbbb", "10.1.2.2/32", "");
	assert_int_equal(call_method(plugin, JOIN, OF("22fec705239bbbbb", "")), 200);
	endpoint_key(plugin, "22fec705239bbbbb", key);
	assert_null(strstr(value_of(plugin->store, key), "sandbox"));
	attach(plugin, ENDPOINT, "10.1.2.3/32", "");
	assert_int_equal(call_method(plugin, JOIN, OF(ENDPOINT, "")), 200);
	assert_non_null(strstr(value_of(plugin->store, key), "'sandbox':'a'"));
	endpoint_key(plugin, ENDPOINT, key);
	assert_non_null(strstr(value_of(plugin->store, key), "'sandbox':'a'"));
}

static void test_a_join_that_fails_leaves_nothing(void **state)
{
	struct plugin *plugin = plugin_of(state);

	attach(plugin, ENDPOINT, "10.1.2.3/32", "");
	agent_fails = true;
	assert_refused(plugin, JOIN, OF(ENDPOINT, ""), 500, "policy is not complete yet");
	assert_true(index_of(plugin, HOST_END) < 0);
	assert_true(index_of(plugin, PEER) < 0);
	agent_fails = false;
	/* The number in the sandbox was given back too. */
	assert_int_equal(call_method(plugin, JOIN, OF(ENDPOINT, "")), 200);
	assert_non_null(strstr(answer_text, "169.254.1.1"));
}

static void test_join_again_begins_anew(void **state)
{
	struct plugin *plugin = plugin_of(state);
	int before;

	attach(plugin, ENDPOINT, "10.1.2.3/32", "");
	assert_int_equal(call_method(plugin, JOIN, OF(ENDPOINT, "")), 200);
	before = index_of(plugin, HOST_END);
	assert_int_equal(call_method(plugin, JOIN, OF(ENDPOINT, "")), 200);
	assert_non_null(strstr(answer_text, "169.254.1.1"));
	assert_int_not_equal(index_of(plugin, HOST_END), before);
}

/* 44 bits of two ids are equal: the interface of the first must not go. */
static void test_an_interface_of_another_endpoint_stays(void **state)
{
	struct plugin *plugin = plugin_of(state);
	int before;

	attach(plugin, ENDPOINT, "10.1.2.3/32", "");
	assert_int_equal(call_method(plugin, JOIN, OF(ENDPOINT, "")), 200);
	before = index_of(plugin, HOST_END);
	attach(plugin, "11fec705239fffff", "10.1.2.4/32", "");
	assert_refused(plugin, JOIN, OF("11fec705239fffff", ""), 500, "belongs to endpoint");
	assert_int_equal(index_of(plugin, HOST_END), before);
}

static void test_refused_joins(void **state)
{
	struct plugin *plugin = plugin_of(state);

	assert_refused(plugin, JOIN, OF(ENDPOINT, ""), 500, "does not exist in the datastore");
	assert_refused(plugin, JOIN, "{'NetworkID':'77','EndpointID':'" ENDPOINT "','SandboxKey':'/a'}", 500,
		       "--cluster-store");
	assert_refused(plugin, JOIN, "{'NetworkID':'" NETWORK "','EndpointID':'" ENDPOINT "'}", 400,
		       "SandboxKey");
	assert_refused(plugin, JOIN, "{'NetworkID':'" NETWORK "','EndpointID':'1234'}", 400, "EndpointID");
	assert_refused(plugin, LEAVE, "{'NetworkID':'" NETWORK "'}", 400, "EndpointID");
}

/* An interface without help from libnl; its MTU can be set, unlike a tunnel's of some kernels. */
static void add_device(const char *name, int mtu)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR), control = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	strcpy(request.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
	request.ifr_mtu = mtu;
	assert_int_equal(ioctl(control, SIOCSIFMTU, &request), 0);
	close(control);
}

static void join_for_mtu(struct plugin *plugin, unsigned int expected)
{
	call_method(plugin, LEAVE, OF(ENDPOINT, ""));
	if (call_method(plugin, JOIN, OF(ENDPOINT, "")) != 200)
		fail_msg("%s", answer_text);
	assert_int_equal(mtu_of(plugin, HOST_END), expected);
	assert_int_equal(mtu_of(plugin, PEER), expected);
}

static void test_mtu_comes_from_option_setting_or_tunnel(void **state)
{
	struct plugin *plugin = plugin_of(state);
	struct config config = *plugin->config;

	attach(plugin, ENDPOINT, "10.1.2.3/32", "");
	join_for_mtu(plugin, 1500); /* no default route: the kernel's */
	add_pool(plugin->store, "10.1.0.0/16", ",\"ipip\":\"tunl0\"");
	join_for_mtu(plugin, 1440);
	if (index_of(plugin, "tunl0") < 0) {
		add_device("tunl0", 1300);
		join_for_mtu(plugin, 1300);
	}
	plugin->config = &config;
	config.veth_mtu = 1280;
	join_for_mtu(plugin, 1280);
	assert_answer(plugin, CREATE, CALICO("'com.docker.network.driver.mtu':'1234'"), "{}");
	join_for_mtu(plugin, 1234);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup_namespace, teardown_namespace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_join_makes_a_pair_and_leave_removes_it),  TEST(test_next_hops_by_family),
		TEST(test_the_second_ipv6_next_hop_is_the_hosts),   TEST(test_dockers_ipam_gets_our_gateway),
		TEST(test_endpoints_of_one_sandbox_say_so),	    TEST(test_join_again_begins_anew),
		TEST(test_a_join_that_fails_leaves_nothing),	    TEST(test_join_again_begins_anew),
		TEST(test_an_interface_of_another_endpoint_stays),  TEST(test_refused_joins),
		TEST(test_mtu_comes_from_option_setting_or_tunnel),
	};

	log_set_level(LOG_LEVEL_NONE);
	return cmocka_run_group_tests(tests, setup_directory, teardown_group);
}
