/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Loads the objects, shares their maps, runs their programs. */
#include "progrun.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "skel/from_endpoint.skel.h"
#include "skel/from_uplink.skel.h"
#include "skel/screen.skel.h"
#include "skel/sweep.skel.h"
#include "skel/to_endpoint.skel.h"
#include "skel/to_uplink.skel.h"

#define MAPS_MAX 64

struct shared_map {
	char name[32];
	int fd;
	__u32 capacity;
};

struct progrun {
	struct from_endpoint_bpf *from_endpoint;
	struct to_endpoint_bpf *to_endpoint;
	struct from_uplink_bpf *from_uplink;
	struct to_uplink_bpf *to_uplink;
	struct screen_bpf *screen;
	struct sweep_bpf *sweep;
	int program[PROGRAM_COUNT];
	struct shared_map maps[MAPS_MAX];
	unsigned int map_count;
	int cpus;
	struct traffic *values; /* for progrun_counters() */
	__u32 *keys;
	size_t value_room, key_room;
	struct ring_buffer *events;
	struct packet_event *event_store; /* of the present call of progrun_events() */
	unsigned int event_count, event_capacity;
};

static struct shared_map *find_map(struct progrun *progrun, const char *name)
{
	for (unsigned int i = 0; i < progrun->map_count; i++)
		if (strcmp(progrun->maps[i].name, name) == 0)
			return &progrun->maps[i];
	return NULL;
}

/* Objects opened later use the maps that earlier ones made. */
static int share_maps(struct progrun *progrun, struct bpf_object *object)
{
	struct bpf_map *map;
	bpf_object__for_each_map(map, object)
	{
		struct shared_map *shared = find_map(progrun, bpf_map__name(map));
		if (!shared || bpf_map__is_internal(map))
			continue;
		int r = bpf_map__reuse_fd(map, shared->fd);
		if (r < 0)
			return r;
	}
	return 0;
}

static void collect_maps(struct progrun *progrun, struct bpf_object *object)
{
	struct bpf_map *map;
	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__is_internal(map) || find_map(progrun, bpf_map__name(map)) ||
		    progrun->map_count == MAPS_MAX)
			continue;
		struct shared_map *shared = &progrun->maps[progrun->map_count++];
		snprintf(shared->name, sizeof(shared->name), "%s", bpf_map__name(map));
		shared->fd = bpf_map__fd(map);
		shared->capacity = bpf_map__max_entries(map);
	}
}

/* Sizes that the settings tell the programs. */
static int size_maps(struct bpf_object *object, const struct settings *settings)
{
	const struct {
		const char *name;
		__u32 entries;
	} sizes[] = {
		{"flow4", settings->flows[0]},
		{"flow6", settings->flows[1]},
		{"opened4", settings->opened[0]},
		{"opened6", settings->opened[1]},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(sizes) / sizeof(sizes[0]); i++)
		r = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, sizes[i].name),
					     sizes[i].entries);
	return r;
}

static int load(struct progrun *progrun, struct bpf_object *object)
{
	int r = share_maps(progrun, object);
	if (r == 0)
		r = bpf_object__load(object);
	if (r == 0)
		collect_maps(progrun, object);
	return r;
}

static int store_event(void *arg, void *data, size_t size)
{
	struct progrun *progrun = arg;
	if (size >= sizeof(struct packet_event) && progrun->event_count < progrun->event_capacity)
		memcpy(&progrun->event_store[progrun->event_count], data, sizeof(struct packet_event));
	progrun->event_count++;
	return 0;
}

void progrun_default_settings(struct settings *ret)
{
	static const __u8 host_mac[] = {HOST_MAC};
	*ret = (struct settings){
		.generation_base = 1000,
		.mark_approved = 0x01000000,
		.mark_nat_out = 0x02000000,
		.mark_to_host = 0x04000000,
		.mark_mask = 0x07000000,
		.gateway4 = htonl(0xa9fe0101),
		.hz = 250,
		.flows = {65536, 65536},
		.opened = {131072, 131072},
		.opened_shift = {3, 3},
		.gateway6 = {htonl(0xfe800000), 0, 0, htonl(1)},
	};
	memcpy(ret->host_mac, host_mac, sizeof(host_mac));
}

