/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Evaluates one endpoint's policy for one direction: a list of steps, each a run of rules. */
#ifndef POLICY_H
#define POLICY_H

#include "context.h"
#include "identity.h"
#include "verdict.h"
#include "verdict_cache.h"

/* Addresses are to be looked up again. */
#define EVALUATE_AGAIN 1

/* More than any list has steps and log rules; reaching it is no decision, that is: a drop. */
#define SCANS_MAX (1 << 20)

static __always_inline void rule_hit(struct packet *p, __u32 rule_id)
{
	struct traffic *traffic = bpf_map_lookup_elem(&rule_hits, &rule_id);

	if (p->flags & PACKET_TRIAL)
		p->traces++;
	else if (traffic)
		traffic_count(traffic, p->length);
}

static __always_inline bool portset_has(struct packet *p, __u32 index, __u16 port)
{
	const struct portset *ports = bpf_map_lookup_elem(&portset, &index);

	if (!ports) {
		p->flags |= PACKET_FAULT;
		return false;
	}
	return ports->word[port / 64] >> (port % 64) & 1;
}

/*
 * The destination port comes first: it tells most rules apart. Ports are read through volatile, for each rule
 * anew: of a register compared with range after range the verifier follows every combination of outcomes.
 */
static __always_inline bool rule_matches_ports(struct packet *p, const struct policy_rule *r)
{
	__u16 flags = r->flags, port = *(volatile __u16 *)&p->destination_port;

	if ((flags & MATCH_DPORT) && (port < r->dport_first || port > r->dport_last))
		return false;
	if (!(flags & (MATCH_SPORT | MATCH_DPORT)) && !r->src_portset && !r->dst_portset)
		return true;
	if (!(p->flags & PACKET_PORTS))
		return false;
	if (r->dst_portset && !portset_has(p, r->dst_portset, port))
		return false;
	port = *(volatile __u16 *)&p->source_port;
	if ((flags & MATCH_SPORT) && (port < r->sport_first || port > r->sport_last))
		return false;
	return !r->src_portset || portset_has(p, r->src_portset, port);
}

static __always_inline bool rule_matches_icmp(const struct packet *p, const struct policy_rule *r)
{
	__u16 flags = r->flags;

	if (!(flags & (MATCH_ICMP_TYPE | MATCH_ICMP_CODE | MATCH_ICMP_NOT_TYPE)))
		return true;
	if (p->class != CLASS_ICMP)
		return false;
	if ((flags & MATCH_ICMP_TYPE) && p->icmp_type != r->icmp_type)
		return false;
	if ((flags & MATCH_ICMP_CODE) && p->icmp_code != r->icmp_code)
		return false;
	return !(flags & MATCH_ICMP_NOT_TYPE) || p->icmp_type != r->not_icmp_type ||
	       ((flags & MATCH_ICMP_NOT_CODE) && p->icmp_code != r->not_icmp_code);
}

static __always_inline bool rule_matches_protocol(const struct packet *p, const struct policy_rule *r)
{
	if (p->class != CLASS_OTHER)
		return true;
	if (r->protocol && r->protocol != p->tuple.protocol)
		return false;
	return !r->not_protocol || r->not_protocol != p->tuple.protocol;
}

static __always_inline bool rule_matches(struct packet *p, const struct policy_rule *r)
{
	if (r->flags & MATCH_ALWAYS)
		return true;
	return rule_matches_ports(p, r) && (r->flags & (p->tuple.family == 4 ? MATCH_IPV4 : MATCH_IPV6)) &&
	       rule_matches_protocol(p, r) && rule_matches_icmp(p, r) &&
	       set_matches(p, &p->source, r->src_set, r->flags & MATCH_SRC_NOT) &&
	       set_matches(p, &p->destination, r->dst_set, r->flags & MATCH_DST_NOT);
}

/* What the matching rule does; scanning goes on behind it unless it decides. */
static __always_inline void rule_apply(struct packet *p, const struct policy_rule *r, __u32 next)
{
	rule_hit(p, r->rule_id);
	if (r->action == ACTION_LOG || (r->flags & MATCH_LOG))
		event_log(p, r->rule_id, r->log_prefix);
	if (r->action == ACTION_LOG)
		return;
	if (r->action == ACTION_NEXT) {
		p->scan.uncachable |= p->scan.passed;
		p->scan.passed = r->rule_id;
		p->scan.at = next;
		p->scan.done = 0;
		return;
	}
	p->scan.decided = r->rule_id;
	if (r->action == ACTION_ALLOW) {
		p->scan.result = SCAN_ALLOWED;
		return;
	}
	p->rule_id = r->rule_id;
	p->scan.result = p->scan.inbound ? -DROP_REASON_RULE_INBOUND : -DROP_REASON_RULE_OUTBOUND;
}

/*
 * The first of `rules` rules from index `first` that matches, or how many there are. The loop only searches,
 * so that the verifier meets what a rule does once and not for each iteration.
 */
