/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the other end of a flow may send because of it: answers, and nothing that asks by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "table.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct exchange {
	bool v6;
	uint8_t question, answer;
} exchanges[] = {
	{false, 8, 0},	 {false, 13, 14},  {false, 15, 16},  {false, 17, 18},
	{false, 42, 43}, {true, 128, 129}, {true, 139, 140}, {true, 160, 161},
};

/* Towards what is outside, if `outside`, and else to B. */
static struct frame message(const struct exchange *exchange, bool back, uint8_t type, uint16_t id,
			    bool outside)
{
	const char *a = exchange->v6 ? A6 : A4, *b = exchange->v6 ? B6 : B4;
	struct frame frame;

	if (outside)
		b = exchange->v6 ? EXTERNAL6 : EXTERNAL4;
	frame = frame_echo(back ? b : a, back ? a : b, false, id);
	frame.icmp_type = type;
	return frame;
}

static struct run through(enum program program, struct frame frame)
{
	unsigned int uplink = table_fixture()->uplink;
	struct run run;

	fixture_run(table_fixture(), &(const struct hook){program, uplink, uplink, 0}, &frame, &run);
	return run;
}

static unsigned int flows(void)
{
	return progrun_count(table_fixture()->progrun, "flow4") +
	       progrun_count(table_fixture()->progrun, "flow6");
}

/* Also where identifier and type look like each other. */
static void test_only_the_answer_comes_back(void **state)
{
	static const uint16_t ids[] = {0, 7, 8, 13, 128, 0x0800, 0xfff8, 0xffff};

	fixture_only_a_opens(table_fixture());
	for (size_t i = 0; i < LENGTH(exchanges); i++) {
		const struct exchange *x = &exchanges[i];

		for (size_t k = 0; k < LENGTH(ids); k++) {
			fixture_forget(table_fixture());
			expect_drop(message(x, true, x->answer, ids[k], false), DROP_REASON_FLOW_INVALID);
			expect_pass(message(x, false, x->question, ids[k], false));
			for (size_t other = 0; other < LENGTH(exchanges); other++) {
				if (exchanges[other].v6 != x->v6)
					continue;
				expect_drop(message(x, true, exchanges[other].question, ids[k], false),
					    DROP_REASON_POLICY_OUTBOUND);
				if (other != i)
					expect_drop(message(x, true, exchanges[other].answer, ids[k], false),
						    DROP_REASON_FLOW_INVALID);
			}
			expect_pass(message(x, true, x->answer, ids[k], false));
			expect_drop(message(x, true, x->answer, (uint16_t)(ids[k] + 1), false),
				    DROP_REASON_FLOW_INVALID);
			assert_int_equal(flows(), 1);
		}
	}
}

/* Two containers often ping each other with equal identifiers: those are process numbers. */
static void test_both_ends_ask_in_the_same_words(void **state)
{
	for (size_t i = 0; i < LENGTH(exchanges); i++) {
		const struct exchange *x = &exchanges[i];

		fixture_forget(table_fixture());
		for (int packet = 0; packet < 2; packet++) {
			expect_pass(message(x, false, x->question, 7, false));
			expect_pass(message(x, true, x->question, 7, false));
			expect_pass(message(x, false, x->answer, 7, false));
			expect_pass(message(x, true, x->answer, 7, false));
		}
		assert_int_equal(flows(), 2);
	}
}

/* By XDP, by TC, and where the host's stack delivers it. */
static void test_outside_asks_nothing_in_an_endpoint_s_words(void **state)
{
	struct screening screening = {.serial = 1};
	struct fixture *fixture = table_fixture();
	__u32 zero = 0;

	progrun_put(fixture->progrun, "screening", &zero, &screening);
	fixture_policy(fixture, SLOT_A, 0, fixture_list_allow(fixture));
	for (size_t i = 0; i < LENGTH(exchanges); i++) {
		const struct exchange *x = &exchanges[i];
		struct frame question = message(x, true, x->question, 7, true);
		struct run run;

		expect_pass(message(x, false, x->question, 7, true));
		run = through(SCREEN_UPLINK, question);
		assert_drops(&run, DROP_REASON_POLICY_INBOUND);
		run = through(FROM_UPLINK, question);
		assert_drops(&run, DROP_REASON_POLICY_INBOUND);
		fixture_deliver(fixture, SLOT_A, &question, &run);
		assert_drops(&run, DROP_REASON_POLICY_INBOUND);
		question.icmp_type = x->answer;
		run = through(SCREEN_UPLINK, question);
		assert_passes(&run);
		fixture_deliver(fixture, SLOT_A, &question, &run);
		assert_passes(&run);
	}
}

static void test_fragments_of_questions(void **state)
{
	struct frame question = frame_echo(A4, B4, false, 7), counter = frame_echo(B4, A4, false, 7);
	struct frame later = counter;

	fixture_only_a_opens(table_fixture());
	expect_pass(question);
	counter.more_fragments = later.more_fragments = true;
	counter.fragment_id = later.fragment_id = 99;
	later.fragment_offset = 2;
	expect_drop(counter, DROP_REASON_POLICY_OUTBOUND);
	expect_drop(later, DROP_REASON_FRAGMENT_ORPHAN);
	counter.icmp_type = 0;
	expect_pass(counter);
	expect_pass(later);
}

