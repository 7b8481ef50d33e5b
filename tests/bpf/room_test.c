/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Full flow tables: who gives way to whom, in which order, and what needs no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "table.h"

#define FLOWS 64 /* of each family */
#define SHARE 8	 /* of few accounts, each */
#define PORT  80

/* ---- what the tests speak of: flows of A or B to the other, of one family, by the opener's port ---- */

struct family {
	const char *map, *a, *b, *outside;
	bool is_v6;
};

static const struct family families[] = {{"flow4", A4, B4, EXTERNAL4, false},
					 {"flow6", A6, B6, EXTERNAL6, true}};

static void send_udp(const struct family *f, bool from_b, uint16_t port)
{
	expect_pass(frame_udp(from_b ? f->b : f->a, port, from_b ? f->a : f->b, PORT));
}

static void answer_udp(const struct family *f, bool to_b, uint16_t port)
{
	expect_pass(frame_udp(to_b ? f->a : f->b, PORT, to_b ? f->b : f->a, port));
}

static void ask(const struct family *f, uint16_t port)
{
	send_udp(f, false, port);
	answer_udp(f, false, port);
}

static void connect_tcp(const struct family *f, uint16_t port)
{
	expect_pass(frame_tcp(f->a, port, f->b, PORT, TCP_SYN));
	expect_pass(frame_tcp(f->b, PORT, f->a, port, TCP_SYN | TCP_ACK));
	expect_pass(frame_tcp(f->a, port, f->b, PORT, TCP_ACK));
}

/* From elsewhere to B. */
static void arrive(const struct family *f, uint16_t port, uint8_t flags)
{
	struct frame frame = frame_tcp(f->outside, port, f->b, PORT, flags);
	struct run run;

	fixture_deliver(table_fixture(), SLOT_B, &frame, &run);
	assert_passes(&run);
}

/* Finds the flow of that port, whichever end has it; other ports are PORT. */
static bool find(const struct family *f, uint16_t port, uint8_t protocol, struct flow6_key *ret_key,
		 struct flow *ret)
{
	int fd = progrun_map(table_fixture()->progrun, f->map);
	union {
		struct flow4_key v4;
		struct flow6_key v6;
	} key;
	bool found = false;

	for (int r = bpf_map_get_next_key(fd, NULL, &key); r == 0 && !found;
	     r = found ? 0 : bpf_map_get_next_key(fd, &key, &key)) {
		const __u16 *ports = f->is_v6 ? key.v6.port : key.v4.port;
		__u8 is = f->is_v6 ? key.v6.protocol : key.v4.protocol;

		found = is == protocol && (ports[0] == port || ports[1] == port) &&
			bpf_map_lookup_elem(fd, &key, ret) == 0;
		if (found)
			memcpy(ret_key, &key, sizeof(*ret_key));
	}
	return found;
}

static bool has(const struct family *f, uint16_t port, uint8_t protocol)
{
	struct flow6_key key;
	struct flow flow;

	return find(f, port, protocol, &key, &flow);
}

static void age(const struct family *f, uint16_t port, uint8_t protocol, unsigned int seconds)
{
	struct flow6_key key;
	struct flow flow;

	assert_true(find(f, port, protocol, &key, &flow));
	flow.seen -= seconds * table_fixture()->settings.hz;
	progrun_put(table_fixture()->progrun, f->map, &key, &flow);
}

static unsigned int count(const struct family *f)
{
	return progrun_count(table_fixture()->progrun, f->map);
}

static struct sweep sweep(void)
{
	struct sweep sweep = {0};

	progrun_sweep(table_fixture()->progrun, SWEEP_FLOWS, &sweep);
	return sweep;
}

static struct flow_table table(const struct family *f)
{
	struct flow_table table;
	__u32 index = f->is_v6;

	assert_true(progrun_get(table_fixture()->progrun, "flow_table", &index, &table));
	return table;
}

static const struct family *of(void **state)
{
	return *state;
}

/* ---- who gives way ---- */

static void test_own_oldest_gives_way(void **state)
{
	const struct family *f = of(state);

	for (uint16_t i = 0; i < 3 * FLOWS; i++)
		send_udp(f, false, 1000 + i);
	assert_int_equal(count(f), FLOWS);
	for (uint16_t i = 0; i < 3 * FLOWS; i++)
		assert_int_equal(has(f, 1000 + i, IPPROTO_UDP), i >= 2 * FLOWS);
	assert_int_equal(table(f).evicted, 2 * FLOWS);
}

