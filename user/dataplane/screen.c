/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Screening of what arrives at uplinks: by XDP or by TC, and the block list. */
#include "dataplane/internal.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

static int screening_write(struct dataplane *dp)
{
	static const __u32 first;

	return bpf_map_update_elem(programs_map(&dp->programs, "screening"), &first, &dp->screening, BPF_ANY)
		       ? -errno
		       : 0;
}

int screen_init(struct dataplane *dp, struct err *err)
{
	int rc;

	dp->screening.serial = 1;
	rc = screening_write(dp);
	return rc ? err_set(err, -rc, "cannot prepare the screening at uplinks: %s", strerror(-rc)) : 0;
}

void screen_choose(struct dataplane *dp)
{
	int map = programs_map(&dp->programs, "uplink");
	struct uplink entry;
	__u32 key, by_tc = 0;

	for (int end = bpf_map_get_next_key(map, NULL, &key); !end;
	     end = bpf_map_get_next_key(map, &key, &key)) {
		if (!bpf_map_lookup_elem(map, &key, &entry))
			by_tc |= !entry.xdp;
	}
	if (by_tc == dp->screening.by_tc)
		return;
	dp->screening.by_tc = by_tc;
	screening_write(dp);
}

/* From the moment on that XDP screens, TC need not; the other way round, it must do so before. */
static int uplink_write(struct dataplane *dp, int ifindex, bool xdp)
{
	int map = programs_map(&dp->programs, "uplink");
	struct uplink entry;

	if (bpf_map_lookup_elem(map, &ifindex, &entry))
		return -errno;
	entry.xdp = xdp;
	if (bpf_map_update_elem(map, &ifindex, &entry, BPF_EXIST))
		return -errno;
	screen_choose(dp);
	return 0;
}

int dataplane_screen_uplink(struct dataplane *dp, int ifindex, const char *name, bool xdp, struct err *err)
{
	struct attach_point point = {.pins = dp->pins, .ifindex = ifindex, .name = name, .hook = HOOK_XDP};
	int rc = xdp ? attach_tcx.set(&point, dp->programs.screen_uplink) : 0;

	if (xdp && !rc)
		rc = uplink_write(dp, ifindex, true);
	if (xdp && !rc)
		return 0;
	if (rc == -EOPNOTSUPP)
		err_set(err, EOPNOTSUPP, "the driver of %s has no XDP", name);
	else if (rc == -EBUSY)
		err_set(err, EBUSY, "another XDP program is on %s", name);
	else if (rc)
		err_set(err, -rc, "XDP does not work on %s: %s", name, strerror(-rc));
	uplink_write(dp, ifindex, false);
	attach_tcx.remove(&point);
	return rc;
}

bool dataplane_is_screened(struct dataplane *dp, int ifindex, const char *name)
{
	const struct attach_point point = {
		.pins = dp->pins, .ifindex = ifindex, .name = name, .hook = HOOK_XDP};
	__u32 id;

	return !attach_tcx.get(&point, &id) && id == dp->screen_id;
}

union blocked_key {
	struct prefix4_key v4;
	struct prefix6_key v6;
};

static const char *blocked_map(const struct cidr *source, union blocked_key *key)
{
	*key = (union blocked_key){.v4 = {.prefix_length = source->length}};
	if (source->addr.family == 4)
		memcpy(key->v4.address, source->addr.bytes, sizeof(key->v4.address));
	else
		memcpy(key->v6.address, source->addr.bytes, sizeof(key->v6.address));
	return source->addr.family == 4 ? "blocked4" : "blocked6";
}

int dataplane_block(struct dataplane *dp, const struct cidr *source, bool blocked, struct err *err)
{
	static const struct blocked entry = {.blocked = 1};
	union blocked_key key;
	int map = programs_map(&dp->programs, blocked_map(source, &key)), rc;
	char text[CIDR_TEXT];

	rc = blocked ? bpf_map_update_elem(map, &key, &entry, BPF_NOEXIST) : bpf_map_delete_elem(map, &key);
	if (rc && (errno == EEXIST || errno == ENOENT))
		return 0;
	if (rc)
		return err_set(err, errno, "cannot %s %s: %s", blocked ? "block" : "unblock",
			       cidr_format(source, text),
			       errno == ENOSPC ? "the block list is full" : strerror(errno));
	dp->blocked += blocked ? 1 : -1;
	/* Programs read the number before the list: what was concluded from the old one is void. */
	dp->screening.serial += dp->screening.serial == UINT32_MAX ? 2 : 1;
	rc = screening_write(dp);
	return rc ? err_set(err, -rc, "cannot put the block list in force: %s", strerror(-rc)) : 0;
}

__u32 dataplane_blocked(const struct dataplane *dp)
{
	return dp->blocked;
}
