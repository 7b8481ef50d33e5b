/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IPAM on a real store, embedded and etcd: who gets which address, and what stays behind. */
#include "ipam_fixture.h"

#include <time.h>

#define STRICT "{\"auto_allocate_blocks\":true,\"strict_affinity\":true}"
#define MANUAL "{\"auto_allocate_blocks\":false,\"strict_affinity\":false}"

static void test_addresses_come_in_order_from_one_claimed_block(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct addr first, got[3];
	struct cidr block;
	struct err err;
	char text[CIDR_TEXT];

	add_pool(store, "10.1.0.0/16", "");
	assert_int_equal(try_any(&ipam, 4, 1, NULL, &first, &err), 1);
	block = block_cidr_of(&first);
	assert_int_equal(addr_compare(&block.addr, &first), 0);
	assert_int_equal(try_any(&ipam, 4, 3, NULL, got, &err), 3);
	for (unsigned int i = 0; i < 3; i++) {
		struct addr next = addr_add(&first, i + 1);

		assert_int_equal(addr_compare(&got[i], &next), 0);
	}
	assert_int_equal(count_blocks(store, 4), 1);
	cidr_format(&block, text);
	assert_string_equal(owner_of(store, text), "host-a");
	assert_true(claims(store, "host-a", text));
}

/* The value as v0.20 tools read it. */
static void test_the_block_has_the_wire_format(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct store_node node;
	json_t *block, *attribute, *secondary;
	struct err err;

	add_pool(store, "10.1.2.0/26", "");
	assert_string_equal(take(&ipam), "10.1.2.0");
	assert_int_equal(store_get(store, "/calico/ipam/v2/assignment/ipv4/block/10.1.2.0-26", &node, &err),
			 0);
	assert_int_equal(model_json_parse(node.value, &block, &err), 0);
	store_node_done(&node);
	assert_string_equal(json_string_value(json_object_get(block, "cidr")), "10.1.2.0/26");
	assert_string_equal(json_string_value(json_object_get(block, "affinity")), "host:host-a");
	assert_int_equal(json_array_size(json_object_get(block, "allocations")), 64);
	assert_int_equal(json_array_size(json_object_get(block, "unallocated")), 63);
	assert_int_equal(json_array_size(json_object_get(block, "attributes")), 1);
	attribute = json_array_get(json_object_get(block, "attributes"), 0);
	assert_true(json_is_null(json_object_get(attribute, "handle_id")));
	secondary = json_object_get(attribute, "secondary");
	assert_string_equal(json_string_value(json_object_get(secondary, "node")), "host-a");
	assert_string_equal(json_string_value(json_object_get(secondary, "type")), "libnetwork");
	assert_in_range(strtol(json_string_value(json_object_get(secondary, "since")), NULL, 10),
			time(NULL) - 60, time(NULL));
	json_decref(block);
	assert_int_equal(store_get(store, "/calico/ipam/v2/host/host-a/ipv4/block/10.1.2.0-26", &node, &err),
			 0);
	assert_string_equal(node.value, "");
	store_node_done(&node);
}

static void test_hosts_have_blocks_of_their_own(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");
	struct addr from_a, from_b;

	add_pool(store, "10.1.0.0/25", "");
	from_a = address(take(&a));
	from_b = address(take(&b));
	assert_int_not_equal(from_a.bytes[3] / 64, from_b.bytes[3] / 64);
	assert_int_equal(count_blocks(store, 4), 2);
}

static void test_a_full_pool_says_so(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct addr got[70];
	struct err err = {""};

	assert_int_equal(try_any(&ipam, 4, 1, NULL, got, &err), -ENOSPC);
	assert_non_null(
		strstr(err.text, "There are no available IP addresses in the configured Calico IP pools"));
	assert_non_null(strstr(err.text, "calicoctl pool add"));
	add_pool(store, "10.1.2.0/26", "");
	assert_int_equal(try_any(&ipam, 4, 70, NULL, got, &err), 64);
	assert_int_equal(try_any(&ipam, 4, 1, NULL, got, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "10.1.2.0/26"));
	assert_int_equal(try_any(&ipam, 6, 1, NULL, got, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "IPv6"));
}

