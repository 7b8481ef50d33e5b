/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cohorts: endpoints that policy cannot tell apart, and the tags and selectors that hold for them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

static int cohort_key(const struct strings *profiles, const struct labels *labels, struct buffer *ret)
{
	int r = buffer_add(ret, &profiles->count, sizeof(profiles->count));

	for (size_t i = 0; r == 0 && i < profiles->count; i++)
		r = buffer_add_text(ret, profiles->items[i]);
	for (size_t i = 0; r == 0 && i < labels->count; i++) {
		r = buffer_add_text(ret, labels->items[i].name);
		if (r == 0)
			r = buffer_add_text(ret, labels->items[i].value);
	}
	return r;
}

void cohort_free(struct cohort *cohort)
{
	vector_done(&cohort->selectors);
	buffer_done(&cohort->uses);
	labels_done(&cohort->labels);
	free(cohort->profiles);
	free(cohort);
}

void cohort_remove(struct policy_engine *engine, struct cohort *cohort)
{
	HASH_DEL(engine->cohorts, cohort);
	for (size_t i = 0; i < cohort->profile_count; i++)
		cohort->profiles[i]->cohorts--;
	engine->sweep = true;
	cohort_free(cohort);
}

static int cohort_fill(struct policy_engine *engine, struct cohort *cohort, const struct strings *profiles,
		       const struct labels *labels)
{
	int r = 0;

	cohort->profiles = calloc(profiles->count + 1, sizeof(struct profile *));
	if (!cohort->profiles)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < profiles->count; i++) {
		r = profile_get(engine, profiles->items[i], &cohort->profiles[i]);
		if (r == 0) {
			cohort->profiles[i]->cohorts++;
			cohort->profile_count++;
		}
	}
	for (size_t i = 0; r == 0 && i < labels->count; i++)
		r = labels_set(&cohort->labels, labels->items[i].name, labels->items[i].value);
	return r;
}

static const char *lookup_label(const void *arg, const char *name)
{
	const struct cohort *cohort = arg;
	const char *value = labels_get(&cohort->labels, name);

	for (size_t i = cohort->profile_count; !value && i > 0; i--)
		value = labels_get(&cohort->profiles[i - 1]->labels, name);
	return value;
}

bool cohort_matches(const struct cohort *cohort, const struct selector *selector)
{
	return selector_match(selector, lookup_label, cohort);
}

/* Adds those of the selectors that hold. */
static int match_selectors(const struct cohort *cohort, const struct vector *selectors, struct vector *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < selectors->count; i++) {
		struct atom *atom = selectors->items[i];

		if (cohort_matches(cohort, atom->selector))
			r = vector_push(ret, atom);
	}
	return r;
}

static int cohort_new(struct policy_engine *engine, const struct strings *profiles,
		      const struct labels *labels, const struct buffer *key, struct cohort **ret)
{
	struct cohort *cohort = calloc(1, sizeof(*cohort) + key->size);
	int r;

	if (!cohort)
		return -ENOMEM;
	r = cohort_fill(engine, cohort, profiles, labels);
	if (r < 0)
		goto free_cohort;
	cohort->key_size = key->size;
	memcpy(cohort->key, key->data, key->size);
	r = match_selectors(cohort, &engine->selectors, &cohort->selectors);
	if (r < 0)
		goto free_cohort;
	HASH_ADD_KEYPTR(hh, engine->cohorts, cohort->key, cohort->key_size, cohort);
	if (HASH_FAILED(cohort)) {
		r = -ENOMEM;
		goto free_cohort;
	}
	*ret = cohort;
	return 0;
free_cohort:
	/* Only memory can have lacked: the profiles' counts do not matter any more. */
	cohort_free(cohort);
	return r;
}

int cohort_get(struct policy_engine *engine, const struct strings *profiles, const struct labels *labels,
	       struct cohort **ret)
{
	struct buffer key = {};
	int r = cohort_key(profiles, labels, &key);

	if (r == 0) {
		HASH_FIND(hh, engine->cohorts, key.data, key.size, *ret);
		if (!*ret)
			r = cohort_new(engine, profiles, labels, &key, ret);
	}
	buffer_done(&key);
	return r;
}

int cohort_each_atom(const struct cohort *cohort, int (*fn)(void *arg, struct atom *atom), void *arg)
{
	int r = 0;

	for (size_t i = 0; i < cohort->profile_count; i++) {
		const struct vector *tags = &cohort->profiles[i]->tags;

		for (size_t j = 0; r == 0 && j < tags->count; j++) {
			struct atom *atom = tags->items[j];

			if (atom->sets.count)
				r = fn(arg, atom);
		}
	}
	for (size_t i = 0; r == 0 && i < cohort->selectors.count; i++)
		r = fn(arg, cohort->selectors.items[i]);
	return r;
}

int cohort_queue_places(struct policy_engine *engine, const struct cohort *cohort)
{
	const struct member *member;
	int r = 0;

	for (member = cohort->members; r == 0 && member; member = member->next)
		r = member_queue_places(engine, member);
	return r;
}

static int update_labels(struct policy_engine *engine, struct cohort *cohort)
{
	struct vector selectors = {};
	int r = match_selectors(cohort, &engine->selectors, &selectors);
	bool same = r == 0 && selectors.count == cohort->selectors.count;

	for (size_t i = 0; same && i < selectors.count; i++)
		same = selectors.items[i] == cohort->selectors.items[i];
	if (r == 0 && !same)
		r = cohort_queue_places(engine, cohort);
	vector_done(&cohort->selectors);
	cohort->selectors = selectors;
	cohort->resolve = true;
	return r < 0 ? r : cohort_queue(engine, cohort);
}

static int update_profiles(struct policy_engine *engine, struct cohort *cohort)
{
	bool tags = false, labels = false;
	int r = 0;

	for (size_t i = 0; i < cohort->profile_count; i++) {
		tags |= cohort->profiles[i]->tags_changed;
		labels |= cohort->profiles[i]->labels_changed;
	}
	if (labels)
		r = update_labels(engine, cohort);
	if (r == 0 && tags)
		r = cohort_queue_places(engine, cohort);
	return r;
}

int cohorts_spread_profiles(struct policy_engine *engine)
{
	int r = 0;

	if (!engine->profiles_changed)
		return 0;
	for (struct cohort *cohort = engine->cohorts; cohort; cohort = cohort->hh.next) {
		r = update_profiles(engine, cohort);
		if (r < 0)
			return r;
	}
	for (struct profile *profile = engine->profiles; profile; profile = profile->hh.next) {
		profile->tags_changed = false;
		profile->labels_changed = false;
	}
	engine->profiles_changed = false;
	return 0;
}

int cohorts_match_new(struct policy_engine *engine)
{
	int r = 0;

	if (engine->new_selectors.count == 0)
		return 0;
	for (struct cohort *cohort = engine->cohorts; cohort; cohort = cohort->hh.next) {
		r = match_selectors(cohort, &engine->new_selectors, &cohort->selectors);
		if (r < 0)
			return r;
	}
	engine->new_selectors.count = 0;
	return 0;
}
