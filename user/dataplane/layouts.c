/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pins that a daemon with another layout of maps has left: an older one before an upgrade, or a newer one. */
#include "dataplane/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "dataplane/bpffs.h"

/* "v" and a number that is not ours. */
static bool is_other(const char *name)
{
	char *end;
	unsigned long version = *name == 'v' ? strtoul(name + 1, &end, 10) : ABI_VERSION;

	return version != ABI_VERSION && end > name + 1 && !*end;
}

static bool is_xdp(const char *name)
{
	size_t length = strlen(name);

	return length > 4 && !strcmp(name + length - 4, "_xdp");
}

/* A link that loses its pin ends a moment later only, and until then keeps its place on the interface. */
static void detach(int folder, const char *name)
{
	char path[PIN_PATH];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", folder, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	bpf_link_detach(fd); /* of other objects: refused */
	close(fd);
}

static void remove_files(int parent, const char *name, bool only_xdp)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!folder) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder))) {
		if (entry->d_type == DT_DIR || (only_xdp && !is_xdp(entry->d_name)))
			continue;
		detach(fd, entry->d_name);
		unlinkat(fd, entry->d_name, 0);
	}
	closedir(folder);
}

static bool remove_layout(int parent, const char *name, bool only_xdp)
{
	static const char *const folders[] = {"links", "programs"};
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		remove_files(fd, folders[i], only_xdp);
		if (!only_xdp)
			unlinkat(fd, folders[i], AT_REMOVEDIR);
	}
	close(fd);
	if (only_xdp)
		return false;
	remove_files(parent, name, false);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

int layouts_remove(const char *bpffs, bool only_xdp)
{
	DIR *directory = opendir(bpffs);
	struct dirent *entry;
	int count = 0;

	if (!directory)
		return 0;
	while ((entry = readdir(directory))) {
		if (entry->d_type == DT_DIR && is_other(entry->d_name))
			count += remove_layout(dirfd(directory), entry->d_name, only_xdp);
	}
	closedir(directory);
	return count;
}

int dataplane_remove_other_layouts(struct dataplane *dp)
{
	return layouts_remove(pins_directory(dp->pins), false);
}
