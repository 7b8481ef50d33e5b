/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the daemon writes into the maps and reads from them. */
#include "dataplane_env.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include "flow.h"
#include "reasons.h"

static struct dataplane *start(void)
{
	struct dataplane *dp = env_open(ATTACH_AUTO);
	struct err err;

	env_ok(dataplane_activate(dp, &err), &err);
	return dp;
}

static int open_map(const char *name)
{
	int fd = bpf_obj_get(env_pin(name));

	assert_true(fd >= 0);
	return fd;
}

static __u32 entries(int map)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(map, &info, &size), 0);
	return info.max_entries;
}

static void test_sink_writes_every_policy_map(void **state)
{
	static const struct {
		enum policy_map map;
		const char *name;
		size_t key_size, value_size;
	} maps[] = {
		{MAP_IDENTITY, "identity", 4, sizeof(__u64)},
		{MAP_ADDRESS4, "address4", sizeof(struct address4_key), sizeof(struct address)},
		{MAP_ADDRESS6, "address6", sizeof(struct address6_key), sizeof(struct address)},
		{MAP_PREFIX4, "prefix4", sizeof(struct prefix4_key), sizeof(struct address)},
		{MAP_PREFIX6, "prefix6", sizeof(struct prefix6_key), sizeof(struct address)},
		{MAP_PORTSET, "portset", 4, sizeof(struct portset)},
		{MAP_RULE, "rule", 4, sizeof(struct policy_rule)},
		{MAP_RULE_INFO, "rule_info", 4, sizeof(struct rule_info)},
		{MAP_LOG_PREFIX, "log_prefix", 4, sizeof(struct log_prefix)},
		{MAP_STEP, "step", 4, sizeof(struct policy_step)},
		{MAP_LIST, "list", 4, sizeof(struct policy_list)},
		{MAP_ENDPOINT_POLICY, "endpoint_policy", 4, sizeof(struct endpoint_policy)},
		{MAP_GENERATION, "generation", 4, sizeof(__u32)},
	};
	struct dataplane *dp = start();
	const struct policy_sink *sink = dataplane_sink(dp);

	_Static_assert(sizeof(maps) / sizeof(maps[0]) == POLICY_MAP_COUNT, "all maps");
	for (size_t i = 0; i < POLICY_MAP_COUNT; i++) {
		__u8 key[20] = {3}, value[sizeof(struct portset)], read[sizeof(value)];
		int fd = open_map(maps[i].name);

		memset(value, 0x5a, sizeof(value));
		assert_int_equal(sink->capacity[maps[i].map], entries(fd));
		assert_int_equal(sink->write(sink->arg, maps[i].map, key, value), 0);
		assert_int_equal(bpf_map_lookup_elem(fd, key, read), 0);
		assert_memory_equal(read, value, maps[i].value_size);
		close(fd);
	}
	dataplane_close(dp);
}

static void test_sink_erases_idempotently(void **state)
{
	struct dataplane *dp = start();
	const struct policy_sink *sink = dataplane_sink(dp);
	const struct address4_key key = {{10, 65, 0, 1}};
	const struct prefix4_key prefix = {8, {10}};
	const struct address value = {.row = 7};
	struct address read;
	int fd = open_map("address4");

	assert_int_equal(sink->write(sink->arg, MAP_ADDRESS4, &key, &value), 0);
	assert_int_equal(sink->write(sink->arg, MAP_PREFIX4, &prefix, &value), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sink->erase(sink->arg, MAP_ADDRESS4, &key), 0);
		assert_int_equal(sink->erase(sink->arg, MAP_PREFIX4, &prefix), 0);
	}
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &read), -ENOENT);
	close(fd);
	dataplane_close(dp);
}

