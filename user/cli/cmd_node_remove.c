/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl node remove: takes a host out of the datastore, and its veths off this machine. */
#include "cli/cmd_node.h"

#include <errno.h>
#include <string.h>

#include "cli/daemon.h"
#include "cli/endpoints.h"
#include "cli/validate.h"
#include "ipam/ipam.h"
#include "netlink/netlink.h"
#include "store/keys.h"

/* Host side interfaces that are on this machine; only deleting needs root. */
static int delete_interfaces(struct ctl *ctl, const struct endpoint_entries *entries)
{
	struct netlink *netlink;
	struct err err;
	int status = STATUS_DONE;

	if (netlink_open(&netlink, &err) < 0)
		return ctl_failed(ctl, "%s.", err.text);
	for (size_t i = 0; i < entries->count && status == STATUS_DONE; i++) {
		const struct workload_endpoint *endpoint = entries->items[i].endpoint;
		int ifindex = endpoint ? link_index(netlink, endpoint->name) : -ENODEV;
		struct link_info link;

		/* A host of the same cluster may have an interface of this name that is not ours. */
		if (ifindex <= 0 || link_get(netlink, ifindex, &link) < 0 || strcmp(link.kind, "veth") != 0)
			continue;
		if (!ctl_is_root(ctl))
			status = STATUS_ROOT;
		else if (link_delete(netlink, ifindex, &err) < 0)
			status = ctl_failed(ctl, "%s.", err.text);
	}
	netlink_close(netlink);
	return status;
}

static int release_address(struct ctl *ctl, struct ipam *ipam, const struct addr *addr)
{
	struct err err;
	int r = ipam_release(ipam, addr, &err);

	return r < 0 && r != -ENOENT ? ctl_store_failed(ctl, &err) : STATUS_DONE;
}

static int release_endpoints(struct ctl *ctl, struct ipam *ipam, const struct endpoint_entries *entries)
{
	int status = STATUS_DONE;

	for (size_t i = 0; i < entries->count; i++) {
		const struct workload_endpoint *endpoint = entries->items[i].endpoint;

		for (size_t n = 0; endpoint && n < endpoint->net_count && status == STATUS_DONE; n++)
			status = release_address(ctl, ipam, &endpoint->nets[n]);
	}
	return status;
}

static int release_tunnel(struct ctl *ctl, struct ipam *ipam, const char *host)
{
	char key[KEY_MAX];
	const char *text;
	struct addr addr;
	int status = STATUS_DONE;

	if (!ctl_read(ctl, key_host_config(key, host, "IpInIpTunnelAddr"), &text))
		return STATUS_FAILED;
	if (text && addr_parse(text, &addr) == 0)
		status = release_address(ctl, ipam, &addr);
	if (status == STATUS_DONE && text && !ctl_delete(ctl, key, NULL))
		status = STATUS_FAILED;
	return status;
}

static int delete_tree(struct ctl *ctl, const char *directory)
{
	struct err err;
	int r = store_delete_tree(ctl->store, directory, &err);

	return r < 0 && r != -ENOENT ? ctl_store_failed(ctl, &err) : STATUS_DONE;
}

static int remove_host(struct ctl *ctl, const char *host, const struct endpoint_entries *entries)
{
	struct ipam ipam = {.store = ctl->store, .host = host};
	char key[KEY_MAX];
	struct err err;
	int status = delete_interfaces(ctl, entries);

	if (status == STATUS_DONE)
		status = release_endpoints(ctl, &ipam, entries);
	if (status == STATUS_DONE && ipam_release_host(&ipam, host, &err) < 0)
		status = ctl_store_failed(ctl, &err);
	if (status == STATUS_DONE)
		status = release_tunnel(ctl, &ipam, host);
	if (status == STATUS_DONE)
		status = delete_tree(ctl, key_bgp_host(key, host, NULL));
	if (status == STATUS_DONE)
		status = delete_tree(ctl, key_host(key, host));
	return status;
}

/* This host's own daemon would write the host's keys again. */
static int check_daemon(struct ctl *ctl, const char *host)
{
	pid_t pid;

	if (strcmp(host, ctl->config->hostname) != 0)
		return STATUS_DONE;
	if (daemon_find(ctl->config, &pid) < 0 && !ctl_is_root(ctl))
		return STATUS_ROOT;
	if (!pid)
		return STATUS_DONE;
	out_para(&ctl->out,
		 "The node cannot be removed while it is running.  Run 'calicoctl node stop' first.");
	return STATUS_FAILED;
}

int cmd_node_remove(struct ctl *ctl, const struct args *args)
{
	const char *host = args_get(args, "--hostname");
	struct endpoint_entries entries;
	int status;

	if (!host || !*host)
		host = ctl->config->hostname;
	if (!check_name(&ctl->out, "host", host))
		return STATUS_FAILED;

	const struct endpoint_filter filter = {.host = host};

	status = check_daemon(ctl, host);
	if (status != STATUS_DONE)
		return status;
	if (!ctl_open(ctl) || !endpoints_load(ctl, &filter, &entries))
		return STATUS_FAILED;
	status = STATUS_FAILED;
	if (entries.count && !args_has(args, "--remove-endpoints"))
		out_para(&ctl->out,
			 "The node has active Calico endpoints so can't be deleted. Force with "
			 "--remove-endpoints.  Then their interfaces on this machine are deleted and their "
			 "addresses released: the %zu container(s) lose their network.",
			 entries.count);
	else
		status = remove_host(ctl, host, &entries);
	endpoints_done(&entries);
	if (status == STATUS_DONE)
		out_say(&ctl->out, "Node configuration removed");
	return status;
}
