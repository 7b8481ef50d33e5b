/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs report about packets: matches of LOG rules, and drops where settings ask for them. */
#ifndef DATAPLANE_EVENTS_H
#define DATAPLANE_EVENTS_H

#include "dataplane/dataplane.h"

struct events;

/*
 * Calls `report` for each event of this generation's programs, on the event loop of util/task.h, which gets
 * its turn between every few hundred of them. The event is only valid during the call.
 */
int events_open(struct dataplane *dp, void (*report)(void *arg, const struct packet_event *event), void *arg,
		struct events **ret, struct err *err);
/* Before the dataplane is closed. */
void events_close(struct events *events);

/* Matches of LOG rules that the programs could not report, since this generation was loaded. */
__u64 events_lost(const struct events *events);
/* What an event's numbers mean. -ENOENT: the rule or prefix is gone meanwhile. */
int events_rule(const struct events *events, __u32 rule_id, struct rule_info *ret);
int events_prefix(const struct events *events, __u32 prefix, struct log_prefix *ret);

#endif
