/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Small shared pieces of the model: identifiers, label maps, string lists, JSON access with error texts that
 * name the path. The objects themselves have a header each. The whole module is pure: no I/O, no globals.
 *
 * Every object is parsed from the text of one datastore value: `X_parse(text, ..., &x, err)` returns 0, or
 * -EBADMSG with a sentence such as "inbound rule 3: port '70000' is out of range"; the caller prefixes the
 * key. `X_format()` gives the text to store (malloc'd, one line) and keeps members that we do not know.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/addr.h"
#include "util/err.h"

/* Documents above this are refused unread. */
#define MODEL_MAX_BYTES (4 * 1024 * 1024)
#define MODEL_MAX_DEPTH 32
/* In each direction of one profile or policy. */
#define MODEL_MAX_RULES 65536

/*
 * Room for one more item in an array {items, count} of this module, which has room for `count` rounded up to
 * a power of two. Returns the array, moved perhaps, or NULL with the old one untouched.
 */
void *model_grow(void *items, size_t count, size_t size);

struct strings {
	char **items;
	size_t count;
};
void strings_done(struct strings *list);
int strings_add(struct strings *list, const char *text); /* copies; 0 or -ENOMEM */
bool strings_has(const struct strings *list, const char *text);
bool strings_equal(const struct strings *a, const struct strings *b); /* order counts */

struct label {
	char *name, *value;
};
struct labels { /* sorted by name, unique */
	struct label *items;
	size_t count;
};
void labels_done(struct labels *labels);
const char *labels_get(const struct labels *labels, const char *name); /* NULL: absent */
int labels_set(struct labels *labels, const char *name, const char *value);

/* [a-zA-Z0-9_.-]+ : profiles, tags, tiers, policies, endpoints. */
bool model_id_valid(const char *id);
/* [a-zA-Z0-9_-]{1,15} */
bool model_interface_valid(const char *name);
bool model_label_name_valid(const char *name);

/* json_loads with our size and depth limits, duplicates tolerated (last wins). Borrowed text; new reference.
 */
int model_json_parse(const char *text, json_t **ret, struct err *err);
/* One line, member order kept. malloc'd; NULL on memory exhaustion. */
char *model_json_format(const json_t *json);
/* Text of any origin as a JSON string: what JSON cannot hold becomes '?', NULL is "". NULL on memory
 * exhaustion. */
json_t *model_json_text(const char *text);

#endif
