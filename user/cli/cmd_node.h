/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl node ...: handlers for the table in cmd_node.c. */
#ifndef CLI_CMD_NODE_H
#define CLI_CMD_NODE_H

#include "cli/command.h"

int cmd_node_start(struct ctl *ctl, const struct args *args);
int cmd_node_remove(struct ctl *ctl, const struct args *args);

#endif
