/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Join and Leave: the interface of an endpoint. Join answers when the endpoint is enforced, or undoes what it
 * did: no Leave follows a failed Join. The namespace of the container does not exist yet at this time.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "docker/internal.h"
#include "docker/request.h"
#include "model/pool.h"
#include "util/log.h"

#define MTU_IPIP     1440 /* room for an IPIP header even behind another tunnel; what Calico's tunl0 has */
#define ROUTE_ONLINK 1	  /* RouteType of libnetwork: connected */

struct join {
	const char *network_id, *id, *sandbox;
	struct network network;
	struct workload_endpoint *endpoint;
	struct veth_names names;
	char key[KEY_MAX];
};

static int read_endpoint(struct plugin *plugin, struct join *join, struct err *err)
{
	struct store_node node = {0};
	int rc = store_get(plugin->store, endpoint_key(plugin, join->id, join->key), &node, err);

	if (rc == -ENOENT)
		return err_set(err, ENOENT, "endpoint %.12s does not exist in the datastore", join->id);
	if (rc < 0)
		return rc;
	rc = workload_endpoint_parse(node.value, NULL, &join->endpoint, err);
	if (rc < 0)
		err_prefix(err, rc, "%s", join->key);
	store_node_done(&node);
	return rc;
}

/* 1: the endpoint has an address in a pool with IPIP. */
static int is_tunnelled(struct plugin *plugin, const struct workload_endpoint *endpoint, struct err *err)
{
	struct store_list list = {0};
	int rc = store_list(plugin->store, KEY_POOLS4, &list, err);

	for (size_t i = 0; !rc && i < list.count; i++) {
		struct pool *pool;

		if (pool_parse(key_last(list.nodes[i].key), list.nodes[i].value, &pool, NULL) < 0)
			continue;
		for (size_t j = 0; pool->ipip && j < endpoint->net_count; j++)
			rc |= cidr_contains(&pool->cidr, &endpoint->nets[j]);
		pool_free(pool);
	}
	store_list_done(&list);
	return rc;
}

/* In *ret, 0: the kernel's default. The network's option, this host's setting, else what the way out takes.
 */
static int choose_mtu(struct plugin *plugin, const struct join *join, unsigned int *ret, struct err *err)
{
	struct link_info tunnel;
	int ifindex, rc;

	*ret = join->network.mtu ? join->network.mtu : plugin->config->veth_mtu;
	if (*ret)
		return 0;
	rc = is_tunnelled(plugin, join->endpoint, err);
	if (rc < 0)
		return rc;
	if (rc) {
		ifindex = link_index(plugin->netlink, "tunl0");
		*ret = MTU_IPIP;
		if (ifindex > 0 && !link_get(plugin->netlink, ifindex, &tunnel) && tunnel.mtu < MTU_IPIP)
			*ret = tunnel.mtu;
	} else if (route_default_link(plugin->netlink, 4, &ifindex, ret) < 0 &&
		   route_default_link(plugin->netlink, 6, &ifindex, ret) < 0) {
		*ret = 0;
	}
	return 0;
}

/* Two endpoints whose ids begin alike cannot have their interfaces on one host. */
static int check_name_is_free(struct plugin *plugin, const struct join *join, struct err *err)
{
	struct store_list list = {0};
	char directory[KEY_MAX];
	int rc;

	rc = store_list(plugin->store, key_host_workloads(directory, plugin->config->hostname), &list, err);
	for (size_t i = 0; !rc && i < list.count; i++) {
		struct workload_endpoint *other;

		if (!strcmp(list.nodes[i].key, join->key) ||
		    workload_endpoint_parse(list.nodes[i].value, NULL, &other, NULL) < 0)
			continue;
		if (!strcmp(other->name, join->names.host))
			rc = err_set(err, EEXIST, "interface %s belongs to endpoint %.12s already",
				     other->name, key_last(list.nodes[i].key));
		workload_endpoint_free(other);
	}
	store_list_done(&list);
	return rc;
}

