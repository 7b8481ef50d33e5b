/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where checksums stand, and how they change with what they cover. */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include "context.h"

enum checksum_offset { IP_CHECKSUM = 10, TCP_CHECKSUM = 16, UDP_CHECKSUM = 6, ICMP_CHECKSUM = 2 };

/* RFC 1624, equation 3. */
static __always_inline __u16 checksum_replace(__u16 check, __u32 from, __u32 to)
{
	__u32 sum = (__u16)~check;

	sum += (__u16)~from + (__u16)(~from >> 16) + (__u16)to + (to >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

#endif
