/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Workload endpoints in memory, and written back. */
#include "model/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/fields.h"

void workload_endpoint_free(struct workload_endpoint *endpoint)
{
	if (!endpoint)
		return;
	strings_done(&endpoint->profiles);
	labels_done(&endpoint->labels);
	free(endpoint->nets);
	free(endpoint->nat);
	free(endpoint->ports);
	json_decref(endpoint->raw);
	free(endpoint);
}

struct workload_endpoint *workload_endpoint_new(const char *name, const uint8_t mac[6])
{
	struct workload_endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (!endpoint)
		return NULL;
	endpoint->active = true;
	strncpy(endpoint->name, name, sizeof(endpoint->name) - 1);
	endpoint->has_mac = true;
	memcpy(endpoint->mac, mac, sizeof(endpoint->mac));
	return endpoint;
}

int workload_endpoint_add_net(struct workload_endpoint *endpoint, const struct addr *addr)
{
	struct addr *nets = model_grow(endpoint->nets, endpoint->net_count, sizeof(*nets));
	size_t place = endpoint->net_count;

	if (!nets)
		return -ENOMEM;
	while (place > 0 && addr->family < nets[place - 1].family)
		place--;
	memmove(nets + place + 1, nets + place, (endpoint->net_count - place) * sizeof(*nets));
	nets[place] = *addr;
	endpoint->nets = nets;
	endpoint->net_count++;
	return 0;
}

int workload_endpoint_add_port(struct workload_endpoint *endpoint, const struct endpoint_port *port)
{
	struct endpoint_port *ports = model_grow(endpoint->ports, endpoint->port_count, sizeof(*ports));

	if (!ports)
		return -ENOMEM;
	ports[endpoint->port_count++] = *port;
	endpoint->ports = ports;
	return 0;
}

const char *endpoint_port_protocol(const struct endpoint_port *port)
{
	for (size_t i = 0; i < sizeof(endpoint_protocols) / sizeof(endpoint_protocols[0]); i++) {
		if (endpoint_protocols[i].number == port->protocol)
			return endpoint_protocols[i].name;
	}
	return NULL;
}

char *endpoint_port_format(const struct endpoint_port *port)
{
	const char *protocol = endpoint_port_protocol(port);
	char host[ADDR_TEXT] = "", range[16] = "", *text;

	if (port->host_addr.family)
		addr_format(&port->host_addr, host);
	if (port->host_first != port->host_last)
		snprintf(range, sizeof(range), "-%u", port->host_last);
	return asprintf(&text, "%s%s%s%s%u%s->%u/%s", port->host_addr.family == 6 ? "[" : "", host,
			port->host_addr.family == 6 ? "]" : "", *host ? ":" : "", port->host_first, range,
			port->port, protocol ? protocol : "?") < 0
		       ? NULL
		       : text;
}

static json_t *nets_to_json(const struct workload_endpoint *endpoint, uint8_t family)
{
	json_t *list = json_array();
	char text[CIDR_TEXT];

	for (size_t i = 0; list && i < endpoint->net_count; i++) {
		const struct addr *addr = &endpoint->nets[i];
		struct cidr net = {.addr = *addr, .length = (uint8_t)addr_bits(addr)};

		if (addr->family != family)
			continue;
		if (json_array_append_new(list, json_string(cidr_format(&net, text))) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *labels_to_json(const struct labels *labels)
{
	json_t *json = json_object();

	for (size_t i = 0; json && i < labels->count; i++) {
		if (field_set(json, labels->items[i].name, json_string(labels->items[i].value)) < 0) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static json_t *port_to_json(const struct endpoint_port *port)
{
	json_t *json = json_pack("{s:s?, s:i}", "protocol", endpoint_port_protocol(port), "port", port->port);
	char text[ADDR_TEXT];
	int r = json ? 0 : -ENOMEM;

	if (r == 0 && port->host_addr.family)
		r = field_set(json, "host_ip", json_string(addr_format(&port->host_addr, text)));
	if (r == 0 && port->host_first)
		r = field_set(json, "host_port", json_integer(port->host_first));
	if (r == 0 && port->host_last != port->host_first)
		r = field_set(json, "host_port_end", json_integer(port->host_last));
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *ports_to_json(const struct workload_endpoint *endpoint)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < endpoint->port_count; i++) {
		if (json_array_append_new(list, port_to_json(&endpoint->ports[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* An absent gateway is null where the document has the member, else it is left out. */
static int set_gateway(json_t *json, const char *name, const struct addr *gateway)
{
	char text[ADDR_TEXT];

	if (gateway->family)
		return field_set(json, name, json_string(addr_format(gateway, text)));
	return json_object_get(json, name) ? field_set(json, name, json_null()) : 0;
}

static int set_members(json_t *json, const struct workload_endpoint *endpoint)
{
	char mac[MAC_TEXT];
	int r = field_set(json, "state", json_string(endpoint->active ? "active" : "inactive"));

	if (r == 0)
		r = field_set(json, "name", json_string(endpoint->name));
	if (r == 0 && endpoint->has_mac)
		r = field_set(json, "mac", json_string(mac_format(endpoint->mac, mac)));
	if (r == 0)
		r = field_set(json, "profile_ids", field_from_strings(&endpoint->profiles));
	if (r == 0)
		r = field_set(json, "labels", labels_to_json(&endpoint->labels));
	if (r == 0 && *endpoint->sandbox)
		r = field_set(json, "sandbox", json_string(endpoint->sandbox));
	if (r == 0 && endpoint->port_count)
		r = field_set(json, "ports", ports_to_json(endpoint));
	if (r == 0)
		r = field_set(json, "ipv4_nets", nets_to_json(endpoint, 4));
	if (r == 0)
		r = field_set(json, "ipv6_nets", nets_to_json(endpoint, 6));
	if (r == 0)
		r = set_gateway(json, "ipv4_gateway", &endpoint->gateway4);
	return r < 0 ? r : set_gateway(json, "ipv6_gateway", &endpoint->gateway6);
}

char *workload_endpoint_format(const struct workload_endpoint *endpoint)
{
	json_t *json = field_copy(endpoint->raw);
	char *text = NULL;

	if (json && set_members(json, endpoint) == 0) {
		/* Its content is in profile_ids now. */
		json_object_del(json, "profile_id");
		if (!endpoint->has_mac)
			json_object_del(json, "mac");
		text = model_json_format(json);
	}
	json_decref(json);
	return text;
}
