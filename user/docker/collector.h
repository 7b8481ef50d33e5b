/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds what lost calls left behind on this host and removes it: addresses without an endpoint, endpoints
 * whose interface is gone and that no container of Docker's has, Docker's own records of such, interfaces
 * without an endpoint. Nothing younger than a minute, nothing of other hosts, no address without our mark.
 */
#ifndef DOCKER_COLLECTOR_H
#define DOCKER_COLLECTOR_H

#include <jansson.h>

#include "util/addr.h"
#include "util/err.h"

struct plugin;
struct collector;
/* Runs at once, a minute later, and every few minutes. */
int collector_start(struct plugin *plugin, struct collector **ret, struct err *err);
/* When losses are likely: an engine has (re)started. */
void collector_run_soon(struct collector *collector);
/* An engine has (re)started: it may have left more behind, and keep endpoints that are gone. */
void collector_engine_started(struct collector *collector);
/* NULL is allowed. */
void collector_stop(struct collector *collector);
/*
 * Frees an address that Docker asks for and that is taken: 0 when it belonged to nobody any more, else
 * -EEXIST with the reason.
 */
int collector_reclaim(struct collector *collector, const struct addr *addr, struct err *err);
/* {"runs", "addresses", "endpoints", "interfaces", "records"}: what was removed so far (new reference). */
json_t *collector_status(const struct collector *collector);

#endif
