/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl node: the table, and all but start (cmd_node_start.c) and removal (cmd_node_remove.c). */
#include "cli/cmd_node.h"

#include <errno.h>

#include "cli/bgp_peers.h"
#include "cli/daemon.h"
#include "cli/endpoints.h"
#include "store/keys.h"

static struct peer_scope own_scope(const struct ctl *ctl)
{
	return (struct peer_scope){
		.host = ctl->config->hostname,
		.headings = {"Node specific IPv4 BGP Peer", "Node specific IPv6 BGP Peer"},
		.none = {"No IPv4 BGP Peers defined for this node.",
			 "No IPv6 BGP Peers defined for this node."},
		.removed = "BGP peer removed from node configuration",
		.unknown = " is not a configured peer for this node.",
	};
}

static int peer_add(struct ctl *ctl, const struct args *args)
{
	const struct peer_scope scope = own_scope(ctl);

	return bgp_peer_add(ctl, args, &scope);
}

static int peer_remove(struct ctl *ctl, const struct args *args)
{
	const struct peer_scope scope = own_scope(ctl);

	return bgp_peer_remove(ctl, args, &scope);
}

static int peer_show(struct ctl *ctl, const struct args *args)
{
	const struct peer_scope scope = own_scope(ctl);

	return bgp_peer_show(ctl, args, &scope);
}

static const struct column node_columns[] = {
	{"Hostname", "host", COLUMN_TEXT},	     {"Bird IPv4", "ipv4", COLUMN_TEXT},
	{"Bird IPv6", "ipv6", COLUMN_TEXT},	     {"AS Num", "as_num", COLUMN_TEXT},
	{"BGP Peers v4", "peers_ipv4", COLUMN_LIST}, {"BGP Peers v6", "peers_ipv6", COLUMN_LIST},
};

static bool peers_text(struct ctl *ctl, const char *host, uint8_t family, const char **ret)
{
	struct bgp_peer *peers;
	size_t count;

	if (!bgp_peers_load(ctl, host, family, &peers, &count))
		return false;
	*ret = "";
	for (size_t i = 0; i < count; i++)
		*ret = ctl_text(ctl, "%s%s%s as %s", *ret, i ? "\n" : "", peers[i].ip,
				peers[i].as ? peers[i].as : "None");
	return true;
}

static bool add_node(struct ctl *ctl, const char *host, const char *global_as, struct table *table)
{
	const char *ip, *ip6, *as, *peers4, *peers6;
	char key[KEY_MAX];

	if (!ctl_read(ctl, key_bgp_host(key, host, "ip_addr_v4"), &ip) ||
	    !ctl_read(ctl, key_bgp_host(key, host, "ip_addr_v6"), &ip6) ||
	    !ctl_read(ctl, key_bgp_host(key, host, "as_num"), &as) || !peers_text(ctl, host, 4, &peers4) ||
	    !peers_text(ctl, host, 6, &peers6))
		return false;
	if (!as)
		as = ctl_text(ctl, "%s (inherited)", global_as);
	table_add(table, ctl_text(ctl, "%s", host), ip, ip6, as, peers4, peers6);
	return true;
}

static int node_show(struct ctl *ctl, const struct args *args)
{
	struct store_list hosts;
	struct table table;
	const char *global_as;
	struct err err;
	bool ok;

	if (!ctl_answers(ctl) || store_children(ctl->store, KEY_BGP_HOSTS, &hosts, &err) < 0) {
		out_say(&ctl->out, "Error connecting to %s.",
			ctl->config->endpoint_count ? "etcd" : ctl->config->sqlite_path);
		return STATUS_FAILED;
	}
	table_init(&table, node_columns, 6);
	ok = bgp_default_as(ctl, &global_as);
	for (size_t i = 0; i < hosts.count && ok; i++)
		if (!hosts.nodes[i].value)
			ok = add_node(ctl, hosts.nodes[i].key, global_as, &table);
	if (ok) {
		table_sort(&table);
		out_table(&ctl->out, "nodes", &table);
		out_prose(&ctl->out, "\n");
	}
	table_done(&table);
	store_list_done(&hosts);
	return ok ? STATUS_DONE : STATUS_FAILED;
}

/* Whether the node may be stopped although endpoints need it; a dead datastore is no reason not to by force.
 */
