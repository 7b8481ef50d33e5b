/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Takes everything of ours out of the kernel, with what is pinned and named as the only guide. */
#include "dataplane/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/stat.h>

#include "dataplane/bpffs.h"

int detach_interface(struct pins *pins, int ifindex, const char *name, struct err *err)
{
	static const struct attach_ops *const kinds[] = {&attach_tcx, &attach_clsact};
	struct attach_point point = {.pins = pins, .ifindex = ifindex, .name = name};
	int rc, result = 0;

	for (point.hook = 0; point.hook < HOOK_COUNT; point.hook++) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			rc = kinds[i]->remove(&point);
			if (rc && !result)
				result = err_set(err, -rc, "cannot remove the %s program from %s: %s",
						 kinds[i]->name, name, strerror(-rc));
		}
	}
	point.hook = HOOK_XDP;
	rc = attach_tcx.remove(&point);
	if (rc && !result)
		result = err_set(err, -rc, "cannot remove the XDP program from %s: %s", name, strerror(-rc));
	return result;
}

static int detach_all(struct pins *pins, struct err *err)
{
	struct netlink *netlink = NULL;
	struct link_info *links = NULL;
	size_t count = 0;
	int rc, result;

	result = netlink_open(&netlink, err);
	if (!result)
		result = link_list(netlink, &links, &count, err);
	for (size_t i = 0; i < count; i++) {
		rc = detach_interface(pins, links[i].ifindex, links[i].name, result ? NULL : err);
		result = result ? result : rc;
	}
	free(links);
	netlink_close(netlink);
	/* Links on interfaces that have another name by now. */
	attach_tcx_prune(pins, true);
	return result;
}

/* Deletes the files of one directory, then the directory. */
static int remove_folder(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR)
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
	return rmdir(path) ? -errno : 0;
}

static int remove_pins(const char *bpffs)
{
	static const char *const folders[] = {"links", "programs", ""};
	char path[PIN_PATH];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int rc = pin_path(path, bpffs, folders[i], "");

		if (!rc)
			rc = remove_folder(path);
		if (rc)
			return rc;
	}
	return 0;
}

/* The directory; and the bpffs, when it was mounted for us alone. */
static int remove_directory(const char *bpffs)
{
	struct stat own, parent;
	char above[PIN_PATH];

	if (snprintf(above, sizeof(above), "%s/..", bpffs) >= (int)sizeof(above))
		return -ENAMETOOLONG;
	if (stat(bpffs, &own) || stat(above, &parent))
		return errno == ENOENT ? 0 : -errno;
	if (own.st_dev != parent.st_dev && umount2(bpffs, UMOUNT_NOFOLLOW))
		return -errno;
	return rmdir(bpffs) && errno != ENOENT ? -errno : 0;
}

int dataplane_teardown(const char *bpffs, const char *interface_prefix, struct err *err)
{
	int rc, result, claim = bpffs_claim(bpffs, err);
	struct pins *pins;

	if (claim == -EBUSY)
		return claim;
	programs_log_libbpf();
	pins = pins_borrow(bpffs);
	result = pins ? detach_all(pins, err) : err_set(err, ENOMEM, "out of memory while detaching");
	pins_close(pins);
	rc = netfilter_remove(interface_prefix, result ? NULL : err);
	result = result ? result : rc;
	layouts_remove(bpffs, false);
	rc = remove_pins(bpffs);
	if (claim >= 0) /* an open directory keeps its file system mounted */
		close(claim);
	if (!rc)
		rc = remove_directory(bpffs);
	if (rc && !result)
		result = err_set(err, -rc, "cannot remove the pins in %s: %s", bpffs, strerror(-rc));
	return result;
}
