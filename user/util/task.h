/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tasks: code that waits, written top to bottom, in a process with one thread and one event loop.
 *
 * A task has its own small stack and runs until it waits; then the event loop goes on with other work. So a
 * request that needs ten datastore round trips is one plain function, and no lock is needed anywhere: nothing
 * else runs between two waits. Outside a task (in the command line tool, or at start-up) the same waits run
 * the event loop until the awaited thing happened.
 *
 * Implemented with ucontext(3). Stacks are TASK_STACK bytes with a guard page; do not put large arrays there.
 */
#ifndef UTIL_TASK_H
#define UTIL_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <event2/event.h>

#define TASK_STACK (256 * 1024) /* address space; only touched pages cost memory */

/* Must be called before anything else here, and again only when no task is left; the base is borrowed. */
void task_init(struct event_base *base);
struct event_base *task_base(void);

/* Starts fn(arg) as a task at once, on this call, until its first wait. 0 or -ENOMEM. */
int task_start(void (*fn)(void *arg), void *arg);
/* True inside a task. */
bool task_running(void);

/* Something to wait for. Zero-initialised = not happened. May be woken before it is waited for. */
struct wait {
	bool done;
	struct task *task;
};

/*
 * Waits until wait_wake(w) or the deadline (milliseconds from now; < 0: the task's). 0 or -ETIMEDOUT. One
 * waiter per object. Inside a callback of the event loop only tasks may wait.
 */
int wait_for(struct wait *w, int timeout_ms);
/* Marks w as happened; a task waiting on it continues from the event loop, not inside this call. */
void wait_wake(struct wait *w);
/* Lets the event loop run for that long. */
void task_sleep(int ms);
/* The monotonic clock, in milliseconds. */
int64_t task_clock_ms(void);

/* A lock between tasks, in order of arrival. Zero-initialised = free. */
struct task_mutex {
	bool held;
	struct task_mutex_waiter *first;
};
int task_lock(struct task_mutex *mutex, int timeout_ms); /* 0 or -ETIMEDOUT */
void task_unlock(struct task_mutex *mutex);

/*
 * Deadline of the request that this task serves, inherited by everything it calls: store operations end with
 * -ETIMEDOUT when it passes. Milliseconds from now; < 0 clears it. Outside tasks there is one for the
 * process. A task that is started begins without one.
 */
void task_set_deadline(int ms);
/* Milliseconds left, at least 0; `limit` (< 0: none) when the task has none or more than that. */
int task_time_left(int limit);

#endif