static void test_only_enabled_pools_give_addresses(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct addr got;
	struct err err = {""};

	add_pool(store, "10.1.0.0/24", ",\"disabled\":true");
	add_pool(store, "10.2.0.0/24", ",\"ipam\":false");
	assert_int_equal(try_any(&ipam, 4, 1, NULL, &got, &err), -ENOSPC);
	assert_int_equal(try_any(&ipam, 4, 1, "10.1.0.0/24", &got, &err), -ENOENT);
	assert_int_equal(try_any(&ipam, 4, 1, "10.2.0.0/24", &got, &err), -ENOENT);
	assert_int_equal(try_any(&ipam, 4, 1, "10.3.0.0/24", &got, &err), -ENOENT);
	assert_non_null(strstr(err.text, "10.3.0.0/24"));
	assert_int_equal(try_take(&ipam, "10.1.0.5", &err), -ENOENT);
	assert_int_equal(try_take(&ipam, "10.2.0.5", &err), -ENOENT);
	put(store, "/calico/v1/ipam/v4/pool/10.4.0.0-24", "not JSON");
	add_pool(store, "10.5.0.0/24", "");
	assert_int_equal(address(take(&ipam)).bytes[1], 5);
	assert_int_equal(ipam_pool_enabled(&ipam, 4, NULL, &err), 1);
	assert_int_equal(ipam_pool_enabled(&ipam, 6, NULL, &err), 0);
}

/* The host has a block in a pool that is disabled now: old clients went on with it. */
static void test_an_own_block_in_a_disabled_pool_is_left_alone(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");

	add_pool(store, "10.1.0.0/24", "");
	assert_int_equal(address(take(&ipam)).bytes[1], 1);
	add_pool(store, "10.1.0.0/24", ",\"disabled\":true");
	add_pool(store, "10.2.0.0/24", "");
	assert_int_equal(address(take(&ipam)).bytes[1], 2);
}

static void test_a_requested_pool_is_kept_to(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct cidr pool = network("10.2.0.0/26");
	struct addr got[70];
	struct err err;

	add_pool(store, "10.1.0.0/24", "");
	add_pool(store, "10.2.0.0/26", "");
	take(&ipam);
	assert_int_equal(try_any(&ipam, 4, 70, "10.2.0.9/26", got, &err), 64);
	for (int i = 0; i < 64; i++)
		assert_true(cidr_contains(&pool, &got[i]));
	assert_int_equal(try_any(&ipam, 4, 1, "10.2.0.0/26", got, &err), -ENOSPC);
}

static void test_a_given_address(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");
	struct err err = {""};

	add_pool(store, "10.1.0.0/24", "");
	assert_int_equal(try_take(&a, "10.1.0.77", &err), 0);
	assert_string_equal(owner_of(store, "10.1.0.64/26"), "host-a");
	assert_int_equal(try_take(&a, "10.1.0.77", &err), -EEXIST);
	assert_non_null(strstr(err.text, "10.1.0.77 is already in use"));
	assert_int_equal(try_take(&b, "10.1.0.77", &err), -EEXIST);
	assert_int_equal(try_take(&b, "10.1.0.78", &err), 0); /* borrowed */
	assert_string_equal(owner_of(store, "10.1.0.64/26"), "host-a");
	assert_int_equal(try_take(&a, "10.7.0.1", &err), -ENOENT);
	assert_non_null(strstr(err.text, "10.7.0.1 is not in any enabled Calico IP pool"));
	assert_int_equal(give_back(&b, "10.1.0.77"), 0);
	assert_int_equal(try_take(&b, "10.1.0.77", &err), 0);
}

static void test_addresses_are_borrowed_when_no_block_is_left(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");

	add_pool(store, "10.1.2.0/26", "");
	assert_string_equal(take(&a), "10.1.2.0");
	assert_string_equal(take(&b), "10.1.2.1");
	assert_string_equal(owner_of(store, "10.1.2.0/26"), "host-a");
	assert_false(claims(store, "host-b", "10.1.2.0/26"));
	assert_string_equal(take(&a), "10.1.2.2");
}

