/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IPAM on a real store, embedded and etcd: what happens to addresses when they, a pool or a host go. */
#include "ipam_fixture.h"

#include <time.h>

static void test_a_released_address_comes_back_last(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");

	add_pool(store, "10.1.2.0/26", "");
	assert_string_equal(take(&ipam), "10.1.2.0");
	assert_int_equal(give_back(&ipam, "10.1.2.0"), 0);
	assert_int_equal(give_back(&ipam, "10.1.2.0"), -ENOENT);
	assert_int_equal(give_back(&ipam, "10.9.9.9"), -ENOENT);
	assert_string_equal(owner_of(store, "10.1.2.0/26"), "host-a"); /* empty, and kept for the host */
	for (int i = 1; i < 64; i++)
		take(&ipam);
	assert_string_equal(take(&ipam), "10.1.2.0");
}

static void test_pool_removal(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");
	struct cidr pool = network("10.1.0.0/24");
	struct err err;

	add_pool(store, "10.1.0.0/24", "");
	add_pool(store, "10.2.0.0/24", "");
	assert_int_equal(try_take(&a, "10.1.0.7", &err), 0);
	assert_int_equal(try_take(&b, "10.1.0.70", &err), 0);
	assert_int_equal(give_back(&b, "10.1.0.70"), 0);
	assert_int_equal(try_take(&a, "10.2.0.7", &err), 0);
	put(store, "/calico/ipam/v2/host/host-b/ipv4/block/10.1.0.128-26", ""); /* never completed */

	assert_int_equal(ipam_release_pool(&a, &pool, &err), 0);
	remove_pool(store, "10.1.0.0/24");
	assert_string_equal(owner_of(store, "10.1.0.0/26"), "");
	assert_null(owner_of(store, "10.1.0.64/26"));
	assert_false(claims(store, "host-a", "10.1.0.0/26"));
	assert_false(claims(store, "host-b", "10.1.0.64/26"));
	assert_false(claims(store, "host-b", "10.1.0.128/26"));
	assert_string_equal(owner_of(store, "10.2.0.0/26"), "host-a");
	assert_true(claims(store, "host-a", "10.2.0.0/26"));

	/* The last address of a block that is nobody's takes the block along. */
	assert_int_equal(give_back(&b, "10.1.0.7"), 0);
	assert_null(owner_of(store, "10.1.0.0/26"));
}

static void test_a_pool_that_comes_back_gives_what_its_old_blocks_have(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct cidr pool = network("10.1.2.0/26");
	struct err err;

	add_pool(store, "10.1.2.0/26", "");
	assert_string_equal(take(&ipam), "10.1.2.0");
	assert_int_equal(ipam_release_pool(&ipam, &pool, &err), 0);
	assert_string_equal(take(&ipam), "10.1.2.1");
	assert_string_equal(owner_of(store, "10.1.2.0/26"), "");
}

static void test_host_removal(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");
	struct addr got;
	struct err err;

	add_pool(store, "10.1.0.0/24", "");
	add_pool(store, "fd80::/64", "");
	assert_int_equal(try_take(&a, "10.1.0.7", &err), 0);
	assert_int_equal(try_take(&a, "10.1.0.70", &err), 0);
	assert_int_equal(give_back(&a, "10.1.0.70"), 0);
	assert_int_equal(try_any(&a, 6, 1, NULL, &got, &err), 1);
	assert_int_equal(ipam_release(&a, &got, &err), 0);
	assert_int_equal(try_take(&b, "10.1.0.130", &err), 0);

	assert_int_equal(ipam_release_host(&b, "host-a", &err), 0);
	assert_string_equal(owner_of(store, "10.1.0.0/26"), "");
	assert_null(owner_of(store, "10.1.0.64/26"));
	assert_int_equal(count_blocks(store, 6), 0);
	assert_string_equal(owner_of(store, "10.1.0.128/26"), "host-b");
	assert_false(claims(store, "host-a", "10.1.0.0/26"));
	assert_int_equal(ipam_release_host(&b, "host-a", &err), 0); /* and once more */
}

static void test_info(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct addr addr = address("10.1.2.9");
	json_t *attribute;
	struct err err = {""};
	long age;

	add_pool(store, "10.1.2.0/26", "");
	assert_int_equal(ipam_info(&ipam, &addr, &attribute, &err), -ENOENT);
	assert_int_equal(try_take(&ipam, "10.1.2.9", &err), 0);
	assert_int_equal(ipam_info(&ipam, &addr, &attribute, &err), 0);
	assert_true(ipam_attribute_is(attribute, "host-a", "libnetwork", &age));
	assert_in_range(age, 0, 60);
	assert_false(ipam_attribute_is(attribute, "host-b", "libnetwork", NULL));
	assert_false(ipam_attribute_is(attribute, "host-a", "tunnel", NULL));
	json_decref(attribute);
	addr = address("10.1.2.10");
	assert_int_equal(ipam_info(&ipam, &addr, &attribute, &err), -ENOENT);
}

