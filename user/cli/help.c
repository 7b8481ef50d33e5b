/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Usage and help texts, written from the command tables. */
#include "cli/command.h"

#include <string.h>

void help_top(const struct command *const *list, FILE *file)
{
	fputs("calicoctl: network and policy of this Calico host\n\n"
	      "Usage: calicoctl <command> [<args>...]\n\n",
	      file);
	for (; *list; list++)
		fprintf(file, "    %-12s %s\n", (*list)->name, (*list)->summary);
	fputs("\nSee 'calicoctl <command> --help' for the usage of a command and calicoctl(8) for all of them.\n",
	      file);
}

void help_usage(const struct command *command, FILE *file)
{
	fputs("Usage:\n", file);
	for (const struct form *form = command->forms; form->run; form++)
		fprintf(file, "  calicoctl %s%s%s\n", command->name, *form->pattern ? " " : "",
			form->pattern);
}

/* Lines after the first start in the given column. */
static void print_lines(const char *text, int column, FILE *file)
{
	for (const char *end; *text; text = end + (*end == '\n')) {
		end = strchrnul(text, '\n');
		fprintf(file, "%.*s\n%*s", (int)(end - text), text, *end && end[1] != '\n' ? column : 0, "");
	}
}

void help_command(const struct command *command, FILE *file)
{
	help_usage(command, file);
	fputs("\nDescription:\n  ", file);
	print_lines(command->description, 2, file);
	if (!command->options->form)
		return;
	fputs("\nOptions:\n", file);
	for (const struct option_spec *option = command->options; option->form; option++) {
		fprintf(file, "  %-30s ", option->form);
		print_lines(option->help, 33, file);
	}
}
