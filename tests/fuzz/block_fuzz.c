/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Allocation blocks, handles, IPAM's configuration: accepted blocks stay valid through assignment and
 * release. */
#include "fuzz.h"
#include "model/block.h"

static void check_block(const char *text, const struct block *block)
{
	char *own = block_format(block), *second;
	struct block *again = NULL;
	struct err err;

	fuzz_check(own && block_parse(own, &again, &err) == 0, text);
	second = block_format(again);
	fuzz_check(strcmp(own, second) == 0 && block_used(block) == block_used(again), text);
	block_free(again);
	free(own);
	free(second);
}

static void block(const char *text)
{
	struct addr addrs[BLOCK_SIZE];
	struct err err = {""};
	struct block *block;
	json_t *attribute;
	size_t count;

	if (block_parse(text, &block, &err) < 0) {
		fuzz_refused(&err);
		return;
	}
	check_block(text, block);
	attribute = json_pack("{s:s, s:{}}", "handle_id", "fuzz", "secondary");
	count = block_assign_any(block, 3, NULL, attribute, addrs);
	check_block(text, block);
	for (size_t i = 0; i < count; i++)
		fuzz_check(block_release(block, &addrs[i], NULL) == 0, text);
	for (size_t i = 0; i < BLOCK_SIZE; i++) {
		struct addr addr = addr_add(&block->cidr.addr, i);
		char *handle = NULL;

		block_release(block, &addr, &handle);
		free(handle);
		if (i % 16 == 0)
			check_block(text, block);
	}
	fuzz_check(block_empty(block) && json_array_size(block->attributes) == 0, text);
	json_decref(attribute);
	block_free(block);
}

static void handle(const char *text)
{
	struct cidr cidr = {.addr = {.family = 4, .bytes = {10}}, .length = BLOCK_BITS4};
	struct err err = {""};
	char *more = NULL, *back = NULL;

	if (handle_change("h", text, &cidr, 1, &more, &err) < 0) {
		fuzz_refused(&err);
		return;
	}
	fuzz_check(more && handle_change("h", more, &cidr, -1, &back, &err) == 0, text);
	free(more);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct ipam_config config;
	struct err err = {""};

	block(text);
	handle(text);
	if (ipam_config_parse(text, &config, &err) < 0)
		fuzz_refused(&err);
	free(text);
	return 0;
}
