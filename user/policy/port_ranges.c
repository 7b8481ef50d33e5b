/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Arithmetic on lists of port ranges. Numbers are 32 bits wide here, so that "one behind 65535" exists. */
#include <errno.h>
#include <stdlib.h>

#include "policy/rulebook.h"

static int by_first(const void *a, const void *b)
{
	const struct port_range *x = a, *y = b;

	return (int)x->first - (int)y->first;
}

/* A sorted copy in which ranges that overlap or touch are one. */
static int normalise(const struct port_ranges *ranges, struct port_range **ret, size_t *ret_count)
{
	struct port_range *sorted = calloc(ranges->count + 1, sizeof(*sorted));
	size_t count = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < ranges->count; i++)
		sorted[i] = ranges->items[i];
	qsort(sorted, ranges->count, sizeof(*sorted), by_first);
	for (size_t i = 0; i < ranges->count; i++) {
		if (count > 0 && sorted[i].first <= (__u32)sorted[count - 1].last + 1) {
			if (sorted[i].last > sorted[count - 1].last)
				sorted[count - 1].last = sorted[i].last;
		} else {
			sorted[count++] = sorted[i];
		}
	}
	*ret = sorted;
	*ret_count = count;
	return 0;
}

/* Both sorted; *ret has room for all pieces: each hole adds at most one. */
static size_t subtract(const struct port_range *from, size_t from_count, const struct port_range *holes,
		       size_t hole_count, struct port_range *ret)
{
	size_t count = 0, hole = 0;

	for (size_t i = 0; i < from_count; i++) {
		__u32 at = from[i].first, end = from[i].last;

		while (hole < hole_count && holes[hole].last < at)
			hole++;
		for (size_t j = hole; j < hole_count && holes[j].first <= end; j++) {
			if (holes[j].first > at)
				ret[count++] = (struct port_range){(__u16)at, holes[j].first - 1};
			at = (__u32)holes[j].last + 1;
		}
		if (at <= end)
			ret[count++] = (struct port_range){(__u16)at, (__u16)end};
	}
	return count;
}

int port_ranges_resolve(const struct port_ranges *positive, const struct port_ranges *negative,
			struct port_range **ret, size_t *ret_count)
{
	struct port_range all = {0, 65535};
	struct port_ranges any = {.items = &all, .count = 1};
	struct port_range *from = NULL, *holes = NULL;
	size_t from_count, hole_count;
	int r;

	*ret = NULL;
	r = normalise(positive->count ? positive : &any, &from, &from_count);
	if (r == 0)
		r = normalise(negative, &holes, &hole_count);
	if (r == 0) {
		*ret = calloc(from_count + hole_count, sizeof(**ret));
		r = *ret ? 0 : -ENOMEM;
	}
	if (r == 0)
		*ret_count = subtract(from, from_count, holes, hole_count, *ret);
	free(from);
	free(holes);
	return r;
}
