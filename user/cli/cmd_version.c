/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl version. */
#include "cli/command.h"

static int version(struct ctl *ctl, const struct args *args)
{
	out_value(&ctl->out, "version", VERSION);
	return STATUS_DONE;
}

static const struct form forms[] = {{"[-o <FORMAT>]", version}, {0}};
static const struct option_spec options[] = {OPTION_OUTPUT, {0}};

const struct command command_version = {
	.name = "version",
	.summary = "Version of this command",
	.description = "Prints the version.",
	.forms = forms,
	.options = options,
};
