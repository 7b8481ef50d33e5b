/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl endpoint <ENDPOINT_ID> profile ...: the ordered list of profiles of one endpoint. */
#include "cli/cmd_endpoint_profile.h"

#include <stdlib.h>
#include <string.h>

#include "cli/endpoints.h"
#include "cli/profile_names.h"
#include "cli/validate.h"

enum operation { APPEND, REMOVE, SET, SHOW };

static const char *const failed_texts[] = {
	[APPEND] = "Failed to append profiles to endpoint.",
	[REMOVE] = "Failed to remove profiles from endpoint.",
	[SET] = "Failed to set profiles for endpoint.",
	[SHOW] = "Failed to list profiles in endpoint.",
};

static int not_found(struct ctl *ctl, enum operation operation, const char *id)
{
	out_say(&ctl->out, "%s\n", failed_texts[operation]);
	if (operation == APPEND || operation == SHOW)
		out_para(&ctl->out, "Endpoint %s is unknown to Calico.", id);
	else
		out_para(&ctl->out, "Endpoint could not be found.");
	return STATUS_FAILED;
}

/* The endpoint that id and filters name; *ret is kept until endpoints_done(entries). */
static int find_one(struct ctl *ctl, const struct args *args, enum operation operation,
		    struct endpoint_entries *entries)
{
	struct endpoint_filter filter = {
		.host = args_get(args, "--host"),
		.orchestrator = args_get(args, "--orchestrator"),
		.workload = args_get(args, "--workload"),
		.id = args_get(args, "<ENDPOINT_ID>"),
	};
	size_t count;

	if (!endpoints_load(ctl, &filter, entries))
		return STATUS_FAILED;
	count = entries->count;
	if (count == 1)
		return STATUS_DONE;
	endpoints_done(entries);
	if (!count)
		return not_found(ctl, operation, filter.id);
	out_para(&ctl->out,
		 "More than 1 endpoint matches the provided criteria.  Name one of the %zu with "
		 "--host, --orchestrator and --workload.",
		 count);
	return STATUS_FAILED;
}

/* All names are checked before the datastore is asked, all must exist, none may be there twice. */
static int check_profiles(struct ctl *ctl, const struct strings *profiles)
{
	bool exists;

	for (size_t i = 0; i < profiles->count; i++)
		if (!check_profile_name(&ctl->out, profiles->items[i]))
			return STATUS_FAILED;
	if (!ctl_open(ctl))
		return STATUS_FAILED;
	for (size_t i = 0; i < profiles->count; i++) {
		if (!profile_ref_exists(ctl, profiles->items[i], &exists))
			return STATUS_FAILED;
		if (!exists) {
			out_say(&ctl->out, "Profile with name %s was not found.", profiles->items[i]);
			return STATUS_FAILED;
		}
	}
	for (size_t i = 0; i < profiles->count; i++) {
		struct strings others = {profiles->items, i};

		if (!strings_has(&others, profiles->items[i]))
			continue;
		out_say(&ctl->out, "Profile with name %s was specified more than once.", profiles->items[i]);
		return STATUS_FAILED;
	}
	return STATUS_DONE;
}

struct change {
	enum operation operation;
	const struct strings *profiles;
	const char *id;
	bool refused; /* told why; nothing is written */
};

static bool is_refused(struct ctl *ctl, const struct change *change, const struct strings *listed)
{
	for (size_t i = 0; i < change->profiles->count && change->operation != SET; i++) {
		const char *profile = change->profiles->items[i];
		bool has = strings_has(listed, profile);

		if (change->operation == APPEND && has)
			out_say(&ctl->out, "Profile %s is already in endpoint profile list", profile);
		else if (change->operation == REMOVE && !has)
			out_say(&ctl->out, "Profile %s is not in endpoint profile list.", profile);
		else
			continue;
		return true;
	}
	return false;
}

static void add_all(struct strings *list, const struct strings *more, const struct strings *except)
{
	for (size_t i = 0; i < more->count; i++)
		if (!strings_has(except, more->items[i]) && strings_add(list, more->items[i]) < 0)
			arena_check(NULL);
}

