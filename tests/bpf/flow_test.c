/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flows: who may open one, what belongs to one, when it ends and when policy is asked again. */
#include <linux/pkt_cls.h>
#include <time.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include <arpa/inet.h>

#include <bpf/bpf.h>

#include "table.h"

static struct frame tcp_ab(uint8_t flags)
{
	return frame_tcp(A4, 40000, B4, 80, flags);
}

static struct frame tcp_ba(uint8_t flags)
{
	return frame_tcp(B4, 80, A4, 40000, flags);
}

static void handshake(void)
{
	expect_pass(tcp_ab(TCP_SYN));
	expect_pass(tcp_ba(TCP_SYN | TCP_ACK));
	expect_pass(tcp_ab(TCP_ACK));
}

static unsigned int flows(void)
{
	return progrun_count(table_fixture()->progrun, "flow4");
}

/* The only flow of the table. */
static struct flow the_flow(struct flow4_key *ret_key)
{
	struct flow flow;
	assert_int_equal(progrun_first(table_fixture()->progrun, "flow4", ret_key, &flow), 1);
	return flow;
}

static void deny_b_inbound(void)
{
	struct fixture *fixture = table_fixture();
	fixture_policy(fixture, SLOT_B, fixture_list(fixture, NULL, 0, 0), fixture_list_allow(fixture));
}

static void share_container(enum slot slot, __u16 sandbox, bool active)
{
	struct progrun *progrun = table_fixture()->progrun;
	struct endpoint endpoint;
	__u32 key = slot;

	assert_true(progrun_get(progrun, "endpoint", &key, &endpoint));
	endpoint.sandbox = sandbox;
	endpoint.state = active ? ENDPOINT_ACTIVE : ENDPOINT_INACTIVE;
	progrun_put(progrun, "endpoint", &key, &endpoint);
}

static struct run send_by(enum slot slot, struct frame frame)
{
	struct run run;

	fixture_send(table_fixture(), slot, &frame, &run);
	return run;
}

/* A and B are of one container, whose default route is B's: A's answers leave by B's interface. */
static void test_a_container_answers_by_its_other_interface(void **state)
{
	struct frame question = frame_tcp(EXTERNAL4, 40000, A4, 80, TCP_SYN);
	struct frame answer = frame_tcp(A4, 80, EXTERNAL4, 40000, TCP_SYN | TCP_ACK);
	struct fixture *fixture = table_fixture();
	struct flow4_key key;
	struct run run;

	share_container(SLOT_A, 7, true);
	share_container(SLOT_B, 7, true);
	/* B itself may send nothing: what A answers is not B's. */
	fixture_policy(fixture, SLOT_B, fixture_list_allow(fixture), fixture_list(fixture, NULL, 0, 0));
	fixture_deliver(fixture, SLOT_A, &question, &run);
	assert_passes(&run);
	run = send_by(SLOT_B, answer);
	assert_passes(&run);
	/* The stack, which looks at the reverse path, gets it by A's interface. */
	assert_int_equal(run.action, TC_ACT_REDIRECT);
	run = send_by(SLOT_A, answer);
	assert_passes(&run);
	assert_int_equal(run.action, TC_ACT_OK);
	run = send_by(SLOT_B, frame_tcp(A4, 80, EXTERNAL4, 40000, TCP_ACK));
	assert_passes(&run);
	assert_int_equal(flows(), 1);
	assert_true(the_flow(&key).flags & FLOW_REPLIED);
	run = send_by(SLOT_B, frame_tcp(B4, 80, EXTERNAL4, 40001, TCP_SYN));
	assert_drops(&run, DROP_REASON_POLICY_OUTBOUND);
}

static void test_a_container_sends_under_all_its_addresses(void **state)
{
	struct fixture *fixture = table_fixture();
	struct run run;

	share_container(SLOT_A, 7, true);
	share_container(SLOT_B, 7, true);
	run = send_by(SLOT_B, frame_udp(A4, 5000, EXTERNAL4, 53));
	assert_passes(&run);
	run = send_by(SLOT_A, frame_udp(B6, 5000, EXTERNAL6, 53));
	assert_passes(&run);
	/* It is A's policy that decides. */
	fixture_policy(fixture, SLOT_A, fixture_list_allow(fixture), fixture_list(fixture, NULL, 0, 0));
	run = send_by(SLOT_B, frame_udp(A4, 5001, EXTERNAL4, 53));
	assert_drops(&run, DROP_REASON_POLICY_OUTBOUND);
	run = send_by(SLOT_B, frame_udp(B4, 5001, EXTERNAL4, 53));
	assert_passes(&run);
}

