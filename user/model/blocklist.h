/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entries of the block list: networks whose packets reach no endpoint. */
#ifndef MODEL_BLOCKLIST_H
#define MODEL_BLOCKLIST_H

#include "model/model.h"

/* 0 if the value, {"cidr": "198.51.100.0/24"}, is about the network (masked) that its key names. */
int blocklist_parse(const char *text, const struct cidr *named, struct err *err);
char *blocklist_format(const struct cidr *cidr); /* malloc'd; NULL: out of memory */

#endif
