/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ends a packet's way: the only place that counts drops, emits events and honours DropActionOverride. */
#ifndef VERDICT_H
#define VERDICT_H

#include "context.h"

/* Events per second, CPU, interface and reason: a flood must not crowd everything else out. */
#define DROP_EVENTS_PER_SECOND 10
#define LOG_EVENTS_PER_SECOND  1000

struct event_budget {
	__u32 second; /* low half of jiffies when the second began */
	__u32 events;
};

#define EVENT_BUDGETS 256

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct event_budget);
	__uint(max_entries, EVENT_BUDGETS);
} event_budgets SEC(".maps");

static __always_inline void traffic_count(struct traffic *traffic, __u32 bytes)
{
	traffic->packets++;
	traffic->bytes += bytes;
}

/* 0, or -1 when the ring is full: whoever reads it is too slow. */
__noinline int event_emit(const struct packet *p, __u32 reason, __u32 rule_id, __u32 prefix)
{
	struct packet_event *event;

	if (!p)
		return -1;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return -1;
	event->ifindex = p->blame;
	event->reason = reason;
	event->rule_id = rule_id;
	event->log_prefix = prefix;
	__builtin_memcpy(event->source, p->tuple.source, sizeof(event->source));
	__builtin_memcpy(event->destination, p->tuple.destination, sizeof(event->destination));
	event->source_port = p->tuple.source_port;
	event->destination_port = p->tuple.destination_port;
	if (p->class == CLASS_ICMP) {
		event->source_port = bpf_htons(p->icmp_type);
		event->destination_port = bpf_htons(p->icmp_code);
	}
	event->protocol = p->tuple.protocol;
	event->family = p->tuple.family;
	event->length = p->length < 0xffff ? p->length : 0xffff;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __noinline bool event_allowed(__u32 ifindex, __u32 reason, __u32 per_second)
{
	__u32 index = (ifindex * DROP_REASON_COUNT + reason) % EVENT_BUDGETS;
	struct event_budget *budget = bpf_map_lookup_elem(&event_budgets, &index);
	__u32 time = now();

	if (!budget)
		return false;
	if (time - budget->second >= settings.hz) {
		budget->second = time;
		budget->events = 0;
	}
	return budget->events++ < per_second;
}

/* A LOG rule has matched. */
static __noinline void event_log(struct packet *p, __u32 rule_id, __u32 prefix)
{
	__u32 index = 0;
	__u64 *lost;

	if (p->flags & PACKET_TRIAL) {
		p->traces++;
		return;
	}
	if (event_allowed(p->blame, DROP_NONE, LOG_EVENTS_PER_SECOND) &&
	    !event_emit(p, DROP_NONE, rule_id, prefix))
		return;
	lost = bpf_map_lookup_elem(&events_lost, &index);
	if (lost)
		(*lost)++;
}

static __always_inline void drop_count(__u32 ifindex, __u32 reason, __u32 bytes)
{
	struct drop_key key = {.ifindex = ifindex, .reason = reason};
	struct traffic *traffic = bpf_map_lookup_elem(&drop_totals, &reason);
	struct traffic zero = {};

	if (traffic)
		traffic_count(traffic, bytes);
	traffic = bpf_map_lookup_elem(&drops, &key);
	if (!traffic) {
		bpf_map_update_elem(&drops, &key, &zero, BPF_NOEXIST);
		traffic = bpf_map_lookup_elem(&drops, &key);
	}
	if (traffic)
		traffic_count(traffic, bytes);
}

/* True: DropActionOverride turns this drop into a final accept, which skips every further policy. */
static __noinline bool drop_overridden(const struct packet *p, __u32 reason)
{
	bool log = settings.drop_action == DROP_LOG_DROP || settings.drop_action == DROP_LOG_ACCEPT;
	bool accept = settings.drop_action == DROP_ACCEPT || settings.drop_action == DROP_LOG_ACCEPT;

	if ((log || (settings.drop_events && !accept)) &&
	    event_allowed(p->blame, reason, DROP_EVENTS_PER_SECOND))
		event_emit(p, reason, p->rule_id, 0);
	if (!accept)
		drop_count(p->blame, reason, p->length);
	return accept;
}

#endif