static void test_addresses_of_other_containers_stay_forged(void **state)
{
	struct frame frame = frame_udp(A4, 5000, EXTERNAL4, 53);
	struct run run;

	run = send_by(SLOT_B, frame);
	assert_drops(&run, DROP_REASON_SPOOFED_IP);
	share_container(SLOT_A, 7, true);
	run = send_by(SLOT_B, frame);
	assert_drops(&run, DROP_REASON_SPOOFED_IP);
	share_container(SLOT_B, 8, true);
	run = send_by(SLOT_B, frame);
	assert_drops(&run, DROP_REASON_SPOOFED_IP);
	/* Nor does an inactive endpoint lend its address, or take one. */
	share_container(SLOT_B, 7, true);
	share_container(SLOT_A, 7, false);
	run = send_by(SLOT_B, frame);
	assert_drops(&run, DROP_REASON_SPOOFED_IP);
	share_container(SLOT_A, 7, true);
	share_container(SLOT_B, 7, false);
	run = send_by(SLOT_B, frame);
	assert_drops(&run, DROP_REASON_ENDPOINT_INACTIVE);
	/* The MAC must be that of the interface in any case. */
	share_container(SLOT_B, 7, true);
	frame.source_mac = A_MAC;
	run = send_by(SLOT_B, frame);
	assert_drops(&run, DROP_REASON_SPOOFED_MAC);
}

static void test_replies_pass_against_policy(void **state)
{
	fixture_only_a_opens(table_fixture());
	handshake();
	expect_pass(tcp_ba(TCP_ACK | TCP_PSH));
	expect_pass(tcp_ab(TCP_ACK | TCP_PSH));
	assert_int_equal(flows(), 1);
}

static void test_other_direction_is_not_opened(void **state)
{
	fixture_only_a_opens(table_fixture());
	expect_drop(tcp_ba(TCP_SYN), DROP_REASON_POLICY_OUTBOUND);
	assert_int_equal(flows(), 0);
}

static void test_flow_knows_both_ends(void **state)
{
	struct flow4_key key;
	expect_pass(tcp_ab(TCP_SYN));
	struct flow flow = the_flow(&key);
	struct in_addr a, b;
	inet_pton(AF_INET, A4, &a);
	inet_pton(AF_INET, B4, &b);
	int end_a = memcmp(key.address[0], &a, 4) == 0 ? 0 : 1;
	assert_memory_equal(key.address[end_a], &a, 4);
	assert_memory_equal(key.address[!end_a], &b, 4);
	assert_int_equal(key.port[end_a], 40000);
	assert_int_equal(key.port[!end_a], 80);
	assert_int_equal(key.protocol, IPPROTO_TCP);
	assert_int_equal(flow.end[end_a].ifindex, table_fixture()->ifindex[SLOT_A]);
	assert_int_equal(flow.end[!end_a].ifindex, table_fixture()->ifindex[SLOT_B]);
	assert_int_equal(flow.end[end_a].endpoint, SLOT_A);
	assert_int_equal(flow.end[!end_a].endpoint, SLOT_B);
	assert_int_equal(!!(flow.flags & FLOW_OPENER), end_a == 1);
	assert_false(flow.flags & FLOW_REPLIED);
	expect_pass(tcp_ba(TCP_SYN | TCP_ACK));
	assert_true(the_flow(&key).flags & FLOW_REPLIED);
	assert_false(the_flow(&key).flags & FLOW_ESTABLISHED);
	expect_pass(tcp_ab(TCP_ACK));
	assert_true(the_flow(&key).flags & FLOW_ESTABLISHED);
}

static void test_delivery_is_addressed_to_the_receiver(void **state)
{
	struct run run = table_send(tcp_ab(TCP_SYN));
	assert_passes(&run);
	assert_memory_equal(run.packet.data, B_MAC, 6);
	assert_memory_equal(run.packet.data + 6, HOST_VETH_MAC, 6);
	assert_int_equal(packet_ip(&run.packet)[8], 63);
	assert_true(packet_checksums_hold(&run.packet));
	run = table_send(tcp_ba(TCP_SYN | TCP_ACK));
	assert_memory_equal(run.packet.data, A_MAC, 6);
	assert_int_equal(packet_ip(&run.packet)[8], 63);
	assert_true(packet_checksums_hold(&run.packet));
}

