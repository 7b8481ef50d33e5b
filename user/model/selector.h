/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Selector language over labels: grammar of the data model, section "Selector language". Pure. */
#ifndef MODEL_SELECTOR_H
#define MODEL_SELECTOR_H

#include "model/model.h"

struct selector;

/* 0, or -EBADMSG naming the position of what is wrong. Depth is limited; garbage never crashes. */
int selector_parse(const char *text, struct selector **ret, struct err *err);
void selector_free(struct selector *selector);
/* `lookup` returns a label's value or NULL; called for each label the selector names. */
bool selector_match(const struct selector *selector, const char *(*lookup)(const void *arg, const char *name),
		    const void *arg);
bool selector_match_labels(const struct selector *selector, const struct labels *labels);
/* Same parsed form, whatever the text. */
bool selector_equal(const struct selector *a, const struct selector *b);
/* Canonical text: equal for selectors of equal parsed form; parses to the same selector. malloc'd. */
char *selector_format(const struct selector *selector);

#endif
