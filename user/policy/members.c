/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Members: endpoints of all hosts, the addresses that they claim, and their slots on this host. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "policy/engine.h"

void member_free(struct member *member)
{
	free(member->claims);
	free(member);
}

static const char *last_segment(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash ? slash + 1 : key;
}

void member_problem(struct policy_engine *engine, struct member *member, const char *text)
{
	char object[300];

	if (text == member->problem)
		return;
	member->problem = text;
	/* A host endpoint need not have a name; what tells it apart is at the end of its key. */
	if (member->host)
		snprintf(object, sizeof(object), "host endpoint %s", last_segment(member->key));
	else
		snprintf(object, sizeof(object), "endpoint %s", member->name);
	engine->problem(engine->problem_arg, object, text);
}

/* ---- its place in a cohort ---- */

static int leave_cohort(struct policy_engine *engine, struct member *member)
{
	struct cohort *cohort = member->cohort;

	if (!cohort)
		return 0;
	DL_DELETE(cohort->members, member);
	member->cohort = NULL;
	if (member_is_local(member) && --cohort->locals == 0)
		cohort->resolve = true;
	return cohort_queue(engine, cohort);
}

static int join_cohort(struct policy_engine *engine, struct member *member, struct cohort *cohort)
{
	member->cohort = cohort;
	if (!member_is_local(member)) {
		DL_APPEND(cohort->members, member);
		return 0;
	}
	DL_PREPEND(cohort->members, member);
	if (cohort->locals++ == 0)
		cohort->resolve = true;
	return cohort_queue(engine, cohort);
}

/* ---- its addresses ---- */

static int drop_claims(struct policy_engine *engine, struct member *member)
{
	int r = 0;

	for (__u32 i = 0; i < member->claim_count; i++) {
		struct claim *claim = &member->claims[i];

		LL_DELETE(claim->place->claims, claim);
		if (r == 0)
			r = place_queue(engine, claim->place);
	}
	free(member->claims);
	member->claims = NULL;
	member->claim_count = 0;
	return r;
}

static bool claims(const struct member *member, const struct place *place)
{
	for (__u32 i = 0; i < member->claim_count; i++) {
		if (member->claims[i].place == place)
			return true;
	}
	return false;
}

static int take_claims(struct policy_engine *engine, struct member *member, const struct addr *addrs,
		       size_t count)
{
	int r = 0;

	if (count == 0)
		return 0;
	member->claims = calloc(count, sizeof(*member->claims));
	if (!member->claims)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct claim *claim = &member->claims[member->claim_count];
		struct place *place;

		r = place_get(engine, &addrs[i], &place);
		if (r < 0 || claims(member, place))
			continue;
		*claim = (struct claim){.place = place, .member = member};
		LL_PREPEND(place->claims, claim);
		member->claim_count++;
		r = place_queue(engine, place);
	}
	return r;
}

/* ---- its slot ---- */

static int release_slot(struct policy_engine *engine, struct member *member)
{
	struct slot *slot = &engine->slots[member->slot];
	__u32 number = member->slot;

	member->slot = 0;
	if (!number)
		return 0;
	slot->owner = NULL;
	engine->host_slots -= member->host;
	return slot_queue(engine, number);
}

static int queue_places(struct policy_engine *engine, const struct member *member)
{
	int r = 0;

	for (__u32 i = 0; r == 0 && i < member->claim_count; i++)
		r = place_queue(engine, member->claims[i].place);
	return r;
}

static int queue_sandbox(struct policy_engine *engine, const struct sandbox *sandbox)
{
	int r = 0;

	for (const struct member *member = sandbox->members; r == 0 && member; member = member->sandbox_next)
		r = queue_places(engine, member);
	return r;
}

int member_queue_places(struct policy_engine *engine, const struct member *member)
{
	return member->sandbox ? queue_sandbox(engine, member->sandbox) : queue_places(engine, member);
}

/* ---- its container ---- */

static struct sandbox *sandbox_get(struct policy_engine *engine, const char *key)
{
	size_t size = strlen(key) + 1;
	struct sandbox *sandbox;

	HASH_FIND_STR(engine->sandboxes, key, sandbox);
	if (sandbox)
		return sandbox;
	sandbox = calloc(1, sizeof(*sandbox) + size);
	if (!sandbox)
		return NULL;
	memcpy(sandbox->key, key, size);
	HASH_ADD_STR(engine->sandboxes, key, sandbox);
	if (!HASH_FAILED(sandbox))
		return sandbox;
	free(sandbox);
	return NULL;
}