static int check_endpoints(struct ctl *ctl, bool force)
{
	struct endpoint_filter filter = {.host = ctl->config->hostname};
	struct endpoint_entries entries;
	size_t count;

	if (!ctl_open(ctl) || !endpoints_load(ctl, &filter, &entries))
		return force ? STATUS_DONE : STATUS_FAILED;
	count = entries.count;
	endpoints_done(&entries);
	if (count && force) {
		out_para(&ctl->out,
			 "Current host has active endpoints.  Stopping the node all the same: policy "
			 "stays in force as it is now, changes are not followed any more.");
	} else if (count) {
		out_para(&ctl->out,
			 "Current host has active endpoints so can't be stopped.  Force with --force");
		out_para(&ctl->out,
			 "While the node is stopped the policy of the %zu endpoint(s) stays in force "
			 "as it is, but changes are not followed, and Docker cannot connect or "
			 "disconnect containers.",
			 count);
	}
	return count && !force ? STATUS_FAILED : STATUS_DONE;
}

static int node_stop(struct ctl *ctl, const struct args *args)
{
	struct err err;
	pid_t pid;
	int status;

	if (!ctl_is_root(ctl))
		return STATUS_ROOT;
	status = check_endpoints(ctl, args_has(args, "--force"));
	if (status != STATUS_DONE)
		return status;
	if (daemon_find(ctl->config, &pid) < 0)
		return ctl_failed(ctl, "Cannot read the process id of calico-node in %s.",
				  ctl->config->run_dir);
	if (pid && daemon_stop(pid, &err) < 0)
		return ctl_failed(ctl, "%s.", err.text);
	out_say(&ctl->out, "Node stopped");
	return STATUS_DONE;
}

static const struct form forms[] = {
	{"[--ip=<IP>] [--ip6=<IP6>] [--as=<AS_NUM>] [--node-image=<IMAGE>] [--runtime=<RUNTIME>] "
	 "[--log-dir=<LOG_DIR>] [--detach=<DETACH>] [--no-pull] [--libnetwork] [--libnetwork-image=<IMAGE>]",
	 cmd_node_start},
	{"stop [--force]", node_stop},
	{"remove [--hostname=<HOSTNAME>] [--remove-endpoints]", cmd_node_remove},
	{"show [-o <FORMAT>]", node_show},
	{"bgp peer add <PEER_IP> as <AS_NUM>", peer_add},
	{"bgp peer remove <PEER_IP>", peer_remove},
	{"bgp peer show [--ipv4 | --ipv6] [-o <FORMAT>]", peer_show},
	{0},
};

static const struct option_spec options[] = {
	{"--ip=<IP>", "IPv4 address of this host for routing; found on its interfaces if not given."},
	{"--ip6=<IP6>", "IPv6 address of this host for routing; none if not given."},
	{"--as=<AS_NUM>", "AS number of this host; that of all nodes if not given."},
	{"--runtime=<RUNTIME>", "'docker' or 'rkt' start the daemon; 'none' only prepares the host."},
	{"--log-dir=<LOG_DIR>", "Where the daemon's log is written. [default: /var/log/calico]"},
	{"--detach=<DETACH>", "'false' runs the daemon in the foreground. [default: true]"},
	{"--libnetwork", "Serve Docker's network and IPAM plugins; the daemon always does."},
	{"--node-image=<IMAGE>", "Accepted and ignored: the daemon is a process of this host."},
	{"--libnetwork-image=<IMAGE>", "Accepted and ignored."},
	{"--no-pull", "Accepted and ignored."},
	{"--force", "Stop although there are endpoints on this host."},
	{"--hostname=<HOSTNAME>", "The host to remove. [default: this host]"},
	{"--remove-endpoints", "Remove the host's endpoints too."},
	OPTIONS_FAMILY,
	OPTION_OUTPUT,
	{0},
};

const struct command command_node = {
	.name = "node",
	.summary = "The daemon of this host, and its settings",
	.description =
		"Start or stop calico-node, the daemon of this host. A start replaces a running daemon, so that\n"
		"the options given now apply. Containers stay connected, and policy in force, while it is away.\n"
		"Show the hosts, remove one from the datastore, or set BGP peers of this host alone.",
	.forms = forms,
	.options = options,
};
