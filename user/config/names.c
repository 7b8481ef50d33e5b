/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of settings, and how far others are from them. */
#include "config/names.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NAME_LONGEST 63

static const char *const names[] = {
	"CALICO_DATASTORE",
	"ETCD_ENDPOINTS",
	"ETCD_AUTHORITY",
	"ETCD_SCHEME",
	"ETCD_CA_CERT_FILE",
	"ETCD_CERT_FILE",
	"ETCD_KEY_FILE",
	"HOSTNAME",
	"DOCKER_HOST",
	"CALICO_PLUGIN_SOCKET",
	"CALICO_RUN_DIR",
	"CALICO_STATE_DIR",
	"CALICO_BPFFS",
	"IP",
	"IP6",
	"AS",
	"NO_DEFAULT_POOLS",
	"CALICO_NETWORKING",
	"CALICO_DEBUG",
	"CALICO_LIBNETWORK_SCOPE",
	"CALICO_LIBNETWORK_IFPREFIX",
	"CALICO_LIBNETWORK_VETH_MTU",
	"CALICO_LIBNETWORK_CREATE_PROFILES",
	"CALICO_LIBNETWORK_REQUIRE_CALICO_IPAM",
	NULL,
};

static const char *const ignored[] = {"CALICO_CONFIG", "CALICO_CTL_CONTAINER", "CALICO_DISABLE_FILE_LOGGING",
				      NULL};

static bool is_among(const char *const *list, const char *name)
{
	for (; *list; list++) {
		if (!strcmp(*list, name))
			return true;
	}
	return false;
}

const char *name_at(size_t index)
{
	return names[index];
}

bool name_is_setting(const char *name)
{
	return is_among(names, name);
}

bool name_is_ignored(const char *name)
{
	return is_among(ignored, name);
}

bool name_is_valid(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && *name != '_')
			return false;
	}
	return true;
}

bool name_chooses_datastore(const char *name)
{
	return !strcmp(name, "CALICO_DATASTORE") || !strcmp(name, "ETCD_ENDPOINTS") ||
	       !strcmp(name, "ETCD_AUTHORITY");
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Letters that were left out, added, replaced or exchanged with their neighbour; case does not count. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int rows[3][NAME_LONGEST + 1] = {0};
	unsigned int *before = rows[0], *last = rows[1], *now = rows[2];
	size_t length = strlen(b);

	for (size_t j = 0; j <= length; j++)
		last[j] = (unsigned int)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int *oldest = before;

		now[0] = (unsigned int)i;
		for (size_t j = 1; j <= length; j++) {
			int x = toupper((unsigned char)a[i - 1]), y = toupper((unsigned char)b[j - 1]);

			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == toupper((unsigned char)b[j - 2]) &&
			    y == toupper((unsigned char)a[i - 2]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[length];
}

/* How much of a name may be wrong: short names are near to each other anyway. */
static unsigned int tolerance(size_t length)
{
	return length < 5 ? 0 : length < 10 ? 1 : 2;
}

const char *name_nearest(const char *name)
{
	const char *nearest = NULL;
	unsigned int best = ~0U;

	if (strlen(name) > NAME_LONGEST)
		return NULL;
	for (size_t i = 0; names[i]; i++) {
		unsigned int d = distance(name, names[i]);

		if (d <= tolerance(strlen(names[i])) && d < best) {
			best = d;
			nearest = names[i];
		}
	}
	return nearest;
}
