/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The host's own packets on an interface that has a host endpoint, and those that are no matter of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "netlink/netlink.h"
#include "table.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Slot of the host endpoint; neither it nor its generation is used by anything in the fixture. */
#define SLOT_HOST ((enum slot)30)
#define LOOPBACK  1

static struct run arrive_at(unsigned int ifindex, struct frame frame)
{
	struct run run;
	fixture_run(table_fixture(), &(const struct hook){FROM_UPLINK, ifindex, ifindex, 0}, &frame, &run);
	return run;
}

static struct run arrive(struct frame frame)
{
	return arrive_at(table_fixture()->uplink, frame);
}

/* ingress 0: the host itself sends it. */
static struct run leave_by(unsigned int ifindex, unsigned int ingress, struct frame frame)
{
	struct run run;
	fixture_run(table_fixture(), &(const struct hook){TO_UPLINK, ifindex, ingress, 0}, &frame, &run);
	return run;
}

static struct run leave(struct frame frame)
{
	return leave_by(table_fixture()->uplink, 0, frame);
}

static void expect(struct run run, enum drop_reason reason)
{
	if (reason)
		assert_drops(&run, reason);
	else
		assert_passes(&run);
}

static void policy(bool inbound, bool outbound)
{
	__u32 allow = fixture_list_allow(table_fixture());
	fixture_policy(table_fixture(), SLOT_HOST, inbound ? allow : 0, outbound ? allow : 0);
}

static void open_failsafe(enum failsafe direction, uint16_t port)
{
	__u32 key = direction;
	struct portset ports = {0};
	if (port)
		ports.word[port / 64] = 1ULL << (port % 64);
	progrun_put(table_fixture()->progrun, "failsafe", &key, &ports);
}

static void set_interface(unsigned int ifindex, __u32 slot4, __u32 slot6)
{
	struct host_interface interface = {.endpoint4 = slot4, .endpoint6 = slot6, .name = "test"};
	progrun_put(table_fixture()->progrun, "host_interface", &ifindex, &interface);
}

/* ---- single packets ---- */

#define TCP(from, sport, to, dport, flags)                                                                   \
	.source = from, .destination = to, .protocol = IPPROTO_TCP, .source_port = sport,                    \
	.destination_port = dport, .tcp = flags
#define UDP(from, sport, to, dport)                                                                          \
	.source = from, .destination = to, .protocol = IPPROTO_UDP, .source_port = sport,                    \
	.destination_port = dport, .payload_length = 20
#define ICMP6(from, to, type)                                                                                \
	.source = from, .destination = to, .protocol = IPPROTO_ICMPV6, .icmp_type = type,                    \
	.payload_length = 24, .ttl = 255
#define IP(from, to, number) .source = from, .destination = to, .protocol = (number), .payload_length = 24
#define OPTIONS(...)                                                                                         \
	.options = (const uint8_t[]){__VA_ARGS__}, .options_length = sizeof((const uint8_t[]){__VA_ARGS__})
#define IN  DROP_REASON_POLICY_INBOUND
#define OUT DROP_REASON_POLICY_OUTBOUND

struct passage {
	const char *name;
	bool leaves;
	struct frame frame;
	enum drop_reason denied; /* with a policy that denies all */
	enum drop_reason closed; /* without a policy, and no failsafe port */
};

