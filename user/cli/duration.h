/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lengths of time in words. */
#ifndef CLI_DURATION_H
#define CLI_DURATION_H

#include <stddef.h>

#define DURATION_TEXT 32

/* As Docker words the age of a container: "5 seconds", "About an hour". Returns the buffer. */
const char *duration_format(long seconds, char text[DURATION_TEXT]);

#endif
