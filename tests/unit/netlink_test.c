/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Links, addresses, routes, neighbours and their notifications, in a network namespace per test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <sys/socket.h>

#include "netlink/netlink.h"
#include "util/task.h"

static struct netlink *nl;
static struct event_base *base;
static int home = -1;

static int enter(void **state)
{
	struct err err;

	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || unshare(CLONE_NEWNET))
		return -1;
	base = event_base_new();
	task_init(base);
	return netlink_open(&nl, &err);
}

static int leave(void **state)
{
	netlink_close(nl);
	event_base_free(base);
	if (setns(home, CLONE_NEWNET))
		return -1;
	return close(home);
}

static void ok(int rc, const struct err *err)
{
	if (rc)
		fail_msg("%d: %s", rc, err->text);
}

static int make_pair(const char *host, const char *peer)
{
	const struct veth_spec spec = {
		.host_name = host,
		.peer_name = peer,
		.host_mac = {0xee, 0xee, 0xee, 0xee, 0xee, 0xfe},
		.peer_mac = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee},
		.mtu = 1440,
	};
	struct err err;
	int ifindex = -1;

	ok(link_make_veth(nl, &spec, &ifindex, &err), &err);
	return ifindex;
}

static struct addr address(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

/* The file of the interface in /proc or /sys that the kernel itself writes. */
static const char *setting(const char *path)
{
	static char value[128];

	assert_int_equal(sysctl_read(path, value, sizeof(value)), 0);
	return value;
}

/* What the command prints; until the next call. */
static const char *output(const char *command)
{
	static char text[1024];
	FILE *pipe = popen(command, "r");
	size_t length = fread(text, 1, sizeof(text) - 1, pipe);

	text[length] = '\0';
	assert_int_equal(pclose(pipe), 0);
	return text;
}

static void test_veth_pair_is_made_as_specified(void **state)
{
	struct link_info link, peer;
	int ifindex = make_pair("cali0", "tmp0");

	assert_int_equal(link_get(nl, ifindex, &link), 0);
	assert_string_equal(link.name, "cali0");
	assert_string_equal(link.kind, "veth");
	assert_int_equal(link.mtu, 1440);
	assert_false(link.up);
	assert_true(link.peer_is_local);
	assert_int_equal(link_get(nl, link_index(nl, "tmp0"), &peer), 0);
	assert_int_equal(peer.mtu, 1440);
	assert_false(peer.up);
	assert_int_equal(peer.ifindex, link.peer_ifindex);
	assert_int_equal(peer.peer_ifindex, ifindex);
}

static void test_veth_macs_are_those_asked_for(void **state)
{
	make_pair("cali0", "tmp0");
	assert_non_null(strstr(output("ip -o link show cali0"), "link/ether ee:ee:ee:ee:ee:fe"));
	assert_non_null(strstr(output("ip -o link show tmp0"), "link/ether ee:ee:ee:ee:ee:ee"));
}

static void test_taken_name_is_reported(void **state)
{
	struct veth_spec spec = {
		.host_name = "cali1", .peer_name = "tmp0", .host_mac = {2}, .peer_mac = {2, 1}};
	struct err err;
	int ifindex;

	make_pair("cali0", "tmp0");
	assert_int_equal(link_make_veth(nl, &spec, &ifindex, &err), -EEXIST);
	assert_non_null(strstr(err.text, "tmp0"));
	assert_int_equal(link_index(nl, "cali1"), -ENODEV);
}

static void test_delete_is_idempotent_and_takes_the_peer(void **state)
{
	int ifindex = make_pair("cali0", "tmp0");
	struct link_info link;
	struct err err;

	ok(link_delete(nl, ifindex, &err), &err);
	assert_int_equal(link_get(nl, ifindex, &link), -ENODEV);
	assert_int_equal(link_index(nl, "tmp0"), -ENODEV);
	ok(link_delete(nl, ifindex, &err), &err);
	assert_true(link_set_up(nl, ifindex, NULL, &err) < 0);
}

static void test_running_needs_both_ends(void **state)
{
	int ifindex = make_pair("cali0", "tmp0");
	struct link_info link;
	struct err err;

	ok(link_set_up(nl, ifindex, NULL, &err), &err);
	ok(link_set_up(nl, ifindex, NULL, &err), &err);
	assert_int_equal(link_get(nl, ifindex, &link), 0);
	assert_true(link.up);
	assert_false(link.running);
	ok(link_set_up(nl, link.peer_ifindex, NULL, &err), &err);
	assert_int_equal(link_get(nl, ifindex, &link), 0);
	assert_true(link.running);
}

static void test_links_are_listed(void **state)
{
	struct link_info *links;
	struct err err;
	size_t count;

	make_pair("cali0", "tmp0");
	ok(link_list(nl, &links, &count, &err), &err);
	for (size_t i = 0; i < count; i++) {
		if (links[i].loopback)
			assert_string_equal(links[i].name, "lo");
		else
			assert_true(!strcmp(links[i].name, "cali0") || !strcmp(links[i].name, "tmp0") ||
				    strcmp(links[i].kind, "veth"));
	}
	assert_true(count >= 3);
	free(links);
}

static void test_peer_in_another_namespace_is_not_local(void **state)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), ifindex;
	struct link_info link;
	char command[96];

	ifindex = make_pair("cali0", "tmp0");
	snprintf(command, sizeof(command), "ip link set tmp0 netns /proc/%d/fd/%d", getpid(), home);
	/* Moved into the namespace that the test came from, under a name that nobody uses there, and back. */
	snprintf(command, sizeof(command), "ip link set tmp0 name nltest%d", getpid() % 100000);
	assert_int_equal(system(command), 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	snprintf(command, sizeof(command), "nsenter --net=/proc/%d/fd/%d ip link set nltest%d netns %d",
		 getpid(), here, getpid() % 100000, getpid());
	assert_int_equal(system(command), 0);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	close(here);
	assert_int_equal(link_get(nl, ifindex, &link), 0);
	assert_false(link.peer_is_local);
	assert_string_equal(link.kind, "veth");
}

