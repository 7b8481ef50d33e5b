/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/claim.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"

#define NAME	 "calico-node"
#define BACKLOG	 128
#define TRIES	 20 /* the other process may be about to listen, or to end */
#define PAUSE_MS 10

static socklen_t address(struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path + 1, NAME, sizeof(NAME) - 1);
	return offsetof(struct sockaddr_un, sun_path) + sizeof(NAME);
}

/* Who listens at the name; -errno when nobody does. */
static int find_holder(const struct sockaddr_un *at, socklen_t length, struct ucred *ret)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc = 0;
	socklen_t size = sizeof(*ret);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)at, length) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &size) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* 0: claimed. 1: another process of root has it. -errno: that of others, or nobody can tell whose. */
static int try_claim(int fd, struct ucred *holder)
{
	struct sockaddr_un at;
	socklen_t length = address(&at);
	int rc;

	if (bind(fd, (const struct sockaddr *)&at, length) == 0)
		return listen(fd, BACKLOG) < 0 ? -errno : 0;
	if (errno != EADDRINUSE)
		return -errno;
	rc = find_holder(&at, length, holder);
	if (rc < 0)
		return rc;
	return holder->uid == 0 ? 1 : -EPERM;
}

int claim_namespace(struct err *err)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc = -EAGAIN;
	struct ucred holder = {0};

	if (fd < 0)
		return err_set(err, errno, "cannot make a socket: %s", strerror(errno));
	for (int i = 0; i < TRIES; i++) {
		rc = try_claim(fd, &holder);
		if (rc != -ECONNREFUSED)
			break;
		nanosleep(&pause, NULL);
	}
	if (rc == 1) {
		close(fd);
		return err_set(err, EBUSY,
			       "another calico-node uses this network namespace (process %d); stop it first "
			       "(calicoctl node stop), or run this one in a network namespace of its own",
			       (int)holder.pid);
	}
	if (rc < 0)
		log_warn("node",
			 "the socket @" NAME " belongs to process %d of user %u, not to root (%s): a second "
			 "calico-node of this network namespace would not be noticed; end that process",
			 (int)holder.pid, holder.uid, strerror(-rc));
	return fd;
}
