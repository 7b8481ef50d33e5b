/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Settings of this host: one function per kind of value, one table-like function for all of them. */
#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/settings.h"
#include "util/addr.h"
#include "util/segment.h"

#define CONFIG_FILE "/etc/calico/calico.cfg"

static int out_of_memory(struct err *err)
{
	err_set(err, ENOMEM, "out of memory reading the settings");
	return -ENOMEM;
}

/* fallback NULL: the member stays NULL when the setting is absent. */
static int load_text(const struct settings *settings, const char *name, const char *fallback, char **member,
		     struct err *err)
{
	const char *value = settings_get(settings, name);

	if (!value)
		value = fallback;
	if (value && config_set(member, value) < 0)
		return out_of_memory(err);
	return 0;
}

static int load_path(const struct settings *settings, const char *name, const char *fallback, char **member,
		     struct err *err)
{
	int r = load_text(settings, name, fallback, member, err);

	if (r == 0 && **member != '/')
		return err_set(err, EINVAL, "%s must be an absolute path; got: %s", name, *member);
	return r;
}

static int load_flag(const struct settings *settings, const char *name, bool fallback, bool *member,
		     struct err *err)
{
	const char *value = settings_get(settings, name);

	if (!value)
		*member = fallback;
	else if (strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*member = true;
	else if (strcasecmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*member = false;
	else
		return err_set(err, EINVAL, "%s must be true or false; got: %s", name, value);
	return 0;
}

/* The name is one segment of datastore keys. */
static int load_hostname(struct config *config, const struct settings *settings, struct err *err)
{
	char kernel[HOST_NAME_MAX + 1] = "";
	const char *fault;
	int r;

	if (gethostname(kernel, sizeof(kernel) - 1) < 0 || !*kernel)
		strcpy(kernel, "localhost");
	r = load_text(settings, "HOSTNAME", kernel, &config->hostname, err);
	if (r < 0)
		return r;
	fault = segment_fault(config->hostname);
	if (fault)
		return err_set(err, EINVAL, "HOSTNAME %s; got: %.300s", fault, config->hostname);
	return 0;
}

/* "unix://var/run/docker.sock", as the old tool had it, lacks a slash; both spellings mean one path. */
static int load_docker_host(struct config *config, const struct settings *settings, struct err *err)
{
	const char *value = settings_get(settings, "DOCKER_HOST");
	char shown[SHOWN_MAX];
	char *path;

	if (!value)
		value = "unix:///var/run/docker.sock";
	if (*value != '/' && strncmp(value, "unix://", 7) != 0 && strncmp(value, "tcp://", 6) != 0)
		return err_set(err, EINVAL, "DOCKER_HOST must be unix:///path or tcp://host:port; got: %s",
			       settings_shown(value, shown));
	if (strncmp(value, "unix://", 7) != 0)
		return config_set(&config->docker_host, value) < 0 ? out_of_memory(err) : 0;
	if (asprintf(&path, "/%s", value + 7 + strspn(value + 7, "/")) < 0)
		return out_of_memory(err);
	config->docker_host = path;
	return 0;
}

static int load_scope(struct config *config, const struct settings *settings, struct err *err)
{
	const char *value = settings_get(settings, "CALICO_LIBNETWORK_SCOPE");

	if (!value || strcmp(value, "auto") == 0)
		config->scope = SCOPE_AUTO;
	else if (strcmp(value, "global") == 0)
		config->scope = SCOPE_GLOBAL;
	else if (strcmp(value, "local") == 0)
		config->scope = SCOPE_LOCAL;
	else
		return err_set(err, EINVAL, "CALICO_LIBNETWORK_SCOPE must be auto, global or local; got: %s",
			       value);
	return 0;
}

/* Docker appends a number to the prefix, and the kernel allows 15 characters. */
static int load_interface_prefix(struct config *config, const struct settings *settings, struct err *err)
{
	const char *name = "CALICO_LIBNETWORK_IFPREFIX";
	int r = load_text(settings, name, "cali", &config->interface_prefix, err);

	if (r < 0)
		return r;
	for (const char *c = config->interface_prefix; *c; c++) {
		if (!isgraph((unsigned char)*c) || *c == '/' || *c == ':')
			r = -EINVAL;
	}
	if (r < 0 || strlen(config->interface_prefix) > 12)
		return err_set(err, EINVAL, "%s must be at most 12 characters of an interface name; got: %s",
			       name, config->interface_prefix);
	return 0;
}

static int load_mtu(struct config *config, const struct settings *settings, struct err *err)
{
	const char *value = settings_get(settings, "CALICO_LIBNETWORK_VETH_MTU");
	unsigned long mtu;
	char *end;

	if (!value)
		return 0;
	mtu = strtoul(value, &end, 10);
	/* 68: the least that IPv4 works with (RFC 791). */
	if (!isdigit((unsigned char)*value) || *end || (mtu != 0 && mtu < 68) || mtu > UINT16_MAX)
		return err_set(err, EINVAL,
			       "CALICO_LIBNETWORK_VETH_MTU must be 0 or a number from 68 to 65535; got: %s",
			       value);
	config->veth_mtu = (unsigned int)mtu;
	return 0;
}

static int load_paths(struct config *config, const struct settings *s, struct err *err)
{
	int r = load_path(s, "CALICO_PLUGIN_SOCKET", "/run/docker/plugins/calico.sock",
			  &config->plugin_socket, err);

	if (r == 0)
		r = load_path(s, "CALICO_RUN_DIR", "/run/calico", &config->run_dir, err);
	if (r == 0)
		r = load_path(s, "CALICO_STATE_DIR", "/var/lib/calico", &config->state_dir, err);
	if (r == 0)
		r = load_path(s, "CALICO_BPFFS", "/sys/fs/bpf/calico", &config->bpffs, err);
	return r;
}

static int load_addr(const struct settings *settings, const char *name, uint8_t family, char **member,
		     struct err *err)
{
	struct addr addr;
	int r = load_text(settings, name, NULL, member, err);

	if (r == 0 && *member && (addr_parse(*member, &addr) < 0 || addr.family != family))
		return err_set(err, EINVAL, "%s must be an IPv%u address; got: %s", name, family, *member);
	return r;
}

/* A number, or two of 16 bits with a dot. */
static bool is_as_number(const char *text)
{
	unsigned int high, low;
	unsigned long whole;
	char *stop;
	int end = 0;

	if (strspn(text, "0123456789.") != strlen(text) || strlen(text) > 11)
		return false;
	if (sscanf(text, "%5u.%5u%n", &high, &low, &end) == 2)
		return !text[end] && high <= UINT16_MAX && low <= UINT16_MAX;
	whole = strtoul(text, &stop, 10);
	return !*stop && whole <= UINT32_MAX;
}

static int load_as(struct config *config, const struct settings *settings, struct err *err)
{
	int r = load_text(settings, "AS", NULL, &config->as, err);

	if (r == 0 && config->as && !is_as_number(config->as))
		return err_set(err, EINVAL, "AS must be an AS number; got: %s", config->as);
	return r;
}

static int load_node(struct config *config, const struct settings *s, struct err *err)
{
	int r = load_addr(s, "IP", 4, &config->ip, err);

	if (r == 0)
		r = load_addr(s, "IP6", 6, &config->ip6, err);
	if (r == 0)
		r = load_as(config, s, err);
	if (r == 0)
		r = load_flag(s, "NO_DEFAULT_POOLS", false, &config->no_default_pools, err);
	if (r == 0)
		r = load_flag(s, "CALICO_NETWORKING", true, &config->networking, err);
	config->debug = settings_get(s, "CALICO_DEBUG");
	return r;
}

static int load_plugin(struct config *config, const struct settings *s, struct err *err)
{
	int r = load_docker_host(config, s, err);

	if (r == 0)
		r = load_scope(config, s, err);
	if (r == 0)
		r = load_interface_prefix(config, s, err);
	if (r == 0)
		r = load_mtu(config, s, err);
	if (r == 0)
		r = load_flag(s, "CALICO_LIBNETWORK_CREATE_PROFILES", true, &config->create_profiles, err);
	if (r == 0)
		r = load_flag(s, "CALICO_LIBNETWORK_REQUIRE_CALICO_IPAM", false, &config->require_calico_ipam,
			      err);
	return r;
}

int config_load(struct config **ret, struct err *err)
{
	const char *path = getenv("CALICO_CONFIG");
	bool named = path && *path;
	struct settings settings;
	struct config *config;
	int r;

	r = settings_read(&settings, named ? path : CONFIG_FILE, named, err);
	if (r < 0)
		return r;
	config = calloc(1, sizeof(*config));
	if (!config) {
		settings_done(&settings);
		return out_of_memory(err);
	}
	r = load_paths(config, &settings, err);
	if (r == 0)
		r = config_load_datastore(config, &settings, err);
	if (r == 0)
		r = load_hostname(config, &settings, err);
	if (r == 0)
		r = load_node(config, &settings, err);
	if (r == 0)
		r = load_plugin(config, &settings, err);
	config->warnings = settings.warnings;
	settings.warnings = NULL;
	settings.warning_count = 0;
	settings_done(&settings);
	if (r < 0) {
		config_free(config);
		return r;
	}
	*ret = config;
	return 0;
}
