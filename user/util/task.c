/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tasks on ucontext(3) stacks, resumed from libevent callbacks. */
#include "util/task.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define NO_DEADLINE INT64_MAX

/*
 * One event per task serves both ends of a wait: its timeout is the deadline, and wait_wake() activates it by
 * hand. It is not persistent, so libevent removes a pending timeout before it runs the callback.
 */
struct task {
	ucontext_t context;
	ucontext_t resumer; /* whoever started or resumed it last */
	void *stack;	    /* guard page first */
	struct event *resume;
	void (*fn)(void *arg);
	void *arg;
	int64_t deadline;
	bool finished;
};

static struct event_base *event_base;
static struct task *current;
static int64_t outside_deadline = NO_DEADLINE;

void task_init(struct event_base *base)
{
	event_base = base;
	outside_deadline = NO_DEADLINE;
}

struct event_base *task_base(void)
{
	return event_base;
}

bool task_running(void)
{
	return current;
}

int64_t task_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static size_t stack_mapping(void)
{
	return TASK_STACK + (size_t)sysconf(_SC_PAGESIZE);
}

static void *stack_new(void)
{
	void *stack = mmap(NULL, stack_mapping(), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

	if (stack == MAP_FAILED)
		return NULL;
	/* Stacks grow down: running over the end must fault, not touch a neighbour. */
	if (mprotect(stack, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE) < 0) {
		munmap(stack, stack_mapping());
		return NULL;
	}
	return stack;
}

static void task_free(struct task *task)
{
	if (!task)
		return;
	if (task->stack)
		munmap(task->stack, stack_mapping());
	if (task->resume)
		event_free(task->resume);
	free(task);
}

/* Runs the task until its next wait or its end, which frees it (not on its own stack). */
static void task_continue(struct task *task)
{
	struct task *previous = current;

	current = task;
	swapcontext(&task->resumer, &task->context);
	current = previous;
	if (task->finished)
		task_free(task);
}

static void task_entry(void)
{
	struct task *task = current;

	task->fn(task->arg);
	task->finished = true;
	swapcontext(&task->context, &task->resumer);
	abort(); /* a finished task is never resumed */
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	task_continue(arg);
}

int task_start(void (*fn)(void *arg), void *arg)
{
	struct task *task = calloc(1, sizeof(*task));
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!task)
		return -ENOMEM;
	task->fn = fn;
	task->arg = arg;
	task->deadline = NO_DEADLINE;
	task->stack = stack_new();
	task->resume = event_new(event_base, -1, 0, on_resume, task);
	if (!task->stack || !task->resume || getcontext(&task->context) < 0) {
		task_free(task);
		return -ENOMEM;
	}
	task->context.uc_stack.ss_sp = (char *)task->stack + page;
	task->context.uc_stack.ss_size = TASK_STACK;
	makecontext(&task->context, task_entry, 0);
	task_continue(task);
	return 0;
}

static struct timeval milliseconds(int ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

/* libevent counts timeouts from its cached time, which is as old as the present round of callbacks. */
static int timer_arm(struct event *timer, int ms)
{
	struct timeval timeout = milliseconds(ms);

	event_base_update_cache_time(event_base);
	return event_add(timer, &timeout);
}

static int wait_inside(struct wait *w, int timeout_ms)
{
	struct task *task = current;

	if (timeout_ms >= 0 && timer_arm(task->resume, timeout_ms) < 0)
		return -ETIMEDOUT;
	w->task = task;
	swapcontext(&task->context, &task->resumer);
	w->task = NULL;
	return w->done ? 0 : -ETIMEDOUT;
}

static void on_outside_timeout(evutil_socket_t fd, short what, void *arg)
{
	*(bool *)arg = true;
}

static int wait_outside(struct wait *w, int timeout_ms)
{
	bool expired = false;
	struct event *timer = NULL;

	if (timeout_ms >= 0) {
		timer = evtimer_new(event_base, on_outside_timeout, &expired);
		if (!timer || timer_arm(timer, timeout_ms) < 0)
			expired = true;
	}
	while (!w->done && !expired) {
		int r = event_base_loop(event_base, EVLOOP_ONCE);

		/* A wait in a callback of the loop, outside a task: would nest loops without bound. */
		assert(r >= 0);
		if (r == 1)
			break; /* no event is left that could wake it */
	}
	if (timer)
		event_free(timer);
	return w->done ? 0 : -ETIMEDOUT;
}

int wait_for(struct wait *w, int timeout_ms)
{
	if (timeout_ms < 0)
		timeout_ms = task_time_left(-1);
	assert(!w->task);
	if (w->done)
		return 0;
	return current ? wait_inside(w, timeout_ms) : wait_outside(w, timeout_ms);
}

void wait_wake(struct wait *w)
{
	if (w->done)
		return;
	w->done = true;
	if (w->task)
		event_active(w->task->resume, 0, 0);
}

void task_sleep(int ms)
{
	struct wait never = {0};

	wait_for(&never, ms < 0 ? 0 : ms);
}

struct task_mutex_waiter {
	struct wait granted;
	struct task_mutex_waiter *next;
};

int task_lock(struct task_mutex *mutex, int timeout_ms)
{
	struct task_mutex_waiter self = {0}, **place;

	if (!mutex->held) {
		mutex->held = true;
		return 0;
	}
	for (place = &mutex->first; *place; place = &(*place)->next)
		;
	*place = &self;
	if (wait_for(&self.granted, timeout_ms) == 0)
		return 0;
	for (place = &mutex->first; *place != &self; place = &(*place)->next)
		;
	*place = self.next;
	return -ETIMEDOUT;
}

/* Hands the lock to the first waiter; it never looks free in between, so nobody can overtake. */
void task_unlock(struct task_mutex *mutex)
{
	struct task_mutex_waiter *first = mutex->first;

	if (!first) {
		mutex->held = false;
		return;
	}
	mutex->first = first->next;
	wait_wake(&first->granted);
}

void task_set_deadline(int ms)
{
	int64_t deadline = ms < 0 ? NO_DEADLINE : task_clock_ms() + ms;

	if (current)
		current->deadline = deadline;
	else
		outside_deadline = deadline;
}

int task_time_left(int limit)
{
	int64_t deadline = current ? current->deadline : outside_deadline;
	int64_t left;

	if (deadline == NO_DEADLINE)
		return limit;
	left = deadline - task_clock_ms();
	if (left < 0)
		return 0;
	return limit < 0 || left < limit ? (int)left : limit;
}
