/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Allocation blocks: what is accepted, who gets which address, and that every operation keeps the invariants.
 */
#include "model/block.h"
#include "rows.h"

/* Pieces of long lists. */
#define NULLS_10 "null,null,null,null,null,null,null,null,null,null,"
#define NULLS_60 NULLS_10 NULLS_10 NULLS_10 NULLS_10 NULLS_10 NULLS_10
#define FROM_4                                                                                               \
	"4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,"   \
	"38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63"

static json_t *json_of(const char *rows)
{
	char *text = row_text(rows, "");
	json_t *json;
	struct err err;

	if (model_json_parse(text, &json, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	free(text);
	return json;
}

static struct block *parse(const char *rows)
{
	char *text = row_text(rows, "");
	struct block *block;
	struct err err;

	if (block_parse(text, &block, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	free(text);
	return block;
}

static struct block *new_block(const char *cidr_text)
{
	struct block *block;
	struct cidr cidr;

	assert_int_equal(cidr_parse(cidr_text, &cidr), 0);
	block = block_new(&cidr, "node1", false);
	assert_non_null(block);
	return block;
}

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

/* The parser checks all invariants, so what it accepts of our own text holds them. */
static void check_invariants(const struct block *block)
{
	char *text = block_format(block), *second;
	struct block *again;
	struct err err;

	if (block_parse(text, &again, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(block_used(again), block_used(block));
	second = block_format(again);
	assert_string_equal(text, second);
	block_free(again);
	free(second);
	free(text);
}

/* A table row is the document's members; the empty block below completes those that it does not have. */
static const char *const defaults[][2] = {
	{"cidr", "'192.168.0.0/26'"},
	{"affinity", "'host:node1'"},
	{"allocations", "[" NULLS_60 "null,null,null,null]"},
	{"attributes", "[]"},
	{"unallocated", "[0,1,2,3," FROM_4 "]"},
};

static void block_table(void **state)
{
	static const struct row rows[] = {
		{"{}", NULL},
		{"{'strict_affinity': true}", NULL},
		{"{'strictAffinity': true}", NULL},
		{"{'deleted': false, 'hostAffinity': null, 'x': [1]}", NULL},
		{"{'affinity': ''}", NULL},
		{"{'affinity': null}", NULL},
		{"{'affinity': 'host:'}", "affinity: \"host:\" is not \"host:NAME\""},
		{"{'affinity': 'node1'}", "affinity: \"node1\" is not"},
		{"{'affinity': 5}", "affinity: 5"},
		{"{'strict_affinity': 1}", "strict_affinity is not true or false but 1"},
		{"{'strictAffinity': 'x'}", "strictAffinity is not true or false"},

		{"{'cidr': '192.168.0.64/26'}", NULL},
		{"{'cidr': 'fd80:24e2:f998:72d6::/122'}", NULL},
		{"{'cidr': 'fd80:24e2:f998:72d6::40/122'}", NULL},
		{"{'cidr': null}", "cidr: null is not a network"},
		{"{'cidr': 'nonsense'}", "cidr: \"nonsense\" is not a network"},
		{"{'cidr': '192.168.0.0/24'}", "is not a block of 64 addresses"},
		{"{'cidr': '192.168.0.0/27'}", "is not a block of 64 addresses"},
		{"{'cidr': '192.168.0.1/26'}", "is not a block of 64 addresses"},
		{"{'cidr': '192.168.0.32/26'}", "is not a block of 64 addresses"},
		{"{'cidr': 'fd80:24e2:f998:72d6::/26'}", "is not a block of 64 addresses"},

		{"{'allocations': null}", "allocations is not a list of 64 entries"},
		{"{'allocations': []}", "allocations is not a list of 64 entries"},
		{"{'allocations': [" NULLS_60 "null,null,null]}", "allocations is not a list of 64 entries"},
		{"{'allocations': [" NULLS_60 "null,null,null,null,null]}", "not a list of 64 entries"},
		{"{'allocations': [" NULLS_60 "null,null,null,0]}", "allocation 63: 0 is not the index"},
		{"{'allocations': [" NULLS_60 "null,null,null,-1]}", "allocation 63: -1 is not the index"},
		{"{'allocations': [" NULLS_60 "null,null,null,'0']}",
		 "allocation 63: \"0\" is not the index"},
		{"{'allocations': [" NULLS_60 "null,null,null,false]}", "allocation 63: false"},
		{"{'allocations': [" NULLS_60 "null,null,null,0.0]}", "allocation 63: 0.0"},

		{"{'attributes': null}", "attributes is not a list"},
		{"{'attributes': {}}", "attributes is not a list"},
		{"{'attributes': [5]}", "attribute 0 is not an object"},
		{"{'attributes': [{'handle_id': 5}]}", "handle_id of attribute 0 is not a string"},
		{"{'attributes': [{'handle_id': null}]}", "attribute 0 is not used by any allocation"},
		{"{'attributes': [{}, {}], 'allocations': [0," NULLS_60 "null,null,null]}",
		 "attribute 1 is not used by any allocation"},
		{"{'attributes': [{}, {}], 'allocations': [1," NULLS_60 "null,null,null]}",
		 "attribute 0 is not used by any allocation"},
		{"{'attributes': [{}], 'allocations': [0," NULLS_60 "null,null,null]}",
		 "ordinal 0 is both allocated and unallocated"},
		{"{'attributes': [{'secondary': 5}], 'unallocated': [1,2,3," FROM_4 "],"
		 " 'allocations': [0," NULLS_60 "null,null,null]}",
		 NULL},

		{"{'unallocated': null}", "unallocated is not a list"},
		{"{'unallocated': {}}", "unallocated is not a list"},
		{"{'unallocated': [" FROM_4 ",3,2,1,0]}", NULL},
		{"{'unallocated': [1,2,3," FROM_4 "]}", "ordinal 0 is neither allocated nor unallocated"},
		{"{'unallocated': []}", "ordinal 0 is neither allocated nor unallocated"},
		{"{'unallocated': [0,0,1,2,3," FROM_4 "]}", "unallocated: 0 is not an ordinal"},
		{"{'unallocated': [0,1,2,3," FROM_4 ",64]}", "unallocated: 64 is not an ordinal"},
		{"{'unallocated': [-1,0,1,2,3," FROM_4 "]}", "unallocated: -1 is not an ordinal"},
		{"{'unallocated': ['0',1,2,3," FROM_4 "]}", "unallocated: \"0\" is not an ordinal"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		json_t *json = json_of(rows[i].text);
		struct block *block = NULL;
		struct err err = {""};
		char *text;

		for (size_t j = 0; j < ROWS(defaults); j++)
			if (!json_object_get(json, defaults[j][0]))
				json_object_set_new(json, defaults[j][0], json_of(defaults[j][1]));
		text = model_json_format(json);
		row_check(&rows[i], text, block_parse(text, &block, &err), &err);
		if (block)
			check_invariants(block);
		block_free(block);
		json_decref(json);
		free(text);
	}
}

static void documents(void **state)
{
	static const struct row rows[] = {
		{"[]", "not an object but []"},
		{"", "not valid JSON"},
		{"{}", "cidr is missing"},
		{"{'cidr':'192.168.0.0/26'}", "attributes is not a list"},
		{"{'cidr':'192.168.0.0/26','attributes':[]}", "allocations is not a list"},
		/* An absent affinity is none, an absent queue is rebuilt. */
		{"{'cidr':'192.168.0.0/26','attributes':[],'allocations':[" NULLS_60 "null,null,null,null]}",
		 NULL},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = row_text(rows[i].text, "");
		struct block *block = NULL;
		struct err err = {""};

		row_check(&rows[i], text, block_parse(text, &block, &err), &err);
		block_free(block);
		free(text);
	}
}

static void fields_are_read(void **state)
{
	struct block *block = parse(
		"{'cidr':'192.168.0.64/26','affinity':'host:node1','strictAffinity':true,'deleted':false,"
		"'allocations':[0,null,1," NULLS_60 "0],"
		"'attributes':[{'handle_id':null,'secondary':null},{'handle_id':'h1','secondary':{'k':'v'}}]}");
	struct addr used = addr_of("192.168.0.66"), vacant = addr_of("192.168.0.65"),
		    other = addr_of("192.168.0.1");

	assert_string_equal(block->affinity, "node1");
	assert_true(block->strict_affinity);
	assert_int_equal(block_used(block), 3);
	assert_false(block_empty(block));
	assert_int_equal(block->unallocated_count, 61);
	assert_int_equal(block->unallocated[0], 1);
	assert_int_equal(block->unallocated[1], 3);
	assert_int_equal(block->allocations[63], 0);
	assert_int_equal(block->allocations[1], -1);
	assert_string_equal(json_string_value(json_object_get(block_attribute(block, &used), "handle_id")),
			    "h1");
	assert_null(block_attribute(block, &vacant));
	assert_null(block_attribute(block, &other));
	check_invariants(block);
	block_free(block);
}

static void other_members_survive(void **state)
{
	struct block *block = new_block("192.168.0.0/26"), *again;
	char *text = block_format(block), *own;
	json_t *json = json_of(text), *written;

	json_object_del(json, "strict_affinity");
	json_object_set_new(json, "strictAffinity", json_true());
	json_object_set_new(json, "hostAffinity", json_string("x"));
	free(text);
	text = model_json_format(json);
	assert_int_equal(block_parse(text, &again, NULL), 0);
	own = block_format(again);
	written = json_of(own);
	assert_string_equal(json_string_value(json_object_get(written, "hostAffinity")), "x");
	assert_true(json_is_true(json_object_get(written, "strict_affinity")));
	/* Two spellings could contradict each other later. */
	assert_null(json_object_get(written, "strictAffinity"));
	json_decref(written);
	json_decref(json);
	block_free(again);
	block_free(block);
	free(own);
	free(text);
}

static void new_block_text(void **state)
{
	struct block *block = new_block("192.168.0.0/26");
	char *text = block_format(block);
	char *expected = row_text("{'cidr':'192.168.0.0/26','affinity':'host:node1','strict_affinity':false,"
				  "'allocations':[" NULLS_60 "null,null,null,null],'attributes':[],"
				  "'unallocated':[0,1,2,3," FROM_4 "]}",
				  "");

	assert_string_equal(text, expected);
	assert_true(block_empty(block));
	free(expected);
	free(text);
	free(block->affinity);
	block->affinity = NULL;
	text = block_format(block);
	assert_non_null(strstr(text, "\"affinity\":\"\""));
	free(text);
	block_free(block);
}

static void check_addr(const struct addr *addr, const char *expected)
{
	char text[ADDR_TEXT];

	assert_string_equal(addr_format(addr, text), expected);
}

static void queue_order(void **state)
{
	struct block *block = new_block("10.0.0.192/26");
	json_t *attribute = json_of("{'handle_id':null,'secondary':null}");
	struct addr got[BLOCK_SIZE + 1];

	/* The network's and the broadcast address are ordinary ones. */
	assert_int_equal(block_assign_any(block, 2, NULL, attribute, got), 2);
	check_addr(&got[0], "10.0.0.192");
	check_addr(&got[1], "10.0.0.193");
	assert_int_equal(block_release(block, &got[0], NULL), 0);
	check_invariants(block);
	assert_int_equal(block->unallocated[62], 0);

	/* What was released last comes last. */
	assert_int_equal(block_assign_any(block, BLOCK_SIZE + 1, NULL, attribute, got), 63);
	check_addr(&got[0], "10.0.0.194");
	check_addr(&got[61], "10.0.0.255");
	check_addr(&got[62], "10.0.0.192");
	assert_int_equal(json_array_size(block->attributes), 1);
	check_invariants(block);
	assert_int_equal(block_assign_any(block, 1, NULL, attribute, got), 0);
	assert_int_equal(block_used(block), 64);
	json_decref(attribute);
	block_free(block);
}

static bool is_even(void *arg, const struct addr *addr)
{
	return addr->bytes[3] % 2 == 0;
}

static bool is_none(void *arg, const struct addr *addr)
{
	return false;
}

static void addresses_that_may_not_be_assigned_stay_in_the_queue(void **state)
{
	const struct block_filter even = {is_even, NULL}, none = {is_none, NULL};
	struct block *block = new_block("10.0.0.192/26");
	json_t *attribute = json_of("{'handle_id':null,'secondary':null}");
	struct addr got[BLOCK_SIZE];

	assert_int_equal(block_assign_any(block, 2, &none, attribute, got), 0);
	assert_int_equal(json_array_size(block->attributes), 0);
	assert_int_equal(block_assign_any(block, 2, &even, attribute, got), 2);
	check_addr(&got[0], "10.0.0.192");
	check_addr(&got[1], "10.0.0.194");
	check_invariants(block);
	assert_int_equal(block_assign_any(block, BLOCK_SIZE, &even, attribute, got), 30);
	assert_int_equal(block_assign_any(block, 2, NULL, attribute, got), 2);
	check_addr(&got[0], "10.0.0.193");
	check_addr(&got[1], "10.0.0.195");
	check_invariants(block);
	json_decref(attribute);
	block_free(block);
}

static void nothing_wanted_leaves_no_attribute(void **state)
{
	struct block *block = new_block("10.0.0.0/26");
	json_t *attribute = json_of("{'handle_id':'x'}");

	assert_int_equal(block_assign_any(block, 0, NULL, attribute, NULL), 0);
	assert_int_equal(json_array_size(block->attributes), 0);
	check_invariants(block);
	json_decref(attribute);
	block_free(block);
}

static void given_addresses(void **state)
{
	struct block *block = new_block("fd80::40/122");
	json_t *attribute = json_of("{'handle_id':'h','secondary':{}}");
	struct addr first = addr_of("fd80::40"), last = addr_of("fd80::7f"), got;
	static const char *const outside[] = {"fd80::3f", "fd80::80", "10.0.0.64"};

	assert_int_equal(block_assign(block, &last, attribute), 0);
	assert_int_equal(block_assign(block, &last, attribute), -EEXIST);
	assert_int_equal(block_assign(block, &first, attribute), 0);
	check_invariants(block);
	for (size_t i = 0; i < ROWS(outside); i++) {
		struct addr addr = addr_of(outside[i]);

		assert_int_equal(block_assign(block, &addr, attribute), -ERANGE);
		assert_int_equal(block_release(block, &addr, NULL), -ERANGE);
	}
	assert_int_equal(block_assign_any(block, 1, NULL, attribute, &got), 1);
	check_addr(&got, "fd80::41");
	assert_int_equal(block_used(block), 3);
	json_decref(attribute);
	block_free(block);
}

static void attributes_are_shared_and_renumbered(void **state)
{
	struct block *block = new_block("10.0.0.0/26");
	static const char *const attributes[] = {
		"{'handle_id':null,'secondary':null}", "{'handle_id':null,'secondary':{}}",
		"{'handle_id':'h1','secondary':{}}",   "{'handle_id':'h1','secondary':{'k':'v'}}",
		"{'handle_id':'h1','secondary':{}}",   "{}",
	};
	static const int indices[] = {0, 1, 2, 3, 2, 0};
	struct addr addrs[ROWS(attributes)];
	char *handle = NULL;

	for (size_t i = 0; i < ROWS(attributes); i++) {
		json_t *attribute = json_of(attributes[i]);

		assert_int_equal(block_assign_any(block, 1, NULL, attribute, &addrs[i]), 1);
		assert_int_equal(block->allocations[i], indices[i]);
		/* The block has its own copy. */
		json_object_clear(attribute);
		json_decref(attribute);
	}
	assert_int_equal(json_array_size(block->attributes), 4);
	check_invariants(block);

	assert_int_equal(block_release(block, &addrs[1], &handle), 0);
	assert_null(handle);
	assert_int_equal(json_array_size(block->attributes), 3);
	assert_int_equal(block->allocations[0], 0);
	assert_int_equal(block->allocations[2], 1);
	assert_int_equal(block->allocations[3], 2);
	assert_int_equal(block->allocations[4], 1);
	check_invariants(block);
	assert_int_equal(block_release(block, &addrs[1], &handle), -ENOENT);

	assert_int_equal(block_release(block, &addrs[2], &handle), 0);
	assert_string_equal(handle, "h1");
	free(handle);
	assert_int_equal(json_array_size(block->attributes), 3);
	assert_int_equal(block_release(block, &addrs[4], NULL), 0);
	assert_int_equal(json_array_size(block->attributes), 2);
	assert_int_equal(block->allocations[3], 1);
	check_invariants(block);
	assert_int_equal(block_release(block, &addrs[0], NULL), 0);
	assert_int_equal(block_release(block, &addrs[3], NULL), 0);
	assert_int_equal(block_release(block, &addrs[5], NULL), 0);
	assert_int_equal(json_array_size(block->attributes), 0);
	assert_true(block_empty(block));
	check_invariants(block);
	block_free(block);
}

static void random_operations_keep_the_invariants(void **state)
{
	struct block *block = new_block("10.0.0.0/26");
	bool used[BLOCK_SIZE] = {false};
	uint32_t seed = 1;

	for (int round = 0; round < 3000; round++) {
		json_t *attribute;
		struct addr addr;
		unsigned int ordinal;

		seed = seed * 1664525 + 1013904223;
		ordinal = seed >> 8 & 63;
		addr = addr_add(&block->cidr.addr, ordinal);
		attribute = json_pack("{s:o}", "handle_id", json_sprintf("h%u", seed >> 16 & 7));
		if (seed >> 30 == 0) {
			assert_int_equal(block_release(block, &addr, NULL), used[ordinal] ? 0 : -ENOENT);
			used[ordinal] = false;
		} else if (seed >> 30 == 1) {
			assert_int_equal(block_assign(block, &addr, attribute), used[ordinal] ? -EEXIST : 0);
			used[ordinal] = true;
		} else if (round % 8 == 0 && block_assign_any(block, 1, NULL, attribute, &addr) == 1) {
			assert_false(used[addr.bytes[3]]);
			used[addr.bytes[3]] = true;
		}
		for (unsigned int i = 0; i < BLOCK_SIZE; i++)
			assert_int_equal(block->allocations[i] >= 0, used[i]);
		check_invariants(block);
		json_decref(attribute);
	}
	block_free(block);
}

static void block_of_address(void **state)
{
	static const char *const rows[][2] = {
		{"192.168.1.77", "192.168.1.64/26"},
		{"192.168.1.64", "192.168.1.64/26"},
		{"192.168.1.255", "192.168.1.192/26"},
		{"fd80:24e2:f998:72d6::7f", "fd80:24e2:f998:72d6::40/122"},
	};
	char text[CIDR_TEXT];

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct addr addr = addr_of(rows[i][0]);
		struct cidr cidr = block_cidr_of(&addr);

		assert_string_equal(cidr_format(&cidr, text), rows[i][1]);
	}
}

static void config_table(void **state)
{
	static const struct row rows[] = {
		{"{'strict_affinity': true, 'auto_allocate_blocks': false}", NULL},
		{"{'strict_affinity': false, 'auto_allocate_blocks': true, 'x': 1}", NULL},
		{"{}", "strict_affinity is missing"},
		{"{'strict_affinity': true}", "auto_allocate_blocks is missing"},
		{"{'auto_allocate_blocks': true}", "strict_affinity is missing"},
		{"{'strict_affinity': 1, 'auto_allocate_blocks': true}",
		 "strict_affinity is not true or false"},
		{"{'strict_affinity': true, 'auto_allocate_blocks': null}",
		 "auto_allocate_blocks is not true"},
		{"[]", "not an object"},
		{"x", "not valid JSON"},
	};
	struct ipam_config config = {false, false};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = row_text(rows[i].text, "");
		struct err err = {""};

		row_check(&rows[i], text, ipam_config_parse(text, &config, &err), &err);
		free(text);
	}
	/* The last valid row is what was left in it. */
	assert_false(config.strict_affinity);
	assert_true(config.auto_allocate_blocks);
}

static void handle_table(void **state)
{
	static const struct {
		const char *before, *block;
		int change, result;
		const char *after;
	} rows[] = {
		{NULL, "10.0.0.0/26", 1, 0, "{'id':'h1','block':{'10.0.0.0/26':1}}"},
		{NULL, "fd80::40/122", 2, 0, "{'id':'h1','block':{'fd80::40/122':2}}"},
		{"{'id':'h1','block':{'10.0.0.0/26':1}}", "10.0.0.0/26", 2, 0,
		 "{'id':'h1','block':{'10.0.0.0/26':3}}"},
		{"{'id':'h1','block':{'10.0.0.0/26':1}}", "10.0.0.64/26", 1, 0,
		 "{'id':'h1','block':{'10.0.0.0/26':1,'10.0.0.64/26':1}}"},
		{"{'id':'h1','block':{'10.0.0.0/26':2}}", "10.0.0.0/26", -1, 0,
		 "{'id':'h1','block':{'10.0.0.0/26':1}}"},
		{"{'id':'h1','block':{'10.0.0.0/26':1}}", "10.0.0.0/26", -1, 0, NULL},
		{"{'id':'h1','block':{'10.0.0.0/26':1,'10.0.0.64/26':1},'x':[1]}", "10.0.0.0/26", -1, 0,
		 "{'id':'h1','block':{'10.0.0.64/26':1},'x':[1]}"},
		/* Counts that others got wrong never stop a release. */
		{"{'id':'h1','block':{'10.0.0.0/26':1}}", "10.0.0.0/26", -2, 1, NULL},
		{"{'id':'h1','block':{'10.0.0.0/26':1}}", "10.0.0.64/26", -1, 1,
		 "{'id':'h1','block':{'10.0.0.0/26':1}}"},
		{NULL, "10.0.0.0/26", -1, 1, NULL},
		{"{'id':'h1','block':{}}", "10.0.0.0/26", -1, 1, NULL},
		{"{'id':'h1','block':{'10.0.0.0/26':9223372036854775807}}", "10.0.0.64/26", 1, 0,
		 "{'id':'h1','block':{'10.0.0.0/26':9223372036854775807,'10.0.0.64/26':1}}"},
		{"{'id':'h1','block':{'10.0.0.0/26':9223372036854775807}}", "10.0.0.0/26", 1, 0,
		 "{'id':'h1','block':{'10.0.0.0/26':2147483648}}"},
		{"{'id':'h1','block':[]}", "10.0.0.0/26", 1, -EBADMSG, NULL},
		{"{'id':'h1'}", "10.0.0.0/26", 1, -EBADMSG, NULL},
		{"{'id':'h1','block':{'10.0.0.0/26':'1'}}", "10.0.0.0/26", 1, -EBADMSG, NULL},
		{"{'id':'h1','block':{'10.0.0.0/26':-1}}", "10.0.0.64/26", 1, -EBADMSG, NULL},
		{"[]", "10.0.0.0/26", 1, -EBADMSG, NULL},
		{"x", "10.0.0.0/26", 1, -EBADMSG, NULL},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *before = rows[i].before ? row_text(rows[i].before, "") : NULL;
		char *after = rows[i].after ? row_text(rows[i].after, "") : NULL, *text = NULL;
		struct cidr block;
		struct err err = {""};

		assert_int_equal(cidr_parse(rows[i].block, &block), 0);
		assert_int_equal(handle_change("h1", before, &block, rows[i].change, &text, &err),
				 rows[i].result);
		if (after)
			assert_string_equal(text, after);
		else
			assert_null(text);
		assert_int_equal(err.text[0] != 0, rows[i].result < 0);
		free(text);
		free(before);
		free(after);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(block_table),
		cmocka_unit_test(documents),
		cmocka_unit_test(fields_are_read),
		cmocka_unit_test(other_members_survive),
		cmocka_unit_test(new_block_text),
		cmocka_unit_test(queue_order),
		cmocka_unit_test(nothing_wanted_leaves_no_attribute),
		cmocka_unit_test(addresses_that_may_not_be_assigned_stay_in_the_queue),
		cmocka_unit_test(given_addresses),
		cmocka_unit_test(attributes_are_shared_and_renumbered),
		cmocka_unit_test(random_operations_keep_the_invariants),
		cmocka_unit_test(block_of_address),
		cmocka_unit_test(config_table),
		cmocka_unit_test(handle_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
