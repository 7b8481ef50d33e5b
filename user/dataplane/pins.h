/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pins in the BPF file system, and a descriptor of each object beneath them. What is in force does not depend
 * on the pins while the process lives: they are for the next one. Pins that somebody removes come back.
 */
#ifndef DATAPLANE_PINS_H
#define DATAPLANE_PINS_H

#include "util/err.h"

struct pins;

/* Makes the directories, on a bpffs that is mounted if there is none, and holds every object pinned there. */
int pins_open(const char *bpffs, struct pins **ret, struct err *err);
/* Holds what is pinned, makes nothing and watches nothing. NULL: out of memory. */
struct pins *pins_borrow(const char *bpffs);
void pins_close(struct pins *pins); /* the pins stay */

const char *pins_directory(const struct pins *pins);
/* The descriptor of a pinned object, borrowed, or -ENOENT. folder as in pin_path(). */
int pins_get(const struct pins *pins, const char *folder, const char *name);
/* Pins the object in place of what is there, and holds it by a descriptor of its own. */
int pins_put(struct pins *pins, const char *folder, const char *name, int fd);
/* Lets go of the object and deletes the pin. Absent: 0. */
int pins_remove(struct pins *pins, const char *folder, const char *name);
/* Calls fn with each held object of the folder; fn may remove it. */
void pins_each(struct pins *pins, const char *folder, void (*fn)(void *arg, const char *name, int fd),
	       void *arg);

/* Puts back every pin that is missing or another object's. Returns how many, or < 0. */
int pins_restore(struct pins *pins, struct err *err);
/*
 * Restores from the event loop of util/task.h, at most a second after a loss. `restored` is called when there
 * was one: count as of pins_restore(), with the reason if it is < 0.
 */
int pins_watch(struct pins *pins, void (*restored)(void *arg, int count, const struct err *err), void *arg,
	       struct err *err);

#endif
