/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A dataplane fed by the real policy engine, with one endpoint: 10.65.0.2 and fd65::2 on cali0, slot 1. */
#ifndef DATAPLANE_POLICY_H
#define DATAPLANE_POLICY_H

#include "dataplane_env.h"
#include "policy/policy.h"

struct enforced {
	struct dataplane *dp;
	struct policy_engine *engine;
	int ifindex;
	int program; /* from_endpoint */
};

/* Documents are JSON with ' for ". The endpoint has the profiles "first" and "web", which come later. */
void enforced_open(struct enforced *enforced, enum drop_action drop_action);
void enforced_close(struct enforced *enforced);
/* All of these are in force when they return. */
void enforced_rules(struct enforced *enforced, const char *profile, const char *inbound,
		    const char *outbound);
void enforced_policy(struct enforced *enforced, const char *tier, double order, const char *name,
		     const char *document);

/* The endpoint sends a TCP SYN to that port of 8.8.8.8; whether it may. */
bool enforced_sends(struct enforced *enforced, uint16_t port);

#endif
