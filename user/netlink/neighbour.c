/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Permanent neighbour entries: the host never has to ask an endpoint for its MAC. */
#include "netlink/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/route/neighbour.h>

static struct rtnl_neigh *neighbour_new(int ifindex, const struct addr *addr)
{
	struct nl_addr *dst = netlink_addr_new(addr, (uint8_t)addr_bits(addr));
	struct rtnl_neigh *neigh = rtnl_neigh_alloc();

	if (!dst || !neigh) {
		nl_addr_put(dst);
		rtnl_neigh_put(neigh);
		return NULL;
	}
	rtnl_neigh_set_ifindex(neigh, ifindex);
	rtnl_neigh_set_dst(neigh, dst);
	nl_addr_put(dst);
	return neigh;
}

int neighbour_add(struct netlink *nl, int ifindex, const struct addr *addr, const uint8_t mac[6],
		  struct err *err)
{
	struct rtnl_neigh *neigh = neighbour_new(ifindex, addr);
	struct nl_addr *lladdr = netlink_mac_new(mac);
	char text[ADDR_TEXT];
	int rc = -ENOMEM;

	if (neigh && lladdr) {
		rtnl_neigh_set_lladdr(neigh, lladdr);
		rtnl_neigh_set_state(neigh, NUD_PERMANENT);
		rc = netlink_error(rtnl_neigh_add(nl->sock, neigh, NLM_F_CREATE | NLM_F_REPLACE));
	}
	nl_addr_put(lladdr);
	rtnl_neigh_put(neigh);
	if (rc)
		return err_set(err, -rc, "cannot add the neighbour %s to the interface with index %d: %s",
			       addr_format(addr, text), ifindex, strerror(-rc));
	return 0;
}

int neighbour_delete(struct netlink *nl, int ifindex, const struct addr *addr, struct err *err)
{
	struct rtnl_neigh *neigh = neighbour_new(ifindex, addr);
	char text[ADDR_TEXT];
	int rc = -ENOMEM;

	if (neigh) {
		rc = netlink_error(rtnl_neigh_delete(nl->sock, neigh, 0));
		rtnl_neigh_put(neigh);
	}
	if (rc && rc != -ENOENT && rc != -ENODEV)
		return err_set(err, -rc, "cannot delete the neighbour %s of the interface with index %d: %s",
			       addr_format(addr, text), ifindex, strerror(-rc));
	return 0;
}

struct neighbours {
	int ifindex;
	struct neighbour *list;
	size_t count, room;
};

static bool read_neighbour(struct nlmsghdr *hdr, struct neighbour *ret)
{
	const struct ndmsg *ndm = nlmsg_data(hdr);
	struct nlattr *dst, *mac;

	if (hdr->nlmsg_type != RTM_NEWNEIGH || !nlmsg_valid_hdr(hdr, sizeof(*ndm)))
		return false;
	memset(ret, 0, sizeof(*ret));
	dst = nlmsg_find_attr(hdr, sizeof(*ndm), NDA_DST);
	mac = nlmsg_find_attr(hdr, sizeof(*ndm), NDA_LLADDR);
	ret->ifindex = ndm->ndm_ifindex;
	ret->permanent = ndm->ndm_state & NUD_PERMANENT;
	ret->addr.family = ndm->ndm_family == AF_INET ? 4 : ndm->ndm_family == AF_INET6 ? 6 : 0;
	if (!ret->addr.family || !dst || nla_len(dst) != (int)addr_bits(&ret->addr) / 8)
		return false;
	memcpy(ret->addr.bytes, nla_data(dst), (size_t)nla_len(dst));
	if (mac && nla_len(mac) == sizeof(ret->mac))
		memcpy(ret->mac, nla_data(mac), sizeof(ret->mac));
	return true;
}

static int collect_neighbour(struct nlmsghdr *hdr, void *arg)
{
	struct neighbours *all = arg;
	struct neighbour entry;

	if (!read_neighbour(hdr, &entry) || (all->ifindex && entry.ifindex != all->ifindex))
		return 0;
	if (all->count == all->room) {
		size_t room = all->room * 2 + 16;
		struct neighbour *list = realloc(all->list, room * sizeof(*list));

		if (!list)
			return -ENOMEM;
		all->list = list;
		all->room = room;
	}
	all->list[all->count++] = entry;
	return 0;
}

int neighbour_list(struct netlink *nl, int ifindex, struct neighbour **ret, size_t *ret_count,
		   struct err *err)
{
	struct ndmsg ndm = {.ndm_family = AF_UNSPEC};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_DUMP);
	struct neighbours all = {.ifindex = ifindex};
	int rc = -ENOMEM;

	if (msg && nlmsg_append(msg, &ndm, sizeof(ndm), NLMSG_ALIGNTO) >= 0 &&
	    (!ifindex || nla_put_u32(msg, NDA_IFINDEX, (uint32_t)ifindex) >= 0))
		rc = netlink_dump(nl, msg, collect_neighbour, &all);
	else
		nlmsg_free(msg);
	if (rc < 0) {
		free(all.list);
		return err_set(err, -rc, "cannot list the neighbours: %s", strerror(-rc));
	}
	*ret = all.list;
	*ret_count = all.count;
	return 0;
}
