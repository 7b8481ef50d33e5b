/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Datastore paths: spelled as v0.20 does, split exactly, and closed to names that are no path segment. */
#include "rows.h"
#include "store/keys.h"
#include "util/segment.h"

static struct cidr cidr_of(const char *text)
{
	struct cidr cidr;

	assert_int_equal(cidr_parse(text, &cidr), 0);
	return cidr;
}

static void builders(void **state)
{
	struct cidr pool4 = cidr_of("10.65.0.0/16"), pool6 = cidr_of("FD80:24e2:F998:72d6::/64");
	struct cidr block4 = cidr_of("192.168.1.64/26"), block6 = cidr_of("fd80:24e2:f998:72d6:0::/122");
	char key[KEY_MAX];

	assert_string_equal(key_config(key, "InterfacePrefix"), "/calico/v1/config/InterfacePrefix");
	assert_ptr_equal(key_host(key, "h"), key);
	assert_string_equal(key, "/calico/v1/host/h");
	assert_string_equal(key_host_config(key, "h", "marker"), "/calico/v1/host/h/config/marker");
	assert_string_equal(key_bird_ip(key, "h"), "/calico/v1/host/h/bird_ip");
	assert_string_equal(key_host_workloads(key, "h"), "/calico/v1/host/h/workload");
	assert_string_equal(key_endpoint(key, "h", "o", "w", "e"),
			    "/calico/v1/host/h/workload/o/w/endpoint/e");
	assert_string_equal(key_profile(key, "web"), "/calico/v1/policy/profile/web");
	assert_string_equal(key_profile_part(key, "web", "rules"), "/calico/v1/policy/profile/web/rules");
	assert_string_equal(key_pools(4), "/calico/v1/ipam/v4/pool");
	assert_string_equal(key_pools(6), "/calico/v1/ipam/v6/pool");
	assert_string_equal(key_pool(key, &pool4), "/calico/v1/ipam/v4/pool/10.65.0.0-16");
	assert_string_equal(key_pool(key, &pool6), "/calico/v1/ipam/v6/pool/fd80:24e2:f998:72d6::-64");
	assert_string_equal(key_blocks(4), "/calico/ipam/v2/assignment/ipv4/block");
	assert_string_equal(key_blocks(6), "/calico/ipam/v2/assignment/ipv6/block");
	assert_string_equal(key_block(key, &block4), "/calico/ipam/v2/assignment/ipv4/block/192.168.1.64-26");
	assert_string_equal(key_block(key, &block6),
			    "/calico/ipam/v2/assignment/ipv6/block/fd80:24e2:f998:72d6::-122");
	assert_string_equal(key_ipam_host(key, "h"), "/calico/ipam/v2/host/h");
	assert_string_equal(key_affinities(key, "h", 4), "/calico/ipam/v2/host/h/ipv4/block");
	assert_string_equal(key_affinities(key, "h", 6), "/calico/ipam/v2/host/h/ipv6/block");
	assert_string_equal(key_affinity(key, "h", &block4),
			    "/calico/ipam/v2/host/h/ipv4/block/192.168.1.64-26");
	assert_string_equal(key_affinity(key, "h", &block6),
			    "/calico/ipam/v2/host/h/ipv6/block/fd80:24e2:f998:72d6::-122");
	assert_string_equal(key_handle(key, "h1"), "/calico/ipam/v2/handle/h1");
	assert_string_equal(key_bgp_global(key, "as_num"), "/calico/bgp/v1/global/as_num");
	assert_string_equal(key_bgp_global(key, "peer_v4/192.0.2.1"),
			    "/calico/bgp/v1/global/peer_v4/192.0.2.1");
	assert_string_equal(key_bgp_host(key, "h", NULL), "/calico/bgp/v1/host/h");
	assert_string_equal(key_bgp_host(key, "h", "ip_addr_v4"), "/calico/bgp/v1/host/h/ip_addr_v4");
	assert_string_equal(key_network(key, "0123"), "/calico/libnetwork/v1/0123");
	assert_string_equal(key_felix_status(key, "h", "status"), "/calico/felix/v1/host/h/status");
	assert_string_equal(key_felix_status(key, "h", "workload/o/w/endpoint/e"),
			    "/calico/felix/v1/host/h/workload/o/w/endpoint/e");
}

static void odd_names_reach_nothing(void **state)
{
	static const char *const names[] = {"", ".", "..", "a/b", "/", "../x", "a/", "a\nb", "a\x7f"};
	char key[KEY_MAX], name[400];

	for (size_t i = 0; i < ROWS(names); i++) {
		assert_false(segment_valid(names[i]));
		assert_non_null(segment_fault(names[i]));
		assert_string_equal(key_profile(key, names[i]), KEY_NOWHERE);
		assert_string_equal(key_endpoint(key, "h", names[i], "w", "e"), KEY_NOWHERE);
		assert_string_equal(key_endpoint(key, "h", "o", "w", names[i]), KEY_NOWHERE);
	}
	assert_string_equal(key_bgp_global(key, "peer_v4/../x"), KEY_NOWHERE);
	assert_string_equal(key_bgp_global(key, "peer_v4//x"), KEY_NOWHERE);
	assert_string_equal(key_bgp_host(key, "h", "x/"), KEY_NOWHERE);
	assert_string_equal(key_bgp_host(key, "h/x", NULL), KEY_NOWHERE);

	assert_true(segment_valid("..."));
	assert_true(segment_valid("a b$^\xc3\xa4"));
	memset(name, 'a', sizeof(name));
	name[255] = '\0';
	assert_true(segment_valid(name));
	assert_int_equal(strlen(key_profile(key, name)), strlen(KEY_PROFILES) + 256);
	assert_string_equal(key_endpoint(key, name, name, name, name), KEY_NOWHERE);
	name[255] = 'a';
	name[256] = '\0';
	assert_false(segment_valid(name));
	assert_string_equal(key_profile(key, name), KEY_NOWHERE);
}