static int open_all(struct progrun *progrun, const struct settings *settings)
{
	progrun->from_endpoint = from_endpoint_bpf__open();
	progrun->to_endpoint = to_endpoint_bpf__open();
	progrun->from_uplink = from_uplink_bpf__open();
	progrun->to_uplink = to_uplink_bpf__open();
	progrun->screen = screen_bpf__open();
	progrun->sweep = sweep_bpf__open();
	if (!progrun->from_endpoint || !progrun->to_endpoint || !progrun->from_uplink ||
	    !progrun->to_uplink || !progrun->screen || !progrun->sweep)
		return -errno;
	progrun->from_endpoint->rodata->settings = *settings;
	progrun->to_endpoint->rodata->settings = *settings;
	progrun->from_uplink->rodata->settings = *settings;
	progrun->to_uplink->rodata->settings = *settings;
	progrun->screen->rodata->settings = *settings;
	progrun->sweep->rodata->settings = *settings;
	int r = size_maps(progrun->from_endpoint->obj, settings);
	if (r == 0)
		r = load(progrun, progrun->from_endpoint->obj);
	if (r == 0)
		r = load(progrun, progrun->to_endpoint->obj);
	if (r == 0)
		r = load(progrun, progrun->from_uplink->obj);
	if (r == 0)
		r = load(progrun, progrun->to_uplink->obj);
	if (r == 0)
		r = load(progrun, progrun->screen->obj);
	if (r == 0)
		r = load(progrun, progrun->sweep->obj);
	if (r < 0)
		return r;
	progrun->program[FROM_ENDPOINT] = bpf_program__fd(progrun->from_endpoint->progs.from_endpoint);
	progrun->program[TO_ENDPOINT] = bpf_program__fd(progrun->to_endpoint->progs.to_endpoint);
	progrun->program[FROM_UPLINK] = bpf_program__fd(progrun->from_uplink->progs.from_uplink);
	progrun->program[TO_UPLINK] = bpf_program__fd(progrun->to_uplink->progs.to_uplink);
	progrun->program[SCREEN_UPLINK] = bpf_program__fd(progrun->screen->progs.screen_uplink);
	progrun->program[SWEEP_FLOWS] = bpf_program__fd(progrun->sweep->progs.sweep_flows);
	progrun->program[PURGE_FLOWS] = bpf_program__fd(progrun->sweep->progs.purge_flows);
	progrun->cpus = libbpf_num_possible_cpus();
	progrun->events = ring_buffer__new(progrun_map(progrun, "events"), store_event, progrun, NULL);
	return progrun->cpus > 0 && progrun->events ? 0 : -errno;
}

struct progrun *progrun_open(const struct settings *settings)
{
	struct progrun *progrun = calloc(1, sizeof(*progrun));
	if (!progrun)
		return NULL;
	int r = open_all(progrun, settings);
	if (r == 0)
		return progrun;
	fprintf(stderr, "# the BPF objects cannot be loaded: %s\n", strerror(-r));
	progrun_close(progrun);
	return NULL;
}

void progrun_close(struct progrun *progrun)
{
	if (!progrun)
		return;
	ring_buffer__free(progrun->events);
	from_endpoint_bpf__destroy(progrun->from_endpoint);
	to_endpoint_bpf__destroy(progrun->to_endpoint);
	from_uplink_bpf__destroy(progrun->from_uplink);
	to_uplink_bpf__destroy(progrun->to_uplink);
	screen_bpf__destroy(progrun->screen);
	sweep_bpf__destroy(progrun->sweep);
	free(progrun->values);
	free(progrun->keys);
	free(progrun);
}

int progrun_program(const struct progrun *progrun, enum program program)
{
	return progrun->program[program];
}

struct bpf_object *progrun_object(const struct progrun *progrun)
{
	return progrun->from_endpoint->obj;
}

