/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads the settings file and the environment. Lines for a shell or for systemd are understood as these
 * would; a line or a name that is wrong is refused, or told, because the setting that it meant would have no
 * effect.
 */
#include "config/settings.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "config/names.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

/* The value without its quotes and a comment behind it, in place. NULL: a quote has no end. */
static char *unquote(char *text)
{
	char *end;

	if (*text == '"' || *text == '\'') {
		end = strchr(text + 1, *text);
		if (!end)
			return NULL;
		*end++ = '\0';
		end += strspn(end, " \t");
		return *end && *end != '#' ? NULL : text + 1;
	}
	for (end = text; *end; end++) {
		if (*end == '#' && (end == text || isspace((unsigned char)end[-1]))) {
			*end = '\0';
			break;
		}
	}
	return trim(text);
}

static int settings_add(struct settings *settings, const char *name, const char *value)
{
	struct setting *items = reallocarray(settings->items, settings->count + 1, sizeof(*items));
	struct setting item;

	if (!items)
		return -ENOMEM;
	settings->items = items;
	item.name = strdup(name);
	item.value = strdup(value);
	if (!item.name || !item.value) {
		free(item.name);
		free(item.value);
		return -ENOMEM;
	}
	items[settings->count++] = item;
	return 0;
}

int settings_warn(struct settings *settings, const char *format, ...)
{
	char **list = reallocarray(settings->warnings, settings->warning_count + 2, sizeof(*list));
	va_list args;
	int r;

	if (!list)
		return -ENOMEM;
	settings->warnings = list;
	va_start(args, format);
	r = vasprintf(&list[settings->warning_count], format, args);
	va_end(args);
	if (r < 0) {
		list[settings->warning_count] = NULL;
		return -ENOMEM;
	}
	list[++settings->warning_count] = NULL;
	return 0;
}

const char *settings_shown(const char *value, char buffer[SHOWN_MAX])
{
	const char *at = strrchr(value, '@'), *start = strstr(value, "://");

	if (!at)
		snprintf(buffer, SHOWN_MAX, "%s", value);
	else
		snprintf(buffer, SHOWN_MAX, "%.*s***%s", start && start < at ? (int)(start + 3 - value) : 0,
			 value, at);
	return buffer;
}

/* ---- the file ---- */

struct place {
	const char *path;
	unsigned int line;
};

/* The agent's own parameters are read from the environment, where a line of the file puts them. */
static bool is_parameter(const char *name)
{
	return !strncmp(name, "FELIX_", 6) && name[6];
}

static int accept_name(struct settings *settings, const struct place *place, const char *name,
		       const char *value, struct err *err)
{
	const char *nearest;

	if (name_is_setting(name))
		return settings_add(settings, name, value);
	if (is_parameter(name))
		return *value ? setenv(name, value, 0) : 0;
	nearest = name_nearest(name);
	if (nearest)
		return err_set(err, EINVAL, "line %u of %s: there is no setting %.60s; did you mean %s?",
			       place->line, place->path, name, nearest);
	return settings_warn(settings,
			     "line %u of %s: %.60s is not one of Calico's settings and has no effect",
			     place->line, place->path, name);
}

static int refuse(const struct place *place, const char *what, struct err *err)
{
	return err_set(err, EINVAL, "line %u of %s is not of the form NAME=value: %s", place->line,
		       place->path, what);
}

static int parse_line(struct settings *settings, const struct place *place, char *line, struct err *err)
{
	char *text = trim(line), *equals, *name, *value;

	if (!*text || *text == '#')
		return 0;
	if (!strncmp(text, "export", 6) && isblank((unsigned char)text[6]))
		text = trim(text + 7);
	equals = strchr(text, '=');
	if (!equals)
		return refuse(place, "it has no '='", err);
	*equals = '\0';
	name = trim(text);
	if (!name_is_valid(name))
		return refuse(place, "a name has letters, digits and '_' only", err);
	value = unquote(trim(equals + 1));
	if (!value)
		return refuse(place, "its quotes do not enclose the value", err);
	return accept_name(settings, place, name, value, err);
}

