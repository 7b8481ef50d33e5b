/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policy changes under traffic: one thread changes documents and commits them, others send packets through
 * the real programs all the time. Each packet meets the whole old or the whole new policy, an address that a
 * negated tag names is never let through while memberships are written, and what every policy allows never
 * fails.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "differential_stage.h"
#include "sink.h"
#include "unit/feed.h"

#define PROBERS	      2
#define CHANGES	      5000 /* unless the environment says otherwise */
#define REAL_CHANGES  200  /* with the dataplane's own fence, which waits for the kernel */
#define DEADLINE      15   /* seconds, per test; reached only where everything is slow */
#define RECEIVER      2	   /* slot */
#define RECEIVER4     "10.65.0.2"
#define MEMBER4	      "10.65.0.6" /* always has the tag t */
#define OUTSIDER4     "8.8.8.8"	  /* never has any */
#define OUTSIDER_PORT 40000

enum packets { OUTSIDER_80, OUTSIDER_443, MEMBER_80, PACKETS };

struct probe_packet {
	struct packet packet;
	struct flow4_key flow[2]; /* its flow is under one of them */
};

struct prober {
	unsigned int number;
	pthread_t thread;
	atomic_uint running; /* odd while a packet is in the program */
	unsigned long probes, passed;
	unsigned long crossed, straddled; /* windows that a publication may lie in; that one has split */
	struct probe_packet packets[PACKETS];
};

/*
 * The publisher adds one to `version` before and after each commit: it is odd while one is under way. Packets
 * sent between two readings that differ by one at most meet at most one publication.
 */
static struct lab {
	struct stage *stage;
	bool (*probe)(struct prober *prober); /* false: a violation */
	struct prober probers[PROBERS];
	atomic_uint version;
	atomic_bool stop, violated;
	char violation[256];
} lab;

/* ---- packets; several threads are here, so only system calls and no checks of the test framework ---- */

static void make_packet(const char *source, __u16 source_port, __u16 port, struct probe_packet *ret)
{
	struct frame frame = {
		.source = source,
		.source_port = source_port,
		.destination = RECEIVER4,
		.destination_port = port,
		.protocol = IPPROTO_TCP,
	};

	memset(ret, 0, sizeof(*ret));
	packet_build(&frame, &ret->packet);
	for (int end = 0; end < 2; end++) {
		struct flow4_key *key = &ret->flow[end];

		inet_pton(AF_INET, source, key->address[end]);
		inet_pton(AF_INET, RECEIVER4, key->address[!end]);
		key->port[end] = source_port;
		key->port[!end] = port;
		key->protocol = IPPROTO_TCP;
	}
}

/* Whether a first packet reaches the receiver. Its flow is forgotten. */
static bool passes(struct prober *prober, enum packets which)
{
	const struct fixture *fixture = lab.stage->fixture;
	struct probe_packet *probe = &prober->packets[which];
	struct __sk_buff context = {.ifindex = fixture->ifindex[RECEIVER],
				    .ingress_ifindex = fixture->uplink};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = probe->packet.data,
		    .data_size_in = (__u32)probe->packet.length, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);
	int r;

	atomic_fetch_add(&prober->running, 1);
	r = bpf_prog_test_run_opts(progrun_program(fixture->progrun, TO_ENDPOINT), &options);
	atomic_fetch_add(&prober->running, 1);
	prober->probes++;
	if (r < 0 || options.retval != TC_ACT_OK)
		return false;
	for (int end = 0; end < 2; end++)
		bpf_map_delete_elem(progrun_map(fixture->progrun, "flow4"), &probe->flow[end]);
	return true;
}

static bool violate(const char *what, unsigned int before, unsigned int behind)
{
	if (!atomic_exchange(&lab.violated, true))
		snprintf(lab.violation, sizeof(lab.violation), "%s (version %u to %u)", what, before, behind);
	return false;
}

static void *probe_all_the_time(void *arg)
{
	struct prober *prober = arg;

	while (!atomic_load(&lab.stop) && lab.probe(prober))
		;
	return NULL;
}

