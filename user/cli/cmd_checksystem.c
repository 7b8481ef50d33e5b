/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * calicoctl checksystem: section 11 of the command line specification. What v0.20 looked for in the kernel
 * gives way to what a BPF dataplane needs.
 */
#include "cli/command.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/http_get.h"
#include "cli/validate.h"
#include "dataplane/probe.h"
#include "netlink/netlink.h"

struct version {
	unsigned int major, minor, patch;
};

static const struct version kernel_minimum = {6, 1, 0}, etcd_minimum = {2, 0, 10},
			    docker_minimum = {1, 16, 0}, docker_libnetwork = {1, 21, 0};

static bool at_least(const struct version *version, const struct version *minimum)
{
	if (version->major != minimum->major)
		return version->major > minimum->major;
	if (version->minor != minimum->minor)
		return version->minor > minimum->minor;
	return version->patch >= minimum->patch;
}

/* "d.d" or "d.d.d" at the start of the text. Returns how many numbers there are, or 0. */
static int parse_version(const char *text, struct version *ret)
{
	int numbers;

	*ret = (struct version){0};
	if (!isdigit((unsigned char)*text))
		return 0;
	numbers = sscanf(text, "%5u.%5u.%5u", &ret->major, &ret->minor, &ret->patch);
	return numbers >= 2 ? numbers : 0;
}

static bool check_kernel(struct ctl *ctl)
{
	struct utsname kernel;
	struct version version;

	if (uname(&kernel) < 0 || !parse_version(kernel.release, &version)) {
		ctl_failed(ctl, "ERROR: The kernel's version has an unknown format.");
		return false;
	}
	if (at_least(&version, &kernel_minimum))
		return true;
	out_say(&ctl->out, "Minimum kernel version to run Calico is %u.%u.\nDetected kernel version: %s",
		kernel_minimum.major, kernel_minimum.minor, kernel.release);
	return false;
}

struct findings {
	struct ctl *ctl;
	bool good;
};

static void on_missing(void *arg, enum probe_need need, const char *text)
{
	struct findings *findings = arg;

	if (need == PROBE_MASQUERADE)
		ctl_failed(findings->ctl, "WARNING: Pools with nat-outgoing cannot be masqueraded: %s.",
			   text);
	else
		ctl_failed(findings->ctl, "ERROR: Policy cannot be enforced: %s.", text);
	findings->good = false;
}

static bool check_dataplane(struct ctl *ctl)
{
	struct findings findings = {ctl, true};

	dataplane_probe(on_missing, &findings);
	return findings.good;
}

/* The daemon switches it on when it starts, if it can. What is off beside it is switched off again and again.
 */
static bool check_forwarding(struct ctl *ctl)
{
	static const char *const paths[] = {"ipv4/ip_forward", "ipv6/conf/all/forwarding"};
	char value[16];
	bool good = true;
	pid_t pid = 0;

	daemon_find(ctl->config, &pid);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const char *full = ctl_text(ctl, "/proc/sys/net/%s", paths[i]);

		/* A kernel without IPv6 has no such file. */
		if (sysctl_read(paths[i], value, sizeof(value)) < 0 || strcmp(value, "0") ||
		    (!pid && access(full, W_OK) == 0))
			continue;
		ctl_failed(
			ctl,
			"ERROR: Forwarding is off: containers reach no other host over IPv%c.  Write 1 into %s, "
			"and find out what switches it off.",
			paths[i][3], full);
		good = false;
	}
	return good;
}

static bool check_docker(struct ctl *ctl, bool libnetwork)
{
	const struct version *minimum = libnetwork ? &docker_libnetwork : &docker_minimum;
	struct version version = {0};
	json_t *answer;
	const char *text;

	if (http_get(ctl->config->docker_host, "/version", &answer, NULL) < 0) {
		ctl_failed(ctl, "ERROR: Docker daemon not running.");
		return false;
	}
	text = json_string_value(json_object_get(answer, "ApiVersion"));
	if (text)
		parse_version(text, &version);
	json_decref(answer);
	if (at_least(&version, minimum))
		return true;
	if (libnetwork)
		ctl_failed(ctl, "ERROR: Docker Version does not support Libnetwork.");
	ctl_failed(ctl, "ERROR: Docker server must support Docker Remote API v%u.%u or greater.",
		   minimum->major, minimum->minor);
	return false;
}

