/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The same proof at the uplink: random packets from outside, through XDP and TC as they come in, through TC
 * that screens in XDP's stead, and through TC alone. Each way ends as the reference evaluator and the rules
 * of screening say, so XDP drops nothing that policy would have delivered, and hides nothing from the
 * counters. Then the same with host endpoints, for what the host itself receives and sends there.
 *
 * Environment: SEED (of the first world; a failure prints the one to give), PAIRS (policies times packets),
 * SECONDS (instead of PAIRS, and then with new seeds). Without them: PAIRS_DEFAULT, or fewer on a machine
 * that is too slow for that.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "differential_check.h"

#define PAIRS_DEFAULT	  25000 /* each of the tests */
#define DEADLINE	  20	/* seconds; reached only in a virtual machine without hardware support */
#define ROUNDS		  10	/* per world */
#define PACKETS		  60	/* per round */
#define REPEATED	  20	/* of them, at once and in the next round */
#define TORN		  6	/* per round: policy changes between XDP and TC */
#define CHANGES_PER_ROUND 4

#define FLOWS	  40 /* tried to open per round */
#define FLOW_PORT 20000

struct flow_pair {
	struct shot opener, reply;
	bool translated; /* by the host's NAT, which is why they look like the host's */
};

struct bench {
	struct stage *stage;
	struct dice dice;
	uint64_t seed; /* of the world */
	unsigned int round;
	uint64_t pairs, policies, early, torn, errors, fragments;
	uint64_t reasons[DROP_REASON_COUNT];
	uint64_t counters;		       /* questions of the other end of a flow */
	uint64_t revoked, continued, screened; /* established flows, after other documents came */
	struct flow_pair flows[FLOWS];
	size_t flow_count;
	struct shot repeated[REPEATED]; /* under the next documents */
	struct observation seen;
	struct expectation expected;
};

static const struct settings *settings_of(const struct bench *bench)
{
	return &bench->stage->fixture->settings;
}

static void foresee(struct bench *bench, const struct shot *shot, enum screener screener)
{
	const struct world *world = &bench->stage->world;

	if (shot->way == ARRIVING || shot->way == LEAVING)
		expect_at_uplink(world, settings_of(bench), shot, screener, &bench->expected);
	else
		expect(world, settings_of(bench), shot, &bench->expected);
}

static void shoot(struct bench *bench, const struct shot *shot, enum screener screener, bool keep)
{
	if (shot->way == ARRIVING || shot->way == LEAVING)
		uplink_shoot(bench->stage, shot, screener, keep, &bench->seen);
	else
		stage_shoot(bench->stage, shot, keep, &bench->seen);
}

static void reject(struct bench *bench, const struct shot *shot, const char *what)
{
	complain(bench->stage, shot, &bench->expected, &bench->seen, what);
}

static void check_seen(struct bench *bench, const struct shot *shot, const char *how)
{
	const char *difference = check_observation(bench->stage, shot, &bench->expected, &bench->seen);
	char text[64];

	snprintf(text, sizeof(text), "%s: %s", how, difference ?: "");
	if (difference)
		reject(bench, shot, text);
	bench->pairs++;
	bench->early += bench->seen.early;
	bench->reasons[bench->expected.reason]++;
}

/* Fragments of one packet are not those of the next. */
static void forget_fragments(struct bench *bench)
{
	progrun_clear(bench->stage->fixture->progrun, "fragment4");
	progrun_clear(bench->stage->fixture->progrun, "fragment6");
}

/* By everybody who may screen. */
static void check_shot(struct bench *bench, const struct shot *shot)
{
	static const char *const names[SCREENERS] = {"by XDP", "by TC", "unscreened"};

	for (int screener = 0; screener < (shot->way == ARRIVING ? SCREENERS : 1); screener++) {
		foresee(bench, shot, screener);
		shoot(bench, shot, screener, false);
		check_seen(bench, shot, names[screener]);
		if (shot->part)
			forget_fragments(bench);
	}
}

/* ---- packets that belong together ---- */

