/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IP pool. */
#ifndef MODEL_POOL_H
#define MODEL_POOL_H

#include "model/model.h"

struct pool {
	struct cidr cidr; /* masked */
	char *ipip;	  /* tunnel device, "tunl0"; NULL: off */
	bool masquerade;
	bool ipam;     /* default true */
	bool disabled; /* default false */
	json_t *raw;
};

/* key_name: the CIDR in the key, "10.65.0.0-16". */
int pool_parse(const char *key_name, const char *text, struct pool **ret, struct err *err);
void pool_free(struct pool *pool);
struct pool *pool_new(const struct cidr *cidr);
char *pool_format(const struct pool *pool); /* options only when they differ from the defaults */

#endif
