/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Networks. CreateNetwork reaches one host only: what the others need to know is in the datastore, as the
 * request itself. It is written first and removed last, so that whatever a failure leaves can be found.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "docker/internal.h"
#include "docker/request.h"
#include "model/pool.h"
#include "model/profile.h"
#include "util/log.h"

#define OPTIONS	       "com.docker.network.generic"
#define OPTION_MTU     "com.docker.network.driver.mtu"
#define OPTION_IPIP    "ipip"
#define OPTION_NAT     "nat-outgoing"
#define OPTION_IPV6    "com.docker.network.enable_ipv6"
#define OPTION_PRIVATE "com.docker.network.internal"

#define MTU_MIN	 68   /* RFC 791 */
#define MTU_MIN6 1280 /* RFC 8200 */
#define MTU_MAX	 65535

static int parse_mtu(const json_t *generic, bool ipv6, struct network *ret, struct err *err)
{
	unsigned int least = ipv6 ? MTU_MIN6 : MTU_MIN;
	const char *text;
	char *end;
	long mtu;
	int rc = request_text(generic, OPTION_MTU, &text, err);

	if (rc < 0 || !*text)
		return rc;
	mtu = strtol(text, &end, 10);
	if (*end || mtu < least || mtu > MTU_MAX)
		return err_set(err, EINVAL, "option " OPTION_MTU "=%.40s: must be a number from %u to %d",
			       text, least, MTU_MAX);
	ret->mtu = (unsigned int)mtu;
	return 0;
}

/* The driver options; NULL: none. */
static const json_t *generic_of(const json_t *request)
{
	return json_object_get(json_object_get(request, "Options"), OPTIONS);
}

static int parse_options(const json_t *request, struct network *ret, struct err *err)
{
	const json_t *options, *generic = NULL;
	bool ipv6 = false;
	int rc = request_object(request, "Options", &options, err);

	if (!rc)
		rc = request_object(options, OPTIONS, &generic, err);
	if (!rc)
		rc = request_bool(options, OPTION_IPV6, &ipv6, err);
	if (!rc)
		rc = request_bool(generic, OPTION_IPIP, &ret->ipip, err);
	if (!rc)
		rc = request_bool(generic, OPTION_NAT, &ret->masquerade, err);
	return rc ? rc : parse_mtu(generic, ipv6, ret, err);
}

/*
 * One family's entry. The dummy gateway that our RequestPool gave says that the addresses are ours; engines
 * up to 1.11.2 could send a wrong address space, so that is only the second witness.
 */
static int parse_data(const json_t *data, uint8_t family, struct network *ret, struct err *err)
{
	const char *space = "", *gateway = "";
	struct cidr pool = {0};
	bool is_dummy, is_our_space;
	int rc = request_text(data, "AddressSpace", &space, err);

	if (!rc)
		rc = request_text(data, "Gateway", &gateway, err);
	if (!rc)
		rc = request_cidr(data, "Pool", family, &pool, err);
	if (rc < 0)
		return rc;
	is_dummy = !strcmp(gateway, family == 6 ? DUMMY_GATEWAY6 : DUMMY_GATEWAY4);
	is_our_space = !strcmp(space, GLOBAL_SPACE) || !strcmp(space, LOCAL_SPACE);
	if (is_dummy || is_our_space) {
		ret->calico_ipam = true;
	} else if (pool.addr.family) {
		cidr_mask(&pool);
		ret->pools[family == 6] = pool;
	}
	if (is_our_space && !is_dummy)
		return err_set(err, EINVAL,
			       "gateway %.60s: --gateway is not supported with Calico IPAM; leave it out",
			       gateway);
	return 0;
}

static int parse_family(const json_t *request, uint8_t family, struct network *ret, struct err *err)
{
	const char *name = family == 6 ? "IPv6Data" : "IPv4Data";
	const json_t *list;
	int rc = request_array(request, name, &list, err);

	if (rc < 0 || !json_array_size(list))
		return rc;
	if (json_array_size(list) > 1)
		return err_set(err, EINVAL, "%zu IPv%u subnets given; the calico network driver takes one",
			       json_array_size(list), family);
	if (!json_is_object(json_array_get(list, 0)))
		return err_set(err, EBADMSG, "%s must be a list of objects", name);
	return parse_data(json_array_get(list, 0), family, ret, err);
}