/* What runs keeps its address, whatever the datastore has forgotten. */
static void test_an_address_in_use_is_adopted_without_a_pool(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	json_t *attribute = ipam_attribute("host-a", "libnetwork");
	struct addr addr = address("10.1.0.0");
	struct cidr block = block_cidr_of(&addr);
	struct err err = {""};
	char key[KEY_MAX];

	assert_int_equal(ipam_assign(&ipam, &addr, attribute, &err), -ENOENT);
	assert_int_equal(ipam_adopt(&ipam, &addr, attribute, &err), 1);
	assert_int_equal(ipam_adopt(&ipam, &addr, attribute, &err), 0);
	/* The key of the affinity alone. */
	assert_int_equal(store_delete(store, key_affinity(key, "host-a", &block), &err), 0);
	assert_int_equal(ipam_adopt(&ipam, &addr, attribute, &err), 1);
	assert_int_equal(ipam_adopt(&ipam, &addr, attribute, &err), 0);
	assert_int_equal(count_used(store, 4), 1);
	assert_string_equal(owner_of(store, "10.1.0.0/26"), "host-a");
	assert_true(claims(store, "host-a", "10.1.0.0/26"));
	add_pool(store, "10.1.0.0/26", "");
	assert_string_equal(take(&ipam), "10.1.0.1");
	assert_int_equal(give_back(&ipam, "10.1.0.0"), 0);
	json_decref(attribute);
}

static void test_strict_affinity_forbids_to_borrow(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");
	struct addr got;
	struct err err = {""};

	put(store, KEY_IPAM_CONFIG, STRICT);
	add_pool(store, "10.1.2.0/26", "");
	take(&a);
	assert_int_equal(try_any(&b, 4, 1, NULL, &got, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "strict affinity"));
	assert_int_equal(try_take(&b, "10.1.2.9", &err), -EACCES);
	assert_non_null(strstr(err.text, "host-a"));
	assert_int_equal(try_take(&a, "10.1.2.9", &err), 0);
	/* The block itself stays strict whatever the configuration says later. */
	drop(store, KEY_IPAM_CONFIG);
	assert_int_equal(try_any(&b, 4, 1, NULL, &got, &err), -ENOSPC);
}

static void test_without_automatic_blocks_none_is_claimed(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");
	struct addr got;
	struct err err;

	add_pool(store, "10.1.0.0/24", "");
	take(&a);
	put(store, KEY_IPAM_CONFIG, MANUAL);
	assert_int_equal(try_any(&b, 4, 1, NULL, &got, &err), 1);
	assert_int_equal(count_blocks(store, 4), 1);
	put(store, KEY_IPAM_CONFIG, "{\"broken\":");
	assert_int_equal(try_any(&b, 4, 1, NULL, &got, &err), -EBADMSG);
}

static void test_ipv6_pool_of_58_bits_of_blocks(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");
	struct cidr pool = network("fd80:24e2:f998:72d6::/64");
	struct addr got[130], other;
	struct err err;

	add_pool(store, "fd80:24e2:f998:72d6::/64", "");
	assert_int_equal(try_any(&a, 6, 130, NULL, got, &err), 130);
	assert_int_equal(count_blocks(store, 6), 3);
	assert_int_equal(try_any(&b, 6, 1, NULL, &other, &err), 1);
	assert_int_equal(count_blocks(store, 6), 4);
	for (int i = 0; i < 130; i++)
		assert_true(cidr_contains(&pool, &got[i]));
	assert_int_equal(try_take(&b, "fd80:24e2:f998:72d6::77", &err), 0);
	assert_int_equal(give_back(&b, "fd80:24e2:f998:72d6::77"), 0);
}

static void test_a_claim_that_was_cut_short_is_completed(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");

	add_pool(store, "10.1.0.0/16", "");
	put(store, "/calico/ipam/v2/host/host-a/ipv4/block/10.1.7.64-26", "");
	assert_string_equal(take(&ipam), "10.1.7.64");
	assert_string_equal(owner_of(store, "10.1.7.64/26"), "host-a");
	assert_int_equal(count_blocks(store, 4), 1);
}

