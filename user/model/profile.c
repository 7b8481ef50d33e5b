/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tags and labels of profiles, tiers, policies. */
#include "model/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/fields.h"

int tags_parse(const char *text, struct strings *ret, struct err *err)
{
	json_t *json;
	int r = model_json_parse(text, &json, err);

	if (r < 0)
		return r;
	r = field_ids(json, "the value", ret, err);
	json_decref(json);
	return r;
}

char *tags_format(const struct strings *tags)
{
	json_t *json = field_from_strings(tags);
	char *text = json ? model_json_format(json) : NULL;

	json_decref(json);
	return text;
}

int labels_parse(const char *text, struct labels *ret, struct err *err)
{
	json_t *json;
	int r = model_json_parse(text, &json, err);

	if (r < 0)
		return r;
	r = field_labels(json, "the value", ret, err);
	json_decref(json);
	return r;
}

int tier_parse(const char *text, double *ret_order, struct err *err)
{
	json_t *json;
	int r = field_object(text, &json, err);

	if (r < 0)
		return r;
	r = field_order(json_object_get(json, "order"), ret_order, err);
	json_decref(json);
	return r;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	free(policy->selector_text);
	selector_free(policy->selector);
	rules_list_done(&policy->inbound);
	rules_list_done(&policy->outbound);
	free(policy);
}

static int parse_selector(const json_t *json, struct policy *policy, struct err *err)
{
	const json_t *selector = json_object_get(json, "selector");
	const char *text = json_string_value(selector);
	char shown[FIELD_SHOW];
	int r;

	if (!selector)
		return err_set(err, EBADMSG, "selector is missing");
	if (!text)
		return err_set(err, EBADMSG, "selector is not a string but %s", field_show(selector, shown));
	r = selector_parse(text, &policy->selector, err);
	if (r < 0)
		return err_prefix(err, r, "selector");
	policy->selector_text = strdup(text);
	return policy->selector_text ? 0 : field_out_of_memory(err);
}

static int parse_policy(const json_t *json, struct policy *policy, struct err *err)
{
	int r = field_order(json_object_get(json, "order"), &policy->order, err);

	if (r == 0)
		r = parse_selector(json, policy, err);
	return r < 0 ? r : rules_lists_parse_json(json, &policy->inbound, &policy->outbound, err);
}

int policy_parse(const char *text, struct policy **ret, struct err *err)
{
	struct policy *policy;
	json_t *json;
	int r = field_object(text, &json, err);

	if (r < 0)
		return r;
	policy = calloc(1, sizeof(*policy));
	r = policy ? parse_policy(json, policy, err) : field_out_of_memory(err);
	json_decref(json);
	if (r < 0) {
		policy_free(policy);
		return r;
	}
	*ret = policy;
	return 0;
}
