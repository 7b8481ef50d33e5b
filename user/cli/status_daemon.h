/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How `status` shows what the daemon says about itself. */
#ifndef CLI_STATUS_DAEMON_H
#define CLI_STATUS_DAEMON_H

#include "cli/ctl.h"

/* Members that are missing, or of another type, are shown as unknown. */
void status_show_daemon(struct ctl *ctl, json_t *daemon);
/*
 * Whether the daemon is in contact with the datastore and in sync, has no problem, and each endpoint that is
 * to be up is.
 */
bool status_is_healthy(const json_t *daemon);

#endif