static void test_a_key_for_another_hosts_block_is_removed(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");
	struct err err;

	add_pool(store, "10.1.0.0/24", "");
	assert_int_equal(try_take(&b, "10.1.0.0", &err), 0);
	put(store, "/calico/ipam/v2/host/host-a/ipv4/block/10.1.0.0-26", "");
	assert_true(address(take(&a)).bytes[3] >= 64);
	assert_false(claims(store, "host-a", "10.1.0.0/26"));
	assert_true(claims(store, "host-b", "10.1.0.0/26"));
}

static void test_an_own_block_whose_key_was_lost_is_found_again(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");

	put(store, KEY_IPAM_CONFIG, STRICT);
	add_pool(store, "10.1.2.0/26", "");
	assert_string_equal(take(&ipam), "10.1.2.0");
	drop(store, "/calico/ipam/v2/host/host-a/ipv4/block/10.1.2.0-26");
	assert_string_equal(take(&ipam), "10.1.2.1");
	assert_true(claims(store, "host-a", "10.1.2.0/26"));
}

static void test_a_broken_block_is_passed_over(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct cidr pool = network("10.1.2.0/25");
	struct err err = {""};

	add_pool(store, "10.1.2.0/25", "");
	put(store, "/calico/ipam/v2/assignment/ipv4/block/10.1.2.0-26", "{\"cidr\":\"10.1.2.0/26\"}");
	put(store, "/calico/ipam/v2/host/host-a/ipv4/block/10.1.2.0-26", "");
	assert_string_equal(take(&ipam), "10.1.2.64");
	assert_int_equal(try_take(&ipam, "10.1.2.5", &err), -EBADMSG);
	assert_non_null(strstr(err.text, "10.1.2.0-26"));
	assert_int_equal(ipam_release_pool(&ipam, &pool, &err), 0);
	assert_string_equal(owner_of(store, "10.1.2.64/26"), "");
}

/* A block of another address than its key names would make us hand out addresses of somebody else. */
static void test_a_block_under_a_wrong_key_is_refused(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct store_node node;
	struct err err;

	add_pool(store, "10.1.2.0/26", "");
	take(&ipam);
	assert_int_equal(store_get(store, "/calico/ipam/v2/assignment/ipv4/block/10.1.2.0-26", &node, &err),
			 0);
	put(store, "/calico/ipam/v2/assignment/ipv4/block/10.1.3.0-26", node.value);
	store_node_done(&node);
	assert_int_equal(give_back(&ipam, "10.1.3.0"), -EBADMSG);
}

struct worker {
	struct ipam *ipam;
	struct addr got;
	int result;
	unsigned int *left;
	struct wait *all_done;
};

static void assign_one(void *arg)
{
	struct worker *worker = arg;
	struct err err;

	worker->result = try_any(worker->ipam, 4, 1, NULL, &worker->got, &err);
	if (!--*worker->left)
		wait_wake(worker->all_done);
}

/* Twenty requests in one process, ten for each of two hosts that share one small pool. */
static void test_concurrent_requests_of_one_process(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipams[] = {on_host(store, "host-a"), on_host(store, "host-b")};
	struct worker workers[20];
	struct wait all_done = {0};
	unsigned int left = 20;

	add_pool(store, "10.1.2.0/26", "");
	for (int i = 0; i < 20; i++) {
		workers[i] = (struct worker){.ipam = &ipams[i % 2], .left = &left, .all_done = &all_done};
		assert_int_equal(task_start(assign_one, &workers[i]), 0);
	}
	assert_int_equal(wait_for(&all_done, PATIENCE_MS), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(workers[i].result, 1);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(addr_compare(&workers[i].got, &workers[j].got), 0);
	}
	assert_int_equal(count_used(store, 4), 20);
}

static void hold_lock(void *arg)
{
	struct ipam *ipam = arg;

	task_lock(&ipam->lock, -1);
}

