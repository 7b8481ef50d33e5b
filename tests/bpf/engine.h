/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fixture's host with the real policy engine writing its maps: endpoints A and B of fixture.h with
 *profiles "a" and "b", remote endpoints, and rules as datastore documents. Tags are named like profiles; what
 *an endpoint has as label `x`, the others do not.
 *
 *	A  profile a, label x		REMOTE4/6  profile web, label x		both in pool 10.65.0.0/16,
 *fd65::/64 B  profile b			EXTERNAL4/6 unknown
 *
 * Documents are written with ' for ".
 */
#ifndef TESTS_BPF_ENGINE_H
#define TESTS_BPF_ENGINE_H

#include "fixture.h"
#include "policy/policy.h"

struct engine {
	struct fixture *fixture;
	struct policy_sink sink;
	struct policy_engine *policy;
	unsigned int problems; /* present ones */
	char problem[512];     /* the last one */
};

/* NULL after printing why. Takes the fixture. All profiles allow everything at first. */
struct engine *engine_new(struct fixture *fixture);
void engine_free(struct engine *engine);

/* Rules of a profile: two JSON arrays of rules; inbound NULL: the profile's rules go away. */
void engine_rules(struct engine *engine, const char *profile, const char *inbound, const char *outbound);
void engine_tags(struct engine *engine, const char *profile, const char *tags);
/* A whole policy document; NULL: it goes away. */
void engine_policy(struct engine *engine, const char *tier, const char *name, const char *document);
void engine_tier(struct engine *engine, const char *name, double order, bool present);
/* The endpoint of a slot (A or B) with other profiles, e.g. "['b', 'c']". */
void engine_profiles(struct engine *engine, enum slot slot, const char *profiles, bool active);
void engine_commit(struct engine *engine);

#endif
