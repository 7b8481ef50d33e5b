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
struct port_ranges { /* as written; count 0 with present: an empty list, which means no port match */
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
	char *net_text;	 /* as stored */
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
	json_t *raw; /* the document as read; NULL when built in code */
};

/* Validation of the data model, sections "Profile", "Rule object" and the validation tables. */
int rules_parse(const char *text, struct rules **ret, struct err *err);
int rules_parse_json(const json_t *json, struct rules **ret, struct err *err);
void rules_free(struct rules *rules);
char *rules_format(const struct rules *rules);	      /* one line, to store */
char *rules_format_pretty(const struct rules *rules); /* indent 2, id first, as `rule json` prints */
/* The default profile of name N: inbound allow from tag N, outbound allow. */
struct rules *rules_new_default(const char *id);

int rule_parse_json(const json_t *json, struct rule *ret, struct err *err);
json_t *rule_to_json(const struct rule *rule);
void rule_done(struct rule *rule);
int rule_copy(const struct rule *rule, struct rule *ret);
/* All fields; CIDRs as networks (host bits ignored), ports in order. */
bool rule_equal(const struct rule *a, const struct rule *b);
int rules_list_insert(struct rules_list *list, size_t position,
		      struct rule *rule); /* takes the contents of *rule */
void rules_list_remove(struct rules_list *list, size_t position);

/* "allow tcp from tag applications to ports 3306": command line specification, "rule show format". malloc'd.
 */
char *rule_format_text(const struct rule *rule);

/* "6,9,53:99"; used by the command line. 0 or -EINVAL with the specified message. */
int port_ranges_parse(const char *text, struct port_ranges *ret, struct err *err);
void port_ranges_done(struct port_ranges *ranges);

/* 1..255 for a name or decimal number; -EINVAL. */
int protocol_parse(const char *text);

#endif
