/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl: the command line of Calico. Reads the settings, then runs one command. */
#include <curl/curl.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/para.h"
#include "util/stdio.h"
#include "util/task.h"

static void on_interrupt(int signal_number)
{
	static const char text[] = "Aborted command.\n";

	_exit(write(STDOUT_FILENO, text, sizeof(text) - 1) < 0);
}

int main(int argc, char **argv)
{
	struct ctl ctl = {0};
	struct event_base *base;
	struct err err;

	stdio_open();
	signal(SIGINT, on_interrupt);
	/* Settings are checked before anything else, even before help. */
	if (config_load(&ctl.config, &err) < 0) {
		para_print(err.text, stdout);
		stdio_close("calicoctl");
		return STATUS_FAILED;
	}
	for (size_t i = 0; ctl.config->warnings && ctl.config->warnings[i]; i++)
		fprintf(stderr, "Warning: %s.\n", ctl.config->warnings[i]);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	base = arena_check(event_base_new());
	task_init(base);
	out_init(&ctl.out, stdout, stderr);

	int status = command_run(&ctl, argc, argv);

	ctl_done(&ctl);
	event_base_free(base);
	curl_global_cleanup();
	/* A script that saves what this prints must learn that it has not all of it. */
	if (stdio_close("calicoctl") < 0 && status == STATUS_DONE)
		status = STATUS_FAILED;
	return status;
}
