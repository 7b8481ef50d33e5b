/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl profile: listing, creation, removal and tags. Rules are in cmd_rule.c. */
#include "cli/cmd_rule.h"

#include <string.h>

#include "cli/command.h"
#include "cli/endpoints.h"
#include "cli/profile_names.h"
#include "cli/validate.h"
#include "model/profile.h"
#include "store/keys.h"

static const struct column name_column[] = {{"Name", "name", COLUMN_TEXT}};
static const struct column detail_columns[] = {
	{"Name", "name", COLUMN_TEXT},
	{"Host", "host", COLUMN_TEXT},
	{"Orchestrator ID", "orchestrator", COLUMN_TEXT},
	{"Workload ID", "workload", COLUMN_TEXT},
	{"Endpoint ID", "endpoint", COLUMN_TEXT},
	{"State", "state", COLUMN_TEXT},
};

static void add_details(struct table *table, const char *profile, const struct endpoint_entries *entries)
{
	bool used = false;

	for (size_t i = 0; i < entries->count; i++) {
		const struct endpoint_entry *entry = &entries->items[i];
		const struct key_parts *parts = &entry->parts;

		if (!endpoint_has_profile(entry, profile))
			continue;
		table_add(table, profile, parts->host, parts->orchestrator, parts->workload, parts->name,
			  endpoint_state(entry));
		used = true;
	}
	if (!used)
		table_add(table, profile, NULL, NULL, NULL, NULL, NULL);
}

static int profile_show(struct ctl *ctl, const struct args *args)
{
	bool detailed = args_has(args, "--detailed");
	struct endpoint_entries entries = {0};
	struct store_list profiles;
	struct table table;
	struct err err;

	if (!ctl_open(ctl))
		return STATUS_FAILED;
	if (store_children(ctl->store, KEY_PROFILES, &profiles, &err) < 0)
		return ctl_store_failed(ctl, &err);
	if (detailed && !endpoints_load(ctl, &(struct endpoint_filter){0}, &entries)) {
		store_list_done(&profiles);
		return STATUS_FAILED;
	}
	table_init(&table, detailed ? detail_columns : name_column, detailed ? 6 : 1);
	for (size_t i = 0; i < profiles.count; i++) {
		if (detailed)
			add_details(&table, profiles.nodes[i].key, &entries);
		else
			table_add(&table, profiles.nodes[i].key);
	}
	table_sort(&table);
	out_table(&ctl->out, "profiles", &table);
	table_done(&table);
	endpoints_done(&entries);
	store_list_done(&profiles);
	return STATUS_DONE;
}

static int profile_add(struct ctl *ctl, const struct args *args)
{
	const char *id = args_get(args, "<PROFILE>");
	struct strings tags = {(char **)&id, 1};
	char key[KEY_MAX];
	bool exists;

	if (!check_profile_name(&ctl->out, id) || !ctl_open(ctl) || !profile_ref_exists(ctl, id, &exists))
		return STATUS_FAILED;
	if (exists) {
		out_say(&ctl->out, "Profile %s already exists.", id);
		return STATUS_DONE;
	}

	struct rules *rules = arena_check(rules_new_default(id));
	const char *rules_text = ctl_keep(ctl, rules_format(rules));

	rules_free(rules);
	/* Rules last: an endpoint that lists the profile is dropped until all of it is there. */
	if (!ctl_write(ctl, key_profile_part(key, id, "tags"), ctl_keep(ctl, tags_format(&tags))) ||
	    !ctl_write(ctl, key_profile_part(key, id, "labels"), "{}") ||
	    !ctl_write(ctl, key_profile_part(key, id, "rules"), rules_text))
		return STATUS_FAILED;
	out_say(&ctl->out, "Created profile %s", id);
	return STATUS_DONE;
}

static bool profile_in_use(struct ctl *ctl, const char *id, bool *ret)
{
	struct endpoint_entries entries;

	if (!endpoints_load(ctl, &(struct endpoint_filter){0}, &entries))
		return false;
	*ret = false;
	for (size_t i = 0; i < entries.count; i++)
		*ret |= endpoint_has_profile(&entries.items[i], id);
	endpoints_done(&entries);
	return true;
}

static int profile_remove(struct ctl *ctl, const struct args *args)
{
	const char *id = args_get(args, "<PROFILE>");
	bool exists, in_use = false;
	char key[KEY_MAX];
	struct err err;

	if (!check_profile_name(&ctl->out, id) || !ctl_open(ctl) || !profile_ref_exists(ctl, id, &exists))
		return STATUS_FAILED;
	if (!exists) {
		out_say(&ctl->out, "Profile %s not found.", id);
		return STATUS_DONE;
	}
	if (!args_has(args, "--no-check") && !profile_in_use(ctl, id, &in_use))
		return STATUS_FAILED;
	if (in_use) {
		out_say(&ctl->out, "Cannot remove profile - profile in use by endpoint(s).\n"
				   "Use the '--no-check' flag to remove the profile anyway.");
		return STATUS_DONE;
	}
	if (store_delete_tree(ctl->store, key_profile(key, id), &err) < 0)
		return ctl_store_failed(ctl, &err);
	out_say(&ctl->out, "Deleted profile %s", id);
	return STATUS_DONE;
}

/* Reads a stored tag list; absent: empty. Free with strings_done(). */
static int read_tags(struct ctl *ctl, const struct profile_ref *ref, const char *text, struct strings *ret)
{
	struct err err;

	*ret = (struct strings){0};
	if (text && tags_parse(text, ret, &err) < 0)
		return ctl_failed(ctl, "Tags of profile %s are not valid: %s.", ref->given, err.text);
	return STATUS_DONE;
}

