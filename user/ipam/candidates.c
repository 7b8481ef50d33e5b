/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Deterministic walk over the blocks of pools. */
#include "ipam/candidates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/block.h"

/* 2^58 blocks of 2^6 addresses: the largest count whose address offsets fit in 64 bits (an IPv6 /64). */
#define COUNT_BITS_MAX 58

struct candidate_pool {
	struct cidr cidr;
	uint64_t start, step; /* the count is a power of two, so any odd step visits every block */
	uint64_t mask;	      /* count - 1 */
	uint64_t visited;
};

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
	return hash;
}

/* FNV's low bits follow its input's last byte too closely to be used as they are. */
static uint64_t hash_mix(uint64_t hash)
{
	hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb); /* splitmix64 */
	return hash ^ (hash >> 31);
}

int candidates_init(struct candidates *candidates, const struct cidr *pools, size_t count, const char *host)
{
	*candidates = (struct candidates){0};
	if (!count)
		return 0;
	candidates->pools = calloc(count, sizeof(*candidates->pools));
	if (!candidates->pools)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct cidr *cidr = &pools[i];
		unsigned int block_length = cidr->addr.family == 6 ? BLOCK_BITS6 : BLOCK_BITS4;
		uint64_t hash = UINT64_C(0xcbf29ce484222325);
		struct candidate_pool *pool;
		unsigned int bits;

		if (cidr->length > block_length)
			continue;
		bits = block_length - cidr->length;
		if (bits > COUNT_BITS_MAX)
			bits = COUNT_BITS_MAX;
		hash = hash_bytes(hash, host, strlen(host) + 1);
		hash = hash_mix(hash_bytes(hash, &cidr->addr, sizeof(cidr->addr)));
		pool = &candidates->pools[candidates->count++];
		*pool = (struct candidate_pool){.cidr = *cidr, .mask = (UINT64_C(1) << bits) - 1};
		pool->start = hash & pool->mask;
		pool->step = hash_mix(hash) | 1;
		cidr_mask(&pool->cidr);
	}
	return 0;
}

void candidates_done(struct candidates *candidates)
{
	free(candidates->pools);
	*candidates = (struct candidates){0};
}

bool candidates_next(struct candidates *candidates, struct cidr *ret)
{
	for (size_t i = 0; i < candidates->count; i++) {
		struct candidate_pool *pool = &candidates->pools[candidates->turn];
		uint64_t index;

		candidates->turn = (candidates->turn + 1) % candidates->count;
		if (pool->visited > pool->mask)
			continue;
		index = (pool->start + pool->visited++ * pool->step) & pool->mask;
		ret->addr = addr_add(&pool->cidr.addr, index * BLOCK_SIZE);
		ret->length = ret->addr.family == 6 ? BLOCK_BITS6 : BLOCK_BITS4;
		return true;
	}
	return false;
}
