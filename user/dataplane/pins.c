/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pins and the descriptors of what is pinned. inotify tells of deleted and renamed pins. It does not tell of
 * a bpffs that is unmounted lazily, so /proc/self/mountinfo is polled for that, which has an event of its
 * own.
 */
#include "dataplane/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <event2/event.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <uthash.h>

#include "dataplane/bpffs.h"
#include "util/task.h"

/* From the last event to the repair, so that a whole directory is gone by then; and from the first one. */
#define SETTLE_MS 100
#define REPAIR_MS 500

#define LOSSES (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR)

static const char *const folders[] = {"", "links/", "programs/"};
#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

struct pin {
	int fd;	      /* owned */
	bool suspect; /* something happened to its name */
	UT_hash_handle hh;
	char path[]; /* folder and name */
};

struct pins {
	char *bpffs;
	int directory_fd; /* see bpffs_prepare(); -1: borrowed */
	struct pin *pins;

	int inotify_fd, mounts_fd, epoll_fd;
	int watch[FOLDERS]; /* of inotify, by folder */
	struct event *changed, *mounted, *settled;
	int64_t first; /* event that is not settled, in ms; 0: none */
	void (*restored)(void *arg, int count, const struct err *err);
	void *arg;
};

/* ---- the held objects ---- */

static int full_path(const struct pins *pins, const struct pin *pin, char path[PIN_PATH])
{
	return pin_path(path, pins->bpffs, "", pin->path);
}

static struct pin *find(const struct pins *pins, const char *folder, const char *name)
{
	struct pin *pin;
	char path[PIN_PATH];

	if (snprintf(path, sizeof(path), "%s%s", folder, name) >= (int)sizeof(path))
		return NULL;
	HASH_FIND_STR(pins->pins, path, pin);
	return pin;
}

static void forget(struct pins *pins, struct pin *pin)
{
	HASH_DEL(pins->pins, pin);
	close(pin->fd);
	free(pin);
}

/* Takes the descriptor, also on failure. */
static int hold(struct pins *pins, const char *folder, const char *name, int fd)
{
	struct pin *pin = find(pins, folder, name);
	size_t length = strlen(folder) + strlen(name);

	if (pin) {
		close(pin->fd);
		pin->fd = fd;
		return 0;
	}
	pin = calloc(1, sizeof(*pin) + length + 1);
	if (!pin) {
		close(fd);
		return -ENOMEM;
	}
	pin->fd = fd;
	snprintf(pin->path, length + 1, "%s%s", folder, name);
	HASH_ADD_STR(pins->pins, path, pin);
	return 0;
}

int pins_get(const struct pins *pins, const char *folder, const char *name)
{
	const struct pin *pin = find(pins, folder, name);

	return pin ? pin->fd : -ENOENT;
}

int pins_put(struct pins *pins, const char *folder, const char *name, int fd)
{
	char path[PIN_PATH];
	int rc = pin_path(path, pins->bpffs, folder, name), copy;

	if (rc)
		return rc;
	rc = pin_replace(fd, path);
	if (rc == -ENOENT && pins_restore(pins, NULL) >= 0) /* the directory was removed */
		rc = pin_replace(fd, path);
	if (rc)
		return rc;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? -errno : hold(pins, folder, name, copy);
}

