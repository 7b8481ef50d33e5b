/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The order in which a host tries blocks: each once, the same every time, another one for another host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ipam/candidates.h"
#include "model/block.h"

static struct cidr cidr(const char *text)
{
	struct cidr ret;

	assert_int_equal(cidr_parse(text, &ret), 0);
	return ret;
}

static void start(struct candidates *candidates, const struct cidr *pools, size_t count, const char *host)
{
	assert_int_equal(candidates_init(candidates, pools, count, host), 0);
}

static void every_block_once(const char *pool_text, size_t blocks)
{
	struct cidr pool = cidr(pool_text), block;
	struct candidates candidates;
	bool *seen = calloc(blocks, sizeof(*seen));
	size_t count = 0;

	start(&candidates, &pool, 1, "host-a");
	while (candidates_next(&candidates, &block)) {
		uint32_t offset = 0;

		assert_true(cidr_contains(&pool, &block.addr));
		assert_int_equal(block.length, block.addr.family == 6 ? BLOCK_BITS6 : BLOCK_BITS4);
		for (unsigned int i = addr_bits(&block.addr) / 8 - 4; i < addr_bits(&block.addr) / 8; i++)
			offset = offset << 8 | block.addr.bytes[i];
		assert_int_equal(offset % BLOCK_SIZE, 0);
		offset = offset / BLOCK_SIZE % blocks;
		assert_false(seen[offset]);
		seen[offset] = true;
		count++;
	}
	assert_int_equal(count, blocks);
	candidates_done(&candidates);
	free(seen);
}

static void test_every_block_once(void **state)
{
	every_block_once("10.1.2.64/26", 1);
	every_block_once("10.1.2.0/25", 2);
	every_block_once("192.168.0.0/16", 1024);
	every_block_once("10.0.0.0/8", 262144);
	every_block_once("fd80::/122", 1);
	every_block_once("fd80::/108", 16384);
}

static void test_host_bits_of_a_pool_do_not_matter(void **state)
{
	struct cidr pool = cidr("10.1.2.77/24"), block;
	struct candidates candidates;

	start(&candidates, &pool, 1, "host-a");
	for (int i = 0; i < 4; i++) {
		assert_true(candidates_next(&candidates, &block));
		assert_int_equal(block.addr.bytes[3] % 64, 0);
	}
	assert_false(candidates_next(&candidates, &block));
	candidates_done(&candidates);
}

static void test_a_host_always_has_the_same_order(void **state)
{
	struct cidr pools[] = {cidr("10.1.0.0/16"), cidr("10.2.0.0/16")}, a, b;
	struct candidates first, second;

	start(&first, pools, 2, "host-a");
	start(&second, pools, 2, "host-a");
	for (int i = 0; i < 2048; i++) {
		assert_true(candidates_next(&first, &a));
		assert_true(candidates_next(&second, &b));
		assert_int_equal(cidr_compare(&a, &b), 0);
	}
	candidates_done(&first);
	candidates_done(&second);
}

/* Forty hosts that start in one /16 of 1,024 blocks: by chance 0.8 pairs meet at their first block. */
static void test_hosts_seldom_meet(void **state)
{
	struct cidr pool = cidr("192.168.0.0/16"), firsts[40];
	unsigned int meetings = 0;

	for (int i = 0; i < 40; i++) {
		char name[] = {'n', 'o', 'd', 'e', (char)('0' + i / 10), (char)('0' + i % 10), '\0'};
		struct candidates candidates;

		start(&candidates, &pool, 1, name);
		assert_true(candidates_next(&candidates, &firsts[i]));
		candidates_done(&candidates);
		for (int j = 0; j < i; j++)
			meetings += !cidr_compare(&firsts[i], &firsts[j]);
	}
	assert_in_range(meetings, 0, 5);
}

static void test_pools_take_turns(void **state)
{
	struct cidr pools[] = {cidr("10.1.0.0/24"), cidr("10.2.0.0/25")}, block;
	struct candidates candidates;
	static const uint8_t turns[] = {1, 2, 1, 2, 1, 1};

	start(&candidates, pools, 2, "host-a");
	for (size_t i = 0; i < sizeof(turns); i++) {
		assert_true(candidates_next(&candidates, &block));
		assert_int_equal(block.addr.bytes[1], turns[i]);
	}
	assert_false(candidates_next(&candidates, &block));
	candidates_done(&candidates);
}

static void test_a_pool_smaller_than_a_block_has_none(void **state)
{
	struct cidr pools[] = {cidr("10.1.0.0/27"), cidr("fd80::/123")}, block;
	struct candidates candidates;

	start(&candidates, pools, 2, "host-a");
	assert_false(candidates_next(&candidates, &block));
	candidates_done(&candidates);
	start(&candidates, NULL, 0, "host-a");
	assert_false(candidates_next(&candidates, &block));
	candidates_done(&candidates);
}

/* 2^58 blocks and more: no list can be made of them, and offsets must not overflow. */
static void test_large_ipv6_pools(void **state)
{
	static const char *const pools[] = {"fd80:24e2:f998:72d6::/64", "fd00::/48", "::/0"};
	struct cidr seen[1000];

	for (size_t i = 0; i < 3; i++) {
		struct cidr pool = cidr(pools[i]);
		struct candidates candidates;

		start(&candidates, &pool, 1, "host-a");
		for (int j = 0; j < 1000; j++) {
			assert_true(candidates_next(&candidates, &seen[j]));
			assert_true(cidr_contains(&pool, &seen[j].addr));
			assert_int_equal(seen[j].addr.bytes[15] % 64, 0);
			for (int k = 0; k < j; k++)
				assert_int_not_equal(cidr_compare(&seen[j], &seen[k]), 0);
		}
		candidates_done(&candidates);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_block_once),
		cmocka_unit_test(test_host_bits_of_a_pool_do_not_matter),
		cmocka_unit_test(test_a_host_always_has_the_same_order),
		cmocka_unit_test(test_hosts_seldom_meet),
		cmocka_unit_test(test_pools_take_turns),
		cmocka_unit_test(test_a_pool_smaller_than_a_block_has_none),
		cmocka_unit_test(test_large_ipv6_pools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
