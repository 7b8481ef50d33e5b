/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The names of all settings, and the one that a misspelt name meant. Private to this module. */
#ifndef CONFIG_NAMES_H
#define CONFIG_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* All settings by number; NULL: no more. */
const char *name_at(size_t index);
bool name_is_setting(const char *name);
/* Known to older versions or to other tools; it has no effect here, and needs no warning. */
bool name_is_ignored(const char *name);
/* A shell would take it as a name. */
bool name_is_valid(const char *name);
/* The setting that a wrong name most probably means; NULL: none is near. */
const char *name_nearest(const char *name);
/* Whether a setting of this name decides which datastore is used. */
bool name_chooses_datastore(const char *name);

#endif
