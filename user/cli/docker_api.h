/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What calicoctl asks the Docker engine: names and ids of networks. */
#ifndef CLI_DOCKER_API_H
#define CLI_DOCKER_API_H

#include "cli/ctl.h"

struct docker_network {
	const char *id, *name; /* kept until the end of the run */
};

/*
 * The network with exactly this name, or with exactly this id. false: there is none, or Docker does not
 * answer; both mean that nothing can be translated.
 */
bool docker_network_by_name(struct ctl *ctl, const char *name, struct docker_network *ret);
bool docker_network_by_id(struct ctl *ctl, const char *id, struct docker_network *ret);

#endif