/* Whoever judges the first fragment lets the others pass exactly when they belong to a flow that it made. */
static void check_fragments(struct bench *bench)
{
	struct shot shot;
	bool judged;

	shot_draw_uplink(&bench->dice, &bench->stage->world, settings_of(bench)->host_endpoints, &shot);
	shot.oddity = USUAL;
	shot.part = LATER_FRAGMENT;
	foresee(bench, &shot, BY_XDP);
	judged = bench->expected.reason == DROP_REASON_FRAGMENT_ORPHAN;
	shot.part = FIRST_FRAGMENT;
	foresee(bench, &shot, BY_XDP);
	shoot(bench, &shot, BY_XDP, true);
	check_seen(bench, &shot, "first fragment");
	if (!bench->expected.reason && judged && bench->expected.opens_flow) {
		shot.part = LATER_FRAGMENT;
		shoot(bench, &shot, BY_XDP, true);
		if (!run_passes(&bench->seen.run) || bench->seen.run.drops)
			reject(bench, &shot, "lost a later fragment");
		bench->fragments++;
	}
	stage_forget(bench->stage, &shot);
	forget_fragments(bench);
}

/* A router tells the flow's end here that its packet did not arrive; another one that one never sent did not.
 */
static void check_error(struct bench *bench, const struct flow_pair *pair)
{
	const struct shot *sent = pair->opener.way == ARRIVING ? &pair->reply : &pair->opener;
	struct shot about = *sent, error = *sent;
	enum drop_reason reason;

	if (pair->opener.way == ARRIVING && pair->reply.way == ARRIVING)
		return;
	error.way = ARRIVING;
	error.extensions = 0;
	error.probe.dst = sent->probe.src;
	error.probe.src = bench->flows[dice_below(&bench->dice, (__u32)bench->flow_count)].opener.probe.dst;
	if (error.probe.src.family != error.probe.dst.family)
		error.probe.src = sent->probe.dst;
	error.probe.protocol = error.probe.src.family == 4 ? 1 : 58;
	error.probe.icmp_type = error.probe.src.family == 4 ? 3 : 1;
	error.probe.icmp_code = 4;
	error.about = &about;
	foresee(bench, &error, BY_XDP);
	reason = bench->expected.reason == DROP_REASON_ICMP_UNRELATED ? DROP_NONE : bench->expected.reason;
	shoot(bench, &error, BY_XDP, true);
	if (bench->seen.run.reason != reason || run_passes(&bench->seen.run) != !reason)
		reject(bench, &error, "error about a flow");
	about.probe.sport ^= 1 << 13;
	about.probe.dport ^= 1 << 13; /* the identifier of an answer */
	shoot(bench, &error, BY_XDP, true);
	if (bench->seen.run.reason != bench->expected.reason)
		reject(bench, &error, "error about no flow");
	bench->errors++;
}

/* Policy and block list change when the packet is between XDP and TC: each decides by what it finds. */
static void check_torn(struct bench *bench, const struct change *change)
{
	struct shot shot;

	shot_draw_uplink(&bench->dice, &bench->stage->world, settings_of(bench)->host_endpoints, &shot);
	shot.way = ARRIVING;
	foresee(bench, &shot, BY_XDP);
	uplink_shoot_xdp(bench->stage, &shot, &bench->seen);
	if (bench->seen.early != bench->expected.early)
		reject(bench, &shot, "before the change");
	if (bench->seen.early) {
		check_seen(bench, &shot, "before the change");
	} else if (bench->seen.run.drops || bench->seen.hit_count || bench->seen.event_count ||
		   bench->seen.flow) {
		reject(bench, &shot, "XDP left a trace");
	}
	uplink_change(bench->stage, change);
	uplink_commit(bench->stage);
	if (bench->seen.early)
		return;
	foresee(bench, &shot, BY_NOBODY);
	uplink_shoot_behind_xdp(bench->stage, &shot, false, &bench->seen);
	check_seen(bench, &shot, "after the change");
	forget_fragments(bench);
	bench->torn++;
}

/* ---- established flows ---- */

static bool is_usable(const struct bench *bench, const struct shot *shot)
{
	return bench->expected.opens_flow && !bench->expected.reason &&
	       (shot_has_ports(shot) || shot_asks(shot)) && (shot->tcp == TCP_SYN || shot->tcp == TCP_ACK);
}

