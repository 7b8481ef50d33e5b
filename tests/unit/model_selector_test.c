/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Selectors: what matches, what is refused, and properties that hold for any selector. */
#include "model/selector.h"
#include "rows.h"

#define ROUNDS 20000

static struct selector *parse(const char *text)
{
	struct selector *selector;
	struct err err;

	if (selector_parse(text, &selector, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return selector;
}

/* "a=x b=y" */
static struct labels labels_of(const char *text)
{
	struct labels labels = {0};
	char *copy = strdup(text), *rest = copy, *pair;

	while ((pair = strsep(&rest, " "))) {
		char *value = strchr(pair, '=');

		if (!value)
			continue;
		*value = '\0';
		assert_int_equal(labels_set(&labels, pair, value + 1), 0);
	}
	free(copy);
	return labels;
}

static void match_table(void **state)
{
	static const struct {
		const char *selector, *labels;
		bool match;
	} rows[] = {
		{"a == 'x'", "a=x", true},
		{"a != \"b\"", "a=x", true},
		{"a != \"x\"", "", true},
		{"a in {\"x\",\"y\"}", "a=y", true},
		{"!a in {\"x\"}", "a=z", true},
		{"a not in {\"q\"}", "a=x", true},
		{"a not in {\"q\"}", "", true},
		{"has(a)", "a=x", true},
		{"has(a)", "a=", true},
		{"!has(a)", "b=b", true},
		{"", "", true},
		{" ", "a=x", true},
		{"\t\n", "a=x", true},
		{"all()", "", true},
		{" all()", "a=x", true},
		{"has(a) && !has(b)", "a=x", true},
		{"!(!has(a) || has(b))", "a=x", true},
		{"a == 'x'", "", false},
		{"a == 'x'", "a=y", false},
		{"a == 'x'", "A=x", false},
		{"a == 'x'", "a=X", false},
		{"a != 'x'", "a=x", false},
		{"a in {\"x\"}", "a=y", false},
		{"a in {\"x\"}", "", false},
		{"a not in {'x', 'y'}", "a=y", false},
		{"!!has(b)", "a=x", false},
		{"!!!has(a)", "a=x", false},
		{"!all()", "a=x", false},
		{"has(a) && !has(b)", "a=x b=y", false},
		{"a == ''", "a=", true},
		{"a == ' x '", "a=x", false},
		{"a-b.c/d_e == 'x'", "a-b.c/d_e=x", true},
		{"a-b == 'x'", "a=x b=x", false},
		{"a == \"it's\"", "a=it's", true},
		{"a == 'q\"'", "a=q\"", true},
		{"in == 'x' && not in {'y'} && has(has) && all == 'z'", "in=x not=y has=1 all=z", true},
		/* What the label index of v0.20 got wrong. */
		{"x in {\"single\"} && y == \"z\"", "x=single y=z", true},
		{"a=='x'||b=='x'&&c=='x'", "a=x", true},
		{"(a=='x'||b=='x')&&c=='x'", "a=x", false},
		{"!has(a)||has(b)", "a=1 b=1", true},
		{"!(has(a)||has(b))", "a=1 b=1", false},
		{"!has(a)&&has(b)", "b=1", true},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct labels labels = labels_of(rows[i].labels);
		struct selector *selector = parse(rows[i].selector);

		if (selector_match_labels(selector, &labels) != rows[i].match)
			fail_msg("%s with {%s}: %s match", rows[i].selector, rows[i].labels,
				 rows[i].match ? "no" : "a");
		selector_free(selector);
		labels_done(&labels);
	}
}

/* "&&" before "||", for all values of three labels. */
static void truth_table(void **state)
{
	static const char *const names[] = {"a", "b", "c"};

	for (unsigned int bits = 0; bits < 8; bits++) {
		bool a = bits & 1, b = bits & 2, c = bits & 4;
		const struct {
			const char *selector;
			bool value;
		} rows[] = {
			{"has(a) && has(b) || has(c)", (a && b) || c},
			{"has(a) || has(b) && has(c)", a || (b && c)},
			{"(has(a) || has(b)) && has(c)", (a || b) && c},
			{"has(a) && (has(b) || has(c))", a && (b || c)},
			{"!has(a) && has(b) || !has(c)", (!a && b) || !c},
			{"!(has(a) && has(b)) || has(c)", !(a && b) || c},
			{"has(a) && has(b) && has(c)", a && b && c},
			{"has(a) || has(b) || has(c)", a || b || c},
			{"has(a) && !(has(b) && !has(c))", a && !(b && !c)},
		};
		struct labels labels = {0};

		for (unsigned int i = 0; i < 3; i++)
			if (bits & 1U << i)
				assert_int_equal(labels_set(&labels, names[i], "1"), 0);
		for (size_t i = 0; i < ROWS(rows); i++) {
			struct selector *selector = parse(rows[i].selector);

			if (selector_match_labels(selector, &labels) != rows[i].value)
				fail_msg("%s with bits %u", rows[i].selector, bits);
			selector_free(selector);
		}
		labels_done(&labels);
	}
}

static void bad_table(void **state)
{
	static const struct row rows[] = {
		{"b == b", "a string in quotes expected at character 6"},
		{"'v' == b", "a label expected at character 1"},
		{"b", "'==', '!=', 'in' or 'not in' expected at the end"},
		{"a b", "expected at character 3"},
		{"!", "a label expected at the end"},
		{"+x", "a label expected at character 1"},
		{"a!b", "expected at character 2"},
		{"has (a)", "expected at character 5"},
		{"all ()", "expected at character 5"},
		{"has()", "a label expected at character 5"},
		{"has(a", "')' expected at the end"},
		{"has(a) has(b)", "'&&', '||' or the end expected at character 8"},
		{"has(a) &&", "a label expected at the end"},
		{"has(a) & has(b)", "expected at character 8"},
		{"&& has(a)", "a label expected at character 1"},
		{"(has(a)", "')' expected at the end"},
		{"has(a))", "expected at character 7"},
		{"()", "a label expected"},
		{"a in {}", "a string in quotes expected at character 7"},
		{"a in {'x',}", "a string in quotes expected"},
		{"a in {'x' 'y'}", "',' or '}' expected"},
		{"a in 'x'", "'{' expected"},
		{"a in {b}", "a string in quotes expected"},
		{"a inx {'x'}", "expected at character 3"},
		{"a notin {'x'}", "expected at character 3"},
		{"a not {'x'}", "expected"},
		{"a = 'x'", "expected at character 3"},
		{"a == 'x", "closing quote"},
		{"a == 'x\n'", "closing quote"},
		{"a == 'x\"", "closing quote"},
		{"a == x", "a string in quotes expected"},
		{"'a' == 'x'", "a label expected"},
		{"\xc3\xa4 == 'x'", "a label expected at character 1"},
		{"has(a) || !", "a label expected"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct selector *selector = NULL;
		struct err err = {""};
		int r = selector_parse(rows[i].text, &selector, &err);

		row_check(&rows[i], rows[i].text, r, &err);
	}
}

static void canonical_text(void **state)
{
	static const char *const rows[][2] = {
		{"a=='x'", "a == \"x\""},
		{"a  in\t{'y' ,\"x\",'y'}", "a in {\"x\", \"y\"}"},
		{"a in {'x'}", "a == \"x\""},
		{"a not in {'x'}", "a != \"x\""},
		{"a not\tin {'x','b'}", "a not in {\"b\", \"x\"}"},
		{"a == 'q\"'", "a == 'q\"'"},
		{"", "all()"},
		{" ( ( has( a ) ) ) ", "has(a)"},
		{"has(a)&&(has(b)&&has(c))", "has(a) && (has(b) && has(c))"},
		{"(has(a)&&has(b))||has(c)", "has(a) && has(b) || has(c)"},
		{"has(a)&&(has(b)||has(c))", "has(a) && (has(b) || has(c))"},
		{"! !(has(a)||has(b))", "!!(has(a) || has(b))"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct selector *selector = parse(rows[i][0]), *again;
		char *text = selector_format(selector);

		assert_string_equal(text, rows[i][1]);
		again = parse(text);
		assert_true(selector_equal(selector, again));
		selector_free(again);
		free(text);
		selector_free(selector);
	}
}

static void equality(void **state)
{
	static const char *const different[] = {
		"a == 'x'",	    "a != 'x'",		"a == 'y'",
		"b == 'x'",	    "has(a)",		"all()",
		"a in {'x', 'y'}",  "!has(a)",		"has(a) && has(b)",
		"has(a) || has(b)", "has(b) && has(a)", "has(a) && has(b) && has(c)",
		"!!has(a)",	    "!all()",		"a not in {'x','y'}",
	};

	for (size_t i = 0; i < ROWS(different); i++) {
		for (size_t j = 0; j < ROWS(different); j++) {
			struct selector *a = parse(different[i]), *b = parse(different[j]);

			assert_int_equal(selector_equal(a, b), i == j);
			selector_free(a);
			selector_free(b);
		}
	}
}

/* Fixed sequences, so that a failure can be seen again: one for what is meant, one for how it is written. */
static uint32_t random_state, style_state;

static uint32_t random_step(uint32_t *state, uint32_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % n;
}

static uint32_t random_below(uint32_t n)
{
	return random_step(&random_state, n);
}

static void blank(FILE *out, bool style)
{
	if (style && random_step(&style_state, 3) == 0)
		fputs(&"   \t\n "[random_step(&style_state, 6)], out);
}

/* A random selector; `style` changes nothing but blanks and quotes. */
static void random_selector(FILE *out, unsigned int depth, bool style)
{
	uint32_t kind = random_below(depth ? 8 : 5), label = random_below(4), value = random_below(3);
	const char *quote = style && random_step(&style_state, 2) ? "'" : "\"";

	blank(out, style);
	switch (kind) {
	case 0:
		fprintf(out, "has(l%u)", label);
		break;
	case 1:
		fprintf(out, "l%u == %sv%u%s", label, quote, value, quote);
		break;
	case 2:
		fprintf(out, "l%u != %sv%u%s", label, quote, value, quote);
		break;
	case 3:
		fprintf(out, "l%u in {\"v0\",%sv%u%s}", label, quote, value, quote);
		break;
	case 4:
		fprintf(out, "l%u not in {%sv%u%s}", label, quote, value, quote);
		break;
	case 5:
		fputs("!(", out);
		random_selector(out, depth - 1, style);
		fputc(')', out);
		break;
	default:
		fputc('(', out);
		random_selector(out, depth - 1, style);
		fputs(kind == 6 ? " && " : " || ", out);
		random_selector(out, depth - 1, style);
		fputc(')', out);
		break;
	}
	blank(out, style);
}

static char *random_text(uint32_t seed, bool style)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	random_state = style_state = seed;
	random_selector(out, 4, style);
	fclose(out);
	return text;
}

static struct labels random_labels(void)
{
	struct labels labels = {0};
	char name[8], value[8];

	for (unsigned int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		snprintf(value, sizeof(value), "v%u", random_below(3));
		if (random_below(2))
			assert_int_equal(labels_set(&labels, name, value), 0);
	}
	return labels;
}

static void negation_flips(void **state)
{
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		char *text = random_text(round, false), *negated;
		struct labels labels = random_labels();
		struct selector *plain = parse(text), *other;

		assert_true(asprintf(&negated, "!(%s)", text) > 0);
		other = parse(negated);
		if (selector_match_labels(plain, &labels) == selector_match_labels(other, &labels))
			fail_msg("%s", text);
		selector_free(other);
		selector_free(plain);
		labels_done(&labels);
		free(negated);
		free(text);
	}
}

static void own_text_is_read_back(void **state)
{
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		char *text = random_text(round, true), *plain = random_text(round, false), *first, *second;
		struct labels labels = random_labels();
		struct selector *selector = parse(text), *same = parse(plain), *again;

		first = selector_format(selector);
		again = parse(first);
		second = selector_format(again);
		if (!selector_equal(selector, same))
			fail_msg("%s is not %s", text, plain);
		if (!selector_equal(selector, again) || strcmp(first, second) != 0 ||
		    selector_match_labels(selector, &labels) != selector_match_labels(again, &labels))
			fail_msg("%s became %s, then %s", text, first, second);
		selector_free(same);
		selector_free(again);
		selector_free(selector);
		labels_done(&labels);
		free(plain);
		free(first);
		free(second);
		free(text);
	}
}

/* Takes random characters of the language's alphabet; most are no selectors. */
static void garbage(void **state)
{
	static const char *const tokens[] = {
		"has(", "(", ")", "{", "}",  "!", "&&", "||",	"==", "!=", "in",   "not",
		"'",	"x", "a", " ", "\"", ",", "&",	"all(", "\n", "=",  "\xff", "'v'",
	};
	size_t accepted = 0;

	random_state = 1;
	for (uint32_t round = 0; round < ROUNDS * 5; round++) {
		char text[256] = "";
		struct selector *selector, *again;
		struct err err = {""};

		for (uint32_t i = random_below(14); i > 0; i--)
			strcat(text, tokens[random_below(ROWS(tokens))]);
		if (selector_parse(text, &selector, &err) != 0) {
			assert_true(err.text[0]);
			continue;
		}
		accepted++;
		char *own = selector_format(selector);

		again = parse(own);
		assert_true(selector_equal(selector, again));
		selector_free(again);
		selector_free(selector);
		free(own);
	}
	assert_true(accepted > ROUNDS / 100);
}

static char *nested(const char *open, const char *close, size_t depth)
{
	char *text = calloc(depth * 8 + 16, 1), *end = text;

	assert_non_null(text);
	for (size_t i = 0; i < depth; i++)
		end = stpcpy(end, open);
	end = stpcpy(end, "has(a)");
	for (size_t i = 0; i < depth; i++)
		end = stpcpy(end, close);
	return text;
}

static void depth_is_bounded(void **state)
{
	static const char *const pairs[][2] = {{"(", ")"}, {"!", ""}, {"!(", ")"}};

	for (size_t i = 0; i < ROWS(pairs); i++) {
		char *fine = nested(pairs[i][0], pairs[i][1], 32);
		char *deep = nested(pairs[i][0], pairs[i][1], 1000000);
		struct selector *selector = parse(fine);
		struct err err;

		selector_free(selector);
		assert_int_equal(selector_parse(deep, &selector, &err), -EBADMSG);
		assert_string_equal(err.text, "the selector is nested deeper than 64 levels");
		free(fine);
		free(deep);
	}
}

/* The text of a selector that is nested as deep as allowed is no deeper. */
static void deepest_is_read_back(void **state)
{
	struct selector *selector, *again;
	char *text = malloc(64 * 40), *own, *end = text;

	assert_non_null(text);
	for (int i = 0; i < 64; i++)
		end = stpcpy(end, "has(a) && (has(b) && ");
	end = stpcpy(end, "has(c)");
	for (int i = 0; i < 64; i++)
		end = stpcpy(end, " || has(d))");
	selector = parse(text);
	own = selector_format(selector);
	again = parse(own);
	assert_true(selector_equal(selector, again));
	selector_free(selector);
	selector_free(again);
	free(own);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(match_table),
		cmocka_unit_test(truth_table),
		cmocka_unit_test(bad_table),
		cmocka_unit_test(canonical_text),
		cmocka_unit_test(equality),
		cmocka_unit_test(negation_flips),
		cmocka_unit_test(own_text_is_read_back),
		cmocka_unit_test(garbage),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(deepest_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
