/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packet events in words. */
#include "agent/packet_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "reasons.h"

static const struct rule_info rule = {
	.object = "profile web", .direction = "inbound", .position = 2, .text = "log tcp to ports 80"};

static struct packet_event event_of(__u8 family, const char *source, const char *destination, __u8 protocol)
{
	struct packet_event event = {
		.ifindex = 7,
		.protocol = protocol,
		.family = family,
		.source_port = htons(40000),
		.destination_port = htons(80),
		.length = 74,
	};

	inet_pton(family == 6 ? AF_INET6 : AF_INET, source, event.source);
	inet_pton(family == 6 ? AF_INET6 : AF_INET, destination, event.destination);
	return event;
}

static void assert_line(const struct packet_event *event, const struct packet_names *names,
			const char *expected)
{
	char line[PACKET_LINE];

	packet_line(line, event, names);
	assert_string_equal(line, expected);
}

static void test_log_rule(void **state)
{
	const struct packet_names names = {.prefix = "audit", .interface = "cali0", .rule = &rule};
	struct packet_event event = event_of(4, "10.65.0.2", "10.65.0.3", IPPROTO_TCP);

	assert_line(&event, &names,
		    "audit: cali0 tcp 10.65.0.2:40000 -> 10.65.0.3:80 length 74, inbound rule 2 of profile "
		    "web: log tcp to ports 80");
	event = event_of(6, "fd65::2", "fd65::3", IPPROTO_UDP);
	assert_line(&event, &names,
		    "audit: cali0 udp [fd65::2]:40000 -> [fd65::3]:80 length 74, inbound rule 2 of profile "
		    "web: log tcp to ports 80");
}

static void test_protocols(void **state)
{
	const struct packet_names names = {.prefix = "p", .interface = "cali0"};
	struct packet_event event = event_of(4, "10.0.0.1", "10.0.0.2", IPPROTO_ICMP);

	event.source_port = htons(8);
	event.destination_port = htons(0);
	assert_line(&event, &names, "p: cali0 icmp type 8 code 0 10.0.0.1 -> 10.0.0.2 length 74");
	/* ICMPv6 in IPv4 has no types that we know. */
	event.protocol = IPPROTO_ICMPV6;
	assert_line(&event, &names, "p: cali0 icmpv6 10.0.0.1 -> 10.0.0.2 length 74");
	event.protocol = 47;
	assert_line(&event, &names, "p: cali0 protocol 47 10.0.0.1 -> 10.0.0.2 length 74");
	event.protocol = 255;
	assert_line(&event, &names, "p: cali0 protocol 255 10.0.0.1 -> 10.0.0.2 length 74");
	event.protocol = IPPROTO_SCTP;
	assert_line(&event, &names, "p: cali0 sctp 10.0.0.1:8 -> 10.0.0.2:0 length 74");
}

static void test_drops(void **state)
{
	struct packet_names names = {.prefix = "calico-drop", .interface = "cali0"};
	struct packet_event event = event_of(4, "10.0.0.1", "10.0.0.2", IPPROTO_UDP);

	event.reason = DROP_REASON_SPOOFED_IP;
	assert_line(&event, &names,
		    "calico-drop: cali0 udp 10.0.0.1:40000 -> 10.0.0.2:80 length 74, source address is not "
		    "the endpoint's");
	names.accepted = true;
	event.family = 0;
	assert_line(&event, &names,
		    "calico-drop: cali0 length 74, source address is not the endpoint's (accepted by "
		    "DropActionOverride)");
	event.reason = DROP_REASON_COUNT;
	assert_string_equal(drop_reason_text(event.reason), "unknown reason");
}

/* The longest names there are. */
static void test_it_always_fits(void **state)
{
	struct packet_event event = event_of(6, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
					     "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe", IPPROTO_UDPLITE);
	struct rule_info longest = {.direction = "outbound", .position = 4294967295u};
	struct packet_names names = {.interface = "cali0123456789a", .rule = &longest, .accepted = true};
	char prefix[PACKET_LINE], line[PACKET_LINE];

	memset(longest.object, 'o', sizeof(longest.object) - 1);
	memset(longest.text, 't', sizeof(longest.text) - 1);
	memset(prefix, 'p', LOG_PREFIX_LENGTH - 1);
	prefix[LOG_PREFIX_LENGTH - 1] = '\0';
	names.prefix = prefix;
	event.reason = DROP_REASON_MALFORMED;
	packet_line(line, &event, &names);
	assert_string_equal(&line[strlen(line) - 5], "ttttt");
	assert_true(strlen(line) < PACKET_LINE - 1);

	memset(prefix, 'p', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	packet_line(line, &event, &names);
	assert_int_equal(strlen(line), PACKET_LINE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_rule),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_it_always_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
