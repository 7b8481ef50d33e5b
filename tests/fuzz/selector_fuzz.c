/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Selectors: own text is read as the same selector, and negation flips the result. */
#include "fuzz.h"
#include "model/selector.h"

/* Some labels present, whatever their names are. */
static const char *lookup(const void *arg, const char *name)
{
	return strlen(name) % 2 ? name : NULL;
}

static void check(const char *text, const struct selector *selector)
{
	char *own = selector_format(selector), *again_text, *negated;
	struct selector *again = NULL, *other;
	struct err err;

	fuzz_check(own && selector_parse(own, &again, &err) == 0, text);
	again_text = selector_format(again);
	fuzz_check(selector_equal(selector, again) && strcmp(own, again_text) == 0, text);
	fuzz_check(asprintf(&negated, "!(%s)", own) > 0, text);
	/* Two levels more may be too deep. */
	if (selector_parse(negated, &other, &err) == 0) {
		fuzz_check(selector_match(selector, lookup, NULL) != selector_match(other, lookup, NULL),
			   text);
		selector_free(other);
	}
	selector_free(again);
	free(negated);
	free(again_text);
	free(own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct selector *selector;
	struct err err = {""};

	if (selector_parse(text, &selector, &err) == 0) {
		check(text, selector);
		selector_free(selector);
	} else {
		fuzz_refused(&err);
	}
	free(text);
	return 0;
}
