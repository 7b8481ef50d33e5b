/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The order of events does not matter: after any interleaving of them, committed at any moments, the maps
 * mean what those of an engine do that is told the final documents only, and hold no entry more.
 *
 * Environment: SEED (a failure prints the one to give), SEQUENCES, SECONDS (instead of SEQUENCES).
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "differential_dump.h"
#include "unit/feed.h"

#define SEQUENCES   150
#define DEADLINE    25 /* seconds; reached only in a virtual machine without hardware support */
#define CHECKPOINTS 4  /* per sequence */
#define EVENTS	    30 /* per checkpoint, at most */

struct bench {
	struct stage *evolved, *fresh;
	struct dice dice;
	uint64_t seed, events, commits;
};

static void tell(struct bench *bench, const struct change *change)
{
	stage_change(bench->evolved, change);
	bench->events++;
	if (dice_one_in(&bench->dice, 6)) {
		stage_commit(bench->evolved);
		bench->commits++;
	}
}

static void draw_and_tell(struct bench *bench)
{
	struct change change;

	change_draw(&bench->dice, &change);
	tell(bench, &change);
	free(change.text);
}

static const struct document *any_document(struct bench *bench)
{
	const struct world *world = &bench->evolved->world;

	return world->count ? world->documents[dice_below(&bench->dice, (__u32)world->count)] : NULL;
}

/* Deleted and made again, perhaps with something in between; or said twice. */
static void recreate(struct bench *bench)
{
	const struct document *d = any_document(bench);
	struct change gone = {}, again = {};

	if (!d)
		return;
	again = (struct change){.kind = d->kind, .text = strdup(d->text), .slot = d->slot};
	assert_non_null(again.text);
	snprintf(again.name, sizeof(again.name), "%s", d->name);
	gone = again;
	gone.text = NULL;
	if (!dice_one_in(&bench->dice, 4))
		tell(bench, &gone);
	if (dice_one_in(&bench->dice, 2))
		draw_and_tell(bench);
	tell(bench, &again);
	free(again.text);
}

/* What one endpoint has becomes another's, first given and then taken or the other way round. */
static void move(struct bench *bench)
{
	struct world *world = &bench->evolved->world;
	struct change changes[2] = {};
	const struct document *pair[2];
	char names[2][64];
	int first = (int)dice_below(&bench->dice, 2);

	for (int i = 0; i < 2; i++) {
		snprintf(names[i], sizeof(names[i]), "workload/%u", 1 + dice_below(&bench->dice, 6));
		pair[i] = world_find(world, WORKLOAD, names[i]);
	}
	if (!pair[0] || !pair[1] || pair[0] == pair[1])
		return;
	for (int i = 0; i < 2; i++) {
		changes[i].kind = WORKLOAD;
		snprintf(changes[i].name, sizeof(changes[i].name), "%s", names[i]);
		changes[i].text = strdup(pair[!i]->text);
		changes[i].slot = dice_one_in(&bench->dice, 2) ? pair[i]->slot : pair[!i]->slot;
		assert_non_null(changes[i].text);
	}
	tell(bench, &changes[first]);
	tell(bench, &changes[!first]);
	free(changes[0].text);
	free(changes[1].text);
}

/* Metadata that comes and goes under the policies of a tier. */
static void flip_tier(struct bench *bench)
{
	struct change change = {.kind = TIER};
	char text[] = "{\"order\": 0}";

	snprintf(change.name, sizeof(change.name), "t%u", dice_below(&bench->dice, 3));
	if (!world_find(&bench->evolved->world, TIER, change.name)) {
		text[10] = (char)('0' + dice_below(&bench->dice, 3));
		change.text = text;
	}
	tell(bench, &change);
}

static void start(struct bench *bench)
{
	struct change all[64];
	__u32 count = 0;

	stage_clear(bench->evolved);
	while (change_draw_initial(&bench->dice, count, &all[count]))
		count++;
	while (count) {
		__u32 i = dice_below(&bench->dice, count);

		tell(bench, &all[i]);
		free(all[i].text);
		all[i] = all[--count];
	}
}

