/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whole documents in files: temporary name, fsync, rename. */
#include "wiring/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int state_file_read(const char *path, json_t **ret, struct err *err)
{
	json_error_t error;

	if (access(path, F_OK) < 0 && errno == ENOENT)
		return err_set(err, ENOENT, "%s does not exist", path);
	*ret = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!*ret)
		return err_set(err, EBADMSG, "%s is not readable JSON: %s", path, error.text);
	return 0;
}

static int write_and_sync(const char *path, const json_t *json)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (json_dumpfd(json, fd, JSON_INDENT(1)) < 0)
		rc = errno ? -errno : -EIO;
	if (!rc && fsync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int state_file_write(const char *path, const json_t *json, struct err *err)
{
	char temporary[512];
	int rc;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return err_set(err, ENAMETOOLONG, "the file name %.80s... is too long", path);
	rc = write_and_sync(temporary, json);
	if (!rc && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0) {
		unlink(temporary);
		return err_set(err, -rc, "cannot write %s: %s", path, strerror(-rc));
	}
	return 0;
}
