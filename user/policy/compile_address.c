/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Address conditions of a rule, folded into one set per side. */

#include "policy/compile.h"

static __u16 family_flag(const struct cidr *net)
{
	return net->addr.family == 6 ? MATCH_IPV6 : MATCH_IPV4;
}

/* Nets of another family never match, so they restrict the families; so does a net that is everything. */
static __u16 families_of_side(const struct rule_side *side, const struct rule_side * not )
{
	__u16 families = FAMILIES;

	if (side->has_net)
		families &= family_flag(&side->net);
	if (not ->has_net && not ->net.length == 0)
		families &= (__u16)~family_flag(&not ->net);
	return families;
}

/* The net as a condition on addresses of these families; NULL: it says nothing (more) about them. */
static const struct cidr *net_condition(const struct rule_side *side, __u16 families)
{
	bool says = side->has_net && side->net.length > 0 && (family_flag(&side->net) & families);

	return says ? &side->net : NULL;
}

static int add_atoms(struct policy_engine *engine, const struct rule_side *side, const struct cidr *net,
		     struct atom **atoms, __u32 *count)
{
	int r = 0;

	if (side->tag) {
		r = atom_get_tag(engine, side->tag, &atoms[*count]);
		*count += r == 0;
	}
	if (r == 0 && side->selector) {
		r = atom_get_selector(engine, side->selector, &atoms[*count]);
		*count += r == 0;
	}
	if (r == 0 && net) {
		r = atom_get_net(engine, net, &atoms[*count]);
		*count += r == 0;
	}
	return r;
}

static bool contradicts(const struct predicate *predicate)
{
	for (__u32 i = 0; i < predicate->positives; i++) {
		for (__u32 j = 0; j < predicate->negatives; j++) {
			if (predicate->positive[i] == predicate->negative[j])
				return true;
		}
	}
	return false;
}

static int release(struct policy_engine *engine, const struct predicate *predicate)
{
	int r = 0;

	for (__u32 i = 0; r == 0 && i < predicate->positives; i++)
		r = atom_release(engine, predicate->positive[i]);
	/* A contradiction has an atom on both sides, which is gone now. */
	for (__u32 i = 0; r == 0 && i < predicate->negatives; i++) {
		bool released = false;

		for (__u32 j = 0; j < predicate->positives; j++)
			released |= predicate->positive[j] == predicate->negative[i];
		if (!released)
			r = atom_release(engine, predicate->negative[i]);
	}
	return r;
}

static bool net_covers(const struct cidr *outer, const struct cidr *inner)
{
	return outer->length <= inner->length && cidr_contains(outer, &inner->addr);
}

/* *ret_set 0: any address. 1, 0 when no address can match, or -errno. */
static int side_set(struct policy_engine *engine, const struct rule_side *side, const struct rule_side * not,
		    __u16 families, __u32 *ret_set, bool *ret_not)
{
	const struct cidr *net = net_condition(side, families), *not_net = net_condition(not, families);
	struct predicate predicate = {};
	struct set *set;
	int r;

	if (net && not_net) {
		if (net_covers(not_net, net))
			return 0;
		if (!cidr_overlaps(net, not_net))
			not_net = NULL;
	}
	r = add_atoms(engine, side, net, predicate.positive, &predicate.positives);
	if (r == 0)
		r = add_atoms(engine, not, not_net, predicate.negative, &predicate.negatives);
	if (r < 0)
		return r;
	if (predicate.positives + predicate.negatives == 0)
		return 1;
	if (contradicts(&predicate)) {
		r = release(engine, &predicate);
		return r < 0 ? r : 0;
	}
	r = set_get(engine, &predicate, &set, ret_not);
	if (r < 0)
		return r;
	*ret_set = set->number;
	return 1;
}

int outline_addresses(struct policy_engine *engine, const struct rule *rule, struct outline *outline)
{
	const struct rule_match *match = &rule->match, *not = &rule->not_match;
	struct policy_rule *common = &outline->common;
	__u16 families =
		families_of_side(&match->src, &not ->src) & families_of_side(&match->dst, &not ->dst);
	__u16 left = 0;
	bool negated = false;
	int r;

	if (common->flags & MATCH_ALWAYS)
		return 1;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		outline->families[class] &= families;
		left |= outline->families[class];
	}
	if (!left)
		return 0;
	r = side_set(engine, &match->src, &not ->src, left, &common->src_set, &negated);
	if (r <= 0)
		return r;
	if (negated)
		common->flags |= MATCH_SRC_NOT;
	negated = false;
	r = side_set(engine, &match->dst, &not ->dst, left, &common->dst_set, &negated);
	if (r > 0 && negated)
		common->flags |= MATCH_DST_NOT;
	if (r <= 0 && common->src_set) {
		set_unref(engine, common->src_set);
		common->src_set = 0;
	}
	return r;
}
