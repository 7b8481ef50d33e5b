/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Standard streams of a command: present from the start, and known to be written at the end. */
#ifndef UTIL_STDIO_H
#define UTIL_STDIO_H

#include <stdio.h>

/*
 * Opens those of the descriptors 0 to 2 that are closed, so that no file of ours gets their numbers and what
 * is printed. Reading from such a descriptor fails, and so does writing to it.
 */
void stdio_open(void);
/* fflush() that remembers for stdio_close() why it failed. */
void stdio_flush(FILE *file);
/*
 * Closes standard output. Returns 0, or -errno after telling on standard error that `program` could not write
 * all of its output.
 */
int stdio_close(const char *program);

#endif
