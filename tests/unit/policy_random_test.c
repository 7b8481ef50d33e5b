/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Random changes in random order, judged at every moment: the verdicts are those of the specification; no
 * single write lets anything through that neither the old nor the new policy allows; flows judged before a
 * change are judged again after it; and the history leaves nothing behind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/policy_random.h"

#define PROBES 12
#define SEEDS  50
#define ROUNDS 20

/* One packet in one direction at one endpoint. */
struct watch {
	struct probe probe;
	__u32 slot;
	bool inbound;
	bool before, after; /* verdicts of the old and the new policy */
	struct sight old;   /* what a packet saw that was under way when the commit began */
	__u32 flow_slots[2], flow_generations[2]; /* of the last packet that was allowed so far */
	bool has_flow;
};

struct bench {
	struct fixture fixture;
	struct random random;
	struct watch watches[PROBES * RANDOM_SLOTS * 2];
	size_t count;
	__u64 seed;
	int round;
};

static void complain(const struct bench *bench, const struct watch *watch, const char *what)
{
	char src[ADDR_TEXT], dst[ADDR_TEXT];
	const struct probe *probe = &watch->probe;

	fail_msg("seed %llu round %d, slot %u %s, %s:%u to %s:%u protocol %u type %u code %u: %s",
		 (unsigned long long)bench->seed, bench->round, watch->slot,
		 watch->inbound ? "inbound" : "outbound", addr_format(&probe->src, src), probe->sport,
		 addr_format(&probe->dst, dst), probe->dport, probe->protocol, probe->icmp_type,
		 probe->icmp_code, what);
}

static void draw_watches(struct bench *bench)
{
	bench->count = 0;
	for (int i = 0; i < PROBES; i++) {
		struct probe probe = random_probe(&bench->random);

		for (__u32 slot = 1; slot <= RANDOM_SLOTS; slot++) {
			for (int inbound = 0; inbound < 2; inbound++)
				bench->watches[bench->count++] = (struct watch){
					.probe = probe,
					.slot = slot,
					.inbound = inbound,
				};
		}
	}
}

static void store_flow(struct bench *bench, struct watch *watch, const struct sight *sight)
{
	const struct address *own = watch->inbound ? &sight->dst : &sight->src;

	/* Programs see to it that one end is the endpoint's own, or this host's. */
	if (watch->slot == RANDOM_HOST_SLOT ? (own->flags & (ADDRESS_HOST | ADDRESS_LOCAL)) != ADDRESS_HOST
					    : !(own->flags & ADDRESS_LOCAL) || own->endpoint != watch->slot)
		return;
	watch->has_flow = true;
	watch->flow_slots[0] = sight->src.generation_slot;
	watch->flow_slots[1] = sight->dst.generation_slot;
	watch->flow_slots[watch->inbound] = policy_generation_slot(bench->fixture.engine, watch->slot);
	for (int end = 0; end < 2; end++)
		watch->flow_generations[end] = maps_generation(&bench->fixture.maps, watch->flow_slots[end]);
}

static void look_before(struct bench *bench)
{
	for (size_t i = 0; i < bench->count; i++) {
		struct watch *watch = &bench->watches[i];

		watch->old = maps_look(&bench->fixture.maps, watch->slot, &watch->probe);
		watch->before =
			maps_judge_sight(&bench->fixture.maps, &watch->old, watch->inbound, &watch->probe)
				.allowed;
		if (watch->before)
			store_flow(bench, watch, &watch->old);
	}
}

static void look_ahead(struct bench *bench)
{
	for (size_t i = 0; i < bench->count; i++) {
		struct watch *watch = &bench->watches[i];

		watch->after =
			reference_judge(&bench->fixture.world, watch->slot, watch->inbound, &watch->probe)
				.allowed;
	}
}

/* Between any two writes: a packet that is judged now, and one that began before the commit. */
static void check_moment(void *arg, enum policy_map map, const void *key)
{
	struct bench *bench = arg;

	for (size_t i = 0; i < bench->count; i++) {
		struct watch *watch = &bench->watches[i];
		struct sight now = maps_look(&bench->fixture.maps, watch->slot, &watch->probe);
		bool allowed =
			maps_judge_sight(&bench->fixture.maps, &now, watch->inbound, &watch->probe).allowed;

		if (allowed && !watch->before && !watch->after)
			complain(bench, watch, "a single write let it through");
		if (allowed)
			store_flow(bench, watch, &now);
	}
}

