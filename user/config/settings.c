/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads the settings file and looks names up in it and in the environment. */
#include "config/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

/* Files made for systemd's EnvironmentFile= may quote a value. */
static char *unquote(char *text)
{
	size_t length = strlen(text);

	if (length < 2 || (*text != '"' && *text != '\'') || text[length - 1] != *text)
		return text;
	text[length - 1] = '\0';
	return text + 1;
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

static int parse_line(struct settings *settings, char *line)
{
	char *text = trim(line);
	char *equals = strchr(text, '=');

	if (!*text || *text == '#')
		return 0;
	if (!equals || equals == text)
		return -EINVAL;
	*equals = '\0';
	return settings_add(settings, trim(text), unquote(trim(equals + 1)));
}

int settings_read(struct settings *settings, const char *path, int required, struct err *err)
{
	unsigned int number = 0;
	size_t size = 0;
	char *line = NULL;
	FILE *file;
	int r = 0;

	*settings = (struct settings){0};
	file = fopen(path, "re");
	if (!file && errno == ENOENT && !required)
		return 0;
	if (!file)
		return err_set(err, errno, "cannot read the settings file %s: %s", path, strerror(errno));
	while (r == 0 && getline(&line, &size, file) >= 0) {
		number++;
		r = parse_line(settings, line);
	}
	if (r == -EINVAL)
		err_set(err, EINVAL, "line %u of %s is not of the form NAME=value", number, path);
	else if (r < 0)
		err_set(err, -r, "out of memory reading %s", path);
	else if (ferror(file))
		r = err_set(err, EIO, "cannot read the settings file %s: %s", path, strerror(errno));
	free(line);
	fclose(file);
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
	*settings = (struct settings){0};
}

const char *settings_get(const struct settings *settings, const char *name)
{
	const char *value = getenv(name);

	if (value && *value)
		return value;
	for (size_t i = settings->count; i-- > 0;) {
		if (strcmp(settings->items[i].name, name) == 0)
			return *settings->items[i].value ? settings->items[i].value : NULL;
	}
	return NULL;
}
