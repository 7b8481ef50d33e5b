/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All that other software may change of an interface, in one message of the kernel. libnl reads the settings
 * of IPv4 only, so the message is taken apart here.
 */
#include "netlink/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

/* Where the kernel has each setting in its array of the family, and its file below /proc/sys/net. */
static const struct place {
	uint8_t family;
	uint16_t index;
	const char *name;
} places[LINK_SETTINGS] = {
	[LINK_FORWARDING4] = {4, IPV4_DEVCONF_FORWARDING - 1, "forwarding"},
	[LINK_RP_FILTER] = {4, IPV4_DEVCONF_RP_FILTER - 1, "rp_filter"},
	[LINK_PROXY_ARP] = {4, IPV4_DEVCONF_PROXY_ARP - 1, "proxy_arp"},
	[LINK_ROUTE_LOCALNET] = {4, IPV4_DEVCONF_ROUTE_LOCALNET - 1, "route_localnet"},
	[LINK_ACCEPT_LOCAL] = {4, IPV4_DEVCONF_ACCEPT_LOCAL - 1, "accept_local"},
	[LINK_ACCEPT_REDIRECTS4] = {4, IPV4_DEVCONF_ACCEPT_REDIRECTS - 1, "accept_redirects"},
	[LINK_ACCEPT_SOURCE_ROUTE4] = {4, IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE - 1, "accept_source_route"},
	[LINK_DISABLE_IPV6] = {6, DEVCONF_DISABLE_IPV6, "disable_ipv6"},
	[LINK_FORWARDING6] = {6, DEVCONF_FORWARDING, "forwarding"},
	[LINK_ACCEPT_RA] = {6, DEVCONF_ACCEPT_RA, "accept_ra"},
	[LINK_ACCEPT_REDIRECTS6] = {6, DEVCONF_ACCEPT_REDIRECTS, "accept_redirects"},
};

const char *link_setting_path(char path[LINK_SETTING_PATH], enum link_setting setting, const char *link)
{
	snprintf(path, LINK_SETTING_PATH, "ipv%u/conf/%s/%s", places[setting].family, link,
		 places[setting].name);
	return path;
}

static void read_array(struct link_state *state, uint8_t family, struct nlattr *array)
{
	size_t count = array ? (size_t)nla_len(array) / sizeof(int32_t) : 0;

	for (int i = 0; i < LINK_SETTINGS; i++) {
		if (places[i].family == family && places[i].index < count)
			memcpy(&state->setting[i], (int32_t *)nla_data(array) + places[i].index,
			       sizeof(state->setting[i]));
	}
}

static struct nlattr *find_in(struct nlattr *parent, int type)
{
	return parent ? nla_find(nla_data(parent), nla_len(parent), type) : NULL;
}

static void read_text(struct nlattr *attr, char *text, size_t size)
{
	if (attr)
		nla_strlcpy(text, attr, size);
}

static void read_state(struct nlmsghdr *hdr, struct link_state *ret)
{
	const struct ifinfomsg *info = nlmsg_data(hdr);
	struct nlattr *families = nlmsg_find_attr(hdr, sizeof(*info), IFLA_AF_SPEC);
	struct nlattr *mac = nlmsg_find_attr(hdr, sizeof(*info), IFLA_ADDRESS);
	struct nlattr *number;

	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i < LINK_SETTINGS; i++)
		ret->setting[i] = -1;
	ret->ifindex = info->ifi_index;
	ret->up = info->ifi_flags & IFF_UP;
	ret->arp = !(info->ifi_flags & IFF_NOARP);
	if (mac && nla_len(mac) == sizeof(ret->mac))
		memcpy(ret->mac, nla_data(mac), sizeof(ret->mac));
	read_text(nlmsg_find_attr(hdr, sizeof(*info), IFLA_IFNAME), ret->name, sizeof(ret->name));
	read_text(nlmsg_find_attr(hdr, sizeof(*info), IFLA_QDISC), ret->qdisc, sizeof(ret->qdisc));
	number = nlmsg_find_attr(hdr, sizeof(*info), IFLA_MTU);
	ret->mtu = number ? nla_get_u32(number) : 0;
	number = nlmsg_find_attr(hdr, sizeof(*info), IFLA_MASTER);
	ret->master = number ? (int)nla_get_u32(number) : 0;
	number = nlmsg_find_attr(hdr, sizeof(*info), IFLA_LINK);
	ret->peer_ifindex = number ? (int)nla_get_u32(number) : 0;
	number = nlmsg_find_attr(hdr, sizeof(*info), IFLA_LINK_NETNSID);
	ret->peer_netns = number ? (int)nla_get_u32(number) : -1;
	read_array(ret, 4, find_in(find_in(families, AF_INET), IFLA_INET_CONF));
	read_array(ret, 6, find_in(find_in(families, AF_INET6), IFLA_INET6_CONF));
}

/* netns: number of another network namespace, as this one calls it; -1: this one. */
static struct nl_msg *request_new(int ifindex, int netns)
{
	struct ifinfomsg info = {.ifi_index = ifindex};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, ifindex ? 0 : NLM_F_DUMP);

	if (!msg)
		return NULL;
	if (nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0 ||
	    (netns >= 0 && nla_put_s32(msg, IFLA_TARGET_NETNSID, netns) < 0)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

struct states {
	struct link_state *list;
	size_t count, room;
};

static int collect(struct nlmsghdr *hdr, void *arg)
{
	struct states *states = arg;

	if (hdr->nlmsg_type != RTM_NEWLINK || !nlmsg_valid_hdr(hdr, sizeof(struct ifinfomsg)))
		return 0;
	if (states->count == states->room) {
		size_t room = states->room * 2 + 16;
		struct link_state *list = realloc(states->list, room * sizeof(*list));

		if (!list)
			return -ENOMEM;
		states->list = list;
		states->room = room;
	}
	read_state(hdr, &states->list[states->count++]);
	return 0;
}

static int take_state(struct nlmsghdr *hdr, void *arg)
{
	if (hdr->nlmsg_type == RTM_NEWLINK && nlmsg_valid_hdr(hdr, sizeof(struct ifinfomsg)))
		read_state(hdr, arg);
	return 0;
}

int link_state_list(struct netlink *nl, struct link_state **ret, size_t *ret_count, struct err *err)
{
	struct states states = {0};
	struct nl_msg *msg = request_new(0, -1);
	int rc = msg ? netlink_dump(nl, msg, collect, &states) : -ENOMEM;

	if (rc < 0) {
		free(states.list);
		return err_set(err, -rc, "cannot list the settings of the interfaces: %s", strerror(-rc));
	}
	*ret = states.list;
	*ret_count = states.count;
	return 0;
}

int link_state_get(struct netlink *nl, int ifindex, struct link_state *ret)
{
	struct nl_msg *msg = request_new(ifindex, -1);
	int rc;

	ret->ifindex = 0;
	rc = msg ? netlink_ask(nl, msg, take_state, ret) : -ENOMEM;
	return rc < 0 ? rc : ret->ifindex ? 0 : -ENODEV;
}

unsigned int link_peer_mtu(struct netlink *nl, const struct link_state *state)
{
	struct link_state peer = {0};
	struct nl_msg *msg = state->peer_ifindex ? request_new(state->peer_ifindex, state->peer_netns) : NULL;

	return msg && netlink_ask(nl, msg, take_state, &peer) >= 0 ? peer.mtu : 0;
}
