/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * XDP of an uplink: screens what arrives before it has a socket buffer. Beyond what from_uplink would do by
 * addresses, packets that open a flow to an endpoint here are judged by its policy, without a trace unless
 * they are dropped: from_uplink sees the others, counts them and makes their flows.
 */
#include "screen.h"
#include "track.h"

#define ETH_DATA_LENGTH 1500

/* The frame; of one in several buffers the kernel has to add them up. */
static __always_inline __u32 frame_length(struct xdp_md *ctx)
{
	__u32 length = ctx->data_end - ctx->data;

	return length < ETH_DATA_LENGTH ? length : bpf_xdp_get_buff_len(ctx);
}

static __always_inline int judge_opener(struct packet *p)
{
	int r;

	p->flags |= PACKET_TRIAL;
	r = judge(p);
	if (r >= 0 || (p->flags & PACKET_FAULT))
		return SCREEN_PASS;
	p->flags &= ~PACKET_TRIAL;
	if (!p->traces)
		return r;
	/* A rule that denies has always been hit itself. */
	if (p->traces == 1 && p->rule_id) {
		rule_hit(p, p->rule_id);
		return r;
	}
	r = judge(p);
	return r < 0 ? r : SCREEN_PASS;
}

/* True: dropped. Any entry of the flow table is from_uplink's to look at, expired ones too. */
static __noinline bool refuse_opener(struct xdp_md *ctx, const struct tuple *tuple)
{
	__u32 ifindex = ctx->ingress_ifindex, dir;
	struct packet *p;
	int r;

	if (flow_find(tuple, &dir))
		return false;
	if (!source_may_open(tuple))
		return screen_drop(ifindex, tuple, frame_length(ctx), DROP_REASON_FLOOD);
	p = packet_new();
	if (!p)
		return false;
	p->tuple = *tuple;
	p->flags = PACKET_UPLINK;
	p->length = frame_length(ctx);
	p->blame = ifindex;
	packet_classify(p);
	if (p->class == CLASS_ICMP)
		p->icmp_type = tuple->family == 4 ? ICMP_ECHO : ICMPV6_ECHO;
	r = judge_opener(p);
	return r < 0 && !drop_overridden(p, -r);
}

SEC("xdp.frags")
int screen_uplink(struct xdp_md *ctx)
{
	struct arrival a = {};
	int r;

	if (!arrival_read(&a, (void *)(long)ctx->data, (void *)(long)ctx->data_end))
		return XDP_PASS;
	r = screen(ctx, ctx->ingress_ifindex, &a.tuple);
	if (r < 0)
		return screen_drop(ctx->ingress_ifindex, &a.tuple, frame_length(ctx), -r) ? XDP_DROP
											  : XDP_PASS;
	if (r == SCREEN_ENDPOINT && a.opens && refuse_opener(ctx, &a.tuple))
		return XDP_DROP;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
