/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl pool range add. */
#include "cli/cmd_pool_range.h"

#include <string.h>

#include "cli/pool_list.h"

typedef unsigned __int128 uint128;

static uint128 addr_to_number(const struct addr *addr)
{
	uint128 number = 0;

	for (size_t i = 0; i < addr_bits(addr) / 8; i++)
		number = number << 8 | addr->bytes[i];
	return number;
}

static struct addr number_to_addr(uint128 number, uint8_t family)
{
	struct addr addr = {.family = family};

	for (size_t i = addr_bits(&addr) / 8; i-- > 0; number >>= 8)
		addr.bytes[i] = (uint8_t)number;
	return addr;
}

size_t range_split(const struct addr *first, const struct addr *last, struct cidr ret[RANGE_MAX_CIDRS])
{
	uint128 start = addr_to_number(first), end = addr_to_number(last);
	unsigned int bits = addr_bits(first);
	size_t count = 0;

	for (;;) {
		unsigned int size = 0; /* in bits: the largest aligned block that fits */
		uint128 block_end = start;

		while (size < bits) {
			uint128 mask = (uint128)2 << size; /* 2^(size+1); 0 when that is all addresses */

			if ((start & (mask - 1)) || end - start < mask - 1)
				break;
			size++;
			block_end = start + (mask - 1);
		}
		ret[count++] = (struct cidr){number_to_addr(start, first->family), (uint8_t)(bits - size)};
		if (block_end == end || count == RANGE_MAX_CIDRS)
			return count;
		start = block_end + 1;
	}
}

struct range {
	const char *start_text, *end_text;
	struct addr start, end;
};

static bool check_range(struct out *out, struct range *range)
{
	bool start_ok = addr_parse(range->start_text, &range->start) == 0;
	bool end_ok = addr_parse(range->end_text, &range->end) == 0;

	if (!start_ok)
		out_say(out, "Invalid START_IP specified.");
	if (!end_ok)
		out_say(out, "Invalid END_IP specified.");
	if (!start_ok || !end_ok)
		return false;
	if (range->start.family != range->end.family) {
		out_say(out, "START_IP and END_IP must be the same ip version");
		return false;
	}
	if (addr_compare(&range->start, &range->end) >= 0) {
		out_say(out, "START_IP must be a smaller ip address than END_IP");
		return false;
	}
	return true;
}

static bool conflict_ok(struct ctl *ctl, const struct range *range)
{
	struct pool_list pools;
	bool ok = true;
	char text[CIDR_TEXT];

	if (!pool_list_load(ctl, range->start.family, &pools))
		return false;
	for (size_t i = 0; i < pools.count && ok; i++) {
		const struct cidr *pool = &pools.items[i]->cidr;
		bool covers = addr_compare(&range->start, &pool->addr) <= 0 &&
			      addr_compare(&pool->addr, &range->end) <= 0;

		if (!covers && !cidr_contains(pool, &range->start) && !cidr_contains(pool, &range->end))
			continue;
		out_say(&ctl->out, "Cannot add range - range conflicts with pool %s",
			cidr_format(pool, text));
		ok = false;
	}
	pool_list_done(&pools);
	return ok;
}

static bool lengths_ok(struct ctl *ctl, const struct range *range, const struct cidr *cidrs, size_t count)
{
	uint8_t family = range->start.family, longest = pool_max_length(family);
	const char *list = "";
	char text[CIDR_TEXT];
	bool ok = true;

	for (size_t i = 0; i < count; i++) {
		ok &= cidrs[i].length <= longest;
		list = ctl_text(ctl, "%s%s%s", list, i ? ", " : "", cidr_format(&cidrs[i], text));
	}
	if (!ok)
		out_say(&ctl->out,
			"IPv%d ranges are split into pools that must have a prefix length of %d or lower.\n"
			"Range given: %s - %s\nPools: %s\nNo pools added.",
			family, longest, range->start_text, range->end_text, list);
	return ok;
}

int cmd_pool_range_add(struct ctl *ctl, const struct args *args)
{
	struct range range = {.start_text = args_get(args, "<START_IP>"),
			      .end_text = args_get(args, "<END_IP>")};
	struct pool_options options = {args_has(args, "--ipip"), args_has(args, "--nat-outgoing")};
	struct cidr cidrs[RANGE_MAX_CIDRS];

	if (!check_range(&ctl->out, &range))
		return STATUS_FAILED;
	if (options.ipip && range.start.family == 6) {
		out_say(&ctl->out, "IP in IP not supported for IPv6 pools");
		return STATUS_FAILED;
	}

	size_t count = range_split(&range.start, &range.end, cidrs);

	for (size_t i = 0; i < count; i++)
		if (!pool_check_usable(ctl, &cidrs[i]))
			return STATUS_FAILED;
	if (!ctl_open(ctl) || !conflict_ok(ctl, &range))
		return STATUS_FAILED;
	if (!lengths_ok(ctl, &range, cidrs, count))
		return STATUS_FAILED;
	return pool_list_write(ctl, cidrs, count, &options);
}
