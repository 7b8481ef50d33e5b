/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Other programs, run for what they print. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <sys/types.h>

/*
 * Starts argv (found in PATH; up to NULL), with both its streams going to a file, and nothing on its standard
 * input. The file is made with `mode`; O_TRUNC or O_APPEND say what becomes of one that is there. Flags of
 * the start are those of posix_spawn(). Returns the process id or -errno.
 */
pid_t run_start(const char *const *argv, const char *path, int open_flags, mode_t mode, short spawn_flags);
/*
 * Runs argv in the same way into a new file. Its exit status, 128 and more when a signal ended it, or -errno
 * when it could not be run.
 */
int run_into_file(const char *const *argv, const char *path);

#endif
