/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The policy engine's sink: maps of this generation, and the fence after which freed entries may be reused.
 */
#include "dataplane/internal.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

static const char *const map_name[POLICY_MAP_COUNT] = {
	[MAP_IDENTITY] = "identity",
	[MAP_ADDRESS4] = "address4",
	[MAP_ADDRESS6] = "address6",
	[MAP_PREFIX4] = "prefix4",
	[MAP_PREFIX6] = "prefix6",
	[MAP_PORTSET] = "portset",
	[MAP_RULE] = "rule",
	[MAP_RULE_INFO] = "rule_info",
	[MAP_LOG_PREFIX] = "log_prefix",
	[MAP_STEP] = "step",
	[MAP_LIST] = "list",
	[MAP_ENDPOINT_POLICY] = "endpoint_policy",
	[MAP_GENERATION] = "generation",
};

const char *dataplane_policy_map(enum policy_map map)
{
	return map_name[map];
}

/* A number that named another rule before starts from zero. */
static int reset_hits(const struct sink *sink, const void *rule_id)
{
	return bpf_map_update_elem(sink->rule_hits, rule_id, sink->no_hits, BPF_ANY) ? -errno : 0;
}

static int sink_write(void *arg, enum policy_map map, const void *key, const void *value)
{
	struct sink *sink = arg;
	int rc = map == MAP_RULE_INFO ? reset_hits(sink, key) : 0;

	if (rc || !bpf_map_update_elem(sink->map[map], key, value, BPF_ANY))
		return rc;
	/* Tries say -ENOSPC where hashes say -E2BIG. */
	return errno == ENOSPC ? -E2BIG : -errno;
}

static int sink_erase(void *arg, enum policy_map map, const void *key)
{
	struct sink *sink = arg;

	return bpf_map_delete_elem(sink->map[map], key) && errno != ENOENT ? -errno : 0;
}

static int sink_fence(void *arg)
{
	struct sink *sink = arg;

	return fence_wait(sink->fence);
}

int sink_init(struct sink *sink, const struct programs *programs)
{
	int cpus = libbpf_num_possible_cpus();

	sink->no_hits = cpus > 0 ? calloc((size_t)cpus, sizeof(*sink->no_hits)) : NULL;
	if (!sink->no_hits)
		return cpus < 0 ? cpus : -ENOMEM;
	sink->rule_hits = programs_map(programs, "rule_hits");
	sink->ops.arg = sink;
	sink->ops.write = sink_write;
	sink->ops.erase = sink_erase;
	sink->ops.fence = sink_fence;
	for (int i = 0; i < POLICY_MAP_COUNT; i++) {
		sink->map[i] = programs_map(programs, map_name[i]);
		if (sink->map[i] < 0)
			return sink->map[i];
		sink->ops.capacity[i] = maps_capacity(sink->map[i]);
	}
	return fence_new(&sink->fence);
}

void sink_done(struct sink *sink)
{
	free(sink->no_hits);
	fence_free(sink->fence);
}