/* Blocks of other tools count addresses by handle. */
static void test_release_counts_the_handle_down(void **state)
{
	static const char handle[] = "/calico/ipam/v2/handle/h1";
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	json_t *attribute = json_pack("{s:s, s:{}}", "handle_id", "h1", "secondary");
	struct addr addr = address("10.1.2.0");
	struct store_node node;
	struct err err;

	add_pool(store, "10.1.2.0/26", "");
	for (int i = 0; i < 3; i++) {
		struct addr next = addr_add(&addr, (uint64_t)i);

		assert_int_equal(ipam_assign(&ipam, &next, attribute, &err), 0);
	}
	json_decref(attribute);
	put(store, handle, "{\"id\":\"h1\",\"block\":{\"10.1.2.0/26\":2}}");
	assert_int_equal(give_back(&ipam, "10.1.2.0"), 0);
	assert_int_equal(store_get(store, handle, &node, &err), 0);
	assert_non_null(strstr(node.value, "\"10.1.2.0/26\":1"));
	store_node_done(&node);
	assert_int_equal(give_back(&ipam, "10.1.2.1"), 0);
	assert_false(exists(store, handle));
	assert_int_equal(give_back(&ipam, "10.1.2.2"), 0); /* one too many: no reason to fail */
}

static void age_attributes(struct store *store, const char *block_text, const char *since)
{
	struct block *block = read_block(store, block_text);
	struct cidr cidr = network(block_text);
	char key[KEY_MAX], *text;
	json_t *attribute;
	size_t i;

	json_array_foreach (block->attributes, i, attribute)
		json_object_set_new(json_object_get(attribute, "secondary"), "since", json_string(since));
	text = block_format(block);
	put(store, key_block(key, &cidr), text);
	free(text);
	block_free(block);
}

struct collected {
	struct ipam *ipam;
	const char *replace; /* an address that changes hands while it is judged */
	int asked;
	long age;
};

static bool collect_all(void *arg, const struct addr *addr, long age_s)
{
	struct collected *collected = arg;
	char text[ADDR_TEXT];

	collected->asked++;
	collected->age = age_s;
	if (collected->replace && !strcmp(addr_format(addr, text), collected->replace)) {
		struct err err;

		assert_int_equal(give_back(collected->ipam, text), 0);
		assert_int_equal(try_take(collected->ipam, text, &err), 0);
	}
	return true;
}

static bool collect_none(void *arg, const struct addr *addr, long age_s)
{
	((struct collected *)arg)->asked++;
	return false;
}

static void test_collection_sees_only_what_is_marked_for_this_host(void **state)
{
	struct store *store = store_of(state);
	struct ipam a = on_host(store, "host-a"), b = on_host(store, "host-b");
	json_t *plain = ipam_attribute(NULL, NULL), *tunnel = ipam_attribute("host-a", "tunnel");
	struct addr old = address("10.1.2.5"), tunnel_addr = address("10.1.2.6");
	struct collected collected = {0};
	struct err err;

	add_pool(store, "10.1.2.0/26", "");
	assert_int_equal(try_take(&a, "10.1.2.1", &err), 0);
	assert_int_equal(try_take(&b, "10.1.2.2", &err), 0);
	assert_int_equal(ipam_assign(&a, &old, plain, &err), 0);
	assert_int_equal(ipam_assign(&a, &tunnel_addr, tunnel, &err), 0);
	json_decref(plain);
	json_decref(tunnel);
	assert_int_equal(ipam_collect(&a, "libnetwork", collect_none, &collected, &err), 0);
	assert_int_equal(collected.asked, 1);
	assert_int_equal(ipam_collect(&a, "libnetwork", collect_all, &collected, &err), 1);
	assert_int_equal(count_used(store, 4), 3);
	assert_int_equal(give_back(&a, "10.1.2.1"), -ENOENT);
}

static void test_collection_tells_the_age(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct collected collected = {0};
	struct err err;
	char since[32];

	add_pool(store, "10.1.2.0/26", "");
	take(&ipam);
	snprintf(since, sizeof(since), "%lld", (long long)time(NULL) - 1000);
	age_attributes(store, "10.1.2.0/26", since);
	assert_int_equal(ipam_collect(&ipam, "libnetwork", collect_all, &collected, &err), 1);
	assert_in_range(collected.age, 1000, 1060);
}

static void test_collection_leaves_what_changed_hands(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct collected collected = {.ipam = &ipam, .replace = "10.1.2.0"};
	struct err err;

	add_pool(store, "10.1.2.0/26", "");
	take(&ipam);
	age_attributes(store, "10.1.2.0/26", "1000000000");
	assert_int_equal(ipam_collect(&ipam, "libnetwork", collect_all, &collected, &err), 0);
	assert_int_equal(count_used(store, 4), 1);
}

static bool refuse(void *arg, const json_t *attribute)
{
	return false;
}

static void test_conditional_release(void **state)
{
	struct store *store = store_of(state);
	struct ipam ipam = on_host(store, "host-a");
	struct addr addr = address("10.1.2.0");
	struct err err;

	add_pool(store, "10.1.2.0/26", "");
	assert_int_equal(ipam_release_if(&ipam, &addr, refuse, NULL, &err), -ENOENT);
	take(&ipam);
	assert_int_equal(ipam_release_if(&ipam, &addr, refuse, NULL, &err), -EPERM);
	assert_int_equal(count_used(store, 4), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_a_released_address_comes_back_last),
		EACH(test_pool_removal),
		EACH(test_a_pool_that_comes_back_gives_what_its_old_blocks_have),
		EACH(test_host_removal),
		EACH(test_info),
		EACH(test_release_counts_the_handle_down),
		EACH(test_collection_sees_only_what_is_marked_for_this_host),
		EACH(test_collection_tells_the_age),
		EACH(test_collection_leaves_what_changed_hands),
		EACH(test_conditional_release),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