static int read_lines(struct settings *settings, FILE *file, struct place *place, struct err *err)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int r = 0;

	while (r == 0 && (length = getline(&line, &size, file)) >= 0) {
		char *start = line;

		if (++place->line == 1 && !strncmp(line, BYTE_ORDER_MARK, 3))
			start += 3;
		r = strlen(line) == (size_t)length ? parse_line(settings, place, start, err)
						   : refuse(place, "it is not text in UTF-8", err);
	}
	free(line);
	if (r == -ENOMEM)
		err_set(err, ENOMEM, "out of memory reading %s", place->path);
	else if (r == 0 && ferror(file))
		r = err_set(err, EIO, "cannot read the settings file %s: %s", place->path, strerror(errno));
	return r;
}

static int read_file(struct settings *settings, const char *path, bool required, struct err *err)
{
	struct place place = {.path = path};
	FILE *file = fopen(path, "re");
	int r;

	if (!file && errno == ENOENT && !required)
		return 0;
	if (!file)
		return err_set(err, errno, "cannot read the settings file %s: %s", path, strerror(errno));
	r = read_lines(settings, file, &place, err);
	fclose(file);
	return r;
}

/* ---- the environment ---- */

/* Values that were copied out of a file keep its quotes and line ends. */
static int read_variable(struct settings *settings, const char *name)
{
	const char *present = getenv(name);
	char *copy, *value;
	int r = 0;

	if (!present || !*present)
		return 0;
	copy = strdup(present);
	if (!copy)
		return -ENOMEM;
	value = trim(copy);
	if (*value == '"' || *value == '\'')
		value = unquote(value);
	if (value && *value)
		r = settings_add(settings, name, value);
	else if (!value)
		r = settings_add(settings, name, present);
	free(copy);
	return r;
}

static bool looks_like_ours(const char *name)
{
	return !strncasecmp(name, "CALICO", 6) || !strncasecmp(name, "ETCD", 4);
}

/* Others' variables are in the environment, too: etcd's own, for one. */
static int check_variable(struct settings *settings, const char *name)
{
	const char *nearest;

	if (!looks_like_ours(name) || name_is_setting(name) || name_is_ignored(name))
		return 0;
	nearest = name_nearest(name);
	if (nearest && name_chooses_datastore(nearest) && !settings->misnamed) {
		settings->misnamed = strdup(name);
		if (!settings->misnamed)
			return -ENOMEM;
	}
	if (nearest)
		return settings_warn(settings, "%.60s in the environment has no effect; did you mean %s?",
				     name, nearest);
	if (!strcmp(name, "ETCD_USERNAME") || !strncmp(name, "ETCD_PASSWORD", 13))
		return settings_warn(settings,
				     "%.60s in the environment has no effect: etcd is accessed without a "
				     "user name",
				     name);
	return strncasecmp(name, "CALICO_", 7)
		       ? 0
		       : settings_warn(settings,
				       "%.60s in the environment is not one of Calico's settings and has no "
				       "effect",
				       name);
}

static int read_environment(struct settings *settings)
{
	int r = 0;

	for (size_t i = 0; r == 0 && name_at(i); i++)
		r = read_variable(settings, name_at(i));
	for (char **variable = environ; r == 0 && variable && *variable; variable++) {
		char name[100];
		size_t length = strcspn(*variable, "=");

		if (length >= sizeof(name) || !(*variable)[length] || !(*variable)[length + 1])
			continue;
		memcpy(name, *variable, length);
		name[length] = '\0';
		r = check_variable(settings, name);
	}
	return r;
}

int settings_read(struct settings *settings, const char *path, bool required, struct err *err)
{
	int r;

	*settings = (struct settings){0};
	r = read_file(settings, path, required, err);
	if (r == 0 && read_environment(settings) < 0)
		r = err_set(err, ENOMEM, "out of memory reading the environment");
	if (r < 0)
		settings_done(settings);
	return r;
}

void settings_done(struct settings *settings)
{
	for (size_t i = 0; i < settings->count; i++) {
		free(settings->items[i].name);
		free(settings->items[i].value);
	}
	free(settings->items);
	for (size_t i = 0; i < settings->warning_count; i++)
		free(settings->warnings[i]);
	free(settings->warnings);
	free(settings->misnamed);
	*settings = (struct settings){0};
}

const char *settings_get(const struct settings *settings, const char *name)
{
	assert(name_is_setting(name));
	for (size_t i = settings->count; i-- > 0;) {
		if (strcmp(settings->items[i].name, name) == 0)
			return *settings->items[i].value ? settings->items[i].value : NULL;
	}
	return NULL;
}
