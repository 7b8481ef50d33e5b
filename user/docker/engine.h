/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Questions to the Docker engine, for background tasks only: while the engine waits for our answer to one of
 * its requests it may hold the locks that answering ours takes.
 */
#ifndef DOCKER_ENGINE_H
#define DOCKER_ENGINE_H

#include "model/model.h"

struct engine;
/* docker_host: path of the engine's socket, or "tcp://host:port". Asks at once, in the background. */
int engine_open(const char *docker_host, struct engine **ret, struct err *err);
/* NULL is allowed. */
void engine_close(struct engine *engine);
/* 1 or 0 as the engine last said; -1 as long as it has not been reached. Does not wait. */
int engine_has_cluster_store(const struct engine *engine);
/* Asks for it again, in the background: an engine has (re)started. */
void engine_refresh(struct engine *engine);
/* Ids of all endpoints that the engine knows. Waits. */
int engine_endpoints(struct engine *engine, struct strings *ret, struct err *err);

#endif
