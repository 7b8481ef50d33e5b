/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The workload endpoints in the datastore, chosen by filters. */
#include "cli/endpoints.h"

#include <stdlib.h>
#include <string.h>

#include "util/segment.h"

static bool fits(const char *wanted, const char *text)
{
	return !wanted || !strcmp(wanted, text);
}

static bool filter_matches(const struct endpoint_filter *filter, const struct key_parts *parts)
{
	return parts->kind == KEY_IS_ENDPOINT && fits(filter->host, parts->host) &&
	       fits(filter->orchestrator, parts->orchestrator) && fits(filter->workload, parts->workload) &&
	       fits(filter->id, parts->name);
}

bool endpoints_load(struct ctl *ctl, const struct endpoint_filter *filter, struct endpoint_entries *ret)
{
	char key[KEY_MAX];
	struct store_list list;

	*ret = (struct endpoint_entries){0};
	/* A name that no host can have matches none. */
	if (filter->host && !segment_valid(filter->host))
		return true;
	if (!ctl_list(ctl, filter->host ? key_host_workloads(key, filter->host) : KEY_HOSTS, &list))
		return false;
	ret->items = arena_check(calloc(list.count + 1, sizeof(*ret->items)));
	for (size_t i = 0; i < list.count; i++) {
		struct endpoint_entry *entry = &ret->items[ret->count];
		const struct store_node *node = &list.nodes[i];

		key_parse(node->key, &entry->parts);
		if (!node->value || !filter_matches(filter, &entry->parts))
			continue;
		entry->key = arena_check(strdup(node->key));
		if (workload_endpoint_parse(node->value, NULL, &entry->endpoint, NULL) < 0)
			entry->endpoint = NULL;
		ret->count++;
	}
	store_list_done(&list);
	return true;
}

void endpoints_done(struct endpoint_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++) {
		free(entries->items[i].key);
		workload_endpoint_free(entries->items[i].endpoint);
	}
	free(entries->items);
	*entries = (struct endpoint_entries){0};
}

bool endpoint_has_profile(const struct endpoint_entry *entry, const char *profile)
{
	return entry->endpoint && strings_has(&entry->endpoint->profiles, profile);
}

const char *endpoint_state(const struct endpoint_entry *entry)
{
	if (!entry->endpoint)
		return "invalid";
	return entry->endpoint->active ? "active" : "inactive";
}
