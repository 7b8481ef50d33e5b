/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Room in the flow tables. Each endpoint has an account of its flows, and may use what nobody else needs.
 * When a table is full, a new flow takes the place of another one: of its own account if that is over its
 * share, else of the one that has most. So nobody is shut out by others, and who has most loses what he needs
 * least.
 */
#ifndef FLOW_ROOM_H
#define FLOW_ROOM_H

#include "account.h"
#include "context.h"
#include "flow_table.h"
#include "nat.h"

/* Seconds without a packet after which a flow is the first to go. Unanswered ones are from the beginning. */
enum { IDLE_ANSWERED = 2, IDLE_CONNECTION = 60 };

/* For one new flow at most: records looked at, flows in use found among them, and how often it tries. */
#define EVICTION_STEPS 256
#define EVICTION_FLOWS 8
#define EVICTIONS      3

#define GIVES_WAY 0x7fffffff
#define DATAGRAMS 0x40000000

static __always_inline bool is_over(const struct flow_share *own, __u32 share)
{
	return (__s32)own->flows > (__s32)share;
}

/* How well a flow can be done without; GIVES_WAY: nobody misses it. */
static __always_inline __s32 flow_rank(__u8 protocol, const struct flow *flow)
{
	__s32 idle = now() - flow->seen, most = IDLE_ANSWERED;

	if (!(flow->flags & FLOW_ESTABLISHED) || flow_closing(flow->flags))
		return GIVES_WAY;
	if (protocol == PROTOCOL_TCP)
		most = IDLE_CONNECTION;
	if (idle < 0)
		idle = 0;
	if (idle > most * (__s32)settings.hz)
		return GIVES_WAY;
	return protocol == PROTOCOL_TCP ? idle : idle | DATAGRAMS;
}

/* True: the flow that was recorded at the place before is to go. */
static __always_inline bool eviction_takes(struct eviction *e, const struct flow *flow, __u8 protocol,
					   __u32 family)
{
	__u32 place = e->place - 1;
	__s32 rank;

	if (flow->opened != opened_part(family, place) || flow_account(flow) != e->account)
		return false;
	rank = flow_rank(protocol, flow);
	if (rank == GIVES_WAY || e->anything)
		return true;
	if (!e->found++)
		e->first = place;
	if (rank > e->best_rank) {
		e->best_rank = rank;
		e->best = place;
	}
	return false;
}

/* The port that others know it by goes with it. */
static __noinline void twin_delete(struct eviction *e, const struct flow *flow)
{
	bool opener = flow->flags & FLOW_OPENER;
	const __be32 *address = (const __be32 *)e->key4.address;
	struct tuple *outside = &e->outside;

	__builtin_memset(outside, 0, sizeof(*outside));
	outside->protocol = e->key4.protocol;
	outside->family = 4;
	outside->destination[0] = opener ? address[0] : address[1];
	outside->destination_port = bpf_htons(opener ? e->key4.port[0] : e->key4.port[1]);
	__builtin_memcpy(outside->source, flow->nat_address, sizeof(flow->nat_address));
	outside->source_port = bpf_htons(flow->nat_port);
	flow4_key(outside, tuple_direction(outside), &e->twin);
	bpf_map_delete_elem(&nat4, &e->twin);
}

/* The following two are callbacks of bpf_loop(); 1 ends it. */
static long evict4(__u32 step, struct packet **p)
{
	struct eviction *e = &(*p)->eviction;
	__u32 index = e->place & (settings.opened[0] - 1);
	const struct opened4 *record;
	struct flow *flow;

	if (e->place == e->end || e->found == EVICTION_FLOWS)
		return 1;
	e->place++;
	record = bpf_map_lookup_elem(&opened4, &index);
	if (!record)
		return 1;
	if (record->account != e->account)
		return 0;
	__builtin_memset(&e->key4, 0, sizeof(e->key4));
	__builtin_memcpy(&e->key4, record, offsetof(struct opened4, protocol));
	e->key4.protocol = record->protocol;
	flow = bpf_map_lookup_elem(&flow4, &e->key4);
	if (!flow || !eviction_takes(e, flow, e->key4.protocol, 4))
		return 0;
	if (flow->flags & FLOW_TRANSLATED)
		twin_delete(e, flow);
	if (bpf_map_delete_elem(&flow4, &e->key4))
		return 0;
	e->done = 1;
	return 1;
}

static long evict6(__u32 step, struct packet **p)
{
	struct eviction *e = &(*p)->eviction;
	__u32 index = e->place & (settings.opened[1] - 1);
	const struct opened6 *record;
	struct flow *flow;

	if (e->place == e->end || e->found == EVICTION_FLOWS)
		return 1;
	e->place++;
	record = bpf_map_lookup_elem(&opened6, &index);
	if (!record)
		return 1;
	if (record->account != e->account)
		return 0;
	__builtin_memset(&e->key6, 0, sizeof(e->key6));
	__builtin_memcpy(&e->key6, record, offsetof(struct opened6, protocol));
	e->key6.protocol = record->protocol;
	flow = bpf_map_lookup_elem(&flow6, &e->key6);
	if (!flow || !eviction_takes(e, flow, e->key6.protocol, 6))
		return 0;
	if (bpf_map_delete_elem(&flow6, &e->key6))
		return 0;
	e->done = 1;
	return 1;
}

