/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a command is: one first word with its usage lines. Parsing, usage, help and the manual page's check
 * all read these tables; a new command is one file with its table and one line in commands.c.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/ctl.h"
#include "cli/grammar.h"

#define STATUS_DONE   0
#define STATUS_FAILED 1
#define STATUS_ROOT   2
/* Of `status`: the daemon runs, but not all is well. */
#define STATUS_UNHEALTHY 3
/* Returned by a handler when the words cannot be what the usage lines mean: usage on stderr, status 1. */
#define STATUS_USAGE (-1)

struct form {
	const char *pattern; /* see grammar.h; without the command's own word */
	int (*run)(struct ctl *ctl, const struct args *args);
};

struct command {
	const char *name;
	const char *summary;		   /* one line of the top-level help */
	const char *description;	   /* shown by --help beneath the usage lines */
	const struct form *forms;	   /* up to one without a handler */
	const struct option_spec *options; /* up to one without a form */
};

#define OPTION_OUTPUT                                                                                        \
	{                                                                                                    \
		"-o <FORMAT>", "Output as 'text' (default) or 'json'."                                       \
	}

#define OPTIONS_FAMILY                                                                                       \
	{"--ipv4", "Only IPv4."},                                                                            \
	{                                                                                                    \
		"--ipv6", "Only IPv6."                                                                       \
	}

/*
 * Opens the datastore and calls `show` for IPv4 and IPv6, or for the one of OPTIONS_FAMILY that is given, up
 * to the first failure.
 */
int command_each_family(struct ctl *ctl, const struct args *args,
			int (*show)(struct ctl *ctl, uint8_t family, const void *arg), const void *arg);

/* All commands, up to NULL. */
extern const struct command *const commands[];

/* Runs a whole command line (argv as main() got it); returns the exit status. */
int command_run(struct ctl *ctl, int argc, char **argv);

void help_top(const struct command *const *list, FILE *file);
void help_command(const struct command *command, FILE *file);
void help_usage(const struct command *command, FILE *file);

#endif
