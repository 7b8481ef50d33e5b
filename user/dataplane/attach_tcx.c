/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcx and XDP links, pinned: they outlive the daemon, no `tc` or `ip` command removes them, and they vanish
 * with their interface. An interface that was made anew under the same name leaves a dead pin behind, which
 * the index in the link's information gives away.
 */
#include "dataplane/attach.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include "dataplane/bpffs.h"

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

static int link_path(char path[PIN_PATH], const struct attach_point *point)
{
	char name[IFNAMSIZ + sizeof("_xdp")];

	snprintf(name, sizeof(name), "%.*s%s", IFNAMSIZ - 1, point->name, pin_suffix[point->hook]);
	/* bpffs refuses dots; no interface has a ':' in its name (dev_valid_name()). */
	for (char *c = name; *c; c++)
		*c = *c == '.' ? ':' : *c;
	return pin_path(path, point->bpffs, "links/", name);
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

/* Opens the pin; ret_prog_id is 0 unless it is a live link on exactly this hook. -ENOENT: no pin. */
static int link_open(const char *path, const struct attach_point *point, __u32 *ret_prog_id)
{
	struct tcx_info tcx;
	int fd = bpf_obj_get(path);
	__u32 prog_id;

	*ret_prog_id = 0;
	if (fd < 0)
		return -errno;
	if (read_link(fd, &tcx, &prog_id) && tcx.ifindex == (__u32)point->ifindex &&
	    tcx.attach_type == attach_type[point->hook])
		*ret_prog_id = prog_id;
	return fd;
}

static int tcx_set(const struct attach_point *point, int prog_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = attach_flags[point->hook]);
	char path[PIN_PATH];
	__u32 prog_id;
	int fd, rc;

	rc = link_path(path, point);
	if (rc)
		return rc;
	fd = link_open(path, point, &prog_id);
	if (fd >= 0 && prog_id) {
		rc = bpf_link_update(fd, prog_fd, NULL) ? -errno : 0;
		close(fd);
		return rc;
	}
	if (fd >= 0)
		close(fd);
	fd = bpf_link_create(prog_fd, point->ifindex, attach_type[point->hook], &opts);
	if (fd < 0)
		return -errno;
	rc = pin_replace(fd, path);
	close(fd); /* unpinned, it ends here */
	return rc;
}

static int tcx_get(const struct attach_point *point, __u32 *ret_prog_id)
{
	char path[PIN_PATH];
	int fd, rc;

	*ret_prog_id = 0;
	rc = link_path(path, point);
	if (rc)
		return rc;
	fd = link_open(path, point, ret_prog_id);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	close(fd);
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
	char path[PIN_PATH];
	__u32 prog_id;
	int fd, rc;

	rc = link_path(path, point);
	if (rc)
		return rc;
	fd = link_open(path, point, &prog_id);
	if (fd == -ENOENT)
		return 0;
	if (fd >= 0 && is_of_another(fd, point)) {
		close(fd);
		return 0;
	}
	if (fd >= 0) {
		/* Whoever else holds the link open: the program shall be off the interface. */
		if (prog_id)
			bpf_link_detach(fd);
		close(fd);
	}
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

void attach_tcx_prune(const char *bpffs, bool all)
{
	char folder[PIN_PATH], path[PIN_PATH];
	struct dirent *entry;
	DIR *dir;

	if (pin_path(folder, bpffs, "links/", ""))
		return;
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		struct tcx_info tcx = {0};
		__u32 prog_id;
		int fd;

		if (entry->d_name[0] == '.' || pin_path(path, bpffs, "links/", entry->d_name))
			continue;
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		if (read_link(fd, &tcx, &prog_id) && tcx.ifindex && all)
			bpf_link_detach(fd);
		if (!tcx.ifindex || all)
			unlink(path);
		close(fd);
	}
	if (dir)
		closedir(dir);
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
