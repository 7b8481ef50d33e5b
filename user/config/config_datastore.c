/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which datastore, and the ETCD_* settings with their checks. */
#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/settings.h"

#define DEFAULT_AUTHORITY "127.0.0.1:2379"

static int out_of_memory(struct err *err)
{
	return err_set(err, ENOMEM, "out of memory reading the datastore settings");
}

/* Letters, digits and inner hyphens, 1 to 63 of them. */
static bool is_host_label(const char *text, size_t length)
{
	if (length == 0 || length > 63 || *text == '-' || text[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '-')
			return false;
	}
	return true;
}

static bool is_port(const char *text)
{
	size_t length = strlen(text);
	long port = strtol(text, NULL, 10);

	return length > 0 && length <= 5 && strspn(text, "0123456789") == length && port >= 1 &&
	       port <= 65535;
}

/* "host:port" with exactly one colon: no IPv6 literals. */
static bool is_authority(const char *text)
{
	const char *colon = strchr(text, ':');
	const char *label = text;

	if (!colon || colon - text > 255 || !is_port(colon + 1))
		return false;
	for (const char *c = text; c <= colon; c++) {
		if (*c != '.' && c != colon)
			continue;
		if (!is_host_label(label, (size_t)(c - label)))
			return false;
		label = c + 1;
	}
	return true;
}

static int add_endpoint(struct config *config, const char *url)
{
	char **list = reallocarray(config->endpoints, config->endpoint_count + 2, sizeof(*list));

	if (!list)
		return -ENOMEM;
	config->endpoints = list;
	list[config->endpoint_count] = strdup(url);
	if (!list[config->endpoint_count])
		return -ENOMEM;
	list[++config->endpoint_count] = NULL;
	return 0;
}

/* Length of "http://" or "https://" at the start; 0: neither. */
static size_t scheme_length(const char *url)
{
	if (strncmp(url, "http://", 7) == 0)
		return 7;
	return strncmp(url, "https://", 8) == 0 ? 8 : 0;
}

/* A password would be seen by everybody who sees the process, its log or its status. */
static int refuse_credentials(const char *name, const char *value, struct err *err)
{
	char shown[SHOWN_MAX];

	return err_set(err, EINVAL,
		       "Invalid %s: user names and passwords are not supported there; use TLS certificates "
		       "(ETCD_CERT_FILE); got: %s",
		       name, settings_shown(value, shown));
}

static int parse_endpoints(struct config *config, const char *value, char *list, struct err *err)
{
	char *entry;

	if (strchr(value, '@'))
		return refuse_credentials("ETCD_ENDPOINTS", value, err);

	while ((entry = strsep(&list, ","))) {
		char *end;
		size_t scheme;

		entry += strspn(entry, " \t");
		for (end = entry + strlen(entry); end > entry && isspace((unsigned char)end[-1]);)
			*--end = '\0';
		scheme = scheme_length(entry);
		if (scheme == 0 || !is_authority(entry + scheme))
			return err_set(
				err, EINVAL,
				"Invalid ETCD_ENDPOINTS: each entry must be http[s]://<address>:<port>, "
				"separated by commas; got: %s",
				value);
		if (config->endpoint_count > 0 && scheme != scheme_length(config->endpoints[0]))
			return err_set(
				err, EINVAL,
				"Inconsistent protocols in ETCD_ENDPOINTS, use only http or only https; "
				"got: %s",
				value);
		if (add_endpoint(config, entry) < 0)
			return out_of_memory(err);
	}
	return 0;
}

static int load_authority(struct config *config, const struct settings *settings, struct err *err)
{
	const char *authority = settings_get(settings, "ETCD_AUTHORITY");
	const char *scheme = settings_get(settings, "ETCD_SCHEME");
	char *url;
	int r;

	if (!authority)
		authority = DEFAULT_AUTHORITY;
	if (!scheme)
		scheme = "http";
	if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		return err_set(err, EINVAL, "Invalid ETCD_SCHEME: must be http or https; got: %s", scheme);
	if (strchr(authority, '@'))
		return refuse_credentials("ETCD_AUTHORITY", authority, err);
	if (!is_authority(authority))
		return err_set(err, EINVAL, "Invalid ETCD_AUTHORITY: must be <address>:<port>; got: %s",
			       authority);
	if (asprintf(&url, "%s://%s", scheme, authority) < 0)
		return out_of_memory(err);
	r = add_endpoint(config, url);
	free(url);
	return r < 0 ? out_of_memory(err) : 0;
}

