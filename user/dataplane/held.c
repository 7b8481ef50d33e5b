/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What keeps maps and programs alive, by name, when the objects that loaded them are gone. */
#include "dataplane/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int add(struct held *held, const char *name, const char *suffix, int fd)
{
	const size_t room = sizeof(held->items[0].name);
	int copy;

	if (held->count == sizeof(held->items) / sizeof(held->items[0]))
		return -E2BIG;
	if (strlen(name) + strlen(suffix) >= room)
		return -ENAMETOOLONG;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	snprintf(held->items[held->count].name, room, "%s%s", name, suffix);
	held->items[held->count++].fd = copy;
	return 0;
}

int held_add_maps(struct held *held, const struct bpf_object *object)
{
	struct bpf_map *map;
	int rc = 0;

	bpf_object__for_each_map(map, object)
	{
		if (!rc && !bpf_map__is_internal(map))
			rc = add(held, bpf_map__name(map), "", bpf_map__fd(map));
	}
	return rc;
}

int held_add_programs(struct held *held, const struct bpf_object *object, const char *suffix)
{
	struct bpf_program *program;
	int rc = 0;

	bpf_object__for_each_program(program, object)
	{
		if (!rc)
			rc = add(held, bpf_program__name(program), suffix, bpf_program__fd(program));
	}
	return rc;
}

int held_find(const struct held *held, const char *name)
{
	for (size_t i = 0; i < held->count; i++) {
		if (!strcmp(held->items[i].name, name))
			return held->items[i].fd;
	}
	return -ENOENT;
}

int held_pin(const struct held *held, struct pins *pins, const char *folder)
{
	for (size_t i = 0; i < held->count; i++) {
		int rc = pins_put(pins, folder, held->items[i].name, held->items[i].fd);

		if (rc)
			return rc;
	}
	return 0;
}

void held_done(struct held *held)
{
	while (held->count)
		close(held->items[--held->count].fd);
}