static const struct passage passages[] = {
	/* Failsafe: TCP with the destination port, from and to any address, of both families. */
	{"ssh to the host", .frame = {TCP(EXTERNAL4, 40000, HOST4, 22, TCP_SYN)}, .closed = IN},
	{"ssh to the host, IPv6", .frame = {TCP(EXTERNAL6, 40000, HOST6, 22, TCP_SYN)}, .closed = IN},
	{"ssh to the host, under way", .frame = {TCP(EXTERNAL4, 40000, HOST4, 22, TCP_ACK)}, .closed = IN},
	{"ssh from a server of the host", .leaves = true,
	 .frame = {TCP(HOST4, 22, EXTERNAL4, 40000, TCP_SYN | TCP_ACK)}, .closed = DROP_REASON_FLOW_INVALID},
	{"ssh from a server of the host, its end", .leaves = true,
	 .frame = {TCP(HOST6, 22, EXTERNAL6, 40000, TCP_FIN | TCP_ACK)}, .closed = DROP_REASON_FLOW_INVALID},
	{"etcd from the host", .leaves = true, .frame = {TCP(HOST4, 40000, EXTERNAL4, 2379, TCP_SYN)},
	 .closed = OUT},
	{"etcd from the host, IPv6", .leaves = true, .frame = {TCP(HOST6, 40000, EXTERNAL6, 2379, TCP_SYN)},
	 .closed = OUT},
	{"etcd from the host, under way", .leaves = true,
	 .frame = {TCP(HOST4, 40000, EXTERNAL4, 2379, TCP_ACK)}, .closed = OUT},
	/* Not that port, direction or protocol. */
	{"telnet to the host", .frame = {TCP(EXTERNAL4, 40000, HOST4, 23, TCP_SYN)}, IN, IN},
	{"telnet to the host, IPv6", .frame = {TCP(EXTERNAL6, 40000, HOST6, 23, TCP_SYN)}, IN, IN},
	{"ssh from the host", .leaves = true, .frame = {TCP(HOST4, 40000, EXTERNAL4, 22, TCP_SYN)}, OUT, OUT},
	{"connection from port 22", .leaves = true, .frame = {TCP(HOST4, 22, EXTERNAL4, 80, TCP_SYN)}, OUT,
	 OUT},
	{"etcd to the host", .frame = {TCP(EXTERNAL4, 40000, HOST4, 2379, TCP_SYN)}, IN, IN},
	{"connection to the host from port 2379", .frame = {TCP(EXTERNAL4, 2379, HOST4, 80, TCP_SYN)}, IN,
	 IN},
	{"answer from port 2379 to nobody", .frame = {TCP(EXTERNAL4, 2379, HOST4, 40000, TCP_ACK)}, IN, IN},
	{"udp 22", .frame = {UDP(EXTERNAL4, 40000, HOST4, 22)}, IN, IN},
	{"echo to the host",
	 .frame = {.source = EXTERNAL4,
		   .destination = HOST4,
		   .protocol = IPPROTO_ICMP,
		   .icmp_type = 8,
		   .icmp_id = 1},
	 IN, IN},
	{"echo from the host", .leaves = true,
	 .frame = {.source = HOST4,
		   .destination = EXTERNAL4,
		   .protocol = IPPROTO_ICMP,
		   .icmp_type = 8,
		   .icmp_id = 1},
	 OUT, OUT},
	{"echo reply to nobody",
	 .frame = {.source = EXTERNAL4, .destination = HOST4, .protocol = IPPROTO_ICMP, .icmp_id = 1},
	 DROP_REASON_FLOW_INVALID, DROP_REASON_FLOW_INVALID},
	{"another protocol", .frame = {.source = EXTERNAL4, .destination = HOST4, .protocol = 47}, IN, IN},
	{"broadcast", .frame = {UDP(EXTERNAL4, 40000, "255.255.255.255", 1234)}, IN, IN},
	{"multicast", .frame = {UDP(EXTERNAL4, 40000, "224.0.0.251", 5353)}, IN, IN},
	{"multicast from the host", .leaves = true, .frame = {UDP(HOST6, 5353, "ff02::fb", 5353)}, OUT, OUT},
	/* Policy looks past IP options, except where they lead elsewhere. */
	{"IP options", .frame = {TCP(EXTERNAL4, 40000, HOST4, 22, TCP_SYN), OPTIONS(148, 4, 0, 0)},
	 .closed = IN},
	{"record route", .leaves = true,
	 .frame = {UDP(HOST4, 40000, EXTERNAL4, 80), OPTIONS(1, 7, 7, 4, 0, 0, 0, 0)}, OUT, OUT},
	{"option that is the last byte", .frame = {UDP(EXTERNAL4, 1, HOST4, 80), OPTIONS(1, 1, 1, 0)}, IN,
	 IN},
	{"what follows the last option", .frame = {UDP(EXTERNAL4, 1, HOST4, 80), OPTIONS(0, 131, 3, 4)}, IN,
	 IN},
	{"loose source route", .frame = {UDP(EXTERNAL4, 1, HOST4, 80), OPTIONS(1, 131, 7, 4, 8, 8, 8, 8)},
	 DROP_REASON_IP_OPTIONS, DROP_REASON_IP_OPTIONS},
	{"strict source route", .leaves = true,
	 .frame = {UDP(HOST4, 1, EXTERNAL4, 80), OPTIONS(148, 4, 0, 0, 137, 7, 4, 8, 8, 8, 8, 0)},
	 DROP_REASON_IP_OPTIONS, DROP_REASON_IP_OPTIONS},
	{"source route to a failsafe port",
	 .frame = {TCP(EXTERNAL4, 40000, HOST4, 22, TCP_SYN), OPTIONS(1, 131, 7, 4, 8, 8, 8, 8)},
	 DROP_REASON_IP_OPTIONS, DROP_REASON_IP_OPTIONS},
	{"option without length", .frame = {UDP(EXTERNAL4, 1, HOST4, 80), OPTIONS(148, 0, 0, 0)},
	 DROP_REASON_MALFORMED, DROP_REASON_MALFORMED},
	{"options before half a header",
	 .frame = {UDP(EXTERNAL4, 1, HOST4, 80), OPTIONS(148, 4, 0, 0), .faults.total_length = 28},
	 DROP_REASON_SHORT, DROP_REASON_SHORT},
	/* What hosts need and endpoints do not. */
	{"IGMP report", .leaves = true, .frame = {IP(HOST4, "224.0.0.22", 2), OPTIONS(148, 4, 0, 0)}, OUT,
	 OUT},
	{"IGMP query", .frame = {IP("172.30.0.1", "224.0.0.1", 2), OPTIONS(148, 4, 0, 0)}, IN, IN},
	{"VRRP from the host", .leaves = true, .frame = {IP(HOST4, "224.0.0.18", 112), .ttl = 255}, OUT, OUT},
	{"VRRP to the host", .frame = {IP("172.30.0.3", "224.0.0.18", 112), .ttl = 255}, IN, IN},
	{"VRRP, IPv6", .frame = {IP("fe80::9", "ff02::12", 112), .ttl = 255}, IN, IN},
	{"OSPF from the host", .leaves = true, .frame = {IP(HOST4, "224.0.0.5", 89), .ttl = 1}, OUT, OUT},
	{"OSPF to the host", .frame = {IP("fe80::9", "ff02::5", 89), .ttl = 1}, IN, IN},
	{"ESP from the host", .leaves = true, .frame = {IP(HOST4, EXTERNAL4, 50)}, OUT, OUT},
	{"ESP to the host", .frame = {IP(EXTERNAL6, HOST6, 50)}, IN, IN},
	{"AH", .frame = {IP(EXTERNAL4, HOST4, 51)}, IN, IN},
	{"GRE", .leaves = true, .frame = {IP(HOST4, "172.30.0.3", 47)}, OUT, OUT},
	{"IP in IP", .frame = {IP("172.30.0.3", HOST4, 4)}, IN, IN},
	{"IPv6 in IP", .leaves = true, .frame = {IP(HOST4, "172.30.0.3", 41)}, OUT, OUT},
	{"VXLAN", .frame = {UDP("172.30.0.3", 4789, HOST4, 4789)}, IN, IN},
	{"DHCP request to a server here", .frame = {UDP("0.0.0.0", 68, "255.255.255.255", 67)}, IN, IN},
	/* Without these no failsafe port can be reached for long. */
	{"neighbour solicitation", .frame = {ICMP6(EXTERNAL6, "ff02::1:ff00:2", 135)}},
	{"neighbour advertisement", .leaves = true, .frame = {ICMP6(HOST6, EXTERNAL6, 136)}},
	{"router advertisement", .frame = {ICMP6("fe80::9", "ff02::1", 134)}},
	{"router solicitation", .leaves = true, .frame = {ICMP6("fe80::2", "ff02::2", 133)}},
	{"multicast listener report", .leaves = true, .frame = {ICMP6("fe80::2", "ff02::16", 143)}},
	{"ICMPv6 redirect", .frame = {ICMP6("fe80::9", HOST6, 137)}, IN, IN},
	{"DHCP discover", .leaves = true, .frame = {UDP("0.0.0.0", 68, "255.255.255.255", 67)}},
	{"DHCP offer", .frame = {UDP(EXTERNAL4, 67, HOST4, 68)}},
	{"DHCP server", .frame = {UDP(EXTERNAL4, 68, HOST4, 67)}, IN, IN},
	{"DHCPv6 request", .leaves = true, .frame = {UDP("fe80::2", 546, "ff02::1:2", 547)}},
	{"DHCPv6 reply", .frame = {UDP("fe80::9", 547, "fe80::2", 546)}},
	/* What the host forwards. */
	{"transit", .frame = {TCP(REMOTE4, 40000, EXTERNAL4, 23, TCP_SYN)}},
	{"transit, IPv6", .frame = {TCP("2001:db8::9", 40000, EXTERNAL6, 23, TCP_SYN)}},
	{"to an endpoint", .frame = {TCP(EXTERNAL4, 40000, A4, 23, TCP_SYN)}},
	{"VLAN", .frame = {TCP(EXTERNAL4, 40000, HOST4, 23, TCP_SYN), .vlan = 5}},
};

