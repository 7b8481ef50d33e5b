/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes keys into the datastore that the environment names: lines "KEY<TAB>VALUE" from standard input.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "bench/bench.h"
#include "config/config.h"
#include "store/store.h"
#include "util/task.h"

int main(void)
{
	struct event_base *base = event_base_new();
	struct config *config;
	struct store *store;
	char *line = NULL;
	size_t size = 0;
	struct err err;

	if (!base)
		bench_fail_errno(ENOMEM, "event loop");
	task_init(base);
	if (config_load(&config, &err) < 0 || store_open(config, &store, &err) < 0)
		bench_fail("%s", err.text);
	while (getline(&line, &size, stdin) > 0) {
		char *value = strchr(line, '\t');

		if (!value)
			bench_fail("a line without a tab: %s", line);
		*value++ = '\0';
		value[strcspn(value, "\n")] = '\0';
		if (store_set(store, line, value, NULL, &err) < 0)
			bench_fail("%s", err.text);
	}
	free(line);
	store_close(store);
	config_free(config);
	event_base_free(base);
	return 0;
}
