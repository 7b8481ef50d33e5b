/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The other values of a profile, tiers and their policies, IP pools, IPAM's configuration. */
#ifndef MODEL_PROFILE_H
#define MODEL_PROFILE_H

#include "model/rules.h"

int tags_parse(const char *text, struct strings *ret, struct err *err);
char *tags_format(const struct strings *tags);
int labels_parse(const char *text, struct labels *ret, struct err *err);

/* {"order": 20}; absent or "default": +infinity. */
int tier_parse(const char *text, double *ret_order, struct err *err);

struct policy {
	double order; /* +infinity when absent */
	char *selector_text;
	struct selector *selector;
	struct rules_list inbound, outbound;
};
int policy_parse(const char *text, struct policy **ret, struct err *err);
void policy_free(struct policy *policy);

#endif
