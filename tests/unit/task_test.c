/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tasks: waits, wakes, deadlines, the mutex, and the same calls outside a task. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/task.h"

static int setup(void **state)
{
	*state = event_base_new();
	task_init(*state);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	event_base_free(*state);
	return 0;
}

struct step {
	struct wait go, finished;
	int result;
	int timeout_ms;
	char *trace; /* one letter per task, in the order in which they continued */
	char name;
};

static void wait_task(void *arg)
{
	struct step *step = arg;

	assert_true(task_running());
	step->result = wait_for(&step->go, step->timeout_ms);
	if (step->trace)
		strncat(step->trace, &step->name, 1);
	wait_wake(&step->finished);
}

static void test_start_runs_until_the_first_wait(void **state)
{
	struct step step = {.timeout_ms = -1, .result = 1};

	assert_false(task_running());
	assert_int_equal(task_start(wait_task, &step), 0);
	assert_false(task_running());
	assert_int_equal(step.result, 1);
	wait_wake(&step.go);
	assert_int_equal(step.result, 1); /* continues from the loop, not inside wake */
	assert_int_equal(wait_for(&step.finished, 5000), 0);
	assert_int_equal(step.result, 0);
}

static void test_wake_before_wait(void **state)
{
	struct step step = {.timeout_ms = -1, .result = 1};

	wait_wake(&step.go);
	assert_int_equal(task_start(wait_task, &step), 0);
	assert_int_equal(step.result, 0);
	assert_int_equal(wait_for(&step.finished, 0), 0);
}

static void test_wait_times_out(void **state)
{
	struct step step = {.timeout_ms = 30};

	task_start(wait_task, &step);
	assert_int_equal(wait_for(&step.finished, 5000), 0);
	assert_int_equal(step.result, -ETIMEDOUT);

	/* The object is free again: a late wake is remembered and disturbs nobody. */
	wait_wake(&step.go);
	assert_int_equal(wait_for(&step.go, 0), 0);
}

static void test_wake_beats_a_deadline_that_is_due(void **state)
{
	struct step step = {.timeout_ms = 0};

	task_start(wait_task, &step);
	wait_wake(&step.go);
	assert_int_equal(wait_for(&step.finished, 5000), 0);
	assert_int_equal(step.result, 0);
	/* Nothing stays armed: the task ran to its end exactly once. */
	assert_int_equal(event_base_loop(task_base(), EVLOOP_NONBLOCK), 1);
}

static void test_wait_outside_a_task_runs_the_loop(void **state)
{
	struct wait never = {0};
	struct step step = {.timeout_ms = 20};

	task_start(wait_task, &step);
	assert_int_equal(wait_for(&never, 60), -ETIMEDOUT);
	assert_int_equal(step.result, -ETIMEDOUT); /* other work went on meanwhile */
}

static void test_wait_that_nothing_can_end_returns(void **state)
{
	struct wait never = {0};

	assert_int_equal(wait_for(&never, -1), -ETIMEDOUT);
}

struct counter {
	int started, ended, concurrent, most;
	struct wait all;
	int wanted;
};

static void count_task(void *arg)
{
	struct counter *counter = arg;
	char page[4096];

	counter->started++;
	if (++counter->concurrent > counter->most)
		counter->most = counter->concurrent;
	memset(page, counter->started & 0xff, sizeof(page));
	for (int i = 0; i < 10; i++) {
		char before = page[i * 100];

		task_sleep(i % 3);
		assert_int_equal(page[i * 100], before);
	}
	counter->concurrent--;
	if (++counter->ended == counter->wanted)
		wait_wake(&counter->all);
}

static void test_many_tasks_at_once(void **state)
{
	struct counter counter = {.wanted = 2000};

	for (int i = 0; i < counter.wanted; i++)
		assert_int_equal(task_start(count_task, &counter), 0);
	assert_int_equal(counter.most, counter.wanted);
	assert_int_equal(wait_for(&counter.all, 30000), 0);
	assert_int_equal(counter.concurrent, 0);
}

static void parent_task(void *arg)
{
	struct step *child = arg;

	task_start(wait_task, child);
	assert_true(task_running());
	assert_int_equal(wait_for(&child->finished, 5000), 0);
	child->result += 100;
}

static void test_task_starts_a_task(void **state)
{
	struct step child = {.timeout_ms = 10};

	assert_int_equal(task_start(parent_task, &child), 0);
	task_sleep(50);
	assert_int_equal(child.result, 100 - ETIMEDOUT);
}

struct locker {
	struct task_mutex *mutex;
	int timeout_ms;
	int result;
	struct wait release, finished;
	char *trace;
	char name;
};

static void lock_task(void *arg)
{
	struct locker *locker = arg;

	locker->result = task_lock(locker->mutex, locker->timeout_ms);
	if (locker->result == 0) {
		strncat(locker->trace, &locker->name, 1);
		wait_for(&locker->release, -1);
		task_unlock(locker->mutex);
	}
	wait_wake(&locker->finished);
}

