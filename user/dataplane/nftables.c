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

#define TABLE	      "calico"
#define SCRIPT	      2048
#define COMMENT	      64
#define MAX_OWN_RULES 16 /* deleted at once, should our rules have been duplicated; the rest next time */

struct nftables {
	struct nft_ctx *ctx;
	char prefix[IFNAMSIZ];
	char comment[COMMENT];
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
	if (!kernel_has_nfnetlink())
		return err_set(err, EPROTONOSUPPORT, "this kernel has no nftables: %s", strerror(errno));
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

/* Finds our rules in the chain. True when they are exactly its first two. */
static bool find_own(const struct nftables *nft, const json_t *rules, json_int_t handles[MAX_OWN_RULES],
		     size_t *ret_count)
{
	bool leading = true;
	size_t i, count = 0;
	json_t *rule;

	json_array_foreach (rules, i, rule) {
		if (!has_comment(rule, nft->comment))
			continue;
		leading = leading && i < 2;
		if (count < MAX_OWN_RULES)
			handles[count++] = json_integer_value(json_object_get(rule, "handle"));
	}
	*ret_count = count;
	return leading && count == 2;
}

static int apply_accept(struct nftables *nft, const char *family, bool wanted, struct err *err)
{
	char script[SCRIPT], chain[64];
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
	right = find_own(nft, rules, handles, &count);
	json_decref(rules);
	if (wanted ? right : count == 0)
		return 0;
	script[0] = '\0';
	for (size_t i = 0; i < count; i++)
		length += (size_t)snprintf(script + length, sizeof(script) - length,
					   "delete rule %s handle %lld\n", chain, (long long)handles[i]);
	/* Each is inserted at the top, so the last comes first. */
	for (int i = 0; wanted && i < 2; i++)
		length += (size_t)snprintf(script + length, sizeof(script) - length,
					   "insert rule %s %s \"%s*\" counter accept comment \"%s\"\n", chain,
					   i ? "iifname" : "oifname", nft->prefix, nft->comment);
	rc = run(nft, script, "the rules that accept packets of endpoints in FORWARD", err);
	return rc ? rc : 1;
}

int nftables_apply_accept(struct nftables *nft, bool wanted, struct err *err)
{
	int rc4 = apply_accept(nft, "ip", wanted, err);
	int rc6 = apply_accept(nft, "ip6", wanted, rc4 < 0 ? NULL : err);

	if (rc4 < 0 || rc6 < 0)
		return rc4 < 0 ? rc4 : rc6;
	return rc4 || rc6;
}

int nftables_apply_masquerade(struct nftables *nft, __u32 mark, struct err *err)
{
	char script[SCRIPT], comment[COMMENT];
	json_t *rules = list_rules(nft, "table ip " TABLE);
	bool right;
	int rc;

	/* The mark is part of the comment, so that a rule for another one is not taken for right. */
	snprintf(comment, sizeof(comment), "calico-node mark 0x%08x", mark);
	if (mark)
		right = json_array_size(rules) == 1 && has_comment(json_array_get(rules, 0), comment);
	else
		right = !rules;
	json_decref(rules);
	if (right)
		return 0;
	if (mark)
		snprintf(script, sizeof(script),
			 "add table ip " TABLE "\n"
			 "delete table ip " TABLE "\n"
			 "table ip " TABLE " {\n"
			 "	chain postrouting {\n"
			 "		type nat hook postrouting priority 100; policy accept;\n"
			 "		meta mark & 0x%08x == 0x%08x counter masquerade comment \"%s\"\n"
			 "	}\n"
			 "}\n",
			 mark, mark, comment);
	else
		snprintf(script, sizeof(script), "delete table ip " TABLE "\n");
	rc = run(nft, script, "the masquerade rule", err);
	return rc ? rc : 1;
}
