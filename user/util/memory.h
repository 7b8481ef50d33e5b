/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Memory that a long-running process does not need to hold. */
#ifndef UTIL_MEMORY_H
#define UTIL_MEMORY_H

/*
 * Gives back what only starting or a change needed: free heap, and the pages of programs and libraries. The
 * kernel maps those again from its page cache when they are used.
 */
void memory_trim(void);

#endif
