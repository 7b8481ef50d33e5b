/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opens the objects, sets their settings, lets them share one set of maps, loads them and keeps what is
 * loaded. */
#include "dataplane/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/utsname.h>

#include "dataplane/blame.h"
#include "skel/from_endpoint.skel.h"
#include "skel/from_uplink.skel.h"
#include "skel/screen.skel.h"
#include "skel/sweep.skel.h"
#include "skel/to_endpoint.skel.h"
#include "skel/to_uplink.skel.h"
#include "util/log.h"

/* Last complaint of libbpf or the verifier; libbpf hands it to a callback without argument. */
static char complaint[256];
static bool rejected; /* by the verifier */

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
	rejected = true;
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

/* The skeletons of one load: some programs are loaded twice, for two roles. */
struct objects {
	struct from_endpoint_bpf *from;
	struct to_endpoint_bpf *to;
	struct from_uplink_bpf *from_uplink, *from_uplink_host;
	struct to_uplink_bpf *to_uplink, *to_uplink_host;
	struct screen_bpf *screen;
	struct sweep_bpf *sweep;
};

static int open_objects(struct objects *objects, const struct settings *settings, struct err *err)
{
	objects->from = from_endpoint_bpf__open();
	objects->to = objects->from ? to_endpoint_bpf__open() : NULL;
	objects->from_uplink = objects->to ? from_uplink_bpf__open() : NULL;
	objects->to_uplink = objects->from_uplink ? to_uplink_bpf__open() : NULL;
	objects->from_uplink_host = objects->to_uplink ? from_uplink_bpf__open() : NULL;
	objects->to_uplink_host = objects->from_uplink_host ? to_uplink_bpf__open() : NULL;
	objects->screen = objects->to_uplink_host ? screen_bpf__open() : NULL;
	objects->sweep = objects->screen ? sweep_bpf__open() : NULL;
	if (!objects->sweep)
		return err_set(err, errno, "cannot open the BPF programs: %s", strerror(errno));
	objects->from->rodata->settings = *settings;
	objects->to->rodata->settings = *settings;
	objects->from_uplink->rodata->settings = *settings;
	objects->to_uplink->rodata->settings = *settings;
	objects->screen->rodata->settings = *settings;
	objects->from_uplink_host->rodata->settings = *settings;
	objects->from_uplink_host->rodata->settings.host_endpoints = 1;
	objects->to_uplink_host->rodata->settings = *settings;
	objects->to_uplink_host->rodata->settings.host_endpoints = 1;
	objects->sweep->rodata->settings = *settings;
	return 0;
}

static void close_objects(struct objects *objects)
{
	sweep_bpf__destroy(objects->sweep);
	screen_bpf__destroy(objects->screen);
	to_uplink_bpf__destroy(objects->to_uplink_host);
	from_uplink_bpf__destroy(objects->from_uplink_host);
	to_uplink_bpf__destroy(objects->to_uplink);
	from_uplink_bpf__destroy(objects->from_uplink);
	to_endpoint_bpf__destroy(objects->to);
	from_endpoint_bpf__destroy(objects->from);
}

/* Before load: all maps of the object become those that are held. */
static int share_maps(const struct bpf_object *object, const struct held *maps)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		int rc, fd;

		if (bpf_map__is_internal(map))
			continue;
		fd = held_find(maps, bpf_map__name(map));
		rc = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
		if (rc)
			return rc;
	}
	return 0;
}

struct object {
	const char *name, *suffix; /* of the role */
	struct bpf_object_skeleton *skeleton;
};

static int load_failed(const struct object *object, int rc, struct err *err)
{
	struct utsname kernel = {0};
	char text[BLAME_TEXT];
	struct blame blame;

	blame_read(&blame);
	uname(&kernel);
	if (blame_explain(&blame, rc, text, sizeof(text)))
		return err_set(err, -rc, "the program %s%s cannot be loaded: %s", object->name,
			       object->suffix, text);
	if (rejected)
		return err_set(
			err, -rc,
			"kernel %s rejects the program %s%s (%s); report this with the output of 'calicoctl "
			"diags'",
			kernel.release, object->name, object->suffix, complaint);
	return err_set(
		err, -rc,
		"kernel %s does not load the program %s%s: %s; see 'calicoctl checksystem' for what it lacks",
		kernel.release, object->name, object->suffix, complaint[0] ? complaint : strerror(-rc));
}