/* The first version of three numbers in the text. */
static bool find_version(const char *text, struct version *ret)
{
	for (; *text; text++)
		if (parse_version(text, ret) == 3)
			return true;
	return false;
}

/* What one of the members says about its version; NULL: none answers. */
static const char *etcd_answer(struct ctl *ctl)
{
	const struct config *config = ctl->config;

	for (size_t i = 0; i < config->endpoint_count; i++) {
		char *text;

		if (http_get_text(config, ctl_text(ctl, "%s/version", config->endpoints[i]), &text, NULL) ==
		    0)
			return ctl_keep(ctl, text);
	}
	return NULL;
}

static bool check_etcd(struct ctl *ctl)
{
	const struct config *config = ctl->config;
	const char *answer = etcd_answer(ctl);
	const char *where = arena_join(&ctl->out.arena, config->endpoints, config->endpoint_count, ",");
	struct version version;

	if (!answer) {
		ctl_failed(ctl, "ERROR: Could not connect to etcd at %s", where);
		return false;
	}
	if (!find_version(answer, &version)) {
		ctl_failed(
			ctl,
			"ERROR: What answers at %s does not say its version as etcd does.  If etcd wants "
			"TLS, name it by https and set ETCD_CA_CERT_FILE, ETCD_CERT_FILE and ETCD_KEY_FILE.",
			where);
		return false;
	}
	if (at_least(&version, &etcd_minimum))
		return true;
	ctl_failed(ctl, "ERROR: etcd must be at least version 2.0.10 (Detected version: %u.%u.%u)",
		   version.major, version.minor, version.patch);
	return false;
}

/* One that is not there yet is made by the daemon. */
static bool check_embedded(struct ctl *ctl)
{
	const char *path = ctl->config->sqlite_path;

	if (access(path, F_OK) < 0 || ctl_answers(ctl))
		return true;
	ctl_failed(ctl, "ERROR: Could not read the embedded datastore %s", path);
	return false;
}

static int checksystem(struct ctl *ctl, const struct args *args)
{
	const char *runtime = args_get(args, "--runtime");
	bool good;

	if (!ctl_is_root(ctl))
		return STATUS_ROOT;
	if (!check_runtime(&ctl->out, args))
		return STATUS_FAILED;
	if (args_has(args, "--fix"))
		ctl_failed(ctl, "WARNING: --fix is deprecated and ignored.");
	good = check_kernel(ctl);
	good &= check_dataplane(ctl);
	good &= check_forwarding(ctl);
	if (!runtime || !strcmp(runtime, "docker"))
		good &= check_docker(ctl, args_has(args, "--libnetwork"));
	good &= ctl->config->endpoint_count ? check_etcd(ctl) : check_embedded(ctl);
	return good ? STATUS_DONE : STATUS_FAILED;
}

static const struct form forms[] = {
	{"[--fix] [--libnetwork] [--runtime=<RUNTIME>]", checksystem},
	{0},
};

static const struct option_spec options[] = {
	{"--fix", "Deprecated, ignored."},
	{"--libnetwork", "Docker must be recent enough for network plugins."},
	{"--runtime=<RUNTIME>", "'docker' (default), or 'rkt' not to look for Docker."},
	{0},
};

const struct command command_checksystem = {
	.name = "checksystem",
	.summary = "Check that this host can run Calico",
	.description =
		"Checks that this host can run calico-node: the kernel loads its BPF programs, forwarding is on or\n"
		"can be switched on, and Docker and the datastore answer. Prints each thing that is missing, else\n"
		"nothing.",
	.forms = forms,
	.options = options,
};