static struct shared_map *known_map(struct progrun *progrun, const char *name)
{
	struct shared_map *map = find_map(progrun, name);
	if (!map)
		fail_msg("no object has a map \"%s\"", name);
	return map;
}

int progrun_map(struct progrun *progrun, const char *map)
{
	return known_map(progrun, map)->fd;
}

__u32 progrun_capacity(struct progrun *progrun, const char *map)
{
	return known_map(progrun, map)->capacity;
}

void progrun_put(struct progrun *progrun, const char *map, const void *key, const void *value)
{
	int r = bpf_map_update_elem(progrun_map(progrun, map), key, value, BPF_ANY);
	if (r < 0)
		fail_msg("cannot write into map %s: %s", map, strerror(-r));
}

bool progrun_get(struct progrun *progrun, const char *map, const void *key, void *ret_value)
{
	return bpf_map_lookup_elem(progrun_map(progrun, map), key, ret_value) == 0;
}

void progrun_delete(struct progrun *progrun, const char *map, const void *key)
{
	bpf_map_delete_elem(progrun_map(progrun, map), key);
}

unsigned int progrun_count(struct progrun *progrun, const char *map)
{
	__u8 key[64];
	unsigned int count = 0;
	int fd = progrun_map(progrun, map);
	for (int r = bpf_map_get_next_key(fd, NULL, key); r == 0; r = bpf_map_get_next_key(fd, key, key))
		count++;
	return count;
}

unsigned int progrun_first(struct progrun *progrun, const char *map, void *ret_key, void *ret_value)
{
	if (bpf_map_get_next_key(progrun_map(progrun, map), NULL, ret_key) == 0)
		progrun_get(progrun, map, ret_key, ret_value);
	return progrun_count(progrun, map);
}

void progrun_clear(struct progrun *progrun, const char *map)
{
	__u8 key[64];
	int fd = progrun_map(progrun, map);
	while (bpf_map_get_next_key(fd, NULL, key) == 0)
		bpf_map_delete_elem(fd, key);
}

struct traffic progrun_traffic(struct progrun *progrun, const char *map, const void *key)
{
	struct traffic *values = calloc(progrun->cpus, sizeof(*values)), total = {0};
	assert_non_null(values);
	if (progrun_get(progrun, map, key, values)) {
		for (int cpu = 0; cpu < progrun->cpus; cpu++) {
			total.packets += values[cpu].packets;
			total.bytes += values[cpu].bytes;
		}
	}
	free(values);
	return total;
}

/* Values of all CPUs side by side, as the kernel hands them out. */
static struct traffic *per_cpu_values(struct progrun *progrun, __u32 count)
{
	size_t needed = (size_t)count * progrun->cpus;
	if (needed > progrun->value_room) {
		free(progrun->values);
		progrun->values = calloc(needed, sizeof(*progrun->values));
		assert_non_null(progrun->values);
		progrun->value_room = needed;
	}
	return progrun->values;
}

void progrun_zero(struct progrun *progrun, const char *map)
{
	enum { AT_ONCE = 1024, ROOM = AT_ONCE * 64 * sizeof(__u64) };
	static const __u8 zeros[ROOM];
	const struct bpf_map *found = bpf_object__find_map_by_name(progrun_object(progrun), map);
	__u32 keys[AT_ONCE], capacity = bpf_map__max_entries(found), count, most;
	most = ROOM / (progrun->cpus * ((bpf_map__value_size(found) + 7) / 8 * 8));
	assert_true(most > 0);
	most = most < AT_ONCE ? most : AT_ONCE;
	for (__u32 first = 0; first < capacity; first += count) {
		count = capacity - first < most ? capacity - first : most;
		for (__u32 i = 0; i < count; i++)
			keys[i] = first + i;
		int r = bpf_map_update_batch(progrun_map(progrun, map), keys, zeros, &count, NULL);
		if (r < 0)
			fail_msg("cannot write into map %s: %s", map, strerror(-r));
	}
}

