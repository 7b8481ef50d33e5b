/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Allocator of index ranges: a sorted array of free ranges. */
#include "policy/space.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct space *space, __u32 ranges)
{
	struct space_range *grown;
	__u32 room = space->room ? space->room : 8;

	if (ranges <= space->room)
		return 0;
	while (room < ranges)
		room *= 2;
	grown = reallocarray(space->free, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	space->free = grown;
	space->room = room;
	return 0;
}

int space_init(struct space *space, __u32 first, __u32 end)
{
	*space = (struct space){};
	if (first >= end)
		return 0;
	if (reserve(space, 1) < 0)
		return -ENOMEM;
	space->free[space->ranges++] = (struct space_range){.first = first, .count = end - first};
	return 0;
}

void space_done(struct space *space)
{
	free(space->free);
	*space = (struct space){};
}

static void remove_range(struct space *space, __u32 at)
{
	space->ranges--;
	memmove(space->free + at, space->free + at + 1, (space->ranges - at) * sizeof(*space->free));
}

int space_take(struct space *space, __u32 count, __u32 *ret_first)
{
	for (__u32 i = 0; i < space->ranges; i++) {
		struct space_range *range;

		if (space->free[i].count < count)
			continue;
		/* Free ranges lie between taken ones: at most one more than there are of those. */
		if (reserve(space, space->taken + 2) < 0)
			return -ENOMEM;
		range = &space->free[i];
		*ret_first = range->first;
		range->first += count;
		range->count -= count;
		if (range->count == 0)
			remove_range(space, i);
		space->taken++;
		space->used += count;
		return 0;
	}
	return -ENOSPC;
}

/* Position of the first free range behind `first`. */
static __u32 position_of(const struct space *space, __u32 first)
{
	__u32 low = 0, high = space->ranges;

	while (low < high) {
		__u32 middle = low + (high - low) / 2;

		if (space->free[middle].first < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void space_give(struct space *space, __u32 first, __u32 count)
{
	__u32 at = position_of(space, first);
	struct space_range *before = at > 0 ? &space->free[at - 1] : NULL;
	struct space_range *after = at < space->ranges ? &space->free[at] : NULL;

	space->taken--;
	space->used -= count;
	if (before && before->first + before->count == first) {
		before->count += count;
		if (after && first + count == after->first) {
			before->count += after->count;
			remove_range(space, at);
		}
		return;
	}
	if (after && first + count == after->first) {
		after->first = first;
		after->count += count;
		return;
	}
	assert(space->free);
	memmove(space->free + at + 1, space->free + at, (space->ranges - at) * sizeof(*space->free));
	space->free[at] = (struct space_range){.first = first, .count = count};
	space->ranges++;
}
