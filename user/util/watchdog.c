/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A timer of the event loop notes that it turns; a thread looks at the note. The thread only writes to the
 * log: what the loop is doing cannot be ended from outside.
 */
#include "util/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"
#include "util/task.h"

#define TICK_MS	 2000
#define STALL_MS 5000
#define STACK	 (128 * 1024)

static struct {
	bool running;
	pthread_t thread;
	sem_t stop;
	struct event *tick;
	_Atomic int64_t turned; /* when the loop ran the timer last */
	_Atomic int64_t end_by; /* 0: no limit */
	atomic_bool stalled;	/* and that was told */
} watchdog;

/* The kernel function that the main thread sleeps in, if it does. */
static void read_place(char place[64])
{
	char path[64];
	FILE *file;

	snprintf(place, 64, "running");
	snprintf(path, sizeof(path), "/proc/self/task/%d/wchan", (int)getpid());
	file = fopen(path, "re");
	if (!file)
		return;
	if (fscanf(file, "%63[a-zA-Z0-9_.]", place) != 1 || !strcmp(place, "0"))
		snprintf(place, 64, "running");
	fclose(file);
}

static void look(int64_t now)
{
	int64_t still = now - atomic_load(&watchdog.turned), end_by = atomic_load(&watchdog.end_by);
	char place[64];

	if (end_by && now > end_by) {
		log_err("loop", "the daemon does not end by itself and is ended; this is a fault, report it");
		_exit(1);
	}
	if (still < STALL_MS || atomic_load(&watchdog.stalled))
		return;
	atomic_store(&watchdog.stalled, true);
	read_place(place);
	log_err("loop", "the event loop has stood still for %lld s (%s): no request is answered meanwhile",
		(long long)still / 1000, place);
}

static struct timespec clock_in(int ms)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += ms / 1000;
	return time;
}

static void *run(void *arg)
{
	for (;;) {
		int64_t before = task_clock_ms(), now;
		struct timespec next = clock_in(TICK_MS);

		if (sem_clockwait(&watchdog.stop, CLOCK_MONOTONIC, &next) == 0)
			return NULL;
		now = task_clock_ms();
		/* Else the whole process was stopped, or had no processor. */
		if (now - before < 2 * TICK_MS)
			look(now);
	}
}

static void on_tick(evutil_socket_t fd, short events, void *arg)
{
	int64_t now = task_clock_ms(), before = atomic_exchange(&watchdog.turned, now);

	if (atomic_exchange(&watchdog.stalled, false))
		log_warn("loop", "the event loop goes on after %lld s", (long long)(now - before) / 1000);
	log_tell_counts(now);
}

/* Signals are for the main thread, which may sleep in a system call that they interrupt. */
static int start_thread(void)
{
	sigset_t all, present;
	pthread_attr_t attributes;
	int error;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	pthread_sigmask(SIG_SETMASK, &all, &present);
	error = pthread_create(&watchdog.thread, &attributes, run, NULL);
	pthread_sigmask(SIG_SETMASK, &present, NULL);
	pthread_attr_destroy(&attributes);
	return error;
}

int watchdog_start(struct err *err)
{
	static const struct timeval period = {TICK_MS / 1000, 0};
	int error = ENOMEM;

	watchdog.tick = event_new(task_base(), -1, EV_PERSIST, on_tick, NULL);
	atomic_store(&watchdog.turned, task_clock_ms());
	atomic_store(&watchdog.stalled, false);
	atomic_store(&watchdog.end_by, 0);
	sem_init(&watchdog.stop, 0, 0);
	if (watchdog.tick && event_add(watchdog.tick, &period) == 0)
		error = start_thread();
	watchdog.running = !error;
	if (!error)
		return 0;
	if (watchdog.tick)
		event_free(watchdog.tick);
	return err_set(err, error, "cannot start the watchdog's thread: %s", strerror(error));
}

void watchdog_limit_end(int ms)
{
	atomic_store(&watchdog.end_by, task_clock_ms() + ms);
}

void watchdog_stop(void)
{
	if (!watchdog.running)
		return;
	watchdog.running = false;
	sem_post(&watchdog.stop);
	pthread_join(watchdog.thread, NULL);
	sem_destroy(&watchdog.stop);
	event_free(watchdog.tick);
}