static int load_endpoints(struct config *config, const struct settings *settings, struct err *err)
{
	const char *value = settings_get(settings, "ETCD_ENDPOINTS");
	char *list;
	int r;

	if (!value)
		return load_authority(config, settings, err);
	list = strdup(value);
	if (!list)
		return out_of_memory(err);
	r = parse_endpoints(config, value, list, err);
	free(list);
	return r;
}

static int load_file(const struct settings *settings, const char *name, char **member, struct err *err)
{
	const char *path = settings_get(settings, name);
	struct stat st;

	if (!path)
		return 0;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, R_OK) < 0)
		return err_set(err, EINVAL, "Cannot read %s: %s", name, path);
	return config_set(member, path) < 0 ? out_of_memory(err) : 0;
}

static int load_tls(struct config *config, const struct settings *settings, struct err *err)
{
	int r = load_file(settings, "ETCD_CERT_FILE", &config->cert_file, err);

	if (r == 0)
		r = load_file(settings, "ETCD_KEY_FILE", &config->key_file, err);
	if (r == 0)
		r = load_file(settings, "ETCD_CA_CERT_FILE", &config->ca_file, err);
	if (r < 0)
		return r;
	if (!config->cert_file != !config->key_file)
		return err_set(
			err, EINVAL,
			"ETCD_CERT_FILE and ETCD_KEY_FILE must be given both or neither; only %s is set: %s",
			config->cert_file ? "ETCD_CERT_FILE" : "ETCD_KEY_FILE",
			config->cert_file ? config->cert_file : config->key_file);
	if (scheme_length(config->endpoints[0]) == 8 && !config->ca_file)
		return err_set(err, EINVAL, "ETCD_CA_CERT_FILE must name the CA certificate for %s",
			       config->endpoints[0]);
	return 0;
}

static int use_sqlite(struct config *config, const char *path, struct err *err)
{
	if (*path != '/')
		return err_set(err, EINVAL,
			       "CALICO_DATASTORE must have an absolute path after sqlite:; got: %s", path);
	return config_set(&config->sqlite_path, path) < 0 ? out_of_memory(err) : 0;
}

/* Whoever set one of these meant etcd, but did not say where it is. */
static int warn_of_etcd(const struct config *config, struct settings *settings)
{
	static const char *const names[] = {"ETCD_SCHEME", "ETCD_CA_CERT_FILE", "ETCD_CERT_FILE"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (settings_get(settings, names[i]))
			return settings_warn(
				settings,
				"%s is set, but neither ETCD_ENDPOINTS nor ETCD_AUTHORITY: the embedded "
				"datastore %s is used; set ETCD_ENDPOINTS to use etcd",
				names[i], config->sqlite_path);
	}
	return 0;
}

static int use_default(struct config *config, struct settings *settings, struct err *err)
{
	if (settings->misnamed)
		return err_set(
			err, EINVAL,
			"%.60s in the environment is no setting, and without one the embedded datastore "
			"would be used: correct its name (ETCD_ENDPOINTS, ETCD_AUTHORITY or "
			"CALICO_DATASTORE), or unset it",
			settings->misnamed);
	config_drop_endpoints(config);
	config->sqlite_in_state_dir = true;
	if (config_set_state_dir(config, config->state_dir) < 0 || warn_of_etcd(config, settings) < 0)
		return out_of_memory(err);
	return 0;
}

/*
 * Wrong ETCD_* settings are refused even when the embedded store is what they lead to: whoever set them meant
 * to use etcd.
 */
int config_load_datastore(struct config *config, struct settings *settings, struct err *err)
{
	const char *choice = settings_get(settings, "CALICO_DATASTORE");
	char shown[SHOWN_MAX];
	int r;

	if (choice && strncmp(choice, "sqlite:", 7) == 0)
		return use_sqlite(config, choice + 7, err);
	if (choice && strcmp(choice, "etcd") != 0)
		return err_set(err, EINVAL, "CALICO_DATASTORE must be etcd or sqlite:/path; got: %s",
			       settings_shown(choice, shown));
	r = load_endpoints(config, settings, err);
	if (r == 0)
		r = load_tls(config, settings, err);
	if (r < 0 || choice || settings_get(settings, "ETCD_ENDPOINTS") ||
	    settings_get(settings, "ETCD_AUTHORITY"))
		return r;
	return use_default(config, settings, err);
}