static void test_passage(void **state)
{
	const struct passage *row = *state;

	policy(false, false);
	expect(row->leaves ? leave(row->frame) : arrive(row->frame), row->denied);
	fixture_forget(table_fixture());
	policy(true, true);
	if (!row->closed || row->closed == IN || row->closed == OUT)
		expect(row->leaves ? leave(row->frame) : arrive(row->frame), DROP_NONE);
	fixture_forget(table_fixture());
	policy(false, false);
	open_failsafe(FAILSAFE_INBOUND, 0);
	open_failsafe(FAILSAFE_OUTBOUND, 0);
	expect(row->leaves ? leave(row->frame) : arrive(row->frame), row->closed);
	/* Without a host endpoint nothing is judged. */
	set_interface(table_fixture()->uplink, 0, 0);
	fixture_forget(table_fixture());
	expect(row->leaves ? leave(row->frame) : arrive(row->frame), DROP_NONE);
}

/* ---- flows ---- */

static void test_answers_pass(void **state)
{
	static const char *const ends[][2] = {{HOST4, EXTERNAL4}, {HOST6, EXTERNAL6}};

	for (size_t i = 0; i < LENGTH(ends); i++) {
		const char *host = ends[i][0], *there = ends[i][1];

		policy(true, false);
		expect(arrive(frame_tcp(there, 1000, host, 80, TCP_SYN)), DROP_NONE);
		expect(leave(frame_tcp(host, 80, there, 1000, TCP_SYN | TCP_ACK)), DROP_NONE);
		for (int packet = 0; packet < 2; packet++) {
			expect(arrive(frame_tcp(there, 1000, host, 80, TCP_ACK)), DROP_NONE);
			expect(leave(frame_tcp(host, 80, there, 1000, TCP_ACK)), DROP_NONE);
		}
		expect(leave(frame_tcp(host, 80, there, 1001, TCP_ACK)), OUT);
		expect(leave(frame_tcp(host, 1000, there, 80, TCP_SYN)), OUT);
		policy(false, true);
		expect(leave(frame_udp(host, 53, there, 53)), DROP_NONE);
		expect(arrive(frame_udp(there, 53, host, 53)), DROP_NONE);
		expect(arrive(frame_udp(there, 53, host, 54)), IN);
		expect(leave(frame_echo(host, there, false, 7)), DROP_NONE);
		expect(arrive(frame_echo(there, host, true, 7)), DROP_NONE);
		expect(arrive(frame_echo(there, host, true, 8)), DROP_REASON_FLOW_INVALID);
	}
}

