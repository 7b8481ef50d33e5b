/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The list of commands. Each has a file of its own with its table of usage lines. */
#include "cli/command.h"

extern const struct command command_status, command_node, command_profile, command_endpoint, command_pool,
	command_bgp, command_ipam, command_version, command_config, command_policy, command_checksystem,
	command_diags, command_blocklist;

const struct command *const commands[] = {
	&command_status,  &command_node,
	&command_profile, &command_endpoint,
	&command_pool,	  &command_blocklist,
	&command_bgp,	  &command_ipam,
	&command_version, &command_config,
	&command_policy,  &command_checksystem,
	&command_diags,	  NULL,
};
