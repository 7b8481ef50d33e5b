/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which number an endpoint has among those of its sandbox. */
#include "wiring/sandbox.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wiring/state_file.h"

#define NUMBER_MAX 254 /* 169.254.1.254 */

struct sandboxes {
	char *path;
	json_t *endpoints; /* id -> {"sandbox": key, "number": n} */
};

static bool is_usable(json_t *endpoints)
{
	const char *id;
	json_t *entry;

	json_object_foreach (endpoints, id, entry) {
		json_int_t number = json_integer_value(json_object_get(entry, "number"));

		if (!json_is_string(json_object_get(entry, "sandbox")) || number < 1 || number > NUMBER_MAX)
			return false;
	}
	return json_is_object(endpoints);
}

int sandboxes_open(const char *run_dir, struct sandboxes **ret, struct err *err)
{
	struct sandboxes *sandboxes = calloc(1, sizeof(*sandboxes));

	if (!sandboxes || asprintf(&sandboxes->path, "%s/sandboxes.json", run_dir) < 0) {
		free(sandboxes);
		return err_set(err, ENOMEM, "out of memory");
	}
	if (state_file_read(sandboxes->path, &sandboxes->endpoints, NULL) < 0 ||
	    !is_usable(sandboxes->endpoints)) {
		json_decref(sandboxes->endpoints);
		sandboxes->endpoints = json_object();
	}
	if (!sandboxes->endpoints) {
		sandboxes_close(sandboxes);
		return err_set(err, ENOMEM, "out of memory");
	}
	*ret = sandboxes;
	return 0;
}

void sandboxes_close(struct sandboxes *sandboxes)
{
	if (!sandboxes)
		return;
	json_decref(sandboxes->endpoints);
	free(sandboxes->path);
	free(sandboxes);
}

static unsigned int first_free_number(const struct sandboxes *sandboxes, const char *sandbox)
{
	bool used[NUMBER_MAX + 1] = {false};
	unsigned int number = 1;
	const char *id;
	json_t *entry;

	json_object_foreach (sandboxes->endpoints, id, entry) {
		if (!strcmp(json_string_value(json_object_get(entry, "sandbox")), sandbox))
			used[json_integer_value(json_object_get(entry, "number"))] = true;
	}
	while (number <= NUMBER_MAX && used[number])
		number++;
	return number;
}

int sandbox_join(struct sandboxes *sandboxes, const char *sandbox, const char *endpoint, struct err *err)
{
	json_t *entry = json_object_get(sandboxes->endpoints, endpoint);
	unsigned int number;
	int rc;

	if (entry && !strcmp(json_string_value(json_object_get(entry, "sandbox")), sandbox))
		return (int)json_integer_value(json_object_get(entry, "number"));
	number = first_free_number(sandboxes, sandbox);
	if (number > NUMBER_MAX)
		return err_set(err, ENOSPC, "sandbox %s has %d networks already", sandbox, NUMBER_MAX);
	entry = json_pack("{s:s, s:i}", "sandbox", sandbox, "number", number);
	if (json_object_set_new(sandboxes->endpoints, endpoint, entry) < 0)
		return err_set(err, ENOMEM, "out of memory");
	rc = state_file_write(sandboxes->path, sandboxes->endpoints, err);
	if (rc < 0) {
		json_object_del(sandboxes->endpoints, endpoint);
		return rc;
	}
	return (int)number;
}

int sandbox_endpoints(const struct sandboxes *sandboxes, const char *endpoint, struct strings *ret)
{
	const json_t *own = json_object_get(json_object_get(sandboxes->endpoints, endpoint), "sandbox");
	const char *id;
	json_t *entry;

	json_object_foreach (sandboxes->endpoints, id, entry) {
		if (own && json_equal(json_object_get(entry, "sandbox"), own) && strings_add(ret, id) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A number that stays taken in the file only makes a later one larger. */
void sandbox_leave(struct sandboxes *sandboxes, const char *endpoint)
{
	if (json_object_get(sandboxes->endpoints, endpoint) &&
	    !json_object_del(sandboxes->endpoints, endpoint))
		state_file_write(sandboxes->path, sandboxes->endpoints, NULL);
}
