/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Members of requests: what is accepted, and how the rest is refused. */
#include "rows.h"

#include "docker/request.h"
#include "model/model.h"

static json_t *document(const char *text)
{
	char *plain = row_text(text, "");
	json_t *json;
	struct err err;

	if (model_json_parse(plain, &json, &err) < 0)
		fail_msg("%s: %s", plain, err.text);
	free(plain);
	return json;
}

typedef int (*reader)(const json_t *object, struct err *err);

static void check_rows(const struct row *rows, size_t count, reader read)
{
	for (size_t i = 0; i < count; i++) {
		json_t *json = document(rows[i].text);
		struct err err = {""};
		int r = read(json, &err);

		row_check(&rows[i], rows[i].text, r, &err);
		json_decref(json);
	}
}

static int read_text(const json_t *object, struct err *err)
{
	const char *text;

	return request_text(object, "A", &text, err);
}

static void test_texts(void **state)
{
	static const struct row rows[] = {
		{"{'A':'x'}", NULL},
		{"{'A':''}", NULL},
		{"{'A':null}", NULL},
		{"{}", NULL},
		{"{'A':1}", "A must be a string"},
		{"{'A':{}}", "A must be a string"},
		{"{'A':['x']}", "A must be a string"},
	};

	check_rows(rows, ROWS(rows), read_text);
}

static int read_id(const json_t *object, struct err *err)
{
	const char *text;

	return request_id(object, "A", 11, &text, err);
}

static void test_ids(void **state)
{
	static const struct row rows[] = {
		{"{'A':'0123456789a'}", NULL},
		{"{'A':'9x2h1tcqhnn2ueuwdlznqx5ad'}", NULL}, /* of swarm */
		{"{'A':'0123456789'}", "is not an id"},
		{"{'A':''}", "A is missing"},
		{"{}", "A is missing"},
		{"{'A':null}", "A is missing"},
		{"{'A':'0123456789/'}", "is not an id"},
		{"{'A':'../../../../x'}", "is not an id"},
		{"{'A':'0123456789a b'}", "is not an id"},
		{"{'A':'0123456789ä'}", "is not an id"},
		{"{'A':12345678901}", "A must be a string"},
	};

	check_rows(rows, ROWS(rows), read_id);
}

static void test_an_endless_id(void **state)
{
	char id[130];

	memset(id, 'a', sizeof(id));
	id[128] = '\0';
	assert_true(request_id_valid(id, 1));
	id[128] = 'a';
	id[129] = '\0';
	assert_false(request_id_valid(id, 1));
}

static int read_cidr(const json_t *object, struct err *err)
{
	struct cidr cidr;

	return request_cidr(object, "A", 4, &cidr, err);
}

static void test_cidrs(void **state)
{
	static const struct row rows[] = {
		{"{'A':'10.0.0.0/8'}", NULL},
		{"{'A':'10.0.0.1'}", NULL},
		{"{'A':''}", NULL},
		{"{}", NULL},
		{"{'A':'fd80::/64'}", "is not of IPv4"},
		{"{'A':'10.0.0.0/33'}", "is not an IP address or CIDR"},
		{"{'A':'10.0.0'}", "is not an IP address or CIDR"},
		{"{'A':'ten'}", "is not an IP address or CIDR"},
		{"{'A':10}", "A must be a string"},
	};
	struct cidr cidr;
	struct err err;
	json_t *json = document("{'A':'fd80::1/64'}");

	check_rows(rows, ROWS(rows), read_cidr);
	assert_int_equal(request_cidr(json, "A", 0, &cidr, &err), 0);
	assert_int_equal(cidr.addr.family, 6);
	assert_int_equal(cidr.length, 64);
	assert_int_equal(request_cidr(json, "B", 0, &cidr, &err), 0);
	assert_int_equal(cidr.addr.family, 0);
	json_decref(json);
}

static void test_booleans(void **state)
{
	static const struct {
		const char *text;
		int value; /* -1: refused */
	} rows[] = {
		{"{'A':true}", 1},   {"{'A':'true'}", 1}, {"{'A':'1'}", 1},
		{"{'A':'TRUE'}", 1}, {"{'A':false}", 0},  {"{'A':'false'}", 0},
		{"{'A':'0'}", 0},    {"{'A':''}", 0},	  {"{'A':null}", 0},
		{"{}", 0},	     {"{'A':'yes'}", -1}, {"{'A':1}", -1},
		{"{'A':[]}", -1},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		json_t *json = document(rows[i].text);
		struct err err;
		bool value;
		int r = request_bool(json, "A", &value, &err);

		if (rows[i].value < 0 ? r != -EBADMSG : r || value != rows[i].value)
			fail_msg("%s", rows[i].text);
		json_decref(json);
	}
}

static int read_object(const json_t *object, struct err *err)
{
	const json_t *member;

	return request_object(object, "A", &member, err);
}

static int read_array(const json_t *object, struct err *err)
{
	const json_t *member;

	return request_array(object, "A", &member, err);
}

static void test_objects_and_lists(void **state)
{
	static const struct row objects[] = {
		{"{'A':{}}", NULL},
		{"{'A':null}", NULL},
		{"{}", NULL},
		{"{'A':[]}", "A must be an object"},
		{"{'A':'x'}", "A must be an object"},
	};
	static const struct row lists[] = {
		{"{'A':[]}", NULL},
		{"{'A':null}", NULL},
		{"{}", NULL},
		{"{'A':{}}", "A must be a list"},
	};

	check_rows(objects, ROWS(objects), read_object);
	check_rows(lists, ROWS(lists), read_array);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),	      cmocka_unit_test(test_ids),
		cmocka_unit_test(test_an_endless_id), cmocka_unit_test(test_cidrs),
		cmocka_unit_test(test_booleans),      cmocka_unit_test(test_objects_and_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
