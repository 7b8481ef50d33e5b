/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where settings come from: the environment, then the lines of one file. Private to this module. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stddef.h>

#include "util/err.h"

struct config;

struct setting {
	char *name, *value;
};
struct settings {
	struct setting *items; /* of the file, in its order */
	size_t count;
};

/* required: a missing file is an error, not an empty one. */
int settings_read(struct settings *settings, const char *path, int required, struct err *err);
void settings_done(struct settings *settings);
/* Borrowed, never empty; NULL: not set. The last line of the file that names it counts. */
const char *settings_get(const struct settings *settings, const char *name);

/* Fills sqlite_path or endpoints, and the TLS files. */
int config_load_datastore(struct config *config, const struct settings *settings, struct err *err);
void config_drop_endpoints(struct config *config);

#endif