static void parser(void **state)
{
	static const struct {
		const char *key;
		enum key_kind kind;
		const char *host, *orchestrator, *workload, *tier, *name;
	} rows[] = {
		{"/calico/v1/Ready", KEY_IS_READY, "", "", "", "", ""},
		{"/calico/v1/config/InterfacePrefix", KEY_IS_CONFIG, "", "", "", "", "InterfacePrefix"},
		{"/calico/v1/host/h/config/marker", KEY_IS_HOST_CONFIG, "h", "", "", "", "marker"},
		{"/calico/v1/host/h.x-y/bird_ip", KEY_IS_BIRD_IP, "h.x-y", "", "", "", ""},
		{"/calico/v1/host/h/workload/o/w/endpoint/e", KEY_IS_ENDPOINT, "h", "o", "w", "", "e"},
		{"/calico/v1/host/a b/workload/$/^/endpoint/e", KEY_IS_ENDPOINT, "a b", "$", "^", "", "e"},
		{"/calico/v1/host/h/endpoint/e", KEY_IS_HOST_ENDPOINT, "h", "", "", "", "e"},
		{"/calico/v1/policy/profile/web/rules", KEY_IS_PROFILE_RULES, "", "", "", "", "web"},
		{"/calico/v1/policy/profile/web/tags", KEY_IS_PROFILE_TAGS, "", "", "", "", "web"},
		{"/calico/v1/policy/profile/web/labels", KEY_IS_PROFILE_LABELS, "", "", "", "", "web"},
		{"/calico/v1/policy/tier/t/metadata", KEY_IS_TIER, "", "", "", "", "t"},
		{"/calico/v1/policy/tier/t/policy/n", KEY_IS_POLICY, "", "", "", "t", "n"},
		{"/calico/v1/ipam/v4/pool/10.0.0.0-8", KEY_IS_POOL, "", "", "", "", "10.0.0.0-8"},
		{"/calico/v1/ipam/v6/pool/fd80::-64", KEY_IS_POOL, "", "", "", "", "fd80::-64"},
		{"/calico/v1/blocklist/v4/10.0.0.0-8", KEY_IS_BLOCKED, "", "", "", "", "10.0.0.0-8"},
		{"/calico/v1/blocklist/v6/fd80::-64", KEY_IS_BLOCKED, "", "", "", "", "fd80::-64"},

		{"/calico/v1/policy/profile/../rules", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/policy/tier/./metadata", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/policy/tier/t/policy/..", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/host/../workload/o/w/endpoint/e", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/host/h/workload/./w/endpoint/e", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/host/h/workload/o/a\nb/endpoint/e", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/host/h/workload/o/w/endpoint/..", KEY_MISNAMED, "", "", "", "", ""},

		{"", KEY_OTHER, "", "", "", "", ""},
		{"/", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v2/Ready", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1x/Ready", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/Readyx", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/Read", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/Ready/", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/Ready/x", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1//Ready", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/config", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/config/", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/config/a/b", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/host/h", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/host//bird_ip", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/host/h/workload", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/host/h/workload/o/w/endpoint", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/host/h/workload/o/w/endpoints/e", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/host/h/workload/o/w/endpoint/e/x", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/host/h/workload/o/w/endpoint/a b", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/host/h/workload/o/w/endpoint/a$", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/host/h/workload/o/w/endpoint/a^", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/host/h/endpoint/a b", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/policy/profile/web", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/policy/profile/web/rule", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/policy/profile/a!b/rules", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/policy/tier//metadata", KEY_OTHER, "", "", "", "", ""},
		{"/calico/v1/policy/tier/+|$/metadata", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/policy/tier/+|$/policy/n", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/policy/tier/t/policy/a,b", KEY_MISNAMED, "", "", "", "", ""},
		{"/calico/v1/ipam/v5/pool/10.0.0.0-8", KEY_OTHER, "", "", "", "", ""},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct key_parts parts;

		memset(&parts, 0xff, sizeof(parts));
		key_parse(rows[i].key, &parts);
		if (parts.kind != rows[i].kind)
			fail_msg("%s: kind %d", rows[i].key, parts.kind);
		assert_string_equal(parts.host, rows[i].host);
		assert_string_equal(parts.orchestrator, rows[i].orchestrator);
		assert_string_equal(parts.workload, rows[i].workload);
		assert_string_equal(parts.tier, rows[i].tier);
		assert_string_equal(parts.name, rows[i].name);
	}
}

static void long_segments(void **state)
{
	char key[700], *name;
	struct key_parts parts;

	name = stpcpy(key, "/calico/v1/config/");
	memset(name, 'a', 256);
	name[255] = '\0';
	key_parse(key, &parts);
	assert_int_equal(parts.kind, KEY_IS_CONFIG);
	assert_string_equal(parts.name, name);
	name[255] = 'a';
	name[256] = '\0';
	key_parse(key, &parts);
	assert_int_equal(parts.kind, KEY_OTHER);
	assert_string_equal(parts.name, "");
}

static void last_segment(void **state)
{
	assert_string_equal(key_last("/a/b"), "b");
	assert_string_equal(key_last("b"), "b");
	assert_string_equal(key_last("/a/"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builders),	cmocka_unit_test(odd_names_reach_nothing),
		cmocka_unit_test(parser),	cmocka_unit_test(long_segments),
		cmocka_unit_test(last_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
