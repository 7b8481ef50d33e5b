/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file system that keeps programs, links and maps alive without a process, and pins in it. */
#ifndef DATAPLANE_BPFFS_H
#define DATAPLANE_BPFFS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

/* Pin paths: BPFFS "/v" ABI_VERSION, plus a directory and a name. */
#define PIN_PATH 256

/*
 * Makes `directory` with its v1, v1/links and v1/programs, on a bpffs that is mounted where there is none.
 * Returns a descriptor of the directory (>= 0): while it is open a plain umount fails.
 */
int bpffs_prepare(const char *directory, struct err *err);
/* Holds `directory` while the returned descriptor is open. -EBUSY: somebody else does. */
int bpffs_claim(const char *directory, struct err *err);
/* The directory of `fd` is still what the path leads to. */
bool bpffs_is_current(const char *directory, int fd);

/* "<directory>/v1/<folder><name>"; folder is "", "links/" or "programs/". -ENAMETOOLONG. */
int pin_path(char path[PIN_PATH], const char *directory, const char *folder, const char *name);
/* Pins the object under the path in place of what is there, without a moment in which nothing is. */
int pin_replace(int fd, const char *path);

#endif
