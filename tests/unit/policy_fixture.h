/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A policy engine on maps in memory, fed with the same documents as the reference. */
#ifndef TESTS_UNIT_POLICY_FIXTURE_H
#define TESTS_UNIT_POLICY_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/feed.h"
#include "unit/mapeval.h"
#include "unit/problems.h"
#include "unit/reference.h"

#define ALLOW_ALL "{'inbound_rules': [{}], 'outbound_rules': [{}]}"
#define FROM_T	  "{'inbound_rules': [{'src_tag': 'T'}], 'outbound_rules': [{}]}"

struct fixture {
	struct maps maps;
	struct policy_engine *engine;
	struct world world;
	struct problems problems;
};

void fixture_init(struct fixture *fixture, const __u32 capacity[POLICY_MAP_COUNT]);
void fixture_done(struct fixture *fixture);

/* Text as json_of() takes it. NULL removes. False: not valid, nothing changed. */
bool fixture_set(struct fixture *fixture, enum kind kind, const char *name, const char *text);
bool fixture_set_slot(struct fixture *fixture, enum kind kind, const char *name, const char *text,
		      __u32 slot);
/* Endpoint of this host with interface caliSLOT and address 10.0.0.SLOT; profiles: "'p', 'q'". */
void fixture_set_local(struct fixture *fixture, __u32 slot, const char *profiles);
/* Endpoint "remoteI" of another host with address 10.1.I/256.I%256. */
void fixture_set_member(struct fixture *fixture, unsigned int i, const char *profiles);
/* Must succeed. */
void fixture_commit(struct fixture *fixture);

/* The verdict, after checking that engine and reference agree. */
bool fixture_allows(struct fixture *fixture, __u32 slot, bool inbound, const struct probe *probe);
/* What the maps say to a packet to the endpoint, be it what the rules want or not. */
bool fixture_lets_in(struct fixture *fixture, __u32 slot, const char *packet);
/* "10.0.0.1 10.0.0.2 tcp 1000 80", "fd00::1 fd00::2 icmp 8 0", "10.0.0.1 10.0.0.2 132 1 2" */
struct probe probe_of(const char *text);
/* Problems that are not of the documents. */
size_t fixture_denials(const struct fixture *fixture);

#endif
