/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Members of a request's JSON, checked. Errors are -EBADMSG and name the member. Pure. */
#ifndef DOCKER_REQUEST_H
#define DOCKER_REQUEST_H

#include <jansson.h>
#include <stdbool.h>

#include "util/addr.h"
#include "util/err.h"

/* Borrowed; "" when the member is absent or null. */
int request_text(const json_t *object, const char *name, const char **ret, struct err *err);
/* An id of Docker: letters and digits, at least `shortest` of them. */
int request_id(const json_t *object, const char *name, size_t shortest, const char **ret, struct err *err);
bool request_id_valid(const char *id, size_t shortest);
/* An address with or without prefix length, of the family (0: any). Family 0 in *ret: absent or empty. */
int request_cidr(const json_t *object, const char *name, uint8_t family, struct cidr *ret, struct err *err);
/* Borrowed; NULL when absent or null. */
int request_object(const json_t *object, const char *name, const json_t **ret, struct err *err);
int request_array(const json_t *object, const char *name, const json_t **ret, struct err *err);
/* true/false as JSON or as "true", "false", "1", "0" in any case; absent, null or "": false. */
int request_bool(const json_t *object, const char *name, bool *ret, struct err *err);

#endif