/* A group's members and a tunnel's other end answer, where policy lets nobody else begin. */
static void test_answers_of_other_protocols_pass(void **state)
{
	struct frame out = {IP(HOST4, "172.30.0.3", 47)}, back = {IP("172.30.0.3", HOST4, 47)};
	struct frame other = {IP("172.30.0.3", HOST4, 4)};

	policy(false, true);
	expect(leave(out), DROP_NONE);
	expect(arrive(back), DROP_NONE);
	expect(arrive(other), IN);
	/* After a restart the host endpoint has another generation, and whoever comes next renews the flow.
	 */
	fixture_bump(table_fixture(), SLOT_HOST);
	expect(arrive(back), DROP_NONE);
	expect(leave(out), DROP_NONE);
}

/* Each question has its own answer, and nothing else comes in for it. */
static void test_questions_are_no_answers(void **state)
{
	static const uint8_t questions[][3] = {{8, 0, 13}, {13, 14, 8}, {17, 18, 42}, {42, 43, 17}};
	static const uint8_t questions6[][3] = {{128, 129, 139}, {139, 140, 128}, {160, 161, 128}};

	policy(false, true);
	for (size_t i = 0; i < LENGTH(questions) + LENGTH(questions6); i++) {
		bool v6 = i >= LENGTH(questions);
		const uint8_t *types = v6 ? questions6[i - LENGTH(questions)] : questions[i];
		struct frame out = frame_echo(v6 ? HOST6 : HOST4, v6 ? EXTERNAL6 : EXTERNAL4, false, 7);
		struct frame back = frame_echo(v6 ? EXTERNAL6 : EXTERNAL4, v6 ? HOST6 : HOST4, true, 7);

		fixture_forget(table_fixture());
		out.icmp_type = types[0];
		back.icmp_type = types[1];
		expect(arrive(back), DROP_REASON_FLOW_INVALID);
		expect(leave(out), DROP_NONE);
		back.icmp_type = types[0];
		expect(arrive(back), IN);
		back.icmp_type = types[2];
		expect(arrive(back), IN);
		back.icmp_type = types[1];
		expect(arrive(back), DROP_NONE);
		back.icmp_id = 8;
		expect(arrive(back), DROP_REASON_FLOW_INVALID);
	}
}

