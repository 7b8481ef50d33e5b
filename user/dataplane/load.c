/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opens the objects, sets their settings, lets them share one set of maps and loads them. */
#include "dataplane/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <sys/utsname.h>

#include "dataplane/bpffs.h"
#include "skel/from_endpoint.skel.h"
#include "skel/from_uplink.skel.h"
#include "skel/screen.skel.h"
#include "skel/sweep.skel.h"
#include "skel/to_endpoint.skel.h"
#include "skel/to_uplink.skel.h"
#include "util/log.h"

/* Last complaint of libbpf or the verifier; libbpf hands it to a callback without argument. */
static char complaint[256];

/* The verifier says why in the last line before its statistics. */
static void keep_verifier_reason(const char *log)
{
	const char *end = strstr(log, "\nprocessed "), *line;

	if (!end)
		end = log + strlen(log);
	line = end;
	while (line > log && line[-1] != '\n')
		line--;
	snprintf(complaint, sizeof(complaint), "%.*s", (int)(end - line), line);
}

static int on_libbpf_message(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text, *log;

	if (vasprintf(&text, format, args) < 0)
		return 0;
	log = strstr(text, "-- BEGIN PROG LOAD LOG --");
	if (log) {
		keep_verifier_reason(log);
	} else {
		text[strcspn(text, "\n")] = '\0';
		if (level == LIBBPF_WARN && !complaint[0])
			snprintf(complaint, sizeof(complaint), "%s", text);
		log_debug("libbpf", "%s", text);
	}
	free(text);
	return 0;
}

void programs_log_libbpf(void)
{
	libbpf_set_print(on_libbpf_message);
}

static int load_failed(const char *object, int rc, struct err *err)
{
	struct utsname kernel = {0};

	uname(&kernel);
	return err_set(err, -rc, "kernel %s does not load the program %s: %s", kernel.release, object,
		       complaint[0] ? complaint : strerror(-rc));
}

static int load_object(struct programs *programs, const char *name, struct bpf_object_skeleton *skeleton,
		       struct err *err)
{
	struct bpf_object *object = *skeleton->obj;
	int rc = 0;

	complaint[0] = '\0';
	if (programs->maps)
		rc = maps_share(object, programs->maps);
	if (!rc)
		rc = bpf_object__load_skeleton(skeleton);
	if (rc)
		return load_failed(name, rc, err);
	if (!programs->maps)
		programs->maps = object;
	return 0;
}

static int open_objects(struct programs *programs, const struct settings *settings, struct err *err)
{
	programs->from = from_endpoint_bpf__open();
	programs->to = programs->from ? to_endpoint_bpf__open() : NULL;
	programs->from_uplink = programs->to ? from_uplink_bpf__open() : NULL;
	programs->to_uplink = programs->from_uplink ? to_uplink_bpf__open() : NULL;
	programs->from_uplink_host = programs->to_uplink ? from_uplink_bpf__open() : NULL;
	programs->to_uplink_host = programs->from_uplink_host ? to_uplink_bpf__open() : NULL;
	programs->screen = programs->to_uplink_host ? screen_bpf__open() : NULL;
	programs->sweep = programs->screen ? sweep_bpf__open() : NULL;
	if (!programs->sweep)
		return err_set(err, errno, "cannot open the BPF programs: %s", strerror(errno));
	programs->from->rodata->settings = *settings;
	programs->to->rodata->settings = *settings;
	programs->from_uplink->rodata->settings = *settings;
	programs->to_uplink->rodata->settings = *settings;
	programs->screen->rodata->settings = *settings;
	programs->from_uplink_host->rodata->settings = *settings;
	programs->from_uplink_host->rodata->settings.host_endpoints = 1;
	programs->to_uplink_host->rodata->settings = *settings;
	programs->to_uplink_host->rodata->settings.host_endpoints = 1;
	programs->sweep->rodata->settings = *settings;
	return 0;
}

