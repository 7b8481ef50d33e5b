/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IP addresses, CIDRs and MACs: parse, format, compare. Pure. */
#ifndef UTIL_ADDR_H
#define UTIL_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_TEXT 46 /* INET6_ADDRSTRLEN */
#define CIDR_TEXT 50
#define MAC_TEXT  18

struct addr {
	uint8_t family;	   /* 4 or 6; 0: none */
	uint8_t bytes[16]; /* network order; IPv4 in the first four, the others zero */
};

struct cidr {
	struct addr addr; /* host bits as written until cidr_mask() */
	uint8_t length;
};

/* Strict forms: dotted quad or RFC 4291 text. 0 or -EINVAL. */
int addr_parse(const char *text, struct addr *ret);
/* Address with optional "/length"; a bare address is /32 or /128. 0 or -EINVAL. */
int cidr_parse(const char *text, struct cidr *ret);
/*
 * The abbreviations that v0.20 data may hold: a CIDR pads zeros on the right ("10.1/16" = 10.1.0.0/16), a
 * bare address follows inet_aton ("192.168.1" = 192.168.0.1).
 */
int addr_parse_loose(const char *text, struct addr *ret);
int cidr_parse_loose(const char *text, struct cidr *ret);
/* Any common form (colons, dashes, dots, none); 0 or -EINVAL. */
int mac_parse(const char *text, uint8_t ret[6]);

/* RFC 5952 text. Return the buffer. */
const char *addr_format(const struct addr *addr, char text[ADDR_TEXT]);
const char *cidr_format(const struct cidr *cidr, char text[CIDR_TEXT]);
/* As in datastore keys: "10.1.0.0-16". */
const char *cidr_format_key(const struct cidr *cidr, char text[CIDR_TEXT]);
int cidr_parse_key(const char *text, struct cidr *ret);
const char *mac_format(const uint8_t mac[6], char text[MAC_TEXT]);

int addr_compare(const struct addr *a, const struct addr *b); /* family, then numeric */
int cidr_compare(const struct cidr *a, const struct cidr *b);
bool addr_is_unspecified(const struct addr *addr);
void cidr_mask(struct cidr *cidr); /* clears host bits */
bool cidr_contains(const struct cidr *cidr,
		   const struct addr *addr); /* host bits of cidr ignored; families differ: false */
bool cidr_overlaps(const struct cidr *a, const struct cidr *b);
/*
 * What no host may have of this network, or of all networks: "loopback addresses (127.0.0.0/8)". NULL: any
 * host may have any of its addresses. Programs drop, or do not route, packets from and to such addresses.
 */
const char *cidr_unusable(const struct cidr *cidr);
const char *addr_unusable(const struct addr *addr);
/* addr + n, wrapping inside the family. */
struct addr addr_add(const struct addr *addr, uint64_t n);
static inline unsigned int addr_bits(const struct addr *addr)
{
	return addr->family == 6 ? 128 : 32;
}

#endif