static void test_nobody_takes_the_share_of_others(void **state)
{
	const struct family *f = of(state);

	for (uint16_t i = 0; i < 2 * FLOWS; i++)
		ask(f, 1000 + i);
	sweep();
	for (uint16_t i = 0; i < SHARE; i++)
		send_udp(f, true, 5000 + i);
	/* A's oldest are what B has got. */
	for (uint16_t i = 0; i < FLOWS; i++)
		assert_int_equal(has(f, 1000 + FLOWS + i, IPPROTO_UDP), i >= SHARE);
	for (int round = 0; round < 2; round++) {
		for (uint16_t i = 0; i < 2 * FLOWS; i++)
			ask(f, 7000 + 1000 * round + i);
		for (uint16_t i = 0; i < SHARE; i++)
			assert_true(has(f, 5000 + i, IPPROTO_UDP));
		sweep();
	}
	assert_int_equal(count(f), FLOWS);
}

/* Also before a sweep has told who has how many. */
static void test_newcomer_finds_room_at_once(void **state)
{
	const struct family *f = of(state);

	for (uint16_t i = 0; i < FLOWS; i++)
		send_udp(f, false, 1000 + i);
	for (uint16_t i = 0; i < SHARE; i++)
		expect_pass(frame_tcp(f->b, 5000 + i, f->a, PORT, TCP_SYN));
	for (uint16_t i = 0; i < SHARE; i++)
		assert_true(has(f, 5000 + i, IPPROTO_TCP));
}

/* What arrives from elsewhere is on the account of whom it is for. */
static void test_flood_from_elsewhere_shuts_nobody_out(void **state)
{
	const struct family *f = of(state);

	connect_tcp(f, 900);
	for (uint16_t i = 0; i < 3 * FLOWS; i++)
		arrive(f, 20000 + i, TCP_SYN);
	assert_int_equal(count(f), FLOWS);
	for (uint16_t i = 0; i < SHARE - 1; i++)
		connect_tcp(f, 1000 + i);
	for (uint16_t i = 0; i < 3 * FLOWS; i++)
		arrive(f, 30000 + i, TCP_SYN);
	assert_true(has(f, 900, IPPROTO_TCP));
	for (uint16_t i = 0; i < SHARE - 1; i++)
		assert_true(has(f, 1000 + i, IPPROTO_TCP));
}

/* ---- what of it ---- */

static void test_unanswered_give_way_before_those_in_use(void **state)
{
	const struct family *f = of(state);

	connect_tcp(f, 900);
	ask(f, 901);
	for (uint16_t i = 0; i < 3 * FLOWS; i++)
		send_udp(f, false, 1000 + i);
	assert_true(has(f, 900, IPPROTO_TCP));
	assert_true(has(f, 901, IPPROTO_UDP));
}

static void test_idle_give_way_in_order(void **state)
{
	const struct family *f = of(state);

	connect_tcp(f, 900);
	connect_tcp(f, 901);
	ask(f, 902);
	ask(f, 903);
	age(f, 901, IPPROTO_TCP, 61);
	age(f, 903, IPPROTO_UDP, 3);
	for (uint16_t i = 4; i < FLOWS; i++)
		connect_tcp(f, 1000 + i);
	connect_tcp(f, 2000);
	assert_false(has(f, 901, IPPROTO_TCP));
	connect_tcp(f, 2001);
	assert_false(has(f, 903, IPPROTO_UDP));
	/* All are in use: a question rather than a connection. */
	sweep();
	connect_tcp(f, 2002);
	assert_false(has(f, 902, IPPROTO_UDP));
	assert_true(has(f, 900, IPPROTO_TCP));
	for (uint16_t i = 4; i < FLOWS; i++)
		assert_true(has(f, 1000 + i, IPPROTO_TCP));
	/* Only connections in use are left, and still there is room for one more. */
	age(f, 900, IPPROTO_TCP, 5);
	sweep();
	connect_tcp(f, 2003);
	assert_false(has(f, 900, IPPROTO_TCP));
}

static void test_record_of_an_earlier_flow_does_not_count(void **state)
{
	const struct family *f = of(state);

	for (uint16_t i = 0; i < FLOWS; i++)
		send_udp(f, false, 1000 + i);
	age(f, 1000, IPPROTO_UDP, 31);
	send_udp(f, false, 1000); /* a new flow: the youngest, by the name of the oldest */
	send_udp(f, false, 2000);
	assert_true(has(f, 1000, IPPROTO_UDP));
	assert_false(has(f, 1001, IPPROTO_UDP));
}

