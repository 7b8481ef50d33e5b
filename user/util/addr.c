/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IP addresses, CIDRs and MACs. */
#include "util/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"

int addr_parse(const char *text, struct addr *ret)
{
	struct addr addr = {0};

	if (inet_pton(AF_INET, text, addr.bytes) == 1)
		addr.family = 4;
	else if (inet_pton(AF_INET6, text, addr.bytes) == 1)
		addr.family = 6;
	else
		return -EINVAL;
	*ret = addr;
	return 0;
}

/* "10", "10.1", "10.1.2", "10.1.2.3": what is missing on the right is zero. */
static int addr_parse_padded(const char *text, struct addr *ret)
{
	struct addr addr = {.family = 4};

	for (unsigned int i = 0; i < 4; i++) {
		int octet = text_decimal(&text, 255);

		if (octet < 0)
			return octet;
		addr.bytes[i] = (uint8_t)octet;
		if (!*text) {
			*ret = addr;
			return 0;
		}
		if (*text++ != '.')
			return -EINVAL;
	}
	return -EINVAL;
}

static int cidr_parse_with(const char *text, int (*parse_addr)(const char *text, struct addr *ret),
			   struct cidr *ret)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	char addr_text[ADDR_TEXT];
	struct cidr cidr;
	int bits;

	if (length >= sizeof(addr_text))
		return -EINVAL;
	memcpy(addr_text, text, length);
	addr_text[length] = '\0';
	if (parse_addr(addr_text, &cidr.addr) < 0)
		return -EINVAL;
	bits = (int)addr_bits(&cidr.addr);
	if (slash) {
		text = slash + 1;
		bits = text_decimal(&text, (unsigned int)bits);
		if (bits < 0 || *text)
			return -EINVAL;
	}
	cidr.length = (uint8_t)bits;
	*ret = cidr;
	return 0;
}

int cidr_parse(const char *text, struct cidr *ret)
{
	return cidr_parse_with(text, addr_parse, ret);
}

int addr_parse_loose(const char *text, struct addr *ret)
{
	struct addr addr = {.family = 4};
	struct in_addr in;

	if (addr_parse(text, ret) == 0)
		return 0;
	/* glibc's inet_aton() ignores everything behind a blank. */
	if (!*text || text[strspn(text, "0123456789abcdefABCDEFxX.")] || !inet_aton(text, &in))
		return -EINVAL;
	memcpy(addr.bytes, &in, sizeof(in));
	*ret = addr;
	return 0;
}

static int addr_parse_network(const char *text, struct addr *ret)
{
	return addr_parse(text, ret) == 0 ? 0 : addr_parse_padded(text, ret);
}

int cidr_parse_loose(const char *text, struct cidr *ret)
{
	return cidr_parse_with(text, addr_parse_network, ret);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * Groups of equal width between equal separators: six of 2 digits, three of 4, two of 6, or one of 12.
 * Leading zeros of a group may be missing when there are several.
 */
int mac_parse(const char *text, uint8_t ret[6])
{
	uint64_t groups[6] = {0}, mac = 0;
	unsigned int count = 0, digits = 0, most = 0;
	char separator = '\0';

	for (;; text++) {
		int digit = hex_digit(*text);

		if (digit >= 0) {
			groups[count] = groups[count] << 4 | (unsigned int)digit;
			if (++digits > 12)
				return -EINVAL;
			continue;
		}
		if (digits == 0)
			return -EINVAL;
		if (digits > most)
			most = digits;
		count++;
		if (!*text)
			break;
		if (!strchr(":-.", *text) || (separator && *text != separator) || count == 6)
			return -EINVAL;
		separator = *text;
		digits = 0;
	}
	if (count == 4 || 12 % count || most > 12 / count || (count == 1 && most != 12))
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++)
		mac = mac << (48 / count) | groups[i];
	for (unsigned int i = 0; i < 6; i++)
		ret[i] = (uint8_t)(mac >> (40 - 8 * i));
	return 0;
}

const char *addr_format(const struct addr *addr, char text[ADDR_TEXT])
{
	/* glibc's form is that of RFC 5952. */
	if (addr->family == 0 ||
	    !inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->bytes, text, ADDR_TEXT))
		text[0] = '\0';
	return text;
}

