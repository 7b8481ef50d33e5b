/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Work in a thread, awaited by a task: the thread's end is an eventfd that the event loop watches. */
#include "util/offload.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/log.h"
#include "util/task.h"

/* The event loop may have missed the end; looking now and then makes that a delay. */
#define LOOK_MS 1000
/* Work is not given up: it uses memory of its caller, and a thread in the kernel cannot be stopped. */
#define LONG_MS 10000

struct work {
	void (*fn)(void *arg);
	void *arg;
	int fd;
	atomic_bool ended;
	struct wait done;
};

static void *run(void *arg)
{
	struct work *work = arg;
	uint64_t one = 1;

	work->fn(work->arg);
	atomic_store(&work->ended, true);
	/* Cannot fail: the counter is far from its limit and the descriptor is ours. */
	return write(work->fd, &one, sizeof(one)) < 0 ? work : NULL;
}

static void on_done(evutil_socket_t fd, short events, void *arg)
{
	struct work *work = arg;

	wait_wake(&work->done);
}

static void await(struct work *work, const char *what)
{
	int64_t start = task_clock_ms();
	bool told = false;

	while (wait_for(&work->done, LOOK_MS) < 0) {
		int64_t took = task_clock_ms() - start;

		if (atomic_load(&work->ended)) {
			log_repeated(
				LOG_LEVEL_ERR, "loop", what,
				"%s: its end was noticed late (descriptor %d); this is a fault, report it",
				what, work->fd);
			return;
		}
		if (took >= LONG_MS && !told) {
			log_warn("loop", "%s: not done after %lld s; waiting on", what,
				 (long long)took / 1000);
			told = true;
		}
	}
	if (told)
		log_info("loop", "%s: done after %lld s", what, (long long)(task_clock_ms() - start) / 1000);
}

int offload(const char *what, void (*fn)(void *arg), void *arg)
{
	struct work work = {.fn = fn, .arg = arg};
	struct event *event;
	pthread_t thread;
	int r = 0;

	work.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (work.fd < 0)
		return -errno;
	event = event_new(task_base(), work.fd, EV_READ, on_done, &work);
	if (!event || event_add(event, NULL) < 0) {
		r = -ENOMEM;
		goto out;
	}
	r = -pthread_create(&thread, NULL, run, &work);
	if (r < 0)
		goto out;
	await(&work, what);
	pthread_join(thread, NULL);
out:
	if (event)
		event_free(event);
	close(work.fd);
	return r;
}
