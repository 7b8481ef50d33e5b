/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a host writes into the datastore when it starts, as v0.20's node did (calicoctl specification, section
 * 16). Any part of it, or nothing, may be there already.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipam/ipam.h"
#include "model/pool.h"
#include "store/keys.h"
#include "util/log.h"

#define DEFAULT_AS "64511"
static const char *const default_pools[] = {"192.168.0.0/16", "fd80:24e2:f998:72d6::/64"};

/* Interfaces whose addresses say nothing about where the host is reached. */
static const char *const skipped_links[] = {"docker", "cbr",  "virbr",	 "lxcbr", "veth",
					    "cali",   "tunl", "flannel", "tmp"};

static bool skip_link(const char *name)
{
	for (size_t i = 0; i < sizeof(skipped_links) / sizeof(skipped_links[0]); i++) {
		if (!strncmp(name, skipped_links[i], strlen(skipped_links[i])))
			return true;
	}
	return false;
}

/* The last usable IPv4 address in the kernel's order; and whether `wanted` is on any interface. */
static int scan_addresses(struct agent *agent, const char *wanted, char found[ADDR_TEXT], bool *ret_present,
			  struct err *err)
{
	struct interface_address *list = NULL;
	size_t count = 0;
	char text[ADDR_TEXT];
	int r = address_list(agent->netlink, &list, &count, err);

	if (r < 0)
		return r;
	found[0] = '\0';
	*ret_present = false;
	for (size_t i = 0; i < count; i++) {
		addr_format(&list[i].addr, text);
		if (wanted && !strcmp(wanted, text))
			*ret_present = true;
		if (list[i].addr.family != 4 || list[i].addr.bytes[0] == 127 || skip_link(list[i].link))
			continue;
		memcpy(found, text, ADDR_TEXT);
	}
	free(list);
	return 0;
}

static int choose_address(struct agent *agent, char ip[ADDR_TEXT], struct err *err)
{
	const struct config *config = agent->config;
	bool present;
	int r = scan_addresses(agent, config->ip, ip, &present, err);

	if (r < 0)
		return r;
	if (config->ip) {
		if (!present)
			log_repeated(LOG_LEVEL_WARN, "agent", "address",
				     "IPv4 address %s is not on any interface of this host; continuing",
				     config->ip);
		snprintf(ip, ADDR_TEXT, "%s", config->ip);
		return 0;
	}
	if (!*ip)
		return err_set(
			err, EADDRNOTAVAIL,
			"no IPv4 address found on this host; give it an address, or set IP (calicoctl node --ip=...)");
	return 0;
}

/* Refuses an address that another host has registered; warns when this host's name was seen with another
 * address. */
static int check_conflicts(struct agent *agent, const char *ip, struct err *err)
{
	const struct config *config = agent->config;
	struct store_list list;
	int r = store_list(agent->store, KEY_BGP_HOSTS, &list, err);

	for (size_t i = 0; r >= 0 && i < list.count; i++) {
		const struct store_node *node = &list.nodes[i];
		const char *host = node->key + strlen(KEY_BGP_HOSTS "/"), *last = key_last(node->key);
		size_t length = strcspn(host, "/");
		bool own = length == strlen(config->hostname) && !strncmp(host, config->hostname, length);

		if (strcmp(last, "ip_addr_v4") && strcmp(last, "ip_addr_v6"))
			continue;
		if (own && !strcmp(last, "ip_addr_v4") && *node->value && strcmp(node->value, ip))
			log_repeated(LOG_LEVEL_WARN, "agent", "hostname",
				     "WARNING: Hostname '%s' is already in use with IP address %s; now %s",
				     config->hostname, node->value, ip);
		if (!own && *node->value &&
		    (!strcmp(node->value, ip) || (config->ip6 && !strcmp(node->value, config->ip6))))
			r = err_set(
				err, EADDRINUSE,
				"IP address %s is already in use by host %.*s; give this host another one",
				node->value, (int)length, host);
	}
	store_list_done(&list);
	return r;
}

static int set_if_missing(struct agent *agent, const char *key, const char *value, struct err *err)
{
	int r = store_create(agent->store, key, value, NULL, err);

	return r == -EEXIST ? 0 : r;
}

