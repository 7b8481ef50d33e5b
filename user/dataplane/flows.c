/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Expiry and removal of flows, by programs that run inside the kernel, and flows of tables of another size.
 */
#include "dataplane/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "dataplane/pins.h"
#include "flow.h"
#include "util/log.h"

/* Flows copied at a time. */
#define BATCH 4096

static const char *const table_names[FLOW_TABLES] = {"flow4", "flow6", "nat4"};

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

static int read_table(struct dataplane *dp, __u32 index, struct flow_table *ret)
{
	return bpf_map_lookup_elem(programs_map(&dp->programs, "flow_table"), &index, ret) ? -errno : 0;
}

/* No flow was there, and none was opened since: there is nothing to look for. */
static bool is_idle(struct dataplane *dp, const __u32 next[2])
{
	return dp->flow_tables.live == 0 && !memcmp(next, dp->flow_tables.next, sizeof(dp->flow_tables.next));
}

int dataplane_expire_flows(struct dataplane *dp)
{
	struct sweep sweep = {0};
	struct flow_table table;
	__u32 next[2];
	int rc;

	/* What uplinks noted in the old tables until they were switched over. */
	if (dp->active) {
		flows_carry(dp);
		flows_done(dp);
	}
	for (__u32 i = 0; i < 2; i++) {
		rc = read_table(dp, i, &table);
		if (rc)
			return rc;
		next[i] = table.next;
	}
	if (is_idle(dp, next))
		return 0;
	rc = run(dp->programs.sweep_flows, &sweep);
	dp->flow_tables.live = rc ? -1 : (int)sweep.live;
	memcpy(dp->flow_tables.next, next, sizeof(next));
	return rc ? rc : (int)sweep.live;
}

int dataplane_flow_usage(struct dataplane *dp, int family, struct flow_usage *ret)
{
	__u32 index = family == 6;
	struct flow_table table;
	int rc = read_table(dp, index, &table);

	if (rc)
		return rc;
	*ret = (struct flow_usage){
		.flows = table.flows,
		.capacity = dp->settings.flows[index],
		.largest = table.largest,
		.largest_flows = table.largest_flows,
		.evicted = table.evicted,
	};
	return 0;
}

/* ---- flows of an earlier generation's tables ---- */

static bool map_info(int fd, struct bpf_map_info *ret)
{
	__u32 size = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &size) == 0;
}

/* The pinned table, if it is another one of the same layout; else -1. */
static int open_earlier(struct dataplane *dp, const char *name)
{
	struct bpf_map_info own, earlier;
	int fd = pins_get(dp->pins, "", name);

	if (fd < 0)
		return -1;
	if (map_info(fd, &earlier) && map_info(programs_map(&dp->programs, name), &own) &&
	    earlier.id != own.id && earlier.type == own.type && earlier.key_size == own.key_size &&
	    earlier.value_size == own.value_size)
		return fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return -1;
}

/* So many parts ago that the next sweep records the flow again: more than the ring has. */
#define UNRECORDED 0x6000

static __u16 unrecorded(struct dataplane *dp, __u32 index)
{
	struct flow_table table = {0};

	read_table(dp, index, &table);
	return (__u16)((table.next >> dp->settings.opened_shift[index]) - UNRECORDED);
}

/* A new ring does not start at 0, for that is where flows of tables without a ring say that their record is.
 */
static void start_ring(struct dataplane *dp, __u32 index)
{
	struct flow_table table;

	if (read_table(dp, index, &table) || table.next)
		return;
	table.next = UNRECORDED << dp->settings.opened_shift[index];
	bpf_map_update_elem(programs_map(&dp->programs, "flow_table"), &index, &table, BPF_ANY);
}

/* A flow that the new table knows already is newer there. */
static int copy_batch(int to, const void *keys, struct flow *flows, __u32 count, size_t key_size, int opened)
{
	for (__u32 i = 0; i < count; i++) {
		if (opened >= 0)
			flows[i].opened = (__u16)opened;
		if (bpf_map_update_elem(to, (const char *)keys + i * key_size, &flows[i], BPF_NOEXIST) &&
		    errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int copy_flows(int from, int to, size_t key_size, int opened)
{
	char *keys = malloc(BATCH * key_size);
	struct flow *flows = malloc(BATCH * sizeof(*flows));
	__u32 at = 0, count;
	bool first = true;
	int rc = keys && flows ? 0 : -ENOMEM;

	while (!rc) {
		count = BATCH;
		rc = bpf_map_lookup_batch(from, first ? NULL : &at, &at, keys, flows, &count, NULL) ? -errno
												    : 0;
		first = false;
		if (!rc || rc == -ENOENT) {
			int copied = copy_batch(to, keys, flows, count, key_size, opened);

			rc = copied ? copied : rc;
		}
	}
	free(keys);
	free(flows);
	return rc == -ENOENT ? 0 : rc;
}

void flows_carry(struct dataplane *dp)
{
	for (__u32 i = 0; i < FLOW_TABLES; i++) {
		const int from = dp->flow_tables.earlier[i];
		size_t key_size = i == 1 ? sizeof(struct flow6_key) : sizeof(struct flow4_key);
		int rc;

		if (from < 0)
			continue;
		rc = copy_flows(from, programs_map(&dp->programs, table_names[i]), key_size,
				i < 2 ? unrecorded(dp, i) : -1);
		dp->flow_tables.live = -1;
		if (rc)
			log_warn("dataplane", "not all connections could be taken over into %s: %s",
				 table_names[i], strerror(-rc));
	}
}

void flows_init(struct dataplane *dp)
{
	dp->flow_tables.live = -1;
	start_ring(dp, 0);
	start_ring(dp, 1);
	for (int i = 0; i < FLOW_TABLES; i++)
		dp->flow_tables.earlier[i] = open_earlier(dp, table_names[i]);
	flows_carry(dp);
}

void flows_done(struct dataplane *dp)
{
	for (int i = 0; i < FLOW_TABLES; i++) {
		if (dp->flow_tables.earlier[i] >= 0)
			close(dp->flow_tables.earlier[i]);
		dp->flow_tables.earlier[i] = -1;
	}
}
