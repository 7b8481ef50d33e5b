/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Consumer of the ring of events. */
#include "dataplane/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <event2/event.h>

#include "dataplane/internal.h"
#include "util/task.h"

/* Events in one turn: packets may come faster than they can be reported, and the loop has other work. */
#define BATCH 256

struct events {
	struct ring_buffer *ring;
	struct event *readable;
	void (*report)(void *arg, const struct packet_event *event);
	void *arg;
	unsigned int turn; /* events of the present turn */
	int lost, rule_info, log_prefix;
	int cpus;
};

static int on_event(void *arg, void *data, size_t size)
{
	struct events *events = arg;

	if (size >= sizeof(struct packet_event))
		events->report(events->arg, data);
	/* An error ends the turn, behind this event. The rest makes the descriptor readable at once. */
	return ++events->turn < BATCH ? 0 : -EAGAIN;
}

static void consume(evutil_socket_t fd, short what, void *arg)
{
	struct events *events = arg;

	events->turn = 0;
	ring_buffer__consume(events->ring);
}

static int events_init(struct events *events, const struct programs *programs)
{
	events->cpus = libbpf_num_possible_cpus();
	events->lost = programs_map(programs, "events_lost");
	events->rule_info = programs_map(programs, "rule_info");
	events->log_prefix = programs_map(programs, "log_prefix");
	if (events->cpus < 0)
		return events->cpus;
	events->ring = ring_buffer__new(programs_map(programs, "events"), on_event, events, NULL);
	if (!events->ring)
		return -errno;
	events->readable = event_new(task_base(), ring_buffer__epoll_fd(events->ring), EV_READ | EV_PERSIST,
				     consume, events);
	return events->readable && event_add(events->readable, NULL) == 0 ? 0 : -ENOMEM;
}

int events_open(struct dataplane *dp, void (*report)(void *arg, const struct packet_event *event), void *arg,
		struct events **ret, struct err *err)
{
	struct events *events = calloc(1, sizeof(*events));
	int rc;

	if (!events)
		return err_set(err, ENOMEM, "out of memory while opening the ring of packet events");
	events->report = report;
	events->arg = arg;
	rc = events_init(events, &dp->programs);
	if (rc) {
		events_close(events);
		return err_set(err, -rc, "cannot read the ring of packet events: %s", strerror(-rc));
	}
	*ret = events;
	return 0;
}

void events_close(struct events *events)
{
	if (!events)
		return;
	if (events->readable)
		event_free(events->readable);
	ring_buffer__free(events->ring);
	free(events);
}

__u64 events_lost(const struct events *events)
{
	__u64 *per_cpu = calloc((size_t)events->cpus, sizeof(*per_cpu)), sum = 0;
	__u32 key = 0;

	if (per_cpu && !bpf_map_lookup_elem(events->lost, &key, per_cpu)) {
		for (int cpu = 0; cpu < events->cpus; cpu++)
			sum += per_cpu[cpu];
	}
	free(per_cpu);
	return sum;
}

int events_rule(const struct events *events, __u32 rule_id, struct rule_info *ret)
{
	return bpf_map_lookup_elem(events->rule_info, &rule_id, ret) ? -errno : 0;
}

int events_prefix(const struct events *events, __u32 prefix, struct log_prefix *ret)
{
	return bpf_map_lookup_elem(events->log_prefix, &prefix, ret) ? -errno : 0;
}
