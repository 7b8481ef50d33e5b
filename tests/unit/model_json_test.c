/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names, lists, labels and documents. */
#include "model/model.h"
#include "rows.h"

static void names(void **state)
{
	static const struct {
		const char *text;
		bool id, interface, label;
	} rows[] = {
		{"a", true, true, true},
		{"Web_1.x-y", true, false, true},
		{"cali7f0c1d2e3a4", true, true, true},
		{"cali7f0c1d2e3a45", true, false, true},
		{"calico/k8s_namespace", false, false, true},
		{"kubernetes.io/x_-y.z", false, false, true},
		{"", false, false, false},
		{"a b", false, false, false},
		{"a$", false, false, false},
		{"^a", false, false, false},
		{"+|$", false, false, false},
		{"a!b", false, false, false},
		{"a,b", false, false, false},
		{"a+b", false, false, false},
		{"a\n", false, false, false},
		{"\xc3\xa4", false, false, false},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		if (model_id_valid(rows[i].text) != rows[i].id ||
		    model_interface_valid(rows[i].text) != rows[i].interface ||
		    model_label_name_valid(rows[i].text) != rows[i].label)
			fail_msg("'%s'", rows[i].text);
	}
}

static void lists(void **state)
{
	struct strings a = {0}, b = {0};
	char text[16];

	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(strings_add(&a, text), 0);
		assert_true(i == 0 || !strings_equal(&a, &b));
		assert_int_equal(strings_add(&b, text), 0);
		assert_true(strings_equal(&a, &b));
	}
	assert_true(strings_has(&a, "99"));
	assert_false(strings_has(&a, "100"));
	free(b.items[0]);
	b.items[0] = strdup("x");
	assert_false(strings_equal(&a, &b));
	strings_done(&a);
	strings_done(&b);
	assert_int_equal(a.count, 0);
	strings_done(&a);
}

static void label_map(void **state)
{
	struct labels labels = {0};
	char text[16];

	/* 37 and 101 have no common divisor: each name once, in no order. */
	for (int i = 0; i < 101; i++) {
		snprintf(text, sizeof(text), "%03d", i * 37 % 101);
		assert_int_equal(labels_set(&labels, text, "old"), 0);
	}
	assert_int_equal(labels.count, 101);
	for (size_t i = 1; i < labels.count; i++)
		assert_true(strcmp(labels.items[i - 1].name, labels.items[i].name) < 0);
	assert_int_equal(labels_set(&labels, "050", "new"), 0);
	assert_int_equal(labels.count, 101);
	assert_string_equal(labels_get(&labels, "050"), "new");
	assert_string_equal(labels_get(&labels, "100"), "old");
	assert_null(labels_get(&labels, "101"));
	assert_null(labels_get(&labels, ""));
	labels_done(&labels);
	assert_null(labels_get(&labels, "050"));
}

static void documents(void **state)
{
	static const struct row rows[] = {
		{"{}", NULL},
		{"5", NULL},
		{"null", NULL},
		{"\"x\"", NULL},
		{" [1, 2.5, \"\\u00e4\"] ", NULL},
		/* Brackets in strings do not count as nesting. */
		{"\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"", NULL},
		{"\"\\\\\"", NULL},
		{"[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]", NULL},
		{"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested deeper than 32 levels"},
		{"", "not valid JSON (line 1"},
		{"{\n\"a\": x}", "not valid JSON (line 2"},
		{"[1,]", "not valid JSON"},
		{"[1] x", "not valid JSON"},
		{"[\"\xff\"]", "not valid JSON"},
		{"[\"\\u0000\"]", "not valid JSON"},
		{"[NaN]", "not valid JSON"},
		{"[1e999]", "not valid JSON"},
		{"[99999999999999999999]", "not valid JSON"},
		{"\"", "not valid JSON"},
		{"\"\\", "not valid JSON"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		json_t *json = NULL;
		struct err err = {""};

		row_check(&rows[i], rows[i].text, model_json_parse(rows[i].text, &json, &err), &err);
		json_decref(json);
	}
}

static void document_text(void **state)
{
	json_t *json;
	char *text;

	assert_int_equal(
		model_json_parse("{ \"z\": 1,\n \"a\": [ true, null ], \"z\": \"\\n/\" }", &json, NULL), 0);
	text = model_json_format(json);
	assert_string_equal(text, "{\"z\":\"\\n/\",\"a\":[true,null]}");
	free(text);
	json_decref(json);
}

/* Whoever answers with it must not lose the answer for one bad name. */
static void text_of_any_origin(void **state)
{
	static const struct {
		const char *text, *json;
	} rows[] = {
		{"eth0", "eth0"},    {"", ""},
		{NULL, ""},	     {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"eth\xff", "eth?"}, {"\xc3", "?"},
		{"a\nb", "a\nb"},    {"\xff\n", "??"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		json_t *json = model_json_text(rows[i].text);

		assert_non_null(json);
		assert_string_equal(json_string_value(json), rows[i].json);
		json_decref(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),	 cmocka_unit_test(lists),
		cmocka_unit_test(label_map),	 cmocka_unit_test(documents),
		cmocka_unit_test(document_text), cmocka_unit_test(text_of_any_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
