/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writes of the policy engine into the maps of the programs under test. */
#include "sink.h"

#include <errno.h>

#include <bpf/bpf.h>

static const char *const map_names[POLICY_MAP_COUNT] = {
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

static int write_entry(void *arg, enum policy_map map, const void *key, const void *value)
{
	return bpf_map_update_elem(progrun_map(arg, map_names[map]), key, value, BPF_ANY);
}

static int erase_entry(void *arg, enum policy_map map, const void *key)
{
	return bpf_map_delete_elem(progrun_map(arg, map_names[map]), key);
}

static int no_fence(void *arg)
{
	return 0;
}

void sink_to_maps(struct policy_sink *sink, struct progrun *progrun)
{
	*sink = (struct policy_sink){
		.arg = progrun, .write = write_entry, .erase = erase_entry, .fence = no_fence};
	for (int map = 0; map < POLICY_MAP_COUNT; map++)
		sink->capacity[map] = progrun_capacity(progrun, map_names[map]);
}
