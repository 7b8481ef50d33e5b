/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The allocator of index ranges and the arithmetic on port ranges, against bitmaps that say the same plainly.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rulebook.h"
#include "policy/space.h"

#define END 300

static void test_lowest_range_that_fits(void **state)
{
	struct space space;
	__u32 a, b, c;

	assert_int_equal(space_init(&space, 1, 11), 0);
	assert_int_equal(space_take(&space, 4, &a), 0);
	assert_int_equal(space_take(&space, 2, &b), 0);
	assert_int_equal(space_take(&space, 4, &c), 0);
	assert_int_equal(a, 1);
	assert_int_equal(b, 5);
	assert_int_equal(c, 7);
	assert_int_equal(space_take(&space, 1, &a), -ENOSPC);
	space_give(&space, 1, 4);
	assert_int_equal(space_take(&space, 5, &a), -ENOSPC);
	space_give(&space, 5, 2);
	assert_int_equal(space_take(&space, 5, &a), 0);
	assert_int_equal(a, 1);
	assert_int_equal(space.used, 9);
	space_done(&space);
	assert_int_equal(space_init(&space, 1, 1), 0);
	assert_int_equal(space_take(&space, 1, &a), -ENOSPC);
	space_done(&space);
}

/* The first index of the lowest free range, or END. */
static __u32 lowest(const bool *taken, __u32 count)
{
	for (__u32 first = 0; first + count <= END; first++) {
		__u32 i = 0;

		while (i < count && !taken[first + i])
			i++;
		if (i == count)
			return first;
	}
	return END;
}

static void test_random_ranges(void **state)
{
	struct space_range held[END];
	bool taken[END] = {};
	size_t count = 0;
	struct space space;

	srand(1);
	assert_int_equal(space_init(&space, 0, END), 0);
	for (int round = 0; round < 20000; round++) {
		__u32 length = 1 + (__u32)rand() % 20, first;
		bool give = count > 0 && rand() % 2;

		if (give) {
			size_t i = (size_t)rand() % count;

			space_give(&space, held[i].first, held[i].count);
			memset(taken + held[i].first, 0, held[i].count);
			held[i] = held[--count];
			continue;
		}
		first = lowest(taken, length);
		if (first == END) {
			assert_int_equal(space_take(&space, length, &first), -ENOSPC);
			continue;
		}
		assert_int_equal(space_take(&space, length, &held[count].first), 0);
		assert_int_equal(held[count].first, first);
		held[count++].count = length;
		memset(taken + first, 1, length);
	}
	space_done(&space);
}

static void random_ports(struct port_range *items, struct port_ranges *ret)
{
	static const __u16 edges[] = {0, 1, 2, 10, 11, 12, 100, 65533, 65534, 65535};

	*ret = (struct port_ranges){.items = items, .count = (size_t)rand() % 5};
	for (size_t i = 0; i < ret->count; i++) {
		__u16 a = edges[rand() % 10], b = edges[rand() % 10];

		items[i] = (struct port_range){a < b ? a : b, a < b ? b : a};
	}
}

static bool listed(const struct port_range *items, size_t count, __u32 port)
{
	for (size_t i = 0; i < count; i++) {
		if (port >= items[i].first && port <= items[i].last)
			return true;
	}
	return false;
}

static void test_random_ports(void **state)
{
	srand(2);
	for (int round = 0; round < 300; round++) {
		struct port_range positive_items[5], negative_items[5], *ranges;
		struct port_ranges positive, negative;
		size_t count;

		random_ports(positive_items, &positive);
		random_ports(negative_items, &negative);
		assert_int_equal(port_ranges_resolve(&positive, &negative, &ranges, &count), 0);
		for (__u32 port = 0; port < 65536; port++) {
			bool expected =
				(positive.count == 0 || listed(positive.items, positive.count, port)) &&
				!listed(negative.items, negative.count, port);

			assert_int_equal(listed(ranges, count, port), expected);
		}
		for (size_t i = 1; i < count; i++)
			assert_true(ranges[i].first > (__u32)ranges[i - 1].last + 1);
		free(ranges);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lowest_range_that_fits),
		cmocka_unit_test(test_random_ranges),
		cmocka_unit_test(test_random_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
