/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Many processes take addresses from one store at the same time: nobody gets what another has. */
#include "ipam_fixture.h"

#define PROCESSES 5
#define TASKS	  10

/* What each process does: `TASKS` tasks, each `each` times take one and, every third time, give it back
 * first. */
struct race_plan {
	const char *where;
	bool same_host; /* all processes are one host: they fight for the same blocks */
	unsigned int each;
};

struct taker {
	struct ipam *ipam;
	unsigned int each;
	int output;
	unsigned int *left;
	struct wait *all_done;
};

static void take_and_return(struct taker *taker, unsigned int round)
{
	struct addr got;
	struct err err = {""};

	if (round % 3 == 0) {
		if (try_any(taker->ipam, 4, 1, NULL, &got, &err) != 1 ||
		    ipam_release(taker->ipam, &got, &err) < 0)
			fprintf(stderr, "take and return: %s\n", err.text);
	}
	if (try_any(taker->ipam, 4, 1, NULL, &got, &err) != 1) {
		fprintf(stderr, "take: %s\n", err.text);
		return;
	}
	if (write(taker->output, &got, sizeof(got)) != sizeof(got)) /* atomic: below PIPE_BUF */
		abort();
}

static void run_taker(void *arg)
{
	struct taker *taker = arg;

	for (unsigned int i = 0; i < taker->each; i++)
		take_and_return(taker, i);
	if (!--*taker->left)
		wait_wake(taker->all_done);
}

static void run_process(const struct race_plan *plan, int number, int output)
{
	struct taker takers[TASKS];
	struct wait all_done = {0};
	unsigned int left = TASKS;
	struct ipam ipam;
	char host[32];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(host, sizeof(host), "host-%d", plan->same_host ? 0 : number);
	task_init(event_base_new());
	ipam = on_host(open_store(plan->where), host);
	for (int i = 0; i < TASKS; i++) {
		takers[i] = (struct taker){&ipam, plan->each, output, &left, &all_done};
		if (task_start(run_taker, &takers[i]) < 0)
			_exit(1);
	}
	_exit(wait_for(&all_done, 6 * PATIENCE_MS) < 0);
}

static int compare_addrs(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static size_t collect_results(int input, struct addr *ret, size_t size)
{
	size_t count = 0;

	while (count < size && read(input, &ret[count], sizeof(*ret)) == sizeof(*ret))
		count++;
	return count;
}

static void race(struct store *store, const struct race_plan *plan)
{
	size_t expected = (size_t)PROCESSES * TASKS * plan->each, count;
	struct addr *got = calloc(expected + 1, sizeof(*got));
	pid_t pids[PROCESSES];
	int pipes[2], status;

	assert_non_null(got);
	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (!pids[i])
			run_process(plan, i, pipes[1]);
	}
	close(pipes[1]);
	count = collect_results(pipes[0], got, expected + 1);
	close(pipes[0]);
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count, expected);
	qsort(got, count, sizeof(*got), compare_addrs);
	for (size_t i = 1; i < count; i++)
		assert_int_not_equal(addr_compare(&got[i - 1], &got[i]), 0);
	assert_int_equal(count_used(store, 4), expected);
	free(got);
}

/* A thousand of 1,024 addresses, so that hosts run out of blocks and borrow from each other. */
static void test_five_hosts_share_a_nearly_full_pool(void **state)
{
	struct fixture *fixture = *state;
	struct race_plan plan = {.where = fixture->where, .each = 20};

	add_pool(fixture->store, "10.1.0.0/22", "");
	race(fixture->store, &plan);
}

static void test_five_hosts_with_blocks_to_spare(void **state)
{
	struct fixture *fixture = *state;
	struct race_plan plan = {.where = fixture->where, .each = 20};

	add_pool(fixture->store, "10.1.0.0/16", "");
	race(fixture->store, &plan);
}

/* As when a command and the daemon run at the same time, or a daemon is restarted in a hurry. */
static void test_five_processes_of_one_host(void **state)
{
	struct fixture *fixture = *state;
	struct race_plan plan = {.where = fixture->where, .same_host = true, .each = 4};

	add_pool(fixture->store, "10.1.0.0/24", "");
	race(fixture->store, &plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_five_hosts_with_blocks_to_spare, setup_etcd, teardown),
		cmocka_unit_test_setup_teardown(test_five_hosts_share_a_nearly_full_pool, setup_etcd,
						teardown),
		cmocka_unit_test_setup_teardown(test_five_processes_of_one_host, setup_etcd, teardown),
		{"embedded: test_five_processes_of_one_host", test_five_processes_of_one_host, setup_sqlite,
		 teardown, NULL},
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
