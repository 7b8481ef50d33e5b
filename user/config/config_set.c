/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Replaces and frees what the settings hold. */
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"

int config_set(char **member, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*member);
	*member = copy;
	return 0;
}

int config_set_state_dir(struct config *config, const char *value)
{
	char *path;

	if (config->sqlite_in_state_dir) {
		if (asprintf(&path, "%s/calico.db", value) < 0)
			return -ENOMEM;
		free(config->sqlite_path);
		config->sqlite_path = path;
	}
	return config_set(&config->state_dir, value);
}

void config_drop_endpoints(struct config *config)
{
	for (size_t i = 0; i < config->endpoint_count; i++)
		free(config->endpoints[i]);
	free(config->endpoints);
	config->endpoints = NULL;
	config->endpoint_count = 0;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	config_drop_endpoints(config);
	free(config->sqlite_path);
	free(config->ca_file);
	free(config->cert_file);
	free(config->key_file);
	free(config->hostname);
	free(config->docker_host);
	free(config->plugin_socket);
	free(config->run_dir);
	free(config->state_dir);
	free(config->bpffs);
	free(config->ip);
	free(config->ip6);
	free(config->as);
	free(config->interface_prefix);
	for (size_t i = 0; config->warnings && config->warnings[i]; i++)
		free(config->warnings[i]);
	free(config->warnings);
	free(config);
}
