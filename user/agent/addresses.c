/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * This host's own addresses: what is sent to one of them is "workload to host", not forwarded. Broadcast
 * addresses count too. Loopback addresses do not: a packet from a container to 127.0.0.1 is a martian.
 */
#include "agent/state.h"

#include <stdlib.h>
#include <string.h>

static bool is_loopback(const struct addr *addr)
{
	static const struct addr loopback6 = {.family = 6, .bytes = {[15] = 1}};

	return addr->family == 4 ? addr->bytes[0] == 127 : !addr_compare(addr, &loopback6);
}

static bool has_elsewhere(const struct agent *agent, const struct addr *addr)
{
	for (const struct host_address *entry = agent->host_addresses; entry; entry = entry->hh.next) {
		if (!addr_compare(&entry->on.addr, addr))
			return true;
	}
	return false;
}

/* The kernel repeats "new" when lifetimes change, so entries are per interface, not counted. */
static void note(struct agent *agent, int ifindex, const struct addr *addr, bool gone)
{
	struct host_address *entry;
	struct address_on on;

	if (!addr->family || is_loopback(addr))
		return;
	memset(&on, 0, sizeof(on));
	on.ifindex = ifindex;
	on.addr = *addr;
	HASH_FIND(hh, agent->host_addresses, &on, sizeof(on), entry);
	if (gone == !entry)
		return;
	if (gone) {
		HASH_DEL(agent->host_addresses, entry);
		free(entry);
	}
	if (agent->engine && !has_elsewhere(agent, addr)) {
		policy_set_host_address(agent->engine, addr, !gone);
		commit_schedule(agent);
	}
	if (!gone) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return;
		entry->on = on;
		HASH_ADD(hh, agent->host_addresses, on, sizeof(entry->on), entry);
	}
}

void addresses_changed(struct agent *agent, const struct interface_address *address, bool gone)
{
	note(agent, address->ifindex, &address->addr, gone);
	note(agent, address->ifindex, &address->broadcast, gone);
	reserved_own_changed(agent, address, gone);
}

int addresses_start(struct agent *agent, struct err *err)
{
	struct interface_address *list = NULL;
	size_t n = 0;
	int r = address_list(agent->netlink, &list, &n, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		addresses_changed(agent, &list[i], false);
	free(list);
	return 0;
}

void addresses_feed(struct agent *agent)
{
	struct host_address *entry, *next;

	HASH_ITER (hh, agent->host_addresses, entry, next)
		policy_set_host_address(agent->engine, &entry->on.addr, true);
}

void addresses_free(struct agent *agent)
{
	struct host_address *entry, *next;

	HASH_ITER (hh, agent->host_addresses, entry, next) {
		HASH_DEL(agent->host_addresses, entry);
		free(entry);
	}
}
