/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Plugs and unplugs one endpoint. */
#include <errno.h>
#include <string.h>

#include "abi.h"
#include "util/log.h"
#include "wiring/mtu.h"
#include "wiring/next_hop.h"
#include "wiring/veth.h"
#include "wiring/wiring.h"

/* Two endpoints whose ids begin alike cannot have their interfaces on one host. */
static int check_name_is_free(const struct wiring *wiring, const char *id, const char *host_name,
			      struct err *err)
{
	struct store_list list = {0};
	char key[KEY_MAX], directory[KEY_MAX];
	int rc = store_list(wiring->store, key_host_workloads(directory, wiring->hostname), &list, err);

	wiring->endpoint_key(wiring->hostname, id, key);
	for (size_t i = 0; !rc && i < list.count; i++) {
		struct workload_endpoint *other;

		if (!strcmp(list.nodes[i].key, key) ||
		    workload_endpoint_parse(list.nodes[i].value, NULL, &other, NULL) < 0)
			continue;
		if (!strcmp(other->name, host_name))
			rc = err_set(err, EEXIST, "interface %s belongs to endpoint %.12s already",
				     other->name, key_last(list.nodes[i].key));
		workload_endpoint_free(other);
	}
	store_list_done(&list);
	return rc;
}

static int make_pair(const struct wiring *wiring, const struct wire *wire, const struct veth_names *names,
		     int *ret_ifindex, struct err *err)
{
	struct veth_spec spec = {
		.host_name = names->host,
		.peer_name = names->peer,
		.host_mac = {HOST_MAC},
		.peer_mac = {CONTAINER_MAC},
		.mtu = wire->mtu,
	};
	int rc = wire->mtu ? 0 : mtu_choose(wiring->store, wiring->netlink, wire->endpoint, &spec.mtu, err);

	if (rc < 0)
		return rc;
	if (wire->endpoint->has_mac)
		memcpy(spec.peer_mac, wire->endpoint->mac, sizeof(spec.peer_mac));
	rc = link_make_veth(wiring->netlink, &spec, ret_ifindex, err);
	if (rc != -EEXIST)
		return rc;
	/* An attempt that was cut short, or a stale interface: begin anew. */
	rc = check_name_is_free(wiring, wire->id, names->host, err);
	if (rc < 0)
		return rc;
	wire_unplug(wiring, wire->id);
	return link_make_veth(wiring->netlink, &spec, ret_ifindex, err);
}

int wire_plug(const struct wiring *wiring, const struct wire *wire, struct err *err)
{
	const struct veth_names names = veth_names_of(wire->id);
	char key[KEY_MAX];
	int ifindex = 0, number;
	int rc = make_pair(wiring, wire, &names, &ifindex, err);

	if (rc < 0)
		return rc;
	number = rc = sandbox_join(wiring->sandboxes, wire->sandbox, wire->id, err);
	if (rc > 0 && next_hop_is_wanted(wire->endpoint, 6))
		rc = next_hop_serve(wiring->netlink, ifindex, names.host, (unsigned int)number, err);
	if (rc >= 0)
		rc = agent_apply_endpoint(wiring->agent,
					  wiring->endpoint_key(wiring->hostname, wire->id, key),
					  wire->endpoint, err);
	if (rc < 0) {
		wire_unplug(wiring, wire->id);
		return rc;
	}
	return number;
}

void wire_unplug(const struct wiring *wiring, const char *id)
{
	const struct veth_names names = veth_names_of(id);
	char key[KEY_MAX];
	struct err err;

	agent_remove_endpoint(wiring->agent, wiring->endpoint_key(wiring->hostname, id, key));
	if (veth_delete(wiring->netlink, names.host, &err) < 0)
		log_limited(LOG_LEVEL_WARN, wiring->name, "unplug",
			    "endpoint %.12s: %s; the collector tries again", id, err.text);
	sandbox_leave(wiring->sandboxes, id);
}
