/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looks at what is in force on the host, and repairs. Almost everything that can go wrong is told by an
 * event: then only that interface is looked at. A detached link is told by nobody, so 256 of
 * the links are asked each second. The rare look at everything is for events that were lost.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"

#define SETTLE_MS    1 /* one look for all events of one command */
#define LINKS_MS     1000
#define EVERYTHING_S 60

struct dirty {
	int ifindex;
	UT_hash_handle hh;
};

struct looks {
	struct agent *agent;
	struct dirty *dirty;
	bool everything;
	struct event *due, *links, *minute;
};

static void clear(struct looks *looks)
{
	struct dirty *dirty, *next;

	HASH_ITER (hh, looks->dirty, dirty, next) {
		HASH_DEL(looks->dirty, dirty);
		free(dirty);
	}
	looks->everything = false;
}

void look_at(struct agent *agent, int ifindex)
{
	static const struct timeval soon = {.tv_usec = SETTLE_MS * 1000};
	struct looks *looks = agent->looks;
	struct dirty *dirty;

	if (agent->phase != PHASE_ACTIVE || !looks)
		return;
	HASH_FIND_INT(looks->dirty, &ifindex, dirty);
	if (!dirty && ifindex > 0)
		dirty = calloc(1, sizeof(*dirty));
	if (!dirty) {
		looks->everything = true;
	} else if (!dirty->ifindex) {
		dirty->ifindex = ifindex;
		HASH_ADD_INT(looks->dirty, ifindex, dirty);
	}
	if (!event_pending(looks->due, EV_TIMEOUT, NULL))
		event_add(looks->due, &soon);
}

static void look_at_everything(struct agent *agent)
{
	endpoints_refresh(agent);
	host_endpoints_refresh(agent);
	uplinks_refresh(agent);
}

static void on_due(evutil_socket_t fd, short events, void *arg)
{
	struct looks *looks = arg;
	struct agent *agent = looks->agent;
	bool others = false;

	if (agent->phase == PHASE_ACTIVE && looks->everything) {
		look_at_everything(agent);
	} else if (agent->phase == PHASE_ACTIVE) {
		for (struct dirty *dirty = looks->dirty; dirty; dirty = dirty->hh.next)
			others |= !endpoints_look(agent, dirty->ifindex);
		if (others) {
			host_endpoints_refresh(agent);
			uplinks_refresh(agent);
		}
	}
	clear(looks);
}

static void on_links(evutil_socket_t fd, short events, void *arg)
{
	static const struct timeval next = {.tv_sec = LINKS_MS / 1000};
	struct looks *looks = arg;
	struct agent *agent = looks->agent;

	/* What is still lost after the look belongs to interfaces that are gone. */
	if (agent->phase == PHASE_ACTIVE && dataplane_lost_links(agent->dataplane)) {
		look_at_everything(agent);
		dataplane_forget_links(agent->dataplane);
	}
	event_add(looks->links, &next);
}

static void on_minute(evutil_socket_t fd, short events, void *arg)
{
	static const struct timeval next = {.tv_sec = EVERYTHING_S};
	struct looks *looks = arg;

	look_at(looks->agent, 0);
	event_add(looks->minute, &next);
}

int look_start(struct agent *agent, struct err *err)
{
	struct looks *looks = calloc(1, sizeof(*looks));

	agent->looks = looks;
	if (looks) {
		looks->agent = agent;
		looks->due = evtimer_new(task_base(), on_due, looks);
		looks->links = evtimer_new(task_base(), on_links, looks);
		looks->minute = evtimer_new(task_base(), on_minute, looks);
	}
	if (!looks || !looks->due || !looks->links || !looks->minute)
		return err_set(err, ENOMEM, "cannot watch the interfaces: out of memory");
	on_links(-1, 0, looks);
	on_minute(-1, 0, looks);
	return 0;
}

void look_stop(struct agent *agent)
{
	struct looks *looks = agent->looks;

	if (!looks)
		return;
	clear(looks);
	if (looks->due)
		event_free(looks->due);
	if (looks->links)
		event_free(looks->links);
	if (looks->minute)
		event_free(looks->minute);
	free(looks);
	agent->looks = NULL;
}
