/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The dataplane object: one generation of programs and maps. */
#include "dataplane/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <sys/random.h>

#include "dataplane/blame.h"
#include "dataplane/bpffs.h"

/* Default of IptablesMarkMask, of which Felix took the lowest bits as well. */
#define DEFAULT_MARK_MASK 0xff000000u

/* Much longer than a daemon that lives takes between two sweeps. */
#define SWEEP_ALONE_S 60

/* The kernel tells its tick through the resolution of its coarse clocks. */
static __u32 kernel_hz(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) || tick.tv_sec || tick.tv_nsec <= 0)
		return 250;
	return (__u32)((1000000000L + tick.tv_nsec / 2) / tick.tv_nsec);
}

static void set_marks(struct settings *settings)
{
	__u32 *const marks[] = {&settings->mark_approved, &settings->mark_nat_out, &settings->mark_to_host};
	const int count = sizeof(marks) / sizeof(marks[0]);
	__u32 mask = settings->mark_mask;

	if (__builtin_popcount(mask) < count)
		mask = DEFAULT_MARK_MASK;
	settings->mark_mask = 0;
	for (int i = 0; i < count; i++) {
		*marks[i] = mask & -mask;
		mask &= ~*marks[i];
		settings->mark_mask |= *marks[i];
	}
}

static int fill_settings(struct settings *settings, const struct settings *wanted, struct err *err)
{
	static const __u8 host_mac[] = {HOST_MAC}, gateway4[] = {169, 254, 1, 1};
	static const __u8 gateway6[16] = {0xfe, 0x80, [15] = 1};

	*settings = *wanted;
	if (getrandom(&settings->generation_base, sizeof(settings->generation_base), 0) !=
	    sizeof(settings->generation_base))
		return err_set(err, errno, "cannot read random bytes: %s", strerror(errno));
	settings->hz = kernel_hz();
	set_marks(settings);
	if (!settings->sweep_alone_s)
		settings->sweep_alone_s = SWEEP_ALONE_S;
	memcpy(settings->host_mac, host_mac, sizeof(host_mac));
	memcpy(&settings->gateway4, gateway4, sizeof(gateway4));
	memcpy(settings->gateway6, gateway6, sizeof(gateway6));
	return 0;
}

static int read_program_id(int fd, __u32 *ret, struct err *err)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return err_set(err, errno, "cannot read back the loaded program: %s", strerror(errno));
	*ret = info.id;
	return 0;
}

static int read_program_ids(struct dataplane *dp, struct err *err)
{
	int rc = read_program_id(dp->programs.screen_uplink, &dp->screen_id, err);

	for (int i = 0; !rc && i < ROLE_COUNT * HOOK_COUNT; i++) {
		int role = i / HOOK_COUNT, hook = i % HOOK_COUNT;

		rc = read_program_id(dp->programs.hook[role][hook], &dp->prog_id[role][hook], err);
	}
	return rc;
}

static int choose_attach(struct dataplane *dp, enum attach_mode mode, struct err *err)
{
	bool tcx = mode != ATTACH_CLSACT && attach_tcx_probe();
	struct blame blame;
	int rc;

	/* Without them the answer to the probe says nothing. */
	blame_read(&blame);
	rc = blame_capabilities(&blame, err);
	if (rc)
		return rc;
	if (mode == ATTACH_TCX && !tcx)
		return err_set(err, EOPNOTSUPP, "this kernel has no tcx links (Linux 6.6); use clsact");
	dp->attach = tcx ? &attach_tcx : &attach_clsact;
	dp->other_attach = tcx ? &attach_clsact : &attach_tcx;
	return 0;
}

int dataplane_claim(const char *bpffs, struct err *err)
{
	int fd, directory = bpffs_prepare(bpffs, err);

	if (directory < 0)
		return directory;
	fd = bpffs_claim(bpffs, err);
	close(directory);
	return fd;
}

