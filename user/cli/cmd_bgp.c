/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl bgp: routing settings of all nodes. Section 8 of the command line specification. */
#include "cli/bgp_peers.h"

#include "cli/validate.h"
#include "store/keys.h"

static const struct peer_scope global_scope = {
	.headings = {"Global IPv4 BGP Peer", "Global IPv6 BGP Peer"},
	.none = {"No global IPv4 BGP Peers defined.", "No global IPv6 BGP Peers defined."},
	.removed = "BGP peer removed from global configuration",
	.unknown = " is not a globally configured peer.",
};

static int peer_add(struct ctl *ctl, const struct args *args)
{
	return bgp_peer_add(ctl, args, &global_scope);
}

static int peer_remove(struct ctl *ctl, const struct args *args)
{
	return bgp_peer_remove(ctl, args, &global_scope);
}

static int peer_show(struct ctl *ctl, const struct args *args)
{
	return bgp_peer_show(ctl, args, &global_scope);
}

static int show_mesh(struct ctl *ctl, const char *text)
{
	json_t *json;
	struct err err;
	bool on = true;

	if (text) {
		if (model_json_parse(text, &json, &err) < 0)
			return ctl_failed(ctl, "The node mesh setting is not valid: %s.", err.text);
		on = json_is_true(json_object_get(json, "enabled"));
		json_decref(json);
	}
	out_value(&ctl->out, "node_mesh", on ? "on" : "off");
	return STATUS_DONE;
}

static int node_mesh(struct ctl *ctl, const struct args *args)
{
	bool on = args_has(args, "on");
	char key[KEY_MAX];
	const char *text;

	key_bgp_global(key, "node_mesh");
	if (!ctl_open(ctl))
		return STATUS_FAILED;
	if (on || args_has(args, "off"))
		return ctl_write(ctl, key, on ? "{\"enabled\": true}" : "{\"enabled\": false}")
			       ? STATUS_DONE
			       : STATUS_FAILED;
	return ctl_read(ctl, key, &text) ? show_mesh(ctl, text) : STATUS_FAILED;
}

static int default_node_as(struct ctl *ctl, const struct args *args)
{
	const char *given = args_get(args, "<AS_NUM>"), *stored;
	char key[KEY_MAX];
	uint32_t as;

	if ((given && !check_as(&ctl->out, given, &as)) || !ctl_open(ctl))
		return STATUS_FAILED;
	if (given)
		return ctl_write(ctl, key_bgp_global(key, "as_num"), ctl_text(ctl, "%u", as)) ? STATUS_DONE
											      : STATUS_FAILED;
	if (!bgp_default_as(ctl, &stored))
		return STATUS_FAILED;
	out_value(&ctl->out, "as_num", stored);
	return STATUS_DONE;
}

static const struct form forms[] = {
	{"peer add <PEER_IP> as <AS_NUM>", peer_add},
	{"peer remove <PEER_IP>", peer_remove},
	{"peer show [--ipv4 | --ipv6] [-o <FORMAT>]", peer_show},
	{"node-mesh [on|off] [-o <FORMAT>]", node_mesh},
	{"default-node-as [<AS_NUM>] [-o <FORMAT>]", default_node_as},
	{0},
};

static const struct option_spec options[] = {
	OPTIONS_FAMILY,
	OPTION_OUTPUT,
	{0},
};

const struct command command_bgp = {
	.name = "bgp",
	.summary = "BGP settings of all nodes",
	.description = "Show and set peers of all nodes, the mesh between them, and the default AS number.\n"
		       "Settings of this node alone are under 'calicoctl node bgp'.",
	.forms = forms,
	.options = options,
};