static void read_hooks(struct programs *programs)
{
	int(*hook)[HOOK_COUNT] = programs->hook;

	hook[ROLE_ENDPOINT][HOOK_INGRESS] = bpf_program__fd(programs->from->progs.from_endpoint);
	hook[ROLE_ENDPOINT][HOOK_EGRESS] = bpf_program__fd(programs->to->progs.to_endpoint);
	hook[ROLE_UPLINK][HOOK_INGRESS] = bpf_program__fd(programs->from_uplink->progs.from_uplink);
	hook[ROLE_UPLINK][HOOK_EGRESS] = bpf_program__fd(programs->to_uplink->progs.to_uplink);
	hook[ROLE_HOST][HOOK_INGRESS] = bpf_program__fd(programs->from_uplink_host->progs.from_uplink);
	hook[ROLE_HOST][HOOK_EGRESS] = bpf_program__fd(programs->to_uplink_host->progs.to_uplink);
}

int programs_load(struct programs *programs, const struct map_plan plan[MAP_PLANS], const char *bpffs,
		  const struct settings *settings, struct err *err)
{
	int rc;

	programs_log_libbpf();
	rc = open_objects(programs, settings, err);
	if (rc)
		goto fail;
	rc = maps_configure(programs->from->obj, plan, bpffs);
	if (rc) {
		err_set(err, -rc, "cannot configure the BPF maps: %s", strerror(-rc));
		goto fail;
	}
	rc = load_object(programs, "from_endpoint", programs->from->skeleton, err);
	if (!rc)
		rc = load_object(programs, "to_endpoint", programs->to->skeleton, err);
	if (!rc)
		rc = load_object(programs, "from_uplink", programs->from_uplink->skeleton, err);
	if (!rc)
		rc = load_object(programs, "to_uplink", programs->to_uplink->skeleton, err);
	if (!rc)
		rc = load_object(programs, "from_uplink_host", programs->from_uplink_host->skeleton, err);
	if (!rc)
		rc = load_object(programs, "to_uplink_host", programs->to_uplink_host->skeleton, err);
	if (!rc)
		rc = load_object(programs, "screen", programs->screen->skeleton, err);
	if (!rc)
		rc = load_object(programs, "sweep", programs->sweep->skeleton, err);
	if (rc)
		goto fail;
	read_hooks(programs);
	programs->screen_uplink = bpf_program__fd(programs->screen->progs.screen_uplink);
	programs->sweep_flows = bpf_program__fd(programs->sweep->progs.sweep_flows);
	programs->purge_flows = bpf_program__fd(programs->sweep->progs.purge_flows);
	return 0;
fail:
	programs_unload(programs);
	return rc;
}

void programs_unload(struct programs *programs)
{
	sweep_bpf__destroy(programs->sweep);
	screen_bpf__destroy(programs->screen);
	to_uplink_bpf__destroy(programs->to_uplink_host);
	from_uplink_bpf__destroy(programs->from_uplink_host);
	to_uplink_bpf__destroy(programs->to_uplink);
	from_uplink_bpf__destroy(programs->from_uplink);
	to_endpoint_bpf__destroy(programs->to);
	from_endpoint_bpf__destroy(programs->from);
	memset(programs, 0, sizeof(*programs));
}

static int pin_object(const struct bpf_object *object, const char *suffix, const char *bpffs)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		char name[64], path[PIN_PATH];
		int rc;

		snprintf(name, sizeof(name), "%s%s", bpf_program__name(program), suffix);
		rc = pin_path(path, bpffs, "programs/", name);
		if (!rc)
			rc = pin_replace(bpf_program__fd(program), path);
		if (rc)
			return rc;
	}
	return 0;
}

int programs_pin(const struct programs *programs, const char *bpffs)
{
	const struct {
		const struct bpf_object *object;
		const char *suffix;
	} pins[] = {
		{programs->from->obj, ""},	  {programs->to->obj, ""},
		{programs->from_uplink->obj, ""}, {programs->from_uplink_host->obj, "_host"},
		{programs->to_uplink->obj, ""},	  {programs->to_uplink_host->obj, "_host"},
		{programs->screen->obj, ""},	  {programs->sweep->obj, ""},
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(pins) / sizeof(pins[0]); i++)
		rc = pin_object(pins[i].object, pins[i].suffix, bpffs);
	return rc;
}

int programs_map(const struct programs *programs, const char *name)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(programs->maps, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}