int pins_remove(struct pins *pins, const char *folder, const char *name)
{
	struct pin *pin = find(pins, folder, name);
	char path[PIN_PATH];
	int rc = pin_path(path, pins->bpffs, folder, name);

	if (pin)
		forget(pins, pin);
	if (rc)
		return rc;
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

void pins_each(struct pins *pins, const char *folder, void (*fn)(void *arg, const char *name, int fd),
	       void *arg)
{
	size_t length = strlen(folder);
	struct pin *pin, *next;

	HASH_ITER (hh, pins->pins, pin, next) {
		if (!strncmp(pin->path, folder, length) && !strchr(pin->path + length, '/'))
			fn(arg, pin->path + length, pin->fd);
	}
}

/* Holds what an earlier process has pinned in one folder. */
static int hold_folder(struct pins *pins, const char *folder)
{
	char path[PIN_PATH];
	struct dirent *entry;
	int rc = pin_path(path, pins->bpffs, folder, ""), fd;
	DIR *dir = rc ? NULL : opendir(path);

	while (!rc && dir && (entry = readdir(dir))) {
		/* "NAME:new" is what pin_replace() leaves when it is interrupted. */
		if (entry->d_type == DT_DIR || strstr(entry->d_name, ":new") ||
		    pin_path(path, pins->bpffs, folder, entry->d_name))
			continue;
		fd = bpf_obj_get(path);
		if (fd >= 0)
			rc = hold(pins, folder, entry->d_name, fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
			rc = -errno;
	}
	if (dir)
		closedir(dir);
	return rc;
}

/* ---- putting them back ---- */

/* What an object is known by. 0: it has no id. */
static __u32 object_id(int fd)
{
	union {
		struct bpf_map_info map;
		struct bpf_prog_info prog;
		struct bpf_link_info link;
		__u32 first[2]; /* type and id, of all three */
	} info = {0};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.first[1];
}

static bool is_in_place(const struct pin *pin, const char *path)
{
	int fd = bpf_obj_get(path);
	bool same = fd >= 0 && object_id(fd) == object_id(pin->fd);

	if (fd >= 0)
		close(fd);
	return same;
}

/* The directories, should they or their file system be gone. */
static int restore_directories(struct pins *pins, struct err *err)
{
	int fd = bpffs_prepare(pins->bpffs, err);

	if (fd < 0)
		return fd;
	close(pins->directory_fd);
	pins->directory_fd = fd;
	return 0;
}

static void watch_folders(struct pins *pins)
{
	char path[PIN_PATH];

	if (pins->inotify_fd < 0)
		return;
	/* Of a directory that is known already the same number comes back. */
	for (size_t i = 0; i < FOLDERS; i++) {
		if (!pin_path(path, pins->bpffs, folders[i], ""))
			pins->watch[i] = inotify_add_watch(pins->inotify_fd, path, LOSSES);
	}
	/* These two tell of directories only. */
	inotify_add_watch(pins->inotify_fd, pins->bpffs, LOSSES);
	if (snprintf(path, sizeof(path), "%s/..", pins->bpffs) < (int)sizeof(path))
		inotify_add_watch(pins->inotify_fd, path, IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR);
}

static int restore(struct pins *pins, struct err *err)
{
	struct pin *pin, *next;
	char path[PIN_PATH];
	int rc, count = 0;

	rc = restore_directories(pins, err);
	if (rc)
		return rc;
	watch_folders(pins); /* first, so that nothing is lost in between */
	HASH_ITER (hh, pins->pins, pin, next) {
		if (!pin->suspect || full_path(pins, pin, path))
			continue;
		if (!is_in_place(pin, path)) {
			rc = pin_replace(pin->fd, path);
			if (rc)
				return err_set(err, -rc, "cannot pin %s again: %s", path, strerror(-rc));
			count++;
		}
		pin->suspect = false;
	}
	return count;
}

static void suspect_all(struct pins *pins)
{
	struct pin *pin, *next;

	HASH_ITER (hh, pins->pins, pin, next)
		pin->suspect = true;
}

int pins_restore(struct pins *pins, struct err *err)
{
	suspect_all(pins);
	return restore(pins, err);
}

/* ---- noticing ---- */

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = {1, 0};
	struct pins *pins = arg;
	struct err err = {""};
	int count = restore(pins, &err);

	pins->first = 0;
	if (count)
		pins->restored(pins->arg, count, &err);
	if (count < 0)
		event_add(pins->settled, &again);
}

static void settle(struct pins *pins)
{
	static const struct timeval delay = {.tv_usec = SETTLE_MS * 1000};
	int64_t now = task_clock_ms();

	if (!pins->first)
		pins->first = now;
	if (now - pins->first < REPAIR_MS - SETTLE_MS || !event_pending(pins->settled, EV_TIMEOUT, NULL))
		event_add(pins->settled, &delay);
}

/* Events about names that are not held are our own removals, or not about us. */
static void suspect(struct pins *pins, const struct inotify_event *event)
{
	struct pin *pin = NULL;

	if (event->mask & (IN_ISDIR | IN_IGNORED | IN_Q_OVERFLOW | IN_UNMOUNT)) {
		suspect_all(pins);
		settle(pins);
		return;
	}
	for (size_t i = 0; i < FOLDERS && event->len; i++) {
		if (event->wd == pins->watch[i])
			pin = find(pins, folders[i], event->name);
	}
	if (!pin)
		return;
	pin->suspect = true;
	settle(pins);
}

static void on_changed(evutil_socket_t fd, short what, void *arg)
{
	_Alignas(struct inotify_event) char buffer[4096];
	const struct inotify_event *event;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const void *)(buffer + at);
			suspect(arg, event);
		}
	}
}

