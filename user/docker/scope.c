/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Global or local scope. A network of global scope needs a Docker engine with a cluster store. The engine
 * itself must not be asked from within its own request, so witnesses are, in this order: the setting, the
 * command line and configuration file of the process that asks, what the engine said in the background.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "docker/internal.h"

#define ARGUMENTS_MAX (64 * 1024)
#define DEFAULT_FILE  "/etc/docker/daemon.json"

enum witness { UNKNOWN = -1, LOCAL = 0, GLOBAL = 1 };

static enum witness ask_file(const char *path)
{
	json_error_t error;
	json_t *json = json_load_file(path, 0, &error);
	const char *store = json_string_value(json_object_get(json, "cluster-store"));
	enum witness witness = store && *store ? GLOBAL : LOCAL;

	json_decref(json);
	return witness;
}

/* The value of "--name=value" or "--name value"; NULL when this argument is another. */
static const char *option_value(const char *argument, const char *next, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(argument, name, length) != 0)
		return NULL;
	if (argument[length] == '=')
		return argument + length + 1;
	return argument[length] == '\0' ? next : NULL;
}

/* arguments: NUL-separated and NUL-terminated, as in /proc/PID/cmdline. */
static enum witness ask_arguments(const char *arguments, size_t size)
{
	const char *end = arguments + size, *file = DEFAULT_FILE, *base = strrchr(arguments, '/');

	if (strcmp(base ? base + 1 : arguments, "dockerd") != 0)
		return UNKNOWN;
	for (const char *argument = arguments; argument < end; argument += strlen(argument) + 1) {
		const char *next = argument + strlen(argument) + 1, *value;

		next = next < end ? next : "";
		value = option_value(argument, next, "--cluster-store");
		if (value && *value)
			return GLOBAL;
		value = option_value(argument, next, "--config-file");
		if (value)
			file = value;
	}
	return ask_file(file);
}

static enum witness ask_process(pid_t pid)
{
	enum witness witness = UNKNOWN;
	char path[32];
	char *arguments;
	ssize_t size;
	int fd;

	if (pid <= 0)
		return UNKNOWN;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return UNKNOWN;
	arguments = malloc(ARGUMENTS_MAX + 1);
	size = arguments ? read(fd, arguments, ARGUMENTS_MAX) : -1;
	if (size > 0) {
		arguments[size] = '\0';
		witness = ask_arguments(arguments, (size_t)size);
	}
	free(arguments);
	close(fd);
	return witness;
}

bool scope_is_global(const struct plugin *plugin, pid_t peer)
{
	enum witness witness;

	if (plugin->config->scope != SCOPE_AUTO)
		return plugin->config->scope == SCOPE_GLOBAL;
	witness = ask_process(peer);
	if (witness == UNKNOWN)
		witness = engine_has_cluster_store(plugin->engine);
	if (witness == UNKNOWN)
		witness = ask_file(DEFAULT_FILE);
	return witness == GLOBAL;
}
