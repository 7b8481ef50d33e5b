/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads what the collector judges by. */
#include "docker/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "docker/internal.h"

void snapshot_done(struct snapshot *snapshot)
{
	for (size_t i = 0; snapshot->endpoints && i < snapshot->nodes.count; i++)
		workload_endpoint_free(snapshot->endpoints[i].model);
	free(snapshot->endpoints);
	free(snapshot->links);
	store_list_done(&snapshot->nodes);
	store_list_done(&snapshot->networks);
}

int snapshot_take(struct plugin *plugin, struct snapshot *ret, struct err *err)
{
	char directory[KEY_MAX];
	int rc;

	*ret = (struct snapshot){0};
	rc = link_list(plugin->netlink, &ret->links, &ret->link_count, err);
	if (!rc)
		rc = store_list(plugin->store, key_host_workloads(directory, plugin->config->hostname),
				&ret->nodes, err);
	if (!rc)
		rc = store_list(plugin->store, KEY_LIBNETWORK, &ret->networks, err);
	if (!rc && !(ret->endpoints = calloc(ret->nodes.count + 1, sizeof(*ret->endpoints))))
		rc = err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; !rc && i < ret->nodes.count; i++)
		workload_endpoint_parse(ret->nodes.nodes[i].value, NULL, &ret->endpoints[i].model, NULL);
	if (rc < 0)
		snapshot_done(ret);
	return rc;
}

static const struct link_info *find_link(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->link_count; i++) {
		if (!strcmp(snapshot->links[i].name, name))
			return &snapshot->links[i];
	}
	return NULL;
}

bool snapshot_is_unplugged(const struct snapshot *snapshot, const struct workload_endpoint *endpoint)
{
	const struct link_info *link = find_link(snapshot, endpoint->name);

	return !link || link->peer_is_local;
}

const struct store_node *snapshot_find_holder(const struct snapshot *snapshot, const struct addr *addr,
					      const struct workload_endpoint **ret)
{
	for (size_t i = 0; i < snapshot->nodes.count; i++) {
		const struct workload_endpoint *model = snapshot->endpoints[i].model;

		for (size_t j = 0; model && j < model->net_count; j++) {
			if (!addr_compare(&model->nets[j], addr)) {
				*ret = model;
				return &snapshot->nodes.nodes[i];
			}
		}
	}
	return NULL;
}

static bool list_reserves(const json_t *list, const struct addr *addr)
{
	json_t *data, *value;
	const char *name;
	size_t i;

	json_array_foreach (list, i, data) {
		json_object_foreach (json_object_get(data, "AuxAddresses"), name, value) {
			struct cidr cidr;

			if (json_is_string(value) && !cidr_parse(json_string_value(value), &cidr) &&
			    !addr_compare(&cidr.addr, addr))
				return true;
		}
	}
	return false;
}

bool snapshot_is_reserved(const struct snapshot *snapshot, const struct addr *addr)
{
	bool reserved = false;

	for (size_t i = 0; !reserved && i < snapshot->networks.count; i++) {
		json_t *request;

		if (model_json_parse(snapshot->networks.nodes[i].value, &request, NULL) < 0)
			continue;
		reserved = list_reserves(json_object_get(request, "IPv4Data"), addr) ||
			   list_reserves(json_object_get(request, "IPv6Data"), addr);
		json_decref(request);
	}
	return reserved;
}

bool snapshot_has_interface(const struct snapshot *snapshot, const char *interface)
{
	for (size_t i = 0; i < snapshot->nodes.count; i++) {
		const struct workload_endpoint *model = snapshot->endpoints[i].model;

		if (model && !strcmp(model->name, interface))
			return true;
	}
	return false;
}

bool snapshot_is_our_pair(const struct snapshot *snapshot, const struct link_info *link)
{
	if (strncmp(link->name, "cali", 4) != 0 || strcmp(link->kind, "veth") != 0 || !link->peer_is_local)
		return false;
	for (size_t i = 0; i < snapshot->link_count; i++) {
		const struct link_info *peer = &snapshot->links[i];

		if (peer->ifindex == link->peer_ifindex)
			return !strncmp(peer->name, "tmp", 3) && !strcmp(peer->name + 3, link->name + 4);
	}
	return false;
}