/* A request that queues behind a stuck one fails by its own deadline, with a sentence. */
static void test_the_queue_has_a_time_limit(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	int64_t start = task_clock_ms();
	struct addr got;
	struct err err = {""};

	add_pool(store, "10.1.2.0/26", "");
	assert_int_equal(task_start(hold_lock, &ipam), 0);
	task_set_deadline(50);
	assert_int_equal(try_any(&ipam, 4, 1, NULL, &got, &err), -ETIMEDOUT);
	task_set_deadline(-1);
	assert_in_range(task_clock_ms() - start, 45, 5000);
	assert_non_null(strstr(err.text, "try again"));
	task_unlock(&ipam.lock);
}

static const char *is_gateway(void *arg, const struct addr *addr)
{
	struct addr gateway = address(arg);

	return addr_compare(addr, &gateway) ? NULL : "a gateway of this host";
}

/* Hosts register their addresses; what else is known comes from the owner of `struct ipam`. */
static void test_addresses_of_hosts_are_not_given_out(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct addr got[64];
	struct err err = {""};
	int count;

	ipam.reserved = is_gateway;
	ipam.reserved_arg = "10.1.2.1";
	add_pool(store, "10.1.2.0/26", "");
	put(store, "/calico/bgp/v1/host/host-b/ip_addr_v4", "10.1.2.0");
	put(store, "/calico/bgp/v1/host/host-b/ip_addr_v6", "");
	put(store, "/calico/bgp/v1/host/host-c/ip_addr_v4", "nonsense");
	assert_string_equal(take(&ipam), "10.1.2.2");
	assert_int_equal(try_take(&ipam, "10.1.2.0", &err), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.text, "10.1.2.0 is the registered address of a host"));
	assert_int_equal(try_take(&ipam, "10.1.2.1", &err), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.text, "10.1.2.1 is a gateway of this host"));

	count = try_any(&ipam, 4, 64, NULL, got, &err);
	assert_int_equal(count, 61);
	for (int i = 0; i < count; i++)
		assert_in_range(got[i].bytes[3], 3, 63);
	assert_int_equal(try_any(&ipam, 4, 1, NULL, got, &err), -ENOSPC);

	/* The host has gone: its address is free. */
	drop(store, "/calico/bgp/v1/host/host-b/ip_addr_v4");
	assert_string_equal(take(&ipam), "10.1.2.0");
}

static void test_ipv6_addresses_of_hosts_are_not_given_out(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct addr got;
	struct err err = {""};
	char text[ADDR_TEXT];

	add_pool(store, "fd80::/122", "");
	put(store, "/calico/bgp/v1/host/host-b/ip_addr_v6", "fd80:0::0");
	assert_int_equal(try_any(&ipam, 6, 1, NULL, &got, &err), 1);
	assert_string_equal(addr_format(&got, text), "fd80::1");
}

static void test_pools_of_unusable_addresses_are_not_used(void **state)
{
	static const char *const pools[] = {"127.1.0.0/16", "224.0.0.0/24", "169.254.0.0/16", "0.0.0.0/0"};
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct addr got;
	struct err err = {""};

	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
		add_pool(store, pools[i], "");
	assert_int_equal(try_any(&ipam, 4, 1, NULL, &got, &err), -ENOSPC);
	assert_int_equal(try_any(&ipam, 4, 1, pools[0], &got, &err), -ENOENT);
	assert_int_equal(try_take(&ipam, "127.1.0.1", &err), -ENOENT);
	assert_int_equal(count_blocks(store, 4), 0);
	add_pool(store, "10.1.2.0/26", "");
	assert_string_equal(take(&ipam), "10.1.2.0");
}

