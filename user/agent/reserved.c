/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses that no container may have: this host's own with the edges of their networks, its gateways, and
 * those of other hosts and their tunnels. IPAM asks before it gives one out. An address that became such
 * after a container got it is listed as a problem.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OWN	"own "
#define GATEWAY "gateway "
#define HOST	"host "

struct reserved_address {
	UT_hash_handle hh;
	struct addr addr;
	bool confirmed; /* by the present look, or the present generation */
	char whose[300];
	char id[]; /* what kind, where it is, and which */
};

static const struct reserved_address *find(const struct agent *agent, const struct addr *addr)
{
	for (const struct reserved_address *entry = agent->reserved; entry; entry = entry->hh.next) {
		if (!addr_compare(&entry->addr, addr))
			return entry;
	}
	return NULL;
}

static const struct local_endpoint *find_holder(const struct agent *agent, const struct addr *addr)
{
	for (const struct local_endpoint *ep = agent->endpoints; ep; ep = ep->hh.next) {
		for (size_t i = 0; i < ep->model->net_count; i++) {
			if (!addr_compare(&ep->model->nets[i], addr))
				return ep;
		}
	}
	return NULL;
}

/* Lists an address that an endpoint of this host has although it may not, or takes it off the list. */
static void review(struct agent *agent, const struct addr *addr)
{
	const struct reserved_address *entry = find(agent, addr);
	const struct local_endpoint *holder = find_holder(agent, addr);
	const char *unusable = addr_unusable(addr);
	char text[ADDR_TEXT], object[ADDR_TEXT + 16];
	struct err err = {""};

	snprintf(object, sizeof(object), "address %s", addr_format(addr, text));
	if (holder && unusable)
		err_set(&err, EADDRNOTAVAIL,
			"endpoint %s has it, but it is one of the %s; give it another one", holder->key,
			unusable);
	else if (holder && entry)
		err_set(&err, EADDRNOTAVAIL,
			"endpoint %s has it, but it is also %s, and packets to it go astray; take it away "
			"there, or start the container again with another one",
			holder->key, entry->whose);
	problem_set(&agent->of_generation, object, *err.text ? err.text : NULL);
}

static void set(struct agent *agent, const char *id, const struct addr *addr, const char *whose)
{
	struct reserved_address *entry;
	size_t length = strlen(id);

	HASH_FIND_STR(agent->reserved, id, entry);
	if (!entry) {
		entry = calloc(1, sizeof(*entry) + length + 1);
		if (!entry)
			return;
		memcpy(entry->id, id, length + 1);
		entry->addr = *addr;
		snprintf(entry->whose, sizeof(entry->whose), "%s", whose);
		HASH_ADD_STR(agent->reserved, id, entry);
		review(agent, addr);
	}
	entry->confirmed = true;
}

static void drop(struct agent *agent, struct reserved_address *entry)
{
	struct addr addr = entry->addr;

	HASH_DEL(agent->reserved, entry);
	free(entry);
	review(agent, &addr);
}

static void drop_id(struct agent *agent, const char *id)
{
	struct reserved_address *entry;

	HASH_FIND_STR(agent->reserved, id, entry);
	if (entry)
		drop(agent, entry);
}

/* Marks all of one kind, and removes those that were not set since. */
static void doubt(struct agent *agent, const char *kind)
{
	for (struct reserved_address *entry = agent->reserved; entry; entry = entry->hh.next) {
		if (!strncmp(entry->id, kind, strlen(kind)))
			entry->confirmed = false;
	}
}

static void drop_doubted(struct agent *agent, const char *kind)
{
	struct reserved_address *entry, *next;

	HASH_ITER (hh, agent->reserved, entry, next) {
		if (!entry->confirmed && !strncmp(entry->id, kind, strlen(kind)))
			drop(agent, entry);
	}
}

