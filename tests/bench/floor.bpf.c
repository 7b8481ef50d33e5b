/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The least that a program between two endpoints can do: hand every packet to the other one. What a dataplane
 * with policy costs more than this is its own cost.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* The interfaces of the two endpoints have these numbers (see variants.py). */
#define OTHER(ifindex) ((ifindex) ^ 1)

enum { AF_INET = 2, AF_INET6 = 10 };

SEC("tc")
int pass_to_other(struct __sk_buff *skb)
{
	static const __u8 container_mac[] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
	__u8 *data = (void *)(long)skb->data;

	if (data + 14 > (__u8 *)(long)skb->data_end)
		return 2; /* TC_ACT_SHOT */
	/* The endpoint takes what is addressed to it. */
	__builtin_memcpy(data, container_mac, sizeof(container_mac));
	return bpf_redirect_peer(OTHER(skb->ifindex), 0);
}

/* The other host is on the link that the uplink leads to. */
SEC("tc")
int pass_to_uplink(struct __sk_buff *skb)
{
	struct bpf_redir_neigh next = {.nh_family = AF_INET};
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 34 > end)
		return 2;
	if (skb->protocol == bpf_htons(0x0800)) {
		__builtin_memcpy(&next.ipv4_nh, data + 30, sizeof(next.ipv4_nh));
	} else if (data + 54 <= end) {
		next.nh_family = AF_INET6;
		__builtin_memcpy(next.ipv6_nh, data + 38, sizeof(next.ipv6_nh));
	}
	return bpf_redirect_neigh(OTHER(skb->ifindex), &next, sizeof(next), 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
