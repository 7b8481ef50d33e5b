/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl endpoint: section 6 of the command line specification. */
#include "cli/command.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cmd_endpoint_profile.h"
#include "cli/endpoints.h"

static const struct column summary_columns[] = {
	{"Hostname", "host", COLUMN_TEXT},
	{"Orchestrator ID", "orchestrator", COLUMN_TEXT},
	{"Number of Workloads", "workloads", COLUMN_NUMBER},
	{"Number of Endpoints", "endpoints", COLUMN_NUMBER},
};
static const struct column detail_columns[] = {
	{"Hostname", "host", COLUMN_TEXT},	  {"Orchestrator ID", "orchestrator", COLUMN_TEXT},
	{"Workload ID", "workload", COLUMN_TEXT}, {"Endpoint ID", "endpoint", COLUMN_TEXT},
	{"Addresses", "addresses", COLUMN_LIST},  {"MAC", "mac", COLUMN_TEXT},
	{"Profiles", "profiles", COLUMN_COMMAS},  {"State", "state", COLUMN_TEXT},
};

static bool same_orchestrator(const struct key_parts *a, const struct key_parts *b)
{
	return !strcmp(a->host, b->host) && !strcmp(a->orchestrator, b->orchestrator);
}

/* Entries are sorted by key, so those of one host and orchestrator, and of one workload, are neighbours. */
static void show_summary(struct ctl *ctl, const struct endpoint_entries *entries)
{
	struct table table;

	table_init(&table, summary_columns, 4);
	for (size_t i = 0; i < entries->count;) {
		const struct key_parts *first = &entries->items[i].parts;
		size_t endpoints = 0, workloads = 0;

		for (; i < entries->count && same_orchestrator(first, &entries->items[i].parts); i++) {
			const struct key_parts *own = &entries->items[i].parts;

			if (!endpoints || strcmp(own->workload, entries->items[i - 1].parts.workload) != 0)
				workloads++;
			endpoints++;
		}
		table_add(&table, first->host, first->orchestrator, ctl_text(ctl, "%zu", workloads),
			  ctl_text(ctl, "%zu", endpoints));
	}
	table_sort(&table);
	out_table(&ctl->out, "endpoints", &table);
	table_done(&table);
}

static const char *addresses_text(struct ctl *ctl, const struct workload_endpoint *endpoint)
{
	char **nets = arena_alloc(&ctl->out.arena, (endpoint->net_count + 1) * sizeof(*nets));

	for (size_t i = 0; i < endpoint->net_count; i++) {
		struct cidr net = {endpoint->nets[i], (uint8_t)addr_bits(&endpoint->nets[i])};
		char text[CIDR_TEXT];

		nets[i] = ctl_text(ctl, "%s", cidr_format(&net, text));
	}
	return arena_join(&ctl->out.arena, nets, endpoint->net_count, "\n");
}

static void add_details(struct ctl *ctl, struct table *table, const struct endpoint_entry *entry)
{
	const struct workload_endpoint *endpoint = entry->endpoint;
	const struct key_parts *parts = &entry->parts;
	const char *addresses = NULL, *mac = NULL, *profiles = NULL;
	char text[MAC_TEXT];

	if (endpoint) {
		addresses = addresses_text(ctl, endpoint);
		profiles =
			arena_join(&ctl->out.arena, endpoint->profiles.items, endpoint->profiles.count, ",");
	}
	if (endpoint && endpoint->has_mac)
		mac = ctl_text(ctl, "%s", mac_format(endpoint->mac, text));
	table_add(table, parts->host, parts->orchestrator, parts->workload, parts->name, addresses, mac,
		  profiles, endpoint_state(entry));
}

static void show_details(struct ctl *ctl, const struct endpoint_entries *entries)
{
	struct table table;

	table_init(&table, detail_columns, 8);
	for (size_t i = 0; i < entries->count; i++)
		add_details(ctl, &table, &entries->items[i]);
	table_sort(&table);
	out_table(&ctl->out, "endpoints", &table);
	table_done(&table);
}

static int endpoint_show(struct ctl *ctl, const struct args *args)
{
	struct endpoint_filter filter = {
		.host = args_get(args, "--host"),
		.orchestrator = args_get(args, "--orchestrator"),
		.workload = args_get(args, "--workload"),
		.id = args_get(args, "--endpoint"),
	};
	struct endpoint_entries entries;

	if (!ctl_open(ctl) || !endpoints_load(ctl, &filter, &entries))
		return STATUS_FAILED;
	if (args_has(args, "--detailed"))
		show_details(ctl, &entries);
	else
		show_summary(ctl, &entries);
	out_prose(&ctl->out, "\n");
	endpoints_done(&entries);
	return STATUS_DONE;
}

#define FILTERS "[--host=<HOST>] [--orchestrator=<ORCHESTRATOR>] [--workload=<WORKLOAD>]"

static const struct form forms[] = {
	{"show " FILTERS " [--endpoint=<ENDPOINT>] [--detailed] [-o <FORMAT>]", endpoint_show},
	{"<ENDPOINT_ID> profile (append|remove|set) " FILTERS " [<PROFILES>...]",
	 cmd_endpoint_profile_change},
	{"<ENDPOINT_ID> profile show " FILTERS " [-o <FORMAT>]", cmd_endpoint_profile_show},
	{0},
};

static const struct option_spec options[] = {
	{"--host=<HOST>", "Only endpoints of this host."},
	{"--orchestrator=<ORCHESTRATOR>", "Only endpoints of this orchestrator, such as libnetwork."},
	{"--workload=<WORKLOAD>", "Only endpoints of this workload."},
	{"--endpoint=<ENDPOINT>", "Only the endpoint of this id."},
	{"--detailed", "Show each endpoint instead of numbers."},
	OPTION_OUTPUT,
	{0},
};

const struct command command_endpoint = {
	.name = "endpoint",
	.summary = "Endpoints: interfaces of containers and their profiles",
	.description = "Show endpoints, and change the list of profiles of one.",
	.forms = forms,
	.options = options,
};
