/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl pool: section 5 of the command line specification. */
#include "cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "cli/cmd_pool_range.h"
#include "cli/pool_list.h"
#include "cli/validate.h"
#include "ipam/ipam.h"
#include "store/keys.h"

/* Allocations from a pool that was just disabled may still be under way. */
#define POOL_DISABLE_WAIT_S 3

static bool length_ok(struct ctl *ctl, const struct cidr *cidr)
{
	uint8_t family = cidr->addr.family, longest = pool_max_length(family);
	char text[CIDR_TEXT];

	if (cidr->length <= longest)
		return true;
	out_say(&ctl->out,
		"An IPv%d pool must have a prefix length of %d or lower.\nGiven: %s.\nNo pools added.",
		family, longest, cidr_format(cidr, text));
	return false;
}

static bool clashes(const struct cidr *a, const struct cidr *b)
{
	return cidr_compare(a, b) != 0 && cidr_overlaps(a, b);
}

static bool overlap_ok(struct ctl *ctl, const struct cidr *cidrs, size_t count, const struct cidr *cidr)
{
	char text[CIDR_TEXT], other[CIDR_TEXT];
	struct pool_list existing;
	bool ok = true;

	if (!pool_list_load(ctl, cidr->addr.family, &existing))
		return false;
	cidr_format(cidr, text);
	for (size_t i = 0; i < existing.count && ok; i++) {
		ok = !clashes(cidr, &existing.items[i]->cidr);
		if (!ok)
			out_say(&ctl->out, "Cannot add IP pool %s - pool overlaps with an existing pool %s",
				text, cidr_format(&existing.items[i]->cidr, other));
	}
	for (size_t i = 0; i < count && ok; i++) {
		ok = !clashes(cidr, &cidrs[i]);
		if (!ok)
			out_say(&ctl->out, "Cannot add IP pool %s - pool overlaps with another new pool %s",
				text, cidr_format(&cidrs[i], other));
	}
	pool_list_done(&existing);
	return ok;
}

static int pool_add(struct ctl *ctl, const struct args *args)
{
	size_t count = args_count(args, "<CIDRS>");
	struct cidr *cidrs = check_cidrs(&ctl->out, args, "<CIDRS>");
	struct pool_options options = {args_has(args, "--ipip"), args_has(args, "--nat-outgoing")};

	if (!cidrs)
		return STATUS_FAILED;
	for (size_t i = 0; i < count; i++) {
		if (options.ipip && cidrs[i].addr.family == 6) {
			out_say(&ctl->out, "IP in IP not supported for IPv6 pools");
			return STATUS_FAILED;
		}
		if (!length_ok(ctl, &cidrs[i]) || !pool_check_usable(ctl, &cidrs[i]))
			return STATUS_FAILED;
	}
	if (!ctl_open(ctl))
		return STATUS_FAILED;
	for (size_t i = 0; i < count; i++)
		if (!overlap_ok(ctl, cidrs, count, &cidrs[i]))
			return STATUS_FAILED;
	return pool_list_write(ctl, cidrs, count, &options);
}

/* Pool of exactly this CIDR. */
static int find_pool(struct ctl *ctl, const struct cidr *cidr, const char *given, struct pool **ret)
{
	char key[KEY_MAX];
	const char *text;
	struct err err;

	if (!ctl_read(ctl, key_pool(key, cidr), &text))
		return STATUS_FAILED;
	if (!text) {
		out_say(&ctl->out, "%s is not a configured pool.", given);
		return STATUS_FAILED;
	}
	if (pool_parse(key_last(key), text, ret, &err) == 0)
		return STATUS_DONE;
	/* A value that nobody can read must not keep the pool from being removed. */
	*ret = arena_check(pool_new(cidr));
	return STATUS_DONE;
}

