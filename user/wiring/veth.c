/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of pairs, and their end. */
#include "wiring/veth.h"

#include <stdio.h>
#include <string.h>

#include "util/offload.h"

struct veth_names veth_names_of(const char *endpoint_id)
{
	struct veth_names names;

	snprintf(names.host, sizeof(names.host), "cali%.11s", endpoint_id);
	snprintf(names.peer, sizeof(names.peer), "tmp%.11s", endpoint_id);
	return names;
}

struct unplugging {
	int ifindex, rc;
	struct err err;
};

static void delete_interface(void *arg)
{
	struct unplugging *unplugging = arg;
	struct netlink *netlink;

	unplugging->rc = netlink_open(&netlink, &unplugging->err);
	if (unplugging->rc < 0)
		return;
	unplugging->rc = link_delete(netlink, unplugging->ifindex, &unplugging->err);
	netlink_close(netlink);
}

/*
 * In a thread: the kernel waits for some grace periods, 20 to 50 ms, before it lets an interface with
 * programs go, and everything else would wait with it.
 */
int veth_delete(struct netlink *netlink, const char *host_name, struct err *err)
{
	struct unplugging unplugging = {.ifindex = link_index(netlink, host_name)};
	int rc;

	if (unplugging.ifindex <= 0)
		return 0;
	rc = offload("deleting an interface", delete_interface, &unplugging);
	if (rc < 0)
		return err_set(err, -rc, "cannot delete the interface %s: %s", host_name, strerror(-rc));
	if (unplugging.rc < 0)
		*err = unplugging.err;
	return unplugging.rc;
}
