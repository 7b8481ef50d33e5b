/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A rule as words of the command line: "tcp from tag A to ports 80,443". Word order, checks and their texts
 * are those of the command line specification, 4.1 and 4.2.
 */
#ifndef CLI_MATCH_H
#define CLI_MATCH_H

#include "cli/grammar.h"
#include "cli/out.h"
#include "model/rules.h"

struct match_side {
	const char *ports, *tag, *cidr; /* as written; NULL: not given */
};

struct match {
	const char *protocol, *type, *code;
	struct match_side src, dst;
};

/* Splits the words named ARGS_REST. false: not of the grammar. Borrows from args. */
bool match_parse(const struct args *args, struct match *ret);
/* Checks the values; prints one line for each check that fails. */
bool match_check(const struct match *match, struct out *out);
/* The rule of a match that passed its checks. */
int match_to_rule(const struct match *match, const char *action, struct rule *ret, struct err *err);

#endif