static void allow_code(uint8_t code)
{
	const struct class_rule rule = {1 << CLASS_ICMP,
					{.action = ACTION_ALLOW,
					 .flags = MATCH_IPV4 | MATCH_IPV6 | MATCH_ICMP_CODE,
					 .icmp_code = code,
					 .rule_id = 11}};

	fixture_policy(table_fixture(), SLOT_B, fixture_list(table_fixture(), &rule, 1, 0), 0);
}

/* A question with a code that is denied does not pass for one that is allowed, and answers have their own. */
static void test_codes_of_questions(void **state)
{
	struct frame question = frame_echo(A4, B4, false, 7), answer = frame_echo(B4, A4, true, 7);

	allow_code(4);
	expect_drop(question, DROP_REASON_POLICY_INBOUND);
	question.icmp_code = 4;
	expect_pass(question);
	expect_pass(answer);
	question.icmp_code = 0;
	expect_drop(question, DROP_REASON_POLICY_INBOUND);
	expect_pass(answer);
	/* What is checked again is the question that opened the flow, whoever sends next. */
	fixture_bump(table_fixture(), SLOT_B);
	expect_pass(answer);
	allow_code(0);
	fixture_bump(table_fixture(), SLOT_B);
	expect_drop(answer, DROP_REASON_REVOKED);
}

static struct frame sctp(bool back, uint8_t chunk)
{
	static uint8_t payload[20];

	payload[0] = chunk;
	return (struct frame){.source = back ? B4 : A4,
			      .destination = back ? A4 : B4,
			      .protocol = IPPROTO_SCTP,
			      .source_port = back ? 80 : 4000,
			      .destination_port = back ? 4000 : 80,
			      .payload = payload,
			      .payload_length = sizeof(payload)};
}

static struct frame dccp(bool back, uint8_t type)
{
	static uint8_t payload[20];

	payload[0] = back ? 0 : 4000 >> 8;
	payload[1] = back ? 80 : 4000 & 0xff;
	payload[2] = back ? 4000 >> 8 : 0;
	payload[3] = back ? 4000 & 0xff : 80;
	payload[8] = (uint8_t)(type << 1);
	return (struct frame){.source = back ? B4 : A4,
			      .destination = back ? A4 : B4,
			      .protocol = IPPROTO_DCCP,
			      .payload = payload,
			      .payload_length = sizeof(payload)};
}

/* SYN, INIT chunk, Request: as often as who opened the flow sends them, never from the other end. */
static void test_the_other_end_does_not_connect(void **state)
{
	enum { INIT = 1, INIT_ACK = 2, REQUEST = 0, RESPONSE = 1 };

	fixture_only_a_opens(table_fixture());
	for (int again = 0; again < 2; again++) {
		expect_pass(frame_tcp(A4, 4000, B4, 80, TCP_SYN));
		expect_drop(frame_tcp(B4, 80, A4, 4000, TCP_SYN), DROP_REASON_POLICY_OUTBOUND);
		expect_pass(frame_tcp(B4, 80, A4, 4000, TCP_SYN | TCP_ACK));
		expect_pass(sctp(false, INIT));
		expect_drop(sctp(true, INIT), DROP_REASON_POLICY_OUTBOUND);
		expect_pass(sctp(true, INIT_ACK));
		expect_pass(dccp(false, REQUEST));
		expect_drop(dccp(true, REQUEST), DROP_REASON_POLICY_OUTBOUND);
		expect_pass(dccp(true, RESPONSE));
	}
	/* After an end in good order, too. */
	expect_pass(frame_tcp(A4, 4000, B4, 80, TCP_FIN | TCP_ACK));
	expect_pass(frame_tcp(B4, 80, A4, 4000, TCP_FIN | TCP_ACK));
	expect_drop(frame_tcp(B4, 80, A4, 4000, TCP_SYN), DROP_REASON_POLICY_OUTBOUND);
	expect_pass(frame_tcp(A4, 4000, B4, 80, TCP_SYN));
}

/* As the manual says: of other protocols, anything back is an answer. */
static void test_of_other_protocols_anything_is_an_answer(void **state)
{
	struct frame there = {.source = A4, .destination = B4, .protocol = 50, .payload_length = 24},
		     back = there;

	back.source = B4;
	back.destination = A4;
	fixture_only_a_opens(table_fixture());
	expect_drop(back, DROP_REASON_POLICY_OUTBOUND);
	expect_pass(there);
	expect_pass(back);
}

#define TEST(name) cmocka_unit_test_setup(name, table_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_only_the_answer_comes_back),
		TEST(test_both_ends_ask_in_the_same_words),
		TEST(test_outside_asks_nothing_in_an_endpoint_s_words),
		TEST(test_fragments_of_questions),
		TEST(test_codes_of_questions),
		TEST(test_the_other_end_does_not_connect),
		TEST(test_of_other_protocols_anything_is_an_answer),
	};

	return cmocka_run_group_tests_name("questions", tests, table_setup, table_teardown);
}