static void test_arriving_is_judged_inbound(void **state)
{
	policy(true, false);
	expect(arrive(frame_udp(EXTERNAL4, 1, HOST4, 2)), DROP_NONE);
	expect(leave(frame_udp(HOST4, 3, EXTERNAL4, 4)), OUT);
	policy(false, true);
	expect(arrive(frame_udp(EXTERNAL4, 5, HOST4, 6)), IN);
	expect(leave(frame_udp(HOST4, 7, EXTERNAL4, 8)), DROP_NONE);
}

static void test_change_of_policy_revokes(void **state)
{
	policy(true, true);
	expect(arrive(frame_tcp(EXTERNAL4, 1000, HOST4, 80, TCP_SYN)), DROP_NONE);
	expect(leave(frame_tcp(HOST4, 80, EXTERNAL4, 1000, TCP_SYN | TCP_ACK)), DROP_NONE);
	expect(arrive(frame_tcp(EXTERNAL4, 1000, HOST4, 80, TCP_ACK)), DROP_NONE);
	expect(leave(frame_udp(HOST4, 1000, EXTERNAL4, 53)), DROP_NONE);
	expect(arrive(frame_udp(EXTERNAL4, 53, HOST4, 1000)), DROP_NONE);
	/* The direction that it was opened in counts, whichever the next packet has. */
	policy(false, true);
	fixture_bump(table_fixture(), SLOT_HOST);
	expect(arrive(frame_udp(EXTERNAL4, 53, HOST4, 1000)), DROP_NONE);
	expect(leave(frame_tcp(HOST4, 80, EXTERNAL4, 1000, TCP_ACK)), DROP_REASON_REVOKED);
	policy(true, false);
	fixture_bump(table_fixture(), SLOT_HOST);
	expect(arrive(frame_udp(EXTERNAL4, 53, HOST4, 1000)), DROP_REASON_REVOKED);
}