static void test_addresses_are_added_once(void **state)
{
	const struct addr v4 = address("192.0.2.1"), v6 = address("2001:db8::1");
	int ifindex = make_pair("cali0", "tmp0"), found = 0;
	struct interface_address *list;
	struct err err;
	size_t count;

	for (int i = 0; i < 2; i++) {
		ok(address_add(nl, ifindex, &v4, 24, &err), &err);
		ok(address_add(nl, ifindex, &v6, 64, &err), &err);
	}
	ok(address_list(nl, &list, &count, &err), &err);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(list[i].link, "cali0");
		assert_int_equal(list[i].ifindex, ifindex);
		found += !addr_compare(&list[i].addr, &v4) && list[i].length == 24;
		found += !addr_compare(&list[i].addr, &v6) && list[i].length == 64;
	}
	assert_int_equal(found, 2);
	assert_int_equal(count, 2);
	free(list);
	assert_true(address_add(nl, 4711, &v4, 24, &err) < 0);
}

static size_t host_routes(int ifindex, const struct addr *addr)
{
	struct host_route *routes;
	size_t count, found = 0;
	struct err err;

	ok(route_list_hosts(nl, ifindex, &routes, &count, &err), &err);
	for (size_t i = 0; i < count; i++)
		found += !addr_compare(&routes[i].addr, addr) && (!ifindex || routes[i].ifindex == ifindex);
	free(routes);
	return found;
}

static void test_host_routes_are_replaced_and_deleted(void **state)
{
	static const char *const texts[] = {"10.65.0.2", "fd65::2"};
	int one = make_pair("cali0", "tmp0"), two = make_pair("cali1", "tmp1");
	struct err err;

	ok(link_set_up(nl, one, NULL, &err), &err);
	ok(link_set_up(nl, two, NULL, &err), &err);
	ok(link_set_up(nl, link_index(nl, "tmp0"), NULL, &err), &err);
	ok(link_set_up(nl, link_index(nl, "tmp1"), NULL, &err), &err);
	for (size_t i = 0; i < 2; i++) {
		const struct addr addr = address(texts[i]);

		ok(route_add_host(nl, one, &addr, &err), &err);
		ok(route_add_host(nl, one, &addr, &err), &err);
		assert_int_equal(host_routes(one, &addr), 1);
		ok(route_add_host(nl, two, &addr, &err), &err);
		assert_int_equal(host_routes(one, &addr), 0);
		assert_int_equal(host_routes(two, &addr), 1);
		assert_int_equal(host_routes(0, &addr), 1);
		/* Of another interface: not touched. */
		ok(route_delete_host(nl, one, &addr, &err), &err);
		assert_int_equal(host_routes(two, &addr), 1);
		ok(route_delete_host(nl, two, &addr, &err), &err);
		ok(route_delete_host(nl, two, &addr, &err), &err);
		assert_int_equal(host_routes(0, &addr), 0);
	}
}

