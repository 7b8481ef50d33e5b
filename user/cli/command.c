/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a command line to its handler: sections 2.1 and 2.2 of the command line specification. */
#include "cli/command.h"

#include <string.h>

static const struct command *find_command(const char *name)
{
	for (const struct command *const *command = commands; *command; command++)
		if (!strcmp((*command)->name, name))
			return *command;
	return NULL;
}

/* "profile show" of "profile" and "show [--detailed]": the literal words at the start. */
static const char *operation_name(struct ctl *ctl, const struct command *command, const struct form *form)
{
	size_t length = 0;

	for (const char *word = form->pattern; *word && !strchr("<[(-", *word);) {
		length = (size_t)(word - form->pattern) + strcspn(word, " ");
		word = form->pattern + length + strspn(form->pattern + length, " ");
	}
	return ctl_text(ctl, "%s%s%.*s", command->name, length ? " " : "", (int)length, form->pattern);
}

static int choose_output(struct ctl *ctl, const struct args *args)
{
	const char *format = args_get(args, "-o");

	if (!format || !strcmp(format, "text"))
		return STATUS_DONE;
	if (strcmp(format, "json") != 0)
		return STATUS_USAGE;
	out_use_json(&ctl->out);
	return STATUS_DONE;
}

static int run_form(struct ctl *ctl, const struct command *command, const struct args *split)
{
	struct args args;

	for (const struct form *form = command->forms; form->run; form++) {
		if (!args_match(split, form->pattern, &args))
			continue;
		ctl->operation = operation_name(ctl, command, form);

		int status = choose_output(ctl, &args);

		if (status == STATUS_DONE)
			status = form->run(ctl, &args);
		args_done(&args);
		return status;
	}
	return STATUS_USAGE;
}

int command_each_family(struct ctl *ctl, const struct args *args,
			int (*show)(struct ctl *ctl, uint8_t family, const void *arg), const void *arg)
{
	int status = ctl_open(ctl) ? STATUS_DONE : STATUS_FAILED;

	if (status == STATUS_DONE && !args_has(args, "--ipv6"))
		status = show(ctl, 4, arg);
	if (status == STATUS_DONE && !args_has(args, "--ipv4"))
		status = show(ctl, 6, arg);
	return status;
}

int command_run(struct ctl *ctl, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";
	const struct command *command = find_command(name);
	struct args split;
	int status = STATUS_USAGE;

	if (!command && name[0] == '-' && strcmp(name, "-h") != 0 && strcmp(name, "--help") != 0) {
		fputs("Usage: calicoctl <command> [<args>...]\n", stderr);
		return STATUS_FAILED;
	}
	if (!command) {
		help_top(commands, stdout);
		return STATUS_DONE;
	}
	if (args_split(argv + 2, (size_t)argc - 2, command->options, &split)) {
		if (args_has(&split, "--help")) {
			help_command(command, stdout);
			status = STATUS_DONE;
		} else {
			status = run_form(ctl, command, &split);
		}
		args_done(&split);
	}
	if (status == STATUS_USAGE) {
		help_usage(command, stderr);
		status = STATUS_FAILED;
	}
	return status;
}
