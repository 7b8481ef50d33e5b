/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl endpoint <ENDPOINT_ID> profile ...: handlers for the table in cmd_endpoint.c. */
#ifndef CLI_CMD_ENDPOINT_PROFILE_H
#define CLI_CMD_ENDPOINT_PROFILE_H

#include "cli/command.h"

int cmd_endpoint_profile_change(struct ctl *ctl, const struct args *args);
int cmd_endpoint_profile_show(struct ctl *ctl, const struct args *args);

#endif
