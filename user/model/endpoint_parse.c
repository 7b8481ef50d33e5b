/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Workload and host endpoints from JSON. Source: Calico v0.20's data model, "Workload endpoint", "Host
 * endpoint". */
#include "model/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/fields.h"

/* Of each family, in each list; keeps the check of NAT entries against them cheap. */
#define LIST_MAX 256

/* Members whose names differ by family. */
static const struct family_names {
	uint8_t family;
	const char *nets, *gateway, *nat, *expected;
} families[] = {
	{4, "ipv4_nets", "ipv4_gateway", "ipv4_nat", "expected_ipv4_addrs"},
	{6, "ipv6_nets", "ipv6_gateway", "ipv6_nat", "expected_ipv6_addrs"},
};

static int bad_value(const char *what, const json_t *value, const char *expected, struct err *err)
{
	char shown[FIELD_SHOW];

	return err_set(err, EBADMSG, "%s: %s is not %s", what, field_show(value, shown), expected);
}

/* Absent, or a list of bearable length. */
static int check_list(const char *what, const json_t *list, struct err *err)
{
	if (list && !json_is_array(list))
		return bad_value(what, list, "a list", err);
	if (json_array_size(list) > LIST_MAX)
		return err_set(err, EBADMSG, "%s has more than %d entries", what, LIST_MAX);
	return 0;
}

static int parse_addr(const char *what, const json_t *value, uint8_t family, struct addr *ret,
		      struct err *err)
{
	struct addr addr;

	if (!json_is_string(value) || addr_parse_loose(json_string_value(value), &addr) < 0 ||
	    addr.family != family)
		return bad_value(what, value, family == 4 ? "an IPv4 address" : "an IPv6 address", err);
	*ret = addr;
	return 0;
}

static int parse_state(const json_t *json, bool *ret_active, struct err *err)
{
	const json_t *state = json_object_get(json, "state");
	const char *text = json_string_value(state);

	if (!state)
		return err_set(err, EBADMSG, "state is missing");
	if (!text || (strcmp(text, "active") != 0 && strcmp(text, "inactive") != 0))
		return bad_value("state", state, "active or inactive", err);
	*ret_active = strcmp(text, "active") == 0;
	return 0;
}

static int parse_name(const json_t *json, const char *local_prefix, char ret[16], struct err *err)
{
	int r = field_interface(json, ret, err);

	if (r < 0)
		return r;
	if (!ret[0])
		return err_set(err, EBADMSG, "name is missing");
	if (local_prefix && strncmp(ret, local_prefix, strlen(local_prefix)) != 0)
		return err_set(err, EBADMSG, "name: \"%s\" does not start with \"%s\"", ret, local_prefix);
	return 0;
}

static int parse_mac(const json_t *json, struct workload_endpoint *endpoint, struct err *err)
{
	const json_t *mac = json_object_get(json, "mac");

	if (!mac)
		return 0;
	if (!json_is_string(mac) || mac_parse(json_string_value(mac), endpoint->mac) < 0)
		return bad_value("mac", mac, "a MAC address", err);
	endpoint->has_mac = true;
	return 0;
}

static int parse_nets(const json_t *json, const struct family_names *names,
		      struct workload_endpoint *endpoint, struct err *err)
{
	const json_t *list = json_object_get(json, names->nets), *item;
	struct cidr net;
	size_t i;
	int r;

	r = check_list(names->nets, list, err);
	if (r < 0)
		return r;
	json_array_foreach (list, i, item) {
		if (!json_is_string(item) || cidr_parse_loose(json_string_value(item), &net) < 0 ||
		    net.addr.family != names->family)
			return bad_value(names->nets, item,
					 names->family == 4 ? "an IPv4 network" : "an IPv6 network", err);
		/* The prefix length means nothing. */
		if (workload_endpoint_add_net(endpoint, &net.addr) < 0)
			return field_out_of_memory(err);
	}
	return 0;
}

/* Whether the list of nets has this very address, with a full prefix. */
static bool nets_have(const json_t *list, const struct addr *addr)
{
	const json_t *item;
	struct cidr net;
	size_t i;

	json_array_foreach (list, i, item) {
		if (cidr_parse_loose(json_string_value(item), &net) == 0 &&
		    addr_compare(&net.addr, addr) == 0 && net.length == addr_bits(addr))
			return true;
	}
	return false;
}

