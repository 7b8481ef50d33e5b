/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How `status` shows what the daemon says about itself: datastore, enforcement, problems, drops. */
#include "cli/status_daemon.h"

#include <string.h>

#include "store/keys.h"

static const struct column problem_columns[] = {
	{"Object", "object", COLUMN_TEXT},
	{"Problem", "text", COLUMN_TEXT},
};
static const struct column endpoint_columns[] = {
	{"Endpoint that is not up", "endpoint", COLUMN_TEXT},
	{"Interface", "interface", COLUMN_TEXT},
	{"State", "state", COLUMN_TEXT},
	{"Reason", "why", COLUMN_TEXT},
};
static const struct column drop_columns[] = {
	{"Interface", "interface", COLUMN_TEXT},
	{"Reason of drops", "reason", COLUMN_TEXT},
	{"Packets", "packets", COLUMN_NUMBER},
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : "unknown";
}

static const char *number_of(struct ctl *ctl, const json_t *object, const char *name)
{
	const json_t *number = json_object_get(object, name);

	return json_is_integer(number) ? ctl_text(ctl, "%" JSON_INTEGER_FORMAT, json_integer_value(number))
				       : "unknown";
}

static void show_datastore(struct ctl *ctl, const json_t *daemon)
{
	const json_t *datastore = json_object_get(daemon, "datastore");
	const json_t *in_sync = json_object_get(daemon, "in_sync");
	const char *contact = "connected";

	if (!json_is_true(json_object_get(datastore, "connected")))
		contact = ctl_text(ctl, "no contact: %s", text_of(datastore, "why"));
	out_prose(&ctl->out, "Datastore: %s %s (%s)\n", text_of(datastore, "kind"),
		  text_of(datastore, "where"), contact);
	out_prose(&ctl->out, "In sync: %s\n",
		  json_is_true(in_sync)	   ? "yes"
		  : json_is_false(in_sync) ? "no, what was known last stays in force"
					   : "unknown");
}

static const char *endpoints_up(struct ctl *ctl, const json_t *endpoints)
{
	const json_t *endpoint;
	size_t i, up = 0;

	json_array_foreach (endpoints, i, endpoint) {
		up += !strcmp(text_of(endpoint, "state"), "up");
	}
	return ctl_text(ctl, "%zu of %zu up", up, json_array_size(endpoints));
}

/* Of all kinds. */
static const char *repairs_of(struct ctl *ctl, const json_t *daemon)
{
	json_t *repairs = json_object_get(daemon, "repairs"), *number;
	const char *kind;
	json_int_t sum = 0;

	json_object_foreach (repairs, kind, number) {
		sum += json_integer_value(number);
	}
	return repairs ? ctl_text(ctl, "%" JSON_INTEGER_FORMAT, sum) : "unknown";
}

static void show_enforcement(struct ctl *ctl, const json_t *daemon)
{
	const json_t *hosts = json_object_get(daemon, "host_endpoints"), *host, *interface;
	size_t i, j;

	out_prose(&ctl->out, "Enforced with: %s    Endpoints: %s    Flows: %s    Repairs: %s\n",
		  text_of(daemon, "attach"), endpoints_up(ctl, json_object_get(daemon, "endpoints")),
		  number_of(ctl, daemon, "flows"), repairs_of(ctl, daemon));
	json_array_foreach (hosts, i, host) {
		const char *interfaces = "";

		json_array_foreach (json_object_get(host, "interfaces"), j, interface) {
			interfaces = ctl_text(ctl, "%s %s", interfaces, json_string_value(interface));
		}
		out_prose(&ctl->out, "Host endpoint %s: %s%s%s\n", key_last(text_of(host, "key")),
			  text_of(host, "state"), *interfaces ? " on" : "", interfaces);
	}
}

/* By key rather than by id: ids of Docker's endpoints say little, others may be equal on one host. */
static const char *endpoint_name(struct ctl *ctl, const json_t *endpoint)
{
	struct key_parts parts;

	key_parse(text_of(endpoint, "key"), &parts);
	return parts.kind == KEY_IS_ENDPOINT
		       ? ctl_text(ctl, "%s/%s/%s", parts.orchestrator, parts.workload, parts.name)
		       : text_of(endpoint, "key");
}

