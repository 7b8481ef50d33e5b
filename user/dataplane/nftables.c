/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules by libnftables. Ours are known by their comment, which iptables shows as well. The rules in FORWARD
 * use just what iptables can express itself: otherwise it would call the whole table incompatible.
 */
#include "dataplane/nftables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include "dataplane/blame.h"

#define TABLE	      "calico"
#define SCRIPT	      2048
#define COMMENT	      64
#define MAX_OWN_RULES 16 /* deleted at once, should our rules have been duplicated; the rest next time */

struct nftables {
	struct nft_ctx *ctx;
	char prefix[IFNAMSIZ];
	char comment[COMMENT / 2]; /* more is added to it */
};

/* libnftables ends the process when the kernel does not have its protocol. */
static bool kernel_has_nfnetlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int nftables_open(const char *interface_prefix, struct nftables **ret, struct err *err)
{
	struct nftables *nft;

	/* The prefix becomes part of a script. */
	if (!*interface_prefix || strlen(interface_prefix) >= IFNAMSIZ - 1 ||
	    strspn(interface_prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") !=
		    strlen(interface_prefix))
		return err_set(err, EINVAL,
			       "the interface prefix \"%s\" is not a part of an interface's name",
			       interface_prefix);
	if (!kernel_has_nfnetlink()) {
		char text[BLAME_TEXT];
		struct blame blame;
		int rc = -errno;

		blame_read(&blame);
		if (blame_explain(&blame, rc, text, sizeof(text)))
			return err_set(err, -rc, "nftables cannot be used: %s", text);
		return err_set(err, EPROTONOSUPPORT, "this kernel has no nftables: %s", strerror(-rc));
	}
	nft = calloc(1, sizeof(*nft));
	if (nft)
		nft->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft || !nft->ctx || nft_ctx_buffer_output(nft->ctx) || nft_ctx_buffer_error(nft->ctx)) {
		nftables_close(nft);
		return err_set(err, ENOMEM, "out of memory while opening nftables");
	}
	nft_ctx_output_set_flags(nft->ctx, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE);
	snprintf(nft->prefix, sizeof(nft->prefix), "%s", interface_prefix);
	snprintf(nft->comment, sizeof(nft->comment), "calico-node %s", interface_prefix);
	*ret = nft;
	return 0;
}

void nftables_close(struct nftables *nft)
{
	if (!nft)
		return;
	if (nft->ctx)
		nft_ctx_free(nft->ctx);
	free(nft);
}

/* Runs a script as one transaction. */
static int run(struct nftables *nft, const char *script, const char *what, struct err *err)
{
	const char *text;

	if (!nft_run_cmd_from_buffer(nft->ctx, script))
		return 0;
	text = nft_ctx_get_error_buffer(nft->ctx);
	if (!text)
		text = "no reason given";
	return err_set(err, EIO, "nftables refuses %s: %.*s", what, (int)strcspn(text, "\n"), text);
}

/* The object's rules, in order: a new array. NULL when there is no such object. */
static json_t *list_rules(struct nftables *nft, const char *object)
{
	char command[128];
	json_t *document, *rules, *entry;
	size_t i;

	snprintf(command, sizeof(command), "list %s", object);
	if (nft_run_cmd_from_buffer(nft->ctx, command)) {
		nft_ctx_get_error_buffer(nft->ctx); /* empties it */
		return NULL;
	}
	document = json_loads(nft_ctx_get_output_buffer(nft->ctx), 0, NULL);
	rules = json_array();
	json_array_foreach (json_object_get(document, "nftables"), i, entry) {
		if (json_object_get(entry, "rule"))
			json_array_append(rules, json_object_get(entry, "rule"));
	}
	json_decref(document);
	return rules;
}

static bool has_comment(const json_t *rule, const char *comment)
{
	const char *text = json_string_value(json_object_get(rule, "comment"));

	return text && !strcmp(text, comment);
}

/* Whatever marks it is for; earlier versions named none. */
static bool is_own(const struct nftables *nft, const json_t *rule)
{
	const char *text = json_string_value(json_object_get(rule, "comment"));
	size_t length = strlen(nft->comment);

	return text && !strncmp(text, nft->comment, length) && (text[length] == ' ' || !text[length]);
}

/* Finds our rules in the chain. True when they are exactly its first two, and as the comment says. */
static bool find_own(const struct nftables *nft, const json_t *rules, const char *comment,
		     json_int_t handles[MAX_OWN_RULES], size_t *ret_count)
{
	bool leading = true;
	size_t i, count = 0;
	json_t *rule;

	json_array_foreach (rules, i, rule) {
		if (!is_own(nft, rule))
			continue;
		leading = leading && i < 2 && has_comment(rule, comment);
		if (count < MAX_OWN_RULES)
			handles[count++] = json_integer_value(json_object_get(rule, "handle"));
	}
	*ret_count = count;
	return leading && count == 2;
}

