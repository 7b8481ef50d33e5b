/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The proof that what is enforced is what was written: random documents in random order through the policy
 * engine into real maps, random packets through the real programs, and for each packet the same verdict, drop
 * reason, deciding rules, log events and way out as the reference evaluator finds in the documents.
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
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "differential_check.h"

#define PAIRS_DEFAULT	  300000
#define DEADLINE	  60  /* seconds; reached only in a virtual machine without hardware support */
#define ROUNDS		  10  /* per world */
#define PACKETS		  100 /* per round */
#define REPEATED	  20  /* of them, at once and in the next round */
#define CHANGES_PER_ROUND 4

#define FLOWS	  60 /* tried to open per round */
#define FLOW_PORT 20000

struct flow_pair {
	struct shot opener, reply;
};

struct bench {
	struct stage *stage;
	struct dice dice;
	uint64_t seed; /* of the world */
	unsigned int round;
	uint64_t pairs, policies;
	uint64_t reasons[DROP_REASON_COUNT];
	uint64_t verdicts, rules;    /* consulted; matched */
	uint64_t revoked, continued; /* established flows, after other documents came */
	uint64_t counters;	     /* questions of the other end of a flow */
	struct flow_pair flows[FLOWS];
	size_t flow_count;
	struct shot repeated[REPEATED]; /* under the next documents */
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void check_shot(struct bench *bench, const struct shot *shot)
{
	static struct observation seen;
	static struct expectation expected;
	const char *difference;

	expect(&bench->stage->world, &bench->stage->fixture->settings, shot, &expected);
	stage_shoot(bench->stage, shot, false, &seen);
	difference = check_observation(bench->stage, shot, &expected, &seen);
	if (difference)
		complain(bench->stage, shot, &expected, &seen, difference);
	bench->pairs++;
	bench->reasons[expected.reason]++;
	bench->verdicts += expected.verdicts;
	for (size_t i = 0; i < expected.verdicts; i++)
		bench->rules += expected.verdict[i].hit_count;
}

/* ---- established flows ---- */

/* What the other end asks in a flow's words is judged as if there were no flow. */
static void check_counter(struct bench *bench, const struct flow_pair *pair)
{
	static struct observation seen;
	static struct expectation expected;
	struct shot shot;

	shot_counter(&pair->opener, &pair->reply, &shot);
	if (!shot_tells(&shot))
		return;
	expect(&bench->stage->world, &bench->stage->fixture->settings, &shot, &expected);
	stage_shoot(bench->stage, &shot, true, &seen);
	if (seen.run.reason != expected.reason || run_passes(&seen.run) != !expected.reason)
		complain(bench->stage, &shot, &expected, &seen, "the other end's own question");
	if (shot_asks(&shot))
		stage_forget(bench->stage, &shot);
	bench->pairs++;
	bench->counters++;
}

static void open_flows(struct bench *bench)
{
	static struct observation seen;
	static struct expectation expected;

	bench->flow_count = 0;
	for (__u16 i = 0; i < FLOWS; i++) {
		struct flow_pair *pair = &bench->flows[bench->flow_count];

		shot_draw(&bench->dice, &bench->stage->world, &pair->opener);
		if (i % 3 == 0)
			shot_visit(&pair->opener);
		if (i % 8 == 7 && pair->opener.way == TO_SLOT)
			shot_from_host(&pair->opener);
		/* One flow per port, or identifier; a MAC that may change proves nothing here. */
		pair->opener.probe.sport = (__u16)(FLOW_PORT + i);
		pair->opener.wrong_mac = false;
		expect(&bench->stage->world, &bench->stage->fixture->settings, &pair->opener, &expected);
		if (!expected.opens_flow || pair->opener.way > TO_SLOT_HOST ||
		    !(shot_has_ports(&pair->opener) || shot_asks(&pair->opener)))
			continue;
		shot_reverse(&pair->opener, &bench->stage->world, &pair->reply);
		stage_shoot(bench->stage, &pair->opener, true, &seen);
		if (!run_passes(&seen.run) || !seen.flow)
			complain(bench->stage, &pair->opener, &expected, &seen, "opens no flow");
		check_counter(bench, pair);
		bench->flow_count++;
	}
}

/*
 * The flow's next packet, of either end, under other documents: it passes exactly when they would let the
 * flow be opened. Addresses may have moved, and then the packet is dropped for what it is now.
 */
static void check_flow(struct bench *bench, const struct flow_pair *pair)
{
	static struct observation seen;
	static struct expectation opening, alone;
	struct shot shot = dice_one_in(&bench->dice, 2) ? pair->reply : pair->opener, reply;

	shot.tcp = TCP_ACK;
	/* The other end may have moved to another interface: the answers of the old one are forged now. */
	shot_reverse(&pair->opener, &bench->stage->world, &reply);
	if (reply.way != pair->reply.way || reply.slot != pair->reply.slot)
		shot = pair->opener;
	expect(&bench->stage->world, &bench->stage->fixture->settings, &pair->opener, &opening);
	expect(&bench->stage->world, &bench->stage->fixture->settings, &shot, &alone);
	/* The host may always open one, but whom it reaches so has changed. */
	if (pair->opener.way == TO_SLOT_HOST && !opening.opens_flow)
		return;
	stage_shoot(bench->stage, &shot, false, &seen);
	/* An inactive endpoint may still ask its host for names; answers from elsewhere do not reach it. */
	if (!opening.reason && !run_passes(&seen.run) && seen.run.reason != DROP_REASON_ENDPOINT_INACTIVE)
		complain(bench->stage, &shot, &opening, &seen, "lost a packet of a flow that is allowed");
	if (opening.reason && run_passes(&seen.run) && alone.reason)
		complain(bench->stage, &shot, &opening, &seen, "a flow goes on that is denied");
	if (opening.reason && seen.run.reason != DROP_REASON_REVOKED && seen.run.reason != alone.reason)
		complain(bench->stage, &shot, &opening, &seen, "another reason for its end");
	if (!check_packet(bench->stage, &shot, &seen))
		complain(bench->stage, &shot, &opening, &seen, "another packet");
	bench->pairs++;
	bench->revoked += seen.run.reason == DROP_REASON_REVOKED;
	bench->continued += run_passes(&seen.run);
}

static void check_flows(struct bench *bench)
{
	for (size_t i = 0; i < bench->flow_count; i++)
		check_flow(bench, &bench->flows[i]);
	for (size_t i = 0; i < bench->flow_count; i++)
		stage_forget(bench->stage, &bench->flows[i].opener);
}

/* ---- worlds ---- */

static void change(struct bench *bench)
{
	__u32 count = 1 + dice_below(&bench->dice, CHANGES_PER_ROUND);
	/* With nothing else, so that established flows are told of it by its own doing or not at all. */
	bool visit = bench->round && dice_one_in(&bench->dice, 3);
	struct change change;

	for (__u32 i = 0; !bench->round && change_draw_initial(&bench->dice, i, &change); i++) {
		stage_change(bench->stage, &change);
		free(change.text);
	}
	if (!bench->round) /* half the worlds have tiers */
		count = dice_one_in(&bench->dice, 2) ? 6 : 0;
	for (__u32 i = 0; i < (visit ? 1 : count); i++) {
		if (visit)
			change_draw_visitor(&bench->dice, &change);
		else
			change_draw(&bench->dice, &change);
		stage_change(bench->stage, &change);
		free(change.text);
	}
	snprintf(bench->stage->origin, sizeof(bench->stage->origin), "SEED=%" PRIu64 " round %u", bench->seed,
		 bench->round);
	stage_commit(bench->stage);
	if (bench->stage->problem[0])
		fail_msg("%s: %s", bench->stage->origin, bench->stage->problem);
	bench->policies++;
}

/* Some of them twice: the verdict about the second is one that was kept. */
static void check_packets(struct bench *bench)
{
	for (int i = 0; i < PACKETS; i++) {
		struct shot shot;

		shot_draw(&bench->dice, &bench->stage->world, &shot);
		check_shot(bench, &shot);
		if (i >= REPEATED)
			continue;
		check_shot(bench, &shot);
		bench->repeated[i] = shot;
	}
}

static void run_world(struct bench *bench)
{
	dice_seed(&bench->dice, bench->seed);
	stage_clear(bench->stage);
	bench->flow_count = 0;
	for (bench->round = 0; bench->round < ROUNDS; bench->round++) {
		change(bench);
		check_flows(bench);
		for (int i = 0; bench->round && i < REPEATED; i++)
			check_shot(bench, &bench->repeated[i]);
		check_packets(bench);
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

	print_message("# %" PRIu64 " pairs of %" PRIu64 " policies in %.1f s: %.0f per second\n",
		      bench->pairs, bench->policies, seconds, (double)bench->pairs / seconds);
	print_message("# %.2f policies consulted and %.2f rules matched per packet\n",
		      (double)bench->verdicts / (double)bench->pairs,
		      (double)bench->rules / (double)bench->pairs);
	print_message("# %" PRIu64 " questions in the words of the other end's flow\n", bench->counters);
	print_message("# established flows after changes: %" PRIu64 " went on, %" PRIu64 " were revoked\n",
		      bench->continued, bench->revoked);
	for (int reason = 0; reason < DROP_REASON_COUNT; reason++) {
		if (bench->reasons[reason])
			print_message("#   %5.1f %% %s\n",
				      100.0 * (double)bench->reasons[reason] / (double)bench->pairs,
				      names[reason]);
	}
}

static void test_packets_meet_what_was_written(void **state)
{
	/* Each change is judged by the same policies and packets; long runs look for new ones. */
	uint64_t seconds = number_from("SECONDS", 0);
	uint64_t first = number_from("SEED", seconds ? (uint64_t)time(NULL) : 1);
	uint64_t pairs = number_from("PAIRS", seconds ? UINT64_MAX : PAIRS_DEFAULT);
	double start = now(), end = start + (double)(seconds ?: DEADLINE);
	struct bench bench = {.stage = *state, .seed = first};

	print_message("# SEED=%" PRIu64 "\n", first);
	for (; bench.pairs < pairs && now() < end; bench.seed++)
		run_world(&bench);
	print_distribution(&bench, now() - start);
	assert_true(bench.pairs > 0);
}

static int set_up(void **state)
{
	struct settings settings;

	progrun_default_settings(&settings);
	settings.drop_events = 1;
	*state = stage_new(&settings);
	return *state ? 0 : -1;
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

	return cmocka_run_group_tests_name("differential", tests, set_up, tear_down);
}
