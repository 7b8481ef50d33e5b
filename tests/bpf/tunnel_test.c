/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Encapsulated packets reach no host, and where no host is they are policy's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "table.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* In the pool: this host's own end of a tunnel, another host's; outside: another host's address. */
#define OWN_END4   "10.65.3.0"
#define OTHER_END4 "10.65.4.0"
#define OTHER4	   "172.30.0.3"
#define OWN_END6   "fd65::300"
#define OTHER_END6 "fd65::400"
#define OTHER6	   "fd30::3"

static const uint8_t protocols[] = {4, 41, 47, 55, 94, 97, 98, 115, 137};
static const uint16_t ports[] = {1701, 4754, 4789, 4790, 6080, 6081, 6635, 8472};

static void set_address(const char *text, __u16 flags)
{
	struct address address = {.flags = flags, .generation_slot = 1};
	struct address6_key key;
	__be32 words[4];

	if (!strchr(text, ':')) {
		fixture_address4(table_fixture(), text, 0, &address);
		return;
	}
	inet_pton(AF_INET6, text, &key);
	memcpy(words, &key, sizeof(words));
	address.check = address_check(words, &address);
	progrun_put(table_fixture()->progrun, "address6", &key, &address);
}

static int reset(void **state)
{
	table_reset(state);
	set_address(OWN_END4, ADDRESS_HOST | ADDRESS_IN_POOL);
	set_address(OWN_END6, ADDRESS_HOST | ADDRESS_IN_POOL);
	set_address(OTHER_END4, ADDRESS_NODE | ADDRESS_IN_POOL);
	set_address(OTHER_END6, ADDRESS_NODE | ADDRESS_IN_POOL);
	set_address(OTHER4, ADDRESS_NODE);
	set_address(OTHER6, ADDRESS_NODE);
	return 0;
}

static struct frame of_protocol(const char *from, const char *to, uint8_t protocol)
{
	return (struct frame){.source = from, .destination = to, .protocol = protocol, .payload_length = 48};
}

static void test_no_host_is_reached(void **state)
{
	static const char *const ends[][2] = {
		{A4, HOST4}, {A4, OWN_END4}, {A4, OTHER_END4}, {A4, OTHER4}, {A6, GATEWAY6},
		{A6, HOST6}, {A6, OWN_END6}, {A6, OTHER_END6}, {A6, OTHER6},
	};

	for (size_t i = 0; i < LENGTH(ends); i++) {
		const char *from = ends[i][0], *to = ends[i][1];
		struct frame fragment = frame_udp(from, 1, to, 4789);

		for (size_t k = 0; k < LENGTH(protocols); k++)
			expect_drop(of_protocol(from, to, protocols[k]), DROP_REASON_TUNNEL);
		for (size_t k = 0; k < LENGTH(ports); k++)
			expect_drop(frame_udp(from, 1, to, ports[k]), DROP_REASON_TUNNEL);
		fragment.more_fragments = true;
		fragment.fragment_id = 5;
		fragment.payload_length = 8;
		expect_drop(fragment, DROP_REASON_TUNNEL);
		/* What is not encapsulation is policy's. */
		expect_pass(frame_udp(from, 4789, to, 80));
		expect_pass(frame_tcp(from, 1, to, 4789, TCP_SYN));
		expect_pass(of_protocol(from, to, 50));
		expect_pass(frame_echo(from, to, false, 1));
	}
}

static void test_endpoints_are_reached(void **state)
{
	static const char *const ends[][2] = {
		{A4, B4}, {A4, REMOTE4}, {A4, UNUSED4}, {A6, B6}, {A6, REMOTE6}};

	for (size_t i = 0; i < LENGTH(ends); i++) {
		for (size_t k = 0; k < LENGTH(protocols); k++)
			expect_pass(of_protocol(ends[i][0], ends[i][1], protocols[k]));
		for (size_t k = 0; k < LENGTH(ports); k++)
			expect_pass(frame_udp(ends[i][0], 1, ends[i][1], ports[k]));
	}
}

/* An address that becomes a host's ends flows that were opened before. */
static void test_flows_to_a_new_host_end(void **state)
{
	__u32 slot = 1, generation = 9;

	expect_pass(of_protocol(A4, UNUSED4, 4));
	set_address(UNUSED4, ADDRESS_NODE | ADDRESS_IN_POOL);
	progrun_put(table_fixture()->progrun, "generation", &slot, &generation);
	expect_drop(of_protocol(A4, UNUSED4, 4), DROP_REASON_REVOKED);
	expect_drop(of_protocol(A4, UNUSED4, 4), DROP_REASON_TUNNEL);
}

/* A host may send them to an endpoint that lets it, but gets none back as an answer. */
static void test_hosts_get_no_answer(void **state)
{
	unsigned int a = table_fixture()->ifindex[SLOT_A], uplink = table_fixture()->uplink;
	const struct hook from_host = {TO_ENDPOINT, a, 0, 0}, from_uplink = {FROM_UPLINK, uplink, uplink, 0};

	for (size_t k = 0; k < LENGTH(protocols) + LENGTH(ports); k++) {
		for (int other = 0; other < 2; other++) {
			const char *host = other ? OTHER4 : HOST4;
			struct frame there, back;
			struct run run;

			if (k < LENGTH(protocols)) {
				there = of_protocol(host, A4, protocols[k]);
				back = of_protocol(A4, host, protocols[k]);
			} else {
				there = frame_udp(host, ports[k - LENGTH(protocols)], A4, 1000);
				back = frame_udp(A4, 1000, host, ports[k - LENGTH(protocols)]);
			}
			fixture_run(table_fixture(), other ? &from_uplink : &from_host, &there, &run);
			assert_passes(&run);
			expect_drop(back, DROP_REASON_TUNNEL);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_host_is_reached),
		TEST(test_endpoints_are_reached),
		TEST(test_flows_to_a_new_host_end),
		TEST(test_hosts_get_no_answer),
	};

	return cmocka_run_group_tests_name("tunnel", tests, table_setup, table_teardown);
}
