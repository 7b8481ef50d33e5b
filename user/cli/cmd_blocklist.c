/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl blocklist: networks whose packets reach no endpoint. Not in v0.20. */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

#include "cli/table.h"
#include "cli/validate.h"
#include "model/blocklist.h"
#include "store/keys.h"

static int blocklist_add(struct ctl *ctl, const struct args *args)
{
	size_t count = args_count(args, "<CIDRS>");
	struct cidr *cidrs = check_cidrs(&ctl->out, args, "<CIDRS>");
	char key[KEY_MAX];

	if (!cidrs || !ctl_open(ctl))
		return STATUS_FAILED;
	for (size_t i = 0; i < count; i++) {
		if (!ctl_write(ctl, key_blocked(key, &cidrs[i]), ctl_keep(ctl, blocklist_format(&cidrs[i]))))
			return STATUS_FAILED;
	}
	return STATUS_DONE;
}

static int blocklist_remove(struct ctl *ctl, const struct args *args)
{
	size_t count = args_count(args, "<CIDRS>");
	struct cidr *cidrs = check_cidrs(&ctl->out, args, "<CIDRS>");
	char key[KEY_MAX], text[CIDR_TEXT];
	int status = STATUS_DONE;
	bool found;

	if (!cidrs || !ctl_open(ctl))
		return STATUS_FAILED;
	for (size_t i = 0; i < count; i++) {
		if (!ctl_delete(ctl, key_blocked(key, &cidrs[i]), &found))
			return STATUS_FAILED;
		if (!found) {
			out_say(&ctl->out, "%s is not on the block list.", cidr_format(&cidrs[i], text));
			status = STATUS_FAILED;
		}
	}
	return status;
}

static const struct column columns[] = {
	{"Blocked", "cidr", COLUMN_TEXT},
	{"Problem", "problem", COLUMN_TEXT},
};

static void add_row(struct ctl *ctl, struct table *table, const struct store_node *node)
{
	struct err err = {""};
	char key[KEY_MAX], text[CIDR_TEXT];
	struct cidr cidr;

	if (cidr_parse_key(key_last(node->key), &cidr) < 0) {
		table_add(table, ctl_text(ctl, "%s", key_last(node->key)), "the key does not name a network");
		return;
	}
	if (strcmp(node->key, key_blocked(key, &cidr)) != 0)
		err_set(&err, EBADMSG, "this network's key is %s", key);
	else
		blocklist_parse(node->value ? node->value : "", &cidr, &err);
	table_add(table, ctl_text(ctl, "%s", cidr_format(&cidr, text)), ctl_text(ctl, "%s", err.text));
}

static int show_family(struct ctl *ctl, uint8_t family, const void *arg)
{
	struct store_list list;
	struct table table;

	if (!ctl_list(ctl, key_blocklist(family), &list))
		return STATUS_FAILED;
	table_init(&table, columns, 2);
	for (size_t i = 0; i < list.count; i++)
		add_row(ctl, &table, &list.nodes[i]);
	table_sort(&table);
	out_table(&ctl->out, family == 6 ? "ipv6" : "ipv4", &table);
	table_done(&table);
	store_list_done(&list);
	return STATUS_DONE;
}

static int blocklist_show(struct ctl *ctl, const struct args *args)
{
	return command_each_family(ctl, args, show_family, NULL);
}

static const struct form forms[] = {
	{"add <CIDRS>...", blocklist_add},
	{"remove <CIDRS>...", blocklist_remove},
	{"show [--ipv4 | --ipv6] [-o <FORMAT>]", blocklist_show},
	{0},
};

static const struct option_spec options[] = {
	OPTIONS_FAMILY,
	OPTION_OUTPUT,
	{0},
};

const struct command command_blocklist = {
	.name = "blocklist",
	.summary = "Networks outside that reach no container",
	.description =
		"Show, add and remove networks whose packets every host drops where they arrive. Packets "
		"to a host's own addresses are not dropped.",
	.forms = forms,
	.options = options,
};