static void test_both_policies_decide(void **state)
{
	struct fixture *fixture = table_fixture();
	__u32 allow = fixture_list_allow(fixture);
	fixture_policy(fixture, SLOT_A, allow, 0);
	expect_drop(tcp_ab(TCP_SYN), DROP_REASON_POLICY_OUTBOUND);
	fixture_policy(fixture, SLOT_A, allow, allow);
	fixture_policy(fixture, SLOT_B, 0, allow);
	expect_drop(tcp_ab(TCP_SYN), DROP_REASON_POLICY_INBOUND);
	fixture_policy(fixture, SLOT_B, allow, allow);
	expect_pass(tcp_ab(TCP_SYN));
}

static void test_denied_packet_opens_nothing(void **state)
{
	deny_b_inbound();
	expect_drop(tcp_ab(TCP_SYN), DROP_REASON_POLICY_INBOUND);
	assert_int_equal(flows(), 0);
	expect_drop(tcp_ab(TCP_SYN), DROP_REASON_POLICY_INBOUND);
	expect_drop(tcp_ba(TCP_SYN | TCP_ACK), DROP_REASON_FLOW_INVALID);
	expect_drop(tcp_ab(TCP_ACK), DROP_REASON_POLICY_INBOUND);
}

static void test_strays_are_invalid(void **state)
{
	expect_drop(tcp_ab(TCP_RST), DROP_REASON_FLOW_INVALID);
	expect_drop(tcp_ab(TCP_RST | TCP_ACK), DROP_REASON_FLOW_INVALID);
	expect_drop(tcp_ab(TCP_SYN | TCP_ACK), DROP_REASON_FLOW_INVALID);
	expect_drop(tcp_ab(TCP_FIN), DROP_REASON_FLOW_INVALID);
	expect_drop(frame_echo(A4, B4, true, 5), DROP_REASON_FLOW_INVALID);
	expect_drop(frame_echo(A6, B6, true, 5), DROP_REASON_FLOW_INVALID);
	assert_int_equal(flows(), 0);
}

static void test_impossible_flags_are_refused(void **state)
{
	expect_drop(tcp_ab(TCP_SYN | TCP_FIN), DROP_REASON_MALFORMED);
	expect_drop(tcp_ab(TCP_SYN | TCP_RST), DROP_REASON_MALFORMED);
	expect_drop(tcp_ab(TCP_PSH), DROP_REASON_MALFORMED);
	assert_int_equal(flows(), 0);
}

/* The flow table may be new while connections are old: the middle of one is judged as if it opened. */
static void test_mid_stream_packet_asks_policy(void **state)
{
	expect_pass(tcp_ab(TCP_ACK));
	assert_int_equal(flows(), 1);
	fixture_reset(table_fixture());
	deny_b_inbound();
	expect_drop(tcp_ab(TCP_ACK), DROP_REASON_POLICY_INBOUND);
}

static void test_syn_asks_policy_again(void **state)
{
	expect_pass(tcp_ab(TCP_SYN));
	deny_b_inbound();
	expect_drop(tcp_ab(TCP_SYN), DROP_REASON_POLICY_INBOUND);
}

static void test_udp_reply_passes(void **state)
{
	fixture_only_a_opens(table_fixture());
	expect_drop(frame_udp(B4, 53, A4, 5000), DROP_REASON_POLICY_OUTBOUND);
	expect_pass(frame_udp(A4, 5000, B4, 53));
	expect_pass(frame_udp(B4, 53, A4, 5000));
	expect_drop(frame_udp(B4, 54, A4, 5000), DROP_REASON_POLICY_OUTBOUND);
	expect_drop(frame_udp(B4, 53, A4, 5001), DROP_REASON_POLICY_OUTBOUND);
}

static void test_echo_reply_needs_its_request(void **state)
{
	fixture_only_a_opens(table_fixture());
	expect_pass(frame_echo(A4, B4, false, 9));
	expect_pass(frame_echo(B4, A4, true, 9));
	expect_drop(frame_echo(B4, A4, true, 10), DROP_REASON_FLOW_INVALID);
	expect_pass(frame_echo(A6, B6, false, 9));
	expect_pass(frame_echo(B6, A6, true, 9));
	expect_drop(frame_echo(B6, A6, true, 10), DROP_REASON_FLOW_INVALID);
}

