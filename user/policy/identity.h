/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The engine's half about addresses: what is true of each address, as bits in rows of the `identity` map.
 *
 *	member	 an endpoint of any host
 *	cohort	 members with equal profiles and equal own labels: all that tags, selectors and tiers can tell
 *		 apart, so policy is decided once per cohort
 *	atom	 one tag, selector or net that a rule names, or a tag that a profile carries
 *	set	 a predicate over atoms; has a number, its bit in the rows
 *	row	 a bitmap of sets, shared by all addresses with equal bits
 *	place	 an exact address or a prefix: one entry of the address and prefix maps
 *
 * All of it is private to user/policy. Functions return 0 or -errno; -ENOMEM is final for the engine (see
 * engine.h), -ENOSPC means that something did not fit into a map.
 */
#ifndef POLICY_IDENTITY_H
#define POLICY_IDENTITY_H

#include "abi.h"
#include "model/endpoint.h"
#include "model/profile.h"
#include "policy/grow.h"
#include "policy/hash.h"
#include "policy/rulebook.h"

struct policy_engine;

/* ---- profiles and cohorts ---- */

struct profile {
	UT_hash_handle hh;
	struct ruleset rules;
	struct rules *model;
	struct vector tags; /* atoms, unique */
	struct labels labels;
	__u32 cohorts; /* that list it */
	bool tags_changed, labels_changed;
	char name[];
};

struct cohort {
	UT_hash_handle hh;
	struct labels labels;
	struct profile **profiles; /* in order, may repeat */
	size_t profile_count;
	struct vector selectors; /* atoms that hold for the cohort; those of tags follow from the profiles */
	struct member *members;	 /* local ones first */
	__u32 locals;		 /* members that are active on this host */
	bool resolve, relist;	 /* to do in the next pass */
	bool queued;
	bool closed;	       /* deny until the next pass has made lists */
	const char *failure;   /* why its lists could not be made; NULL: they could */
	struct buffer uses;    /* of struct use, in the order of evaluation */
	struct list *lists[2]; /* wanted, by enum direction; NULL: deny */
	size_t key_size;
	char key[];
};

struct profile *profile_find(struct policy_engine *engine, const char *name);
int profile_get(struct policy_engine *engine, const char *name, struct profile **ret);
int profile_set_tags(struct policy_engine *engine, struct profile *profile, const struct strings *tags);
int profile_set_labels(struct policy_engine *engine, struct profile *profile, const struct labels *labels);
/* Frees those without data that nobody lists. */
void profiles_sweep(struct policy_engine *engine);
void profile_free(struct profile *profile);

int cohort_get(struct policy_engine *engine, const struct strings *profiles, const struct labels *labels,
	       struct cohort **ret);
void cohort_free(struct cohort *cohort);
void cohort_remove(struct policy_engine *engine, struct cohort *cohort);
bool cohort_matches(const struct cohort *cohort, const struct selector *selector);
/* Calls fn for every atom in use that holds for the cohort; stops at its first failure. */
int cohort_each_atom(const struct cohort *cohort, int (*fn)(void *arg, struct atom *atom), void *arg);
int cohort_queue_places(struct policy_engine *engine, const struct cohort *cohort);
/* Hands changed tags and labels of profiles on. */
int cohorts_spread_profiles(struct policy_engine *engine);
int cohorts_match_new(struct policy_engine *engine);

/* ---- members ---- */

struct claim {
	struct place *place;
	struct member *member;
	struct claim *next; /* of the same place */
};

/*
 * Endpoints of one container. It sends by whichever interface its routes name, so each address of it is in
 * all sets that one of them is in; what reaches an address is up to the policy of that endpoint alone.
 */
struct sandbox {
	UT_hash_handle hh;
	struct member *members;
	char key[];
};

struct member {
	UT_hash_handle hh;
	struct sandbox *sandbox; /* NULL: a container of its own */
	struct member *sandbox_prev, *sandbox_next;
	struct cohort *cohort;
	struct member *prev, *next; /* in the cohort */
	struct claim *claims;
	__u64 sequence; /* of the last change: the latest owner of a shared address counts */
	const char *problem;
	__u32 claim_count;
	__u32 slot;
	bool active;
	bool host; /* a host endpoint: its addresses are the host's */
	char name[16];
	char key[];
};

/* Active, and has a slot on this host. */
static inline bool member_is_local(const struct member *member)
{
	return member->slot && member->active;
}
/* What an endpoint is to be; all borrowed. */
struct member_state {
	struct cohort *cohort;
	const struct addr *addrs;
	size_t addr_count;
	const char *name;
	const char *sandbox; /* key; NULL: none */
	__u32 slot;
	bool active, host;
};
int member_set(struct policy_engine *engine, const char *key, const struct member_state *state);
int member_remove(struct policy_engine *engine, const char *key);
void member_free(struct member *member);
/* Its addresses and those of its container. */
int member_queue_places(struct policy_engine *engine, const struct member *member);
void member_problem(struct policy_engine *engine, struct member *member, const char *text);

/* ---- atoms and sets ---- */

enum atom_kind { ATOM_TAG = 't', ATOM_SELECTOR = 's', ATOM_NET = 'n' };

