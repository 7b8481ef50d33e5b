/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What rotate.bpf.c is told by paths_bench.c. */
#ifndef BENCH_ROTATE_H
#define BENCH_ROTATE_H

#define ROTATE_LENGTH 96
/* Odd, so that multiples of it visit each of 2^n flows once, in an order that no prefetcher guesses. */
#define ROTATE_STRIDE 40503

struct rotation {
	__u64 frame[ROTATE_LENGTH / 8];
	__u32 port_offset; /* in the frame */
	__u32 first_port;
	__u32 flows; /* a power of two */
	__u32 count;
};

#endif