static int parse_nat(const json_t *json, const struct family_names *names, struct workload_endpoint *endpoint,
		     struct err *err)
{
	const json_t *list = json_object_get(json, names->nat), *item;
	size_t i;
	int r;

	r = check_list(names->nat, list, err);
	if (r < 0)
		return r;
	json_array_foreach (list, i, item) {
		struct endpoint_nat nat;
		struct endpoint_nat *entries;

		r = parse_addr("int_ip", json_object_get(item, "int_ip"), names->family, &nat.internal, err);
		if (r == 0)
			r = parse_addr("ext_ip", json_object_get(item, "ext_ip"), names->family,
				       &nat.external, err);
		if (r < 0)
			return err_prefix(err, r, "%s", names->nat);
		if (!nets_have(json_object_get(json, names->nets), &nat.internal))
			return bad_value(names->nat, item, "about an address in the endpoint's nets", err);
		entries = model_grow(endpoint->nat, endpoint->nat_count, sizeof(*entries));
		if (!entries)
			return field_out_of_memory(err);
		endpoint->nat = entries;
		endpoint->nat[endpoint->nat_count++] = nat;
	}
	return 0;
}

static int parse_sandbox(const json_t *json, struct workload_endpoint *endpoint, struct err *err)
{
	const json_t *sandbox = json_object_get(json, "sandbox");
	const char *text = json_string_value(sandbox);

	if (!sandbox)
		return 0;
	if (!text || !*text || strlen(text) >= ENDPOINT_SANDBOX)
		return bad_value("sandbox", sandbox, "a name of at most 64 characters", err);
	memcpy(endpoint->sandbox, text, strlen(text) + 1);
	return 0;
}

/* A port number from `least` on; absent: `otherwise`. */
static int parse_port_number(const json_t *json, const char *name, uint16_t otherwise, uint16_t *ret,
			     struct err *err)
{
	const json_t *value = json_object_get(json, name);
	json_int_t number = json_integer_value(value);

	*ret = otherwise;
	if (!value)
		return 0;
	if (!json_is_integer(value) || number < 1 || number > UINT16_MAX)
		return bad_value(name, value, "a port number", err);
	*ret = (uint16_t)number;
	return 0;
}

static int parse_protocol(const json_t *json, uint8_t *ret, struct err *err)
{
	const json_t *protocol = json_object_get(json, "protocol");
	const char *name = json_string_value(protocol);

	for (size_t i = 0; name && i < sizeof(endpoint_protocols) / sizeof(endpoint_protocols[0]); i++) {
		if (strcmp(endpoint_protocols[i].name, name) == 0) {
			*ret = endpoint_protocols[i].number;
			return 0;
		}
	}
	return bad_value("protocol", protocol, "tcp, udp or sctp", err);
}

static int parse_port(const json_t *json, struct endpoint_port *ret, struct err *err)
{
	const json_t *host = json_object_get(json, "host_ip");
	int r = parse_protocol(json, &ret->protocol, err);

	if (r == 0)
		r = parse_port_number(json, "port", 0, &ret->port, err);
	if (r == 0 && !ret->port)
		return err_set(err, EBADMSG, "port is missing");
	if (r == 0)
		r = parse_port_number(json, "host_port", 0, &ret->host_first, err);
	if (r == 0)
		r = parse_port_number(json, "host_port_end", ret->host_first, &ret->host_last, err);
	if (r == 0 && host &&
	    addr_parse(json_string_value(host) ? json_string_value(host) : "", &ret->host_addr) < 0)
		r = bad_value("host_ip", host, "an IP address", err);
	return r;
}

static int parse_ports(const json_t *json, struct workload_endpoint *endpoint, struct err *err)
{
	const json_t *list = json_object_get(json, "ports"), *item;
	size_t i;
	int r = check_list("ports", list, err);

	if (r < 0)
		return r;
	json_array_foreach (list, i, item) {
		struct endpoint_port port = {0};

		r = parse_port(item, &port, err);
		if (r < 0)
			return err_prefix(err, r, "ports");
		if (workload_endpoint_add_port(endpoint, &port) < 0)
			return field_out_of_memory(err);
	}
	return 0;
}

static int parse_gateway(const json_t *json, const struct family_names *names, struct addr *ret,
			 struct err *err)
{
	const json_t *gateway = json_object_get(json, names->gateway);

	if (!gateway || json_is_null(gateway))
		return 0;
	return parse_addr(names->gateway, gateway, names->family, ret, err);
}

static int parse_family(const json_t *json, const struct family_names *names,
			struct workload_endpoint *endpoint, struct err *err)
{
	int r;