struct atom {
	UT_hash_handle hh;
	struct vector sets; /* that look at it; empty: it is not in use */
	__u64 mark;	    /* == engine->mark: true of the address at hand */
	__u32 carriers;	    /* profiles that carry this tag */
	__u32 id;	    /* order of the atoms in a set */
	bool touched;	    /* a set with it came or goes: its addresses are to be looked at */
	enum atom_kind kind;
	struct selector *selector;
	struct cidr net; /* masked */
	char key[];	 /* kind, then the tag's name, the selector's canonical text, or the net's bytes */
};

int atom_get_tag(struct policy_engine *engine, const char *tag, struct atom **ret);
int atom_get_selector(struct policy_engine *engine, const struct selector *selector, struct atom **ret);
int atom_get_net(struct policy_engine *engine, const struct cidr *net, struct atom **ret);
struct atom *atom_find_net(struct policy_engine *engine, const struct cidr *masked);
/* Frees it if nothing looks at it or carries it. */
int atom_release(struct policy_engine *engine, struct atom *atom);
int atoms_release(struct policy_engine *engine, struct atom *const *atoms, __u32 count);
void atom_free(struct atom *atom);

/*
 * With positive atoms: all of those hold and none of the others does. Without: any of the atoms holds, and
 * rules carry the negation. Either way an address of which nothing is known is outside.
 */
struct set {
	UT_hash_handle hh;
	__u32 number;
	__u32 refs;	       /* entries of pages */
	__u64 changing;	       /* == engine->pass: some address enters or leaves it now */
	__u64 stale;	       /* == engine->pass: the maps do not show its members as they are */
	__u64 seen;	       /* == engine->mark: looked at already */
	bool fresh;	       /* no published rule names it yet */
	bool dying;	       /* queued as unused; may be taken into use again */
	bool dead;	       /* its bit is being cleared everywhere */
	__u32 positive, count; /* the key starts here */
	struct atom *atoms[];
};

struct predicate {
	struct atom *positive[3], *negative[3];
	__u32 positives, negatives;
};
/* Takes a reference. *ret_not: the rule must negate it. On failure releases the predicate's unused atoms. */
int set_get(struct policy_engine *engine, struct predicate *predicate, struct set **ret, bool *ret_not);
void set_unref(struct policy_engine *engine, __u32 number);

/* ---- rows and places ---- */

struct row {
	UT_hash_handle hh;
	__u32 refs;
	__u32 index;		 /* in `identity` */
	__u16 first_word, words; /* the key starts here */
	__u32 padding;
	__u64 bits[];
};

/* The row with the content of `wanted`, with a reference; written when new. -ENOSPC: does not fit. */
int row_get(struct policy_engine *engine, const struct row *wanted, struct row **ret);
void row_unref(struct policy_engine *engine, struct row *row);
/*
 * Marks the sets in which two rows (NULL: empty) differ as changing, and as stale if so. Returns whether a
 * published rule may name one of them.
 */
bool row_compare(struct policy_engine *engine, const struct row *a, const struct row *b, bool stale);

struct place_key {
	__u8 family;
	__u8 prefix; /* 0: exact address */
	__u8 length;
	__u8 padding;
	__u8 bytes[16];
};

struct place {
	UT_hash_handle hh;
	struct place_key key;
	struct address value; /* as published */
	struct row *row;      /* as published; NULL: in no set */
	struct claim *claims;
	__u32 own_slot; /* generation slot that it took; 0: none */
	__u32 nets;	/* atoms, pools and blocks that need this prefix */
	bool host;	/* address of this host */
	bool node;	/* registered for a host */
	bool published;
	bool queued;
	bool failed; /* the maps say something else than they should */
};

int place_get(struct policy_engine *engine, const struct addr *addr, struct place **ret);
int place_get_prefix(struct policy_engine *engine, const struct cidr *net, struct place **ret);
struct addr place_addr(const struct place *place);
struct cidr place_cidr(const struct place *place);
/* What packets find for the addresses of a place that is not published; NULL: nothing. */
const struct place *place_around(struct policy_engine *engine, const struct place *place);
/* Computes what queued places should be; writes the rows. */
int places_plan(struct policy_engine *engine);
/* Writes the entries of the address and prefix maps. */
int places_apply(struct policy_engine *engine);

/* ---- membership ---- */

/* The row of a place, in engine->scratch; NULL: it is in no set. */
int place_row(struct policy_engine *engine, const struct place *place, const struct row **ret);
/* Queues all places within a net, or (NULL) within any touched net atom. */
int places_queue_within(struct policy_engine *engine, const struct cidr *net);
/* Queues the places that may be in one of the sets. */
int queue_members(struct policy_engine *engine, const struct vector *sets);
/* The same for new sets. */
int sets_settle(struct policy_engine *engine);

/* ---- pools ---- */

struct pool_entry {
	UT_hash_handle hh;
	struct cidr cidr; /* masked; the key */
	bool masquerade;
};

/* A block of addresses that this host gives to its endpoints. */
struct block_entry {
	UT_hash_handle hh;
	struct cidr cidr; /* masked; the key */
};

#endif
