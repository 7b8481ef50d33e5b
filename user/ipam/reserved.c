/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses that no container may have, whatever the pools say. */
#include <errno.h>
#include <string.h>

#include "ipam/internal.h"
#include "store/keys.h"

int reserved_read(struct ipam *ipam, struct reserved *ret, struct err *err)
{
	*ret = (struct reserved){.ipam = ipam};
	return store_list(ipam->store, KEY_BGP_HOSTS, &ret->hosts, err);
}

void reserved_done(struct reserved *reserved)
{
	store_list_done(&reserved->hosts);
}

static bool is_registered(const struct reserved *reserved, const struct addr *addr)
{
	for (size_t i = 0; i < reserved->hosts.count; i++) {
		const struct store_node *node = &reserved->hosts.nodes[i];
		const char *last = key_last(node->key);
		struct addr registered;

		if ((!strcmp(last, "ip_addr_v4") || !strcmp(last, "ip_addr_v6")) && node->value &&
		    !addr_parse(node->value, &registered) && !addr_compare(&registered, addr))
			return true;
	}
	return false;
}

const char *reserved_for(struct reserved *reserved, const struct addr *addr)
{
	struct ipam *ipam = reserved->ipam;
	const char *whose = addr_unusable(addr);

	if (!whose && ipam->reserved)
		whose = ipam->reserved(ipam->reserved_arg, addr);
	if (!whose && is_registered(reserved, addr))
		whose = "the registered address of a host";
	return whose;
}

int ipam_check_address(struct ipam *ipam, const struct addr *addr, struct err *err)
{
	struct reserved reserved;
	char text[ADDR_TEXT];
	const char *whose;
	int rc = reserved_read(ipam, &reserved, err);

	if (rc < 0)
		return rc;
	whose = reserved_for(&reserved, addr);
	if (whose && addr_unusable(addr))
		rc = err_set(err, EADDRNOTAVAIL, "address %s is one of the %s; no container can have it",
			     addr_format(addr, text), whose);
	else if (whose)
		rc = err_set(err, EADDRNOTAVAIL, "address %s is %s; no container can have it",
			     addr_format(addr, text), whose);
	reserved_done(&reserved);
	return rc;
}
