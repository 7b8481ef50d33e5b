/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looks at the filter table of iptables-legacy, which nftables does not show. Layout of the table:
 * linux/netfilter_ipv4/ip_tables.h.
 */
#include "dataplane/nftables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/netfilter_ipv4/ip_tables.h>

#define TABLE "filter"

/* Asking for a table would create it. */
static bool table_exists(void)
{
	FILE *file = fopen("/proc/net/ip_tables_names", "re");
	char name[XT_TABLE_MAXNAMELEN + 2];
	bool found = false;

	while (file && !found && fgets(name, sizeof(name), file))
		found = !strcmp(name, TABLE "\n");
	if (file)
		fclose(file);
	return found;
}

static const struct ipt_entry *entry_at(const struct ipt_get_entries *table, unsigned int offset)
{
	const struct ipt_entry *entry = (const void *)((const char *)table->entrytable + offset);

	if (offset > table->size || table->size - offset < sizeof(*entry) ||
	    entry->next_offset > table->size - offset ||
	    entry->target_offset + sizeof(struct xt_standard_target) > entry->next_offset)
		return NULL;
	return entry;
}

static bool policy_is_drop(const struct ipt_entry *policy)
{
	const struct xt_standard_target *target =
		(const void *)((const char *)policy + policy->target_offset);

	return target->verdict == -NF_DROP - 1;
}

static bool forward_drops(const struct ipt_getinfo *info, const struct ipt_get_entries *table,
			  const char *prefix)
{
	const unsigned int end = info->underflow[NF_INET_FORWARD];
	const struct ipt_entry *entry;

	for (unsigned int at = info->hook_entry[NF_INET_FORWARD]; at < end; at += entry->next_offset) {
		entry = entry_at(table, at);
		if (!entry)
			return false;
		if (!strncmp(entry->ip.iniface, prefix, strlen(prefix)))
			return false;
	}
	entry = entry_at(table, end);
	return entry && policy_is_drop(entry);
}

bool xtables_drops_forwarded(const char *interface_prefix)
{
	struct ipt_getinfo info = {.name = TABLE};
	struct ipt_get_entries *table = NULL;
	socklen_t length = sizeof(info);
	bool drops = false;
	int fd;

	if (!table_exists())
		return false;
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		return false;
	if (!getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &length)) {
		length = (socklen_t)(sizeof(*table) + info.size);
		table = calloc(1, length);
	}
	if (table) {
		snprintf(table->name, sizeof(table->name), TABLE);
		table->size = info.size;
		drops = !getsockopt(fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, table, &length) &&
			forward_drops(&info, table, interface_prefix);
	}
	free(table);
	close(fd);
	return drops;
}