static bool is_translatable(const struct bench *bench, const struct shot *shot)
{
	__u32 slot;

	/* Nobody looks where there is no host endpoint. */
	return uplink_host_slot(&bench->stage->world, shot->probe.src.family) &&
	       (reference_flags(&bench->stage->world, &shot->probe.src, &slot) & ADDRESS_HOST) &&
	       shot_has_ports(shot) && (shot->tcp == TCP_SYN || shot->tcp == TCP_ACK);
}

static void draw_opener(struct bench *bench, struct shot *ret)
{
	const struct world *world = &bench->stage->world;

	if (dice_one_in(&bench->dice, 3)) {
		shot_draw(&bench->dice, world, ret);
		ret->way = FROM_SLOT;
		ret->wrong_mac = false;
		return;
	}
	shot_draw_uplink(&bench->dice, world, settings_of(bench)->host_endpoints, ret);
	ret->oddity = USUAL;
	ret->part = WHOLE;
}

/* Both ends speak, so that the fast path has all it wants. */
static void establish(struct bench *bench, const struct flow_pair *pair)
{
	const struct shot *const packets[] = {&pair->reply, &pair->opener, &pair->reply, &pair->opener};
	bool is_tcp = pair->opener.probe.protocol == 6;

	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		struct shot shot = *packets[i];
		enum drop_reason screened = DROP_NONE;

		if (i == 0 && is_tcp && pair->opener.tcp == TCP_SYN)
			shot.tcp = TCP_SYN | TCP_ACK;
		else
			shot.tcp = TCP_ACK;
		if (shot.way == ARRIVING)
			screened = expect_screened(&bench->stage->world, &shot);
		shoot(bench, &shot, BY_XDP, true);
		if (bench->seen.run.reason != screened || run_passes(&bench->seen.run) != !screened ||
		    bench->seen.hit_count)
			reject(bench, &shot, "a packet of a flow");
		bench->pairs++;
	}
}

/* What the other end asks in a flow's words is judged as if there were no flow. */
static void check_counter(struct bench *bench, const struct flow_pair *pair)
{
	struct shot shot;

	shot_counter(&pair->opener, &pair->reply, &shot);
	if (!shot_tells(&shot))
		return;
	foresee(bench, &shot, BY_XDP);
	shoot(bench, &shot, BY_XDP, true);
	if (bench->seen.run.reason != bench->expected.reason ||
	    run_passes(&bench->seen.run) != !bench->expected.reason)
		reject(bench, &shot, "the other end's own question");
	if (shot_asks(&shot))
		stage_forget(bench->stage, &shot);
	bench->pairs++;
	bench->counters++;
}

static void open_flow(struct bench *bench, __u16 port)
{
	struct flow_pair *pair = &bench->flows[bench->flow_count];
	__u32 inside;

	draw_opener(bench, &pair->opener);
	pair->opener.probe.sport = port;
	pair->translated = pair->opener.way == LEAVING && dice_one_in(&bench->dice, 4);
	foresee(bench, &pair->opener, BY_XDP);
	if (pair->translated ? !is_translatable(bench, &pair->opener) : !is_usable(bench, &pair->opener))
		return;
	reference_flags(&bench->stage->world, &pair->opener.probe.dst, &inside);
	if (pair->opener.way != ARRIVING && inside)
		return;
	shot_reverse(&pair->opener, &bench->stage->world, &pair->reply);
	if (pair->opener.way == FROM_SLOT)
		pair->reply.way = ARRIVING;
	if (pair->translated) {
		uplink_leave_translated(bench->stage, &pair->opener);
	} else {
		shoot(bench, &pair->opener, BY_XDP, true);
		check_seen(bench, &pair->opener, "opens a flow");
	}
	if (pair->opener.way == FROM_SLOT)
		uplink_leave(bench->stage, &pair->opener);
	bench->flow_count++;
	if (!pair->translated && dice_one_in(&bench->dice, 2))
		establish(bench, pair);
	if (pair->translated)
		return;
	check_counter(bench, pair);
	check_error(bench, pair);
}

static void open_flows(struct bench *bench)
{
	bench->flow_count = 0;
	for (__u16 i = 0; i < FLOWS; i++)
		open_flow(bench, (__u16)(FLOW_PORT + i));
}

