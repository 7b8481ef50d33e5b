/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Answers of the etcd v2 API, read with distrust. Pure. Private to this module. */
#ifndef STORE_ETCD_JSON_H
#define STORE_ETCD_JSON_H

#include <jansson.h>

#include "store/backend.h"

/* 0 and a new reference, or -EBADMSG with a few words. */
int etcd_json_load(const char *text, size_t size, json_t **ret, struct err *err);
/* The number in an error object; 0: this is none. *ret_message is borrowed, or NULL. */
int etcd_json_error(const json_t *answer, const char **ret_message);
/* -errno for such a number. */
int etcd_json_errno(int code);

/* The answer's node, a leaf; -EISDIR, -EBADMSG. */
int etcd_json_node(const json_t *answer, struct store_node *ret);
/* The revision of the node that a write made. 0 or -EBADMSG. */
int etcd_json_revision(const json_t *answer, uint64_t *ret);
/* Leaves beneath the answer's node, or its direct children. -ENOTDIR when it is a leaf itself. */
int etcd_json_list(const json_t *answer, bool recursive, struct store_list *ret);
/* The event that a poll answered; *ret_revision also of what is no change for a watch. 0 or -EBADMSG. */
int etcd_json_change(const json_t *answer, struct store_feed *feed, uint64_t *ret_revision);

#endif