static const char *cidr_format_with(const struct cidr *cidr, char separator, char text[CIDR_TEXT])
{
	char addr_text[ADDR_TEXT];

	snprintf(text, CIDR_TEXT, "%s%c%u", addr_format(&cidr->addr, addr_text), separator, cidr->length);
	return text;
}

const char *cidr_format(const struct cidr *cidr, char text[CIDR_TEXT])
{
	return cidr_format_with(cidr, '/', text);
}

const char *cidr_format_key(const struct cidr *cidr, char text[CIDR_TEXT])
{
	return cidr_format_with(cidr, '-', text);
}

int cidr_parse_key(const char *text, struct cidr *ret)
{
	const char *dash = strchr(text, '-');
	size_t length = strlen(text);
	char cidr_text[CIDR_TEXT];

	if (!dash || strchr(text, '/') || length >= sizeof(cidr_text))
		return -EINVAL;
	memcpy(cidr_text, text, length + 1);
	cidr_text[dash - text] = '/';
	return cidr_parse(cidr_text, ret);
}

const char *mac_format(const uint8_t mac[6], char text[MAC_TEXT])
{
	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return text;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int cidr_compare(const struct cidr *a, const struct cidr *b)
{
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (int)a->length - (int)b->length;
}

bool addr_is_unspecified(const struct addr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->bytes, zero, sizeof(zero)) == 0;
}

void cidr_mask(struct cidr *cidr)
{
	unsigned int whole = cidr->length / 8;

	if (whole >= sizeof(cidr->addr.bytes))
		return;
	cidr->addr.bytes[whole] &= (uint8_t)(0xff00 >> (cidr->length % 8));
	memset(cidr->addr.bytes + whole + 1, 0, sizeof(cidr->addr.bytes) - whole - 1);
}

bool cidr_contains(const struct cidr *cidr, const struct addr *addr)
{
	struct cidr network = *cidr, other = {.addr = *addr, .length = cidr->length};

	cidr_mask(&network);
	cidr_mask(&other);
	return addr_compare(&network.addr, &other.addr) == 0;
}

bool cidr_overlaps(const struct cidr *a, const struct cidr *b)
{
	return a->length <= b->length ? cidr_contains(a, &b->addr) : cidr_contains(b, &a->addr);
}

struct addr addr_add(const struct addr *addr, uint64_t n)
{
	struct addr sum = *addr;
	uint64_t carry = n;

	for (unsigned int i = addr_bits(addr) / 8; i-- > 0;) {
		uint64_t byte = sum.bytes[i] + (carry & 0xff);

		sum.bytes[i] = (uint8_t)byte;
		carry = (carry >> 8) + (byte >> 8);
	}
	return sum;
}

/* As bpf/parse.h tells kinds of addresses, and with those that are never routed. */
static const struct {
	struct cidr cidr;
	const char *what;
} unusable[] = {
	{{{4, {0}}, 8}, "addresses of no host (0.0.0.0/8)"},
	{{{4, {127}}, 8}, "loopback addresses (127.0.0.0/8)"},
	{{{4, {169, 254}}, 16}, "link-local addresses (169.254.0.0/16)"},
	{{{4, {224}}, 4}, "group addresses (224.0.0.0/4)"},
	{{{4, {240}}, 4}, "reserved addresses (240.0.0.0/4)"},
	{{{6, {0}}, 96}, "loopback and IPv4-compatible addresses (::/96)"},
	{{{6, {[10] = 0xff, [11] = 0xff}}, 96}, "IPv4-mapped addresses (::ffff:0:0/96)"},
	{{{6, {0xfe, 0x80}}, 10}, "link-local addresses (fe80::/10)"},
	{{{6, {0xff}}, 8}, "group addresses (ff00::/8)"},
};

const char *cidr_unusable(const struct cidr *cidr)
{
	for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++) {
		if (cidr_overlaps(&unusable[i].cidr, cidr))
			return unusable[i].what;
	}
	return NULL;
}

const char *addr_unusable(const struct addr *addr)
{
	const struct cidr cidr = {*addr, (uint8_t)addr_bits(addr)};

	return cidr_unusable(&cidr);
}
