/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The daemon of this host as the command line sees it: its process, its status, how it is ended. */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"
#include "util/err.h"

#define DAEMON_NAME "calico-node"

/*
 * Process that <run-dir>/calico-node.pid names, if it is alive and really is our daemon; *ret_pid 0: there is
 * none. -EACCES when this user may not look.
 */
int daemon_find(const struct config *config, pid_t *ret_pid);
/* Seconds since it was started; < 0: it is gone. */
long daemon_uptime(pid_t pid);
/* What it says about itself (new reference); errors of http_get(). */
int daemon_status(const struct config *config, json_t **ret, struct err *err);
/* Registered and enforcing: containers can be connected. */
bool daemon_status_is_ready(const json_t *status);
/* SIGTERM, and SIGKILL for one that does not go. Returns when it is gone; policy stays in force. */
int daemon_stop(pid_t pid, struct err *err);

/* Path of the daemon's program: beside this one, then in PATH and the usual places. malloc'd, NULL: nowhere.
 */
char *daemon_program(void);

#endif
