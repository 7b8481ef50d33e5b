/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The proof that what is enforced is what was written: random documents in random order through the policy
 * engine into real maps, random packets through the real programs, and for each packet the same verdict, drop
 * reason, deciding rules, log events and way out as the reference evaluator finds in the documents.
 *
 * Environment: SEED (of the first world; a failure prints the one to give), PAIRS (policies times packets),
 * SECONDS (instead of PAIRS). Without both: PAIRS_DEFAULT, or fewer on a machine that is too slow for that.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <linux/pkt_cls.h>

#include "differential_expect.h"
#include "differential_stage.h"

#define PAIRS_DEFAULT	  400000
#define DEADLINE	  60  /* seconds; reached only in a virtual machine without hardware support */
#define ROUNDS		  10  /* per world */
#define PACKETS		  100 /* per round */
#define CHANGES_PER_ROUND 4

struct bench {
	struct stage *stage;
	struct dice dice;
	__u64 seed; /* of the world */
	unsigned int round;
	uint64_t pairs, policies;
	uint64_t reasons[DROP_REASON_COUNT];
	uint64_t verdicts, rules; /* consulted; matched */
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

/* ---- complaints ---- */

static void print_documents(const struct world *world)
{
	static const char *const kinds[] = {
		[RULES] = "rules",     [TAGS] = "tags",		[LABELS] = "labels",
		[TIER] = "tier",       [POLICY] = "policy",	[POOL] = "pool",
		[ADDRESS] = "address", [WORKLOAD] = "workload", [HOST_ENDPOINT] = "host endpoint"};

	for (size_t i = 0; i < world->count; i++) {
		const struct document *d = world->documents[i];

		print_message("#   %s %s slot %u: %s\n", kinds[d->kind], d->name, d->slot, d->text);
	}
}

static void print_hits(const struct expectation *expected)
{
	for (size_t i = 0; i < expected->verdicts; i++) {
		for (size_t j = 0; j < expected->verdict[i].hit_count; j++) {
			const struct reference_hit *hit = &expected->verdict[i].hits[j];

			print_message("#   expected: %s %s %zu\n", hit->document->name,
				      hit->inbound ? "inbound" : "outbound", hit->position);
		}
	}
}

static void complain(const struct bench *bench, const struct shot *shot, const struct expectation *expected,
		     const struct observation *seen, const char *what)
{
	const struct run wanted = {.reason = expected->reason, .action = (int)expected->fate};
	char text[256], run[128], other[128];

	print_documents(&bench->stage->world);
	print_hits(expected);
	for (size_t i = 0; i < seen->hit_count; i++) {
		const struct rule_info *info = &bench->stage->rules[seen->hits[i].rule_id];

		print_message("#   counted: %s %s %u, %u times\n", info->object, info->direction,
			      info->position, seen->hits[i].times);
	}
	fail_msg("SEED=%" PRIu64 " round %u: %s; %s; was %s; expected (action is a fate) %s", bench->seed,
		 bench->round, shot_describe(shot, text), what, run_describe(&seen->run, run),
		 run_describe(&wanted, other));
}

/* ---- comparison ---- */

static bool fate_matches(const struct bench *bench, const struct shot *shot,
			 const struct expectation *expected, const struct run *run)
{
	const struct settings *settings = &bench->stage->fixture->settings;
	__u32 mark = run->mark & settings->mark_mask;
	__u32 before = shot->way == TO_SLOT_ROUTED ? settings->mark_approved : 0;

	if (run->reason != expected->reason || run->drops != (expected->reason != DROP_NONE))
		return false;
	switch (expected->fate) {
	case DROPPED:
		return run->action == TC_ACT_SHOT;
	case PASSED:
		return run->action == TC_ACT_OK && mark == before;
	case TO_PEER:
		return run->action == TC_ACT_REDIRECT;
	case TO_STACK:
		return run->action == TC_ACT_OK && mark == settings->mark_approved;
	default:
		return run->action == TC_ACT_OK && mark == (settings->mark_approved | settings->mark_nat_out);
	}
}

static bool is_rule(const struct rule_info *info, const struct reference_hit *hit)
{
	char object[RULE_NAME_LENGTH];

	snprintf(object, sizeof(object), "%s %s", hit->document->kind == RULES ? "profile" : "policy",
		 hit->document->name);
	return info->position == hit->position && strcmp(info->object, object) == 0 &&
	       strcmp(info->direction, hit->inbound ? "inbound" : "outbound") == 0;
}

/* Every rule that should have matched was counted, and no other one. */
static bool hits_match(const struct bench *bench, const struct expectation *expected,
		       const struct observation *seen)
{
	__u32 left[sizeof(seen->hits) / sizeof(seen->hits[0])], total = 0;

	for (size_t i = 0; i < seen->hit_count; i++) {
		left[i] = seen->hits[i].times;
		total += left[i];
	}
	for (size_t i = 0; i < expected->verdicts; i++) {
		for (size_t j = 0; j < expected->verdict[i].hit_count; j++) {
			size_t at = 0;

			while (at < seen->hit_count &&
			       (!left[at] || !is_rule(&bench->stage->rules[seen->hits[at].rule_id],
						      &expected->verdict[i].hits[j])))
				at++;
			if (at == seen->hit_count)
				return false;
			left[at]--;
			total--;
		}
	}
	return total == 0;
}

static bool event_matches(const struct bench *bench, const struct packet_event *event,
			  const struct reference_hit *hit)
{
	struct log_prefix prefix = {};
	const char *text = hit->rule->log_prefix ?: "";

	if (event->reason || event->rule_id >= bench->stage->rule_ids ||
	    !is_rule(&bench->stage->rules[event->rule_id], hit))
		return false;
	if (event->log_prefix)
		progrun_get(bench->stage->fixture->progrun, "log_prefix", &event->log_prefix, &prefix);
	return strcmp(prefix.text, text) == 0;
}

/* One event per rule that logs, in order. */
static bool events_match(const struct bench *bench, const struct expectation *expected,
			 const struct observation *seen)
{
	size_t at = 0;

	for (size_t i = 0; i < expected->verdicts; i++) {
		for (size_t j = 0; j < expected->verdict[i].hit_count; j++) {
			const struct reference_hit *hit = &expected->verdict[i].hits[j];

			if (!hit->logged)
				continue;
			if (at >= seen->event_count || !event_matches(bench, &seen->events[at], hit))
				return false;
			at++;
		}
	}
	return at == seen->event_count;
}

static void check_shot(struct bench *bench, const struct shot *shot)
{
	static struct observation seen;
	static struct expectation expected;

	expect(&bench->stage->world, &bench->stage->fixture->settings, shot, &expected);
	stage_shoot(bench->stage, shot, false, &seen);
	if (!fate_matches(bench, shot, &expected, &seen.run))
		complain(bench, shot, &expected, &seen, "another fate");
	if (!hits_match(bench, &expected, &seen))
		complain(bench, shot, &expected, &seen, "other rules matched");
	if (!events_match(bench, &expected, &seen))
		complain(bench, shot, &expected, &seen, "other rules were logged");
	if (shot->way != TO_SLOT_HOST && seen.flow != expected.opens_flow)
		complain(bench, shot, &expected, &seen, seen.flow ? "made a flow" : "made no flow");
	bench->pairs++;
	bench->reasons[expected.reason]++;
	bench->verdicts += expected.verdicts;
	for (size_t i = 0; i < expected.verdicts; i++)
		bench->rules += expected.verdict[i].hit_count;
}

/* ---- worlds ---- */

static void change(struct bench *bench)
{
	__u32 count = bench->round ? 1 + dice_below(&bench->dice, CHANGES_PER_ROUND) : 0;
	struct change change;

	for (__u32 i = 0; !bench->round && change_draw_initial(&bench->dice, i, &change); i++) {
		stage_change(bench->stage, &change);
		free(change.text);
	}
	/* Half the worlds have tiers. */
	if (!bench->round && dice_one_in(&bench->dice, 2))
		count = 6;
	for (__u32 i = 0; i < count; i++) {
		change_draw(&bench->dice, &change);
		stage_change(bench->stage, &change);
		free(change.text);
	}
	stage_commit(bench->stage);
	if (bench->stage->problem[0])
		fail_msg("SEED=%" PRIu64 " round %u: %s", bench->seed, bench->round, bench->stage->problem);
	bench->policies++;
}

static void run_world(struct bench *bench)
{
	struct progrun *progrun = bench->stage->fixture->progrun;

	dice_seed(&bench->dice, bench->seed);
	stage_clear(bench->stage);
	for (bench->round = 0; bench->round < ROUNDS; bench->round++) {
		change(bench);
		for (int i = 0; i < PACKETS; i++) {
			struct shot shot;

			shot_draw(&bench->dice, &bench->stage->world, &shot);
			check_shot(bench, &shot);
		}
	}
	progrun_clear(progrun, "drops");
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
	for (int reason = 0; reason < DROP_REASON_COUNT; reason++) {
		if (bench->reasons[reason])
			print_message("#   %5.1f %% %s\n",
				      100.0 * (double)bench->reasons[reason] / (double)bench->pairs,
				      names[reason]);
	}
}

static void test_packets_meet_what_was_written(void **state)
{
	uint64_t seconds = number_from("SECONDS", 0), first = number_from("SEED", (uint64_t)time(NULL));
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
	settings.half_open_limit = 0; /* forgetting flows does not give back what they were counted for */
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
