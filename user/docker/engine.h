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
/* From now on tells each time that an engine has (re)started, or is reached at last. From the event loop. */
int engine_watch(struct engine *engine, void (*started)(void *arg), void *arg, struct err *err);
/* Nothing is told any more. NULL is allowed. */
void engine_unwatch(struct engine *engine);

/*
 * An endpoint in a network of the engine that no container here has. Other hosts' are among them where
 * networks are global, and what an engine that was killed has left, which it never removes by itself.
 */
struct engine_record {
	char *id, *network, *name; /* name: of the container, as it was */
};

struct engine_endpoints {
	struct strings alive; /* ids of those that a container of this engine has */
	struct engine_record *records;
	size_t record_count;
};
/* Of all networks. Waits. *ret is to be given to engine_endpoints_done() whatever is returned. */
int engine_endpoints(struct engine *engine, struct engine_endpoints *ret, struct err *err);
void engine_endpoints_done(struct engine_endpoints *endpoints);
/*
 * Makes the engine forget a record; it asks us to delete the endpoint meanwhile. Waits. -EBUSY while there is
 * a container of that name: the engine would change the container instead.
 */
int engine_forget(struct engine *engine, const struct engine_record *record, struct err *err);

#endif