static int remove_one(struct ctl *ctl, const struct cidr *cidr, const char *given)
{
	struct ipam ipam = {.store = ctl->store, .host = ctl->config->hostname};
	char key[KEY_MAX];
	struct pool *pool;
	struct err err;
	int status = find_pool(ctl, cidr, given, &pool), r;

	if (status != STATUS_DONE)
		return status;
	out_say(&ctl->out, "Disabling IP Pool");
	pool->disabled = true;

	const char *disabled = ctl_keep(ctl, pool_format(pool));

	pool_free(pool);
	if (!ctl_write(ctl, key_pool(key, cidr), disabled))
		return STATUS_FAILED;
	out_say(&ctl->out, "Removing IPAM configuration for pool");
	nanosleep(&(struct timespec){.tv_sec = POOL_DISABLE_WAIT_S}, NULL);
	r = ipam_release_pool(&ipam, cidr, &err);
	if (r == -ESTALE) {
		out_para(&ctl->out,
			 "IPAM configuration of pool %s was changed by others at the same time (%s).  "
			 "Retry the command.",
			 given, err.text);
		return STATUS_FAILED;
	}
	if (r < 0)
		return ctl_store_failed(ctl, &err);
	if (!ctl_delete(ctl, key, NULL))
		return STATUS_FAILED;
	out_say(&ctl->out, "Deleted IP Pool");
	return STATUS_DONE;
}

static int pool_remove(struct ctl *ctl, const struct args *args)
{
	size_t count = args_count(args, "<CIDRS>");
	struct cidr *cidrs = check_cidrs(&ctl->out, args, "<CIDRS>");
	int status = cidrs && ctl_open(ctl) ? STATUS_DONE : STATUS_FAILED;

	for (size_t i = 0; i < count && status == STATUS_DONE; i++)
		status = remove_one(ctl, &cidrs[i], args_nth(args, "<CIDRS>", i));
	return status;
}

static const struct column columns4[] = {
	{"IPv4 CIDR", "cidr", COLUMN_TEXT},
	{"Options", "options", COLUMN_COMMAS},
};
static const struct column columns6[] = {
	{"IPv6 CIDR", "cidr", COLUMN_TEXT},
	{"Options", "options", COLUMN_COMMAS},
};

static const char *options_text(const struct pool *pool)
{
	if (pool->cidr.addr.family == 6)
		return "";
	if (pool->ipip)
		return pool->masquerade ? "ipip,nat-outgoing" : "ipip";
	return pool->masquerade ? "nat-outgoing" : "";
}

static int show_family(struct ctl *ctl, uint8_t family, const void *arg)
{
	struct pool_list pools;
	struct table table;
	char text[CIDR_TEXT];

	if (!pool_list_load(ctl, family, &pools))
		return STATUS_FAILED;
	table_init(&table, family == 6 ? columns6 : columns4, 2);
	for (size_t i = 0; i < pools.count; i++)
		table_add(&table, ctl_text(ctl, "%s", cidr_format(&pools.items[i]->cidr, text)),
			  options_text(pools.items[i]));
	table_sort(&table);
	out_table(&ctl->out, family == 6 ? "ipv6" : "ipv4", &table);
	table_done(&table);
	pool_list_done(&pools);
	return STATUS_DONE;
}

static int pool_show(struct ctl *ctl, const struct args *args)
{
	return command_each_family(ctl, args, show_family, NULL);
}

static const struct form forms[] = {
	{"add <CIDRS>... [--ipip] [--nat-outgoing]", pool_add},
	{"remove <CIDRS>...", pool_remove},
	{"range add <START_IP> <END_IP> [--ipip] [--nat-outgoing]", cmd_pool_range_add},
	{"show [--ipv4 | --ipv6] [-o <FORMAT>]", pool_show},
	{0},
};

static const struct option_spec options[] = {
	{"--ipip", "Carry traffic between hosts of this pool in IP-in-IP (IPv4)."},
	{"--nat-outgoing", "Masquerade traffic from the pool to addresses outside of all pools."},
	OPTIONS_FAMILY,
	OPTION_OUTPUT,
	{0},
};

const struct command command_pool = {
	.name = "pool",
	.summary = "IP pools: where addresses of containers come from",
	.description = "Show, add and remove IP pools. Adding a pool again replaces its options.",
	.forms = forms,
	.options = options,
};
