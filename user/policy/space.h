/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Allocator of index ranges of one array map: the lowest free range that is long enough. So single numbers
 * stay dense, which keeps rows of the `identity` map short.
 */
#ifndef POLICY_SPACE_H
#define POLICY_SPACE_H

#include <linux/types.h>

struct space_range {
	__u32 first, count;
};

struct space {
	struct space_range *free; /* sorted, never adjacent */
	__u32 ranges, room;
	__u32 taken; /* ranges handed out: each may become a free range of its own */
	__u32 used;  /* indices handed out */
};

/* Indices first .. end-1 are free. 0 or -ENOMEM. */
int space_init(struct space *space, __u32 first, __u32 end);
void space_done(struct space *space);
/* 0, -ENOSPC or -ENOMEM. */
int space_take(struct space *space, __u32 count, __u32 *ret_first);
/* Cannot fail: room for it was made by space_take(). */
void space_give(struct space *space, __u32 first, __u32 count);

#endif
