/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Spells and splits datastore paths. */
#include "store/keys.h"

#include <stddef.h>
#include <string.h>

#include "util/segment.h"

static bool path_valid(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, "/");

		if (segment_fault_of(path, length))
			return false;
		if (!path[length])
			return true;
		path += length + 1;
	}
}

/* In the template, '%' stands for the next name, '*' for the next name with slashes. */
static const char *build(char key[KEY_MAX], const char *template, const char *const *names)
{
	size_t used = 0;

	for (const char *t = template; *t; t++) {
		bool insert = *t == '%' || *t == '*';
		const char *part = insert ? *names++ : t;
		size_t length = insert ? strlen(part) : 1;

		if (used + length >= KEY_MAX || (*t == '%' && !segment_valid(part)) ||
		    (*t == '*' && !path_valid(part)))
			return memcpy(key, KEY_NOWHERE, sizeof(KEY_NOWHERE));
		memcpy(key + used, part, length);
		used += length;
	}
	key[used] = '\0';
	return key;
}

#define BUILD(key, template, ...) build(key, template, (const char *const[]){__VA_ARGS__})

const char *key_config(char key[KEY_MAX], const char *name)
{
	return BUILD(key, KEY_CONFIG "/%", name);
}

const char *key_host(char key[KEY_MAX], const char *host)
{
	return BUILD(key, KEY_HOSTS "/%", host);
}

const char *key_host_config(char key[KEY_MAX], const char *host, const char *name)
{
	return BUILD(key, KEY_HOSTS "/%/config/%", host, name);
}

const char *key_bird_ip(char key[KEY_MAX], const char *host)
{
	return BUILD(key, KEY_HOSTS "/%/bird_ip", host);
}

const char *key_host_workloads(char key[KEY_MAX], const char *host)
{
	return BUILD(key, KEY_HOSTS "/%/workload", host);
}

const char *key_endpoint(char key[KEY_MAX], const char *host, const char *orchestrator, const char *workload,
			 const char *endpoint)
{
	return BUILD(key, KEY_HOSTS "/%/workload/%/%/endpoint/%", host, orchestrator, workload, endpoint);
}

const char *key_profile(char key[KEY_MAX], const char *profile)
{
	return BUILD(key, KEY_PROFILES "/%", profile);
}

const char *key_profile_part(char key[KEY_MAX], const char *profile, const char *part)
{
	return BUILD(key, KEY_PROFILES "/%/%", profile, part);
}

const char *key_pools(uint8_t family)
{
	return family == 6 ? KEY_POOLS6 : KEY_POOLS4;
}

const char *key_pool(char key[KEY_MAX], const struct cidr *pool)
{
	char cidr[CIDR_TEXT];

	return BUILD(key, "/*/%", key_pools(pool->addr.family) + 1, cidr_format_key(pool, cidr));
}

const char *key_blocklist(uint8_t family)
{
	return family == 6 ? KEY_BLOCKED6 : KEY_BLOCKED4;
}

const char *key_blocked(char key[KEY_MAX], const struct cidr *cidr)
{
	char text[CIDR_TEXT];

	return BUILD(key, "/*/%", key_blocklist(cidr->addr.family) + 1, cidr_format_key(cidr, text));
}

const char *key_blocks(uint8_t family)
{
	return family == 6 ? KEY_BLOCKS6 : KEY_BLOCKS4;
}

const char *key_block(char key[KEY_MAX], const struct cidr *block)
{
	char cidr[CIDR_TEXT];

	return BUILD(key, "/*/%", key_blocks(block->addr.family) + 1, cidr_format_key(block, cidr));
}

const char *key_ipam_host(char key[KEY_MAX], const char *host)
{
	return BUILD(key, KEY_IPAM_HOSTS "/%", host);
}

const char *key_affinities(char key[KEY_MAX], const char *host, uint8_t family)
{
	return BUILD(key, KEY_IPAM_HOSTS "/%/%/block", host, family == 6 ? "ipv6" : "ipv4");
}

const char *key_affinity(char key[KEY_MAX], const char *host, const struct cidr *block)
{
	char cidr[CIDR_TEXT];

	return BUILD(key, KEY_IPAM_HOSTS "/%/%/block/%", host, block->addr.family == 6 ? "ipv6" : "ipv4",
		     cidr_format_key(block, cidr));
}