static void test_only_host_routes_of_the_main_table_are_listed(void **state)
{
	const struct addr addr = address("10.65.0.2"), other = address("10.65.0.3"),
			  own = address("192.0.2.1");
	const struct addr own6 = address("2001:db8::1");
	int ifindex = make_pair("cali0", "tmp0");
	struct host_route *routes;
	struct err err;
	size_t count;

	ok(link_set_up(nl, ifindex, NULL, &err), &err);
	ok(link_set_up(nl, link_index(nl, "tmp0"), NULL, &err), &err);
	ok(address_add(nl, ifindex, &own, 24, &err), &err);
	ok(address_add(nl, ifindex, &own6, 128, &err), &err);
	ok(route_add_host(nl, ifindex, &addr, &err), &err);
	ok(route_add_host(nl, ifindex, &other, &err), &err);
	assert_int_equal(
		system("ip route add 10.66.0.0/16 dev cali0 && ip route add table 7 10.65.0.9 dev cali0"), 0);
	ok(route_list_hosts(nl, ifindex, &routes, &count, &err), &err);
	assert_int_equal(count, 2);
	free(routes);
	ok(route_list_hosts(nl, 4711, &routes, &count, &err), &err);
	assert_int_equal(count, 0);
	free(routes);
}

static void test_route_needs_the_interface_up(void **state)
{
	const struct addr addr = address("10.65.0.2");
	int ifindex = make_pair("cali0", "tmp0");
	struct err err;

	assert_true(route_add_host(nl, ifindex, &addr, &err) < 0);
	assert_non_null(strstr(err.text, "10.65.0.2"));
}

static void test_default_link_is_that_of_the_lowest_metric(void **state)
{
	unsigned int mtu;
	int ifindex = make_pair("cali0", "tmp0"), found;

	make_pair("cali1", "tmp1");
	assert_int_equal(route_default_link(nl, 4, &found, &mtu), -ENOENT);
	assert_int_equal(route_default_link(nl, 6, &found, &mtu), -ENOENT);
	assert_int_equal(
		system("for i in cali0 tmp0 cali1 tmp1; do ip link set $i up; done; ip link set cali0 mtu 1300;"
		       "ip route add default dev cali1 metric 50; ip route add default dev cali0 metric 20;"
		       "ip -6 route add default dev cali1 metric 50; ip -6 route add default dev cali0 metric 20"),
		0);
	assert_int_equal(route_default_link(nl, 4, &found, &mtu), 0);
	assert_int_equal(found, ifindex);
	assert_int_equal(mtu, 1300);
	assert_int_equal(route_default_link(nl, 6, &found, &mtu), 0);
	assert_int_equal(found, ifindex);
}

#define NEIGHBOURS "ip neigh show nud permanent; ip -6 neigh show nud permanent"

