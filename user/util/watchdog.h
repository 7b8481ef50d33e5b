/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Says when the event loop stands still, and ends a process that does not end by itself. */
#ifndef UTIL_WATCHDOG_H
#define UTIL_WATCHDOG_H

#include "util/err.h"

/* Watches the event loop of task_base(), which must be running from now on. */
int watchdog_start(struct err *err);
/* The process ends by watchdog_stop() within that time, or is ended with status 1. */
void watchdog_limit_end(int ms);
/* Before the event loop is freed. Not started: no-op. */
void watchdog_stop(void);

#endif
