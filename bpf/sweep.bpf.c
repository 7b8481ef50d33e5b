/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Deletion of flows, inside the kernel: nothing is copied to user space, and an entry is looked at and
 * deleted without time for a packet to refresh it in between. Run by the daemon; see struct sweep.
 */
#include "account.h"
#include "context.h"
#include "flow_table.h"

#define NANOSECONDS	1000000000ULL
#define CLOCK_MONOTONIC 1

/* Counts a flow that stays. Its record's age, in parts of the ring; below 0: opened since the sweep began. */
static __always_inline __s32 flow_count(const struct flow *flow, const struct flow_table *table, __u32 family)
{
	__s32 age = (short)(opened_part(family, table->swept) - flow->opened);
	__u32 slot = flow_account(flow);
	struct account *owner = bpf_map_lookup_elem(&account, &slot);
	struct flow_share *own;

	if (!owner)
		return age;
	own = share_of(owner, family);
	own->found++;
	if (age > (__s32)own->oldest)
		own->oldest = age;
	return age;
}

/* Its record will be written over soon, or is not there. */
static __always_inline bool is_recorded_late(__u32 family, __s32 age)
{
	__u32 late = (opened_size(family) >> opened_shift(family)) / 4 * 3;

	return age > (__s32)late;
}

static __always_inline __u32 flow_record_again(struct flow *flow, struct flow_table *table, __u32 family)
{
	__u32 place = __sync_fetch_and_add(&table->next, 1);

	flow->opened = opened_part(family, place);
	return place;
}

/* The following are callbacks of bpf_for_each_map_elem(); 0 goes on. */
static long flow4_sweep(void *map, const struct flow4_key *key, struct flow *flow, struct sweep **sweep)
{
	struct flow_table *table = flow_table_of(4);

	if (!table)
		return 1;
	if (flow_expired(key->protocol, flow, now())) {
		(*sweep)->deleted++;
		bpf_map_delete_elem(&flow4, key);
		return 0;
	}
	(*sweep)->live++;
	if (is_recorded_late(4, flow_count(flow, table, 4)))
		opened4_write(key, flow_record_again(flow, table, 4), flow_account(flow));
	return 0;
}

static long flow6_sweep(void *map, const struct flow6_key *key, struct flow *flow, struct sweep **sweep)
{
	struct flow_table *table = flow_table_of(6);

	if (!table)
		return 1;
	if (flow_expired(key->protocol, flow, now())) {
		(*sweep)->deleted++;
		bpf_map_delete_elem(&flow6, key);
		return 0;
	}
	(*sweep)->live++;
	if (is_recorded_late(6, flow_count(flow, table, 6)))
		opened6_write(key, flow_record_again(flow, table, 6), flow_account(flow));
	return 0;
}

/*
 * Whether an entry of nat4 still is what its flow says. It is made before the flow's own: a new one may be
 * ahead.
 */
static __always_inline bool nat_in_use(const struct flow4_key *key, const struct flow *entry)
{
	__u32 inside = entry->flags & FLOW_OPENER, dir;
	struct tuple tuple = {.protocol = key->protocol, .family = 4};
	const __u8 *address = key->address[inside];
	const struct flow *flow;

	if ((__s32)(now() - entry->seen) < (__s32)settings.hz)
		return true;
	__builtin_memcpy(tuple.source, entry->nat_address, sizeof(entry->nat_address));
	__builtin_memcpy(tuple.destination, key->address[!inside], sizeof(key->address[0]));
	tuple.source_port = bpf_htons(entry->nat_port);
	tuple.destination_port = bpf_htons(key->port[!inside]);
	flow = flow_find(&tuple, &dir);
	return flow && nat_is(flow, (const __be32 *)address, bpf_htons(key->port[inside])) &&
	       flow_still(&tuple, flow);
}

static long nat4_sweep(void *map, const struct flow4_key *key, struct flow *entry, void *unused)
{
	if (!nat_in_use(key, entry))
		bpf_map_delete_elem(&nat4, key);
	return 0;
}

static long nat4_purge(void *map, const struct flow4_key *key, struct flow *entry, struct sweep **sweep)
{
	__be32 inside;

	__builtin_memcpy(&inside, entry->nat_address, sizeof(inside));
	if (inside == (*sweep)->address[0])
		bpf_map_delete_elem(&nat4, key);
	return 0;
}

