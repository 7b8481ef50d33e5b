/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps our rules in the host's netfilter as they should be: the kernel announces every change of the rule
 * set, and after each burst of changes ours are looked at and put right.
 */
#include "dataplane/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nfnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "dataplane/nftables.h"
#include "util/log.h"
#include "util/task.h"

/* From the first announcement to the check; longer after a repair, lest two programs fight over a place. */
#define SETTLE_MS 100
#define REPAIR_MS 1000

struct netfilter {
	const struct dataplane *dp;
	struct nftables *nft;
	struct nl_sock *sock;
	struct event *readable, *settled;
	bool masquerade;
	bool repaired; /* the last check changed something */
	bool warned;   /* about iptables-legacy */
};

/* The first failure; else 1 if one of them is. */
static int worst(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? a : b;
	return a || b;
}

/* 1: something had to be changed. */
static int check(struct netfilter *netfilter, struct err *err)
{
	const struct settings *settings = &netfilter->dp->settings;
	const __u32 passed = settings->mark_approved | settings->mark_to_host;
	const __u32 mark = netfilter->masquerade ? settings->mark_nat_out : 0;
	const char *prefix = netfilter->dp->interface_prefix;
	int guard, accept, masquerade;

	if (!netfilter->warned && xtables_drops_forwarded(prefix)) {
		netfilter->warned = true;
		log_warn(
			"netfilter",
			"iptables-legacy drops forwarded packets; endpoints are not reachable through this host until: "
			"iptables-legacy -I FORWARD -i %s+ -j ACCEPT; iptables-legacy -I FORWARD -o %s+ -j ACCEPT",
			prefix, prefix);
	}
	guard = nftables_apply_guard(netfilter->nft, passed, err);
	masquerade = nftables_apply_masquerade(netfilter->nft, mark, guard < 0 ? NULL : err);
	accept = nftables_apply_accept(netfilter->nft, passed, guard < 0 || masquerade < 0 ? NULL : err);
	return worst(guard, worst(masquerade, accept));
}

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
	struct netfilter *netfilter = arg;
	struct err err = {0};
	int rc = check(netfilter, &err);

	netfilter->repaired = rc != 0;
	if (rc > 0)
		log_limited(LOG_LEVEL_INFO, "netfilter", "repairs",
			    "restored the rules for endpoints that another program removed or preceded");
	if (rc < 0)
		log_repeated(LOG_LEVEL_WARN, "netfilter", "rules", "%s; tried again at the next change",
			     err.text);
}

static void on_change(evutil_socket_t fd, short what, void *arg)
{
	struct netfilter *netfilter = arg;
	int ms = netfilter->repaired ? REPAIR_MS : SETTLE_MS;
	struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	char ignored[8192];
	ssize_t n;

	/* What changed does not matter, nor does it when announcements were lost (ENOBUFS). */
	do
		n = recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT);
	while (n > 0 || (n < 0 && errno == ENOBUFS));
	if (!event_pending(netfilter->settled, EV_TIMEOUT, NULL))
		event_add(netfilter->settled, &delay);
}

static int watch(struct netfilter *netfilter, struct err *err)
{
	int rc = -NLE_NOMEM;

	netfilter->sock = nl_socket_alloc();
	if (netfilter->sock)
		rc = nl_connect(netfilter->sock, NETLINK_NETFILTER);
	if (!rc)
		rc = nl_socket_add_membership(netfilter->sock, NFNLGRP_NFTABLES);
	if (rc)
		return err_set(err, EIO, "cannot subscribe to changes of netfilter rules: %s",
			       nl_geterror(rc));
	netfilter->readable = event_new(task_base(), nl_socket_get_fd(netfilter->sock), EV_READ | EV_PERSIST,
					on_change, netfilter);
	netfilter->settled = evtimer_new(task_base(), on_settled, netfilter);
	if (!netfilter->readable || !netfilter->settled || event_add(netfilter->readable, NULL))
		return err_set(err, ENOMEM, "out of memory while subscribing to changes of netfilter rules");
	return 0;
}

static int netfilter_new(const struct dataplane *dp, struct netfilter **ret, struct err *err)
{
	struct netfilter *netfilter = calloc(1, sizeof(*netfilter));
	int rc;

	if (!netfilter)
		return err_set(err, ENOMEM, "out of memory while opening nftables");
	netfilter->dp = dp;
	rc = nftables_open(dp->interface_prefix, &netfilter->nft, err);
	if (!rc)
		rc = watch(netfilter, err);
	if (rc) {
		netfilter_free(netfilter);
		return rc;
	}
	*ret = netfilter;
	return 0;
}

void netfilter_free(struct netfilter *netfilter)
{
	if (!netfilter)
		return;
	if (netfilter->readable)
		event_free(netfilter->readable);
	if (netfilter->settled)
		event_free(netfilter->settled);
	nl_socket_free(netfilter->sock);
	nftables_close(netfilter->nft);
	free(netfilter);
}

int netfilter_apply(struct dataplane *dp, bool masquerade, struct err *err)
{
	int rc = dp->netfilter ? 0 : netfilter_new(dp, &dp->netfilter, err);

	if (rc)
		return rc;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the analyser thinks that err_set() may return
	 * 0 */
	dp->netfilter->masquerade = masquerade;
	rc = check(dp->netfilter, err);
	return rc < 0 ? rc : 0;
}

int netfilter_remove(const char *interface_prefix, struct err *err)
{
	struct nftables *nft;
	int guard, accept, masquerade, result;

	result = nftables_open(interface_prefix, &nft, err);
	if (result)
		return result == -EPROTONOSUPPORT ? 0 : result;
	accept = nftables_apply_accept(nft, 0, err);
	masquerade = nftables_apply_masquerade(nft, 0, accept < 0 ? NULL : err);
	guard = nftables_apply_guard(nft, 0, accept < 0 || masquerade < 0 ? NULL : err);
	nftables_close(nft);
	result = worst(accept, worst(masquerade, guard));
	return result < 0 ? result : 0;
}
