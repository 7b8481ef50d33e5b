/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why the kernel refused. */
#include "dataplane/blame.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BIT(number) (UINT64_C(1) << (number))

/* Each with what stands in for it. */
static const struct {
	const char *name;
	uint64_t any_of;
} needed[] = {
	{"CAP_NET_ADMIN", BIT(CAP_NET_ADMIN)},
	{"CAP_BPF", BIT(CAP_BPF) | BIT(CAP_SYS_ADMIN)},
	{"CAP_PERFMON", BIT(CAP_PERFMON) | BIT(CAP_SYS_ADMIN)},
};

static uint64_t read_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return UINT64_MAX; /* nothing is known to be missing */
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static uint64_t read_limit(int resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

static bool is_before(unsigned int major, unsigned int minor)
{
	struct utsname kernel;
	unsigned int own_major, own_minor;

	if (uname(&kernel) < 0 || sscanf(kernel.release, "%u.%u", &own_major, &own_minor) != 2)
		return false;
	return own_major < major || (own_major == major && own_minor < minor);
}

/* "none [integrity] confidentiality" */
static bool is_locked_down(void)
{
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char line[80] = "";

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	return strchr(line, '[') && !strstr(line, "[none]");
}

void blame_read(struct blame *ret)
{
	*ret = (struct blame){
		.capabilities = read_capabilities(),
		.descriptors = read_limit(RLIMIT_NOFILE),
		.locked_memory = read_limit(RLIMIT_MEMLOCK),
		.charges_limit = is_before(5, 11),
		.lockdown = is_locked_down(),
	};
}

/* "CAP_BPF and CAP_PERFMON"; false: none is missing. */
static bool name_missing(const struct blame *blame, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!(blame->capabilities & needed[i].any_of))
			length += (size_t)snprintf(text + length, size - length, "%s%s",
						   length ? " and " : "", needed[i].name);
	}
	return length > 0;
}

static bool explain_refusal(const struct blame *blame, char *text, size_t size)
{
	char missing[64];

	if (name_missing(blame, missing, sizeof(missing)))
		snprintf(text, size,
			 "calico-node lacks %s; start it as root with these capabilities "
			 "(CapabilityBoundingSet= in its unit)",
			 missing);
	else if (blame->charges_limit && blame->locked_memory != UINT64_MAX)
		snprintf(text, size,
			 "calico-node may lock only %llu KiB of memory, which limits maps on this kernel; "
			 "set LimitMEMLOCK=infinity in its unit",
			 (unsigned long long)blame->locked_memory / 1024);
	else if (blame->lockdown)
		snprintf(text, size,
			 "the kernel is locked down and forbids it; see /sys/kernel/security/lockdown");
	else
		snprintf(
			text, size,
			"the kernel forbids it to root: look for a security module, a seccomp filter or a user "
			"namespace around calico-node");
	return true;
}

bool blame_explain(const struct blame *blame, int rc, char *text, size_t size)
{
	switch (-rc) {
	case EPERM:
		return explain_refusal(blame, text, size);
	case EACCES: { /* also what the verifier says */
		char missing[64];

		return name_missing(blame, missing, sizeof(missing)) && explain_refusal(blame, text, size);
	}
	case EMFILE:
		snprintf(
			text, size,
			"calico-node has no file descriptor left, its limit is %llu; raise LimitNOFILE= in its unit",
			(unsigned long long)blame->descriptors);
		return true;
	case ENFILE:
		snprintf(text, size, "this host has no file descriptor left; raise sysctl fs.file-max");
		return true;
	case ENOMEM:
		snprintf(
			text, size,
			"the kernel lacks memory, or calico-node's memory cgroup does; give it more, or lower "
			"FlowTableSize, MaxAddresses and MaxRules");
		return true;
	default:
		return false;
	}
}

int blame_capabilities(const struct blame *blame, struct err *err)
{
	char missing[64], text[BLAME_TEXT];

	if (!name_missing(blame, missing, sizeof(missing)))
		return 0;
	explain_refusal(blame, text, sizeof(text));
	return err_set(err, EPERM, "BPF programs cannot be loaded: %s", text);
}