/* For users who name no pool. The text lasts until the next call. */
static const char *take_chosen(struct ipam *ipam)
{
	static char text[ADDR_TEXT];
	json_t *attribute = ipam_attribute(ipam->host, "libnetwork");
	struct addr addr;
	struct err err = {""};

	if (ipam_assign_chosen(ipam, 4, attribute, &addr, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(attribute);
	return addr_format(&addr, text);
}

static void test_a_new_pool_moves_nobody(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");
	struct addr got[64];
	struct err err;

	add_pool(store, "10.5.0.0/25", "");
	assert_memory_equal(take_chosen(&a), "10.5.0.", 7);
	/* Sorted before it, and with a block of this host. */
	add_pool(store, "10.1.0.0/25", "");
	assert_int_equal(try_any(&a, 4, 3, "10.1.0.0/25", got, &err), 3);
	for (int i = 1; i < 64; i++)
		take_chosen(&a);
	assert_memory_equal(take_chosen(&a), "10.5.0.", 7); /* its second block */
	assert_memory_equal(take_chosen(&b), "10.5.0.", 7); /* borrowed: none is left there */
	for (int i = 2; i < 64; i++)
		take_chosen(&b);
	/* Full: others serve, until there is room again. */
	assert_memory_equal(take_chosen(&a), "10.1.0.", 7);
	assert_int_equal(give_back(&a, "10.5.0.7"), 0);
	assert_string_equal(take_chosen(&b), "10.5.0.7");
	/* Gone: another is chosen, and kept to when the first comes back. */
	remove_pool(store, "10.5.0.0/25");
	assert_memory_equal(take_chosen(&a), "10.1.0.", 7);
	add_pool(store, "10.0.0.0/25", "");
	add_pool(store, "10.5.0.0/25", "");
	assert_int_equal(give_back(&a, "10.5.0.9"), 0);
	assert_memory_equal(take_chosen(&a), "10.1.0.", 7);
	assert_memory_equal(take_chosen(&b), "10.1.0.", 7);
}

/* Addresses of before there was a choice, or after a store that has lost it. */
static void test_the_pool_in_use_is_chosen(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a"), other = on_host(store, "host-b");
	struct addr got[2];
	struct err err;

	add_pool(store, "10.1.0.0/16", "");
	add_pool(store, "10.2.0.0/16", "");
	add_pool(store, "10.3.0.0/16", "");
	assert_int_equal(try_any(&ipam, 4, 1, "10.1.0.0/16", got, &err), 1);
	assert_int_equal(try_any(&other, 4, 2, "10.2.0.0/16", got, &err), 2);
	assert_memory_equal(take_chosen(&ipam), "10.2.", 5);
	assert_int_equal(try_any(&ipam, 4, 2, "10.3.0.0/16", got, &err), 2);
	assert_int_equal(try_any(&ipam, 4, 2, "10.3.0.0/16", got, &err), 2);
	assert_memory_equal(take_chosen(&ipam), "10.2.", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_addresses_come_in_order_from_one_claimed_block),
		EACH(test_the_block_has_the_wire_format),
		EACH(test_hosts_have_blocks_of_their_own),
		EACH(test_a_full_pool_says_so),
		EACH(test_only_enabled_pools_give_addresses),
		EACH(test_an_own_block_in_a_disabled_pool_is_left_alone),
		EACH(test_a_requested_pool_is_kept_to),
		EACH(test_a_given_address),
		EACH(test_an_address_in_use_is_adopted_without_a_pool),
		EACH(test_addresses_are_borrowed_when_no_block_is_left),
		EACH(test_strict_affinity_forbids_to_borrow),
		EACH(test_without_automatic_blocks_none_is_claimed),
		EACH(test_ipv6_pool_of_58_bits_of_blocks),
		EACH(test_a_claim_that_was_cut_short_is_completed),
		EACH(test_a_key_for_another_hosts_block_is_removed),
		EACH(test_an_own_block_whose_key_was_lost_is_found_again),
		EACH(test_a_broken_block_is_passed_over),
		EACH(test_a_block_under_a_wrong_key_is_refused),
		EACH(test_addresses_of_hosts_are_not_given_out),
		EACH(test_ipv6_addresses_of_hosts_are_not_given_out),
		EACH(test_pools_of_unusable_addresses_are_not_used),
		EACH(test_a_new_pool_moves_nobody),
		EACH(test_the_pool_in_use_is_chosen),
		EACH(test_concurrent_requests_of_one_process),
		EACH(test_the_queue_has_a_time_limit),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
