/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Features of drivers, by ioctl: rtnetlink does not tell them. */
#include "netlink/netlink.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define FEATURES_MAX 1024

static int ask(int fd, const char *name, void *data)
{
	struct ifreq request = {.ifr_data = data};

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	return ioctl(fd, SIOCETHTOOL, &request);
}

static __u32 feature_count(int fd, const char *name)
{
	struct {
		struct ethtool_sset_info info;
		__u32 count;
	} sets = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};

	if (ask(fd, name, &sets) || !sets.info.sset_mask || sets.count > FEATURES_MAX)
		return 0;
	return sets.count;
}

/* Their names, ETH_GSTRING_LEN bytes each; NULL: unknown. */
static struct ethtool_gstrings *feature_names(int fd, const char *name, __u32 count)
{
	struct ethtool_gstrings *names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);

	if (!names)
		return NULL;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = count;
	if (!ask(fd, name, names) && names->len == count)
		return names;
	free(names);
	return NULL;
}

static struct ethtool_gfeatures *feature_values(int fd, const char *name, __u32 count)
{
	__u32 blocks = (count + 31) / 32;
	struct ethtool_gfeatures *values =
		calloc(1, sizeof(*values) + blocks * sizeof(struct ethtool_get_features_block));

	if (!values)
		return NULL;
	values->cmd = ETHTOOL_GFEATURES;
	values->size = blocks;
	if (!ask(fd, name, values))
		return values;
	free(values);
	return NULL;
}

static bool is_merging(const char *feature)
{
	return !strncmp(feature, "rx-lro", ETH_GSTRING_LEN) ||
	       !strncmp(feature, "rx-gro-hw", ETH_GSTRING_LEN);
}

bool link_merges_packets(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	__u32 count = fd < 0 ? 0 : feature_count(fd, name);
	struct ethtool_gstrings *names = count ? feature_names(fd, name, count) : NULL;
	struct ethtool_gfeatures *values = names ? feature_values(fd, name, count) : NULL;
	bool merges = false;

	for (__u32 i = 0; values && !merges && i < count; i++)
		merges = is_merging((const char *)names->data + (size_t)i * ETH_GSTRING_LEN) &&
			 (values->features[i / 32].active >> (i % 32) & 1);
	free(values);
	free(names);
	if (fd >= 0)
		close(fd);
	return merges;
}