static int load_object(struct programs *programs, const struct object *which, struct err *err)
{
	const struct bpf_object *object = *which->skeleton->obj;
	const bool first = !programs->maps.count;
	int rc = 0;

	complaint[0] = '\0';
	rejected = false;
	if (!first)
		rc = share_maps(object, &programs->maps);
	if (!rc)
		rc = bpf_object__load_skeleton(which->skeleton);
	if (!rc && first)
		rc = held_add_maps(&programs->maps, object);
	if (!rc)
		rc = held_add_programs(&programs->programs, object, which->suffix);
	return rc ? load_failed(which, rc, err) : 0;
}

static int load_objects(struct programs *programs, const struct objects *objects, struct err *err)
{
	const struct object all[] = {
		{"from_endpoint", "", objects->from->skeleton},
		{"to_endpoint", "", objects->to->skeleton},
		{"from_uplink", "", objects->from_uplink->skeleton},
		{"from_uplink", "_host", objects->from_uplink_host->skeleton},
		{"to_uplink", "", objects->to_uplink->skeleton},
		{"to_uplink", "_host", objects->to_uplink_host->skeleton},
		{"screen", "", objects->screen->skeleton},
		{"sweep", "", objects->sweep->skeleton},
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(all) / sizeof(all[0]); i++)
		rc = load_object(programs, &all[i], err);
	return rc;
}

static void find_programs(struct programs *programs)
{
	static const char *const names[ROLE_COUNT][HOOK_COUNT] = {
		[ROLE_ENDPOINT] = {[HOOK_INGRESS] = "from_endpoint", [HOOK_EGRESS] = "to_endpoint"},
		[ROLE_UPLINK] = {[HOOK_INGRESS] = "from_uplink", [HOOK_EGRESS] = "to_uplink"},
		[ROLE_HOST] = {[HOOK_INGRESS] = "from_uplink_host", [HOOK_EGRESS] = "to_uplink_host"},
	};

	for (int i = 0; i < ROLE_COUNT * HOOK_COUNT; i++) {
		int role = i / HOOK_COUNT, hook = i % HOOK_COUNT;

		programs->hook[role][hook] = held_find(&programs->programs, names[role][hook]);
	}
	programs->screen_uplink = held_find(&programs->programs, "screen_uplink");
	programs->sweep_flows = held_find(&programs->programs, "sweep_flows");
	programs->purge_flows = held_find(&programs->programs, "purge_flows");
}

int programs_load(struct programs *programs, const struct map_plan plan[MAP_PLANS], const struct pins *pins,
		  const struct settings *settings, struct err *err)
{
	struct objects objects = {0};
	struct blame blame;
	int rc;

	programs_log_libbpf();
	blame_read(&blame);
	rc = blame_capabilities(&blame, err);
	if (!rc)
		rc = open_objects(&objects, settings, err);
	if (!rc) {
		rc = maps_configure(objects.from->obj, plan, pins);
		if (rc)
			err_set(err, -rc, "cannot configure the BPF maps: %s", strerror(-rc));
	}
	if (!rc)
		rc = load_objects(programs, &objects, err);
	close_objects(&objects);
	if (rc)
		programs_unload(programs);
	else
		find_programs(programs);
	return rc;
}

void programs_unload(struct programs *programs)
{
	held_done(&programs->programs);
	held_done(&programs->maps);
}

int programs_pin(const struct programs *programs, struct pins *pins)
{
	int rc = held_pin(&programs->maps, pins, "");

	return rc ? rc : held_pin(&programs->programs, pins, "programs/");
}

int programs_map(const struct programs *programs, const char *name)
{
	return held_find(&programs->maps, name);
}
