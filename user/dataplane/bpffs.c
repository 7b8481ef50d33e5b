/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file system that keeps programs, links and maps alive without a process, and pins in it. */
#include "dataplane/bpffs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "abi.h"

#define SYSTEM_BPFFS "/sys/fs/bpf" /* where systemd and bpftool expect it */

#define STRING_OF(x) #x
#define STRING(x)    STRING_OF(x)
#define VERSION_DIR  "/v" STRING(ABI_VERSION)

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (__u32)fs.f_type == BPF_FS_MAGIC;
}

/* As mkdir -p. */
static int make_directories(const char *path)
{
	char part[PIN_PATH];
	size_t length = strlen(path);

	if (length >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/* Mounts a bpffs so that `directory` lies on it: at the usual place if it is beneath that, else on itself. */
static int mount_for(const char *directory)
{
	size_t system = strlen(SYSTEM_BPFFS);
	const char *where = directory;
	int rc;

	if (!strncmp(directory, SYSTEM_BPFFS, system) && (directory[system] == '/' || !directory[system]))
		where = SYSTEM_BPFFS;
	if (is_bpffs(where))
		return 0;
	if (where == directory) {
		rc = make_directories(directory);
		if (rc)
			return rc;
		/* Made on a bpffs further up: nothing to mount. */
		if (is_bpffs(directory))
			return 0;
	}
	return mount("bpffs", where, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ? -errno : 0;
}

int bpffs_prepare(const char *directory, struct err *err)
{
	static const char *const folders[] = {VERSION_DIR "/links", VERSION_DIR "/programs"};
	char path[PIN_PATH];
	int fd, rc;

	rc = mount_for(directory);
	if (rc)
		return err_set(err, -rc, "cannot mount a bpffs for %s: %s%s", directory, strerror(-rc),
			       rc == -EPERM ? "; calico-node needs CAP_SYS_ADMIN, unless one is mounted there"
					    : "");
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (snprintf(path, sizeof(path), "%s%s", directory, folders[i]) >= (int)sizeof(path))
			return err_set(err, ENAMETOOLONG, "the path %s is too long for pins", directory);
		rc = make_directories(path);
		if (rc)
			return err_set(err, -rc, "cannot create the directory %s: %s", path, strerror(-rc));
	}
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "cannot open the directory %s: %s", directory, strerror(errno));
	return fd;
}

int bpffs_claim(const char *directory, struct err *err)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, errno, "cannot open the directory %s: %s", directory, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return err_set(
			err, EBUSY,
			"another calico-node uses %s; stop it first (calicoctl node stop), or use another --bpffs",
			directory);
	}
	return fd;
}

bool bpffs_is_current(const char *directory, int fd)
{
	struct stat by_path, by_fd;

	return stat(directory, &by_path) == 0 && fstat(fd, &by_fd) == 0 && by_path.st_dev == by_fd.st_dev &&
	       by_path.st_ino == by_fd.st_ino;
}

int pin_path(char path[PIN_PATH], const char *directory, const char *folder, const char *name)
{
	int n = snprintf(path, PIN_PATH, "%s" VERSION_DIR "/%s%s", directory, folder, name);

	return n < 0 || n >= PIN_PATH ? -ENAMETOOLONG : 0;
}

int pin_replace(int fd, const char *path)
{
	char temporary[PIN_PATH + 4];

	/* No interface and no map has a ':' in its name. */
	snprintf(temporary, sizeof(temporary), "%s:new", path);
	unlink(temporary);
	if (bpf_obj_pin(fd, temporary))
		return -errno;
	if (rename(temporary, path)) {
		int rc = -errno;

		unlink(temporary);
		return rc;
	}
	return 0;
}