static void evolve(struct bench *bench)
{
	__u32 events = 1 + dice_below(&bench->dice, EVENTS);

	for (__u32 i = 0; i < events; i++) {
		switch (dice_below(&bench->dice, 8)) {
		case 0:
			recreate(bench);
			break;
		case 1:
			move(bench);
			break;
		case 2:
			flip_tier(bench);
			break;
		default:
			draw_and_tell(bench);
		}
	}
}

/* The latest of several owners of an address counts, so documents are told in the order of their last change.
 */
static void tell_final(struct stage *fresh, const struct world *world)
{
	for (__u64 sequence = 0; sequence <= world->sequence; sequence++) {
		for (size_t i = 0; i < world->count; i++) {
			const struct document *d = world->documents[i];
			struct change change = {.kind = d->kind, .text = d->text, .slot = d->slot};

			if (d->sequence != sequence)
				continue;
			snprintf(change.name, sizeof(change.name), "%s", d->name);
			stage_change(fresh, &change);
		}
	}
}

static void complain(const struct bench *bench, const char *evolved, const char *fresh)
{
	size_t line = 0;

	for (size_t i = 0; evolved[i] == fresh[i]; i++) {
		if (evolved[i] == '\n')
			line = i + 1;
	}
	fail_msg("SEED=%" PRIu64 ": after the sequence \"%.*s\", from the final documents \"%.*s\"",
		 bench->seed, (int)strcspn(evolved + line, "\n"), evolved + line,
		 (int)strcspn(fresh + line, "\n"), fresh + line);
}

static void check(struct bench *bench)
{
	char *evolved, *fresh;

	/* The second commit cleans up behind the first. */
	stage_commit(bench->evolved);
	stage_commit(bench->evolved);
	stage_clear(bench->fresh);
	tell_final(bench->fresh, &bench->evolved->world);
	stage_commit(bench->fresh);
	stage_commit(bench->fresh);
	evolved = maps_dump(bench->evolved);
	fresh = maps_dump(bench->fresh);
	if (strcmp(evolved, fresh) != 0)
		complain(bench, evolved, fresh);
	assert_string_equal(bench->evolved->problem, "");
	free(evolved);
	free(fresh);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void test_order_of_events_does_not_matter(void **state)
{
	/* Each change is judged by the same sequences; long runs look for new ones. */
	uint64_t seconds = number_from("SECONDS", 0);
	uint64_t first = number_from("SEED", seconds ? (uint64_t)time(NULL) : 1);
	uint64_t sequences = number_from("SEQUENCES", seconds ? UINT64_MAX : SEQUENCES);
	time_t end = time(NULL) + (time_t)(seconds ?: DEADLINE);
	struct bench *bench = *state;

	bench->seed = first;
	print_message("# SEED=%" PRIu64 "\n", first);
	for (uint64_t i = 0; i < sequences && time(NULL) < end; i++, bench->seed++) {
		dice_seed(&bench->dice, bench->seed);
		start(bench);
		check(bench);
		for (int checkpoint = 0; checkpoint < CHECKPOINTS; checkpoint++) {
			evolve(bench);
			check(bench);
		}
	}
	print_message("# %" PRIu64 " sequences, %" PRIu64 " events, %" PRIu64 " commits between them\n",
		      bench->seed - first, bench->events, bench->commits);
	assert_true(bench->seed > first);
}

static int set_up(void **state)
{
	static struct bench bench;
	struct settings settings;

	progrun_default_settings(&settings);
	bench.evolved = stage_new(&settings);
	bench.fresh = stage_new(&settings);
	*state = &bench;
	return bench.evolved && bench.fresh ? 0 : -1;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	stage_free(bench->evolved);
	stage_free(bench->fresh);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_events_does_not_matter),
	};

	return cmocka_run_group_tests_name("sequences", tests, set_up, tear_down);
}
