/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A small JSON document in a file of this host, replaced as a whole. */
#ifndef WIRING_STATE_FILE_H
#define WIRING_STATE_FILE_H

#include <jansson.h>

#include "util/err.h"

/* 0 and a new reference; -ENOENT; -EBADMSG. */
int state_file_read(const char *path, json_t **ret, struct err *err);
/* On disk when this returns 0; a crash leaves the old or the new document. */
int state_file_write(const char *path, const json_t *json, struct err *err);

#endif
