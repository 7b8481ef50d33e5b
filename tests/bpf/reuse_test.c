/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Entries of hash maps that the kernel uses for another key at once, while a packet on another processor
 * still reads them: the packet must never be judged by what belongs to another key.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "fixture.h"

#define BATCHES	  40
#define PER_BATCH 25000 /* packets */

static struct lab {
	struct fixture *fixture;
	atomic_bool stop;
	atomic_ulong writes;
	int failed;
} lab;

/* ---- addresses ---- */

struct entry {
	struct address6_key key; /* IPv4: the first bytes of it */
	struct address value;
};

static const char *map_name(bool is_v6)
{
	return is_v6 ? "address6" : "address4";
}

static struct entry entry_of(const char *text)
{
	bool is_v6 = strchr(text, ':');
	struct entry entry;

	memset(&entry, 0, sizeof(entry));
	assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, text, entry.key.address), 1);
	assert_true(progrun_get(lab.fixture->progrun, map_name(is_v6), &entry.key, &entry.value));
	return entry;
}

struct churn {
	int map;
	struct entry member, other;
};

/* Each write takes an entry that was in use by the other key the moment before. */
static void *churn_addresses(void *arg)
{
	const struct churn *churn = arg;

	while (!atomic_load(&lab.stop)) {
		if (bpf_map_update_elem(churn->map, &churn->member.key, &churn->member.value, BPF_ANY) ||
		    bpf_map_update_elem(churn->map, &churn->other.key, &churn->other.value, BPF_ANY))
			lab.failed++;
		atomic_fetch_add(&lab.writes, 2);
	}
	return NULL;
}

/* All but members of the set may pass; the source is one all the time. */
static void check_member_never_passes(const char *member, const char *other, const char *receiver)
{
	static const struct class_rule rules[] = {
		{CLASS_ANY,
		 {.action = ACTION_DENY,
		  .flags = MATCH_IPV4 | MATCH_IPV6,
		  .src_set = SET_REMOTE,
		  .rule_id = 2}},
		{CLASS_ANY, {.action = ACTION_ALLOW, .flags = MATCH_IPV4 | MATCH_IPV6, .rule_id = 3}},
	};
	struct fixture *fixture = lab.fixture;
	bool is_v6 = strchr(member, ':');
	struct churn churn = {.map = progrun_map(fixture->progrun, map_name(is_v6)),
			      .member = entry_of(member),
			      .other = entry_of(other)};
	struct frame frame = frame_tcp(member, 40000, receiver, 80, TCP_SYN);
	struct __sk_buff context = {.ifindex = fixture->ifindex[SLOT_B], .ingress_ifindex = fixture->uplink};
	struct packet packet;
	pthread_t thread;

	fixture_policy(fixture, SLOT_B, fixture_list(fixture, rules, 2, 0), 0);
	packet_build(&frame, &packet);
	atomic_store(&lab.stop, false);
	atomic_store(&lab.writes, 0);
	assert_int_equal(pthread_create(&thread, NULL, churn_addresses, &churn), 0);
	for (int i = 0; i < BATCHES; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data,
			    .data_size_in = (__u32)packet.length, .ctx_in = &context,
			    .ctx_size_in = sizeof(context), .repeat = PER_BATCH);

		if (bpf_prog_test_run_opts(progrun_program(fixture->progrun, TO_ENDPOINT), &options) < 0)
			lab.failed++;
	}
	atomic_store(&lab.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(lab.failed, 0);
	assert_true(atomic_load(&lab.writes) > 0);
	/* What passes makes a flow. */
	assert_int_equal(progrun_count(fixture->progrun, is_v6 ? "flow6" : "flow4"), 0);
}

static void test_address4_of_another(void **state)
{
	check_member_never_passes(REMOTE4, HOST4, B4);
}

static void test_address6_of_another(void **state)
{
	check_member_never_passes(REMOTE6, HOST6, B6);
}

/* ---- flows ---- */

#define RECEIVED 60000

#define OTHERS 4096

struct flow_churn {
	int map;
	bool is_v6;
	struct flow6_key keys[2]; /* IPv4: the first bytes */
	struct flow values[2];
};

static __u16 *port_of(struct flow6_key *key, bool is_v6)
{
	return is_v6 ? key->port : ((struct flow4_key *)key)->port;
}