static int leave_sandbox(struct policy_engine *engine, struct member *member)
{
	struct sandbox *sandbox = member->sandbox;

	if (!sandbox)
		return 0;
	member->sandbox = NULL;
	DL_DELETE2(sandbox->members, member, sandbox_prev, sandbox_next);
	if (sandbox->members)
		return queue_sandbox(engine, sandbox);
	HASH_DEL(engine->sandboxes, sandbox);
	free(sandbox);
	return 0;
}

static int join_sandbox(struct policy_engine *engine, struct member *member, const char *key)
{
	struct sandbox *sandbox = key ? sandbox_get(engine, key) : NULL;

	if (!sandbox)
		return key ? -ENOMEM : 0;
	member->sandbox = sandbox;
	DL_APPEND2(sandbox->members, member, sandbox_prev, sandbox_next);
	return queue_sandbox(engine, sandbox);
}

/* Whoever had the slot is without one from now on. */
static int evict(struct policy_engine *engine, struct member *member)
{
	struct cohort *cohort = member->cohort;
	int r = leave_cohort(engine, member);

	member_problem(engine, member, NULL);
	if (r == 0)
		r = release_slot(engine, member);
	if (r == 0)
		r = join_cohort(engine, member, cohort);
	return r < 0 ? r : queue_places(engine, member);
}

static int take_slot(struct policy_engine *engine, struct member *member, __u32 number)
{
	struct slot *slot = &engine->slots[number];
	int r = 0;

	if (!number)
		return 0;
	if (slot->owner)
		r = evict(engine, slot->owner);
	if (r < 0)
		return r;
	slot->owner = member;
	member->slot = number;
	engine->host_slots += member->host;
	return slot_queue(engine, number);
}

/* ---- all of it ---- */

static bool is_same(const struct member *member, const struct member_state *state)
{
	size_t known = 0;

	if ((member->sandbox ? !state->sandbox || strcmp(member->sandbox->key, state->sandbox) != 0
			     : state->sandbox != NULL))
		return false;
	if (member->cohort != state->cohort || member->slot != state->slot ||
	    member->active != state->active || strcmp(member->name, state->name) != 0)
		return false;
	for (size_t i = 0; i < state->addr_count; i++) {
		bool claimed = false;

		for (__u32 j = 0; !claimed && j < member->claim_count; j++) {
			struct addr addr = place_addr(member->claims[j].place);

			claimed = addr_compare(&addr, &state->addrs[i]) == 0;
		}
		if (!claimed)
			return false;
		for (size_t j = 0; j < i; j++)
			claimed &= addr_compare(&state->addrs[j], &state->addrs[i]) != 0;
		known += claimed;
	}
	return known == member->claim_count;
}

static int detach(struct policy_engine *engine, struct member *member)
{
	int r = leave_cohort(engine, member);

	if (r == 0)
		r = leave_sandbox(engine, member);
	if (r == 0)
		r = drop_claims(engine, member);
	return r < 0 ? r : release_slot(engine, member);
}

static int attach(struct policy_engine *engine, struct member *member, const struct member_state *state)
{
	int r;

	member->active = state->active;
	member->sequence = ++engine->sequence;
	snprintf(member->name, sizeof(member->name), "%s", state->name);
	r = take_slot(engine, member, state->slot);
	if (r == 0)
		r = join_cohort(engine, member, state->cohort);
	if (r == 0)
		r = take_claims(engine, member, state->addrs, state->addr_count);
	return r < 0 ? r : join_sandbox(engine, member, state->sandbox);
}

static struct member *member_new(struct policy_engine *engine, const char *key)
{
	size_t size = strlen(key) + 1;
	struct member *member = calloc(1, sizeof(*member) + size);

	if (!member)
		return NULL;
	memcpy(member->key, key, size);
	HASH_ADD_STR(engine->members, key, member);
	if (!HASH_FAILED(member))
		return member;
	free(member);
	return NULL;
}

int member_set(struct policy_engine *engine, const char *key, const struct member_state *state)
{
	struct member *member;
	int r = 0;

	HASH_FIND_STR(engine->members, key, member);
	if (!member)
		member = member_new(engine, key);
	else if (is_same(member, state))
		return 0;
	else
		r = detach(engine, member);
	if (!member)
		return -ENOMEM;
	/* Told under its name, and only while it has a slot. */
	if (!state->slot || strcmp(member->name, state->name) != 0)
		member_problem(engine, member, NULL);
	member->host = state->host;
	return r < 0 ? r : attach(engine, member, state);
}

int member_remove(struct policy_engine *engine, const char *key)
{
	struct member *member;
	int r;

	HASH_FIND_STR(engine->members, key, member);
	if (!member)
		return 0;
	r = detach(engine, member);
	member_problem(engine, member, NULL);
	HASH_DEL(engine->members, member);
	member_free(member);
	return r;
}
