/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "agent/choice.h"

#include <string.h>

/* How names begin of interfaces whose addresses say nothing about where the host is reached. */
static const char *const foreign[] = {"br-",	 "docker", "cbr",   "cni",  "podman", "nerdctl",
				      "nomad",	 "virbr",  "lxcbr", "veth", "cali",   "tunl",
				      "flannel", "vxlan",  "wg",    "tmp"};

static bool begins_with(const char *name, const char *start)
{
	return !strncmp(name, start, strlen(start));
}

static bool is_foreign(const char *name, const char *prefix)
{
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (begins_with(name, foreign[i]))
			return true;
	}
	return *prefix && begins_with(name, prefix);
}

static bool is_named(const char *names, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = names; *at; at += strcspn(at, ","), at += *at == ',') {
		if (strcspn(at, ",") == length && !strncmp(at, name, length))
			return true;
	}
	return false;
}

static bool is_bridge(const struct address_choice *choice, int ifindex)
{
	for (size_t i = 0; i < choice->link_count; i++) {
		if (choice->links[i].ifindex == ifindex)
			return !strcmp(choice->links[i].kind, "bridge");
	}
	return false;
}

static bool is_usable(const struct interface_address *address)
{
	return address->addr.family == 4 && address->addr.bytes[0] != 127;
}

static bool is_eligible(const struct address_choice *choice, const struct interface_address *address)
{
	if (!is_usable(address))
		return false;
	if (is_named(choice->uplinks, address->link))
		return true;
	return !is_foreign(address->link, choice->prefix) &&
	       (address->ifindex == choice->default_link || !is_bridge(choice, address->ifindex));
}

static bool is_global(const struct interface_address *address)
{
	const uint8_t *bytes = address->addr.bytes;

	return address->global && !(bytes[0] == 169 && bytes[1] == 254);
}

/* Of the interface of the default route; a global one before others. */
static const struct interface_address *find_default(const struct address_choice *choice, bool any)
{
	const struct interface_address *found = NULL;

	for (size_t i = 0; i < choice->address_count; i++) {
		const struct interface_address *address = &choice->addresses[i];

		if (!choice->default_link || address->ifindex != choice->default_link ||
		    !(any ? is_usable(address) : is_eligible(choice, address)))
			continue;
		if (is_global(address))
			return address;
		if (!found)
			found = address;
	}
	return found;
}

const struct interface_address *choice_host_address(const struct address_choice *choice)
{
	const struct interface_address *found = find_default(choice, false);

	for (size_t i = 0; !found && i < choice->address_count; i++) {
		if (is_eligible(choice, &choice->addresses[i]) && is_global(&choice->addresses[i]))
			found = &choice->addresses[i];
	}
	for (size_t i = choice->address_count; !found && i > 0; i--) {
		if (is_eligible(choice, &choice->addresses[i - 1]))
			found = &choice->addresses[i - 1];
	}
	/* A host that is reached by an odd interface only is better than none. */
	return found ? found : find_default(choice, true);
}

bool choice_is_uplink(const struct link_info *link, bool has_default_route)
{
	return has_default_route || strcmp(link->kind, "bridge") != 0;
}
