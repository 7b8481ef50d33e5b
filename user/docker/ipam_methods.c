/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The IPAM driver: pools and addresses as Docker asks for them. Pools are shared by networks and not counted;
 * an address request does not say for which container it is.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "docker/internal.h"
#include "docker/request.h"
#include "util/log.h"

#define ANY_POOL4    "CalicoPoolIPv4"
#define ANY_POOL6    "CalicoPoolIPv6"
#define GATEWAY_DATA "com.docker.network.gateway"
#define ADDRESS_KIND "RequestAddressType"

struct pool_query {
	uint8_t family;
	struct cidr pool; /* family 0: any */
};

/* Docker uses the local address space for networks of local scope: ours, when there is no cluster store. */
static int check_space(struct call *call, struct err *err)
{
	const char *space;
	int rc = request_text(call->body, "AddressSpace", &space, err);

	if (!rc && !strcmp(space, LOCAL_SPACE) && scope_is_global(call->plugin, call->peer))
		rc = err_set(err, EINVAL, "calico IPAM works only with the calico network driver");
	return rc;
}

static int parse_pool_query(const json_t *body, struct pool_query *ret, struct err *err)
{
	const json_t *options = NULL;
	const char *sub_pool = "";
	bool is_v6 = false;
	int rc = request_bool(body, "V6", &is_v6, err);

	ret->family = is_v6 ? 6 : 4;
	if (!rc)
		rc = request_text(body, "SubPool", &sub_pool, err);
	if (!rc)
		rc = request_object(body, "Options", &options, err);
	if (!rc)
		rc = request_cidr(body, "Pool", ret->family, &ret->pool, err);
	if (rc < 0)
		return rc;
	cidr_mask(&ret->pool);
	if (*sub_pool)
		return err_set(
			err, EINVAL,
			"--ip-range %.60s is not supported: addresses come from Calico IP pools; give a pool "
			"with --subnet, or leave both out",
			sub_pool);
	if (json_object_size(options))
		return err_set(err, EINVAL, "IPAM option %.80s is not supported",
			       json_object_iter_key(json_object_iter((json_t *)options)));
	return 0;
}

static int check_pool(struct plugin *plugin, const struct pool_query *query, struct err *err)
{
	const struct cidr *pool = query->pool.addr.family ? &query->pool : NULL;
	const char *unusable = pool ? cidr_unusable(pool) : NULL;
	char text[CIDR_TEXT];
	int enabled;

	if (unusable)
		return err_set(err, EINVAL, "the subnet %s has %s, which no container can have",
			       cidr_format(pool, text), unusable);
	enabled = ipam_pool_enabled(&plugin->ipam, query->family, pool, err);
	if (enabled)
		return enabled < 0 ? enabled : 0;
	if (pool)
		return err_set(
			err, EINVAL,
			"The requested subnet must match the CIDR of a configured Calico IP Pool: %s is none "
			"that is enabled; see 'calicoctl pool show'",
			cidr_format(pool, text));
	log_limited(
		LOG_LEVEL_WARN, "docker", "pools",
		"a network is made while no IPv%u pool is enabled: its containers will get no addresses until "
		"'calicoctl pool add <CIDR>'",
		query->family);
	return 0;
}

