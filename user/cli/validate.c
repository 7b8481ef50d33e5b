/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checks of values given on the command line. */
#include "cli/validate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "util/segment.h"

/* Plain decimal digits up to `limit`; advances past them. */
static bool digits_parse(const char **text, uint64_t limit, uint64_t *ret)
{
	uint64_t value = 0;

	if (!isdigit((unsigned char)**text))
		return false;
	for (; isdigit((unsigned char)**text); (*text)++) {
		value = value * 10 + (uint64_t)(**text - '0');
		if (value > limit)
			return false;
	}
	*ret = value;
	return true;
}

bool as_number_parse(const char *text, uint32_t *ret)
{
	bool dotted = strchr(text, '.') != NULL;
	uint64_t high = 0, low;

	if (dotted) {
		if (!digits_parse(&text, 65535, &high) || *text++ != '.')
			return false;
	}
	if (!digits_parse(&text, dotted ? 65535 : UINT32_MAX, &low) || *text)
		return false;
	*ret = (uint32_t)(high << 16 | low);
	return true;
}

bool integer_parse(const char *text, long *ret)
{
	char *end;

	*ret = strtol(text, &end, 10);
	return end != text && !*end;
}

bool check_name(struct out *out, const char *what, const char *name)
{
	const char *fault = segment_fault(name);

	if (!fault)
		return true;
	out_para(out, "The name of a %s %s.", what, fault);
	return false;
}

bool check_profile_name(struct out *out, const char *name)
{
	if (model_id_valid(name))
		return check_name(out, "profile", name);
	out_para(out, "Profile names must be < 40 character long and can only contain numbers, letters, "
		      "dots, dashes and underscores.");
	return false;
}

bool check_tag(struct out *out, const char *name)
{
	if (model_id_valid(name))
		return true;
	out_para(out, "Tags names can only contain numbers, letters, dots, dashes and underscores.");
	return false;
}

bool check_ip(struct out *out, const char *text, struct addr *ret)
{
	if (addr_parse(text, ret) == 0)
		return true;
	out_say(out, "Invalid IP address specified.");
	return false;
}

bool check_as(struct out *out, const char *text, uint32_t *ret)
{
	if (as_number_parse(text, ret))
		return true;
	out_say(out, "Invalid AS Number specified.");
	return false;
}

bool check_runtime(struct out *out, const struct args *args)
{
	const char *runtime = args_get(args, "--runtime");

	if (!runtime || !strcmp(runtime, "docker") || !strcmp(runtime, "rkt"))
		return true;
	out_say(out, "Invalid runtime specified: '%s'", runtime);
	return false;
}

struct cidr *check_cidrs(struct out *out, const struct args *args, const char *name)
{
	size_t count = args_count(args, name);
	struct cidr *cidrs = arena_alloc(&out->arena, count * sizeof(*cidrs));

	for (size_t i = 0; i < count; i++) {
		const char *given = args_nth(args, name, i);

		if (cidr_parse(given, &cidrs[i]) < 0) {
			out_say(out, "Invalid CIDR specified %s", given);
			return NULL;
		}
		cidr_mask(&cidrs[i]);
	}
	return cidrs;
}
