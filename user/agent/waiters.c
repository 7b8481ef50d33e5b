/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tasks that wait until policy is in force, or until the datastore was compared with its copy. */
#include <errno.h>

#include "agent/state.h"

void waiters_wake(struct sync_waiter **list)
{
	struct sync_waiter *waiter = *list;

	*list = NULL;
	for (struct sync_waiter *next; waiter; waiter = next) {
		next = waiter->next;
		wait_wake(&waiter->wait);
	}
}

static int wait_in(struct sync_waiter **list)
{
	struct sync_waiter waiter = {.next = *list};
	int r;

	*list = &waiter;
	r = wait_for(&waiter.wait, task_time_left(STORE_TIMEOUT_MS));
	for (struct sync_waiter **w = list; *w; w = &(*w)->next) {
		if (*w == &waiter) {
			*w = waiter.next;
			break;
		}
	}
	return r;
}

int wait_active(struct agent *agent, struct err *err)
{
	if (agent->phase == PHASE_ACTIVE)
		return 0;
	if (!wait_in(&agent->waiters) && agent->phase == PHASE_ACTIVE)
		return 0;
	return err_set(
		err, EAGAIN,
		"policy cannot be enforced before the datastore has been read (%s); see 'calicoctl status'",
		*agent->contact ? agent->contact : "reading it now");
}

int wait_restored(struct agent *agent, struct err *err)
{
	if (agent->restored)
		return 0;
	if (!wait_in(&agent->restored_waiters) && agent->restored)
		return 0;
	return err_set(
		err, EAGAIN,
		"addresses are not given out before the datastore was compared with what runs here (%s); see "
		"'calicoctl status'",
		*agent->contact ? agent->contact : "reading it now");
}

void wait_is_restored(struct agent *agent)
{
	agent->restored = true;
	waiters_wake(&agent->restored_waiters);
}
