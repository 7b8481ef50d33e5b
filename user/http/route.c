/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "http/route.h"

#include <string.h>

const struct route *route_find(const struct route *table, const char *path)
{
	while (table->path && strcmp(path, table->path) != 0)
		table++;
	return table;
}
