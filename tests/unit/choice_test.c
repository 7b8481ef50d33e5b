/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which address a host is known by, and what is an uplink, among interfaces of all kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/choice.h"

struct interface {
	const char *name, *kind, *address;
	bool local; /* scope link */
};

#define MOST 8

/* The address chosen among `in`, whose indexes count from 1; "": none. */
static const char *chosen(const struct interface *in, size_t count, int default_link, const char *uplinks)
{
	struct interface_address addresses[MOST] = {0};
	struct link_info links[MOST] = {0};
	struct address_choice choice = {addresses, count, links, count, uplinks, "cali", default_link};
	const struct interface_address *found;
	static char text[ADDR_TEXT];

	for (size_t i = 0; i < count; i++) {
		links[i].ifindex = addresses[i].ifindex = (int)i + 1;
		snprintf(links[i].name, sizeof(links[i].name), "%s", in[i].name);
		snprintf(links[i].kind, sizeof(links[i].kind), "%s", in[i].kind);
		snprintf(addresses[i].link, sizeof(addresses[i].link), "%s", in[i].name);
		assert_int_equal(addr_parse(in[i].address, &addresses[i].addr), 0);
		addresses[i].global = !in[i].local;
	}
	found = choice_host_address(&choice);
	return found ? addr_format(&found->addr, text) : "";
}

#define EXPECT(address, default_link, uplinks, ...)                                                          \
	do {                                                                                                 \
		const struct interface in[] = {__VA_ARGS__};                                                 \
		assert_string_equal(chosen(in, sizeof(in) / sizeof(in[0]), default_link, uplinks), address); \
	} while (0)

#define LO                                                                                                   \
	{                                                                                                    \
		"lo", "", "127.0.0.1", true                                                                  \
	}

static void test_the_default_route_s_interface_comes_first(void **state)
{
	EXPECT("192.0.2.2", 3, "", LO, {"eth0", "", "10.0.0.1", false}, {"eth1", "", "192.0.2.2", false},
	       {"eth2", "", "10.0.1.1", false});
	EXPECT("10.0.0.1", 0, "", LO, {"eth0", "", "10.0.0.1", false}, {"eth1", "", "192.0.2.2", false});
	/* The default route of IPv6 only, or of an interface without an address. */
	EXPECT("10.0.0.1", 2, "", LO, {"eth9", "", "fd00::1", false}, {"eth0", "", "10.0.0.1", false});
}

static void test_bridges_of_containers_are_never_chosen(void **state)
{
	static const char *const names[] = {"br-0a1b2c3d4e5f", "docker0",  "docker_gwbridge", "cni0",
					    "podman0",	       "nerdctl0", "nomad",	      "virbr0",
					    "vxlan.calico",    "wg0",	   "cali12345",	      "tunl0",
					    "mybridge"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *kind = strcmp(names[i], "wg0") ? "bridge" : "wireguard";

		EXPECT("192.0.2.2", 0, "", LO, {names[i], kind, "172.18.0.1", false},
		       {"eth0", "", "192.0.2.2", false}, {names[i], kind, "172.19.0.1", false});
		EXPECT("192.0.2.2", 2, "", LO, {"eth0", "", "192.0.2.2", false},
		       {names[i], kind, "172.18.0.1", false});
		EXPECT("", 0, "", LO, {names[i], kind, "172.18.0.1", false});
		/* The administrator's word. */
		EXPECT("172.18.0.1", 2, names[i], LO, {names[i], kind, "172.18.0.1", false},
		       {"eth0", "", "192.0.2.2", false});
	}
}

static void test_a_bridge_is_chosen_if_the_default_route_leaves_by_it(void **state)
{
	EXPECT("192.0.2.2", 3, "", LO, {"eth1", "", "10.0.0.1", false},
	       {"br0", "bridge", "192.0.2.2", false});
	EXPECT("10.0.0.1", 0, "", LO, {"br0", "bridge", "192.0.2.2", false}, {"eth1", "", "10.0.0.1", false});
	/* A VPN that takes the default route does not take the host's address. */
	EXPECT("10.0.0.1", 3, "", LO, {"eth1", "", "10.0.0.1", false},
	       {"wg0", "wireguard", "10.9.0.1", false});
	/* Nothing else is there. */
	EXPECT("192.0.2.2", 2, "", LO, {"br-ex", "openvswitch", "192.0.2.2", false});
}

static void test_names_are_compared_whole(void **state)
{
	EXPECT("192.0.2.2", 0, "eth3,mybridge2,br", LO, {"mybridge", "bridge", "172.18.0.1", false},
	       {"eth0", "", "192.0.2.2", false});
	EXPECT("172.18.0.1", 0, "eth3,mybridge", LO, {"mybridge", "bridge", "172.18.0.1", false},
	       {"eth0", "", "192.0.2.2", false});
}

static void test_global_addresses_come_before_others(void **state)
{
	EXPECT("192.0.2.2", 0, "", LO, {"eth0", "", "169.254.7.7", false}, {"eth1", "", "10.0.0.1", true},
	       {"eth2", "", "192.0.2.2", false}, {"eth3", "", "192.0.2.3", false});
	EXPECT("10.0.0.1", 0, "", LO, {"eth0", "", "169.254.7.7", false}, {"eth1", "", "10.0.0.1", true});
	EXPECT("", 0, "", LO);
}

static void test_a_bridge_is_an_uplink_only_by_the_default_route(void **state)
{
	const struct link_info bridge = {.name = "br0", .kind = "bridge"}, card = {.name = "eth0"};

	assert_false(choice_is_uplink(&bridge, false));
	assert_true(choice_is_uplink(&bridge, true));
	assert_true(choice_is_uplink(&card, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_default_route_s_interface_comes_first),
		cmocka_unit_test(test_bridges_of_containers_are_never_chosen),
		cmocka_unit_test(test_a_bridge_is_chosen_if_the_default_route_leaves_by_it),
		cmocka_unit_test(test_names_are_compared_whole),
		cmocka_unit_test(test_global_addresses_come_before_others),
		cmocka_unit_test(test_a_bridge_is_an_uplink_only_by_the_default_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
