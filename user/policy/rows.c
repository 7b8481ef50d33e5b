/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rows: bitmaps of sets in the `identity` map, shared by all addresses with equal bits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

static size_t key_size(const struct row *row)
{
	return sizeof(*row) + row->words * sizeof(row->bits[0]) - offsetof(struct row, first_word);
}

static int row_write(struct policy_engine *engine, const struct row *row)
{
	int r = 0;

	for (__u32 i = 0; r == 0 && i < row->words; i++) {
		__u32 index = row->index + i;

		r = sink_write(engine, MAP_IDENTITY, &index, &row->bits[i]);
	}
	return r;
}

int row_get(struct policy_engine *engine, const struct row *wanted, struct row **ret)
{
	struct row *row;
	int r;

	HASH_FIND(hh, engine->rows, &wanted->first_word, key_size(wanted), *ret);
	if (*ret) {
		(*ret)->refs++;
		return 0;
	}
	row = malloc(sizeof(*row) + wanted->words * sizeof(row->bits[0]));
	if (!row)
		return -ENOMEM;
	memcpy(row, wanted, sizeof(*row) + wanted->words * sizeof(row->bits[0]));
	row->refs = 1;
	r = engine_take(engine, MAP_IDENTITY, &engine->words, row->words, &row->index);
	if (r < 0) {
		if (r == -ENOSPC)
			engine_error(engine, r);
		goto free_row;
	}
	r = row_write(engine, row);
	if (r < 0)
		goto give_space;
	HASH_ADD_KEYPTR(hh, engine->rows, &row->first_word, key_size(row), row);
	if (HASH_FAILED(row)) {
		r = -ENOMEM;
		goto give_space;
	}
	*ret = row;
	return 0;
give_space:
	space_give(&engine->words, row->index, row->words);
free_row:
	free(row);
	return r;
}

void row_unref(struct policy_engine *engine, struct row *row)
{
	if (!row || --row->refs > 0)
		return;
	HASH_DEL(engine->rows, row);
	space_give(&engine->words, row->index, row->words);
	free(row);
}

static __u64 word_of(const struct row *row, __u32 word)
{
	if (!row || word < row->first_word || word >= (__u32)row->first_word + row->words)
		return 0;
	return row->bits[word - row->first_word];
}

bool row_compare(struct policy_engine *engine, const struct row *a, const struct row *b, bool stale)
{
	__u32 end_a = a ? (__u32)a->first_word + a->words : 0;
	__u32 end_b = b ? (__u32)b->first_word + b->words : 0;
	bool live = false;

	if (a == b)
		return false;
	for (__u32 word = 0; word < end_a || word < end_b; word++) {
		__u64 bits = word_of(a, word) ^ word_of(b, word);

		for (; bits; bits &= bits - 1) {
			struct set *set = engine->set_by_number[word * 64 + (__u32)__builtin_ctzll(bits)];

			if (set->dead)
				continue;
			set->changing = engine->pass;
			if (stale)
				set->stale = engine->pass;
			live |= !set->fresh;
		}
	}
	return live;
}
