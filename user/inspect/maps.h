/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps behind inspect.h, private to this folder. */
#ifndef INSPECT_MAPS_H
#define INSPECT_MAPS_H

#include "inspect/inspect.h"

enum inspect_map {
	INSPECT_ENDPOINT,
	INSPECT_HOST_INTERFACE,
	INSPECT_ADDRESS4,
	INSPECT_ADDRESS6,
	INSPECT_ENDPOINT_POLICY,
	INSPECT_LIST,
	INSPECT_STEP,
	INSPECT_RULE,
	INSPECT_RULE_INFO,
	INSPECT_RULE_HITS,
	INSPECT_MAPS,
};

struct inspect {
	int map[INSPECT_MAPS]; /* -1: not open */
	__u32 entries[INSPECT_MAPS];
	int cpus;
};

#endif