int network_parse(const json_t *request, struct network *ret, struct err *err)
{
	struct err first = {""};
	int rc = 0;

	*ret = (struct network){0};
	for (uint8_t family = 4; family <= 6; family += 2) {
		int r = parse_family(request, family, ret, rc ? NULL : &first);

		rc = rc ? rc : r;
	}
	if (!rc)
		rc = parse_options(request, ret, &first);
	else
		parse_options(request, ret, NULL);
	return rc ? err_set(err, -rc, "%s", first.text) : 0;
}

/* What a new network may not have, rather than have it ignored. */
static int check_new(const json_t *request, const struct network *network, struct err *err)
{
	bool internal = false;
	const char *name;
	json_t *value;
	int rc = request_bool(json_object_get(request, "Options"), OPTION_PRIVATE, &internal, err);

	if (rc < 0)
		return rc;
	if (internal)
		return err_set(
			err, EINVAL,
			"--internal is not supported by the calico network driver; restrict the network's "
			"profile instead (calicoctl profile NETWORK rule)");
	json_object_foreach ((json_t *)generic_of(request), name, value) {
		if (strcmp(name, OPTION_MTU) != 0 && strcmp(name, OPTION_IPIP) != 0 &&
		    strcmp(name, OPTION_NAT) != 0)
			return err_set(
				err, EINVAL,
				"option %.80s is not supported by the calico network driver; it knows " OPTION_MTU
				", " OPTION_IPIP " and " OPTION_NAT,
				name);
	}
	for (size_t i = 0; i < 2; i++) {
		const struct cidr *pool = &network->pools[i];
		const char *unusable = pool->addr.family ? cidr_unusable(pool) : NULL;
		char text[CIDR_TEXT];

		if (unusable)
			return err_set(err, EINVAL, "the subnet %s has %s, which no container can have",
				       cidr_format(pool, text), unusable);
	}
	if (network->calico_ipam && (network->pools[0].addr.family || network->pools[1].addr.family))
		return err_set(err, EINVAL, "IPv4 and IPv6 addresses must come from the same IPAM driver");
	if (network->calico_ipam && (network->ipip || network->masquerade))
		return err_set(
			err, EINVAL,
			"option %s belongs to the IP pool with Calico IPAM; set it with 'calicoctl pool add "
			"CIDR --%s'",
			network->ipip ? OPTION_IPIP : OPTION_NAT, network->ipip ? OPTION_IPIP : OPTION_NAT);
	return 0;
}

static int read_request(struct plugin *plugin, const char *id, json_t **ret, struct err *err)
{
	struct store_node node = {0};
	char key[KEY_MAX];
	int rc = store_get(plugin->store, key_network(key, id), &node, err);

	if (rc < 0)
		return rc;
	rc = model_json_parse(node.value, ret, err);
	if (rc < 0)
		err_prefix(err, rc, "%s", key);
	else
		agent_remember(plugin->agent, key, node.value);
	store_node_done(&node);
	return rc;
}

/* One of a profile's values, unless somebody has it there already: users edit profiles. */
static int create_part(struct plugin *plugin, const char *id, const char *part, char *text, struct err *err)
{
	char key[KEY_MAX];
	int rc;

	if (!text)
		return err_set(err, ENOMEM, "out of memory");
	rc = store_create(plugin->store, key_profile_part(key, id, part), text, NULL, err);
	free(text);
	return rc == -EEXIST ? 0 : rc;
}

