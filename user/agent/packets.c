/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What LOG rules and DropActionOverride have to say, into the log. Each interface has so many lines per
 * second; what it has beyond that, and what the programs could not report, is only counted, and told once in
 * that second.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <net/if.h>

#include "agent/packet_line.h"
#include "dataplane/events.h"
#include "util/log.h"

#define LINES_PER_SECOND 100

struct budget {
	__u32 ifindex;
	unsigned int packets; /* of this second */
	UT_hash_handle hh;
};

struct packet_log {
	struct agent *agent;
	struct events *events;
	struct event *second; /* ends the present one; pending while there is a budget */
	struct budget *budgets;
	__u64 logged, suppressed, lost;
};

static const char *interface_name(__u32 ifindex, char name[IF_NAMESIZE])
{
	if (!if_indextoname(ifindex, name))
		snprintf(name, IF_NAMESIZE, "#%u", ifindex);
	return name;
}

/* NULL: out of memory. */
static struct budget *find_budget(struct packet_log *log, __u32 ifindex)
{
	static const struct timeval second = {1, 0};
	struct budget *budget;

	HASH_FIND(hh, log->budgets, &ifindex, sizeof(ifindex), budget);
	if (budget)
		return budget;
	budget = calloc(1, sizeof(*budget));
	if (!budget)
		return NULL;
	if (!log->budgets)
		event_add(log->second, &second);
	budget->ifindex = ifindex;
	HASH_ADD(hh, log->budgets, ifindex, sizeof(ifindex), budget);
	return budget;
}

static void write_line(struct packet_log *log, const struct packet_event *event)
{
	bool dropped = event->reason != 0;
	char interface[IF_NAMESIZE], line[PACKET_LINE];
	struct log_prefix prefix = {"calico-packet"};
	struct rule_info rule;
	struct packet_names names = {
		.prefix = dropped ? "calico-drop" : prefix.text,
		.interface = interface_name(event->ifindex, interface),
		.accepted = log->agent->felix.drop_action == DROP_LOG_ACCEPT,
	};

	if (!dropped && event->log_prefix && events_prefix(log->events, event->log_prefix, &prefix) < 0)
		prefix = (struct log_prefix){"calico-packet"};
	if (event->rule_id && events_rule(log->events, event->rule_id, &rule) == 0)
		names.rule = &rule;
	packet_line(line, event, &names);
	log_always(dropped ? "WARN" : "NOTICE", "packet", "%s", line);
	log->logged++;
}

static void on_packet(void *arg, const struct packet_event *event)
{
	struct packet_log *log = arg;
	struct budget *budget = find_budget(log, event->ifindex);

	if (budget && ++budget->packets <= LINES_PER_SECOND)
		write_line(log, event);
	else
		log->suppressed++;
}

static void tell_suppressed(const struct budget *budget)
{
	char name[IF_NAMESIZE];

	if (budget->packets > LINES_PER_SECOND)
		log_always("NOTICE", "packet", "%s: %u more packets in this second",
			   interface_name(budget->ifindex, name), budget->packets - LINES_PER_SECOND);
}

/* Of all interfaces. */
static void drop_budgets(struct packet_log *log)
{
	struct budget *budget = log->budgets;

	HASH_CLEAR(hh, log->budgets);
	while (budget) {
		struct budget *next = budget->hh.next;

		free(budget);
		budget = next;
	}
}

static void end_second(evutil_socket_t fd, short what, void *arg)
{
	struct packet_log *log = arg;
	__u64 lost = events_lost(log->events);

	for (const struct budget *budget = log->budgets; budget; budget = budget->hh.next)
		tell_suppressed(budget);
	drop_budgets(log);
	if (lost != log->lost)
		log_always("NOTICE", "packet", "%llu more packets, which came too fast to be reported",
			   (unsigned long long)(lost - log->lost));
	log->lost = lost;
}

static int start(struct agent *agent, struct err *err)
{
	struct packet_log *log = calloc(1, sizeof(*log));

	if (!log)
		return err_set(err, ENOMEM, "out of memory");
	agent->packets = log;
	log->agent = agent;
	log->second = evtimer_new(task_base(), end_second, log);
	if (!log->second)
		return err_set(err, ENOMEM, "out of memory");
	return events_open(agent->dataplane, on_packet, log, &log->events, err);
}

void packets_start(struct agent *agent)
{
	struct err err;
	int r = start(agent, &err);

	if (r < 0)
		packets_stop(agent);
	problem_set(&agent->problems, "log of packets", r < 0 ? err.text : NULL);
}

void packets_stop(struct agent *agent)
{
	struct packet_log *log = agent->packets;

	if (!log)
		return;
	agent->packets = NULL;
	events_close(log->events);
	if (log->second)
		event_free(log->second);
	drop_budgets(log);
	free(log);
}

json_t *packets_json(const struct agent *agent)
{
	const struct packet_log *log = agent->packets;

	if (!log)
		return json_null();
	return json_pack("{s:I, s:I}", "logged", (json_int_t)log->logged, "not_logged",
			 (json_int_t)(log->suppressed + events_lost(log->events)));
}
