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

#include "agent/choice.h"
#include "ipam/ipam.h"
#include "model/pool.h"
#include "store/keys.h"
#include "util/log.h"

#define DEFAULT_AS "64511"
static const char *const default_pools[] = {"192.168.0.0/16", "fd80:24e2:f998:72d6::/64"};

static bool is_present(const struct address_choice *choice, const struct addr *addr)
{
	for (size_t i = 0; i < choice->address_count; i++) {
		if (!addr_compare(&choice->addresses[i].addr, addr))
			return true;
	}
	return false;
}

/* What other hosts know this one by. It stays so while it exists, whatever interfaces come and go. */
static int recorded_address(struct agent *agent, struct addr *ret, struct err *err)
{
	char key[KEY_MAX];
	struct store_node node;
	int r = store_get(agent->store, key_bird_ip(key, agent->config->hostname), &node, err);

	ret->family = 0;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!node.value || addr_parse(node.value, ret) < 0)
		ret->family = 0;
	store_node_done(&node);
	return 0;
}

static int detect_address(struct agent *agent, const struct address_choice *choice, char ip[ADDR_TEXT],
			  struct err *err)
{
	const struct interface_address *found;
	struct addr recorded;
	int r = recorded_address(agent, &recorded, err);

	if (r < 0)
		return r;
	if (recorded.family == 4 && is_present(choice, &recorded)) {
		addr_format(&recorded, ip);
		return 0;
	}
	found = choice_host_address(choice);
	if (!found)
		return err_set(
			err, EADDRNOTAVAIL,
			"no IPv4 address found on this host; give it an address, or set IP (calicoctl node --ip=...)");
	addr_format(&found->addr, ip);
	return 0;
}

static int choose_among(struct agent *agent, const struct address_choice *choice, char ip[ADDR_TEXT],
			struct err *err)
{
	const char *given = agent->config->ip;
	struct addr addr;

	if (!given)
		return detect_address(agent, choice, ip, err);
	if (addr_parse(given, &addr) < 0 || !is_present(choice, &addr))
		log_repeated(LOG_LEVEL_WARN, "agent", "address",
			     "IPv4 address %s is not on any interface of this host; continuing", given);
	snprintf(ip, ADDR_TEXT, "%s", given);
	return 0;
}

static int choose_address(struct agent *agent, char ip[ADDR_TEXT], struct err *err)
{
	struct address_choice choice = {.uplinks = agent->felix.uplinks,
					.prefix = agent->felix.interface_prefix};
	struct interface_address *addresses = NULL;
	struct link_info *links = NULL;
	unsigned int mtu;
	int r = address_list(agent->netlink, &addresses, &choice.address_count, err);

	if (!r)
		r = link_list(agent->netlink, &links, &choice.link_count, err);
	if (route_default_link(agent->netlink, 4, &choice.default_link, &mtu) < 0)
		choice.default_link = 0;
	choice.addresses = addresses;
	choice.links = links;
	if (!r)
		r = choose_among(agent, &choice, ip, err);
	free(links);
	free(addresses);
	return r;
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