/* As the engine wants it, but quick: all packets are those of the probers. */
static int wait_for_probers(void *arg)
{
	for (int i = 0; i < PROBERS; i++) {
		unsigned int running = atomic_load(&lab.probers[i].running);

		while (running % 2 && atomic_load(&lab.probers[i].running) == running)
			sched_yield();
	}
	return 0;
}

/* ---- publishing ---- */

static void tell(enum kind kind, const char *name, const char *text, __u32 slot)
{
	struct change change = {.kind = kind, .text = text ? json_of(text) : NULL, .slot = slot};

	snprintf(change.name, sizeof(change.name), "%s", name);
	stage_change(lab.stage, &change);
	if (text && !world_find(&lab.stage->world, kind, name))
		fail_msg("%s: not valid: %s", name, text);
	free(change.text);
}

static void commit(void)
{
	int r;

	atomic_fetch_add(&lab.version, 1);
	r = policy_commit(lab.stage->engine);
	atomic_fetch_add(&lab.version, 1);
	assert_int_equal(r, 0);
}

/* The documents that all tests start from. */
static void tell_first(void)
{
	tell(WORKLOAD, "receiver",
	     "{'state': 'active', 'name': 'cali2', 'profile_ids': ['receiver'],"
	     " 'ipv4_nets': ['" RECEIVER4 "/32']}",
	     RECEIVER);
	tell(WORKLOAD, "member/0",
	     "{'state': 'active', 'name': 'cali6', 'profile_ids': ['carrier'],"
	     " 'ipv4_nets': ['" MEMBER4 "/32']}",
	     0);
	tell(TAGS, "carrier", "['t']", 0);
	tell(RULES, "receiver", "{'inbound_rules': [], 'outbound_rules': []}", 0);
	stage_commit(lab.stage);
}

static void start_probers(bool (*probe)(struct prober *prober))
{
	lab.probe = probe;
	atomic_store(&lab.stop, false);
	for (unsigned int i = 0; i < PROBERS; i++) {
		struct prober *prober = &lab.probers[i];

		prober->number = i;
		prober->probes = prober->passed = prober->crossed = prober->straddled = 0;
		make_packet(OUTSIDER4, (__u16)(OUTSIDER_PORT + i), 80, &prober->packets[OUTSIDER_80]);
		make_packet(OUTSIDER4, (__u16)(OUTSIDER_PORT + i), 443, &prober->packets[OUTSIDER_443]);
		make_packet(MEMBER4, (__u16)(OUTSIDER_PORT + i), 80, &prober->packets[MEMBER_80]);
		assert_int_equal(pthread_create(&prober->thread, NULL, probe_all_the_time, prober), 0);
	}
}

static struct prober stop_probers(void)
{
	struct prober sum = {};