/* Its record would be written over by those of others; then nothing could ever take its room. */
static void test_long_lived_flows_are_recorded_again(void **state)
{
	const struct family *f = of(state);

	for (uint16_t i = 0; i < FLOWS - 1; i++)
		connect_tcp(f, 900 + i);
	for (uint16_t i = 0; i < 10 * FLOWS; i++) {
		send_udp(f, true, 2000 + i);
		if (i % 16 == 0)
			sweep();
	}
	for (uint16_t i = 0; i < FLOWS - 1; i++) {
		if (has(f, 900 + i, IPPROTO_TCP))
			age(f, 900 + i, IPPROTO_TCP, 61);
	}
	sweep();
	for (uint16_t i = 0; i < SHARE; i++)
		send_udp(f, true, 5000 + i);
	for (uint16_t i = 0; i < SHARE; i++)
		assert_true(has(f, 5000 + i, IPPROTO_UDP));
}

/* ---- what needs no room ---- */

static void test_datagrams_pass_without_an_entry(void **state)
{
	const struct family *f = of(state);

	table_fill(f->map);
	for (uint16_t i = 0; i < FLOWS; i++)
		send_udp(f, false, 1000 + i);
	expect_drop(frame_tcp(f->a, 1000, f->b, PORT, TCP_SYN), DROP_REASON_FLOW_TABLE_FULL);
	assert_false(has(f, 1000, IPPROTO_UDP));
	fixture_policy(table_fixture(), SLOT_B, 0, fixture_list_allow(table_fixture()));
	expect_drop(frame_udp(f->a, 1000, f->b, PORT), DROP_REASON_POLICY_INBOUND);
	/* Nor does it let the other end in. */
	fixture_only_a_opens(table_fixture());
	send_udp(f, false, 1000);
	expect_drop(frame_udp(f->b, PORT, f->a, 1000), DROP_REASON_POLICY_OUTBOUND);
}

/* ---- the sweep's accounts ---- */

static void test_sweep_settles_the_accounts(void **state)
{
	const struct family *f = of(state);
	struct account account;
	const struct flow_share *own = f->is_v6 ? &account.ipv6 : &account.ipv4;
	__u32 slot = SLOT_A;

	for (uint16_t i = 0; i < 8; i++)
		send_udp(f, false, 1000 + i);
	arrive(f, 2000, TCP_SYN);
	memset(&account, 0, sizeof(account));
	account.ipv4.flows = account.ipv6.flows = 1000;
	progrun_put(table_fixture()->progrun, "account", &slot, &account);
	assert_int_equal(sweep().live, 9);
	assert_true(progrun_get(table_fixture()->progrun, "account", &slot, &account));
	assert_int_equal(table(f).flows, 9);
	assert_int_equal(table(f).accounts, 2);
	assert_int_equal(table(f).largest, SLOT_A);
	assert_int_equal(table(f).largest_flows, 8);
	assert_int_equal(table(f).share, SHARE);
	/* What had been counted before is not added to. */
	sweep();
	assert_true(progrun_get(table_fixture()->progrun, "account", &slot, &account));
	assert_int_equal(own->flows, 8);
	assert_int_equal(own->found, 0);
}

static int setup(void **state)
{
	struct settings *settings = table_settings();

	settings->flows[0] = settings->flows[1] = FLOWS;
	settings->opened[0] = settings->opened[1] = 2 * FLOWS;
	settings->opened_shift[0] = settings->opened_shift[1] = 0;
	return table_setup(state);
}

static int reset(void **state)
{
	static const struct flow_table none;

	table_reset(state);
	for (__u32 i = 0; i < 2; i++)
		progrun_put(table_fixture()->progrun, "flow_table", &i, &none);
	progrun_zero(table_fixture()->progrun, "opened4");
	progrun_zero(table_fixture()->progrun, "opened6");
	return 0;
}

/* Each for both families. */
#define TEST(name)                                                                                           \
	{#name ", IPv4", name, reset, NULL, (void *)&families[0]},                                           \
	{                                                                                                    \
#name ", IPv6", name, reset, NULL, (void *)&families[1]                                      \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_own_oldest_gives_way),
		TEST(test_nobody_takes_the_share_of_others),
		TEST(test_newcomer_finds_room_at_once),
		TEST(test_flood_from_elsewhere_shuts_nobody_out),
		TEST(test_unanswered_give_way_before_those_in_use),
		TEST(test_idle_give_way_in_order),
		TEST(test_record_of_an_earlier_flow_does_not_count),
		TEST(test_long_lived_flows_are_recorded_again),
		TEST(test_datagrams_pass_without_an_entry),
		TEST(test_sweep_settles_the_accounts),
	};

	return cmocka_run_group_tests_name("room for flows", tests, setup, table_teardown);
}