static void test_ipv6_replies_pass_against_policy(void **state)
{
	fixture_only_a_opens(table_fixture());
	expect_pass(frame_tcp(A6, 40000, B6, 80, TCP_SYN));
	expect_pass(frame_tcp(B6, 80, A6, 40000, TCP_SYN | TCP_ACK));
	expect_pass(frame_tcp(A6, 40000, B6, 80, TCP_ACK));
	expect_drop(frame_tcp(B6, 81, A6, 40000, TCP_SYN), DROP_REASON_POLICY_OUTBOUND);
	assert_int_equal(progrun_count(table_fixture()->progrun, "flow6"), 1);
	assert_int_equal(flows(), 0);
}

static void test_revoked_flow_is_cut(void **state)
{
	handshake();
	deny_b_inbound();
	fixture_bump(table_fixture(), SLOT_B);
	expect_drop(tcp_ab(TCP_ACK), DROP_REASON_REVOKED);
	assert_int_equal(flows(), 0);
}

/* Endpoints have no list while one is replaced that must not meet new memberships. */
static void test_flow_outlasts_a_hold(void **state)
{
	struct fixture *fixture = table_fixture();
	fixture_only_a_opens(fixture);
	handshake();
	fixture_policy(fixture, SLOT_B, 0, 0);
	fixture_bump(fixture, SLOT_B);
	expect_drop(tcp_ab(TCP_ACK), DROP_REASON_REVOKED);
	expect_drop(tcp_ba(TCP_ACK), DROP_REASON_REVOKED);
	fixture_only_a_opens(fixture);
	fixture_bump(fixture, SLOT_B);
	/* No policy allows this one but as an answer. */
	expect_pass(tcp_ba(TCP_ACK));
	expect_pass(tcp_ab(TCP_ACK));
}

/* Policy is asked about the opener's packet, also when the answer is what arrives. */
static void test_revoked_flow_is_cut_at_a_reply(void **state)
{
	handshake();
	deny_b_inbound();
	fixture_bump(table_fixture(), SLOT_A);
	expect_drop(tcp_ba(TCP_ACK), DROP_REASON_REVOKED);
	assert_int_equal(flows(), 0);
}

static void test_unchanged_policy_keeps_the_flow(void **state)
{
	fixture_only_a_opens(table_fixture());
	handshake();
	fixture_bump(table_fixture(), SLOT_A);
	fixture_bump(table_fixture(), SLOT_B);
	expect_pass(tcp_ba(TCP_ACK));
	expect_pass(tcp_ab(TCP_ACK));
	assert_int_equal(flows(), 1);
}

static void test_established_flow_is_not_another_interface_s(void **state)
{
	struct run run;
	struct frame frame = tcp_ab(TCP_ACK);
	handshake();
	fixture_send(table_fixture(), SLOT_B, &frame, &run);
	assert_drops(&run, DROP_REASON_SPOOFED_IP);
	fixture_send(table_fixture(), SLOT_STRANGER, &frame, &run);
	assert_drops(&run, DROP_REASON_UNKNOWN_INTERFACE);
	expect_pass(frame);
}

static void test_established_flow_keeps_its_mac(void **state)
{
	struct frame frame = tcp_ab(TCP_ACK);
	handshake();
	frame.source_mac = C_MAC;
	expect_drop(frame, DROP_REASON_SPOOFED_MAC);
}

static void test_closed_port_pair_is_reused(void **state)
{
	handshake();
	expect_pass(tcp_ab(TCP_FIN | TCP_ACK));
	expect_pass(tcp_ba(TCP_FIN | TCP_ACK));
	expect_pass(tcp_ab(TCP_ACK));
	deny_b_inbound();
	expect_drop(tcp_ab(TCP_SYN), DROP_REASON_POLICY_INBOUND);
}

/* A reset that a third party forged must not end the tracking of a connection that goes on. */
static void test_reset_does_not_end_a_flow_at_once(void **state)
{
	fixture_only_a_opens(table_fixture());
	handshake();
	expect_pass(tcp_ab(TCP_RST));
	expect_pass(tcp_ba(TCP_ACK));
	expect_pass(tcp_ab(TCP_ACK));
}

static void test_hairpin_asks_both_policies_of_one_endpoint(void **state)
{
	struct fixture *fixture = table_fixture();
	struct run run;
	struct frame frame = frame_tcp(A4, 40000, A4, 80, TCP_SYN);
	fixture_policy(fixture, SLOT_A, 0, fixture_list_allow(fixture));
	expect_drop(frame, DROP_REASON_POLICY_INBOUND);
	fixture_reset(fixture);
	fixture_send(fixture, SLOT_A, &frame, &run);
	assert_passes(&run);
	expect_pass(frame_tcp(A4, 80, A4, 40000, TCP_SYN | TCP_ACK));
	assert_int_equal(flows(), 1);
}

