/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checks of values given on the command line: section 2.6 of the command line specification. */
#ifndef CLI_VALIDATE_H
#define CLI_VALIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/grammar.h"
#include "cli/out.h"
#include "util/addr.h"

/* Decimal number or "H.L" with both in 0-65535. */
bool as_number_parse(const char *text, uint32_t *ret);
/* Whole decimal integer; a value that does not fit becomes the nearest that does. */
bool integer_parse(const char *text, long *ret);

/* These say what is wrong. */
bool check_name(struct out *out, const char *what, const char *name); /* what: "host"; a part of a key */
bool check_profile_name(struct out *out, const char *name);
bool check_tag(struct out *out, const char *name);
bool check_ip(struct out *out, const char *text, struct addr *ret);
bool check_as(struct out *out, const char *text, uint32_t *ret);
bool check_runtime(struct out *out, const struct args *args); /* of --runtime=<RUNTIME> */
/* The networks of an argument, without host bits, kept until the end of the run. NULL: told. */
struct cidr *check_cidrs(struct out *out, const struct args *args, const char *name);

#endif