static void test_mutex_serves_in_order_of_arrival(void **state)
{
	struct task_mutex mutex = {0};
	char trace[8] = "";
	struct locker lockers[5];

	for (int i = 0; i < 5; i++) {
		lockers[i] = (struct locker){
			.mutex = &mutex, .timeout_ms = -1, .trace = trace, .name = (char)('a' + i)};
		task_start(lock_task, &lockers[i]);
		assert_string_equal(trace, "a");
	}
	for (int i = 4; i >= 0; i--)
		wait_wake(&lockers[i].release);
	assert_int_equal(wait_for(&lockers[4].finished, 5000), 0);
	assert_string_equal(trace, "abcde");
	assert_false(mutex.held);
}

static void test_mutex_is_not_taken_from_the_one_it_was_handed_to(void **state)
{
	struct task_mutex mutex = {0};
	char trace[8] = "";
	struct locker first = {.mutex = &mutex, .timeout_ms = -1, .trace = trace, .name = 'a'};
	struct locker late = {.mutex = &mutex, .timeout_ms = -1, .trace = trace, .name = 'b'};

	assert_int_equal(task_lock(&mutex, 0), 0);
	task_start(lock_task, &first);
	task_unlock(&mutex); /* now promised to "a", which has not run yet */
	task_start(lock_task, &late);
	assert_string_equal(trace, "");
	wait_wake(&first.release);
	wait_wake(&late.release);
	assert_int_equal(wait_for(&late.finished, 5000), 0);
	assert_string_equal(trace, "ab");
}

static void test_mutex_wait_that_times_out_leaves_the_queue(void **state)
{
	struct task_mutex mutex = {0};
	char trace[8] = "";
	struct locker impatient = {.mutex = &mutex, .timeout_ms = 10, .trace = trace, .name = 'a'};
	struct locker patient = {.mutex = &mutex, .timeout_ms = -1, .trace = trace, .name = 'b'};

	assert_int_equal(task_lock(&mutex, 0), 0);
	task_start(lock_task, &impatient);
	task_start(lock_task, &patient);
	assert_int_equal(wait_for(&impatient.finished, 5000), 0);
	assert_int_equal(impatient.result, -ETIMEDOUT);
	task_unlock(&mutex);
	wait_wake(&patient.release);
	assert_int_equal(wait_for(&patient.finished, 5000), 0);
	assert_string_equal(trace, "b");
	assert_int_equal(task_lock(&mutex, 0), 0);
	assert_int_equal(task_lock(&mutex, 5), -ETIMEDOUT);
}

static void deadline_task(void *arg)
{
	int *left = arg;

	left[0] = task_time_left(1000);
	task_set_deadline(100);
	left[1] = task_time_left(1000);
	left[2] = task_time_left(50);
	task_sleep(120);
	left[3] = task_time_left(1000);
	task_set_deadline(-1);
	left[4] = task_time_left(1000);
}

static void test_deadline_belongs_to_the_task(void **state)
{
	int left[5] = {0};

	assert_int_equal(task_start(deadline_task, left), 0);
	assert_int_equal(task_time_left(777), 777); /* another one's deadline */
	task_sleep(160);
	assert_int_equal(left[0], 1000);
	assert_in_range(left[1], 0, 100);
	assert_in_range(left[2], 0, 50);
	assert_int_equal(left[3], 0);
	assert_int_equal(left[4], 1000);

	task_set_deadline(5);
	assert_in_range(task_time_left(1000), 0, 5);
	task_set_deadline(-1);
	assert_int_equal(task_time_left(1000), 1000);
}

/* Touches 8 KiB of stack per level, from the top down. */
static int use_stack(int levels)
{
	volatile char page[8192];

	page[0] = (char)levels;
	return levels ? use_stack(levels - 1) + page[0] : 0;
}

static void overrun_task(void *arg)
{
	use_stack(TASK_STACK / 8192 + 1);
}

static void waiting_callback(evutil_socket_t fd, short what, void *arg)
{
	task_sleep(1);
}

static void callback_that_waits(void)
{
	event_base_once(task_base(), -1, EV_TIMEOUT, waiting_callback, NULL, NULL);
	task_sleep(10);
}

static void stack_overrun(void)
{
	task_start(overrun_task, NULL);
}

/* The signal that ends a process which does this. */
static int fatal_signal(void (*deed)(void))
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		struct event_base *base = event_base_new();

		signal(SIGABRT, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		task_init(base);
		deed();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_bugs_end_the_process(void **state)
{
	assert_int_equal(fatal_signal(callback_that_waits), SIGABRT);
	assert_int_equal(fatal_signal(stack_overrun), SIGSEGV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start_runs_until_the_first_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wake_before_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait_times_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wake_beats_a_deadline_that_is_due, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait_outside_a_task_runs_the_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait_that_nothing_can_end_returns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_tasks_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_task_starts_a_task, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mutex_serves_in_order_of_arrival, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mutex_is_not_taken_from_the_one_it_was_handed_to, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_mutex_wait_that_times_out_leaves_the_queue, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_deadline_belongs_to_the_task, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bugs_end_the_process, setup, teardown),
	};

	return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