void progrun_counters(struct progrun *progrun, const char *map, __u32 count, struct traffic *ret)
{
	struct traffic *values = per_cpu_values(progrun, count);
	__u32 next, found = count;
	if (progrun->key_room < count) {
		free(progrun->keys);
		progrun->keys = calloc(count, sizeof(*progrun->keys));
		assert_non_null(progrun->keys);
		progrun->key_room = count;
	}
	memset(ret, 0, count * sizeof(*ret));
	if (!count)
		return;
	/* -ENOENT: that was the end of the map. */
	int r = bpf_map_lookup_batch(progrun_map(progrun, map), NULL, &next, progrun->keys, values, &found,
				     NULL);
	if (r < 0 && r != -ENOENT)
		fail_msg("cannot read map %s: %s", map, strerror(-r));
	for (__u32 i = 0; i < found; i++) {
		for (int cpu = 0; cpu < progrun->cpus; cpu++) {
			ret[progrun->keys[i]].packets += values[i * progrun->cpus + cpu].packets;
			ret[progrun->keys[i]].bytes += values[i * progrun->cpus + cpu].bytes;
		}
	}
}

unsigned int progrun_events(struct progrun *progrun, struct packet_event *ret, unsigned int capacity)
{
	progrun->event_store = ret;
	progrun->event_capacity = capacity;
	progrun->event_count = 0;
	ring_buffer__consume(progrun->events);
	return progrun->event_count;
}

static int action_of_xdp(__u32 action)
{
	return action == XDP_PASS ? TC_ACT_OK : TC_ACT_SHOT;
}

void progrun_packet(struct progrun *progrun, const struct hook *hook, const struct packet *packet,
		    struct run *ret)
{
	progrun_super_packet(progrun, hook, packet, 0, ret);
}

void progrun_super_packet(struct progrun *progrun, const struct hook *hook, const struct packet *packet,
			  __u32 gso_size, struct run *ret)
{
	struct traffic before[DROP_REASON_COUNT], after[DROP_REASON_COUNT];
	struct __sk_buff in = {.ifindex = hook->ifindex,
			       .ingress_ifindex = hook->ingress,
			       .mark = hook->mark,
			       .gso_size = gso_size,
			       .gso_segs = gso_size ? 2 : 0};
	struct __sk_buff out = {0};
	struct xdp_md xdp = {.data_end = packet->length, .ingress_ifindex = hook->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->data, .data_size_in = packet->length,
		    .data_out = ret->packet.data, .data_size_out = sizeof(ret->packet.data), .ctx_in = &in,
		    .ctx_size_in = sizeof(in), .ctx_out = &out, .ctx_size_out = sizeof(out), .repeat = 1);
	progrun_counters(progrun, "drop_totals", DROP_REASON_COUNT, before);
	if (hook->program == SCREEN_UPLINK) {
		options.ctx_in = &xdp;
		options.ctx_size_in = sizeof(xdp);
		options.ctx_out = NULL;
		options.ctx_size_out = 0;
	}
	int r = bpf_prog_test_run_opts(progrun->program[hook->program], &options);
	if (r < 0)
		fail_msg("the kernel cannot run the program on this packet: %s", strerror(-r));
	progrun_counters(progrun, "drop_totals", DROP_REASON_COUNT, after);
	ret->action = hook->program == SCREEN_UPLINK ? action_of_xdp(options.retval) : (int)options.retval;
	ret->mark = out.mark;
	ret->packet.length = options.data_size_out;
	ret->reason = DROP_NONE;
	ret->drops = 0;
	for (unsigned int reason = 0; reason < DROP_REASON_COUNT; reason++) {
		ret->drops += after[reason].packets - before[reason].packets;
		if (after[reason].packets != before[reason].packets)
			ret->reason = reason;
	}
}

void progrun_sweep(struct progrun *progrun, enum program program, struct sweep *sweep)
{
	/* The kernel writes such a program's context back to where it was read. */
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = sweep, .ctx_size_in = sizeof(*sweep));
	int r = bpf_prog_test_run_opts(progrun->program[program], &options);
	if (r < 0)
		fail_msg("the kernel cannot run the sweep: %s", strerror(-r));
	assert_int_equal(options.retval, 0);
}
