/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Command lines by pattern. A pattern is one line of the usage text and at the same time what is parsed:
 *
 *   word              that word                 (a|b)       one of the words
 *   <NAME>            any one word              [a|b]       one of them or none
 *   [<NAME>]          one or none               [MATCH]     all remaining words, for the caller to parse
 *   <NAME>...         one or more               --opt=<V>   this option must be given
 *   [<NAME>...]       any number                [--opt], [--opt=<V>], [-o <V>], [--a | --b]
 *
 * Options may stand anywhere on the command line; what takes all remaining words comes last. Unambiguous
 * prefixes of long options are accepted. Results borrow from argv and from the patterns.
 */
#ifndef CLI_GRAMMAR_H
#define CLI_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

struct option_spec {
	const char *form; /* "--at=<POSITION>", "--detailed", "-o <FORMAT>" */
	const char *help;
};

#define ARGS_REST "[MATCH]"

struct arg {
	const char *name;  /* starts with "profile", "<PROFILE>", "--at", "-o" or ARGS_REST; NULL: a word */
	const char *value; /* the word; NULL for an option without value */
};

struct args {
	struct arg *items;
	size_t count;
};

/*
 * Splits words (argv without the program's name) into options of the list, which ends with a NULL form, and
 * the other words, in order, named NULL. false: unknown or ambiguous option, value missing or unexpected, or
 * an option given twice. "--help" and "-h" are known in every list. Free with args_done().
 */
bool args_split(char *const *words, size_t count, const struct option_spec *options, struct args *ret);
/* Fits the words to one pattern. false: they are not of this form. */
bool args_match(const struct args *split, const char *pattern, struct args *ret);
void args_done(struct args *args);

/* The n-th value of a name; NULL beyond the last. */
const char *args_nth(const struct args *args, const char *name, size_t n);
const char *args_get(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);
size_t args_count(const struct args *args, const char *name);
/* Which of the words was chosen: the first of the NULL-terminated choices that is present, or NULL. */
const char *args_choice(const struct args *args, const char *const *choices);

#endif
