/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Work in a thread, awaited by a task: the thread's end is an eventfd that the event loop watches. */
#include "util/offload.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/task.h"

struct work {
	void (*fn)(void *arg);
	void *arg;
	int fd;
	struct wait done;
};

static void *run(void *arg)
{
	struct work *work = arg;
	uint64_t one = 1;

	work->fn(work->arg);
	/* Cannot fail: the counter is far from its limit and the descriptor is ours. */
	return write(work->fd, &one, sizeof(one)) < 0 ? work : NULL;
}

static void on_done(evutil_socket_t fd, short events, void *arg)
{
	struct work *work = arg;

	wait_wake(&work->done);
}

int offload(void (*fn)(void *arg), void *arg)
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
	wait_for(&work.done, -1);
	pthread_join(thread, NULL);
out:
	if (event)
		event_free(event);
	close(work.fd);
	return r;
}
