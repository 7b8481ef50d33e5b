/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the path of a request to the handler of its method. */
#ifndef DOCKER_ROUTER_H
#define DOCKER_ROUTER_H

#include "docker/internal.h"

extern const struct route router_methods[]; /* arg: struct plugin */

#endif
