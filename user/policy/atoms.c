/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Atoms: the tags, selectors and nets that sets are made of. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine.h"

static int atom_add(struct policy_engine *engine, enum atom_kind kind, const void *name, size_t length,
		    struct atom **ret)
{
	struct atom *atom = calloc(1, sizeof(*atom) + length + 2);

	if (!atom)
		return -ENOMEM;
	atom->kind = kind;
	atom->id = ++engine->atom_ids;
	atom->key[0] = (char)kind;
	memcpy(atom->key + 1, name, length);
	HASH_ADD_KEYPTR(hh, engine->atoms, atom->key, length + 1, atom);
	if (HASH_FAILED(atom)) {
		free(atom);
		return -ENOMEM;
	}
	*ret = atom;
	return 0;
}

/* *ret NULL: there is none. */
static int atom_find(struct policy_engine *engine, enum atom_kind kind, const void *name, size_t length,
		     struct atom **ret)
{
	char *key = malloc(length + 1);

	if (!key)
		return -ENOMEM;
	key[0] = (char)kind;
	memcpy(key + 1, name, length);
	HASH_FIND(hh, engine->atoms, key, length + 1, *ret);
	free(key);
	return 0;
}

void atom_free(struct atom *atom)
{
	vector_done(&atom->sets);
	selector_free(atom->selector);
	free(atom);
}

static void atom_remove(struct policy_engine *engine, struct atom *atom)
{
	HASH_DEL(engine->atoms, atom);
	atom_free(atom);
}

int atom_get_tag(struct policy_engine *engine, const char *tag, struct atom **ret)
{
	int r = atom_find(engine, ATOM_TAG, tag, strlen(tag), ret);

	return r < 0 || *ret ? r : atom_add(engine, ATOM_TAG, tag, strlen(tag), ret);
}

static int selector_atom_new(struct policy_engine *engine, const char *text, struct atom **ret)
{
	int r = atom_add(engine, ATOM_SELECTOR, text, strlen(text), ret);

	if (r < 0)
		return r;
	/* Canonical text always parses, so only memory can lack. */
	if (selector_parse(text, &(*ret)->selector, NULL) < 0) {
		atom_remove(engine, *ret);
		return -ENOMEM;
	}
	r = vector_push(&engine->selectors, *ret);
	return r < 0 ? r : vector_push(&engine->new_selectors, *ret);
}

int atom_get_selector(struct policy_engine *engine, const struct selector *selector, struct atom **ret)
{
	char *text = selector_format(selector);
	int r;

	if (!text)
		return -ENOMEM;
	r = atom_find(engine, ATOM_SELECTOR, text, strlen(text), ret);
	if (r == 0 && !*ret)
		r = selector_atom_new(engine, text, ret);
	free(text);
	return r;
}

struct net_key {
	__u8 kind, family, length, bytes[16];
};

static struct net_key net_key_of(const struct cidr *masked)
{
	struct net_key key = {.kind = ATOM_NET, .family = masked->addr.family, .length = masked->length};

	memcpy(key.bytes, masked->addr.bytes, sizeof(key.bytes));
	return key;
}

struct atom *atom_find_net(struct policy_engine *engine, const struct cidr *masked)
{
	struct net_key key = net_key_of(masked);
	struct atom *atom;

	HASH_FIND(hh, engine->atoms, &key, sizeof(key), atom);
	return atom;
}

int atom_get_net(struct policy_engine *engine, const struct cidr *net, struct atom **ret)
{
	struct cidr masked = *net;
	struct net_key key;
	struct place *place;
	int r;

	cidr_mask(&masked);
	key = net_key_of(&masked);
	*ret = atom_find_net(engine, &masked);
	if (*ret)
		return 0;
	r = place_get_prefix(engine, &masked, &place);
	if (r < 0)
		return r;
	r = atom_add(engine, ATOM_NET, &key.family, sizeof(key) - 1, ret);
	if (r < 0)
		return r;
	(*ret)->net = masked;
	place->nets++;
	engine->net_lengths[masked.addr.family == 6][masked.length]++;
	return place_queue(engine, place);
}

static int release_net(struct policy_engine *engine, const struct atom *atom)
{
	struct place *place;
	int r = place_get_prefix(engine, &atom->net, &place);

	if (r < 0)
		return r;
	place->nets--;
	engine->net_lengths[atom->net.addr.family == 6][atom->net.length]--;
	return place_queue(engine, place);
}

static void cohorts_forget(struct policy_engine *engine, const struct atom *atom)
{

	for (struct cohort *cohort = engine->cohorts; cohort; cohort = cohort->hh.next) {
		vector_remove(&cohort->selectors, atom);
	}
}

int atom_release(struct policy_engine *engine, struct atom *atom)
{
	int r = 0;

	if (atom->sets.count || atom->carriers)
		return 0;
	if (atom->kind == ATOM_NET)
		r = release_net(engine, atom);
	if (atom->kind == ATOM_SELECTOR) {
		vector_remove(&engine->selectors, atom);
		vector_remove(&engine->new_selectors, atom);
		cohorts_forget(engine, atom);
	}
	atom_remove(engine, atom);
	return r;
}

int atoms_release(struct policy_engine *engine, struct atom *const *atoms, __u32 count)
{
	int r = 0;

	for (__u32 i = 0; r == 0 && i < count; i++)
		r = atom_release(engine, atoms[i]);
	return r;
}