int pool_request(struct call *call, struct err *err)
{
	struct pool_query query = {0};
	const char *id, *pool, *gateway;
	char text[CIDR_TEXT];
	int rc = check_space(call, err);

	if (!rc)
		rc = parse_pool_query(call->body, &query, err);
	if (!rc)
		rc = check_pool(call->plugin, &query, err);
	if (rc < 0)
		return rc;
	gateway = query.family == 6 ? DUMMY_GATEWAY6 : DUMMY_GATEWAY4;
	id = query.family == 6 ? ANY_POOL6 : ANY_POOL4;
	pool = gateway; /* everything */
	if (query.pool.addr.family)
		id = pool = cidr_format(&query.pool, text);
	/* The gateway keeps libnetwork from asking for one, and tells CreateNetwork whose addresses these
	 * are. */
	call->answer =
		json_pack("{s:s, s:s, s:{s:s}}", "PoolID", id, "Pool", pool, "Data", GATEWAY_DATA, gateway);
	return call->answer ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int parse_pool_id(const json_t *body, struct pool_query *ret, struct err *err)
{
	const char *id;
	int rc = request_text(body, "PoolID", &id, err);

	*ret = (struct pool_query){.family = 4};
	if (rc < 0 || !strcmp(id, ANY_POOL4))
		return rc;
	if (!strcmp(id, ANY_POOL6)) {
		ret->family = 6;
		return 0;
	}
	if (!strchr(id, '/') || cidr_parse(id, &ret->pool) < 0)
		return err_set(err, EBADMSG, "PoolID '%.80s' is none of Calico's", id);
	ret->family = ret->pool.addr.family;
	return 0;
}

static int assign_any(struct plugin *plugin, const struct pool_query *query, json_t *attribute,
		      struct addr *ret, struct err *err)
{
	int rc;

	if (!query->pool.addr.family)
		return ipam_assign_chosen(&plugin->ipam, query->family, attribute, ret, err);
	rc = ipam_assign_any(&plugin->ipam, query->family, 1, &query->pool, attribute, ret, err);
	if (rc == -ENOENT && !cidr_unusable(&query->pool))
		err_prefix(err, rc, "the network's pool was deleted or disabled");
	return rc < 0 ? rc : 0;
}

/* Docker asks for a given address when it knows of no user; one that a lost release left is taken over. */
static int assign_given(struct plugin *plugin, const struct addr *addr, json_t *attribute, struct err *err)
{
	int rc = ipam_assign(&plugin->ipam, addr, attribute, err);

	if (rc != -EEXIST)
		return rc;
	rc = collector_reclaim(plugin->collector, addr, err);
	return rc < 0 ? rc : ipam_assign(&plugin->ipam, addr, attribute, err);
}

int address_request(struct call *call, struct err *err)
{
	struct plugin *plugin = call->plugin;
	const json_t *options = NULL;
	const char *kind = "";
	struct pool_query query = {0};
	struct cidr given = {0};
	json_t *attribute = NULL;
	char text[CIDR_TEXT];
	int rc = parse_pool_id(call->body, &query, err);

	if (!rc)
		rc = request_object(call->body, "Options", &options, err);
	if (!rc)
		rc = request_text(options, ADDRESS_KIND, &kind, err);
	if (!rc)
		rc = request_cidr(call->body, "Address", 0, &given, err);
	if (!rc && !strcmp(kind, GATEWAY_DATA))
		rc = err_set(err, EINVAL, "--gateway is not supported with Calico IPAM; leave it out");
	if (!rc)
		rc = agent_wait_restored(plugin->agent, err);
	if (!rc && (given.addr.family ? given.addr.family : query.family) == 6 && ipv6_off())
		rc = err_set(err, EAFNOSUPPORT, "no IPv6 address can be given: %s", ipv6_off());
	if (!rc && !(attribute = ipam_attribute(plugin->config->hostname, ADDRESS_TYPE)))
		rc = err_set(err, ENOMEM, "out of memory");
	if (!rc)
		rc = given.addr.family ? assign_given(plugin, &given.addr, attribute, err)
				       : assign_any(plugin, &query, attribute, &given.addr, err);
	json_decref(attribute);
	if (rc < 0)
		return rc;
	given.length = (uint8_t)addr_bits(&given.addr);
	call->answer = json_pack("{s:s, s:{}}", "Address", cidr_format(&given, text), "Data");
	return call->answer ? 0 : err_set(err, ENOMEM, "out of memory");
}

struct release {
	const char *host;
	long long before;
};

/* A release that comes late (a journal entry, an engine that cleans up) must not take it from its next user.
 */
static bool is_still_ours(void *arg, const json_t *attribute)
{
	const struct release *release = arg;
	const json_t *secondary = json_object_get(attribute, "secondary");
	const char *node = json_string_value(json_object_get(secondary, "node"));
	long age_s;

	if (!node)
		return true; /* made before addresses were marked */
	return ipam_attribute_is(attribute, release->host, ADDRESS_TYPE, &age_s) &&
	       (long long)time(NULL) - age_s <= release->before;
}

int address_release(struct plugin *plugin, const struct addr *addr, long long before, struct err *err)
{
	struct release release = {plugin->config->hostname, before};
	int rc = ipam_release_if(&plugin->ipam, addr, is_still_ours, &release, err);

	return rc == -ENOENT || rc == -EPERM ? 0 : rc;
}

int address_give_back(struct call *call, struct err *err)
{
	struct plugin *plugin = call->plugin;
	char text[ADDR_TEXT];
	struct cidr cidr;
	int rc = request_cidr(call->body, "Address", 0, &cidr, err);

	/* dockerd gives the dummy gateways back too, at every end of a network. */
	if (rc < 0 || !cidr.addr.family || addr_is_unspecified(&cidr.addr))
		return rc;
	addr_format(&cidr.addr, text);
	/* An endpoint goes before its addresses do: this is about one that had the address long ago. */
	if (agent_has_address(plugin->agent, &cidr.addr)) {
		log_info("docker", "address %s is not released: an endpoint of this host has it now", text);
		return 0;
	}
	rc = address_release(plugin, &cidr.addr, (long long)time(NULL), err);
	if (rc < 0) {
		log_limited(LOG_LEVEL_WARN, "docker", "address",
			    "address %s is not released yet: %s; trying again until it is", text, err->text);
		rc = journal_add(plugin->journal, JOURNAL_ADDRESS, text, err);
	}
	return rc;
}
