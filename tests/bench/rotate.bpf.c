/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Gives a program a packet as it came from the wire at each of its runs, when the kernel runs it many times
 * on one buffer: undoes what the run before has written, and puts the next flow's port in. Then calls the
 * program.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "rotate.h"

struct rotation rotation;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} target SEC(".maps");

SEC("tc")
int rotate(struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end;
	__u64 *data = (void *)(long)skb->data;
	__u32 offset = rotation.port_offset;
	__be16 *port;
	__u32 flow = rotation.count++ * ROTATE_STRIDE & (rotation.flows - 1);

	if ((void *)data + ROTATE_LENGTH > end)
		return 2; /* TC_ACT_SHOT */
#pragma unroll
	for (int i = 0; i < ROTATE_LENGTH / 8; i++)
		data[i] = rotation.frame[i];
	if (offset < ROTATE_LENGTH) {
		port = (void *)data + offset;
		if ((void *)(port + 1) <= end)
			*port = bpf_htons(rotation.first_port + flow);
	}
	bpf_tail_call(skb, &target, 0);
	return 2; /* TC_ACT_SHOT */
}

SEC("tc")
int nothing(struct __sk_buff *skb)
{
	return 0; /* TC_ACT_OK */
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
