/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl version. */
#include "cli/command.h"

#include "util/version.h"

/* A value that the text form shows in words. */
static void tell(struct out *out, const char *name, const char *value, const char *words)
{
	json_t *text = arena_check(json_string(value));

	out_document(out, name, text, arena_format(&out->arena, "%s %s\n", words, value));
	json_decref(text);
}

static int version(struct ctl *ctl, const struct args *args)
{
	out_value(&ctl->out, "version", version_number);
	tell(&ctl->out, "commit", version_commit, "commit");
	tell(&ctl->out, "data_model", VERSION_DATA_MODEL, "data model of Calico");
	return STATUS_DONE;
}

static const struct form forms[] = {{"[-o <FORMAT>]", version}, {0}};
static const struct option_spec options[] = {OPTION_OUTPUT, {0}};

const struct command command_version = {
	.name = "version",
	.summary = "Version of this command",
	.description =
		"Prints the version of this product, its commit, and the version of Calico whose data model it speaks.",
	.forms = forms,
	.options = options,
};