static int change_profiles(struct ctl *ctl, void *arg, const char *old, const char **ret_new)
{
	static const struct strings none = {0};
	struct change *change = arg;
	struct workload_endpoint *endpoint;
	struct strings profiles = {0};
	struct err err;

	if (!old)
		return not_found(ctl, change->operation, change->id);
	if (workload_endpoint_parse(old, NULL, &endpoint, &err) < 0)
		return ctl_failed(ctl, "Endpoint %s is not valid: %s.", change->id, err.text);
	change->refused = is_refused(ctl, change, &endpoint->profiles);
	if (!change->refused) {
		if (change->operation != SET)
			add_all(&profiles, &endpoint->profiles,
				change->operation == REMOVE ? change->profiles : &none);
		if (change->operation != REMOVE)
			add_all(&profiles, change->profiles, &none);
		strings_done(&endpoint->profiles);
		endpoint->profiles = profiles;
		*ret_new = ctl_keep(ctl, workload_endpoint_format(endpoint));
	}
	workload_endpoint_free(endpoint);
	return STATUS_DONE;
}

static void tell_done(struct ctl *ctl, const struct change *change)
{
	const struct strings *profiles = change->profiles;
	const char *names = arena_join(&ctl->out.arena, profiles->items, profiles->count,
				       change->operation == REMOVE ? "," : ", ");

	if (change->operation == APPEND)
		out_para(&ctl->out, "Profile(s) %s appended.", names);
	else if (change->operation == REMOVE)
		out_para(&ctl->out, "Profile(s) %s removed.", names);
	else if (profiles->count)
		out_para(&ctl->out, "Profile(s) set to %s.", names);
	else
		out_para(&ctl->out, "Removed all profiles from endpoint.");
}

int cmd_endpoint_profile_change(struct ctl *ctl, const struct args *args)
{
	size_t count = args_count(args, "<PROFILES>");
	char **names = arena_alloc(&ctl->out.arena, (count + 1) * sizeof(*names));
	const struct strings profiles = {names, count};
	struct change change = {
		.operation = args_has(args, "append")	? APPEND
			     : args_has(args, "remove") ? REMOVE
							: SET,
		.profiles = &profiles,
		.id = args_get(args, "<ENDPOINT_ID>"),
	};
	struct endpoint_entries entries;
	int status;

	for (size_t i = 0; i < count; i++)
		names[i] = (char *)args_nth(args, "<PROFILES>", i);
	if (!count && change.operation != SET) {
		out_say(&ctl->out, "No profile specified.");
		return STATUS_DONE;
	}
	status = check_profiles(ctl, &profiles);
	if (status == STATUS_DONE)
		status = find_one(ctl, args, change.operation, &entries);
	if (status != STATUS_DONE)
		return status;
	status = ctl_change(ctl, entries.items[0].key, change_profiles, &change);
	if (status == STATUS_DONE && !change.refused)
		tell_done(ctl, &change);
	endpoints_done(&entries);
	return status;
}

int cmd_endpoint_profile_show(struct ctl *ctl, const struct args *args)
{
	static const struct column columns[] = {{"Name", "name", COLUMN_TEXT}};
	struct endpoint_entries entries;
	struct table table;

	if (!ctl_open(ctl) || find_one(ctl, args, SHOW, &entries) != STATUS_DONE)
		return STATUS_FAILED;

	const struct workload_endpoint *endpoint = entries.items[0].endpoint;

	table_init(&table, columns, 1);
	for (size_t i = 0; endpoint && i < endpoint->profiles.count; i++)
		table_add(&table, endpoint->profiles.items[i]);
	table_sort(&table);
	if (table.row_count) {
		out_table(&ctl->out, "profiles", &table);
		out_prose(&ctl->out, "\n");
	} else {
		out_say(&ctl->out, "Endpoint has no profiles associated with it.");
	}
	table_done(&table);
	endpoints_done(&entries);
	return STATUS_DONE;
}
