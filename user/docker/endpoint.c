/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Endpoints in the datastore: one interface of one container, from CreateEndpoint to DeleteEndpoint. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "docker/internal.h"
#include "docker/request.h"
#include "util/log.h"

static const char *key_of(const char *hostname, const char *id, char key[KEY_MAX])
{
	return key_endpoint(key, hostname, ORCHESTRATOR, WORKLOAD, id);
}

const char *endpoint_key(const struct plugin *plugin, const char *id, char key[KEY_MAX])
{
	return key_of(plugin->config->hostname, id, key);
}

bool endpoint_key_is_ours(const char *key, const char **ret_id)
{
	struct key_parts parts;

	key_parse(key, &parts);
	*ret_id = key_last(key);
	return parts.kind == KEY_IS_ENDPOINT && !strcmp(parts.orchestrator, ORCHESTRATOR) &&
	       !strcmp(parts.workload, WORKLOAD);
}

struct wiring endpoint_wiring(const struct plugin *plugin)
{
	return (struct wiring){
		.name = "docker",
		.hostname = plugin->config->hostname,
		.endpoint_key = key_of,
		.store = plugin->store,
		.netlink = plugin->netlink,
		.agent = plugin->agent,
		.sandboxes = plugin->sandboxes,
	};
}

int endpoint_remove(struct plugin *plugin, const char *id, struct err *err)
{
	const struct wiring wiring = endpoint_wiring(plugin);
	char key[KEY_MAX];
	int rc;

	wire_unplug(&wiring, id);
	rc = store_delete(plugin->store, endpoint_key(plugin, id, key), err);
	return rc == -ENOENT ? 0 : rc;
}

#define PORTS "com.docker.network.portmap"

struct new_endpoint {
	const char *network, *id;
	struct addr addrs[2];
	size_t addr_count;
	uint8_t mac[6];
	bool has_user_mac;
	const json_t *ports; /* to be published, as Docker writes them; NULL: none */
};

static int parse_mac(const char *text, struct new_endpoint *ret, struct err *err)
{
	static const uint8_t container_mac[6] = {CONTAINER_MAC}, host_mac[6] = {HOST_MAC}, zero[6];

	memcpy(ret->mac, container_mac, sizeof(ret->mac));
	if (!*text)
		return 0;
	ret->has_user_mac = true;
	if (mac_parse(text, ret->mac) < 0)
		return err_set(err, EBADMSG, "MacAddress '%.40s' is not a MAC address", text);
	if ((ret->mac[0] & 1) || !memcmp(ret->mac, zero, 6))
		return err_set(err, EINVAL, "MAC address %.40s is not one of a single interface", text);
	if (!memcmp(ret->mac, host_mac, 6))
		return err_set(err, EINVAL, "MAC address %.40s is that of the host's side; choose another",
			       text);
	return 0;
}

static int parse_new(const json_t *body, struct new_endpoint *ret, struct err *err)
{
	static const char *const names[] = {"Address", "AddressIPv6"};
	const json_t *interface = NULL, *options = NULL;
	const char *mac = "";
	int rc = request_id(body, "NetworkID", 1, &ret->network, err);

	if (!rc)
		rc = request_id(body, "EndpointID", ENDPOINT_ID_SHORTEST, &ret->id, err);
	if (!rc)
		rc = request_object(body, "Interface", &interface, err);
	for (size_t i = 0; !rc && i < 2; i++) {
		struct cidr cidr;

		rc = request_cidr(interface, names[i], i ? 6 : 4, &cidr, err);
		if (!rc && cidr.addr.family)
			ret->addrs[ret->addr_count++] = cidr.addr;
	}
	if (!rc)
		rc = request_object(body, "Options", &options, err);
	if (!rc)
		rc = request_array(options, PORTS, &ret->ports, err);
	if (!rc)
		rc = request_text(interface, "MacAddress", &mac, err);
	if (!rc)
		rc = parse_mac(mac, ret, err);
	if (!rc && !ret->addr_count)
		rc = err_set(err, EBADMSG, "endpoint %.12s has neither an IPv4 nor an IPv6 address", ret->id);
	return rc;
}

static bool has_addr(const struct workload_endpoint *endpoint, const struct new_endpoint *new)
{
	for (size_t i = 0; i < endpoint->net_count; i++) {
		for (size_t j = 0; j < new->addr_count; j++) {
			if (!addr_compare(&endpoint->nets[i], &new->addrs[j]))
				return true;
		}
	}
	return false;
}

/* An endpoint of ours that has the address from before is what a lost DeleteEndpoint left. */
static int remove_predecessors(struct plugin *plugin, const struct new_endpoint *new, struct err *err)
{
	struct store_list list = {0};
	char directory[KEY_MAX];
	int rc;

	rc = store_list(plugin->store, key_host_workloads(directory, plugin->config->hostname), &list, err);
	for (size_t i = 0; !rc && i < list.count; i++) {
		struct workload_endpoint *old;
		const char *id;

		if (!endpoint_key_is_ours(list.nodes[i].key, &id) || !strcmp(id, new->id) ||
		    workload_endpoint_parse(list.nodes[i].value, NULL, &old, NULL) < 0)
			continue;
		if (has_addr(old, new)) {
			log_info("docker",
				 "endpoint %.12s takes the address of endpoint %.12s, which is removed",
				 new->id, id);
			rc = endpoint_remove(plugin, id, err);
		}
		workload_endpoint_free(old);
	}
	store_list_done(&list);
	return rc;
}