static int create_profile(struct plugin *plugin, const char *id, struct err *err)
{
	struct rules *rules = rules_new_default(id);
	struct strings tags = {0};
	int rc;

	if (!rules || strings_add(&tags, id) < 0)
		rc = err_set(err, ENOMEM, "out of memory");
	else
		rc = create_part(plugin, id, "tags", tags_format(&tags), err);
	if (!rc)
		rc = create_part(plugin, id, "labels", strdup("{}"), err);
	if (!rc)
		rc = create_part(plugin, id, "rules", rules_format(rules), err);
	strings_done(&tags);
	rules_free(rules);
	return rc;
}

/* Docker uses the network, so it exists: a datastore without it has lost it. Its profile may be lost, too. */
static int write_again(struct plugin *plugin, const char *id, struct err *err)
{
	char key[KEY_MAX], *text = agent_recall(plugin->agent, key_network(key, id));
	int rc;

	if (!text)
		return -ENOENT;
	rc = store_create(plugin->store, key, text, NULL, err);
	free(text);
	rc = rc == -EEXIST ? 0 : rc;
	if (!rc && plugin->config->create_profiles)
		rc = create_profile(plugin, id, err);
	if (!rc)
		log_warn("docker", "the datastore had lost network %.12s: wrote it back", id);
	return rc;
}

int network_read(struct plugin *plugin, const char *id, struct network *ret, struct err *err)
{
	json_t *request = NULL;
	int rc = read_request(plugin, id, &request, err);

	if (rc == -ENOENT && !(rc = write_again(plugin, id, err)))
		rc = read_request(plugin, id, &request, err);

	if (rc == -ENOENT)
		return err_set(
			err, ENOENT,
			"network %.12s does not exist in the datastore at %s; was dockerd started with "
			"--cluster-store, and do all hosts use one datastore?",
			id, store_where(plugin->store));
	if (rc < 0)
		return rc;
	/* v0.20 stored requests that would be refused today: their networks go on working. */
	network_parse(request, ret, NULL);
	json_decref(request);
	return 0;
}

/* An existing pool of this CIDR stays as it is: it is the user's, or another network's. */
static int create_pool(struct plugin *plugin, const struct network *network, const struct cidr *cidr,
		       struct err *err)
{
	struct pool *pool = pool_new(cidr);
	char key[KEY_MAX];
	char *text;
	int rc;

	if (!pool)
		return err_set(err, ENOMEM, "out of memory");
	pool->ipam = false;
	pool->masquerade = network->masquerade;
	pool->ipip = network->ipip ? strdup("tunl0") : NULL;
	text = pool_format(pool);
	pool_free(pool);
	if (!text)
		return err_set(err, ENOMEM, "out of memory");
	rc = store_create(plugin->store, key_pool(key, cidr), text, NULL, err);
	free(text);
	return rc == -EEXIST ? 0 : rc;
}

static int create_pools(struct plugin *plugin, const struct network *network, struct err *err)
{
	char key[KEY_MAX];
	int rc = 0;

	/* As `calicoctl pool add --ipip`: the switch before the pool that needs it. */
	if (network->ipip)
		rc = store_set(plugin->store, key_config(key, "IpInIpEnabled"), "true", NULL, err);
	for (size_t i = 0; !rc && i < 2; i++) {
		if (network->pools[i].addr.family)
			rc = create_pool(plugin, network, &network->pools[i], err);
	}
	return rc;
}

static int write_network(struct plugin *plugin, const char *id, const json_t *request,
			 const struct network *network, struct err *err)
{
	char *text = model_json_format(request);
	char key[KEY_MAX];
	int rc;

	if (!text)
		return err_set(err, ENOMEM, "out of memory");
	rc = store_set(plugin->store, key_network(key, id), text, NULL, err);
	if (!rc)
		agent_remember(plugin->agent, key, text);
	free(text);
	if (!rc)
		rc = create_pools(plugin, network, err);
	if (!rc && plugin->config->create_profiles)
		rc = create_profile(plugin, id, err);
	return rc;
}

