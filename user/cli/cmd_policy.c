/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl policy show: what the kernel decides by about one endpoint of this host, in order, with hits. */
#include "cli/command.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/endpoints.h"
#include "cli/profile_names.h"
#include "inspect/inspect.h"

/* Docker's ids. */
#define ID_LENGTH 64

static const struct column columns[] = {
	{"Rule", "rule", COLUMN_TEXT},	    {"Of", "object", COLUMN_TEXT},
	{"No.", "position", COLUMN_NUMBER}, {"Packets", "packets", COLUMN_NUMBER},
	{"Bytes", "bytes", COLUMN_NUMBER},
};

struct view {
	struct ctl *ctl;
	struct inspect *inspect;
	struct profile_ref names; /* networks that the engine was asked for */
};

/* Name of the host side interface of the endpoint of this host with that id. NULL: none, or told why. */
static const char *interface_of(struct ctl *ctl, const char *id)
{
	const struct endpoint_filter filter = {.host = ctl->config->hostname, .id = id};
	struct endpoint_entries entries;
	const char *name = NULL;

	if (!ctl_open(ctl) || !endpoints_load(ctl, &filter, &entries))
		return NULL;
	if (entries.count == 1 && entries.items[0].endpoint)
		name = ctl_text(ctl, "%s", entries.items[0].endpoint->name);
	else
		out_para(&ctl->out, "Endpoint %s is unknown on host %s.", id, filter.host);
	endpoints_done(&entries);
	return name;
}

/* Slot of the endpoint that is named by address, interface or id, or -1 after telling why there is none. */
static int find_endpoint(const struct view *view, const char *given)
{
	const char *interface = given;
	struct addr addr = {0};
	int slot;

	if (addr_parse(given, &addr) == 0)
		slot = inspect_find_address(view->inspect, &addr);
	else
		slot = inspect_find_interface(view->inspect, given);
	if (slot == -ENOENT && !addr.family) {
		interface = interface_of(view->ctl, given);
		if (!interface)
			return -1;
		slot = inspect_find_interface(view->inspect, interface);
	}
	if (slot == -ENOENT)
		out_para(&view->ctl->out, "No policy is in force for %s on this host.", interface);
	else if (slot < 0)
		ctl_failed(view->ctl, "Cannot read the policy maps: %s.", strerror(-slot));
	return slot < 0 ? -1 : slot;
}

static bool is_id(const char *word)
{
	size_t length = strspn(word, "0123456789abcdef");

	return length == ID_LENGTH && !word[length];
}

/* Ids of Docker networks among the words become the networks' names. */
static const char *with_names(struct view *view, const char *text)
{
	char *words = arena_copy(&view->ctl->out.arena, text), *rest = words;
	const char *result = "";

	for (char *word; (word = strsep(&rest, " "));) {
		const char *name = is_id(word) ? profile_ref_tag_name(view->ctl, &view->names, word) : word;

		result = *result ? ctl_text(view->ctl, "%s %s", result, name) : name;
	}
	return result;
}

static const char *number(struct ctl *ctl, __u64 n)
{
	return ctl_text(ctl, "%llu", (unsigned long long)n);
}

static void add_entry(struct view *view, struct table *table, const struct inspect_entry *entry)
{
	static const char *const ends[] = {
		[STEP_END_TIER] = "deny what no rule of the tier decided",
		[STEP_NO_PROFILE] = "deny: a profile is missing or invalid, see 'calicoctl status'",
		[STEP_DENIED] = "deny: could not be put in force, see 'calicoctl status'",
	};
	struct ctl *ctl = view->ctl;

	if (entry->kind != STEP_RULES)
		table_add(table, entry->kind <= STEP_DENIED ? ends[entry->kind] : "deny", NULL, NULL, NULL,
			  NULL);
	else
		table_add(table, with_names(view, entry->info.text), with_names(view, entry->info.object),
			  number(ctl, entry->info.position), number(ctl, entry->hits.packets),
			  number(ctl, entry->hits.bytes));
}

static int show_direction(struct view *view, int slot, bool inbound)
{
	struct ctl *ctl = view->ctl;
	struct inspect_policy policy;
	struct table table;
	int r = inspect_policy(view->inspect, (__u32)slot, inbound, &policy);

	if (r < 0)
		return ctl_failed(ctl, "Cannot read the policy maps: %s.", strerror(-r));
	table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	table.left = true;
	for (size_t i = 0; i < policy.count; i++)
		add_entry(view, &table, &policy.entries[i]);
	out_prose(&ctl->out, "%s rules:\n", inbound ? "Inbound" : "Outbound");
	if (policy.count || ctl->out.root)
		out_table(&ctl->out, inbound ? "inbound" : "outbound", &table);
	out_prose(&ctl->out, "What none of them allows is dropped.\n");
	table_done(&table);
	free(policy.entries);
	return STATUS_DONE;
}

static int show(struct view *view, const char *given)
{
	struct ctl *ctl = view->ctl;
	struct endpoint endpoint;
	int slot = find_endpoint(view, given), status;
	const char *name, *state;

	if (slot < 0)
		return STATUS_FAILED;
	if (inspect_endpoint(view->inspect, (__u32)slot, &endpoint) < 0)
		return ctl_failed(ctl, "Endpoint %s has just gone.", given);
	name = ctl_text(ctl, "%.*s", (int)sizeof(endpoint.name), endpoint.name);
	state = endpoint.state == ENDPOINT_ACTIVE ? "active" : "inactive";
	if (ctl->out.root) {
		out_value(&ctl->out, "interface", name);
		out_value(&ctl->out, "state", state);
	}
	out_prose(&ctl->out, "Endpoint %s is %s.\n\n", name, state);
	status = show_direction(view, slot, true);
	out_prose(&ctl->out, "\n");
	return status == STATUS_DONE ? show_direction(view, slot, false) : status;
}

static int policy_show(struct ctl *ctl, const struct args *args)
{
	struct view view = {.ctl = ctl, .names = {.is_network = true}};
	struct err err;
	int status;

	if (!ctl_is_root(ctl))
		return STATUS_ROOT;
	if (inspect_open(ctl->config->bpffs, &view.inspect, &err) < 0)
		return ctl_failed(ctl, "%s", err.text);
	status = show(&view, args_get(args, "<ENDPOINT>"));
	inspect_close(view.inspect);
	return status;
}

static const struct form forms[] = {
	{"show <ENDPOINT> [-o <FORMAT>]", policy_show},
	{0},
};

static const struct option_spec options[] = {
	OPTION_OUTPUT,
	{0},
};

const struct command command_policy = {
	.name = "policy",
	.summary = "Rules in force for an endpoint of this host",
	.description =
		"Shows the rules by which the kernel decides about an endpoint, in the order in which they\n"
		"are tried, and how many packets each has decided. ENDPOINT is its id, its interface on\n"
		"this host, or an address. A host endpoint is named by its id or an interface. Usually the\n"
		"first packet of a connection meets rules. Endpoints that share a rule share its counts.",
	.forms = forms,
	.options = options,
};