static int dataplane_init(struct dataplane *dp, const struct dataplane_config *config, struct err *err)
{
	struct map_plan plan[MAP_PLANS];
	int rc;

	dp->interface_prefix = strdup(config->interface_prefix);
	if (!dp->interface_prefix)
		return err_set(err, ENOMEM, "out of memory while opening the dataplane");
	maps_plan(config, plan);
	dp->endpoint_capacity = maps_entries(plan, "endpoint");
	rc = fill_settings(&dp->settings, &config->settings, err);
	maps_settings(plan, &dp->settings);
	if (!rc)
		rc = choose_attach(dp, config->attach, err);
	if (!rc)
		rc = netlink_open(&dp->netlink, err);
	if (rc)
		return rc;
	dp->pins = config->pins;
	dp->own_pins = !dp->pins;
	if (dp->own_pins)
		rc = pins_open(config->bpffs, &dp->pins, err);
	if (!rc)
		rc = programs_load(&dp->programs, plan, dp->pins, &dp->settings, err);
	if (!rc)
		rc = read_program_ids(dp, err);
	if (rc)
		return rc;
	flows_init(dp);
	rc = sink_init(&dp->sink, &dp->programs);
	if (rc)
		return err_set(err, -rc, "cannot prepare the policy maps: %s", strerror(-rc));
	return screen_init(dp, err);
}

int dataplane_open(const struct dataplane_config *config, struct dataplane **ret, struct err *err)
{
	struct dataplane *dp = calloc(1, sizeof(*dp));
	int rc;

	if (!dp)
		return err_set(err, ENOMEM, "out of memory while opening the dataplane");
	for (int i = 0; i < FLOW_TABLES; i++)
		dp->flow_tables.earlier[i] = -1;
	rc = dataplane_init(dp, config, err);
	if (rc) {
		dataplane_close(dp);
		return rc;
	}
	*ret = dp;
	return 0;
}

void dataplane_close(struct dataplane *dp)
{
	if (!dp)
		return;
	netfilter_free(dp->netfilter);
	flows_done(dp);
	sink_done(&dp->sink);
	programs_unload(&dp->programs);
	netlink_close(dp->netlink);
	if (dp->own_pins)
		pins_close(dp->pins);
	free(dp->interface_prefix);
	free(dp);
}

const struct policy_sink *dataplane_sink(struct dataplane *dp)
{
	return &dp->sink.ops;
}

__u32 dataplane_endpoint_capacity(const struct dataplane *dp)
{
	return dp->endpoint_capacity;
}

const char *dataplane_attach_mode(const struct dataplane *dp)
{
	return dp->attach->name;
}

/* Takes the interface of the slot's present entry out of `interface`, unless another slot has claimed it. */
static void unmap_interface(struct dataplane *dp, __u32 slot, const struct endpoint *old)
{
	int map = programs_map(&dp->programs, "interface");
	struct interface entry;

	if (old->ifindex && !bpf_map_lookup_elem(map, &old->ifindex, &entry) && entry.endpoint == slot)
		bpf_map_delete_elem(map, &old->ifindex);
}

int dataplane_set_endpoint(struct dataplane *dp, __u32 slot, const struct endpoint *endpoint, struct err *err)
{
	static const struct endpoint none;
	int map = programs_map(&dp->programs, "endpoint");
	struct interface entry = {.endpoint = slot};
	struct endpoint old;

	if (slot == 0 || slot >= dp->endpoint_capacity)
		return err_set(err, EINVAL, "endpoint slot %u is not within 1..%u", slot,
			       dp->endpoint_capacity - 1);
	if (!bpf_map_lookup_elem(map, &slot, &old) && (!endpoint || old.ifindex != endpoint->ifindex))
		unmap_interface(dp, slot, &old);
	if (bpf_map_update_elem(map, &slot, endpoint ? endpoint : &none, BPF_ANY))
		return err_set(err, errno, "cannot write endpoint slot %u: %s", slot, strerror(errno));
	if (endpoint && endpoint->ifindex &&
	    bpf_map_update_elem(programs_map(&dp->programs, "interface"), &endpoint->ifindex, &entry,
				BPF_ANY))
		return err_set(err, errno, "cannot register the interface %s of endpoint slot %u: %s",
			       endpoint->name, slot, strerror(errno));
	return 0;
}

int dataplane_set_failsafe(struct dataplane *dp, enum failsafe direction, const __u16 *ports, size_t count,
			   struct err *err)
{
	struct portset set = {0};
	__u32 key = direction;

	for (size_t i = 0; i < count; i++)
		set.word[ports[i] / 64] |= 1ULL << (ports[i] % 64);
	if (bpf_map_update_elem(programs_map(&dp->programs, "failsafe"), &key, &set, BPF_ANY))
		return err_set(err, errno, "cannot write the failsafe ports: %s", strerror(errno));
	return 0;
}
