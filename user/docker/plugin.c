/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The plugin put together. */
#include "docker/plugin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "docker/internal.h"
#include "docker/router.h"
#include "http/sockets.h"
#include "util/log.h"

static void on_engine_start(void *arg)
{
	struct plugin *plugin = arg;

	collector_engine_started(plugin->collector);
}

static int redo(void *arg, enum journal_kind kind, const char *id, long long when, struct err *err)
{
	struct plugin *plugin = arg;
	struct addr addr;

	switch (kind) {
	case JOURNAL_ENDPOINT:
		return endpoint_remove(plugin, id, err);
	case JOURNAL_NETWORK:
		return network_remove(plugin, id, err);
	case JOURNAL_ADDRESS:
		return addr_parse(id, &addr) < 0 ? 0 : address_release(plugin, &addr, when, err);
	}
	return 0;
}

static bool is_in_use(void *agent, const struct addr *addr)
{
	return agent_has_address(agent, addr);
}

/* "/run/docker/plugins/calico.sock": the second is "calico-ipam.sock", the IPAM driver's later name. */
static char *ipam_socket_of(const char *path)
{
	size_t length = strlen(path);
	char *ret;

	if (length > 5 && !strcmp(path + length - 5, ".sock"))
		length -= 5;
	return asprintf(&ret, "%.*s-ipam.sock", (int)length, path) < 0 ? NULL : ret;
}

static int serve(struct plugin *plugin, struct err *err)
{
	char *ipam_socket = ipam_socket_of(plugin->config->plugin_socket);
	const char *const paths[] = {plugin->config->plugin_socket, ipam_socket};
	int rc;

	if (!ipam_socket)
		return err_set(err, ENOMEM, "out of memory");
	rc = server_start(&plugin_socket, paths, 2, router_methods, plugin, &plugin->server, err);
	free(ipam_socket);
	return rc;
}

int plugin_start(const struct config *config, struct store *store, struct agent *agent,
		 struct netlink *netlink, struct plugin **ret, struct err *err)
{
	struct plugin *plugin = calloc(1, sizeof(*plugin));
	int rc;

	if (!plugin)
		return err_set(err, ENOMEM, "out of memory");
	plugin->config = config;
	plugin->store = store;
	plugin->agent = agent;
	plugin->netlink = netlink;
	plugin->ipam = (struct ipam){
		.store = store,
		.host = config->hostname,
		.reserved = agent_reserved,
		.reserved_arg = agent,
		.in_use = is_in_use,
		.in_use_arg = agent,
	};

	rc = sandboxes_open(config->run_dir, &plugin->sandboxes, err);
	if (!rc)
		rc = engine_open(config->docker_host, &plugin->engine, err);
	if (!rc)
		rc = journal_open(config->state_dir, redo, plugin, &plugin->journal, err);
	if (!rc)
		rc = collector_start(plugin, &plugin->collector, err);
	if (!rc)
		rc = engine_watch(plugin->engine, on_engine_start, plugin, err);
	if (!rc)
		rc = serve(plugin, err);
	if (rc < 0) {
		plugin_stop(plugin);
		return rc;
	}
	log_info("docker", "serving the Docker plugin on %s", config->plugin_socket);
	*ret = plugin;
	return 0;
}

void plugin_stop(struct plugin *plugin)
{
	if (!plugin)
		return;
	server_stop(plugin->server);
	engine_unwatch(plugin->engine);
	collector_stop(plugin->collector);
	journal_close(plugin->journal);
	engine_close(plugin->engine);
	sandboxes_close(plugin->sandboxes);
	free(plugin);
}

json_t *plugin_status(struct plugin *plugin)
{
	static const char *const answers[] = {"unknown", "no", "yes"};

	if (!plugin)
		return NULL;
	return json_pack("{s:o?, s:I, s:I, s:I, s:s, s:o?}", "socket",
			 model_json_text(plugin->config->plugin_socket), "requests",
			 (json_int_t)plugin->requests, "errors", (json_int_t)plugin->errors, "journal",
			 (json_int_t)journal_count(plugin->journal), "cluster_store",
			 answers[engine_has_cluster_store(plugin->engine) + 1], "collected",
			 collector_status(plugin->collector));
}
