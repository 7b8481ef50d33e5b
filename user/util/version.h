/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Version of this product, which is not that of the data model it speaks. */
#ifndef UTIL_VERSION_H
#define UTIL_VERSION_H

/* Version of Calico whose keys, values and commands are spoken. */
#define VERSION_DATA_MODEL "v0.20"

extern const char version_number[]; /* "1.0.0" */
extern const char
	version_commit[]; /* abbreviated, with "+" if the tree differed from it; "unknown" outside git */

#endif
