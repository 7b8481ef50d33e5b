/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Listening sockets that appear only when they answer. */
#include "util/unix_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

int directory_make(const char *path, struct err *err)
{
	char part[512];
	size_t length = strlen(path);
	struct stat made;

	if (!length || length >= sizeof(part))
		return err_set(err, ENAMETOOLONG, "directory name '%.80s' is empty or too long", path);
	memcpy(part, path, length + 1);
	for (size_t i = 1; i <= length; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return err_set(err, errno, "cannot create directory %s: %s", part, strerror(errno));
		if (i < length)
			part[i] = '/';
	}
	if (stat(path, &made) < 0 || !S_ISDIR(made.st_mode))
		return err_set(err, ENOTDIR, "%s is not a directory; name another, or move it away", path);
	return 0;
}

static int set_address(struct sockaddr_un *address, const char *path, struct err *err)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address->sun_path))
		return err_set(err, ENAMETOOLONG,
			       "socket path %s is longer than %zu characters; choose a shorter directory",
			       path, sizeof(address->sun_path) - 1);
	memcpy(address->sun_path, path, strlen(path) + 1);
	return 0;
}

static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return false;
	/* EAGAIN: the backlog is full, so there is a listener. */
	alive = !connect(fd, (const struct sockaddr *)address, sizeof(*address)) || errno == EAGAIN;
	close(fd);
	return alive;
}

static int make_directory_of(const char *path, struct err *err)
{
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return 0;
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	return directory_make(directory, err);
}

int unix_socket_listen(const char *path, int *ret_fd, struct err *err)
{
	struct sockaddr_un final, temporary;
	char name[sizeof(final.sun_path) + 16];
	struct stat present;
	int fd, r;

	snprintf(name, sizeof(name), "%s.%d", path, (int)getpid());
	r = set_address(&final, path, err);
	if (!r)
		r = set_address(&temporary, name, err);
	if (!r)
		r = make_directory_of(path, err);
	if (r < 0)
		return r;
	if (lstat(path, &present) == 0 && !S_ISSOCK(present.st_mode))
		return err_set(err, EEXIST, "%s is no socket; name another path, or move it away", path);
	if (somebody_listens(&final))
		return err_set(err, EADDRINUSE, "socket %s is served by another process; stop that one first",
			       path);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "cannot make a socket for %s: %s", path, strerror(errno));
	unlink(name);
	/* fchmod before bind sets the mode of the file that bind creates: no moment with a wider one. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&temporary, sizeof(temporary)) < 0 ||
	    listen(fd, BACKLOG) < 0 || rename(name, path) < 0) {
		r = err_set(err, errno, "cannot listen on %s: %s", path, strerror(errno));
		unlink(name);
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}
