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
#include "unit/reference.h"

struct reported {
	char object[128], text[256];
};

struct fixture {
	struct maps maps;
	struct policy_engine *engine;
	struct world world;
	struct reported problems[64]; /* not solved yet */
	size_t problem_count;
};

void fixture_init(struct fixture *fixture, const __u32 capacity[POLICY_MAP_COUNT]);
void fixture_done(struct fixture *fixture);

/* Text as json_of() takes it. NULL removes. False: not valid, nothing changed. */
bool fixture_set(struct fixture *fixture, enum kind kind, const char *name, const char *text);
bool fixture_set_slot(struct fixture *fixture, enum kind kind, const char *name, const char *text,
		      __u32 slot);
/* Must succeed. */
void fixture_commit(struct fixture *fixture);

/* The verdict, after checking that engine and reference agree. */
bool fixture_allows(struct fixture *fixture, __u32 slot, bool inbound, const struct probe *probe);
/* "10.0.0.1 10.0.0.2 tcp 1000 80", "fd00::1 fd00::2 icmp 8 0", "10.0.0.1 10.0.0.2 132 1 2" */
struct probe probe_of(const char *text);
/* NULL: no problem is reported for the object. */
const char *fixture_problem(const struct fixture *fixture, const char *object);
/* Problems, but for those of endpoints with another's address: of what denies. */
size_t fixture_denials(const struct fixture *fixture);

#endif
