/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Profiles' rules: reading what was written gives equal rules; copies and texts of any rule can be made. */
#include "fuzz.h"
#include "model/rules.h"

static void check_lists(const char *text, const struct rules_list *a, const struct rules_list *b)
{
	fuzz_check(a->count == b->count, text);
	for (size_t i = 0; i < a->count; i++) {
		char *line = rule_format_text(&a->items[i]);
		struct rule copy;

		fuzz_check(line && rule_equal(&a->items[i], &b->items[i]), text);
		fuzz_check(rule_copy(&a->items[i], &copy) == 0 && rule_equal(&copy, &b->items[i]), text);
		rule_done(&copy);
		free(line);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *own, *pretty, *second;
	struct rules *rules, *again = NULL;
	struct err err = {""};

	if (rules_parse(text, &rules, &err) < 0) {
		fuzz_refused(&err);
		free(text);
		return 0;
	}
	own = rules_format(rules);
	pretty = rules_format_pretty(rules);
	fuzz_check(own && pretty && rules_parse(pretty, &again, &err) == 0, text);
	second = rules_format(again);
	fuzz_check(strcmp(own, second) == 0, text);
	check_lists(text, &rules->inbound, &again->inbound);
	check_lists(text, &rules->outbound, &again->outbound);
	rules_free(rules);
	rules_free(again);
	free(own);
	free(pretty);
	free(second);
	free(text);
	return 0;
}