/*
 * The flow is replaced again and again, and each time another one takes its entry. That is one of many, so
 * the entry does not come back soon: a packet that stood still for so long could not tell.
 */
static void *churn_flows(void *arg)
{
	const struct flow_churn *churn = arg;
	struct flow6_key other = churn->keys[1];

	for (__u16 i = 0; !atomic_load(&lab.stop); i = (i + 1) % OTHERS) {
		port_of(&other, churn->is_v6)[0] = port_of(&other, churn->is_v6)[1] = 10000 + i;
		if (bpf_map_update_elem(churn->map, &churn->keys[0], &churn->values[0], BPF_ANY) ||
		    bpf_map_update_elem(churn->map, &other, &churn->values[1], BPF_ANY))
			lab.failed++;
		atomic_fetch_add(&lab.writes, 2);
	}
	return NULL;
}

/* An established flow of A and B, and one of A with another address that is at C. */
static void make_flows(const char *source, const char *receiver, struct flow_churn *ret)
{
	struct fixture *fixture = lab.fixture;
	bool is_v6 = strchr(source, ':');
	const char *map = is_v6 ? "flow6" : "flow4";
	struct frame there = frame_udp(source, 1000, receiver, 53),
		     back = frame_udp(receiver, 53, source, 1000);
	struct run run;

	memset(ret, 0, sizeof(*ret));
	ret->map = progrun_map(fixture->progrun, map);
	ret->is_v6 = is_v6;
	for (int i = 0; i < 2; i++) {
		there.source_port = back.destination_port = (uint16_t)(1000 + !i);
		fixture_send(fixture, SLOT_A, &there, &run);
		assert_passes(&run);
		fixture_send(fixture, SLOT_B, &back, &run);
		assert_passes(&run);
		assert_int_equal(progrun_first(fixture->progrun, map, &ret->keys[!i], &ret->values[!i]), 1);
		progrun_clear(fixture->progrun, map);
	}
	for (int end = 0; end < 2; end++) {
		struct flow_end *b = &ret->values[1].end[end];

		if (b->endpoint != SLOT_B)
			continue;
		b->ifindex = fixture->ifindex[SLOT_C];
		memcpy(b->mac, C_MAC, sizeof(b->mac));
	}
}

static void check_receiver_stays(const char *source, const char *receiver)
{
	struct fixture *fixture = lab.fixture;
	struct flow_churn churn;
	struct frame frame = frame_udp(source, 1000, receiver, 53);
	pthread_t thread;
	struct run run;

	make_flows(source, receiver, &churn);
	for (int i = 0; i < 2; i++)
		assert_int_equal(bpf_map_update_elem(churn.map, &churn.keys[i], &churn.values[i], BPF_ANY),
				 0);
	atomic_store(&lab.stop, false);
	atomic_store(&lab.writes, 0);
	assert_int_equal(pthread_create(&thread, NULL, churn_flows, &churn), 0);
	for (int i = 0; i < RECEIVED; i++) {
		fixture_send(fixture, SLOT_A, &frame, &run);
		if (run.action != TC_ACT_REDIRECT || memcmp(run.packet.data, B_MAC, sizeof(B_MAC)))
			break;
	}
	atomic_store(&lab.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(lab.failed, 0);
	assert_true(atomic_load(&lab.writes) > 0);
	assert_passes(&run);
	assert_int_equal(run.action, TC_ACT_REDIRECT);
	assert_memory_equal(run.packet.data, B_MAC, sizeof(B_MAC));
}

static void test_flow4_of_another(void **state)
{
	check_receiver_stays(A4, B4);
}

static void test_flow6_of_another(void **state)
{
	check_receiver_stays(A6, B6);
}

static int set_up(void **state)
{
	struct settings settings;

	progrun_default_settings(&settings);
	lab.fixture = fixture_new(&settings);
	return lab.fixture ? 0 : -1;
}

static int tear_down(void **state)
{
	fixture_free(lab.fixture);
	return 0;
}

static int reset(void **state)
{
	fixture_reset(lab.fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_address4_of_another, reset),
		cmocka_unit_test_setup(test_address6_of_another, reset),
		cmocka_unit_test_setup(test_flow4_of_another, reset),
		cmocka_unit_test_setup(test_flow6_of_another, reset),
	};

	return cmocka_run_group_tests_name("reused entries", tests, set_up, tear_down);
}