const char *key_chosen_pool(uint8_t family)
{
	return family == 6 ? KEY_CHOSEN6 : KEY_CHOSEN4;
}

const char *key_handle(char key[KEY_MAX], const char *handle)
{
	return BUILD(key, KEY_HANDLES "/%", handle);
}

const char *key_bgp_global(char key[KEY_MAX], const char *name)
{
	return BUILD(key, KEY_BGP_GLOBAL "/*", name);
}

const char *key_bgp_host(char key[KEY_MAX], const char *host, const char *name)
{
	if (!name)
		return BUILD(key, KEY_BGP_HOSTS "/%", host);
	return BUILD(key, KEY_BGP_HOSTS "/%/*", host, name);
}

const char *key_network(char key[KEY_MAX], const char *network)
{
	return BUILD(key, KEY_LIBNETWORK "/%", network);
}

const char *key_felix_status(char key[KEY_MAX], const char *host, const char *name)
{
	return BUILD(key, "/calico/felix/v1/host/%/*", host, name);
}

/* What beneath /calico/v1 is read: "%x" is one segment, kept in the part x. Tiers ("%t") and other named
 * objects ("%i") must be identifiers. */
static const struct {
	const char *path;
	enum key_kind kind;
} patterns[] = {
	{"Ready", KEY_IS_READY},
	{"config/%n", KEY_IS_CONFIG},
	{"host/%h/config/%n", KEY_IS_HOST_CONFIG},
	{"host/%h/bird_ip", KEY_IS_BIRD_IP},
	{"host/%h/workload/%o/%w/endpoint/%i", KEY_IS_ENDPOINT},
	{"host/%h/endpoint/%i", KEY_IS_HOST_ENDPOINT},
	{"policy/profile/%i/rules", KEY_IS_PROFILE_RULES},
	{"policy/profile/%i/tags", KEY_IS_PROFILE_TAGS},
	{"policy/profile/%i/labels", KEY_IS_PROFILE_LABELS},
	{"policy/tier/%i/metadata", KEY_IS_TIER},
	{"policy/tier/%t/policy/%i", KEY_IS_POLICY},
	{"ipam/v4/pool/%n", KEY_IS_POOL},
	{"ipam/v6/pool/%n", KEY_IS_POOL},
	{"blocklist/v4/%n", KEY_IS_BLOCKED},
	{"blocklist/v6/%n", KEY_IS_BLOCKED},
};

static char *part_of(struct key_parts *parts, char letter)
{
	switch (letter) {
	case 'h':
		return parts->host;
	case 'o':
		return parts->orchestrator;
	case 'w':
		return parts->workload;
	case 't':
		return parts->tier;
	default:
		return parts->name;
	}
}

static bool is_identifier(const char *segment)
{
	return !segment[strspn(segment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")];
}

/* *ret_misnamed: what should be an identifier is none, or a name leads elsewhere. */
static bool key_match(const char *key, const char *pattern, struct key_parts *parts, bool *ret_misnamed)
{
	*ret_misnamed = false;
	for (;;) {
		size_t length = strcspn(key, "/"), pattern_length = strcspn(pattern, "/");

		if (pattern[0] == '%') {
			char *part = part_of(parts, pattern[1]);

			if (length == 0 || length > SEGMENT_MAX)
				return false;
			memcpy(part, key, length);
			part[length] = '\0';
			if (segment_fault_of(part, length) ||
			    (strchr("ti", pattern[1]) && !is_identifier(part)))
				*ret_misnamed = true;
		} else if (length != pattern_length || memcmp(key, pattern, length) != 0) {
			return false;
		}
		key += length;
		pattern += pattern_length;
		if (!*key || !*pattern)
			return *key == *pattern;
		key++;
		pattern++;
	}
}

void key_parse(const char *key, struct key_parts *ret)
{
	static const char prefix[] = KEY_V1 "/";
	bool misnamed;

	*ret = (struct key_parts){.kind = KEY_OTHER};
	if (strncmp(key, prefix, strlen(prefix)) != 0)
		return;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		if (key_match(key + strlen(prefix), patterns[i].path, ret, &misnamed)) {
			if (misnamed)
				*ret = (struct key_parts){.kind = KEY_MISNAMED};
			else
				ret->kind = patterns[i].kind;
			return;
		}
		*ret = (struct key_parts){.kind = KEY_OTHER};
	}
}

const char *key_last(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash ? slash + 1 : key;
}
