/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Drops by interface and reason, summed over CPUs. */
#include "dataplane/internal.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "reasons.h"

struct drop_list {
	struct drop_count *entries;
	size_t count, room;
	struct traffic *per_cpu;
	int cpus;
};

static int append(struct drop_list *list, int map, const void *key, struct drop_count entry)
{
	if (bpf_map_lookup_elem(map, key, list->per_cpu))
		return errno == ENOENT ? 0 : -errno;
	for (int cpu = 0; cpu < list->cpus; cpu++) {
		entry.packets += list->per_cpu[cpu].packets;
		entry.bytes += list->per_cpu[cpu].bytes;
	}
	if (!entry.packets)
		return 0;
	if (list->count == list->room) {
		size_t room = list->room * 2 + 64;
		struct drop_count *entries = realloc(list->entries, room * sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		list->entries = entries;
		list->room = room;
	}
	list->entries[list->count++] = entry;
	return 0;
}

static int append_totals(struct drop_list *list, int map)
{
	int rc = 0;

	for (__u32 reason = 1; !rc && reason < DROP_REASON_COUNT; reason++)
		rc = append(list, map, &reason, (struct drop_count){.reason = reason});
	return rc;
}

static int append_interfaces(struct drop_list *list, int map, __u32 capacity)
{
	struct drop_key key, *previous = NULL;
	int rc = 0;

	/* A deletion meanwhile makes the walk start again, hence the bound. */
	for (__u32 i = 0; !rc && i < capacity && !bpf_map_get_next_key(map, previous, &key); i++) {
		rc = append(list, map, &key,
			    (struct drop_count){.ifindex = key.ifindex, .reason = key.reason});
		previous = &key;
	}
	return rc;
}

int dataplane_drops(struct dataplane *dp, struct drop_count **ret, size_t *ret_count)
{
	int drops = programs_map(&dp->programs, "drops");
	struct drop_list list = {.cpus = libbpf_num_possible_cpus()};
	int rc;

	if (list.cpus < 0)
		return list.cpus;
	list.per_cpu = calloc((size_t)list.cpus, sizeof(*list.per_cpu));
	if (!list.per_cpu)
		return -ENOMEM;
	rc = append_totals(&list, programs_map(&dp->programs, "drop_totals"));
	if (!rc)
		rc = append_interfaces(&list, drops, maps_capacity(drops));
	free(list.per_cpu);
	if (rc) {
		free(list.entries);
		return rc;
	}
	*ret = list.entries;
	*ret_count = list.count;
	return 0;
}

void counters_forget(struct dataplane *dp, int ifindex)
{
	struct drop_key key = {.ifindex = (__u32)ifindex};
	int map = programs_map(&dp->programs, "drops");

	for (key.reason = 1; key.reason < DROP_REASON_COUNT; key.reason++)
		bpf_map_delete_elem(map, &key);
}