static void test_full_map_and_foreign_index_are_refused(void **state)
{
	struct dataplane *dp = start();
	const struct policy_sink *sink = dataplane_sink(dp);
	const struct address value = {0};
	const struct policy_rule rule = {0};
	struct prefix4_key prefix = {.prefix_length = 32};
	struct address4_key key;
	__u32 index = sink->capacity[MAP_RULE];

	assert_int_equal(sink->write(sink->arg, MAP_RULE, &index, &rule), -E2BIG);
	index--;
	assert_int_equal(sink->write(sink->arg, MAP_RULE, &index, &rule), 0);
	for (__u32 i = 0; i <= sink->capacity[MAP_ADDRESS4]; i++) {
		memcpy(key.address, &i, sizeof(i));
		assert_int_equal(sink->write(sink->arg, MAP_ADDRESS4, &key, &value),
				 i < sink->capacity[MAP_ADDRESS4] ? 0 : -E2BIG);
	}
	for (__u32 i = 0; i <= sink->capacity[MAP_PREFIX4]; i++) {
		memcpy(prefix.address, &i, sizeof(i));
		assert_int_equal(sink->write(sink->arg, MAP_PREFIX4, &prefix, &value),
				 i < sink->capacity[MAP_PREFIX4] ? 0 : -E2BIG);
	}
	dataplane_close(dp);
}

/* ---- the fence ---- */

struct progress { /* written by the program below */
	volatile __u32 started, ended;
};

struct slow_run {
	int program;
	pthread_t thread;
	struct progress *progress;
};

/* Says that it started, asks for the time often enough to take some milliseconds, says that it ended. */
static int slow_program(int map)
{
	const struct bpf_insn code[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = 6,
		 .src_reg = BPF_PSEUDO_MAP_VALUE,
		 .imm = map},
		{0},
		{.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 6, .off = 0, .imm = 1},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 7, .imm = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 7, .imm = 1},
		{.code = BPF_JMP | BPF_JLT | BPF_K, .dst_reg = 7, .off = -3, .imm = 150000},
		{.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 6, .off = 4, .imm = 1},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "slow", "GPL", code, sizeof(code) / sizeof(code[0]),
			     NULL);
}

static void *run_slow(void *arg)
{
	const struct slow_run *run = arg;
	__u8 frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));

	bpf_prog_test_run_opts(run->program, &opts);
	return NULL;
}

static void only(cpu_set_t *ret, int cpu)
{
	CPU_ZERO(ret);
	CPU_SET((size_t)cpu, ret);
}

/* The program's thread gets a CPU of its own: one that shared ours would have ended before we saw it start.
 */
static void test_fence_waits_for_running_programs(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "progress", 4, sizeof(struct progress), 1, &opts),
	    caught = 0;
	struct dataplane *dp = start();
	const struct policy_sink *sink = dataplane_sink(dp);
	struct slow_run run = {.program = slow_program(map)};
	cpu_set_t cpus, here, there;
	pthread_attr_t elsewhere;
	int other = 0;

	assert_true(map >= 0 && run.program >= 0);
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	if (CPU_COUNT(&cpus) < 2)
		skip(); /* what runs there cannot be seen from outside */
	only(&here, sched_getcpu());
	while (!CPU_ISSET((size_t)other, &cpus) || CPU_ISSET((size_t)other, &here))
		other++;
	only(&there, other);
	pthread_attr_init(&elsewhere);
	assert_int_equal(pthread_attr_setaffinity_np(&elsewhere, sizeof(there), &there), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(here), &here), 0);
	run.progress = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	assert_ptr_not_equal(run.progress, MAP_FAILED);
	for (int i = 0; i < 200 && caught < 5; i++) {
		run.progress->started = run.progress->ended = 0;
		assert_int_equal(pthread_create(&run.thread, &elsewhere, run_slow, &run), 0);
		while (!run.progress->started)
			;
		/* On a busy machine it may have ended before we saw that it started. */
		caught += !run.progress->ended;
		assert_int_equal(sink->fence(sink->arg), 0);
		assert_true(run.progress->ended);
		pthread_join(run.thread, NULL);
	}
	assert_int_equal(caught, 5);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	pthread_attr_destroy(&elsewhere);
	munmap(run.progress, (size_t)sysconf(_SC_PAGESIZE));
	close(run.program);
	close(map);
	dataplane_close(dp);
}

