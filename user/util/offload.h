/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one exception to "one thread": work that keeps a CPU busy for long, such as the kernel's BPF verifier.
 */
#ifndef UTIL_OFFLOAD_H
#define UTIL_OFFLOAD_H

/*
 * Runs fn(arg) in a thread of its own while this task waits and the event loop goes on. fn must not touch the
 * event loop, tasks, or anything that others may use meanwhile. `what` names the work in the log, where it is
 * told if it takes long. 0, or -errno when it was not run.
 */
int offload(const char *what, void (*fn)(void *arg), void *arg);

#endif