/* One call instruction has one callback, but the compiler would make one of both. */
static __always_inline void evict_steps(struct packet *p, __u32 family, __u32 steps)
{
	if (family == 4) {
		bpf_loop(steps, evict4, &p, 0);
		asm volatile("" ::: "memory");
	} else {
		bpf_loop(steps, evict6, &p, 0);
	}
}

/* Looks for a flow of the account from its hand on, in the order in which they were opened. */
static __always_inline bool evict_from(struct packet *p, __u32 family, __u32 slot, struct flow_table *table)
{
	struct account *owner = bpf_map_lookup_elem(&account, &slot);
	struct eviction *e = &p->eviction;
	__u32 size = opened_size(family);
	struct flow_share *own;

	if (!owner)
		return false;
	own = share_of(owner, family);
	e->place = own->hand;
	e->end = table->next;
	e->account = slot;
	e->found = e->anything = e->done = 0;
	e->best_rank = -1;
	/* Around: what was passed over may be idle now. What is older has been written over. */
	if (e->place == e->end || e->end - e->place > size)
		e->place = e->end < size ? 0 : e->end - size;
	evict_steps(p, family, EVICTION_STEPS);
	own->hand = e->place;
	if (!e->done && e->found) {
		/* Of equals, those behind the oldest are next. */
		if (e->best == e->first)
			own->hand = e->first + 1;
		e->place = e->best;
		e->found = 0;
		e->anything = 1;
		evict_steps(p, family, 1);
	}
	if (e->done) {
		__sync_fetch_and_add(&own->flows, -1);
		__sync_fetch_and_add(&table->evicted, 1);
	}
	/* Who has none that could be found does not stand in the way of others as the one who has most. */
	if (table->largest == slot)
		table->largest_flows = e->done ? own->flows : 0;
	return e->done;
}

/* Makes room for a flow of the account. Global: verified once. */
__noinline int flow_evict(__u32 family, __u32 slot)
{
	struct flow_table *table = flow_table_of(family);
	struct account *owner = bpf_map_lookup_elem(&account, &slot);
	struct packet *p = packet_at_hand();
	__u32 share, victim;
	bool own;

	if (!table || !owner || !p)
		return false;
	share = table->share;
	if (!share) /* before the first sweep */
		share = flow_table_share(family, 0);
	own = is_over(share_of(owner, family), share);
	for (int second = 0; second < 2; second++) {
		victim = own == !second ? slot : table->largest;
		if (evict_from(p, family, victim, table))
			return true;
	}
	return false;
}

/*
 * A flow was opened. What deletes one does not count, but for an eviction: the sum is exact after each sweep
 * only. Races may bring it below zero, which is then little and not much: it is compared signed.
 */
static __always_inline void account_open(struct flow_table *table, __u32 slot, __u32 family)
{
	struct account *owner = bpf_map_lookup_elem(&account, &slot);
	__u32 flows;

	if (!owner)
		return;
	flows = __sync_fetch_and_add(&share_of(owner, family)->flows, 1) + 1;
	if ((__s32)flows > (__s32)table->largest_flows) {
		table->largest_flows = flows;
		if (table->largest != slot)
			table->largest = slot;
	}
}

/* One attempt, recorded at p->place. 0 or -errno; -EEXIST and -E2BIG (full) mean something to the caller. */
static __noinline int flow_write(const struct packet *p, struct flow *flow, __u64 how)
{
	const struct tuple *tuple = &p->tuple;
	struct flow_table *table = flow_table_of(tuple->family);
	struct flow4_key key4;
	struct flow6_key key6;
	int r;

	if (!table)
		return -1;
	flow->opened = opened_part(tuple->family, p->place);
	if (tuple->family == 4) {
		flow4_key(tuple, tuple_direction(tuple), &key4);
		flow->check = flow->check_behind = flow_sum((const __u32 *)&key4, FLOW4_WORDS);
		r = bpf_map_update_elem(&flow4, &key4, flow, how);
		if (!r)
			opened4_write(&key4, p->place, flow_account(flow));
	} else {
		flow6_key(tuple, tuple_direction(tuple), &key6);
		flow->check = flow->check_behind = flow_sum((const __u32 *)&key6, FLOW6_WORDS);
		r = bpf_map_update_elem(&flow6, &key6, flow, how);
		if (!r)
			opened6_write(&key6, p->place, flow_account(flow));
	}
	if (!r && how == BPF_NOEXIST)
		account_open(table, flow_account(flow), tuple->family);
	return r;
}

/* The same, with room made where there is none. */
static __always_inline int flow_insert(struct packet *p, struct flow *flow, __u64 how)
{
	struct flow_table *table = flow_table_of(p->tuple.family);
	int r;

	if (!table)
		return -1;
	p->place = __sync_fetch_and_add(&table->next, 1);
	r = flow_write(p, flow, how);
	/* What was evicted may go to a flow on another CPU. */
	for (int i = 0; i < EVICTIONS && r == -E2BIG && flow_evict(p->tuple.family, flow_account(flow)); i++)
		r = flow_write(p, flow, how);
	return r;
}

#endif