static int open_profile(struct ctl *ctl, const struct args *args, struct profile_ref *ret)
{
	const char *given = args_get(args, "<PROFILE>");

	if (!check_profile_name(&ctl->out, given) || !ctl_open(ctl))
		return STATUS_FAILED;
	return profile_ref_find(ctl, given, ret);
}

static int tag_show(struct ctl *ctl, const struct args *args)
{
	struct profile_ref ref;
	struct strings tags, shown = {0};
	char key[KEY_MAX];
	const char *text;
	int status = open_profile(ctl, args, &ref);

	if (status != STATUS_DONE)
		return status;
	if (!ctl_read(ctl, key_profile_part(key, ref.id, "tags"), &text))
		return STATUS_FAILED;
	status = read_tags(ctl, &ref, text, &tags);
	if (status != STATUS_DONE)
		return status;
	for (size_t i = 0; i < tags.count; i++)
		if (strings_add(&shown, profile_ref_tag_name(ctl, &ref, tags.items[i])) < 0)
			arena_check(NULL);
	out_list(&ctl->out, "tags", &shown);
	strings_done(&shown);
	strings_done(&tags);
	return STATUS_DONE;
}

struct tag_change {
	struct profile_ref ref;
	const char *tag, *given; /* as stored, as the user names it */
	bool add;
};

static int change_tags(struct ctl *ctl, void *arg, const char *old, const char **ret_new)
{
	const struct tag_change *change = arg;
	struct strings tags, kept = {0};
	int status = read_tags(ctl, &change->ref, old, &tags);

	if (status != STATUS_DONE)
		return status;

	bool present = strings_has(&tags, change->tag);

	if (!present && !change->add) {
		out_say(&ctl->out, "Tag %s is not on profile %s", change->given, change->ref.given);
		status = STATUS_FAILED;
	} else if (present != change->add) {
		for (size_t i = 0; i < tags.count; i++)
			if (strcmp(tags.items[i], change->tag) != 0 && strings_add(&kept, tags.items[i]) < 0)
				arena_check(NULL);
		if (change->add && strings_add(&kept, change->tag) < 0)
			arena_check(NULL);
		*ret_new = ctl_keep(ctl, tags_format(&kept));
		strings_done(&kept);
	}
	strings_done(&tags);
	return status;
}

static int tag_change(struct ctl *ctl, const struct args *args)
{
	const char *tag = args_get(args, "<TAG>");
	struct tag_change change = {.given = tag, .add = args_has(args, "add")};
	char key[KEY_MAX];
	int status = STATUS_FAILED;

	/* One tag that is none would make all tags of the profile void. */
	if (!change.add || check_tag(&ctl->out, tag))
		status = open_profile(ctl, args, &change.ref);
	if (status != STATUS_DONE)
		return status;
	change.tag = profile_ref_tag_id(ctl, &change.ref, tag);
	if (!change.tag && change.add)
		return profile_ref_tag_unknown(ctl, tag);
	if (!change.tag)
		change.tag = tag; /* of a network that is gone: shown by its id */
	status = ctl_change(ctl, key_profile_part(key, change.ref.id, "tags"), change_tags, &change);
	if (status == STATUS_DONE)
		out_say(&ctl->out, "Tag %s %s profile %s", tag, change.add ? "added to" : "removed from",
			change.ref.given);
	return status;
}

static const struct form forms[] = {
	{"show [--detailed] [-o <FORMAT>]", profile_show},
	{"add <PROFILE>", profile_add},
	{"remove <PROFILE> [--no-check]", profile_remove},
	{"<PROFILE> tag show [-o <FORMAT>]", tag_show},
	{"<PROFILE> tag (add|remove) <TAG>", tag_change},
	{"<PROFILE> rule add (inbound|outbound) [--at=<POSITION>] (allow|deny) [MATCH]", cmd_rule_add},
	{"<PROFILE> rule remove (inbound|outbound) --at=<POSITION>", cmd_rule_remove},
	{"<PROFILE> rule remove (inbound|outbound) (allow|deny) [MATCH]", cmd_rule_remove},
	{"<PROFILE> rule show [-o <FORMAT>]", cmd_rule_show},
	{"<PROFILE> rule json", cmd_rule_json},
	{"<PROFILE> rule update", cmd_rule_update},
	{0},
};

static const struct option_spec options[] = {
	{"--detailed", "Show the endpoints of each profile."},
	{"--no-check", "Remove a profile that endpoints still use; their traffic is dropped."},
	{"--at=<POSITION>", "Position in the list of rules, from 1. Without it a rule is appended."},
	OPTION_OUTPUT,
	{0},
};

const struct command command_profile = {
	.name = "profile",
	.summary = "Profiles: the policy of their endpoints",
	.description =
		"Show, make and remove profiles, their tags and their rules. The profile of a Docker network is\n"
		"also found by the network's name, and tags in it are names of networks.\n"
		"\n"
		"MATCH is one of\n"
		"  (tcp|udp) [from [ports <PORTS>] [tag <TAG>] [cidr <CIDR>]]\n"
		"            [to [ports <PORTS>] [tag <TAG>] [cidr <CIDR>]]\n"
		"  (icmp|icmpv6) [type <TYPE> [code <CODE>]] [from [tag <TAG>] [cidr <CIDR>]]\n"
		"            [to [tag <TAG>] [cidr <CIDR>]]\n"
		"  [from [tag <TAG>] [cidr <CIDR>]] [to [tag <TAG>] [cidr <CIDR>]]\n"
		"with <PORTS> such as 80,443,8000:8099.\n"
		"\n"
		"'rule json' prints all rules, 'rule update' replaces them by those on its standard input.",
	.forms = forms,
	.options = options,
};
