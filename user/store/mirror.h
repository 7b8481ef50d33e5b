/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file with a copy of what a datastore said last, for the day on which the datastore has lost it. Keys and
 * values only; which ones is the user's choice. Calls may wait for a lock, like those of the datastore.
 */
#ifndef STORE_MIRROR_H
#define STORE_MIRROR_H

#include "store/store.h"

struct store_mirror;
/* A file that is damaged is set aside; its copy is lost. */
int store_mirror_open(const char *path, struct store_mirror **ret, struct err *err);
void store_mirror_close(struct store_mirror *mirror); /* NULL: no-op */

/* Everything, sorted by key. */
int store_mirror_read(struct store_mirror *mirror, struct store_list *ret, struct err *err);
/* Changes in their order, all or none; value NULL: the key is gone. */
int store_mirror_write(struct store_mirror *mirror, const struct store_list *changes, struct err *err);
/* Makes what is beneath the directory equal to the list (sorted); writes only what differs. */
int store_mirror_replace(struct store_mirror *mirror, const char *directory, const struct store_list *list,
			 struct err *err);

#endif
