/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Policies, tiers, pools, tags and labels: no input crashes; tags and pools are read back as written. */
#include "fuzz.h"
#include "model/pool.h"
#include "model/profile.h"

static void policy(const char *text)
{
	struct labels labels = {0};
	struct policy *policy;
	struct err err = {""};

	if (policy_parse(text, &policy, &err) < 0) {
		fuzz_refused(&err);
		return;
	}
	selector_match_labels(policy->selector, &labels);
	policy_free(policy);
}

static void pool(const char *text)
{
	struct pool *pool, *again = NULL;
	struct err err = {""};
	char *own, *second;

	if (pool_parse("10.0.0.0-8", text, &pool, &err) < 0) {
		fuzz_refused(&err);
		return;
	}
	own = pool_format(pool);
	fuzz_check(own && pool_parse("10.0.0.0-8", own, &again, &err) == 0, text);
	second = pool_format(again);
	fuzz_check(strcmp(own, second) == 0, text);
	pool_free(pool);
	pool_free(again);
	free(own);
	free(second);
}

static void tags(const char *text)
{
	struct strings list, again;
	struct err err = {""};
	char *own;

	if (tags_parse(text, &list, &err) < 0) {
		fuzz_refused(&err);
		return;
	}
	own = tags_format(&list);
	fuzz_check(own && tags_parse(own, &again, &err) == 0 && strings_equal(&list, &again), text);
	strings_done(&list);
	strings_done(&again);
	free(own);
}

static void labels(const char *text)
{
	struct labels labels = {0};
	struct err err = {""};

	if (labels_parse(text, &labels, &err) < 0)
		fuzz_refused(&err);
	for (size_t i = 1; i < labels.count; i++)
		fuzz_check(strcmp(labels.items[i - 1].name, labels.items[i].name) < 0, text);
	if (labels.count > 0)
		fuzz_check(labels_set(&labels, "x", "y") == 0 && labels_get(&labels, "x"), text);
	labels_done(&labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct err err = {""};
	double order;

	policy(text);
	pool(text);
	tags(text);
	labels(text);
	if (tier_parse(text, &order, &err) < 0)
		fuzz_refused(&err);
	free(text);
	return 0;
}
