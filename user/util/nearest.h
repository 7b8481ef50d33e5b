/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What somebody who misspelt a name most probably meant. Pure. */
#ifndef UTIL_NEAREST_H
#define UTIL_NEAREST_H

/* One of the names (at most 63 bytes each, NULL-terminated); NULL: none is near. Case does not count. */
const char *nearest_name(const char *name, const char *const *names);

#endif
