/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of settings. */
#include "config/names.h"

#include <ctype.h>
#include <string.h>

#include "util/nearest.h"

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

const char *name_nearest(const char *name)
{
	return nearest_name(name, names);
}