static void test_rules_see_both_addresses(void **state)
{
	const struct class_rule rule = {
		CLASS_ANY,
		{.action = ACTION_ALLOW, .flags = MATCH_IPV4, .src_set = SET_REMOTE, .rule_id = 1}};
	fixture_policy(table_fixture(), SLOT_HOST, fixture_list(table_fixture(), &rule, 1, 0), 0);
	expect(arrive(frame_udp(REMOTE4, 1, HOST4, 2)), DROP_NONE);
	expect(arrive(frame_udp(EXTERNAL4, 1, HOST4, 2)), IN);
	expect(arrive(frame_udp(REMOTE6, 1, HOST6, 2)), IN);
}

/* With both halves of a datagram in any policy, and never the second alone. */
static void test_fragments_follow_the_first(void **state)
{
	struct frame first = frame_udp(EXTERNAL4, 1000, HOST4, 80), second;
	first.more_fragments = true;
	first.fragment_id = 77;
	first.payload_length = 56;
	second = first;
	second.more_fragments = false;
	second.fragment_offset = 8;
	policy(true, false);
	expect(arrive(second), DROP_REASON_FRAGMENT_ORPHAN);
	expect(arrive(first), DROP_NONE);
	expect(arrive(second), DROP_NONE);
}

static void test_families_are_apart(void **state)
{
	policy(false, false);
	set_interface(table_fixture()->uplink, SLOT_HOST, 0);
	expect(arrive(frame_udp(EXTERNAL4, 1, HOST4, 2)), IN);
	expect(arrive(frame_udp(EXTERNAL6, 1, HOST6, 2)), DROP_NONE);
	set_interface(table_fixture()->uplink, 0, SLOT_HOST);
	expect(arrive(frame_udp(EXTERNAL4, 1, HOST4, 2)), DROP_NONE);
	expect(leave(frame_udp(HOST6, 1, EXTERNAL6, 3)), OUT);
}

/* ---- errors ---- */

static struct frame error_about(const struct frame *inner, const char *from, const char *to)
{
	bool is_v6 = strchr(from, ':');
	return (struct frame){.source = from,
			      .destination = to,
			      .protocol = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			      .icmp_type = is_v6 ? 1 : 3,
			      .icmp_code = 4,
			      .inner = inner};
}

static void test_errors_about_flows_pass(void **state)
{
	struct frame sent = frame_udp(HOST4, 1000, EXTERNAL4, 53),
		     other = frame_udp(HOST4, 1001, EXTERNAL4, 53),
		     ssh = frame_tcp(HOST6, 22, EXTERNAL6, 40000, TCP_ACK),
		     forged = frame_tcp(HOST6, 23, EXTERNAL6, 40000, TCP_ACK),
		     transit = frame_udp(EXTERNAL4, 1000, REMOTE4, 53);

	policy(false, true);
	expect(leave(sent), DROP_NONE);
	policy(false, false);
	expect(arrive(error_about(&sent, REMOTE4, HOST4)), DROP_NONE);
	expect(arrive(error_about(&other, REMOTE4, HOST4)), DROP_REASON_ICMP_UNRELATED);
	/* Failsafe connections have no flow. */
	expect(arrive(error_about(&ssh, REMOTE6, HOST6)), DROP_NONE);
	expect(arrive(error_about(&forged, REMOTE6, HOST6)), DROP_REASON_ICMP_UNRELATED);
	/* The host reports about what it forwards, too. */
	expect(leave(error_about(&transit, HOST4, EXTERNAL4)), DROP_NONE);
}

/* ---- what the host's NAT makes look like the host's ---- */