static __always_inline __u32 rules_search(struct packet *p, __u32 first, __u32 rules)
{
	__u32 i;

	for (i = 0; i < RULES_PER_STEP && i < rules; i++) {
		__u32 index = first + i;
		const struct policy_rule *r = bpf_map_lookup_elem(&rule, &index);

		if (!r)
			p->flags |= PACKET_FAULT;
		else if (rule_matches(p, r))
			break;
	}
	return i;
}

static __always_inline void scan_rules(struct packet *p, const struct policy_step *s)
{
	__u32 done = p->scan.done, rules = s->rules - done, first = s->rule + done;
	__u32 found = rules_search(p, first, rules), index = first + found;
	const struct policy_rule *r;

	if (found >= rules) {
		p->scan.at++;
		p->scan.done = 0;
		return;
	}
	p->scan.done = done + found + 1;
	r = bpf_map_lookup_elem(&rule, &index);
	if (r)
		rule_apply(p, r, s->next);
}

/* Callback of bpf_loop(): searches the rest of a step, in the order that the steps say. Returns 1 to stop. */
static long scan_step(__u32 unused, struct packet **packet)
{
	struct packet *p = *packet;
	__u32 index = p->scan.first + p->scan.at;
	const struct policy_step *s;

	if (p->scan.at >= p->scan.steps)
		return 1;
	s = bpf_map_lookup_elem(&step, &index);
	if (!s) {
		p->flags |= PACKET_FAULT;
		return 1;
	}
	if (s->kind == STEP_RULES) {
		scan_rules(p, s);
		return p->scan.result != SCAN_UNDECIDED;
	}
	if (s->rule_id)
		rule_hit(p, s->rule_id);
	p->rule_id = s->rule_id;
	p->scan.decided = s->rule_id;
	p->scan.result = s->kind == STEP_END_TIER     ? -DROP_REASON_TIER_END
			 : s->kind == STEP_NO_PROFILE ? -DROP_REASON_NO_PROFILE
						      : -DROP_REASON_POLICY_FAILED;
	return 1;
}

/* Goes through the list's steps of the packet's class. The result as of policy_evaluate(). */
static __always_inline int list_scan(struct packet *p, const struct policy_list *policy, bool inbound)
{
	p->scan.first = policy->classes[p->class % CLASS_COUNT].first;
	p->scan.steps = policy->classes[p->class % CLASS_COUNT].steps;
	p->scan.at = 0;
	p->scan.done = 0;
	p->scan.inbound = inbound;
	p->scan.result = SCAN_UNDECIDED;
	p->scan.passed = 0;
	p->scan.decided = 0;
	p->scan.uncachable = 0;
	bpf_loop(SCANS_MAX, scan_step, &p, 0);
	if (p->flags & PACKET_FAULT)
		return -DROP_REASON_INTERNAL;
	if (p->scan.result == SCAN_UNDECIDED)
		return inbound ? -DROP_REASON_POLICY_INBOUND : -DROP_REASON_POLICY_OUTBOUND;
	return p->scan.result;
}

/* As if the list had been gone through: the same rules count the packet. */
static __always_inline int verdict_repeat(struct packet *p, const struct cached_verdict *verdict)
{
	if (verdict->passed)
		rule_hit(p, verdict->passed);
	if (verdict->decided)
		rule_hit(p, verdict->decided);
	if (verdict->reason)
		p->rule_id = verdict->decided;
	return -verdict->reason;
}

/*
 * 0: allowed; else the negative drop reason, or EVALUATE_AGAIN. p->source and p->destination are known.
 *
 * A list that was published after they were looked up may ask for sets that they were not in yet, so that a
 * negated tag would match: the epoch is advanced after addresses are written and before lists are, and what
 * is known has to be of the epoch that the list is found in.
 */
__noinline int policy_evaluate(struct packet *p, __u32 slot, bool inbound)
{
	const struct endpoint_policy *published = bpf_map_lookup_elem(&endpoint_policy, &slot);
	const struct cached_verdict *known;
	const struct policy_list *policy;
	__u32 number;
	int r;

	if (!p || !published || (p->flags & PACKET_FAULT))
		return -DROP_REASON_INTERNAL;
	number = *(volatile const __u32 *)(inbound ? &published->inbound : &published->outbound);
	if (epoch_read() != p->epoch)
		return EVALUATE_AGAIN;
	if (!number)
		p->flags |= PACKET_ON_HOLD;
	policy = bpf_map_lookup_elem(&list, &number);
	if (!policy)
		return -DROP_REASON_INTERNAL;
	p->rule_id = 0;
	cached_key(p, number, inbound);
	known = policy->flags & LIST_NO_CACHE ? NULL : cached_find(p);
	if (known) {
		p->flags |= PACKET_REPEATABLE;
		return verdict_repeat(p, known);
	}
	r = list_scan(p, policy, inbound);
	if (!(policy->flags & LIST_NO_CACHE) && !p->scan.uncachable && !(p->flags & PACKET_FAULT)) {
		p->flags |= PACKET_REPEATABLE;
		cached_store(p, r);
	}
	return r;
}

#endif
