/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which backend a configuration asks for. */
#include "store/store.h"

#include "config/config.h"
#include "store/backend.h"

int store_open(const struct config *config, struct store **ret, struct err *err)
{
	return config->sqlite_path ? store_open_sqlite(config, ret, err) : store_open_etcd(config, ret, err);
}
