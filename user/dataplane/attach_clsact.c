/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Filters of a clsact qdisc, for kernels before tcx. Ours is the one with our handle at priority 1, so that
 * nothing runs before it but what chose the same priority later.
 */
#include "dataplane/attach.h"

#include <errno.h>
#include <stdbool.h>

#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>

#define FILTER_HANDLE	0xca11c0
#define FILTER_PRIORITY 1

static const enum bpf_tc_attach_point tc_point[HOOK_COUNT] = {
	[HOOK_INGRESS] = BPF_TC_INGRESS,
	[HOOK_EGRESS] = BPF_TC_EGRESS,
};

static int clsact_set(const struct attach_point *point, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, qdisc, .ifindex = point->ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = point->ifindex, .attach_point = tc_point[point->hook]);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		    .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);
	int rc;

	rc = bpf_tc_hook_create(&qdisc);
	if (rc && rc != -EEXIST)
		return rc;
	return bpf_tc_attach(&hook, &opts);
}

static int clsact_get(const struct attach_point *point, __u32 *ret_prog_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = point->ifindex, .attach_point = tc_point[point->hook]);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	int rc = bpf_tc_query(&hook, &opts);

	*ret_prog_id = rc ? 0 : opts.prog_id;
	/* -EINVAL: no such qdisc. */
	return rc == -ENOENT || rc == -EINVAL || rc == -ENODEV ? 0 : rc;
}

/* True when neither hook of the interface has a filter; false when in doubt. */
static bool qdisc_is_unused(int ifindex)
{
	static const uint32_t parents[] = {
		TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
		TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
	};
	struct nl_sock *sock = nl_socket_alloc();
	bool unused = sock && nl_connect(sock, NETLINK_ROUTE) == 0;

	for (size_t i = 0; unused && i < sizeof(parents) / sizeof(parents[0]); i++) {
		struct nl_cache *filters;

		unused = rtnl_cls_alloc_cache(sock, ifindex, parents[i], &filters) == 0;
		if (unused) {
			unused = nl_cache_is_empty(filters);
			nl_cache_free(filters);
		}
	}
	nl_socket_free(sock);
	return unused;
}

static int clsact_remove(const struct attach_point *point)
{
	LIBBPF_OPTS(bpf_tc_hook, qdisc, .ifindex = point->ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = point->ifindex, .attach_point = tc_point[point->hook]);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	__u32 prog_id;
	int rc;

	rc = clsact_get(point, &prog_id);
	if (rc || !prog_id)
		return rc;
	rc = bpf_tc_detach(&hook, &opts);
	if (rc && rc != -ENOENT && rc != -ENODEV)
		return rc;
	/* The qdisc has no owner; it goes with its last filter. */
	if (qdisc_is_unused(point->ifindex))
		bpf_tc_hook_destroy(&qdisc);
	return 0;
}

const struct attach_ops attach_clsact = {
	.name = "clsact",
	.set = clsact_set,
	.get = clsact_get,
	.remove = clsact_remove,
};