/* A packet as old as can be: it saw the maps before the commit, and ends just before the fence does. */
static void end_old_packets(void *arg)
{
	struct bench *bench = arg;

	for (size_t i = 0; i < bench->count; i++) {
		struct watch *watch = &bench->watches[i];
		bool allowed =
			maps_judge_sight(&bench->fixture.maps, &watch->old, watch->inbound, &watch->probe)
				.allowed;

		if (allowed != watch->before)
			complain(bench, watch, "what a packet looks at changed under it");
		if (allowed)
			store_flow(bench, watch, &watch->old);
		watch->old = maps_look(&bench->fixture.maps, watch->slot, &watch->probe);
		watch->before =
			maps_judge_sight(&bench->fixture.maps, &watch->old, watch->inbound, &watch->probe)
				.allowed;
	}
}

static void check_flow(struct bench *bench, const struct watch *watch)
{
	const struct maps *maps = &bench->fixture.maps;

	if (!watch->has_flow || watch->after)
		return;
	if (maps_generation(maps, watch->flow_slots[0]) == watch->flow_generations[0] &&
	    maps_generation(maps, watch->flow_slots[1]) == watch->flow_generations[1])
		complain(bench, watch, "a flow is kept that policy denies now");
}

/* Failures may deny, but whatever is allowed is so by the specification. */
static void check_after(struct bench *bench, bool complete)
{
	for (size_t i = 0; i < bench->count; i++) {
		const struct watch *watch = &bench->watches[i];
		bool allowed =
			maps_judge(&bench->fixture.maps, watch->slot, watch->inbound, &watch->probe).allowed;

		if (allowed ? !watch->after : complete && watch->after)
			complain(bench, watch, "another verdict than the specification's");
		check_flow(bench, watch);
	}
}

static void check_addresses(struct bench *bench)
{
	for (size_t i = 0; i < random_address_count(); i++) {
		struct addr addr = random_address(i);
		struct address found = maps_address(&bench->fixture.maps, &addr);
		__u32 slot;

		assert_int_equal(found.flags, reference_flags(&bench->fixture.world, &addr, &slot));
		assert_int_equal(found.endpoint, slot);
		if (slot)
			assert_int_equal(found.generation_slot,
					 policy_generation_slot(bench->fixture.engine, slot));
	}
}

static void count_problem(void *arg, const char *object, const char *text)
{
	size_t *count = arg;

	if (text && !problem_is_of_documents(text))
		fail_msg("%s: %s", object, text);
	*count += text ? 1 : -1;
}

/* An engine that is told only how things are now, in another order, needs as much as ours does. */
static void check_history(struct bench *bench)
{
	struct world *world = &bench->fixture.world;
	struct policy_usage ours, theirs;
	struct policy_engine *fresh;
	struct maps maps;
	size_t count = 0;

	maps_init(&maps);
	assert_int_equal(policy_engine_new(&maps.sink, count_problem, &count, &fresh), 0);
	for (__u64 sequence = 0; sequence <= world->sequence; sequence++) {
		for (size_t i = 0; i < world->count; i++) {
			if (world->documents[i]->sequence == sequence)
				engine_feed(fresh, world->documents[i]);
		}
	}
	/* The first fence frees what the commit itself replaced, the second what it cleaned up after that. */
	assert_int_equal(policy_commit(fresh), 0);
	assert_int_equal(policy_commit(fresh), 0);
	for (size_t i = 0; i < bench->count; i++) {
		const struct watch *watch = &bench->watches[i];

		assert_int_equal(maps_judge(&maps, watch->slot, watch->inbound, &watch->probe).allowed,
				 watch->after);
	}
	fixture_commit(&bench->fixture);
	policy_usage(bench->fixture.engine, &ours);
	policy_usage(fresh, &theirs);
	assert_int_equal(bench->fixture.problems.count, count);
	assert_int_equal(ours.sets, theirs.sets);
	assert_int_equal(ours.rows, theirs.rows);
	assert_int_equal(ours.lists, theirs.lists);
	for (int map = MAP_ADDRESS4; map < POLICY_MAP_COUNT; map++)
		assert_int_equal(ours.used[map], theirs.used[map]);
	policy_engine_free(fresh);
	maps_done(&maps);
}

static struct bench *bench_new(__u64 seed, const __u32 capacity[POLICY_MAP_COUNT])
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	bench->seed = seed;
	bench->random.state = seed * 0x9e3779b97f4a7c15ULL;
	fixture_init(&bench->fixture, capacity);
	bench->fixture.maps.arg = bench;
	bench->fixture.maps.after = check_moment;
	bench->fixture.maps.at_fence = end_old_packets;
	return bench;
}

