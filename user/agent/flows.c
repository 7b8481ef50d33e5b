/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Expiry of flows, and the report of tables that are nearly full. */
#include "agent/state.h"

/* Of the capacity, in percent: from where on it is told, and below which no longer. */
#define NEARLY_FULL 80
#define NO_LONGER   75

/* Who has the slot, for people. */
static const char *name_of(const struct agent *agent, __u32 slot)
{
	for (const struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		if (ep->slot == slot)
			return ep->key;
	}
	for (const struct local_host_endpoint *ep = agent->host_endpoints; ep; ep = ep->next) {
		if (ep->slot == slot)
			return ep->key;
	}
	return "none that is here any more";
}

static const char *interface_of(const struct agent *agent, __u32 slot)
{
	for (const struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		if (ep->slot == slot)
			return ep->model->name;
	}
	return "host endpoint";
}

static void tell_usage(struct agent *agent, int family)
{
	struct table_warning *warning = &agent->flows_warning[family == 6];
	struct flow_usage usage;
	const int limit = *warning->text.text ? NO_LONGER : NEARLY_FULL;

	if (dataplane_flow_usage(agent->dataplane, family, &usage))
		return;
	/* Numbers that change all the time are no news: the warning stays while it names the right one. */
	if ((__u64)usage.flows * 100 < (__u64)usage.capacity * limit) {
		*warning->text.text = '\0';
	} else if (!*warning->text.text || warning->largest != usage.largest) {
		warning->largest = usage.largest;
		err_write(
			&warning->text,
			"%u of %u flows are in use, most of them, %u, by %s (%s): when all are, those who have "
			"most lose their oldest idle and unanswered ones; look what it does, or raise FlowTableSize",
			usage.flows, usage.capacity, usage.largest_flows, interface_of(agent, usage.largest),
			name_of(agent, usage.largest));
	}
	problem_set(&agent->of_generation, family == 4 ? "flow table, IPv4" : "flow table, IPv6",
		    *warning->text.text ? warning->text.text : NULL);
}

void flows_expire(struct agent *agent)
{
	agent->flows = dataplane_expire_flows(agent->dataplane);
	tell_usage(agent, 4);
	tell_usage(agent, 6);
}