static void note_own(struct agent *agent, const struct interface_address *on, const struct addr *addr,
		     const char *what, bool gone)
{
	char id[200], whose[128], text[ADDR_TEXT], own[ADDR_TEXT];
	struct link_info link = {.name = "an interface"};

	/* No pool can have the others, and each interface has some. */
	if (!addr->family || addr_unusable(addr))
		return;
	snprintf(id, sizeof(id), OWN "%d %s %s %s", on->ifindex, addr_format(&on->addr, own), what,
		 addr_format(addr, text));
	if (gone) {
		drop_id(agent, id);
		return;
	}
	link_get(agent->netlink, on->ifindex, &link);
	snprintf(whose, sizeof(whose), "%s of this host (%s)", what, link.name);
	set(agent, id, addr, whose);
}

/*
 * The kernel also answers for the broadcast address of a network that it is on, and for its first address:
 * the anycast address of routers in IPv6, a second broadcast address of some systems in IPv4.
 */
void reserved_own_changed(struct agent *agent, const struct interface_address *address, bool gone)
{
	struct cidr network = {address->addr, address->length};

	note_own(agent, address, &address->addr, "an address", gone);
	note_own(agent, address, &address->broadcast, "a broadcast address", gone);
	if (!address->addr.family || address->length + 1U >= addr_bits(&address->addr))
		return;
	cidr_mask(&network);
	note_own(agent, address, &network.addr, "the first address of a network", gone);
}

void reserved_host_changed(struct agent *agent, const struct key_parts *parts, const char *value)
{
	char id[600], whose[300];
	struct addr addr;

	snprintf(id, sizeof(id), HOST "%s %s", parts->host, parts->name);
	drop_id(agent, id);
	if (!value || addr_parse(value, &addr) < 0)
		return;
	snprintf(whose, sizeof(whose), "the %s of host %.200s",
		 parts->kind == KEY_IS_BIRD_IP ? "address" : "tunnel address", parts->host);
	set(agent, id, &addr, whose);
}

/* A container with the datastore's address would cut the host off from it. */
void reserved_start(struct agent *agent)
{
	const struct config *config = agent->config;

	for (size_t i = 0; i < config->endpoint_count; i++) {
		const char *host = strstr(config->endpoints[i], "://");
		char text[ADDR_TEXT] = "";
		struct addr addr;

		host = host ? host + 3 : config->endpoints[i];
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(host, ":/"), host);
		/* Names may mean another address at any time. */
		if (addr_parse(text, &addr) == 0)
			set(agent, config->endpoints[i], &addr, "the address of the datastore");
	}
}

void reserved_hosts_doubtful(struct agent *agent)
{
	doubt(agent, HOST);
}

void reserved_hosts_complete(struct agent *agent)
{
	drop_doubted(agent, HOST);
}

void reserved_update_gateways(struct agent *agent)
{
	char id[128], text[ADDR_TEXT];
	struct addr *list = NULL;
	size_t count = 0;

	if (!agent->gateways_stale || route_list_gateways(agent->netlink, &list, &count, NULL) < 0)
		return;
	agent->gateways_stale = false;
	doubt(agent, GATEWAY);
	for (size_t i = 0; i < count; i++) {
		if (addr_unusable(&list[i]))
			continue;
		snprintf(id, sizeof(id), GATEWAY "%s", addr_format(&list[i], text));
		set(agent, id, &list[i], "a gateway of this host");
	}
	drop_doubted(agent, GATEWAY);
	free(list);
}

void reserved_review_endpoint(struct agent *agent, const struct workload_endpoint *model)
{
	for (size_t i = 0; model && i < model->net_count; i++)
		review(agent, &model->nets[i]);
}

const char *agent_reserved(void *arg, const struct addr *addr)
{
	const struct reserved_address *entry;
	struct agent *agent = arg;

	/* Many routes come and go with endpoints, so gateways are looked for only when somebody asks. */
	reserved_update_gateways(agent);
	entry = find(agent, addr);
	return entry ? entry->whose : NULL;
}

void reserved_free(struct agent *agent)
{
	struct reserved_address *entry, *next;

	HASH_ITER (hh, agent->reserved, entry, next) {
		HASH_DEL(agent->reserved, entry);
		free(entry);
	}
}