static void test_fence_comes_home(void **state)
{
	struct dataplane *dp = start();
	const struct policy_sink *sink = dataplane_sink(dp);
	cpu_set_t home, before, after;

	assert_int_equal(sched_getaffinity(0, sizeof(home), &home), 0);
	CPU_ZERO(&before);
	CPU_SET((size_t)sched_getcpu(), &before);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(sink->fence(sink->arg), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&before, &after));
	assert_int_equal(sched_setaffinity(0, sizeof(home), &home), 0);
	dataplane_close(dp);
}

static __u32 slot_of(__u32 ifindex)
{
	struct interface entry = {0};
	int fd = open_map("interface");

	if (bpf_map_lookup_elem(fd, &ifindex, &entry))
		entry.endpoint = 0;
	close(fd);
	return entry.endpoint;
}

static void test_endpoint_and_its_interface_go_together(void **state)
{
	struct dataplane *dp = start();
	struct endpoint endpoint = {.ifindex = 100, .state = ENDPOINT_ACTIVE, .name = "cali0"}, read;
	__u32 slot = 5;
	struct err err;
	int fd = open_map("endpoint");

	assert_int_equal(dataplane_endpoint_capacity(dp), 64);
	env_ok(dataplane_set_endpoint(dp, slot, &endpoint, &err), &err);
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &read), 0);
	assert_memory_equal(&read, &endpoint, sizeof(read));
	assert_int_equal(slot_of(100), 5);

	/* The interface was made anew. */
	endpoint.ifindex = 101;
	env_ok(dataplane_set_endpoint(dp, slot, &endpoint, &err), &err);
	assert_int_equal(slot_of(100), 0);
	assert_int_equal(slot_of(101), 5);

	/* Another slot takes the interface over; clearing the first one leaves it there. */
	env_ok(dataplane_set_endpoint(dp, 6, &endpoint, &err), &err);
	env_ok(dataplane_set_endpoint(dp, slot, NULL, &err), &err);
	assert_int_equal(slot_of(101), 6);
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &read), 0);
	assert_int_equal(read.state, ENDPOINT_NONE);
	env_ok(dataplane_set_endpoint(dp, 6, NULL, &err), &err);
	env_ok(dataplane_set_endpoint(dp, 6, NULL, &err), &err);
	assert_int_equal(slot_of(101), 0);
	close(fd);
	dataplane_close(dp);
}

static void test_endpoint_slot_out_of_range_is_refused(void **state)
{
	const struct endpoint endpoint = {.ifindex = 100};
	struct dataplane *dp = start();
	struct err err;

	assert_int_equal(dataplane_set_endpoint(dp, 0, &endpoint, &err), -EINVAL);
	assert_int_equal(dataplane_set_endpoint(dp, 64, &endpoint, &err), -EINVAL);
	dataplane_close(dp);
}

static const struct drop_count *find_drop(const struct drop_count *drops, size_t count, __u32 ifindex,
					  __u32 reason)
{
	for (size_t i = 0; i < count; i++) {
		if (drops[i].ifindex == ifindex && drops[i].reason == reason)
			return &drops[i];
	}
	return NULL;
}

