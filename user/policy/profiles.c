/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Profiles: names that endpoints list, and the rules, tags and labels under them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

struct profile *profile_find(struct policy_engine *engine, const char *name)
{
	struct profile *profile;

	HASH_FIND_STR(engine->profiles, name, profile);
	return profile;
}

int profile_get(struct policy_engine *engine, const char *name, struct profile **ret)
{
	size_t size = strlen(name) + 1;
	struct profile *profile = profile_find(engine, name);

	*ret = profile;
	if (profile)
		return 0;
	profile = calloc(1, sizeof(*profile) + size);
	if (!profile)
		return -ENOMEM;
	memcpy(profile->name, name, size);
	if (ruleset_init(&profile->rules, "profile", NULL, name) < 0)
		goto free_profile;
	HASH_ADD_STR(engine->profiles, name, profile);
	if (HASH_FAILED(profile))
		goto free_profile;
	*ret = profile;
	return 0;
free_profile:
	profile_free(profile);
	return -ENOMEM;
}

void profile_free(struct profile *profile)
{
	rules_free(profile->model);
	ruleset_done(&profile->rules);
	vector_done(&profile->tags);
	labels_done(&profile->labels);
	free(profile);
}

static bool is_unused(const struct profile *profile)
{
	return !profile->cohorts && !profile->model && !profile->tags.count && !profile->labels.count &&
	       !profile->rules.queued;
}

void profiles_sweep(struct policy_engine *engine)
{
	struct profile *next;

	for (struct profile *profile = engine->profiles; profile; profile = next) {
		next = profile->hh.next;
		if (!is_unused(profile))
			continue;
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the chain is taken off the element first. */
		HASH_DEL(engine->profiles, profile);
		profile_free(profile);
	}
}

/* Each once. */
static int collect_tags(struct policy_engine *engine, const struct strings *tags, struct vector *ret)
{
	int r = 0;

	engine->mark++;
	for (size_t i = 0; r == 0 && i < (tags ? tags->count : 0); i++) {
		struct atom *atom;

		r = atom_get_tag(engine, tags->items[i], &atom);
		if (r < 0 || atom->mark == engine->mark)
			continue;
		atom->mark = engine->mark;
		r = vector_push(ret, atom);
		atom->carriers += r == 0;
	}
	return r;
}

/* Is an atom that rules look at in the second list only? */
static bool tags_gained(struct policy_engine *engine, const struct vector *before, const struct vector *after)
{
	engine->mark++;
	for (size_t i = 0; i < before->count; i++) {
		struct atom *atom = before->items[i];

		atom->mark = engine->mark;
	}
	for (size_t i = 0; i < after->count; i++) {
		const struct atom *atom = after->items[i];

		if (atom->mark != engine->mark && atom->sets.count)
			return true;
	}
	return false;
}

int profile_set_tags(struct policy_engine *engine, struct profile *profile, const struct strings *tags)
{
	struct vector old = profile->tags, wanted = {};
	int r = collect_tags(engine, tags, &wanted);

	profile->tags = wanted;
	if (r == 0 && (tags_gained(engine, &old, &wanted) || tags_gained(engine, &wanted, &old))) {
		profile->tags_changed = true;
		engine->profiles_changed = true;
	}
	for (size_t i = 0; i < old.count; i++) {
		struct atom *atom = old.items[i];

		atom->carriers--;
		if (r == 0)
			r = atom_release(engine, atom);
	}
	vector_done(&old);
	return r;
}

int profile_set_labels(struct policy_engine *engine, struct profile *profile, const struct labels *labels)
{
	struct labels copy = {};

	for (size_t i = 0; i < (labels ? labels->count : 0); i++) {
		if (labels_set(&copy, labels->items[i].name, labels->items[i].value) < 0) {
			labels_done(&copy);
			return -ENOMEM;
		}
	}
	labels_done(&profile->labels);
	profile->labels = copy;
	profile->labels_changed = true;
	engine->profiles_changed = true;
	return 0;
}
