/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl ipam: section 7 of the command line specification. */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

#include "cli/validate.h"
#include "ipam/ipam.h"
#include "model/endpoint.h"
#include "store/keys.h"

static bool open_ipam(struct ctl *ctl, const struct args *args, struct addr *ret_addr, struct ipam *ret)
{
	if (!check_ip(&ctl->out, args_get(args, "<IP>"), ret_addr) || !ctl_open(ctl))
		return false;
	*ret = (struct ipam){.store = ctl->store, .host = ctl->config->hostname};
	return true;
}

/* Who uses the address; NULL: nobody that the datastore knows of. */
static const char *user_of(struct ctl *ctl, const struct store_node *node, const struct addr *addr)
{
	struct workload_endpoint *endpoint;
	struct key_parts parts;
	const char *user = NULL;
	struct addr tunnel;

	key_parse(node->key, &parts);
	if (parts.kind == KEY_IS_HOST_CONFIG && !strcmp(parts.name, "IpInIpTunnelAddr") && node->value &&
	    !addr_parse(node->value, &tunnel) && !addr_compare(&tunnel, addr))
		return ctl_text(ctl, "the IP-in-IP tunnel of host %s", parts.host);
	if (parts.kind != KEY_IS_ENDPOINT || !node->value ||
	    workload_endpoint_parse(node->value, NULL, &endpoint, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < endpoint->net_count && !user; i++) {
		if (!addr_compare(&endpoint->nets[i], addr))
			user = ctl_text(ctl, "endpoint %s (host %s, orchestrator %s, workload %s)",
					parts.name, parts.host, parts.orchestrator, parts.workload);
	}
	workload_endpoint_free(endpoint);
	return user;
}

/* The next container with an address that is in use takes the packets of the one that has it. */
static bool check_unused(struct ctl *ctl, const struct addr *addr)
{
	struct store_list list;
	const char *user = NULL;
	char text[ADDR_TEXT];

	if (!ctl_list(ctl, KEY_HOSTS, &list))
		return false;
	for (size_t i = 0; i < list.count && !user; i++)
		user = user_of(ctl, &list.nodes[i], addr);
	store_list_done(&list);
	if (user)
		out_para(
			&ctl->out,
			"Address %s is in use by %s.  Remove that first, or release the address all the same "
			"with --force: then it can be given to another container.",
			addr_format(addr, text), user);
	return !user;
}

static int ipam_release_ip(struct ctl *ctl, const struct args *args)
{
	struct ipam ipam;
	struct addr addr;
	struct err err;
	int r;

	if (!open_ipam(ctl, args, &addr, &ipam))
		return STATUS_FAILED;
	if (!args_has(args, "--force") && !check_unused(ctl, &addr))
		return STATUS_FAILED;
	r = ipam_release(&ipam, &addr, &err);
	if (r < 0 && r != -ENOENT)
		return ctl_store_failed(ctl, &err);
	out_say(&ctl->out, "%s", r == 0 ? "Address successfully released" : "Failed to release address");
	return STATUS_DONE;
}

/* What the one who assigned the address said about it; NULL: nothing. */
static json_t *attributes_of(json_t *attribute)
{
	json_t *secondary = json_object_get(attribute, "secondary");

	return json_object_size(secondary) ? secondary : NULL;
}

static int ipam_show_info(struct ctl *ctl, const struct args *args)
{
	struct ipam ipam;
	struct addr addr;
	struct err err;
	json_t *attribute = NULL;
	char text[ADDR_TEXT];
	int r;

	if (!open_ipam(ctl, args, &addr, &ipam))
		return STATUS_FAILED;
	r = ipam_info(&ipam, &addr, &attribute, &err);
	if (r < 0 && r != -ENOENT)
		return ctl_store_failed(ctl, &err);

	json_t *attributes = attributes_of(attribute);

	addr_format(&addr, text);
	if (r == -ENOENT)
		out_say(&ctl->out, "IP %s is not currently assigned", text);
	else if (!attributes)
		out_say(&ctl->out, "No attributes defined for %s", text);
	else
		out_document(&ctl->out, "attributes", attributes,
			     ctl_text(ctl, "%s\n", ctl_keep(ctl, model_json_format(attributes))));
	json_decref(attribute);
	return STATUS_DONE;
}

static const struct form forms[] = {
	{"release <IP> [--force]", ipam_release_ip},
	{"info <IP> [-o <FORMAT>]", ipam_show_info},
	{0},
};

static const struct option_spec options[] = {
	{"--force", "Release an address although an endpoint or a tunnel uses it."},
	OPTION_OUTPUT,
	{0},
};

const struct command command_ipam = {
	.name = "ipam",
	.summary = "Single addresses of the pools",
	.description = "Show the purpose of an address, or release it. An address that is in use is\n"
		       "released only with --force, which does not touch the endpoint that uses it.",
	.forms = forms,
	.options = options,
};