static void test_drops_are_summed_and_forgotten_with_the_interface(void **state)
{
	struct dataplane *dp = start();
	int cpus = libbpf_num_possible_cpus(), per_interface = open_map("drops"),
	    totals = open_map("drop_totals");
	struct traffic *traffic = calloc((size_t)cpus, sizeof(*traffic));
	const struct drop_key key = {100, DROP_REASON_TTL}, other = {101, DROP_REASON_TTL};
	const struct drop_count *found;
	struct drop_count *drops;
	struct err err;
	size_t count;

	for (int i = 0; i < cpus; i++)
		traffic[i] = (struct traffic){.packets = 2, .bytes = 100};
	assert_int_equal(bpf_map_update_elem(per_interface, &key, traffic, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(per_interface, &other, traffic, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(totals, &key.reason, traffic, BPF_ANY), 0);
	free(traffic);

	assert_int_equal(dataplane_drops(dp, &drops, &count), 0);
	assert_int_equal(count, 3);
	found = find_drop(drops, count, 100, DROP_REASON_TTL);
	assert_non_null(found);
	assert_int_equal(found->packets, 2 * cpus);
	assert_int_equal(found->bytes, 100 * cpus);
	assert_non_null(find_drop(drops, count, 0, DROP_REASON_TTL));
	free(drops);

	env_ok(dataplane_detach(dp, 100, "cali0", &err), &err);
	assert_int_equal(dataplane_drops(dp, &drops, &count), 0);
	assert_null(find_drop(drops, count, 100, DROP_REASON_TTL));
	assert_non_null(find_drop(drops, count, 101, DROP_REASON_TTL));
	assert_non_null(find_drop(drops, count, 0, DROP_REASON_TTL));
	free(drops);
	close(per_interface);
	close(totals);
	dataplane_close(dp);
}

static void put_flow(int map, const char *one, const char *two)
{
	struct flow4_key key = {.protocol = 17};
	struct flow flow = {.flags = FLOW_ESTABLISHED};
	struct addr addr;

	assert_int_equal(addr_parse(one, &addr), 0);
	memcpy(&key.address[0], addr.bytes, 4);
	assert_int_equal(addr_parse(two, &addr), 0);
	memcpy(&key.address[1], addr.bytes, 4);
	assert_int_equal(bpf_map_update_elem(map, &key, &flow, BPF_ANY), 0);
}

static size_t flows(int map)
{
	struct flow4_key key, *previous = NULL;
	size_t count = 0;

	for (; !bpf_map_get_next_key(map, previous, &key); previous = &key)
		count++;
	return count;
}

static void test_flows_of_an_address_are_purged(void **state)
{
	struct dataplane *dp = start();
	int map = open_map("flow4");
	struct addr addr;

	put_flow(map, "10.65.0.2", "10.65.0.3");
	put_flow(map, "10.65.0.1", "10.65.0.2");
	put_flow(map, "10.65.0.3", "10.65.0.4");
	assert_int_equal(addr_parse("10.65.0.2", &addr), 0);
	assert_int_equal(dataplane_purge_flows(dp, &addr), 0);
	assert_int_equal(flows(map), 1);
	assert_int_equal(addr_parse("fd65::2", &addr), 0);
	assert_int_equal(dataplane_purge_flows(dp, &addr), 0);
	assert_int_equal(flows(map), 1);
	close(map);
	dataplane_close(dp);
}

/* Jiffies start five minutes before their wrap, so a flow last seen at 0 is either old or of the future. */
static void test_expiry_counts_what_is_live(void **state)
{
	struct dataplane *dp = start();
	int map = open_map("flow4"), live;

	put_flow(map, "10.65.0.2", "10.65.0.3");
	/* Where a sweep found nothing, the next one only follows a packet that opens a flow. */
	dataplane_close(dp);
	dp = start();
	live = dataplane_expire_flows(dp);
	assert_true(live >= 0);
	assert_int_equal(flows(map), live);
	close(map);
	dataplane_close(dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_enter, env_leave)
		TEST(test_sink_writes_every_policy_map),
		TEST(test_sink_erases_idempotently),
		TEST(test_full_map_and_foreign_index_are_refused),
		TEST(test_fence_waits_for_running_programs),
		TEST(test_fence_comes_home),
		TEST(test_endpoint_and_its_interface_go_together),
		TEST(test_endpoint_slot_out_of_range_is_refused),
		TEST(test_drops_are_summed_and_forgotten_with_the_interface),
		TEST(test_flows_of_an_address_are_purged),
		TEST(test_expiry_counts_what_is_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
