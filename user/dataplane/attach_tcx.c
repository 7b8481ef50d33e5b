/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcx and XDP links, held and pinned: they stay while either the daemon or the pin does, no `tc` or `ip`
 * command removes them, and they vanish with their interface. An interface that was made anew under the same
 * name leaves a dead pin behind, which the index in the link's information gives away.
 */
#include "dataplane/attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#define FOLDER "links/"

#define LINKS_AT_ONCE 256 /* asked in one turn: each costs a microsecond or two */

/* Of Linux 6.6; Debian 12's headers are older. */
#define ATTACH_TYPE_TCX_INGRESS 46
#define ATTACH_TYPE_TCX_EGRESS	47
#define LINK_TYPE_TCX		11
#define ATTACH_BEFORE		(1U << 3)

struct tcx_info {      /* `tcx` in the union of struct bpf_link_info */
	__u32 ifindex; /* 0: detached, or the interface is gone; so it is in `xdp` */
	__u32 attach_type;
};

static const enum bpf_attach_type attach_type[HOOK_COUNT + 1] = {
	[HOOK_INGRESS] = ATTACH_TYPE_TCX_INGRESS,
	[HOOK_EGRESS] = ATTACH_TYPE_TCX_EGRESS,
	[HOOK_XDP] = BPF_XDP,
};

/*
 * Ahead of all others: a program that ran before ours could accept a packet that we would drop. XDP only in
 * the driver: elsewhere it costs more than it saves.
 */
static const __u32 attach_flags[HOOK_COUNT + 1] = {
	[HOOK_INGRESS] = ATTACH_BEFORE,
	[HOOK_EGRESS] = ATTACH_BEFORE,
	[HOOK_XDP] = XDP_FLAGS_DRV_MODE,
};

static const char *const pin_suffix[HOOK_COUNT + 1] = {
	[HOOK_INGRESS] = "_in",
	[HOOK_EGRESS] = "_out",
	[HOOK_XDP] = "_xdp",
};

#define LINK_NAME (IFNAMSIZ + sizeof("_xdp"))

static const char *link_name(char name[LINK_NAME], const struct attach_point *point)
{
	snprintf(name, LINK_NAME, "%.*s%s", IFNAMSIZ - 1, point->name, pin_suffix[point->hook]);
	/* bpffs refuses dots; no interface has a ':' in its name (dev_valid_name()). */
	for (char *c = name; *c; c++)
		*c = *c == '.' ? ':' : *c;
	return name;
}

/* 0: neither a tcx nor an XDP link. Its interface index is 0 when the link is detached or the interface gone.
 */
static int read_link(int fd, struct tcx_info *ret_tcx, __u32 *ret_prog_id)
{
	struct bpf_link_info info = {0};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) ||
	    (info.type != LINK_TYPE_TCX && info.type != BPF_LINK_TYPE_XDP))
		return 0;
	memcpy(ret_tcx, &info.xdp, sizeof(*ret_tcx));
	if (info.type == BPF_LINK_TYPE_XDP)
		ret_tcx->attach_type = BPF_XDP;
	*ret_prog_id = info.prog_id;
	return 1;
}

/* The held link, borrowed; ret_prog_id is 0 unless it is alive on exactly this hook. -ENOENT: none. */
static int link_find(const struct attach_point *point, __u32 *ret_prog_id)
{
	struct tcx_info tcx;
	char name[LINK_NAME];
	int fd = pins_get(point->pins, FOLDER, link_name(name, point));
	__u32 prog_id;

	*ret_prog_id = 0;
	if (fd >= 0 && read_link(fd, &tcx, &prog_id) && tcx.ifindex == (__u32)point->ifindex &&
	    tcx.attach_type == attach_type[point->hook])
		*ret_prog_id = prog_id;
	return fd;
}

static int tcx_set(const struct attach_point *point, int prog_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = attach_flags[point->hook]);
	char name[LINK_NAME];
	__u32 prog_id;
	int fd, rc;

	fd = link_find(point, &prog_id);
	if (fd >= 0 && prog_id)
		return bpf_link_update(fd, prog_fd, NULL) ? -errno : 0;
	fd = bpf_link_create(prog_fd, point->ifindex, attach_type[point->hook], &opts);
	if (fd < 0)
		return -errno;
	rc = pins_put(point->pins, FOLDER, link_name(name, point), fd);
	close(fd); /* neither pinned nor held, it ends here */
	return rc;
}

static int tcx_get(const struct attach_point *point, __u32 *ret_prog_id)
{
	link_find(point, ret_prog_id);
	return 0;
}

/* The pin's link is alive on another interface: one of this name was deleted and made again. */
static bool is_of_another(int fd, const struct attach_point *point)
{
	struct tcx_info tcx;
	__u32 prog_id;

	return read_link(fd, &tcx, &prog_id) && tcx.ifindex && tcx.ifindex != (__u32)point->ifindex;
}

static int tcx_remove(const struct attach_point *point)
{
	char name[LINK_NAME];
	__u32 prog_id;
	int fd = link_find(point, &prog_id);

	if (fd >= 0 && is_of_another(fd, point))
		return 0;
	/* Whoever else holds the link open: the program shall be off the interface. */
	if (fd >= 0 && prog_id)
		bpf_link_detach(fd);
	return pins_remove(point->pins, FOLDER, link_name(name, point));
}

struct prune {
	struct pins *pins;
	bool all;
};

static void prune_link(void *arg, const char *name, int fd)
{
	const struct prune *prune = arg;
	struct tcx_info tcx = {0};
	__u32 prog_id;

	if (read_link(fd, &tcx, &prog_id) && tcx.ifindex && prune->all)
		bpf_link_detach(fd);
	if (!tcx.ifindex || prune->all)
		pins_remove(prune->pins, FOLDER, name);
}

void attach_tcx_prune(struct pins *pins, bool all)
{
	struct prune prune = {.pins = pins, .all = all};

	pins_each(pins, FOLDER, prune_link, &prune);
}

struct lost {
	bool (*is_own)(void *arg, __u32 prog_id);
	void *arg;
	size_t first, end; /* of those that are asked */
	size_t seen;
	int count;
};

static void count_lost(void *arg, const char *name, int fd)
{
	struct lost *lost = arg;
	struct tcx_info tcx = {0};
	__u32 prog_id;
	size_t number = lost->seen++;

	if (number < lost->first || number >= lost->end)
		return;
	if (!read_link(fd, &tcx, &prog_id) || !tcx.ifindex || !lost->is_own(lost->arg, prog_id))
		lost->count++;
}

int attach_tcx_lost(struct pins *pins, size_t *cursor, bool (*is_own)(void *arg, __u32 prog_id), void *arg)
{
	struct lost lost = {.is_own = is_own, .arg = arg, .first = *cursor, .end = *cursor + LINKS_AT_ONCE};

	pins_each(pins, FOLDER, count_lost, &lost);
	*cursor = lost.end < lost.seen ? lost.end : 0;
	return lost.count;
}

bool attach_tcx_probe(void)
{
	/* Kernels without tcx do not know the attach type (-EINVAL); the others miss the interface (-ENODEV).
	 */
	LIBBPF_OPTS(bpf_prog_query_opts, opts);

	return bpf_prog_query_opts(INT32_MAX, attach_type[HOOK_INGRESS], &opts) && errno == ENODEV;
}

const struct attach_ops attach_tcx = {
	.name = "tcx",
	.set = tcx_set,
	.get = tcx_get,
	.remove = tcx_remove,
};