	if (json_object_get(json, names->expected))
		return err_set(err, EBADMSG, "%s does not belong into a workload endpoint", names->expected);
	r = parse_nets(json, names, endpoint, err);
	if (r == 0)
		r = parse_gateway(json, names, names->family == 4 ? &endpoint->gateway4 : &endpoint->gateway6,
				  err);
	return r < 0 ? r : parse_nat(json, names, endpoint, err);
}

static int parse_workload(const json_t *json, const char *local_prefix, struct workload_endpoint *endpoint,
			  struct err *err)
{
	int r = parse_state(json, &endpoint->active, err);

	if (r == 0)
		r = parse_name(json, local_prefix, endpoint->name, err);
	if (r == 0)
		r = parse_mac(json, endpoint, err);
	if (r == 0)
		r = field_profiles(json, &endpoint->profiles, err);
	if (r == 0)
		r = field_endpoint_labels(json, &endpoint->labels, err);
	if (r == 0)
		r = parse_sandbox(json, endpoint, err);
	if (r == 0)
		r = parse_ports(json, endpoint, err);
	if (r == 0)
		r = parse_family(json, &families[0], endpoint, err);
	return r < 0 ? r : parse_family(json, &families[1], endpoint, err);
}

int workload_endpoint_parse(const char *text, const char *local_prefix, struct workload_endpoint **ret,
			    struct err *err)
{
	struct workload_endpoint *endpoint = calloc(1, sizeof(*endpoint));
	int r;

	if (!endpoint)
		return field_out_of_memory(err);
	r = field_object(text, &endpoint->raw, err);
	if (r == 0)
		r = parse_workload(endpoint->raw, local_prefix, endpoint, err);
	if (r < 0) {
		workload_endpoint_free(endpoint);
		return r;
	}
	*ret = endpoint;
	return 0;
}

void host_endpoint_free(struct host_endpoint *endpoint)
{
	if (!endpoint)
		return;
	strings_done(&endpoint->profiles);
	labels_done(&endpoint->labels);
	free(endpoint->expected);
	free(endpoint);
}

static int parse_expected(const json_t *json, const struct family_names *names,
			  struct host_endpoint *endpoint, struct err *err)
{
	const json_t *list = json_object_get(json, names->expected), *item;
	struct addr addr;
	size_t i;
	int r;

	r = check_list(names->expected, list, err);
	if (r < 0)
		return r;
	json_array_foreach (list, i, item) {
		struct addr *expected;

		r = parse_addr(names->expected, item, names->family, &addr, err);
		if (r < 0)
			return r;
		expected = model_grow(endpoint->expected, endpoint->expected_count, sizeof(*expected));
		if (!expected)
			return field_out_of_memory(err);
		endpoint->expected = expected;
		endpoint->expected[endpoint->expected_count++] = addr;
	}
	return 0;
}

static int parse_host(const json_t *json, struct host_endpoint *endpoint, struct err *err)
{
	static const char *const foreign[] = {
		"state",	"mac",		"ipv4_nets", "ipv6_nets",
		"ipv4_gateway", "ipv6_gateway", "ipv4_nat",  "ipv6_nat",
	};
	int r;

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (json_object_get(json, foreign[i]))
			return err_set(err, EBADMSG, "%s does not belong into a host endpoint", foreign[i]);
	r = field_interface(json, endpoint->name, err);
	if (r == 0)
		r = field_profiles(json, &endpoint->profiles, err);
	if (r == 0)
		r = field_endpoint_labels(json, &endpoint->labels, err);
	if (r == 0)
		r = parse_expected(json, &families[0], endpoint, err);
	if (r == 0)
		r = parse_expected(json, &families[1], endpoint, err);
	if (r == 0 && !endpoint->name[0] && endpoint->expected_count == 0)
		return err_set(err, EBADMSG, "neither a name nor expected addresses are given");
	return r;
}

int host_endpoint_parse(const char *text, struct host_endpoint **ret, struct err *err)
{
	struct host_endpoint *endpoint;
	json_t *json;
	int r = field_object(text, &json, err);

	if (r < 0)
		return r;
	endpoint = calloc(1, sizeof(*endpoint));
	r = endpoint ? parse_host(json, endpoint, err) : field_out_of_memory(err);
	json_decref(json);
	if (r < 0) {
		host_endpoint_free(endpoint);
		return r;
	}
	*ret = endpoint;
	return 0;
}