static void test_answers_to_masqueraded_packets_pass(void **state)
{
	struct frame sent = frame_udp(HOST4, 33000, EXTERNAL4, 53);
	unsigned int ingress = table_fixture()->ifindex[SLOT_A];

	policy(false, false);
	expect(arrive(frame_udp(EXTERNAL4, 53, HOST4, 33000)), IN);
	expect(leave_by(table_fixture()->uplink, ingress, sent), DROP_NONE);
	expect(arrive(frame_udp(EXTERNAL4, 53, HOST4, 33000)), DROP_NONE);
	fixture_bump(table_fixture(), SLOT_HOST);
	expect(arrive(frame_udp(EXTERNAL4, 53, HOST4, 33000)), DROP_NONE);
	expect(arrive(error_about(&sent, REMOTE4, HOST4)), DROP_NONE);
	expect(arrive(frame_udp(EXTERNAL4, 53, HOST4, 33001)), IN);
	/* The host itself gets no permission out of it. */
	expect(leave(frame_udp(HOST4, 33001, EXTERNAL4, 53)), OUT);
}

/* ---- failsafe answers ---- */

static int bound_socket(int family, uint16_t port, struct sockaddr_storage *address, socklen_t *length)
{
	int fd = socket(family, SOCK_STREAM, 0), one = 1;

	memset(address, 0, sizeof(*address));
	address->ss_family = (sa_family_t)family;
	*length = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	if (family == AF_INET) {
		((struct sockaddr_in *)address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		((struct sockaddr_in *)address)->sin_port = htons(port);
	} else {
		((struct sockaddr_in6 *)address)->sin6_addr = in6addr_loopback;
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)address, *length), 0);
	return fd;
}

/* A connection to port 2379, although the packets would come over the uplink. */
static void check_connected(int family, const char *loopback)
{
	struct sockaddr_storage address;
	socklen_t length;
	int server = bound_socket(family, 2379, &address, &length), client;
	struct sockaddr_storage to = address;

	assert_int_equal(listen(server, 1), 0);
	client = bound_socket(family, 40000, &address, &length);
	policy(false, false);
	expect(arrive(frame_tcp(loopback, 2379, loopback, 40000, TCP_ACK)), IN);
	assert_int_equal(connect(client, (struct sockaddr *)&to, length), 0);
	expect(arrive(frame_tcp(loopback, 2379, loopback, 40000, TCP_ACK)), DROP_NONE);
	expect(arrive(frame_tcp(loopback, 2379, loopback, 40000, TCP_RST)), DROP_NONE);
	expect(arrive(frame_tcp(loopback, 2379, loopback, 40001, TCP_ACK)), IN);
	expect(arrive(frame_tcp(loopback, 2379, loopback, 40000, TCP_SYN)), IN);
	/* A server is no connection. */
	expect(arrive(frame_tcp(loopback, 2379, loopback, 2379, TCP_ACK)), IN);
	close(client);
	close(server);
}

static void test_answers_to_failsafe_connections_need_their_socket(void **state)
{
	check_connected(AF_INET, "127.0.0.1");
	check_connected(AF_INET6, "::1");
}

/* ---- other interfaces ---- */

static void test_loopback_needs_both_directions(void **state)
{
	struct frame frame = frame_udp("127.0.0.1", 1000, "127.0.0.1", 53);

	set_interface(LOOPBACK, SLOT_HOST, SLOT_HOST);
	policy(true, true);
	expect(leave_by(LOOPBACK, 0, frame), DROP_NONE);
	expect(arrive_at(LOOPBACK, frame), DROP_NONE);
	expect(arrive_at(LOOPBACK, frame_udp("127.0.0.1", 53, "127.0.0.1", 1000)), DROP_NONE);
	policy(false, true);
	expect(leave_by(LOOPBACK, 0, frame_udp("127.0.0.1", 1001, "127.0.0.1", 53)), IN);
	policy(true, false);
	expect(leave_by(LOOPBACK, 0, frame_udp("127.0.0.1", 1002, "127.0.0.1", 53)), OUT);
}

/* There the stack forwards, and to_endpoint judges. */
static void test_interface_that_is_no_uplink(void **state)
{
	struct fixture *fixture = table_fixture();
	struct run run;

	policy(false, false);
	progrun_delete(fixture->progrun, "uplink", &fixture->uplink);
	expect(arrive(frame_udp(EXTERNAL4, 1, HOST4, 2)), IN);
	run = arrive(frame_udp(EXTERNAL4, 1000, A4, 80));
	assert_int_equal(run.action, TC_ACT_OK);
	expect(leave(frame_udp(A4, 80, EXTERNAL4, 1000)), DROP_NONE);
}

