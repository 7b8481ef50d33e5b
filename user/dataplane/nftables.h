/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rules that packets of endpoints need in the host's netfilter tables: compare them, make them right. */
#ifndef DATAPLANE_NFTABLES_H
#define DATAPLANE_NFTABLES_H

#include <stdbool.h>

#include <linux/types.h>

#include "util/err.h"

struct nftables;

/* -EPROTONOSUPPORT: the kernel has no nftables, so there is nothing of ours either. */
int nftables_open(const char *interface_prefix, struct nftables **ret, struct err *err);
void nftables_close(struct nftables *nft);

/*
 * Accepts forwarded packets from our interfaces that carry one of these marks, and all to our interfaces, by
 * the first two rules of iptables' chain FORWARD, if that exists. Returns 1 when something had to be changed.
 * 0: removes our rules.
 */
int nftables_apply_accept(struct nftables *nft, __u32 marks, struct err *err);
/*
 * Drops whatever comes from our interfaces with none of these marks, in a table of our own: no program has
 * let it in. 0: no such table. Returns 1 as above.
 */
int nftables_apply_guard(struct nftables *nft, __u32 marks, struct err *err);
/* Masquerades packets that carry this mark, in a table of our own; 0: no such table. Returns 1 as above. */
int nftables_apply_masquerade(struct nftables *nft, __u32 mark, struct err *err);

/*
 * iptables-legacy has a FORWARD chain that drops by default and no rule about our interfaces. It cannot be
 * changed but by replacing the whole table, so a person has to do it.
 */
bool xtables_drops_forwarded(const char *interface_prefix);

#endif