/* Of flows that no record knows, so that none can give way. */
static void test_full_table_refuses_new_connections_only(void **state)
{
	table_fill("flow4");
	expect_drop(frame_tcp(A4, 40001, B4, 80, TCP_SYN), DROP_REASON_FLOW_TABLE_FULL);
	progrun_clear(table_fixture()->progrun, "flow4");
	handshake();
	table_fill("flow4");
	/* The account's only one, which is in use: it gives way when nothing else does. */
	expect_pass(frame_tcp(A4, 40001, B4, 80, TCP_SYN));
	expect_pass(tcp_ab(TCP_ACK));
	expect_pass(tcp_ba(TCP_ACK));
}

static struct sweep sweep(enum program program, struct sweep argument)
{
	progrun_sweep(table_fixture()->progrun, program, &argument);
	return argument;
}

/* Makes the only flow look as if its last packet had come that long ago. */
static void age(unsigned int seconds)
{
	struct fixture *fixture = table_fixture();
	struct flow4_key key;
	struct flow flow = the_flow(&key);
	flow.seen -= seconds * fixture->settings.hz;
	progrun_put(fixture->progrun, "flow4", &key, &flow);
}

static void test_sweep_keeps_what_is_in_use(void **state)
{
	handshake();
	expect_pass(frame_tcp(A6, 40000, B6, 80, TCP_SYN));
	struct sweep done = sweep(SWEEP_FLOWS, (struct sweep){0});
	assert_int_equal(done.live, 2);
	assert_int_equal(done.deleted, 0);
}

/* As long as Linux does: five days. */
static void test_sweep_waits_for_an_established_connection(void **state)
{
	handshake();
	age(5 * 86400 - 60);
	assert_int_equal(sweep(SWEEP_FLOWS, (struct sweep){0}).live, 1);
	age(120);
	assert_int_equal(sweep(SWEEP_FLOWS, (struct sweep){0}).deleted, 1);
	assert_int_equal(flows(), 0);
}

static void test_sweep_ends_half_open_flows_early(void **state)
{
	expect_pass(tcp_ab(TCP_SYN));
	age(300);
	assert_int_equal(sweep(SWEEP_FLOWS, (struct sweep){0}).deleted, 1);
	expect_pass(frame_udp(A4, 5000, B4, 53));
	age(300);
	assert_int_equal(sweep(SWEEP_FLOWS, (struct sweep){0}).deleted, 1);
}

static unsigned int live_after(unsigned int seconds)
{
	age(seconds);
	return sweep(SWEEP_FLOWS, (struct sweep){0}).live;
}

/* A question and its answer are done after half a minute; what goes on after that is a stream. */
static void test_sweep_waits_longer_for_a_stream_of_datagrams(void **state)
{
	struct frame question = frame_udp(A4, 5000, B4, 53), answer = frame_udp(B4, 53, A4, 5000);

	expect_pass(question);
	expect_pass(answer);
	assert_int_equal(live_after(29), 1);
	assert_int_equal(live_after(2), 0);
	expect_pass(question);
	expect_pass(answer);
	expect_pass(question);
	age(1);
	expect_pass(question);
	assert_int_equal(live_after(119), 1);
	assert_int_equal(live_after(2), 0);
}

static void test_purge_takes_every_flow_of_the_address(void **state)
{
	struct sweep a4 = {.family = 4}, a6 = {.family = 6};
	inet_pton(AF_INET, A4, a4.address);
	inet_pton(AF_INET6, A6, a6.address);
	handshake();
	expect_pass(frame_udp(B4, 1, A4, 2));
	expect_pass(frame_tcp(B4, 1, EXTERNAL4, 2, TCP_SYN));
	expect_pass(frame_tcp(A6, 40000, B6, 80, TCP_SYN));
	assert_int_equal(flows(), 3);
	assert_int_equal(sweep(PURGE_FLOWS, a4).deleted, 2);
	assert_int_equal(flows(), 1);
	assert_int_equal(progrun_count(table_fixture()->progrun, "flow6"), 1);
	assert_int_equal(sweep(PURGE_FLOWS, a6).deleted, 1);
	expect_drop(tcp_ba(TCP_SYN | TCP_ACK), DROP_REASON_FLOW_INVALID);
}

