/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Protocol, ICMP and family conditions of a rule, folded into classes. */
#include "policy/compile.h"

#define ICMP   1
#define TCP    6
#define UDP    17
#define DCCP   33
#define ICMPV6 58
#define SCTP   132
#define UDPL   136

/* The kernel's own ICMP match cannot express it, and v0.20 put a drop in its place. */
#define ICMP_TYPE_UNUSABLE 255

static bool has_ports(int protocol)
{
	return protocol == TCP || protocol == UDP || protocol == DCCP || protocol == SCTP || protocol == UDPL;
}

static bool names_ports(const struct rule_match *match)
{
	return match->src.ports.count || match->dst.ports.count;
}

static bool names_icmp(const struct rule_match *match)
{
	return match->icmp_type >= 0 || match->icmp_code >= 0;
}

static bool meaningless(const struct rule *rule)
{
	const struct rule_match *match = &rule->match, *not = &rule->not_match;

	if (rule->action < RULE_ALLOW || rule->action > RULE_LOG)
		return true;
	if (match->icmp_type == ICMP_TYPE_UNUSABLE || not ->icmp_type == ICMP_TYPE_UNUSABLE)
		return true;
	if ((match->icmp_code >= 0 && match->icmp_type < 0) || (not ->icmp_code >= 0 && not ->icmp_type < 0))
		return true;
	return (names_ports(match) || names_ports(not )) && !has_ports(match->protocol);
}

static void deny_always(struct outline *outline)
{
	*outline = (struct outline){};
	outline->common.action = ACTION_DENY;
	outline->common.flags = MATCH_ALWAYS;
	for (int class = 0; class < CLASS_COUNT; class ++)
		outline->families[class] = FAMILIES;
}

static enum rule_class class_of(int protocol)
{
	switch (protocol) {
	case TCP:
		return CLASS_TCP;
	case UDP:
		return CLASS_UDP;
	case ICMP:
	case ICMPV6:
		return CLASS_ICMP;
	default:
		return CLASS_OTHER;
	}
}

/* ICMP belongs to IPv4 and ICMPv6 to IPv6, however they are written. */
static __u16 families_of(int protocol)
{
	if (protocol == ICMP)
		return MATCH_IPV4;
	return protocol == ICMPV6 ? MATCH_IPV6 : FAMILIES;
}

static void restrict_protocol(struct outline *outline, int protocol)
{
	enum rule_class only = class_of(protocol);

	for (int class = 0; class < CLASS_COUNT; class ++)
		outline->families[class] &= class == (int)only ? families_of(protocol) : 0;
	if (only == CLASS_OTHER)
		outline->common.protocol = (__u8)protocol;
}

static void exclude_protocol(struct outline *outline, int protocol)
{
	enum rule_class class = class_of(protocol);

	if (class != CLASS_OTHER)
		outline->families[class] &= (__u16)~families_of(protocol);
	else if (outline->common.protocol == protocol)
		outline->families[class] = 0;
	else if (!outline->common.protocol)
		outline->common.not_protocol = (__u8)protocol;
}

/* Conditions on ICMP, negated ones too, are only ever true of ICMP. */
static void restrict_icmp(struct outline *outline, const struct rule *rule)
{
	struct policy_rule *common = &outline->common;

	if (!names_icmp(&rule->match) && !names_icmp(&rule->not_match))
		return;
	for (int class = 0; class < CLASS_COUNT; class ++)
		outline->families[class] &= class == CLASS_ICMP ? FAMILIES : 0;
	if (rule->match.icmp_type >= 0) {
		common->flags |= MATCH_ICMP_TYPE;
		common->icmp_type = (__u8)rule->match.icmp_type;
	}
	if (rule->match.icmp_code >= 0) {
		common->flags |= MATCH_ICMP_CODE;
		common->icmp_code = (__u8)rule->match.icmp_code;
	}
	if (rule->not_match.icmp_type >= 0) {
		common->flags |= MATCH_ICMP_NOT_TYPE;
		common->not_icmp_type = (__u8)rule->not_match.icmp_type;
	}
	if (rule->not_match.icmp_code >= 0) {
		common->flags |= MATCH_ICMP_NOT_CODE;
		common->not_icmp_code = (__u8)rule->not_match.icmp_code;
	}
}

bool outline_rule(const struct rule *rule, struct outline *ret)
{
	static const __u8 actions[] = {
		[RULE_ALLOW] = ACTION_ALLOW,
		[RULE_DENY] = ACTION_DENY,
		[RULE_NEXT_TIER] = ACTION_NEXT,
		[RULE_LOG] = ACTION_LOG,
	};
	__u16 families = FAMILIES;
	__u16 any = 0;

	if (meaningless(rule)) {
		deny_always(ret);
		return true;
	}
	if (rule->ip_version)
		families = rule->ip_version == 4 ? MATCH_IPV4 : MATCH_IPV6;
	*ret = (struct outline){.common.action = actions[rule->action]};
	for (int class = 0; class < CLASS_COUNT; class ++)
		ret->families[class] = families;
	if (rule->match.protocol)
		restrict_protocol(ret, rule->match.protocol);
	if (rule->not_match.protocol)
		exclude_protocol(ret, rule->not_match.protocol);
	restrict_icmp(ret, rule);
	for (int class = 0; class < CLASS_COUNT; class ++)
		any |= ret->families[class];
	return any != 0;
}
