/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Other programs, run for what they print. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

/*
 * Runs argv (found in PATH; up to NULL), with both its streams going to a file that is
 * made or replaced, and nothing on its standard input. Its exit status, 128 and more when a signal ended it,
 * or -errno when it could not be run.
 */
int run_into_file(const char *const *argv, const char *path);

#endif