int network_create(struct call *call, struct err *err)
{
	struct plugin *plugin = call->plugin;
	struct network network = {0};
	const char *id;
	int rc = request_id(call->body, "NetworkID", 1, &id, err);

	if (!rc)
		rc = network_parse(call->body, &network, err);
	if (!rc)
		rc = check_new(call->body, &network, err);
	if (rc < 0)
		return rc;
	if (!network.calico_ipam && plugin->config->require_calico_ipam)
		return err_set(
			err, EINVAL,
			"this host requires Calico IPAM; create the network with --ipam-driver calico");
	rc = write_network(plugin, id, call->body, &network, err);
	if (rc < 0) {
		/* Docker forgets the network, so nothing of it may stay. */
		task_set_deadline(UNDO_MS);
		if (network_remove(plugin, id, NULL) < 0)
			journal_add(plugin->journal, JOURNAL_NETWORK, id, NULL);
	}
	return rc;
}

/* Whether a network other than `id` has this pool. */
static int pool_is_shared(struct plugin *plugin, const char *id, const struct cidr *pool, struct err *err)
{
	struct store_list list = {0};
	int shared = store_list(plugin->store, KEY_LIBNETWORK, &list, err);

	for (size_t i = 0; !shared && i < list.count; i++) {
		struct network other;
		json_t *request;

		if (!strcmp(key_last(list.nodes[i].key), id) ||
		    model_json_parse(list.nodes[i].value, &request, NULL) < 0)
			continue;
		network_parse(request, &other, NULL);
		shared = !cidr_compare(&other.pools[0], pool) || !cidr_compare(&other.pools[1], pool);
		json_decref(request);
	}
	store_list_done(&list);
	return shared;
}

static int remove_pool(struct plugin *plugin, const char *id, const struct cidr *cidr, struct err *err)
{
	struct store_node node = {0};
	struct pool *pool = NULL;
	char key[KEY_MAX];
	int rc = pool_is_shared(plugin, id, cidr, err);

	if (rc)
		return rc < 0 ? rc : 0;
	rc = store_get(plugin->store, key_pool(key, cidr), &node, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	/* Only what a network without Calico IPAM makes; a malformed pool is not ours to judge. */
	if (!pool_parse(key_last(key), node.value, &pool, NULL) && !pool->ipam)
		rc = store_delete_if(plugin->store, key, node.revision, err);
	pool_free(pool);
	store_node_done(&node);
	return rc == -ENOENT || rc == -ESTALE ? 0 : rc;
}

static int remove_pools(struct plugin *plugin, const char *id, struct err *err)
{
	struct network network = {0};
	json_t *request;
	int rc = read_request(plugin, id, &request, err);

	if (rc < 0)
		return rc == -ENOENT || rc == -EBADMSG ? 0 : rc;
	network_parse(request, &network, NULL);
	json_decref(request);
	for (size_t i = 0; !rc && i < 2; i++) {
		if (network.pools[i].addr.family)
			rc = remove_pool(plugin, id, &network.pools[i], err);
	}
	return rc;
}

int network_remove(struct plugin *plugin, const char *id, struct err *err)
{
	char key[KEY_MAX];
	int rc = remove_pools(plugin, id, err);

	if (!rc && plugin->config->create_profiles) {
		rc = store_delete_tree(plugin->store, key_profile(key, id), err);
		rc = rc == -ENOENT ? 0 : rc;
	}
	key_network(key, id);
	agent_remember(plugin->agent, key, NULL);
	if (!rc) {
		rc = store_delete(plugin->store, key, err);
		rc = rc == -ENOENT ? 0 : rc;
	}
	return rc;
}

int network_delete(struct call *call, struct err *err)
{
	struct plugin *plugin = call->plugin;
	const char *id;
	int rc = request_id(call->body, "NetworkID", 1, &id, err);

	if (rc < 0)
		return rc;
	rc = network_remove(plugin, id, err);
	if (rc < 0) {
		log_limited(LOG_LEVEL_WARN, "docker", "network",
			    "network %.12s is not deleted yet: %s; trying again until it is", id, err->text);
		rc = journal_add(plugin->journal, JOURNAL_NETWORK, id, err);
	}
	return rc;
}