static int make_interface(struct plugin *plugin, const struct join *join, int *ret_ifindex, struct err *err)
{
	struct veth_spec spec = {
		.host_name = join->names.host,
		.peer_name = join->names.peer,
		.host_mac = {HOST_MAC},
		.peer_mac = {CONTAINER_MAC},
	};
	int rc = choose_mtu(plugin, join, &spec.mtu, err);

	if (rc < 0)
		return rc;
	if (join->endpoint->has_mac)
		memcpy(spec.peer_mac, join->endpoint->mac, sizeof(spec.peer_mac));
	rc = link_make_veth(plugin->netlink, &spec, ret_ifindex, err);
	if (rc != -EEXIST)
		return rc;
	/* A Join that was cut short, or a stale interface: begin anew. */
	rc = check_name_is_free(plugin, join, err);
	if (rc < 0)
		return rc;
	endpoint_unplug(plugin, join->id);
	return link_make_veth(plugin->netlink, &spec, ret_ifindex, err);
}

static bool has_family(const struct workload_endpoint *endpoint, uint8_t family)
{
	for (size_t i = 0; i < endpoint->net_count; i++) {
		if (endpoint->nets[i].family == family)
			return true;
	}
	return false;
}

/* Containers without IPv6 addresses have IPv6 disabled: an IPv6 route makes their start fail. */
static int add_next_hop(json_t *answer, const struct join *join, uint8_t family, unsigned int number)
{
	struct addr hop = sandbox_next_hop(family, number);
	struct cidr route = {hop, (uint8_t)addr_bits(&hop)};
	char hop_text[ADDR_TEXT], route_text[CIDR_TEXT];
	int rc;

	if (!has_family(join->endpoint, family))
		return 0;
	rc = json_object_set_new(answer, family == 6 ? "GatewayIPv6" : "Gateway",
				 json_string(addr_format(&hop, hop_text)));
	return rc ? rc
		  : json_array_append_new(json_object_get(answer, "StaticRoutes"),
					  json_pack("{s:s, s:i, s:s}", "Destination",
						    cidr_format(&route, route_text), "RouteType",
						    ROUTE_ONLINK, "NextHop", ""));
}

/*
 * Whoever gave the addresses, the only way out is by our interface. Without an IPv4 gateway of ours dockerd
 * would add an interface on docker_gwbridge, which no policy applies to; DisableGatewayService forbids that.
 */
static json_t *make_answer(struct plugin *plugin, const struct join *join, unsigned int number)
{
	json_t *answer = json_pack("{s:{s:s, s:s}, s:s, s:s, s:[], s:b}", "InterfaceName", "SrcName",
				   join->names.peer, "DstPrefix", plugin->config->interface_prefix, "Gateway",
				   "", "GatewayIPv6", "", "StaticRoutes", "DisableGatewayService", 1);

	if (answer &&
	    (add_next_hop(answer, join, 4, number) < 0 || add_next_hop(answer, join, 6, number) < 0)) {
		json_decref(answer);
		return NULL;
	}
	return answer;
}

/*
 * The programs answer ARP for every next hop, but neighbour discovery only for the first: the host's stack
 * answers for the others. Nobody else is on the link, so detection of duplicates would just delay that.
 */
static int add_host_addr(struct plugin *plugin, const struct join *join, int ifindex, unsigned int number,
			 struct err *err)
{
	struct addr hop = sandbox_next_hop(6, number);
	char path[64];
	int rc;

	if (number == 1 || !has_family(join->endpoint, 6))
		return 0;
	snprintf(path, sizeof(path), "ipv6/conf/%s/accept_dad", join->names.host);
	rc = sysctl_write(path, "0", err);
	return rc < 0 ? rc : address_add(plugin->netlink, ifindex, &hop, 64, err);
}

/* "/var/run/docker/netns/26fbd7c3d4": the name at the end. */
static int name_sandbox(const char *path, char ret[ENDPOINT_SANDBOX], struct err *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (!*name || strlen(name) >= ENDPOINT_SANDBOX)
		return err_set(err, EBADMSG, "SandboxKey '%.80s' does not end with a name", path);
	strcpy(ret, name);
	return 0;
}

