/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Settings of this host that cannot be in the datastore: environment first, then /etc/calico/calico.cfg
 * (NAME=value lines, '#' comments; same names; CALICO_CONFIG names another file). Empty values count as
 * unset. Used by both binaries. A name that is nearly right is refused in the file, which is Calico's own. In
 * the environment it is refused when the embedded store would be the result, else it is a warning.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

struct config {
	/* datastore: exactly one of sqlite_path and endpoints is set */
	char *sqlite_path;
	bool sqlite_in_state_dir; /* not named by CALICO_DATASTORE: moves with state_dir */
	char **endpoints;	  /* "http://host:port", all of one scheme; NULL-terminated */
	size_t endpoint_count;
	char *ca_file, *cert_file, *key_file; /* NULL: none */

	char *hostname;	   /* HOSTNAME, else the kernel's */
	char *docker_host; /* DOCKER_HOST: path of the Docker socket, or "tcp://host:port" */
	/* CALICO_PLUGIN_SOCKET, CALICO_RUN_DIR, CALICO_STATE_DIR, CALICO_BPFFS */
	char *plugin_socket, *run_dir, *state_dir, *bpffs;
	char *ip, *ip6, *as; /* IP, IP6, AS; NULL: none */
	bool no_default_pools;
	bool networking;				      /* CALICO_NETWORKING */
	enum { SCOPE_AUTO, SCOPE_GLOBAL, SCOPE_LOCAL } scope; /* CALICO_LIBNETWORK_SCOPE */
	char *interface_prefix;	  /* CALICO_LIBNETWORK_IFPREFIX: name inside containers, "cali" */
	bool create_profiles;	  /* CALICO_LIBNETWORK_CREATE_PROFILES */
	unsigned int veth_mtu;	  /* CALICO_LIBNETWORK_VETH_MTU; 0: automatic */
	bool require_calico_ipam; /* CALICO_LIBNETWORK_REQUIRE_CALICO_IPAM */
	bool debug;		  /* CALICO_DEBUG */

	char **warnings; /* sentences about what was set and has no effect; NULL-terminated, or NULL */
};

/* Reads environment and file. -EINVAL with the texts of the command line specification, section 3. */
int config_load(struct config **ret, struct err *err);
void config_free(struct config *config);
/* Replaces one string member (for command line options). 0 or -ENOMEM, which leaves the old value. */
int config_set(char **member, const char *value);
/* The same for state_dir, where the embedded store is unless CALICO_DATASTORE says otherwise. */
int config_set_state_dir(struct config *config, const char *value);

#endif
