/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Frames between two endpoints, for runs of the programs without interfaces. Checksums are left out: nobody
 * looks. */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "bench/rotate.h"

struct frame_address {
	int family; /* 4 or 6 */
	uint8_t bytes[16];
};

struct frame_spec {
	struct frame_address source, destination;
	uint8_t protocol; /* TCP or UDP */
	uint8_t tcp_flags;
	uint16_t source_port, destination_port;
	uint16_t fragment; /* IPv4 flags and offset as in the header */
};

struct frame {
	uint8_t bytes[ROTATE_LENGTH];
	uint32_t port_offset; /* of the source port; the destination port is behind it */
};

void frame_make(struct frame *ret, const struct frame_spec *spec);
void frame_address_parse(struct frame_address *ret, const char *text);

#endif