/* Whether a packet of either end still comes from, and goes to, where it did when the flow was opened. */
static bool is_in_place(const struct bench *bench, const struct flow_pair *pair, const struct shot *shot)
{
	__u32 source, destination;

	reference_flags(&bench->stage->world, &shot->probe.src, &source);
	reference_flags(&bench->stage->world, &shot->probe.dst, &destination);
	if (pair->translated || shot->way == LEAVING || pair->opener.way == LEAVING ||
	    pair->reply.way == LEAVING)
		return !source && !destination;
	return shot->way == FROM_SLOT ? source == shot->slot && !destination : !source;
}

/*
 * The flow's next packet, of either end, under other documents: it passes exactly when they would let the
 * flow be opened, and its source is not to be dropped anyway.
 */
static void check_flow(struct bench *bench, const struct flow_pair *pair)
{
	struct shot shot = dice_one_in(&bench->dice, 2) ? pair->reply : pair->opener;
	enum drop_reason screened = DROP_NONE, opening, alone, reason;

	if (pair->translated)
		shot = pair->reply;
	shot.tcp = TCP_ACK;
	if (!is_in_place(bench, pair, &shot))
		return;
	foresee(bench, &pair->opener, BY_NOBODY);
	opening = pair->translated ? DROP_NONE : bench->expected.reason;
	foresee(bench, &shot, BY_NOBODY);
	alone = bench->expected.reason;
	if (shot.way == ARRIVING)
		screened = expect_screened(&bench->stage->world, &shot);
	shoot(bench, &shot, BY_XDP, true);
	reason = bench->seen.run.reason;
	bench->pairs++;
	bench->screened += screened != DROP_NONE;
	if (screened && reason != screened)
		reject(bench, &shot, "a flow is not screened");
	if (screened)
		return;
	if (bench->seen.early)
		reject(bench, &shot, "XDP dropped a packet of a flow");
	if (!opening && !run_passes(&bench->seen.run) && reason != DROP_REASON_ENDPOINT_INACTIVE)
		reject(bench, &shot, "lost a packet of a flow that is allowed");
	if (opening && run_passes(&bench->seen.run) && alone)
		reject(bench, &shot, "a flow goes on that is denied");
	if (opening && reason != DROP_REASON_REVOKED && reason != alone)
		reject(bench, &shot, "another reason for its end");
	bench->revoked += reason == DROP_REASON_REVOKED;
	bench->continued += run_passes(&bench->seen.run);
}

static void check_flows(struct bench *bench)
{
	for (size_t i = 0; i < bench->flow_count; i++)
		check_flow(bench, &bench->flows[i]);
	for (size_t i = 0; i < bench->flow_count; i++)
		stage_forget(bench->stage, &bench->flows[i].opener);
}

/* ---- worlds ---- */

static void draw_change(struct bench *bench, struct change *ret)
{
	if (dice_one_in(&bench->dice, 3))
		change_draw_outside(&bench->dice, ret);
	else
		change_draw(&bench->dice, ret);
}

static void change(struct bench *bench)
{
	__u32 count = 1 + dice_below(&bench->dice, CHANGES_PER_ROUND);
	struct change change;

	for (__u32 i = 0; !bench->round && change_draw_initial(&bench->dice, i, &change); i++) {
		uplink_change(bench->stage, &change);
		free(change.text);
	}
	if (!bench->round) /* half the worlds have tiers */
		count = dice_one_in(&bench->dice, 2) ? 6 : 0;
	for (__u32 i = 0; i < count; i++) {
		draw_change(bench, &change);
		uplink_change(bench->stage, &change);
		free(change.text);
	}
	snprintf(bench->stage->origin, sizeof(bench->stage->origin), "SEED=%" PRIu64 " round %u", bench->seed,
		 bench->round);
	uplink_commit(bench->stage);
	if (bench->stage->problem[0])
		fail_msg("%s: %s", bench->stage->origin, bench->stage->problem);
	bench->policies++;
}