static void show_endpoints(struct ctl *ctl, const json_t *daemon)
{
	const json_t *endpoints = json_object_get(daemon, "endpoints"), *endpoint;
	struct table table;
	size_t i;

	table_init(&table, endpoint_columns, 4);
	table.left = true;
	json_array_foreach (endpoints, i, endpoint) {
		if (strcmp(text_of(endpoint, "state"), "up") != 0)
			table_add(&table, endpoint_name(ctl, endpoint), text_of(endpoint, "interface"),
				  text_of(endpoint, "state"), text_of(endpoint, "why"));
	}
	if (table.row_count)
		out_table(&ctl->out, NULL, &table);
	table_done(&table);
}

static void show_uplinks(struct ctl *ctl, const json_t *daemon)
{
	const json_t *uplinks = json_object_get(daemon, "uplinks"), *uplink;
	size_t i;

	json_array_foreach (uplinks, i, uplink) {
		const char *name = text_of(uplink, "interface"), *by = text_of(uplink, "screening");

		if (!strcmp(by, "xdp"))
			out_prose(&ctl->out, "Uplink %s: screened by XDP\n", name);
		else
			out_prose(&ctl->out, "Uplink %s: screened by TC (%s)\n", name,
				  text_of(uplink, "why"));
	}
	out_prose(&ctl->out, "Block list: %s networks\n", number_of(ctl, daemon, "blocked"));
}

static void show_rows(struct ctl *ctl, const struct table *table, const char *title)
{
	if (table->row_count) {
		out_prose(&ctl->out, "%s:\n", title);
		out_table(&ctl->out, NULL, table);
	} else {
		out_prose(&ctl->out, "%s: none\n", title);
	}
}

static void show_problems(struct ctl *ctl, const json_t *daemon)
{
	const json_t *problems = json_object_get(daemon, "problems"), *problem;
	struct table table;
	size_t i;

	table_init(&table, problem_columns, 2);
	table.left = true;
	json_array_foreach (problems, i, problem) {
		table_add(&table, text_of(problem, "object"), text_of(problem, "text"));
	}
	show_rows(ctl, &table, "Problems");
	table_done(&table);
}

static void show_drops(struct ctl *ctl, const json_t *daemon)
{
	const json_t *drops = json_object_get(daemon, "drops"), *drop;
	struct table table;
	size_t i;

	table_init(&table, drop_columns, 3);
	table.left = true;
	json_array_foreach (drops, i, drop) {
		table_add(&table, text_of(drop, "interface"), text_of(drop, "reason"),
			  number_of(ctl, drop, "packets"));
	}
	show_rows(ctl, &table, "Dropped packets");
	table_done(&table);
}

void status_show_daemon(struct ctl *ctl, json_t *daemon)
{
	/* As JSON the daemon's own words are better than our table of them. */
	if (ctl->out.root) {
		out_document(&ctl->out, "daemon", daemon, "");
		return;
	}
	out_prose(&ctl->out, "Policy status\n");
	show_datastore(ctl, daemon);
	show_enforcement(ctl, daemon);
	show_endpoints(ctl, daemon);
	show_uplinks(ctl, daemon);
	show_problems(ctl, daemon);
	show_drops(ctl, daemon);
	out_prose(&ctl->out, "\n");
}

bool status_is_healthy(const json_t *daemon)
{
	const json_t *endpoints = json_object_get(daemon, "endpoints"), *endpoint;
	bool up = true;
	size_t i;

	json_array_foreach (endpoints, i, endpoint) {
		const char *state = text_of(endpoint, "state");

		/* "down" is what the datastore wants of it. */
		up &= !strcmp(state, "up") || !strcmp(state, "down");
	}
	return up && json_is_true(json_object_get(daemon, "in_sync")) &&
	       json_is_true(json_object_get(json_object_get(daemon, "datastore"), "connected")) &&
	       !json_array_size(json_object_get(daemon, "problems"));
}