static void test_neighbours_are_permanent_and_follow_the_mac(void **state)
{
	static const uint8_t first[6] = {2, 0, 0, 0, 0, 1}, second[6] = {2, 0, 0, 0, 0, 2};
	const struct addr v4 = address("10.65.0.2"), v6 = address("fd65::2");
	int ifindex = make_pair("cali0", "tmp0");
	struct err err;

	ok(link_set_up(nl, ifindex, NULL, &err), &err);
	ok(neighbour_add(nl, ifindex, &v4, first, &err), &err);
	ok(neighbour_add(nl, ifindex, &v6, first, &err), &err);
	assert_non_null(strstr(output(NEIGHBOURS), "10.65.0.2 dev cali0 lladdr 02:00:00:00:00:01"));
	ok(neighbour_add(nl, ifindex, &v4, second, &err), &err);
	assert_non_null(strstr(output(NEIGHBOURS), "10.65.0.2 dev cali0 lladdr 02:00:00:00:00:02"));
	assert_non_null(strstr(output(NEIGHBOURS), "fd65::2 dev cali0 lladdr 02:00:00:00:00:01"));
	for (int i = 0; i < 2; i++) {
		ok(neighbour_delete(nl, ifindex, &v4, &err), &err);
		ok(neighbour_delete(nl, ifindex, &v6, &err), &err);
	}
	assert_string_equal(output(NEIGHBOURS), "");
	ok(neighbour_delete(nl, 4711, &v4, &err), &err);
}

static void test_sysctl_of_an_interface(void **state)
{
	struct err err;
	char value[8];

	make_pair("cali.0", "tmp0");
	ok(sysctl_write("ipv4/conf/cali.0/rp_filter", "1", &err), &err);
	assert_string_equal(setting("ipv4/conf/cali.0/rp_filter"), "1");
	ok(sysctl_write("ipv4/conf/cali.0/rp_filter", "0", &err), &err);
	assert_string_equal(setting("ipv4/conf/cali.0/rp_filter"), "0");
	assert_int_equal(sysctl_write("ipv4/conf/nosuch/rp_filter", "1", &err), -ENOENT);
	assert_int_equal(sysctl_write("ipv4/conf/../../../kernel/panic", "1", &err), -EINVAL);
	assert_int_equal(sysctl_read("../kernel/panic", value, sizeof(value)), -EINVAL);
}

/* ---- notifications ---- */

struct seen {
	char link[16]; /* the last whose name starts with "cali" */
	bool up;
	int gone;
	struct interface_address address;
	bool address_gone;
	int links; /* distinct veths that were announced and not gone since */
	unsigned int routing, of_default;
	int watched; /* index of an interface, or -1 */
	unsigned int touched, touched_all;
};

static void on_link(void *arg, const struct link_info *link, bool gone)
{
	struct seen *seen = arg;

	if (!strncmp(link->name, "cali", 4)) {
		snprintf(seen->link, sizeof(seen->link), "%s", link->name);
		seen->gone += gone;
		seen->up = link->up;
	}
	if (!strncmp(link->name, "many", 4))
		seen->links += gone ? -1 : 1;
}

static void on_address(void *arg, const struct interface_address *addr, bool gone)
{
	struct seen *seen = arg;

	if (addr->addr.bytes[0] == 0xfe)
		return;
	seen->address = *addr;
	seen->address_gone = gone;
}

static void on_routing(void *arg, bool of_default)
{
	struct seen *seen = arg;

	seen->routing++;
	seen->of_default += of_default;
}

static void on_touched(void *arg, int ifindex)
{
	struct seen *seen = arg;

	seen->touched += ifindex == seen->watched;
	seen->touched_all += !ifindex;
}

static const struct netlink_watch_ops watch_ops = {
	.link = on_link, .address = on_address, .routing = on_routing, .touched = on_touched};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
}

#define UNTIL(condition)                                                                                     \
	do {                                                                                                 \
		const struct timeval every = {.tv_usec = 10000};                                             \
		struct event *tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);                         \
		event_add(tick, &every);                                                                     \
		for (int i = 0; !(condition); i++) {                                                         \
			if (i > 500)                                                                         \
				fail_msg("waited for five seconds in vain: %s", #condition);                 \
			event_base_loop(base, EVLOOP_ONCE);                                                  \
		}                                                                                            \
		event_free(tick);                                                                            \
	} while (0)