static int apply_accept(struct nftables *nft, const char *family, __u32 marks, struct err *err)
{
	char script[SCRIPT], chain[64], comment[COMMENT];
	json_int_t handles[MAX_OWN_RULES];
	size_t count, length = 0;
	json_t *rules;
	bool right;
	int rc;

	snprintf(chain, sizeof(chain), "%s filter FORWARD", family);
	snprintf(script, sizeof(script), "chain %s", chain);
	rules = list_rules(nft, script);
	if (!rules)
		return 0;
	snprintf(comment, sizeof(comment), "%s marks 0x%08x", nft->comment, marks);
	right = find_own(nft, rules, comment, handles, &count);
	json_decref(rules);
	if (marks ? right : count == 0)
		return 0;
	script[0] = '\0';
	for (size_t i = 0; i < count; i++)
		length += (size_t)snprintf(script + length, sizeof(script) - length,
					   "delete rule %s handle %lld\n", chain, (long long)handles[i]);
	/* Each is inserted at the top, so the last comes first. */
	if (marks)
		snprintf(
			script + length, sizeof(script) - length,
			"insert rule %s oifname \"%s*\" counter accept comment \"%s\"\n"
			"insert rule %s iifname \"%s*\" meta mark & 0x%08x != 0 counter accept comment \"%s\"\n",
			chain, nft->prefix, comment, chain, nft->prefix, marks, comment);
	rc = run(nft, script, "the rules that accept packets of endpoints in FORWARD", err);
	return rc ? rc : 1;
}

int nftables_apply_accept(struct nftables *nft, __u32 marks, struct err *err)
{
	int rc4 = apply_accept(nft, "ip", marks, err);
	int rc6 = apply_accept(nft, "ip6", marks, rc4 < 0 ? NULL : err);

	if (rc4 < 0 || rc6 < 0)
		return rc4 < 0 ? rc4 : rc6;
	return rc4 || rc6;
}

/*
 * A table of ours, which has one chain with one rule, or (chain NULL) is not to be. The rule's comment holds
 * what is particular to it, so that one for other marks is not taken for right.
 */
struct own_table {
	const char *family, *chain, *rule, *comment, *what;
};

static int apply_table(struct nftables *nft, const struct own_table *table, struct err *err)
{
	char script[SCRIPT], object[64];
	json_t *rules;
	bool right;
	int rc;

	snprintf(object, sizeof(object), "table %s " TABLE, table->family);
	rules = list_rules(nft, object);
	if (table->chain)
		right = json_array_size(rules) == 1 && has_comment(json_array_get(rules, 0), table->comment);
	else
		right = !rules;
	json_decref(rules);
	if (right)
		return 0;
	if (table->chain)
		snprintf(script, sizeof(script),
			 "add %s\n"
			 "delete %s\n"
			 "%s {\n"
			 "	chain %s; policy accept;\n"
			 "		%s comment \"%s\"\n"
			 "	}\n"
			 "}\n",
			 object, object, object, table->chain, table->rule, table->comment);
	else
		snprintf(script, sizeof(script), "delete %s\n", object);
	rc = run(nft, script, table->what, err);
	return rc ? rc : 1;
}

int nftables_apply_masquerade(struct nftables *nft, __u32 mark, struct err *err)
{
	char rule[128], comment[COMMENT];
	const struct own_table table = {
		.family = "ip",
		.chain = mark ? "postrouting { type nat hook postrouting priority 100" : NULL,
		.rule = rule,
		.comment = comment,
		.what = "the masquerade rule",
	};

	snprintf(comment, sizeof(comment), "calico-node mark 0x%08x", mark);
	snprintf(rule, sizeof(rule), "meta mark & 0x%08x == 0x%08x counter masquerade", mark, mark);
	return apply_table(nft, &table, err);
}

/* Ahead of whatever else may set marks, and of defragmentation. */
int nftables_apply_guard(struct nftables *nft, __u32 marks, struct err *err)
{
	char rule[128], comment[COMMENT];
	const struct own_table table = {
		.family = "inet",
		.chain = marks ? "guard { type filter hook prerouting priority -450" : NULL,
		.rule = rule,
		.comment = comment,
		.what = "the rule that drops what no program has let in",
	};

	snprintf(comment, sizeof(comment), "%s marks 0x%08x", nft->comment, marks);
	snprintf(rule, sizeof(rule), "iifname \"%s*\" meta mark & 0x%08x == 0 counter drop", nft->prefix,
		 marks);
	return apply_table(nft, &table, err);
}