static __always_inline void share_settle(struct flow_share *own, __u32 slot, struct flow_table *table,
					 __u32 family)
{
	__u32 shift = opened_shift(family), oldest = own->oldest, size = opened_size(family) >> shift;

	own->flows = own->found;
	if (oldest > size)
		oldest = size;
	own->hand = ((table->swept >> shift) - oldest) << shift;
	if (table->swept < opened_size(family) && own->hand > table->swept)
		own->hand = 0;
	own->found = 0;
	own->oldest = 0;
	if (!own->flows)
		return;
	table->flows += own->flows;
	table->accounts++;
	if (own->flows > table->largest_flows) {
		table->largest_flows = own->flows;
		table->largest = slot;
	}
}

static long account_settle(void *map, const __u32 *slot, struct account *owner, void *unused)
{
	struct flow_table *table4 = flow_table_of(4), *table6 = flow_table_of(6);

	if (!table4 || !table6)
		return 1;
	share_settle(&owner->ipv4, *slot, table4, 4);
	share_settle(&owner->ipv6, *slot, table6, 6);
	return 0;
}

static __always_inline void table_settle(__u32 family)
{
	struct flow_table *table = flow_table_of(family);

	if (table)
		table->share = flow_table_share(family, table->accounts);
}

static __always_inline void table_begin(__u32 family)
{
	struct flow_table *table = flow_table_of(family);

	if (!table)
		return;
	table->swept = table->next;
	table->flows = 0;
	table->accounts = 0;
	table->largest = 0;
	table->largest_flows = 0;
}

static long flow4_purge(void *map, const struct flow4_key *key, struct flow *flow, struct sweep **sweep)
{
	const __be32 *ends = (const __be32 *)key->address, address = (*sweep)->address[0];

	if (ends[0] == address || ends[1] == address) {
		bpf_map_delete_elem(&flow4, key);
		(*sweep)->deleted++;
	}
	return 0;
}

static long flow6_purge(void *map, const struct flow6_key *key, struct flow *flow, struct sweep **sweep)
{
	const __be32 *ends = (const __be32 *)key->address;

	if (address_equal(ends, (*sweep)->address) || address_equal(ends + 4, (*sweep)->address)) {
		bpf_map_delete_elem(&flow6, key);
		(*sweep)->deleted++;
	}
	return 0;
}

static __always_inline void sweep_tables(struct sweep *sweep)
{
	sweep->live = 0;
	sweep->deleted = 0;
	table_begin(4);
	table_begin(6);
	bpf_for_each_map_elem(&flow4, flow4_sweep, &sweep, 0);
	bpf_for_each_map_elem(&flow6, flow6_sweep, &sweep, 0);
	bpf_for_each_map_elem(&nat4, nat4_sweep, NULL, 0);
	bpf_for_each_map_elem(&account, account_settle, NULL, 0);
	table_settle(4);
	table_settle(6);
}

/* Steps in when the daemon has not swept for long: flows must expire while it is dead, too. */
static int sweeper_alone(void *map, const __u32 *key, struct sweeper *own)
{
	if (now() - own->swept > settings.sweep_alone_s * settings.hz) {
		own->swept = now();
		sweep_tables(&own->sweep);
	}
	bpf_timer_start(&own->timer, settings.sweep_alone_s * NANOSECONDS, 0);
	return 0;
}

SEC("syscall")
int sweep_flows(struct sweep *sweep)
{
	__u32 zero = 0;
	struct sweeper *own = bpf_map_lookup_elem(&sweeper, &zero);

	if (!own)
		return -1;
	/* Only the first run makes the timer; it ends when nobody holds its map any more, pins included. */
	if (settings.sweep_alone_s && !bpf_timer_init(&own->timer, &sweeper, CLOCK_MONOTONIC)) {
		bpf_timer_set_callback(&own->timer, sweeper_alone);
		bpf_timer_start(&own->timer, settings.sweep_alone_s * NANOSECONDS, 0);
	}
	own->swept = now();
	/* Not the context: one instruction may not have that and a map's value in turn. */
	sweep_tables(&own->sweep);
	sweep->live = own->sweep.live;
	sweep->deleted = own->sweep.deleted;
	return 0;
}

SEC("syscall")
int purge_flows(struct sweep *sweep)
{
	sweep->deleted = 0;
	if (sweep->family == 4) {
		bpf_for_each_map_elem(&flow4, flow4_purge, &sweep, 0);
		bpf_for_each_map_elem(&nat4, nat4_purge, &sweep, 0);
		/* Kernel 6.1 refuses one call instruction for two maps, which the compiler would make of
		 * this. */
		asm volatile("" ::: "memory");
	} else {
		bpf_for_each_map_elem(&flow6, flow6_purge, &sweep, 0);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
