/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long a TCP round trip of one byte takes between two endpoints whose threads sleep in between, each on a
 * processor of its own where there are two.
 *
 * usage: latency_bench TRIPS NAMESPACE-A NAMESPACE-B ADDRESS4-A ADDRESS4-B ADDRESS6-A ADDRESS6-B
 * Prints percentiles of TRIPS round trips over IPv4: P50 P99 P99.9, in nanoseconds.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/pair.h"

#define WARM_UP 100

static struct pair pair;

static void run_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *echo(void *arg)
{
	int fd = pair.ends[IPV4]->tcp[1];
	char byte;

	run_on(1);
	while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, 0) == 1)
		;
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static uint64_t round_trip(int fd)
{
	uint64_t begin = bench_clock_ns();
	char byte = 1;

	if (send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1)
		bench_fail_errno(errno, "a round trip");
	return bench_clock_ns() - begin;
}

static unsigned long long percentile(const uint64_t *sorted, unsigned int count, unsigned int per_mille)
{
	return (unsigned long long)sorted[(unsigned long)(count - 1) * per_mille / 1000];
}

int main(int argc, char **argv)
{
	unsigned int trips = argc == 8 ? (unsigned int)atoi(argv[1]) : 0;
	uint64_t *taken = calloc(trips ? trips : 1, sizeof(*taken));
	pthread_t thread;
	int fd;

	if (!trips || !taken)
		bench_fail(
			"usage: latency_bench TRIPS NAMESPACE-A NAMESPACE-B ADDRESS4-A ADDRESS4-B ADDRESS6-A "
			"ADDRESS6-B");
	pair_open(&pair, "latency", (const char *[2]){argv[2], argv[3]},
		  (const char *const[FAMILIES][2]){{argv[4], argv[5]}, {argv[6], argv[7]}});
	fd = pair.ends[IPV4]->tcp[0];
	run_on(0);
	if (pthread_create(&thread, NULL, echo, NULL))
		bench_fail("cannot start a thread");
	for (unsigned int i = 0; i < WARM_UP; i++)
		round_trip(fd);
	for (unsigned int i = 0; i < trips; i++)
		taken[i] = round_trip(fd);
	qsort(taken, trips, sizeof(*taken), compare);
	printf("%llu %llu %llu\n", percentile(taken, trips, 500), percentile(taken, trips, 990),
	       percentile(taken, trips, 999));
	shutdown(fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	free(taken);
	return 0;
}