/* The daemon sweeps once, which starts the kernel's own timer, and is never heard of again. */
static void test_flows_expire_without_the_daemon(void **state)
{
	struct settings settings = table_fixture()->settings;
	struct sweep last = {0};
	struct timespec tick = {.tv_nsec = 10000000};
	struct frame frame = frame_udp(A4, 5000, B4, 53);
	struct flow4_key key = {0};
	struct flow flow;
	struct run run;
	settings.sweep_alone_s = 1;
	struct fixture *fixture = fixture_new(&settings);
	assert_non_null(fixture);
	fixture_reset(fixture);
	fixture_send(fixture, SLOT_A, &frame, &run);
	assert_passes(&run);
	progrun_sweep(fixture->progrun, SWEEP_FLOWS, &last);
	assert_int_equal(last.live, 1);
	assert_true(progrun_first(fixture->progrun, "flow4", &key, &flow));
	flow.seen -= 300 * settings.hz;
	progrun_put(fixture->progrun, "flow4", &key, &flow);
	for (int i = 0; i < 1000 && progrun_count(fixture->progrun, "flow4"); i++)
		nanosleep(&tick, NULL);
	assert_int_equal(progrun_count(fixture->progrun, "flow4"), 0);
	fixture_free(fixture);
}

static void test_keep_established_survives_policy(void **state)
{
	struct settings settings = table_fixture()->settings;
	settings.keep_established = 1;
	struct fixture *fixture = fixture_new(&settings);
	struct run run;
	struct frame first = tcp_ab(TCP_SYN), second = tcp_ba(TCP_SYN | TCP_ACK), third = tcp_ab(TCP_ACK);
	assert_non_null(fixture);
	fixture_reset(fixture);
	fixture_send(fixture, SLOT_A, &first, &run);
	fixture_send(fixture, SLOT_B, &second, &run);
	fixture_policy(fixture, SLOT_B, 0, 0);
	fixture_bump(fixture, SLOT_B);
	fixture_send(fixture, SLOT_A, &third, &run);
	assert_passes(&run);
	struct frame fresh = frame_tcp(A4, 41000, B4, 80, TCP_SYN);
	fixture_send(fixture, SLOT_A, &fresh, &run);
	assert_drops(&run, DROP_REASON_POLICY_INBOUND);
	fixture_free(fixture);
}

#define TEST(name) cmocka_unit_test_setup(name, table_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_replies_pass_against_policy),
		TEST(test_other_direction_is_not_opened),
		TEST(test_flow_knows_both_ends),
		TEST(test_delivery_is_addressed_to_the_receiver),
		TEST(test_both_policies_decide),
		TEST(test_denied_packet_opens_nothing),
		TEST(test_strays_are_invalid),
		TEST(test_impossible_flags_are_refused),
		TEST(test_mid_stream_packet_asks_policy),
		TEST(test_syn_asks_policy_again),
		TEST(test_udp_reply_passes),
		TEST(test_echo_reply_needs_its_request),
		TEST(test_ipv6_replies_pass_against_policy),
		TEST(test_revoked_flow_is_cut),
		TEST(test_flow_outlasts_a_hold),
		TEST(test_revoked_flow_is_cut_at_a_reply),
		TEST(test_unchanged_policy_keeps_the_flow),
		TEST(test_established_flow_is_not_another_interface_s),
		TEST(test_established_flow_keeps_its_mac),
		TEST(test_closed_port_pair_is_reused),
		TEST(test_reset_does_not_end_a_flow_at_once),
		TEST(test_hairpin_asks_both_policies_of_one_endpoint),
		TEST(test_full_table_refuses_new_connections_only),
		TEST(test_sweep_keeps_what_is_in_use),
		TEST(test_sweep_waits_for_an_established_connection),
		TEST(test_a_container_answers_by_its_other_interface),
		TEST(test_a_container_sends_under_all_its_addresses),
		TEST(test_addresses_of_other_containers_stay_forged),
		TEST(test_sweep_ends_half_open_flows_early),
		TEST(test_sweep_waits_longer_for_a_stream_of_datagrams),
		TEST(test_purge_takes_every_flow_of_the_address),
		TEST(test_flows_expire_without_the_daemon),
		TEST(test_keep_established_survives_policy),
	};
	return cmocka_run_group_tests_name("flow", tests, table_setup, table_teardown);
}