static void test_changes_are_announced(void **state)
{
	const struct addr addr = address("192.0.2.1");
	struct netlink_watch *watch;
	struct seen seen = {0};
	struct err err;
	int ifindex;

	ok(netlink_watch_start(&watch_ops, &seen, &watch, &err), &err);
	ifindex = make_pair("cali0", "tmp0");
	UNTIL(!strcmp(seen.link, "cali0"));
	assert_false(seen.gone);
	assert_false(seen.up);
	ok(link_set_up(nl, ifindex, NULL, &err), &err);
	UNTIL(seen.up);
	ok(address_add(nl, ifindex, &addr, 24, &err), &err);
	UNTIL(!addr_compare(&seen.address.addr, &addr));
	assert_string_equal(seen.address.link, "cali0");
	assert_int_equal(seen.address.length, 24);
	assert_int_equal(system("ip address del 192.0.2.1/24 dev cali0"), 0);
	UNTIL(seen.address_gone);
	ok(link_delete(nl, ifindex, &err), &err);
	UNTIL(seen.gone);
	netlink_watch_stop(watch);
}

static void test_port_that_leaves_a_bridge_is_not_gone(void **state)
{
	struct netlink_watch *watch;
	struct seen seen = {0};
	struct err err;

	ok(netlink_watch_start(&watch_ops, &seen, &watch, &err), &err);
	make_pair("cali0", "tmp0");
	assert_int_equal(system("ip link add br0 type bridge && ip link set cali0 master br0 && "
				"ip link set cali0 nomaster"),
			 0);
	make_pair("cali1", "tmp1");
	UNTIL(!strcmp(seen.link, "cali1"));
	assert_int_equal(seen.gone, 0);
	netlink_watch_stop(watch);
}

/* Until nothing is announced any more. */
static unsigned int settled(const struct seen *seen)
{
	unsigned int before;

	do {
		before = seen->routing;
		event_base_loop(base, EVLOOP_NONBLOCK);
	} while (seen->routing != before);
	return before;
}

static void test_whatever_routing_depends_on_is_announced(void **state)
{
	static const char *const changes[] = {
		"ip route add 198.51.100.0/24 dev cali0",
		"ip route replace 198.51.100.0/24 dev cali0 mtu 1200",
		"ip route delete 198.51.100.0/24",
		"ip -6 route add 2001:db8:1::/64 dev cali0",
		"ip -6 route delete 2001:db8:1::/64",
		"ip rule add tos 0x10 table 7",
		"ip rule delete tos 0x10 table 7",
		"ip -6 rule add from 2001:db8::1 table 7",
		"ip nexthop add id 7 dev cali0",
		"ip nexthop delete id 7",
		"ip address add 192.0.2.1/32 dev cali0",
		"ip link set cali0 mtu 1400",
		"echo 1 > /proc/sys/net/ipv4/conf/cali0/forwarding",
		"echo 1 > /proc/sys/net/ipv6/conf/cali0/forwarding",
		"ip link set cali0 down",
		"ip link delete cali0",
	};
	struct netlink_watch *watch;
	struct seen seen = {0};
	struct err err;
	unsigned int before;

	ok(link_set_up(nl, make_pair("cali0", "tmp0"), NULL, &err), &err);
	assert_int_equal(system("ip link set tmp0 up"), 0);
	ok(netlink_watch_start(&watch_ops, &seen, &watch, &err), &err);
	for (size_t at = 0; at < sizeof(changes) / sizeof(changes[0]); at++) {
		before = settled(&seen);
		assert_int_equal(system(changes[at]), 0);
		UNTIL(seen.routing != before);
	}
	netlink_watch_stop(watch);
}

static void test_default_routes_are_told_from_others(void **state)
{
	struct netlink_watch *watch;
	struct seen seen = {0};
	struct err err;
	unsigned int before;

	ok(link_set_up(nl, make_pair("cali0", "tmp0"), NULL, &err), &err);
	assert_int_equal(system("ip link set tmp0 up"), 0);
	ok(netlink_watch_start(&watch_ops, &seen, &watch, &err), &err);
	settled(&seen);
	before = seen.of_default;
	assert_int_equal(system("ip route add 198.51.100.0/24 dev cali0"), 0);
	UNTIL(seen.routing);
	assert_int_equal(seen.of_default, before);
	assert_int_equal(system("ip route add default dev cali0"), 0);
	UNTIL(seen.of_default == before + 1);
	assert_int_equal(system("ip route delete default"), 0);
	UNTIL(seen.of_default == before + 2);
	netlink_watch_stop(watch);
}