/* Some of them twice: what is concluded about the second is remembered from the first. */
static void check_packets(struct bench *bench)
{
	for (int i = 0; i < PACKETS; i++) {
		struct shot shot;

		shot_draw_uplink(&bench->dice, &bench->stage->world, settings_of(bench)->host_endpoints,
				 &shot);
		check_shot(bench, &shot);
		if (i % 4 == 0)
			check_fragments(bench);
		if (i >= REPEATED)
			continue;
		check_shot(bench, &shot);
		bench->repeated[i] = shot;
	}
}

static void check_changes(struct bench *bench)
{
	struct change change;

	for (int i = 0; i < TORN; i++) {
		draw_change(bench, &change);
		check_torn(bench, &change);
		free(change.text);
	}
}

static void run_world(struct bench *bench)
{
	dice_seed(&bench->dice, bench->seed);
	uplink_clear(bench->stage);
	bench->flow_count = 0;
	for (bench->round = 0; bench->round < ROUNDS; bench->round++) {
		change(bench);
		check_flows(bench);
		for (int i = 0; bench->round && i < REPEATED; i++)
			check_shot(bench, &bench->repeated[i]);
		check_packets(bench);
		check_changes(bench);
		open_flows(bench);
	}
	progrun_clear(bench->stage->fixture->progrun, "drops");
}

static void print_distribution(const struct bench *bench, double seconds)
{
	static const char *const names[] = {[DROP_NONE] = "passed",
#define X(name, meaning) [DROP_REASON_##name] = #name,
					    DROP_REASONS(X)
#undef X
	};

	print_message("# %" PRIu64 " pairs of %" PRIu64
		      " policies in %.1f s: %.0f per second; XDP dropped %" PRIu64 "\n",
		      bench->pairs, bench->policies, seconds, (double)bench->pairs / seconds, bench->early);
	print_message("# %" PRIu64 " changes between XDP and TC, %" PRIu64 " fragments, %" PRIu64
		      " ICMP errors, %" PRIu64 " questions in the words of the other end's flow\n",
		      bench->torn, bench->fragments, bench->errors, bench->counters);
	print_message("# established flows after changes: %" PRIu64 " went on, %" PRIu64
		      " were revoked, %" PRIu64 " screened\n",
		      bench->continued, bench->revoked, bench->screened);
	for (int reason = 0; reason < DROP_REASON_COUNT; reason++) {
		if (bench->reasons[reason])
			print_message("#   %5.1f %% %s\n",
				      100.0 * (double)bench->reasons[reason] / (double)bench->pairs,
				      names[reason]);
	}
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void test_packets_meet_what_was_written(void **state)
{
	/* Each change is judged by the same policies and packets; long runs look for new ones. */
	uint64_t seconds = number_from("SECONDS", 0);
	uint64_t first = number_from("SEED", seconds ? (uint64_t)time(NULL) : 1);
	uint64_t pairs = number_from("PAIRS", seconds ? UINT64_MAX : PAIRS_DEFAULT);
	double start = now(), end = start + (double)(seconds ?: DEADLINE);
	static struct bench bench;

	bench = (struct bench){.stage = *state, .seed = first};
	print_message("# SEED=%" PRIu64 "\n", first);
	for (; bench.pairs < pairs && now() < end; bench.seed++)
		run_world(&bench);
	print_distribution(&bench, now() - start);
	assert_true(bench.pairs > 0);
}

static int set_up(void **state, bool drop_events, bool host_endpoints)
{
	struct settings settings;

	progrun_default_settings(&settings);
	settings.drop_events = drop_events;
	settings.host_endpoints = host_endpoints;
	*state = stage_new(&settings);
	return *state ? uplink_prepare(*state) : -1;
}

static int set_up_plain(void **state)
{
	return set_up(state, true, false);
}

/* XDP remembers what it has dropped only where drops have no events. */
static int set_up_untold(void **state)
{
	return set_up(state, false, false);
}

static int set_up_host(void **state)
{
	return set_up(state, true, true);
}

static int tear_down(void **state)
{
	stage_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets_meet_what_was_written),
	};
	int failed = cmocka_run_group_tests_name("uplink", tests, set_up_plain, tear_down);

	failed += cmocka_run_group_tests_name("uplink, drops untold", tests, set_up_untold, tear_down);
	return failed + cmocka_run_group_tests_name("host endpoints", tests, set_up_host, tear_down);
}
