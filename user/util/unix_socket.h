/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Listening sockets in the file system. */
#ifndef UTIL_UNIX_SOCKET_H
#define UTIL_UNIX_SOCKET_H

#include "util/err.h"

/*
 * A listening, non-blocking stream socket of mode 0600 at `path`: made under a temporary name and renamed
 * into place, so that a client never meets a socket that does not answer yet. A stale one is replaced; the
 * directory is created (0700) when missing. -EADDRINUSE when a live process answers at `path`. The caller
 * closes the descriptor.
 */
int unix_socket_listen(const char *path, int *ret_fd, struct err *err);

/* mkdir -p with mode 0700 for what is missing. */
int directory_make(const char *path, struct err *err);

#endif
