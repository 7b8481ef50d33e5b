/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "http/sockets.h"

const struct server_options control_socket = {
	.name = "control",
	.content_type = "application/json",
	.max_body = 4096,
	.max_connections = 32,
	.idle_s = 10,
};

const struct server_options plugin_socket = {
	.name = "docker",
	.content_type = "application/vnd.docker.plugins.v1.1+json",
	.post = true,
	.max_body = 1024 * 1024,
	.max_connections = 128,
	.idle_s = 3600, /* dockerd keeps its connections */
};
