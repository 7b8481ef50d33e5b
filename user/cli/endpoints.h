/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The workload endpoints in the datastore, chosen by filters. */
#ifndef CLI_ENDPOINTS_H
#define CLI_ENDPOINTS_H

#include "cli/ctl.h"
#include "model/endpoint.h"
#include "store/keys.h"

struct endpoint_filter {
	const char *host, *orchestrator, *workload, *id; /* exact; NULL: any */
};

struct endpoint_entry {
	char *key;
	struct key_parts parts;
	struct workload_endpoint *endpoint; /* NULL: the value is not valid, agents treat it as absent */
};

struct endpoint_entries {
	struct endpoint_entry *items; /* sorted by key */
	size_t count;
};

/* false: the datastore failed, which has been told. Free with endpoints_done(). */
bool endpoints_load(struct ctl *ctl, const struct endpoint_filter *filter, struct endpoint_entries *ret);
void endpoints_done(struct endpoint_entries *entries);
bool endpoint_has_profile(const struct endpoint_entry *entry, const char *profile);
/* "active", "inactive", or "invalid" for a value that cannot be read. */
const char *endpoint_state(const struct endpoint_entry *entry);

#endif
