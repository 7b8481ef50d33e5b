/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network settings of the kernel in /proc/sys/net, which shows the caller's network namespace. */
#include "netlink/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Interface names come from the datastore: no path may leave the directory. */
static int sysctl_open(const char *path, int flags)
{
	char full[256];
	int n;

	if (strstr(path, ".."))
		return -EINVAL;
	n = snprintf(full, sizeof(full), "/proc/sys/net/%s", path);
	if (n < 0 || (size_t)n >= sizeof(full))
		return -ENAMETOOLONG;
	n = open(full, flags | O_CLOEXEC);
	return n < 0 ? -errno : n;
}

int sysctl_write(const char *path, const char *value, struct err *err)
{
	size_t length = strlen(value);
	int fd = sysctl_open(path, O_WRONLY), rc = 0;

	if (fd < 0)
		return err_set(err, -fd, "cannot set net/%s to %s: %s", path, value, strerror(-fd));
	if (write(fd, value, length) != (ssize_t)length)
		rc = -errno;
	close(fd);
	if (rc)
		return err_set(err, -rc, "cannot set net/%s to %s: %s", path, value, strerror(-rc));
	return 0;
}

int sysctl_read(const char *path, char *value, size_t size)
{
	int fd = sysctl_open(path, O_RDONLY), rc;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, value, size - 1);
	rc = n < 0 ? -errno : 0;
	close(fd);
	if (rc)
		return rc;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return 0;
}

const char *ipv6_off(void)
{
	char value[8] = "";

	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		return "IPv6 is off on this host: its kernel has none; start it without 'ipv6.disable=1'";
	if (!sysctl_read("ipv6/conf/all/disable_ipv6", value, sizeof(value)) && value[0] == '1')
		return "IPv6 is off on this host; 'sysctl -w net.ipv6.conf.all.disable_ipv6=0' switches it on";
	return NULL;
}