static void test_touched_interfaces_are_named(void **state)
{
	static const char *const changes[] = {
		"ip neighbour add 192.0.2.9 dev cali0 lladdr 02:00:00:00:00:01",
		"ip neighbour delete 192.0.2.9 dev cali0",
		"ip route add 198.51.100.7 dev cali0",
		"ip route delete 198.51.100.7",
		"echo 1 > /proc/sys/net/ipv4/conf/cali0/forwarding",
		"echo 2 > /proc/sys/net/ipv4/conf/cali0/rp_filter",
		"echo 1 > /proc/sys/net/ipv4/conf/cali0/proxy_arp",
		"echo 1 > /proc/sys/net/ipv6/conf/cali0/forwarding",
		"tc qdisc add dev cali0 root tbf rate 1mbit burst 10k latency 10ms",
		"tc qdisc add dev cali0 clsact",
	};
	struct netlink_watch *watch;
	struct seen seen = {.watched = make_pair("cali0", "tmp0")};
	struct err err;
	unsigned int before;

	ok(link_set_up(nl, seen.watched, NULL, &err), &err);
	ok(netlink_watch_start(&watch_ops, &seen, &watch, &err), &err);
	for (size_t at = 0; at < sizeof(changes) / sizeof(changes[0]); at++) {
		settled(&seen);
		before = seen.touched;
		assert_int_equal(system(changes[at]), 0);
		UNTIL(seen.touched != before);
	}
	seen.watched = -1;
	before = seen.touched;
	assert_int_equal(system("echo 1 > /proc/sys/net/ipv4/ip_forward"), 0);
	UNTIL(seen.touched != before);
	assert_int_equal(seen.touched_all, 0);
	netlink_watch_stop(watch);
}

static struct link_state state_of(int ifindex)
{
	struct link_state state;

	assert_int_equal(link_state_get(nl, ifindex, &state), 0);
	return state;
}

static void test_state_tells_what_others_have_changed(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	int ifindex = make_pair("cali0", "tmp0");
	struct link_state *list, one;
	char path[LINK_SETTING_PATH];
	bool listed = false;
	struct err err;
	size_t count;

	assert_int_equal(
		system("ip link add name other type bridge && ip link set cali0 address 02:00:00:00:00:09 "
		       "mtu 1300 arp off master other up"),
		0);
	assert_int_equal(system("tc qdisc add dev cali0 root tbf rate 1mbit burst 10k latency 10ms"), 0);
	for (int i = 0; i < LINK_SETTINGS; i++) {
		for (int value = 0; value < 2; value++) {
			ok(sysctl_write(link_setting_path(path, i, "cali0"), value ? "1" : "0", &err), &err);
			assert_int_equal(state_of(ifindex).setting[i], value);
		}
	}
	one = state_of(ifindex);
	assert_string_equal(one.name, "cali0");
	assert_string_equal(one.qdisc, "tbf");
	assert_memory_equal(one.mac, mac, sizeof(mac));
	assert_int_equal(one.mtu, 1300);
	assert_int_equal(one.master, link_index(nl, "other"));
	assert_true(one.up);
	assert_false(one.arp);
	ok(link_state_list(nl, &list, &count, &err), &err);
	for (size_t i = 0; i < count; i++)
		listed |= list[i].ifindex == ifindex && !memcmp(&list[i], &one, sizeof(one));
	free(list);
	assert_true(listed);

	ok(link_set_mac(nl, ifindex, (const uint8_t[]){2, 0, 0, 0, 0, 8}, &err), &err);
	ok(link_set_mtu(nl, ifindex, 1400, &err), &err);
	ok(link_set_arp(nl, ifindex, &err), &err);
	ok(link_release(nl, ifindex, &err), &err);
	ok(link_rename(nl, ifindex, "cali1", &err), &err);
	one = state_of(ifindex);
	assert_string_equal(one.name, "cali1");
	assert_int_equal(one.mac[5], 8);
	assert_int_equal(one.mtu, 1400);
	assert_int_equal(one.master, 0);
	assert_true(one.arp);
	assert_false(one.up);
	assert_int_equal(link_state_get(nl, 1 << 20, &one), -ENODEV);
}