static void on_mounted(evutil_socket_t fd, short what, void *arg)
{
	struct pins *pins = arg;
	struct epoll_event event;

	epoll_wait(fd, &event, 1, 0);
	if (bpffs_is_current(pins->bpffs, pins->directory_fd))
		return;
	suspect_all(pins);
	settle(pins);
}

/* libevent does not wait for EPOLLPRI, so another epoll does. */
static int watch_mounts(struct pins *pins)
{
	struct epoll_event event = {.events = EPOLLPRI};

	pins->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	pins->epoll_fd = pins->mounts_fd < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
	if (pins->epoll_fd < 0 || epoll_ctl(pins->epoll_fd, EPOLL_CTL_ADD, pins->mounts_fd, &event))
		return -errno;
	pins->mounted = event_new(task_base(), pins->epoll_fd, EV_READ | EV_PERSIST, on_mounted, pins);
	return pins->mounted && !event_add(pins->mounted, NULL) ? 0 : -ENOMEM;
}

static int watch_names(struct pins *pins)
{
	pins->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (pins->inotify_fd < 0)
		return -errno;
	watch_folders(pins);
	pins->changed = event_new(task_base(), pins->inotify_fd, EV_READ | EV_PERSIST, on_changed, pins);
	return pins->changed && !event_add(pins->changed, NULL) ? 0 : -ENOMEM;
}

int pins_watch(struct pins *pins, void (*restored)(void *arg, int count, const struct err *err), void *arg,
	       struct err *err)
{
	int rc = -ENOMEM;

	pins->restored = restored;
	pins->arg = arg;
	pins->settled = evtimer_new(task_base(), on_settled, pins);
	if (pins->settled)
		rc = watch_names(pins);
	if (!rc)
		rc = watch_mounts(pins);
	return rc ? err_set(err, -rc, "cannot watch the pins in %s: %s", pins->bpffs, strerror(-rc)) : 0;
}

/* ---- the object ---- */

static struct pins *pins_new(const char *bpffs)
{
	struct pins *pins = calloc(1, sizeof(*pins));

	if (!pins)
		return NULL;
	pins->directory_fd = pins->inotify_fd = pins->mounts_fd = pins->epoll_fd = -1;
	pins->bpffs = strdup(bpffs);
	if (!pins->bpffs) {
		pins_close(pins);
		return NULL;
	}
	return pins;
}

static int hold_all(struct pins *pins)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < FOLDERS; i++)
		rc = hold_folder(pins, folders[i]);
	return rc;
}

int pins_open(const char *bpffs, struct pins **ret, struct err *err)
{
	struct pins *pins = pins_new(bpffs);
	int rc;

	if (!pins)
		return err_set(err, ENOMEM, "out of memory while opening the pins in %s", bpffs);
	pins->directory_fd = rc = bpffs_prepare(bpffs, err);
	if (rc >= 0) {
		rc = hold_all(pins);
		if (rc)
			err_set(err, -rc, "cannot open the pins in %s: %s", bpffs, strerror(-rc));
	}
	if (rc < 0) {
		pins_close(pins);
		return rc;
	}
	*ret = pins;
	return 0;
}

struct pins *pins_borrow(const char *bpffs)
{
	struct pins *pins = pins_new(bpffs);

	if (pins)
		hold_all(pins);
	return pins;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void pins_close(struct pins *pins)
{
	struct pin *pin, *next;

	if (!pins)
		return;
	if (pins->changed)
		event_free(pins->changed);
	if (pins->mounted)
		event_free(pins->mounted);
	if (pins->settled)
		event_free(pins->settled);
	HASH_ITER (hh, pins->pins, pin, next)
		forget(pins, pin);
	close_if_open(pins->epoll_fd);
	close_if_open(pins->mounts_fd);
	close_if_open(pins->inotify_fd);
	close_if_open(pins->directory_fd);
	free(pins->bpffs);
	free(pins);
}

const char *pins_directory(const struct pins *pins)
{
	return pins->bpffs;
}