static uint16_t port_number(const json_t *entry, const char *name)
{
	json_int_t number = json_integer_value(json_object_get(entry, name));

	return number > 0 && number <= UINT16_MAX ? (uint16_t)number : 0;
}

/* Nothing publishes them yet: one that is not understood is no reason to refuse the container. */
static int add_ports(struct workload_endpoint *endpoint, const json_t *ports)
{
	const json_t *entry;
	size_t i;
	int rc = 0;

	json_array_foreach (ports, i, entry) {
		const char *host = json_string_value(json_object_get(entry, "HostIP"));
		struct endpoint_port port = {
			.protocol = (uint8_t)json_integer_value(json_object_get(entry, "Proto")),
			.port = port_number(entry, "Port"),
			.host_first = port_number(entry, "HostPort"),
			.host_last = port_number(entry, "HostPortEnd"),
		};

		if (host && addr_parse(host, &port.host_addr) < 0)
			port.host_addr = (struct addr){0};
		if (port.host_last < port.host_first)
			port.host_last = port.host_first;
		if (!rc && port.port && endpoint_port_protocol(&port))
			rc = workload_endpoint_add_port(endpoint, &port);
	}
	return rc;
}

static char *format_endpoint(const struct new_endpoint *new)
{
	struct workload_endpoint *endpoint;
	struct veth_names names = veth_names_of(new->id);
	char *text = NULL;
	int rc;

	endpoint = workload_endpoint_new(names.host, new->mac);
	if (!endpoint)
		return NULL;
	rc = strings_add(&endpoint->profiles, new->network);
	for (size_t i = 0; !rc && i < new->addr_count; i++)
		rc = workload_endpoint_add_net(endpoint, &new->addrs[i]);
	if (!rc)
		rc = add_ports(endpoint, new->ports);
	if (!rc)
		text = workload_endpoint_format(endpoint);
	workload_endpoint_free(endpoint);
	return text;
}

static int write_endpoint(struct plugin *plugin, const struct new_endpoint *new, struct err *err)
{
	char *text = format_endpoint(new);
	char key[KEY_MAX];
	int rc;

	if (!text)
		return err_set(err, ENOMEM, "out of memory");
	rc = store_set(plugin->store, endpoint_key(plugin, new->id, key), text, NULL, err);
	free(text);
	if (rc < 0) {
		/* It may have been written, and Docker will not ask to delete it. */
		task_set_deadline(UNDO_MS);
		if (endpoint_remove(plugin, new->id, NULL) < 0)
			journal_add(plugin->journal, JOURNAL_ENDPOINT, new->id, NULL);
	}
	return rc;
}

int endpoint_create(struct call *call, struct err *err)
{
	struct plugin *plugin = call->plugin;
	struct new_endpoint new = {0};
	struct network network = {0};
	char mac[MAC_TEXT];
	int rc = parse_new(call->body, &new, err);

	if (!rc)
		rc = network_read(plugin, new.network, &network, err);
	for (size_t i = 0; !rc && i < new.addr_count; i++) {
		if (new.addrs[i].family == 6 && ipv6_off())
			rc = err_set(err, EAFNOSUPPORT, "no container can have an IPv6 address: %s",
				     ipv6_off());
	}
	/* Docker's own IPAM knows nothing of hosts; ours has just been asked. */
	for (size_t i = 0; !rc && !network.calico_ipam && i < new.addr_count; i++)
		rc = ipam_check_address(&plugin->ipam, &new.addrs[i], err);
	if (!rc)
		rc = remove_predecessors(plugin, &new, err);
	if (!rc)
		rc = write_endpoint(plugin, &new, err);
	if (rc < 0)
		return rc;
	/* dockerd takes a MAC only when it sent none, and addresses never. */
	mac_format(new.mac, mac);
	call->answer = new.has_user_mac ? json_pack("{s:{}}", "Interface")
					: json_pack("{s:{s:s}}", "Interface", "MacAddress", mac);
	return call->answer ? 0 : err_set(err, ENOMEM, "out of memory");
}

int endpoint_delete(struct call *call, struct err *err)
{
	struct plugin *plugin = call->plugin;
	const char *id;
	int rc = request_id(call->body, "EndpointID", ENDPOINT_ID_SHORTEST, &id, err);

	if (rc < 0)
		return rc;
	rc = endpoint_remove(plugin, id, err);
	if (rc < 0) {
		log_limited(LOG_LEVEL_WARN, "docker", "endpoint",
			    "endpoint %.12s is not deleted yet: %s; trying again until it is", id, err->text);
		rc = journal_add(plugin->journal, JOURNAL_ENDPOINT, id, err);
	}
	return rc;
}
