/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fixture's host with the real policy engine writing its maps: endpoints A and B of fixture.h with
 * profiles "a" and "b", A with label x; remote endpoints REMOTE4 and REMOTE6 with profile "web" and label x;
 * pools 10.65.0.0/16 and fd65::/64; and rules as datastore documents. Tags are named like profiles. Nothing
 * is known about EXTERNAL4 and EXTERNAL6.
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
};

/* With a fixture of its own. NULL after printing why. All profiles allow everything at first. */
struct engine *engine_new(void);
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
