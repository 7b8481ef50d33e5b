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

/*
 * Policy would refuse it again: it looks at nothing else of TCP and UDP, and as long as the entry holds it is
 * the same policy.
 */
static __always_inline bool denied_before(const struct screened *entry, const struct tuple *tuple)
{
	return entry->denied_reason && entry->denied_protocol == tuple->protocol &&
	       entry->denied_port == bpf_ntohs(tuple->destination_port);
}

/* Counts as the packet that was judged. */
static __always_inline void deny_again(const struct screened *entry, __u32 length)
{
	__u32 rule_id = entry->denied_rule;
	struct traffic *traffic = rule_id ? bpf_map_lookup_elem(&rule_hits, &rule_id) : NULL;

	if (traffic)
		traffic_count(traffic, length);
	drop_count(endpoint_interface(entry->denied_slot), entry->denied_reason, length);
}

static __always_inline void denial_remember(struct screened *entry, const struct packet *p, __u32 reason)
{
	if (drops_are_told() || !(p->flags & PACKET_REPEATABLE) || p->rule_id > (__u16)-1 ||
	    (p->class != CLASS_TCP && p->class != CLASS_UDP))
		return;
	entry->denied_reason = reason;
	entry->denied_protocol = p->tuple.protocol;
	entry->denied_port = p->destination_port;
	entry->denied_rule = p->rule_id;
	entry->denied_slot = p->destination.endpoint;
}

static __always_inline int judge_opener(struct packet *p, struct screened *entry)
{
	int r;

	p->flags |= PACKET_TRIAL;
	r = judge(p);
	if (r >= 0 || (p->flags & PACKET_FAULT))
		return SCREEN_PASS;
	p->flags &= ~PACKET_TRIAL;
	/* A rule that denies has always been hit itself. */
	if (!p->traces || (p->traces == 1 && p->rule_id)) {
		if (p->traces)
			rule_hit(p, p->rule_id);
		denial_remember(entry, p, -r);
		return r;
	}
	r = judge(p);
	return r < 0 ? r : SCREEN_PASS;
}

/* True: dropped. Any entry of the flow table is from_uplink's to look at, expired ones too. */
static __noinline bool refuse_opener(struct xdp_md *ctx, const struct arrival *a)
{
	struct screened *entry = screened_place(&a->tuple);
	__u32 ifindex = ctx->ingress_ifindex, dir;
	struct packet *p;
	int r;

	if (flow_find(&a->tuple, &dir))
		return false;
	if (!source_may_open(&a->tuple))
		return screen_drop(ifindex, a, frame_length(ctx), DROP_REASON_FLOOD);
	if (entry && denied_before(entry, &a->tuple)) {
		deny_again(entry, frame_length(ctx));
		return true;
	}
	p = packet_new();
	if (!p || !entry)
		return false;
	p->tuple = a->tuple;
	p->flags = PACKET_UPLINK;
	p->length = frame_length(ctx);
	p->blame = ifindex;
	packet_classify(p);
	p->icmp_type = a->icmp_type;
	p->icmp_code = a->icmp_code;
	r = judge_opener(p, entry);
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
		return screen_drop(ctx->ingress_ifindex, &a, frame_length(ctx), -r) ? XDP_DROP : XDP_PASS;
	if (r == SCREEN_ENDPOINT && a.opens && refuse_opener(ctx, &a))
		return XDP_DROP;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
