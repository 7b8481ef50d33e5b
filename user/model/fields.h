/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For the parsers of this folder: members that several objects share, and how a wrong value is shown to
 * people. All take a borrowed value and return 0, -EBADMSG or -ENOMEM; `what` names the member.
 */
#ifndef MODEL_FIELDS_H
#define MODEL_FIELDS_H

#include <errno.h>

#include "model/model.h"

#define FIELD_SHOW 64

/* The value as JSON, cut to fit, for an error text. */
const char *field_show(const json_t *value, char text[FIELD_SHOW]);
/* The text as a JSON object: new reference. */
int field_object(const char *text, json_t **ret, struct err *err);
/* A list of identifiers (profiles, tags). */
int field_ids(const json_t *value, const char *what, struct strings *ret, struct err *err);
/* An object of label names and string values. */
int field_labels(const json_t *value, const char *what, struct labels *ret, struct err *err);
/* Members "profile_ids" (or the older "profile_id") and "labels" of an endpoint. */
int field_profiles(const json_t *endpoint, struct strings *ret, struct err *err);
int field_endpoint_labels(const json_t *endpoint, struct labels *ret, struct err *err);
/* Member "name" of an endpoint, when it is there. */
int field_interface(const json_t *endpoint, char ret[16], struct err *err);
/* A number; absent (NULL) or "default": +infinity. */
int field_order(const json_t *value, double *ret, struct err *err);
/* A bool; absent: the default. */
int field_bool(const json_t *object, const char *name, bool otherwise, bool *ret, struct err *err);
/* Sets a member of the object that we write; takes the value, NULL is memory exhaustion. 0 or -ENOMEM. */
int field_set(json_t *object, const char *name, json_t *value);
/* A copy of the document as read whose members can be replaced, or an empty object. New reference. */
json_t *field_copy(const json_t *raw);
/* List of strings. New reference. */
json_t *field_from_strings(const struct strings *list);

static inline int field_out_of_memory(struct err *err)
{
	err_set(err, ENOMEM, "memory is exhausted");
	return -ENOMEM;
}

#endif