/* Writes into an endpoint's document which container it is in; somebody may change the document meanwhile. */
static int mark_endpoint(struct plugin *plugin, const char *id, const char *sandbox, struct err *err)
{
	struct store_node node = {0};
	struct workload_endpoint *model = NULL;
	char key[KEY_MAX], *text = NULL;
	int rc = store_get(plugin->store, endpoint_key(plugin, id, key), &node, err);

	if (!rc)
		rc = workload_endpoint_parse(node.value, NULL, &model, err);
	if (!rc && strcmp(model->sandbox, sandbox) != 0) {
		strcpy(model->sandbox, sandbox);
		text = workload_endpoint_format(model);
		rc = text ? store_update(plugin->store, key, text, node.revision, NULL, err)
			  : err_set(err, ENOMEM, "out of memory");
		if (!rc && link_index(plugin->netlink, model->name) > 0)
			rc = agent_apply_endpoint(plugin->agent, key, model, err);
	}
	free(text);
	workload_endpoint_free(model);
	store_node_done(&node);
	return rc;
}

#define MARK_TRIES 5

/* The endpoints of one sandbox, if there are several, say so: its container sends from the addresses of all.
 */
static int share_sandbox(struct plugin *plugin, const char *id, const char *sandbox, struct err *err)
{
	struct strings ids = {0};
	char name[ENDPOINT_SANDBOX];
	int rc = name_sandbox(sandbox, name, err);

	if (!rc && sandbox_endpoints(plugin->sandboxes, id, &ids) < 0)
		rc = err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; ids.count > 1 && !rc && i < ids.count; i++) {
		int tries = 0;

		do {
			rc = mark_endpoint(plugin, ids.items[i], name, err);
		} while (rc == -ESTALE && ++tries < MARK_TRIES);
		/* One whose Leave was lost. */
		if (rc == -ENOENT && strcmp(ids.items[i], id) != 0)
			rc = 0;
	}
	strings_done(&ids);
	return rc;
}

static int plug(struct call *call, const struct join *join, struct err *err)
{
	struct plugin *plugin = call->plugin;
	int ifindex = 0, number;
	int rc = make_interface(plugin, join, &ifindex, err);

	if (rc < 0)
		return rc;
	number = rc = sandbox_join(plugin->sandboxes, join->sandbox, join->id, err);
	if (number > 0)
		rc = add_host_addr(plugin, join, ifindex, (unsigned int)number, err);
	if (!rc)
		rc = agent_apply_endpoint(plugin->agent, join->key, join->endpoint, err);
	if (!rc)
		rc = share_sandbox(plugin, join->id, join->sandbox, err);
	if (!rc) {
		call->answer = make_answer(plugin, join, (unsigned int)number);
		if (!call->answer)
			rc = err_set(err, ENOMEM, "out of memory");
	}
	if (rc < 0)
		endpoint_unplug(plugin, join->id);
	return rc;
}

int endpoint_join(struct call *call, struct err *err)
{
	struct plugin *plugin = call->plugin;
	struct join join = {0};
	int rc = request_id(call->body, "NetworkID", 1, &join.network_id, err);

	if (!rc)
		rc = request_id(call->body, "EndpointID", ENDPOINT_ID_SHORTEST, &join.id, err);
	if (!rc)
		rc = request_text(call->body, "SandboxKey", &join.sandbox, err);
	if (!rc && (!*join.sandbox || strlen(join.sandbox) > PATH_MAX))
		rc = err_set(err, EBADMSG, "SandboxKey is missing or too long");
	if (rc < 0)
		return rc;
	join.names = veth_names_of(join.id);
	rc = network_read(plugin, join.network_id, &join.network, err);
	if (!rc)
		rc = read_endpoint(plugin, &join, err);
	if (!rc)
		rc = plug(call, &join, err);
	workload_endpoint_free(join.endpoint);
	return rc;
}

/* The other end is still in the container; both go. The interface may never have existed. */
int endpoint_leave(struct call *call, struct err *err)
{
	const char *id;
	int rc = request_id(call->body, "EndpointID", ENDPOINT_ID_SHORTEST, &id, err);

	if (!rc)
		endpoint_unplug(call->plugin, id);
	return rc;
}
