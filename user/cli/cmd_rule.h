/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl profile <PROFILE> rule ...: handlers for the table in cmd_profile.c. */
#ifndef CLI_CMD_RULE_H
#define CLI_CMD_RULE_H

#include "cli/command.h"

int cmd_rule_show(struct ctl *ctl, const struct args *args);
int cmd_rule_json(struct ctl *ctl, const struct args *args);
int cmd_rule_add(struct ctl *ctl, const struct args *args);
int cmd_rule_remove(struct ctl *ctl, const struct args *args);
int cmd_rule_update(struct ctl *ctl, const struct args *args);

#endif