static void test_mtu_of_the_other_end_is_found_in_its_namespace(void **state)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there;
	int ifindex = make_pair("cali0", "tmp0");
	struct link_state one;
	char command[96];

	assert_int_equal(system("ip link set tmp0 mtu 1234"), 0);
	one = state_of(ifindex);
	assert_int_equal(link_peer_mtu(nl, &one), 1234);

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	snprintf(command, sizeof(command), "nsenter --net=/proc/%d/fd/%d ip link set tmp0 netns %d", getpid(),
		 here, getpid());
	assert_int_equal(system(command), 0);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	one = state_of(ifindex);
	assert_int_equal(link_peer_mtu(nl, &one), 1234);
	close(there);
	close(here);
}

static void test_neighbours_are_listed(void **state)
{
	int ifindex = make_pair("cali0", "tmp0"), other = make_pair("cali1", "tmp1");
	struct neighbour *list;
	struct err err;
	size_t count;
	bool found[3] = {0};

	ok(link_set_up(nl, ifindex, NULL, &err), &err);
	ok(link_set_up(nl, other, NULL, &err), &err);
	assert_int_equal(
		system("ip neighbour add 192.0.2.9 dev cali0 lladdr 02:00:00:00:00:01 nud permanent && "
		       "ip neighbour add 2001:db8::9 dev cali0 lladdr 02:00:00:00:00:02 nud stale && "
		       "ip neighbour add 192.0.2.9 dev cali1 lladdr 02:00:00:00:00:03 nud permanent"),
		0);
	ok(neighbour_list(nl, ifindex, &list, &count, &err), &err);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(list[i].ifindex, ifindex);
		found[0] |= list[i].addr.family == 4 && list[i].mac[5] == 1 && list[i].permanent;
		found[1] |= list[i].addr.family == 6 && list[i].mac[5] == 2 && !list[i].permanent;
	}
	free(list);
	ok(neighbour_list(nl, 0, &list, &count, &err), &err);
	for (size_t i = 0; i < count; i++)
		found[2] |= list[i].ifindex == other && list[i].mac[5] == 3;
	free(list);
	assert_true(found[0] && found[1] && found[2]);
}

/* More changes than the socket's buffer holds: all of them are known in the end, also those that undid
 * others. */
static void test_lost_notifications_are_made_up_for(void **state)
{
	struct netlink_watch *watch;
	struct seen seen = {0};
	struct err err;
	char name[16], peer[16];
	int first;

	first = make_pair("many", "peer");
	ok(netlink_watch_start(&watch_ops, &seen, &watch, &err), &err);
	for (int i = 0; i < 700; i++) {
		snprintf(name, sizeof(name), "many%d", i);
		snprintf(peer, sizeof(peer), "peer%d", i);
		make_pair(name, peer);
	}
	ok(link_delete(nl, first, &err), &err);
	ok(link_delete(nl, link_index(nl, "many7"), &err), &err);
	UNTIL(seen.links == 698);
	netlink_watch_stop(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)
		TEST(test_veth_pair_is_made_as_specified),
		TEST(test_veth_macs_are_those_asked_for),
		TEST(test_taken_name_is_reported),
		TEST(test_delete_is_idempotent_and_takes_the_peer),
		TEST(test_running_needs_both_ends),
		TEST(test_links_are_listed),
		TEST(test_peer_in_another_namespace_is_not_local),
		TEST(test_addresses_are_added_once),
		TEST(test_host_routes_are_replaced_and_deleted),
		TEST(test_only_host_routes_of_the_main_table_are_listed),
		TEST(test_route_needs_the_interface_up),
		TEST(test_default_link_is_that_of_the_lowest_metric),
		TEST(test_neighbours_are_permanent_and_follow_the_mac),
		TEST(test_sysctl_of_an_interface),
		TEST(test_changes_are_announced),
		TEST(test_whatever_routing_depends_on_is_announced),
		TEST(test_default_routes_are_told_from_others),
		TEST(test_touched_interfaces_are_named),
		TEST(test_state_tells_what_others_have_changed),
		TEST(test_mtu_of_the_other_end_is_found_in_its_namespace),
		TEST(test_neighbours_are_listed),
		TEST(test_port_that_leaves_a_bridge_is_not_gone),
		TEST(test_lost_notifications_are_made_up_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
