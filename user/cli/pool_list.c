/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The configured IP pools. */
#include "cli/pool_list.h"

#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "store/keys.h"

bool pool_list_load(struct ctl *ctl, uint8_t family, struct pool_list *ret)
{
	struct store_list list;

	*ret = (struct pool_list){0};
	if (!ctl_list(ctl, key_pools(family), &list))
		return false;
	ret->items = arena_check(calloc(list.count + 1, sizeof(struct pool *)));
	for (size_t i = 0; i < list.count; i++) {
		const struct store_node *node = &list.nodes[i];

		if (node->value &&
		    pool_parse(key_last(node->key), node->value, &ret->items[ret->count], NULL) == 0)
			ret->count++;
	}
	store_list_done(&list);
	return true;
}

void pool_list_done(struct pool_list *pools)
{
	for (size_t i = 0; i < pools->count; i++)
		pool_free(pools->items[i]);
	free(pools->items);
	*pools = (struct pool_list){0};
}

bool pool_check_usable(struct ctl *ctl, const struct cidr *cidr)
{
	const char *unusable = cidr_unusable(cidr);
	char text[CIDR_TEXT];

	if (!unusable)
		return true;
	out_say(&ctl->out, "Cannot add IP pool %s - it has %s, which no container can have.\nNo pools added.",
		cidr_format(cidr, text), unusable);
	return false;
}

/* Tells the agents to make the tunnel device; nothing ever takes it back. */
static bool enable_ipip(struct ctl *ctl)
{
	char key[KEY_MAX];
	const char *enabled;

	if (!ctl_read(ctl, key_config(key, "IpInIpEnabled"), &enabled))
		return false;
	return (enabled && !strcmp(enabled, "true")) || ctl_write(ctl, key, "true");
}

int pool_list_write(struct ctl *ctl, const struct cidr *pools, size_t count,
		    const struct pool_options *options)
{
	char key[KEY_MAX];

	if (options->ipip && !enable_ipip(ctl))
		return STATUS_FAILED;
	for (size_t i = 0; i < count; i++) {
		struct pool *pool = arena_check(pool_new(&pools[i]));

		if (options->ipip)
			pool->ipip = arena_check(strdup("tunl0"));
		pool->masquerade = options->masquerade;

		const char *text = ctl_keep(ctl, pool_format(pool));

		pool_free(pool);
		if (!ctl_write(ctl, key_pool(key, &pools[i]), text))
			return STATUS_FAILED;
	}
	return STATUS_DONE;
}