static int default_pool(struct agent *agent, const char *text, struct err *err)
{
	struct store_list list;
	struct pool *pool = NULL;
	struct cidr cidr;
	char key[KEY_MAX], *value = NULL;
	int r;

	if (cidr_parse(text, &cidr) < 0)
		return err_set(err, EINVAL, "default pool %s is not a CIDR", text);
	r = store_list(agent->store, key_pools(cidr.addr.family), &list, err);
	if (r < 0)
		return r;
	if (!list.count) {
		pool = pool_new(&cidr);
		value = pool ? pool_format(pool) : NULL;
		r = value ? set_if_missing(agent, key_pool(key, &cidr), value, err)
			  : err_set(err, ENOMEM, "out of memory");
	}
	free(value);
	pool_free(pool);
	store_list_done(&list);
	return r;
}

static int write_pools(struct agent *agent, struct err *err)
{
	bool has_ipv6 = !access("/proc/sys/net/ipv6", F_OK);
	int r = 0;

	for (size_t i = 0; !r && !agent->config->no_default_pools && i < 2; i++) {
		if (i == 0 || has_ipv6)
			r = default_pool(agent, default_pools[i], err);
	}
	if (!r)
		r = store_make_directory(agent->store, KEY_POOLS4, err);
	if (!r)
		r = store_make_directory(agent->store, KEY_POOLS6, err);
	return r;
}

static int write_global(struct agent *agent, struct err *err)
{
	static const char *const defaults[][2] = {
		{"InterfacePrefix", "cali"}, {"LogSeverityFile", "none"}, {"LogSeverityScreen", "info"},
		{"LogFilePath", "none"},     {"IpInIpEnabled", "false"},  {"ReportingIntervalSecs", "0"},
	};
	char key[KEY_MAX];
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(defaults) / sizeof(defaults[0]); i++)
		r = set_if_missing(agent, key_config(key, defaults[i][0]), defaults[i][1], err);
	if (!r)
		r = set_if_missing(agent, key_bgp_global(key, "as_num"), DEFAULT_AS, err);
	if (!r)
		r = set_if_missing(agent, key_bgp_global(key, "node_mesh"), "{\"enabled\": true}", err);
	for (uint8_t family = 4; !r && family <= 6; family += 2)
		r = store_make_directory(agent->store, key_affinities(key, agent->config->hostname, family),
					 err);
	if (!r)
		r = store_set(agent->store, KEY_READY, "true", NULL, err);
	return r;
}

/* A value that is right already is left alone: no event for every other host at each of our starts. */
static int set_if_different(struct agent *agent, const char *key, const char *value, struct err *err)
{
	struct store_node node;
	int r = store_get(agent->store, key, &node, err);
	bool same;

	if (r < 0 && r != -ENOENT)
		return r;
	same = !r && node.value && !strcmp(node.value, value);
	if (!r)
		store_node_done(&node);
	return same ? 0 : store_set(agent->store, key, value, NULL, err);
}

static int write_host(struct agent *agent, const char *ip, struct err *err)
{
	const struct config *config = agent->config;
	const char *host = config->hostname;
	char key[KEY_MAX];
	int r = set_if_different(agent, key_bird_ip(key, host), ip, err);

	if (!r)
		r = set_if_different(agent, key_bgp_host(key, host, "ip_addr_v4"), ip, err);
	if (!r)
		r = set_if_different(agent, key_bgp_host(key, host, "ip_addr_v6"),
				     config->ip6 ? config->ip6 : "", err);
	if (!r)
		r = store_make_directory(agent->store, key_host_workloads(key, host), err);
	if (!r && config->as)
		r = set_if_different(agent, key_bgp_host(key, host, "as_num"), config->as, err);
	else if (!r) {
		r = store_delete(agent->store, key_bgp_host(key, host, "as_num"), err);
		r = r == -ENOENT ? 0 : r;
	}
	/* v0.20 wrote this at every start; an operator's DROP must not be opened by a restart, so only if
	 * missing. */
	if (!r)
		r = set_if_missing(agent, key_host_config(key, host, "DefaultEndpointToHostAction"), "RETURN",
				   err);
	if (!r)
		r = set_if_different(agent, key_host_config(key, host, "marker"), "created", err);
	return r;
}

int startup_register(struct agent *agent, struct err *err)
{
	char ip[ADDR_TEXT];
	int r = choose_address(agent, ip, err);

	if (!r)
		addr_parse(ip, &agent->address);
	if (!r)
		r = check_conflicts(agent, ip, err);
	if (!r)
		r = write_pools(agent, err);
	if (!r)
		r = write_global(agent, err);
	if (!r)
		r = write_host(agent, ip, err);
	if (!r)
		r = tunnel_register(agent, err);
	if (!r && !agent->config->ip)
		log_info("agent", "No IP provided. Using detected IP: %s", ip);
	return r;
}
