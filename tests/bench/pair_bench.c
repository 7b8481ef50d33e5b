/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CPU time of one unit of traffic between two endpoints, for many variants of what is between them, in rounds
 * that go through all variants so that a slow minute of the machine hits all of them.
 *
 * usage: pair_bench CPU ROUNDS, with a line for each variant on standard input:
 *	NAME NAMESPACE-A NAMESPACE-B ADDRESS4-A ADDRESS4-B ADDRESS6-A ADDRESS6-B TESTS
 * TESTS is a comma separated list of tests (see pair_tests), or "all". Prints one line for each measurement:
 *	ROUND VARIANT FAMILY TEST NANOSECONDS-PER-UNIT
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/resource.h>

#include "bench/bench.h"
#include "bench/pair.h"

#define PAIRS_MAX    64
#define WARM_UP	     16
#define ATTEMPTS_MAX 20

struct variant {
	struct pair pair;
	char namespace[128], tests[128];
};

static struct variant variants[PAIRS_MAX];
static int variant_count;

static bool has_test(const struct variant *variant, const char *test)
{
	const char *at = variant->tests;
	size_t length = strlen(test);

	if (!strcmp(at, "all"))
		return true;
	for (; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		if (!strncmp(at, test, length) && (at[length] == ',' || !at[length]))
			return true;
	}
	return false;
}

static void read_variants(void)
{
	char name[32], b[128], address[FAMILIES][2][64];
	struct variant *variant = variants;

	while (variant_count < PAIRS_MAX && scanf("%31s %127s %127s %63s %63s %63s %63s %127s", name,
						  variant->namespace, b, address[IPV4][0], address[IPV4][1],
						  address[IPV6][0], address[IPV6][1], variant->tests) == 8) {
		const char *namespaces[2] = {variant->namespace, b};
		const char *const addresses[FAMILIES][2] = {{address[IPV4][0], address[IPV4][1]},
							    {address[IPV6][0], address[IPV6][1]}};

		pair_open(&variant->pair, name, namespaces, addresses);
		variant_count++;
		variant++;
	}
	if (!variant_count)
		bench_fail("no variant on standard input");
}

/* Another thread's work, or an interrupt at the wrong time, spoils a batch; it is then done again. */
static double batch(const struct pair_test *test, struct ends *ends)
{
	for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		uint64_t waited, begin, end;

		for (unsigned int i = 0; i < WARM_UP; i++)
			test->unit(ends);
		waited = bench_interruptions();
		begin = bench_cpu_ns();
		for (unsigned int i = 0; i < test->units; i++)
			test->unit(ends);
		end = bench_cpu_ns();
		waited = bench_interruptions() - waited;
		if (test->after)
			test->after(ends, WARM_UP + test->units);
		if (!waited)
			return (double)(end - begin) / test->units;
	}
	return -1;
}

/* Each variant follows each other one about equally often. */
static void shuffle(int *order, int count)
{
	for (int i = count - 1; i > 0; i--) {
		int j = rand() % (i + 1), moved = order[i];

		order[i] = order[j];
		order[j] = moved;
	}
}

static void run_round(unsigned int round, const struct pair_test *test, int family)
{
	int order[PAIRS_MAX];

	for (int i = 0; i < variant_count; i++)
		order[i] = i;
	shuffle(order, variant_count);
	for (int i = 0; i < variant_count; i++) {
		struct variant *variant = &variants[order[i]];
		double ns;

		if (!has_test(variant, test->name))
			continue;
		bench_enter(variant->namespace);
		ns = batch(test, variant->pair.ends[family]);
		if (ns >= 0)
			printf("%u %s %d %s %.1f\n", round, variant->pair.name, family == IPV4 ? 4 : 6,
			       test->name, ns);
	}
}

int main(int argc, char **argv)
{
	struct rlimit files;
	unsigned int rounds;

	if (argc != 3)
		bench_fail("usage: pair_bench CPU ROUNDS < VARIANTS");
	bench_pin(atoi(argv[1]));
	rounds = (unsigned int)atoi(argv[2]);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	srand(1);
	read_variants();
	for (unsigned int round = 0; round < rounds; round++) {
		for (const struct pair_test *test = pair_tests; test->name; test++) {
			for (int family = 0; family < FAMILIES; family++)
				run_round(round, test, family);
		}
		fflush(stdout);
	}
	return 0;
}
