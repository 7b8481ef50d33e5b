/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Join and Leave: the interface of an endpoint. Join answers when the endpoint is enforced, or undoes what it
 * did: no Leave follows a failed Join. The namespace of the container does not exist yet at this time.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "docker/internal.h"
#include "docker/request.h"
#include "wiring/next_hop.h"

#define ROUTE_ONLINK 1 /* RouteType of libnetwork: connected */

struct join {
	const char *network_id, *id, *sandbox;
	struct network network;
	struct workload_endpoint *endpoint;
};

static int read_endpoint(struct plugin *plugin, struct join *join, struct err *err)
{
	struct store_node node = {0};
	char key[KEY_MAX];
	int rc = store_get(plugin->store, endpoint_key(plugin, join->id, key), &node, err);

	if (rc == -ENOENT)
		return err_set(err, ENOENT, "endpoint %.12s does not exist in the datastore", join->id);
	if (rc < 0)
		return rc;
	rc = workload_endpoint_parse(node.value, NULL, &join->endpoint, err);
	if (rc < 0)
		err_prefix(err, rc, "%s", key);
	store_node_done(&node);
	return rc;
}

static int add_next_hop(json_t *answer, const struct join *join, uint8_t family, unsigned int number)
{
	struct addr hop = next_hop(family, number);
	struct cidr route = {hop, (uint8_t)addr_bits(&hop)};
	char hop_text[ADDR_TEXT], route_text[CIDR_TEXT];
	int rc;

	if (!next_hop_is_wanted(join->endpoint, family))
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
	const struct veth_names names = veth_names_of(join->id);
	json_t *answer = json_pack("{s:{s:s, s:s}, s:s, s:s, s:[], s:b}", "InterfaceName", "SrcName",
				   names.peer, "DstPrefix", plugin->config->interface_prefix, "Gateway", "",
				   "GatewayIPv6", "", "StaticRoutes", "DisableGatewayService", 1);

	if (answer &&
	    (add_next_hop(answer, join, 4, number) < 0 || add_next_hop(answer, join, 6, number) < 0)) {
		json_decref(answer);
		return NULL;
	}
	return answer;
}

/* "/var/run/docker/netns/26fbd7c3d4": the name at the end. */
static int name_sandbox(const char *path, char ret[ENDPOINT_SANDBOX], struct err *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (!*name || strlen(name) >= ENDPOINT_SANDBOX)
		return err_set(err, EBADMSG, "SandboxKey '%.80s' does not end with a name", path);
	memcpy(ret, name, strlen(name) + 1);
	return 0;
}

static int plug(struct call *call, const struct join *join, struct err *err)
{
	struct plugin *plugin = call->plugin;
	const struct wiring wiring = endpoint_wiring(plugin);
	const struct wire wire = {
		.id = join->id,
		.endpoint = join->endpoint,
		.sandbox = join->sandbox,
		.mtu = join->network.mtu ? join->network.mtu : plugin->config->veth_mtu,
	};
	char name[ENDPOINT_SANDBOX];
	int number = wire_plug(&wiring, &wire, err);
	int rc = number;

	if (rc < 0)
		return rc;
	rc = name_sandbox(join->sandbox, name, err);
	if (!rc)
		rc = wire_share_sandbox(&wiring, join->id, name, err);
	if (!rc) {
		call->answer = make_answer(plugin, join, (unsigned int)number);
		if (!call->answer)
			rc = err_set(err, ENOMEM, "out of memory");
	}
	if (rc < 0)
		wire_unplug(&wiring, join->id);
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
	const struct wiring wiring = endpoint_wiring(call->plugin);
	const char *id;
	int rc = request_id(call->body, "EndpointID", ENDPOINT_ID_SHORTEST, &id, err);

	if (!rc)
		wire_unplug(&wiring, id);
	return rc;
}
