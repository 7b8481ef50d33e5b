/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Expiry and removal of flows, by programs that run inside the kernel. */
#include "dataplane/internal.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "flow.h"

/* Of the capacity, in percent: from here on timeouts are short. */
#define PRESSURE_PERCENT 80

/* Of syscall programs the kernel copies the context back to where it came from; ctx_out must be NULL. */
static int run(int prog_fd, struct sweep *sweep)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = sweep, .ctx_size_in = sizeof(*sweep));

	return bpf_prog_test_run_opts(prog_fd, &opts) ? -errno : (int)opts.retval;
}

int dataplane_purge_flows(struct dataplane *dp, const struct addr *addr)
{
	struct sweep sweep = {.family = addr->family};

	memcpy(sweep.address, addr->bytes, sizeof(sweep.address));
	return run(dp->programs.purge_flows, &sweep);
}

int dataplane_expire_flows(struct dataplane *dp)
{
	struct sweep sweep = {.pressure = dp->pressure};
	int rc = run(dp->programs.sweep_flows, &sweep);

	if (rc)
		return rc;
	dp->pressure = (__u64)sweep.live * 100 >= (__u64)dp->flow_capacity * PRESSURE_PERCENT;
	return (int)sweep.live;
}
