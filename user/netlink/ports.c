/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ports that the kernel does not give to sockets by itself: one list for everybody on the host. */
#include "netlink/netlink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RESERVED "ipv4/ip_local_reserved_ports"
/* The kernel takes less than a page at once, and a second write replaces the first. */
#define LIST_BYTES 4096

int ports_reserve(uint16_t first, uint16_t last, struct err *err)
{
	char list[LIST_BYTES];
	int rc = sysctl_read(RESERVED, list, sizeof(list) - sizeof(",65535-65535"));
	size_t length;

	if (rc)
		return err_set(err, -rc, "cannot read net/%s: %s", RESERVED, strerror(-rc));
	length = strlen(list);
	if (length + sizeof(",65535-65535") >= sizeof(list) - 1)
		return err_set(err, ENOSPC, "net/%s is too long to add ports %u-%u; do that by hand",
			       RESERVED, first, last);
	/* The kernel merges what overlaps. */
	snprintf(list + length, sizeof(list) - length, "%s%u-%u", length ? "," : "", first, last);
	return sysctl_write(RESERVED, list, err);
}