static void test_drops_are_counted_for_the_interface(void **state)
{
	struct fixture *fixture = table_fixture();
	struct drop_key key = {fixture->uplink, DROP_REASON_POLICY_INBOUND};

	policy(false, false);
	arrive(frame_udp(EXTERNAL4, 1000, HOST4, 80));
	assert_int_equal(progrun_traffic(fixture->progrun, "drops", &key).packets, 1);
}

/* Nothing in the table can give way; failsafe ports need no room. */
static void test_full_table_locks_nobody_out(void **state)
{
	policy(true, true);
	table_fill("flow4");
	expect(arrive(frame_tcp(EXTERNAL4, 1000, HOST4, 80, TCP_SYN)), DROP_REASON_FLOW_TABLE_FULL);
	expect(arrive(frame_udp(EXTERNAL4, 1000, HOST4, 80)), DROP_NONE);
	expect(arrive(frame_tcp(EXTERNAL4, 1000, HOST4, 22, TCP_SYN)), DROP_NONE);
	expect(leave(frame_tcp(HOST4, 22, EXTERNAL4, 1000, TCP_SYN | TCP_ACK)), DROP_NONE);
	expect(leave(frame_tcp(HOST4, 1000, EXTERNAL4, 2379, TCP_SYN)), DROP_NONE);
}

/* ---- set up ---- */

static int setup(void **state)
{
	static const char *const outside[] = {EXTERNAL4, EXTERNAL6, REMOTE4};
	struct netlink *nl = NULL;
	struct err err;
	int r = table_setup(state);
	if (r == 0)
		r = table_route_outside(outside, LENGTH(outside));
	if (r == 0)
		r = netlink_open(&nl, &err);
	if (r == 0)
		r = link_set_up(nl, LOOPBACK, NULL, &err);
	netlink_close(nl);
	return r;
}

static int reset(void **state)
{
	const struct endpoint endpoint = {.state = ENDPOINT_ACTIVE, .flags = ENDPOINT_HOST, .name = "eth"};
	struct progrun *progrun = (table_reset(state), table_fixture()->progrun);
	struct uplink uplink = {.name = "uplink"};
	__u32 slot = SLOT_HOST;

	progrun_put(progrun, "uplink", &table_fixture()->uplink, &uplink);
	progrun_put(progrun, "endpoint", &slot, &endpoint);
	set_interface(table_fixture()->uplink, SLOT_HOST, SLOT_HOST);
	open_failsafe(FAILSAFE_INBOUND, 22);
	open_failsafe(FAILSAFE_OUTBOUND, 2379);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers_pass),
		TEST(test_answers_of_other_protocols_pass),
		TEST(test_questions_are_no_answers),
		TEST(test_arriving_is_judged_inbound),
		TEST(test_change_of_policy_revokes),
		TEST(test_rules_see_both_addresses),
		TEST(test_fragments_follow_the_first),
		TEST(test_families_are_apart),
		TEST(test_errors_about_flows_pass),
		TEST(test_answers_to_masqueraded_packets_pass),
		TEST(test_answers_to_failsafe_connections_need_their_socket),
		TEST(test_loopback_needs_both_directions),
		TEST(test_interface_that_is_no_uplink),
		TEST(test_drops_are_counted_for_the_interface),
		TEST(test_full_table_locks_nobody_out),
	};
	struct CMUnitTest rows[LENGTH(passages)];
	int failed;

	for (size_t i = 0; i < LENGTH(passages); i++)
		rows[i] = (struct CMUnitTest){passages[i].name, test_passage, reset, NULL,
					      (void *)&passages[i]};
	table_settings()->host_endpoints = 1;
	failed = cmocka_run_group_tests_name("single packets", rows, setup, table_teardown);
	return failed + cmocka_run_group_tests_name("host endpoint", tests, setup, table_teardown);
}
