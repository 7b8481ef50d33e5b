/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which endpoints are valid, what is read from them, and that a rewrite loses nothing. */
#include "model/endpoint.h"
#include "rows.h"

#define PREFIX "cali"

static void check_workload(const struct row *row, const char *text, const char *prefix)
{
	struct workload_endpoint *endpoint = NULL;
	struct err err = {""};

	row_check(row, text, workload_endpoint_parse(text, prefix, &endpoint, &err), &err);
	workload_endpoint_free(endpoint);
}

static void workload_documents(void **state)
{
	static const struct row rows[] = {
		{"{'state': 'active', 'name': 'cali1'}", NULL},
		{"{'state': 'inactive', 'name': 'cali1'}", NULL},
		{"[]", "not an object but []"},
		{"'x'", "not an object"},
		{"null", "not an object"},
		{"", "not valid JSON"},
		{"{}", "state is missing"},
		{"{'name': 'cali1'}", "state is missing"},
		{"{'name': 'cali1', 'state': null}", "state: null is not active or inactive"},
		{"{'name': 'cali1', 'state': 'up'}", "state: \"up\""},
		{"{'name': 'cali1', 'state': true}", "state: true"},
		{"{'state': 'active'}", "name is missing"},
		{"{'state': 'active', 'name': null}", "name: null is not an interface name"},
		{"{'state': 'active', 'name': ''}", "name: \"\""},
		{"{'state': 'active', 'name': 5}", "name: 5"},
		{"{'state': 'active', 'name': 'cali/1'}", "name"},
		{"{'state': 'active', 'name': 'eth0'}", "name: \"eth0\" does not start with \"cali\""},
		{"{'state': 'active', 'name': 'cal'}", "does not start with"},
		{"{'state': 'active', 'name': 'cali56789012345'}", NULL},
		{"{'state': 'active', 'name': 'cali567890123456'}", "name"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = row_text(rows[i].text, "");

		check_workload(&rows[i], text, PREFIX);
		free(text);
	}
}

static void other_hosts_have_any_prefix(void **state)
{
	const struct row row = {"{\"state\": \"active\", \"name\": \"eth0\"}", NULL};

	check_workload(&row, row.text, NULL);
}

/* Members of a valid endpoint; ~ is tried as 4 and as 6. */
static void workload_members(void **state)
{
	static const struct row rows[] = {
		{"'sandbox': '26fbd7c3d4'", NULL},
		{"'sandbox': 5", "sandbox: 5"},
		{"'sandbox': ''", "sandbox: \"\""},
		{"'ports': [{'protocol': 'tcp', 'port': 80}]", NULL},
		{"'ports': {}", "ports"},
		{"'ports': [{'protocol': 'icmp', 'port': 80}]", "protocol: \"icmp\""},
		{"'ports': [{'protocol': 'tcp'}]", "port is missing"},
		{"'ports': [{'protocol': 'tcp', 'port': 65536}]", "port: 65536"},
		{"'ports': [{'protocol': 'tcp', 'port': 1, 'host_ip': 'x'}]", "host_ip: \"x\""},
		{"'x': 1", NULL},
		{"'mac': 'ee:9a:33:02:7c:51'", NULL},
		{"'mac': 'EE-9A-33-02-7C-51'", NULL},
		{"'mac': 'nonsense'", "mac: \"nonsense\" is not a MAC address"},
		{"'mac': ''", "mac"},
		{"'mac': 'ee:9a:33:02:7c'", "mac"},
		{"'mac': null", "mac: null is not a MAC address"},
		{"'mac': 5", "mac"},

		{"'profile_ids': []", NULL},
		{"'profile_ids': ['a', 'B_.-9']", NULL},
		{"'profile_ids': null", "profile_ids is not a list but null"},
		{"'profile_ids': 'a'", "profile_ids is not a list"},
		{"'profile_ids': [5]", "profile_ids: 5 is not a name"},
		{"'profile_ids': [null]", "profile_ids: null"},
		{"'profile_ids': ['a', 'b c']", "profile_ids: \"b c\""},
		{"'profile_ids': ['']", "profile_ids"},
		{"'profile_ids': ['a/b']", "profile_ids"},
		{"'profile_id': 'a'", NULL},
		{"'profile_id': null", "profile_id: null is not a name"},
		{"'profile_id': ['a']", "profile_id: [\"a\"]"},
		{"'profile_id': 'a b'", "profile_id"},
		{"'profile_id': null, 'profile_ids': ['a']", NULL},

		{"'labels': {}", NULL},
		{"'labels': {'calico/k8s_namespace': 'a', 'kubernetes.io/x_-y.z': ''}", NULL},
		{"'labels': null", "labels is not an object but null"},
		{"'labels': []", "labels is not an object"},
		{"'labels': {'a': 5}", "labels: value of 'a' is not a string but 5"},
		{"'labels': {'a': null}", "labels: value of 'a'"},
		{"'labels': {'a': ['b']}", "labels: value of 'a'"},
		{"'labels': {'a b': 'c'}", "labels: 'a b' is not a label name"},
		{"'labels': {'': 'c'}", "labels: ''"},
		{"'labels': {'a$': 'c'}", "labels: 'a$'"},

		{"'ipv~_nets': []", NULL},
		{"'ipv~_nets': null", "_nets: null is not a list"},
		{"'ipv~_nets': '10.0.0.1/32'", "_nets: \"10.0.0.1/32\" is not a list"},
		{"'ipv~_nets': ['nonsense']", "_nets: \"nonsense\" is not an IPv"},
		{"'ipv~_nets': [5]", "_nets: 5"},
		{"'ipv~_nets': [null]", "_nets: null"},
		{"'ipv4_nets': ['10.65.3.7/32', '10.65.3.8/24', '10.65.3.9', '10.1/16']", NULL},
		{"'ipv4_nets': ['2001::1/128']", "ipv4_nets: \"2001::1/128\" is not an IPv4 network"},
		{"'ipv4_nets': ['10.0.0.1/33']", "ipv4_nets"},
		{"'ipv6_nets': ['2001::1/128', '2001::2/64', '2001::3']", NULL},
		{"'ipv6_nets': ['10.65.3.7/32']", "ipv6_nets: \"10.65.3.7/32\" is not an IPv6 network"},
		{"'ipv6_nets': ['2001::1/129']", "ipv6_nets"},

		{"'ipv~_gateway': null", NULL},
		{"'ipv~_gateway': 'nonsense'", "_gateway: \"nonsense\" is not an IPv"},
		{"'ipv~_gateway': ''", "_gateway"},
		{"'ipv~_gateway': 5", "_gateway"},
		{"'ipv4_gateway': '10.65.3.1'", NULL},
		{"'ipv4_gateway': '10.65.3.1/32'", "ipv4_gateway"},
		{"'ipv4_gateway': 'fe80::1'", "ipv4_gateway: \"fe80::1\" is not an IPv4 address"},
		{"'ipv6_gateway': 'fe80::1'", NULL},
		{"'ipv6_gateway': '10.65.3.1'", "ipv6_gateway: \"10.65.3.1\" is not an IPv6 address"},

		{"'ipv~_nat': []", NULL},
		{"'ipv~_nat': null", "_nat: null is not a list"},
		{"'ipv~_nat': [5]", "_nat: int_ip"},
		{"'ipv4_nets': ['10.0.0.1/32'], 'ipv4_nat': [{'int_ip': '10.0.0.1', 'ext_ip': '11.0.0.1'}]",
		 NULL},
		{"'ipv4_nets': ['10.0.0.1'], 'ipv4_nat': [{'int_ip': '10.0.1', 'ext_ip': '11.0.0.1'}]", NULL},
		{"'ipv6_nets': ['2001::1/128'], 'ipv6_nat': [{'int_ip': '2001:0::1', 'ext_ip': '2002::1'}]",
		 NULL},
		{"'ipv4_nets': ['10.0.0.1/24'], 'ipv4_nat': [{'int_ip': '10.0.0.1', 'ext_ip': '11.0.0.1'}]",
		 "is not about an address in the endpoint's nets"},
		{"'ipv4_nets': ['10.0.0.1/32'], 'ipv4_nat': [{'int_ip': '10.0.0.2', 'ext_ip': '11.0.0.1'}]",
		 "is not about an address in the endpoint's nets"},
		{"'ipv4_nat': [{'int_ip': '10.0.0.2', 'ext_ip': '11.0.0.1'}]", "in the endpoint's nets"},
		{"'ipv4_nets': ['10.0.0.1/32'], 'ipv4_nat': [{'int_ip': '10.0.0.1'}]", "ipv4_nat: ext_ip"},
		{"'ipv4_nets': ['10.0.0.1/32'], 'ipv4_nat': [{'ext_ip': '10.0.0.1'}]", "ipv4_nat: int_ip"},
		{"'ipv4_nets': ['10.0.0.1/32'], 'ipv4_nat': [{'int_ip': '10.0.0.1', 'ext_ip': '2002::1'}]",
		 "ipv4_nat: ext_ip: \"2002::1\" is not an IPv4 address"},
		{"'ipv4_nets': ['10.0.0.1/32'], 'ipv4_nat': [{'int_ip': null, 'ext_ip': '11.0.0.1'}]",
		 "ipv4_nat: int_ip"},

		{"'expected_ipv~_addrs': []", "does not belong into a workload endpoint"},
		{"'expected_ipv~_addrs': ['10.0.0.1']", "does not belong into a workload endpoint"},
		{"'expected_ipv~_addrs': null", "does not belong into a workload endpoint"},
	};

	for (size_t i = 0; i < ROWS(rows) * 2; i++) {
		char *members = row_text(rows[i / 2].text, i % 2 ? "6" : "4"), *text;

		assert_true(asprintf(&text, "{\"state\": \"active\", \"name\": \"cali1\", %s}", members) > 0);
		check_workload(&rows[i / 2], text, PREFIX);
		free(members);
		free(text);
	}
}

static struct workload_endpoint *parse(const char *rows)
{
	char *text = row_text(rows, "");
	struct workload_endpoint *endpoint;
	struct err err;

	if (workload_endpoint_parse(text, PREFIX, &endpoint, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	free(text);
	return endpoint;
}

static void check_text(const struct workload_endpoint *endpoint, const char *rows)
{
	char *text = workload_endpoint_format(endpoint), *expected = row_text(rows, "");
	struct workload_endpoint *again;
	struct err err;

	assert_string_equal(text, expected);
	if (workload_endpoint_parse(text, PREFIX, &again, &err) != 0)
		fail_msg("%s: own text refused: %s", text, err.text);
	workload_endpoint_free(again);
	free(expected);
	free(text);
}

static void fields_are_read(void **state)
{
	static const uint8_t mac[6] = {0xee, 0x9a, 0x33, 0x02, 0x7c, 0x51};
	struct workload_endpoint *endpoint =
		parse("{'state': 'inactive', 'name': 'cali7f0c1d2e3a4', 'mac': 'EE:9A:33:02:7C:51',"
		      " 'profile_ids': ['web', 'ops'], 'ipv6_nets': ['fd5f:11::7/128'],"
		      " 'ipv4_nets': ['10.65.3.7/32', '10.65.3.8/24'], 'ipv4_gateway': '10.65.3.1',"
		      " 'ipv6_gateway': 'fe80::1', 'labels': {'z': '1', 'role': 'frontend'},"
		      " 'ipv4_nat': [{'int_ip': '10.65.3.7', 'ext_ip': '203.0.113.9'}], 'ipv6_nat': []}");
	char text[ADDR_TEXT];

	assert_false(endpoint->active);
	assert_string_equal(endpoint->name, "cali7f0c1d2e3a4");
	assert_true(endpoint->has_mac);
	assert_memory_equal(endpoint->mac, mac, 6);
	assert_int_equal(endpoint->profiles.count, 2);
	assert_string_equal(endpoint->profiles.items[0], "web");
	assert_string_equal(endpoint->profiles.items[1], "ops");
	assert_string_equal(labels_get(&endpoint->labels, "role"), "frontend");
	assert_string_equal(labels_get(&endpoint->labels, "z"), "1");
	assert_null(labels_get(&endpoint->labels, "y"));
	assert_int_equal(endpoint->net_count, 3);
	assert_string_equal(addr_format(&endpoint->nets[0], text), "10.65.3.7");
	assert_string_equal(addr_format(&endpoint->nets[1], text), "10.65.3.8");
	assert_string_equal(addr_format(&endpoint->nets[2], text), "fd5f:11::7");
	assert_int_equal(endpoint->nat_count, 1);
	assert_string_equal(addr_format(&endpoint->nat[0].internal, text), "10.65.3.7");
	assert_string_equal(addr_format(&endpoint->nat[0].external, text), "203.0.113.9");
	assert_string_equal(addr_format(&endpoint->gateway4, text), "10.65.3.1");
	assert_string_equal(addr_format(&endpoint->gateway6, text), "fe80::1");
	workload_endpoint_free(endpoint);
}

static void absent_members(void **state)
{
	struct workload_endpoint *endpoint = parse("{'state': 'active', 'name': 'cali1'}");

	assert_true(endpoint->active);
	assert_false(endpoint->has_mac);
	assert_int_equal(endpoint->profiles.count, 0);
	assert_int_equal(endpoint->labels.count, 0);
	assert_int_equal(endpoint->net_count, 0);
	assert_int_equal(endpoint->gateway4.family, 0);
	assert_int_equal(endpoint->gateway6.family, 0);
	workload_endpoint_free(endpoint);
}

static void single_profile_becomes_a_list(void **state)
{
	struct workload_endpoint *endpoint =
		parse("{'state': 'active', 'name': 'cali1', 'profile_id': 'web'}");

	assert_int_equal(endpoint->profiles.count, 1);
	assert_string_equal(endpoint->profiles.items[0], "web");
	check_text(endpoint,
		   "{'state':'active','name':'cali1','profile_ids':['web'],'labels':{},'ipv4_nets':[],"
		   "'ipv6_nets':[]}");
	workload_endpoint_free(endpoint);
}

static void sandbox_and_ports_are_kept(void **state)
{
	struct workload_endpoint *endpoint = parse(
		"{'state':'active','name':'cali1','profile_ids':[],'labels':{},'sandbox':'26fb','ports':"
		"[{'protocol':'tcp','port':80},{'protocol':'udp','port':53,'host_ip':'fd30::2',"
		"'host_port':5353,'host_port_end':5354}],'ipv4_nets':[],'ipv6_nets':[]}");
	char *text;

	assert_string_equal(endpoint->sandbox, "26fb");
	assert_int_equal(endpoint->port_count, 2);
	text = endpoint_port_format(&endpoint->ports[0]);
	assert_string_equal(text, "0->80/tcp");
	free(text);
	text = endpoint_port_format(&endpoint->ports[1]);
	assert_string_equal(text, "[fd30::2]:5353-5354->53/udp");
	free(text);
	check_text(endpoint,
		   "{'state':'active','name':'cali1','profile_ids':[],'labels':{},'sandbox':'26fb','ports':"
		   "[{'protocol':'tcp','port':80},{'protocol':'udp','port':53,'host_ip':'fd30::2',"
		   "'host_port':5353,'host_port_end':5354}],'ipv4_nets':[],'ipv6_nets':[]}");
	workload_endpoint_free(endpoint);
}

static void rewrite_keeps_the_rest(void **state)
{
	struct workload_endpoint *endpoint =
		parse("{'state': 'active', 'x': {'y': [null]}, 'name': 'cali1', 'mac': 'EE:EE:EE:EE:EE:EE',"
		      " 'profile_ids': ['a'], 'ipv4_nets': ['10.0.0.1/24'], 'ipv6_nets': [],"
		      " 'ipv4_gateway': '10.0.0.254', 'ipv6_gateway': null, 'ipv4_nat': []}");

	assert_int_equal(strings_add(&endpoint->profiles, "b"), 0);
	check_text(endpoint, "{'state':'active','x':{'y':[null]},'name':'cali1','mac':'ee:ee:ee:ee:ee:ee',"
			     "'profile_ids':['a','b'],'ipv4_nets':['10.0.0.1/32'],'ipv6_nets':[],"
			     "'ipv4_gateway':'10.0.0.254','ipv6_gateway':null,'ipv4_nat':[],'labels':{}}");
	workload_endpoint_free(endpoint);
}

static void new_endpoint(void **state)
{
	static const uint8_t mac[6] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
	struct workload_endpoint *endpoint = workload_endpoint_new("cali0123456789a", mac);
	static const char *const addresses[] = {"10.0.0.2", "fd00::1", "10.0.0.1"};
	struct addr addr;

	for (size_t i = 0; i < ROWS(addresses); i++) {
		assert_int_equal(addr_parse(addresses[i], &addr), 0);
		assert_int_equal(workload_endpoint_add_net(endpoint, &addr), 0);
	}
	assert_int_equal(addr_parse("192.0.2.1", &endpoint->gateway4), 0);
	assert_int_equal(labels_set(&endpoint->labels, "role", "db"), 0);
	assert_int_equal(endpoint->nets[2].family, 6);
	check_text(endpoint,
		   "{'state':'active','name':'cali0123456789a','mac':'ee:ee:ee:ee:ee:ee','profile_ids':[],"
		   "'labels':{'role':'db'},'ipv4_nets':['10.0.0.2/32','10.0.0.1/32'],"
		   "'ipv6_nets':['fd00::1/128'],'ipv4_gateway':'192.0.2.1'}");
	workload_endpoint_free(endpoint);
}

/* ~ is tried as 4 and as 6. */
static void host_endpoints(void **state)
{
	static const struct row rows[] = {
		{"{'name': 'eth1'}", NULL},
		{"{'name': 'eth1', 'x': 1, 'profile_ids': ['metal'], 'labels': {'zone': 'dmz'}}", NULL},
		{"{'expected_ipv4_addrs': ['192.0.2.40']}", NULL},
		{"{'expected_ipv6_addrs': ['2001::1']}", NULL},
		{"{'name': 'eth1', 'expected_ipv~_addrs': []}", NULL},
		{"[]", "not an object"},
		{"null", "not an object"},
		{"{}", "neither a name nor expected addresses"},
		{"{'expected_ipv~_addrs': []}", "neither a name nor expected addresses"},
		{"{'name': null}", "name: null"},
		{"{'name': ''}", "name: \"\""},
		{"{'name': 5}", "name: 5"},
		{"{'name': 'abcdefghijklmnop'}", "name"},
		{"{'name': 'eth1', 'state': 'active'}", "state does not belong into a host endpoint"},
		{"{'name': 'eth1', 'mac': 'ee:ee:ee:ee:ee:ee'}", "mac does not belong"},
		{"{'name': 'eth1', 'mac': null}", "mac does not belong"},
		{"{'name': 'eth1', 'ipv~_nets': []}", "_nets does not belong"},
		{"{'name': 'eth1', 'ipv~_gateway': null}", "_gateway does not belong"},
		{"{'name': 'eth1', 'ipv~_nat': []}", "_nat does not belong"},
		{"{'name': 'eth1', 'expected_ipv~_addrs': null}", "_addrs: null is not a list"},
		{"{'name': 'eth1', 'expected_ipv~_addrs': '192.0.2.40'}",
		 "_addrs: \"192.0.2.40\" is not a list"},
		{"{'name': 'eth1', 'expected_ipv~_addrs': ['nonsense']}",
		 "_addrs: \"nonsense\" is not an IPv"},
		{"{'name': 'eth1', 'expected_ipv~_addrs': [5]}", "_addrs: 5"},
		{"{'name': 'eth1', 'expected_ipv4_addrs': ['192.0.2.0/24']}", "_addrs: \"192.0.2.0/24\""},
		{"{'name': 'eth1', 'expected_ipv4_addrs': ['2001::1']}", "expected_ipv4_addrs: \"2001::1\""},
		{"{'name': 'eth1', 'expected_ipv6_addrs': ['192.0.2.40']}", "expected_ipv6_addrs"},
		{"{'name': 'eth1', 'profile_ids': ['a b']}", "profile_ids"},
		{"{'name': 'eth1', 'labels': {'a': 1}}", "labels"},
	};

	for (size_t i = 0; i < ROWS(rows) * 2; i++) {
		char *text = row_text(rows[i / 2].text, i % 2 ? "6" : "4");
		struct host_endpoint *endpoint = NULL;
		struct err err = {""};

		row_check(&rows[i / 2], text, host_endpoint_parse(text, &endpoint, &err), &err);
		host_endpoint_free(endpoint);
		free(text);
	}
}

static void host_endpoint_fields(void **state)
{
	char *text = row_text("{'name': 'eth1', 'expected_ipv6_addrs': ['2001::1'],"
			      " 'expected_ipv4_addrs': ['192.0.2.40', '192.168.1'],"
			      " 'profile_ids': ['metal'], 'labels': {'zone': 'dmz'}}",
			      "");
	struct host_endpoint *endpoint;
	char addr[ADDR_TEXT];

	assert_int_equal(host_endpoint_parse(text, &endpoint, NULL), 0);
	assert_string_equal(endpoint->name, "eth1");
	assert_int_equal(endpoint->expected_count, 3);
	assert_string_equal(addr_format(&endpoint->expected[0], addr), "192.0.2.40");
	assert_string_equal(addr_format(&endpoint->expected[1], addr), "192.168.0.1");
	assert_string_equal(addr_format(&endpoint->expected[2], addr), "2001::1");
	assert_true(strings_has(&endpoint->profiles, "metal"));
	assert_string_equal(labels_get(&endpoint->labels, "zone"), "dmz");
	host_endpoint_free(endpoint);
	free(text);
}

static void long_lists_are_refused(void **state)
{
	char text[256 * 16],
		*end = stpcpy(text, "{\"state\": \"active\", \"name\": \"cali1\", \"ipv4_nets\": [");
	struct workload_endpoint *endpoint;
	struct err err;

	for (int i = 0; i < 257; i++)
		end = stpcpy(end, "\"10.0.0.1\",");
	strcpy(end - 1, "]}");
	assert_int_equal(workload_endpoint_parse(text, NULL, &endpoint, &err), -EBADMSG);
	assert_string_equal(err.text, "ipv4_nets has more than 256 entries");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workload_documents),
		cmocka_unit_test(other_hosts_have_any_prefix),
		cmocka_unit_test(workload_members),
		cmocka_unit_test(fields_are_read),
		cmocka_unit_test(absent_members),
		cmocka_unit_test(single_profile_becomes_a_list),
		cmocka_unit_test(sandbox_and_ports_are_kept),
		cmocka_unit_test(new_endpoint),
		cmocka_unit_test(rewrite_keeps_the_rest),
		cmocka_unit_test(new_endpoint),
		cmocka_unit_test(host_endpoints),
		cmocka_unit_test(host_endpoint_fields),
		cmocka_unit_test(long_lists_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
