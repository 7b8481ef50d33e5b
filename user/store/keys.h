/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The only place that spells datastore paths. Builders write into a caller's buffer and return it. A name
 * that is no path segment (see segment_valid()), or a path that does not fit, is a bug of the caller; so
 * that it cannot reach another object, the key is then KEY_NOWHERE. The parser splits a /calico/v1 key into
 * its parts. Source of the layout: Calico v0.20's etcd data model.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include <stdbool.h>

#include "util/addr.h"

#define KEY_MAX	    1024
#define KEY_NOWHERE "/calico-invalid-name"

#define KEY_V1		"/calico/v1"
#define KEY_READY	"/calico/v1/Ready"
#define KEY_CONFIG	"/calico/v1/config"
#define KEY_HOSTS	"/calico/v1/host"
#define KEY_PROFILES	"/calico/v1/policy/profile"
#define KEY_TIERS	"/calico/v1/policy/tier"
#define KEY_POOLS4	"/calico/v1/ipam/v4/pool"
#define KEY_POOLS6	"/calico/v1/ipam/v6/pool"
#define KEY_BLOCKED4	"/calico/v1/blocklist/v4"
#define KEY_BLOCKED6	"/calico/v1/blocklist/v6"
#define KEY_IPAM_CONFIG "/calico/ipam/v2/config"
#define KEY_IPAM_HOSTS	"/calico/ipam/v2/host"
#define KEY_ASSIGNMENTS "/calico/ipam/v2/assignment"
#define KEY_BLOCKS4	"/calico/ipam/v2/assignment/ipv4/block"
#define KEY_BLOCKS6	"/calico/ipam/v2/assignment/ipv6/block"
#define KEY_CHOSEN4	"/calico/ipam/v2/chosen/ipv4"
#define KEY_CHOSEN6	"/calico/ipam/v2/chosen/ipv6"
#define KEY_HANDLES	"/calico/ipam/v2/handle"
#define KEY_BGP_GLOBAL	"/calico/bgp/v1/global"
#define KEY_BGP_HOSTS	"/calico/bgp/v1/host"
#define KEY_LIBNETWORK	"/calico/libnetwork/v1"

const char *key_config(char key[KEY_MAX], const char *name);
const char *key_host(char key[KEY_MAX], const char *host);
const char *key_host_config(char key[KEY_MAX], const char *host, const char *name);
const char *key_bird_ip(char key[KEY_MAX], const char *host);
const char *key_host_workloads(char key[KEY_MAX], const char *host);
const char *key_endpoint(char key[KEY_MAX], const char *host, const char *orchestrator, const char *workload,
			 const char *endpoint);
const char *key_profile(char key[KEY_MAX], const char *profile);
/* part: "rules", "tags", "labels" */
const char *key_profile_part(char key[KEY_MAX], const char *profile, const char *part);
const char *key_pool(char key[KEY_MAX], const struct cidr *pool);
const char *key_pools(uint8_t family);
/* An entry of the block list, and those of a family. */
const char *key_blocked(char key[KEY_MAX], const struct cidr *cidr);
const char *key_blocklist(uint8_t family);
const char *key_block(char key[KEY_MAX], const struct cidr *block);
const char *key_blocks(uint8_t family);
const char *key_ipam_host(char key[KEY_MAX], const char *host);
const char *key_affinities(char key[KEY_MAX], const char *host, uint8_t family);
const char *key_affinity(char key[KEY_MAX], const char *host, const struct cidr *block);
/* Which pool networks without one of their own have their addresses from. */
const char *key_chosen_pool(uint8_t family);
const char *key_handle(char key[KEY_MAX], const char *handle);
/* In these three, name may have slashes: "peer_v4/192.0.2.1". */
const char *key_bgp_global(char key[KEY_MAX], const char *name);
const char *key_bgp_host(char key[KEY_MAX], const char *host,
			 const char *name); /* name NULL: the directory */
const char *key_network(char key[KEY_MAX], const char *network);
const char *key_felix_status(char key[KEY_MAX], const char *host, const char *name);

enum key_kind {
	KEY_OTHER,    /* nothing we read */
	KEY_MISNAMED, /* would be one of those below, but for a name in it */
	KEY_IS_READY,
	KEY_IS_CONFIG,	      /* name */
	KEY_IS_HOST_CONFIG,   /* host, name */
	KEY_IS_BIRD_IP,	      /* host */
	KEY_IS_ENDPOINT,      /* host, orchestrator, workload, name */
	KEY_IS_HOST_ENDPOINT, /* host, name */
	KEY_IS_PROFILE_RULES, /* name */
	KEY_IS_PROFILE_TAGS,
	KEY_IS_PROFILE_LABELS,
	KEY_IS_TIER,	/* name */
	KEY_IS_POLICY,	/* tier, name */
	KEY_IS_POOL,	/* name: the CIDR in key form */
	KEY_IS_BLOCKED, /* name: the CIDR in key form */
};

struct key_parts {
	enum key_kind kind;
	char host[256], orchestrator[256], workload[256], tier[256], name[256];
};

/*
 * Never fails: what does not match exactly is KEY_OTHER, and so is a segment over 255 bytes. The name of a
 * profile, tier, policy or endpoint with characters other than letters, digits, '_', '.' and '-' makes the
 * key KEY_MISNAMED (v0.20 treats such objects as absent), and so does any name that no key may have.
 */
void key_parse(const char *key, struct key_parts *ret);
/* Last segment of a key. */
const char *key_last(const char *key);

#endif
