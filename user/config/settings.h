/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where settings come from: the environment, then the lines of one file. Private to this module. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

struct config;

struct setting {
	char *name, *value;
};
struct settings {
	struct setting *items; /* of the file in its order, then of the environment */
	size_t count;
	char *misnamed;	 /* in the environment: a name that probably meant the choice of a datastore */
	char **warnings; /* NULL-terminated sentences about what has no effect; NULL: none */
	size_t warning_count;
};

/* required: a missing file is an error, not an empty one. */
int settings_read(struct settings *settings, const char *path, bool required, struct err *err);
void settings_done(struct settings *settings);
/* Borrowed, never empty; NULL: not set. The environment counts first, then the last line that names it. */
const char *settings_get(const struct settings *settings, const char *name);
/* One sentence for the user. 0 or -ENOMEM. */
int settings_warn(struct settings *settings, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * A value as it may be shown: user name and password of an address in it are left out. In `buffer`, which is
 * returned.
 */
#define SHOWN_MAX 300
const char *settings_shown(const char *value, char buffer[SHOWN_MAX]);

/* Fills sqlite_path or endpoints, and the TLS files. */
int config_load_datastore(struct config *config, struct settings *settings, struct err *err);
void config_drop_endpoints(struct config *config);

#endif
