/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ports that host endpoints leave open. */
#ifndef FAILSAFE_H
#define FAILSAFE_H

#include "context.h"

static __always_inline bool failsafe_has(__u32 direction, __u16 port)
{
	const struct portset *ports = bpf_map_lookup_elem(&failsafe, &direction);

	return ports && ports->word[port / 64] >> (port % 64) & 1;
}

/* Sent by this host: to a failsafe port elsewhere, or from its own. */
static __always_inline bool failsafe_sends(__u16 source_port, __u16 destination_port)
{
	return failsafe_has(FAILSAFE_OUTBOUND, destination_port) ||
	       failsafe_has(FAILSAFE_INBOUND, source_port);
}

#endif
