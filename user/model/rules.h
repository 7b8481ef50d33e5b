/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules: what profiles and policies are made of. JSON form, command line form, and comparison. */
#ifndef MODEL_RULES_H
#define MODEL_RULES_H

#include "model/model.h"
#include "model/selector.h"

enum action { RULE_ALLOW, RULE_DENY, RULE_NEXT_TIER, RULE_LOG };

struct port_range {
	uint16_t first, last;
};
struct port_ranges { /* as written, not sorted; count 0: no condition (also what an empty list means) */
	struct port_range *items;
	size_t count;
};

/* What one side (source or destination) must be, or with negation must not be. NULL / absent: no condition.
 */
struct rule_side {
	char *tag;
	char *selector_text;
	struct selector *selector;
	bool has_net;
	struct cidr net; /* host bits as written; mask when matching */
	char *net_text;	 /* canonical: cidr_format(&net) */
	struct port_ranges ports;
};

struct rule_match {
	int protocol;	     /* 0: no condition; else 1..255 */
	char *protocol_text; /* as stored: "tcp", "123" */
	struct rule_side src, dst;
	int icmp_type, icmp_code; /* -1: no condition */
};

struct rule {
	enum action action;
	int ip_version;		     /* 0: both */
	char *log_prefix;	     /* NULL: none; else sanitised, at most 27 characters */
	struct rule_match match;     /* all of these must hold */
	struct rule_match not_match; /* none of these may hold; icmp type and code are negated as a pair */
};

struct rules_list {
	struct rule *items;
	size_t count;
};

/* A profile's "rules" value. */
struct rules {
	char *id; /* may be NULL */
	struct rules_list inbound, outbound;
	json_t *raw; /* the document's other members, kept by rules_format(); may be NULL */
};

/* Validation of the data model, sections "Profile", "Rule object" and the validation tables. */
int rules_parse(const char *text, struct rules **ret, struct err *err);
int rules_parse_json(const json_t *json, struct rules **ret, struct err *err);
/* The two lists of any object that has them; both are required. On failure nothing is left to free. */
int rules_lists_parse_json(const json_t *json, struct rules_list *ret_inbound,
			   struct rules_list *ret_outbound, struct err *err);
void rules_free(struct rules *rules);
char *rules_format(const struct rules *rules);	      /* one line, to store */
char *rules_format_pretty(const struct rules *rules); /* indent 2, id first, as `rule json` prints */
/* The default profile of name N: inbound allow from tag N, outbound allow. */
struct rules *rules_new_default(const char *id);

const char *rule_action_name(enum action action); /* "allow"; "unknown" for what is none */

/* A rule without conditions that allows everything. */
void rule_init(struct rule *rule);
int rule_parse_json(const json_t *json, struct rule *ret, struct err *err);
json_t *rule_to_json(const struct rule *rule);
void rule_done(struct rule *rule);
int rule_copy(const struct rule *rule, struct rule *ret);
/* All fields; CIDRs as networks (host bits ignored), ports in order. */
bool rule_equal(const struct rule *a, const struct rule *b);
int rules_list_insert(struct rules_list *list, size_t position,
		      struct rule *rule); /* takes the contents of *rule */
void rules_list_remove(struct rules_list *list, size_t position);
void rules_list_done(struct rules_list *list);

/*
 * "allow tcp from tag applications to ports 3306": command line specification, "rule show format". Selectors
 * are not shown, as in v0.20; members it did not know are: "allow ipv4 !tcp from !tag web". malloc'd.
 */
char *rule_format_text(const struct rule *rule);
/* The same with selectors, so that nothing the rule says is missing: "allow from selector role == 'web'". */
char *rule_describe(const struct rule *rule);

/* "6,9,53:99"; used by the command line. 0 or -EINVAL with the specified message. */
int port_ranges_parse(const char *text, struct port_ranges *ret, struct err *err);
int port_ranges_add(struct port_ranges *ranges, uint16_t first, uint16_t last); /* 0 or -ENOMEM */
void port_ranges_done(struct port_ranges *ranges);

/* 1 to 255 for a name or decimal number; -EINVAL. */
int protocol_parse(const char *text);

#endif