static void bench_free(struct bench *bench)
{
	fixture_done(&bench->fixture);
	free(bench);
}

/* Changes a batch of documents, watched from before the commit. */
static void change(struct bench *bench, __u32 batch)
{
	__u32 count = bench->round == 0 ? 30 : 1 + random_below(&bench->random, batch);

	for (__u32 i = 0; i < count; i++)
		random_change(&bench->random, &bench->fixture);
	draw_watches(bench);
	look_before(bench);
	look_ahead(bench);
}

static void run_seed(__u64 seed, __u32 batch)
{
	struct bench *bench = bench_new(seed, NULL);

	for (bench->round = 0; bench->round < ROUNDS; bench->round++) {
		change(bench, batch);
		fixture_commit(&bench->fixture);
		check_after(bench, true);
		check_addresses(bench);
		assert_int_equal(fixture_denials(&bench->fixture), 0);
		if (bench->round % 5 == 4)
			check_history(bench);
	}
	bench_free(bench);
}

static void test_single_changes(void **state)
{
	for (__u64 seed = 1; seed <= SEEDS; seed++)
		run_seed(seed, 1);
}

static void test_batches_of_changes(void **state)
{
	for (__u64 seed = 1; seed <= SEEDS; seed++)
		run_seed(1000 + seed, 8);
}

/* One write of each commit fails, whichever it is; the next commit puts all right. Returns how many failed.
 */
static int run_failing_seed(__u64 seed)
{
	struct bench *bench = bench_new(seed, NULL);
	int failures = 0;

	for (bench->round = 0; bench->round < ROUNDS; bench->round++) {
		int r;

		change(bench, 3);
		bench->fixture.maps.fail_after = 1 + random_below(&bench->random, 20);
		r = policy_commit(bench->fixture.engine);
		assert_true(r == 0 || r == -EIO);
		failures += bench->fixture.maps.fail_after == 0;
		check_after(bench, r == 0);
		bench->fixture.maps.fail_after = 0;
		look_before(bench);
		fixture_commit(&bench->fixture);
		check_after(bench, true);
		check_addresses(bench);
		assert_int_equal(fixture_denials(&bench->fixture), 0);
	}
	check_history(bench);
	bench_free(bench);
	return failures;
}

static void test_failing_writes(void **state)
{
	int failures = 0;

	for (__u64 seed = 1; seed <= SEEDS; seed++)
		failures += run_failing_seed(2000 + seed);
	assert_true(failures > SEEDS * ROUNDS / 4);
}

/* Maps of which at least one is too small now and then. Returns how many commits met a full one. */
static int run_small_seed(__u64 seed)
{
	struct random random = {.state = seed * 0x9e3779b97f4a7c15ULL};
	static const __u32 small[POLICY_MAP_COUNT] = {
		[MAP_IDENTITY] = 12,  [MAP_ADDRESS4] = 7, [MAP_ADDRESS6] = 5, [MAP_PREFIX4] = 8,
		[MAP_PREFIX6] = 4,    [MAP_PORTSET] = 4,  [MAP_RULE] = 150,   [MAP_RULE_INFO] = 120,
		[MAP_LOG_PREFIX] = 3, [MAP_STEP] = 40,	  [MAP_LIST] = 8,     [MAP_ENDPOINT_POLICY] = 0,
		[MAP_GENERATION] = 0,
	};
	__u32 capacity[POLICY_MAP_COUNT] = {};
	struct bench *bench;
	int full = 0;

	for (int map = 0; map < POLICY_MAP_COUNT; map++) {
		if (small[map] && random_below(&random, 2))
			capacity[map] = 1 + random_below(&random, small[map]);
	}
	bench = bench_new(seed, capacity);
	for (bench->round = 0; bench->round < ROUNDS; bench->round++) {
		int r;

		change(bench, 3);
		r = policy_commit(bench->fixture.engine);
		assert_true(r == 0 || r == -ENOSPC);
		full += fixture_denials(&bench->fixture) > 0;
		check_after(bench, fixture_denials(&bench->fixture) == 0);
	}
	bench_free(bench);
	return full;
}

static void test_full_maps(void **state)
{
	int full = 0;

	for (__u64 seed = 1; seed <= SEEDS; seed++)
		full += run_small_seed(3000 + seed);
	assert_in_range(full, SEEDS * ROUNDS / 10, SEEDS * ROUNDS * 9 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_changes),
		cmocka_unit_test(test_batches_of_changes),
		cmocka_unit_test(test_failing_writes),
		cmocka_unit_test(test_full_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