	atomic_store(&lab.stop, true);
	for (int i = 0; i < PROBERS; i++) {
		assert_int_equal(pthread_join(lab.probers[i].thread, NULL), 0);
		sum.probes += lab.probers[i].probes;
		sum.crossed += lab.probers[i].crossed;
		sum.straddled += lab.probers[i].straddled;
		sum.passed += lab.probers[i].passed;
	}
	return sum;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static unsigned int changes_wanted(void)
{
	const char *text = getenv("CHANGES");

	return text ? (unsigned int)strtoul(text, NULL, 10) : CHANGES;
}

/* Calls change(i) and commits, again and again, while the probers run. */
static struct prober churn(unsigned int changes, void (*change)(unsigned int i),
			   bool (*probe)(struct prober *prober))
{
	double end = now() + DEADLINE;
	struct prober sum;
	unsigned int i = 0;

	change(0);
	commit();
	start_probers(probe);
	while (++i < changes && now() < end && !atomic_load(&lab.violated)) {
		change(i);
		commit();
	}
	sum = stop_probers();
	print_message("# %u changes, %lu packets, %lu windows on a commit, %lu split by it\n", i, sum.probes,
		      sum.crossed, sum.straddled);
	if (atomic_load(&lab.violated))
		fail_msg("after %u changes: %s", i, lab.violation);
	assert_true(sum.probes > 0);
	return sum;
}

/* ---- two policies, each of which allows exactly one of two ports ---- */

/* Which port is allowed follows from the version: 443 before any change(1), 80 after change(0). */
static void allow_one_port(unsigned int i)
{
	tell(RULES, "receiver",
	     i % 2 ? "{'inbound_rules': [{'protocol': 'tcp', 'dst_ports': [443]}], 'outbound_rules': []}"
		   : "{'inbound_rules': [{'protocol': 'tcp', 'dst_ports': [80]}], 'outbound_rules': []}",
	     0);
}

/* What the policy allowed that was in force after so many commits. */
static enum packets allowed_port(unsigned int commits)
{
	return commits % 2 ? OUTSIDER_80 : OUTSIDER_443;
}

static bool probe_two_ports(struct prober *prober)
{
	unsigned int before = atomic_load(&lab.version), behind;
	enum packets old = allowed_port(before / 2), new = old == OUTSIDER_80 ? OUTSIDER_443 : OUTSIDER_80;
	/* What is being published may already be in force, or not yet: either order of packets tells one
	 * fault. */
	bool old_first = prober->probes % 4 < 2, first, second;

	first = passes(prober, old_first ? old : new);
	second = passes(prober, old_first ? new : old);
	behind = atomic_load(&lab.version);
	if (behind - before > 1)
		return true;
	if (behind == before && before % 2 == 0)
		return (first == old_first && second == !old_first) ||
		       violate("a policy that is in force is not what was written", before, behind);
	prober->crossed++;
	prober->straddled += first == second;
	if (old_first && !first && !second)
		return violate("neither of the ports was allowed", before, behind);
	if (!old_first && first && second)
		return violate("both ports were allowed", before, behind);
	return true;
}

static void test_flip_is_atomic(void **state)
{
	struct prober sum = churn(changes_wanted(), allow_one_port, probe_two_ports);

	assert_true(sum.crossed > 0);
}

static void test_flip_is_atomic_with_the_real_fence(void **state)
{
	assert_true(churn(REAL_CHANGES, allow_one_port, probe_two_ports).crossed > 0);
}

/* ---- negated tags ---- */

static const char *const negations[] = {
	"{'inbound_rules': [{'!src_tag': 't'}], 'outbound_rules': []}",
	"{'inbound_rules': [{'!src_tag': 't', '!src_net': '192.0.2.0/24'}], 'outbound_rules': []}",
	"{'inbound_rules': [{'action': 'deny', 'src_tag': 't'}, {}], 'outbound_rules': []}",
	"{'inbound_rules': [{'!src_selector': 'has(never)', '!src_tag': 't'}], 'outbound_rules': []}",
	"{'inbound_rules': [], 'outbound_rules': []}",
	"{'inbound_rules': [{'!src_tag': 't', 'dst_tag': 'r'}], 'outbound_rules': []}",
};
static const char *const carrier_tags[] = {"['t']", "['t', 'u']", "['u', 'r', 't']"};
static const char member_document[] = "{'state': 'active', 'name': 'cali6', 'profile_ids': ['carrier'],"
				      " 'ipv4_nets': ['" MEMBER4 "/32']}";

/* The address goes from one endpoint to the other, both of which have the tag. */
static void move_member(unsigned int i)
{
	char from[32], to[32];

	snprintf(from, sizeof(from), "member/%u", i % 2);
	snprintf(to, sizeof(to), "member/%u", !(i % 2));
	tell(WORKLOAD, to, member_document, 0);
	tell(WORKLOAD, from, NULL, 0);
}

static void change_crowd(unsigned int i)
{
	char name[32], text[256];

	snprintf(name, sizeof(name), "crowd/%u", i % 7);
	snprintf(
		text, sizeof(text),
		"{'state': 'active', 'name': 'cali9', 'profile_ids': ['%s'], 'ipv4_nets': ['10.65.9.%u/32']}",
		i % 3 ? "carrier" : "other", 1 + i % 100);
	tell(WORKLOAD, name, i % 5 ? text : NULL, 0);
}

/* Everything that rewrites memberships of the member's address, which has the tag at every moment. */
static void churn_memberships(unsigned int i)
{
	static unsigned int moves;

	tell(RULES, "receiver", negations[i * 7 % 11 % 6], 0);
	if (i % 3 == 0)
		tell(TAGS, "carrier", carrier_tags[i / 3 % 3], 0);
	if (i % 4 == 0)
		move_member(moves++);
	if (i % 2 == 0)
		change_crowd(i);
	if (i % 8 == 0)
		tell(TAGS, "receiver", i % 16 ? "['r']" : "['r', 'x']", 0);
	if (i % 5 == 0)
		tell(POOL, "10.65.0.0-24", i % 10 ? "{'cidr': '10.65.0.0/24'}" : NULL, 0);
}

static bool probe_member(struct prober *prober)
{
	unsigned int before = atomic_load(&lab.version);

	prober->passed += passes(prober, OUTSIDER_80);
	prober->crossed += before % 2;
	if (passes(prober, MEMBER_80))
		return violate("an address passed that has the tag", before, atomic_load(&lab.version));
	return true;
}

static void test_negated_tag_never_fails_open(void **state)
{
	struct prober sum = churn(changes_wanted(), churn_memberships, probe_member);

	/* The rules did something. */
	assert_true(sum.passed > 0 && sum.passed < sum.probes / 2);
}

/* ---- what all policies allow ---- */

static void churn_around(unsigned int i)
{
	static const char *const rules[] = {
		"{'inbound_rules': [{'src_tag': 't'}], 'outbound_rules': []}",
		"{'inbound_rules': [{'action': 'deny', 'protocol': 17}, {'src_tag': 't'}],"
		" 'outbound_rules': [{}]}",
		"{'inbound_rules': [{'src_tag': 't', 'protocol': 6, 'dst_ports': [80, 90]}],"
		" 'outbound_rules': []}",
	};

	/* A list whose memberships change as well is closed for a moment, so one or the other. */
	if (i % 2)
		tell(RULES, "receiver", rules[i / 2 % 3], 0);
	else
		change_crowd(i);
	if (i % 8 == 0)
		tell(TAGS, "other", i % 16 ? "['v']" : "['w', 'v']", 0);
}

static bool probe_allowed(struct prober *prober)
{
	unsigned int before = atomic_load(&lab.version);

	prober->crossed += before % 2;
	if (!passes(prober, MEMBER_80))
		return violate("a packet was lost that all policies allow", before,
			       atomic_load(&lab.version));
	return true;
}

static void test_what_stays_allowed_never_fails(void **state)
{
	tell(RULES, "receiver", "{'inbound_rules': [{'src_tag': 't'}], 'outbound_rules': []}", 0);
	commit();
	churn(changes_wanted(), churn_around, probe_allowed);
}

/* ---- set up ---- */

static int prepare_with(bool fenced)
{
	sink_close(&lab.stage->sink);
	if (sink_open(progrun_object(lab.stage->fixture->progrun), fenced, &lab.stage->sink) < 0)
		return -1;
	if (!fenced)
		lab.stage->sink.fence = wait_for_probers;
	atomic_store(&lab.version, 0);
	atomic_store(&lab.violated, false);
	stage_clear(lab.stage);
	tell_first();
	return 0;
}

static int prepare(void **state)
{
	return prepare_with(false);
}

static int prepare_real(void **state)
{
	return prepare_with(true);
}

static int set_up(void **state)
{
	struct settings settings;

	progrun_default_settings(&settings);
	lab.stage = stage_new(&settings);
	return lab.stage ? 0 : -1;
}

static int tear_down(void **state)
{
	stage_free(lab.stage);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_flip_is_atomic, prepare),
		cmocka_unit_test_setup(test_negated_tag_never_fails_open, prepare),
		cmocka_unit_test_setup(test_what_stays_allowed_never_fails, prepare),
		cmocka_unit_test_setup(test_flip_is_atomic_with_the_real_fence, prepare_real),
	};

	return cmocka_run_group_tests_name("changes under traffic", tests, set_up, tear_down);
}
