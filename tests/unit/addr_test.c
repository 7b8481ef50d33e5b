/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses, networks and MACs: what is one, how it is written, arithmetic on it. */
#include "rows.h"
#include "util/addr.h"

/* NULL: refused. */
struct addr_row {
	const char *text, *strict, *loose;
};

static void addresses(void **state)
{
	static const struct addr_row rows[] = {
		{"1.2.3.4", "1.2.3.4", "1.2.3.4"},
		{"0.0.0.0", "0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255", "255.255.255.255"},
		{"192.168.1", NULL, "192.168.0.1"},
		{"10.1", NULL, "10.0.0.1"},
		{"10", NULL, "0.0.0.10"},
		{"0x7f.1", NULL, "127.0.0.1"},
		{"", NULL, NULL},
		{" 1.2.3.4", NULL, NULL},
		{"1.2.3.4 ", NULL, NULL},
		{"1.2.3.4 x", NULL, NULL},
		{"1.2.3.4\n", NULL, NULL},
		{"1.2.3.256", NULL, NULL},
		{"1.2.3.4.5", NULL, NULL},
		{"1.2.3.", NULL, NULL},
		{"1.2.3.4/32", NULL, NULL},
		{"127.a.0.1", NULL, NULL},
		{"nonsense", NULL, NULL},
		{"::", "::", "::"},
		{"::1", "::1", "::1"},
		{"2001:0::1", "2001::1", "2001::1"},
		{"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4", "::ffff:1.2.3.4"},
		{"fe80::1%eth0", NULL, NULL},
		{"aa:bb::zz", NULL, NULL},
		{":::", NULL, NULL},
		{"1:2:3:4:5:6:7", NULL, NULL},
		{"1:2:3:4:5:6:7:8:9", NULL, NULL},
		{"12345::", NULL, NULL},
	};

	for (size_t i = 0; i < ROWS(rows) * 2; i++) {
		const struct addr_row *row = &rows[i / 2];
		const char *expected = i % 2 ? row->loose : row->strict;
		char text[ADDR_TEXT];
		struct addr addr;
		int r = i % 2 ? addr_parse_loose(row->text, &addr) : addr_parse(row->text, &addr);

		if (r != (expected ? 0 : -EINVAL))
			fail_msg("'%s' (%s): %d", row->text, i % 2 ? "loose" : "strict", r);
		if (expected)
			assert_string_equal(addr_format(&addr, text), expected);
	}
}

static void networks(void **state)
{
	static const struct addr_row rows[] = {
		{"10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8"},
		{"10.0.0.1/8", "10.0.0.1/8", "10.0.0.1/8"},
		{"10.0.0.1", "10.0.0.1/32", "10.0.0.1/32"},
		{"0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0"},
		{"10/8", NULL, "10.0.0.0/8"},
		{"11.0/16", NULL, "11.0.0.0/16"},
		{"10.1/16", NULL, "10.1.0.0/16"},
		{"10.0.1/32", NULL, "10.0.1.0/32"},
		{"0/0", NULL, "0.0.0.0/0"},
		{"10.0.0.1/33", NULL, NULL},
		{"10.0.0.1/-1", NULL, NULL},
		{"10.0.0.1/+8", NULL, NULL},
		{"10.0.0.1/08", NULL, NULL},
		{"10.0.0.1/", NULL, NULL},
		{"10.0.0.1/ 8", NULL, NULL},
		{"10.0.0.1/8 ", NULL, NULL},
		{"10.0.0.1/8/8", NULL, NULL},
		{"10.0.0.1/255.0.0.0", NULL, NULL},
		{"10.0.0.1/4294967304", NULL, NULL},
		{"10.0.0.0.0/8", NULL, NULL},
		{"10./8", NULL, NULL},
		{"010/8", NULL, NULL},
		{"256/8", NULL, NULL},
		{"/8", NULL, NULL},
		{"", NULL, NULL},
		{"nonsense", NULL, NULL},
		{"2001:0::1/128", "2001::1/128", "2001::1/128"},
		{"FD80:24e2:f998:72d6::/64", "fd80:24e2:f998:72d6::/64", "fd80:24e2:f998:72d6::/64"},
		{"2001::1", "2001::1/128", "2001::1/128"},
		{"::/0", "::/0", "::/0"},
		{"2001::/129", NULL, NULL},
		{"2001/16", NULL, NULL},
		{"1111111111111111111111111111111111111111111111111/8", NULL, NULL},
	};

	for (size_t i = 0; i < ROWS(rows) * 2; i++) {
		const struct addr_row *row = &rows[i / 2];
		const char *expected = i % 2 ? row->loose : row->strict;
		char text[CIDR_TEXT];
		struct cidr cidr;
		int r = i % 2 ? cidr_parse_loose(row->text, &cidr) : cidr_parse(row->text, &cidr);

		if (r != (expected ? 0 : -EINVAL))
			fail_msg("'%s' (%s): %d", row->text, i % 2 ? "loose" : "strict", r);
		if (expected)
			assert_string_equal(cidr_format(&cidr, text), expected);
	}
}

static void network_keys(void **state)
{
	static const char *const good[] = {"10.65.0.0-16", "fd80:24e2:f998:72d6::-64", "0.0.0.0-0"};
	static const char *const bad[] = {"10.65.0.0", "10.65.0.0/16", "10.65.0.0-16/16", "10.65-16", "-",
					  "",	       "x-1",	       "10.65.0.0-16-16"};
	char text[CIDR_TEXT];
	struct cidr cidr;

	for (size_t i = 0; i < ROWS(good); i++) {
		assert_int_equal(cidr_parse_key(good[i], &cidr), 0);
		assert_string_equal(cidr_format_key(&cidr, text), good[i]);
	}
	for (size_t i = 0; i < ROWS(bad); i++)
		assert_int_equal(cidr_parse_key(bad[i], &cidr), -EINVAL);
}

static void macs(void **state)
{
	static const char *const rows[][2] = {
		{"ee:9a:33:02:7c:51", "ee:9a:33:02:7c:51"},
		{"EE-9A-33-02-7C-51", "ee:9a:33:02:7c:51"},
		{"ee9a.3302.7c51", "ee:9a:33:02:7c:51"},
		{"ee9a:3302:7c51", "ee:9a:33:02:7c:51"},
		{"ee9a33-027c51", "ee:9a:33:02:7c:51"},
		{"ee9a33027c51", "ee:9a:33:02:7c:51"},
		{"e:9:3:2:c:1", "0e:09:03:02:0c:01"},
		{"", NULL},
		{"nonsense", NULL},
		{"ee:9a:33:02:7c", NULL},
		{"ee:9a:33:02:7c:51:aa", NULL},
		{"ee:9a:33:02:7c:", NULL},
		{":ee:9a:33:02:7c", NULL},
		{"ee::33:02:7c:51", NULL},
		{"ee:9a:33:02:7c-51", NULL},
		{"ee:9a:33:02:7c:511", NULL},
		{"ee:9a:33:02:7c:5g", NULL},
		{"ee:9a:33:02:7c:51 ", NULL},
		{"ee 9a 33 02 7c 51", NULL},
		{"1.2.3.4", NULL},
		{"ee9a33027c5", NULL},
		{"ee9a33027c511", NULL},
		{"ee9a33027c51ee9a33027c51ee9a33027c51", NULL},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[MAC_TEXT];
		uint8_t mac[6];
		int r = mac_parse(rows[i][0], mac);

		if (r != (rows[i][1] ? 0 : -EINVAL))
			fail_msg("'%s': %d", rows[i][0], r);
		if (rows[i][1])
			assert_string_equal(mac_format(mac, text), rows[i][1]);
	}
}

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static struct cidr cidr_of(const char *text)
{
	struct cidr cidr;

	assert_int_equal(cidr_parse(text, &cidr), 0);
	return cidr;
}

static void masks(void **state)
{
	static const char *const rows[][2] = {
		{"10.255.255.255/8", "10.0.0.0/8"},
		{"10.255.255.255/9", "10.128.0.0/9"},
		{"10.255.255.255/31", "10.255.255.254/31"},
		{"10.255.255.255/32", "10.255.255.255/32"},
		{"255.255.255.255/0", "0.0.0.0/0"},
		{"2001:db8:ffff::1/33", "2001:db8:8000::/33"},
		{"ffff::ffff/127", "ffff::fffe/127"},
		{"ffff::ffff/128", "ffff::ffff/128"},
		{"ffff::ffff/0", "::/0"},
	};
	char text[CIDR_TEXT];

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct cidr cidr = cidr_of(rows[i][0]);

		cidr_mask(&cidr);
		assert_string_equal(cidr_format(&cidr, text), rows[i][1]);
	}
}

static void containment(void **state)
{
	static const struct {
		const char *cidr, *addr;
		bool inside;
	} rows[] = {
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.9.9.9/8", "10.1.2.3", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.0/32", "10.0.0.0", true},
		{"10.0.0.0/32", "10.0.0.1", false},
		{"0.0.0.0/0", "255.1.1.1", true},
		{"0.0.0.0/0", "::", false},
		{"::/0", "10.0.0.1", false},
		{"fd80::/63", "fd80:0:0:1::", true},
		{"fd80::/63", "fd80:0:0:2::", false},
		{"192.168.0.64/26", "192.168.0.63", false},
		{"192.168.0.64/26", "192.168.0.127", true},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct cidr cidr = cidr_of(rows[i].cidr);
		struct addr addr = addr_of(rows[i].addr);

		if (cidr_contains(&cidr, &addr) != rows[i].inside)
			fail_msg("%s, %s", rows[i].cidr, rows[i].addr);
	}
}

static void overlap(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{"10.0.0.0/8", "10.1.0.0/16", true},	 {"10.0.0.0/16", "10.1.0.0/16", false},
		{"10.0.0.0/8", "10.0.0.0/8", true},	 {"0.0.0.0/0", "10.0.0.0/8", true},
		{"0.0.0.0/0", "fd80::/8", false},	 {"10.0.0.1/24", "10.0.0.200/25", true},
		{"10.0.0.0/25", "10.0.0.200/25", false},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct cidr a = cidr_of(rows[i].a), b = cidr_of(rows[i].b);

		if (cidr_overlaps(&a, &b) != rows[i].overlap || cidr_overlaps(&b, &a) != rows[i].overlap)
			fail_msg("%s, %s", rows[i].a, rows[i].b);
	}
}

static void order(void **state)
{
	static const char *const sorted[] = {"0.0.0.0/0",   "9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/9",
					     "255.0.0.0/8", "::/0",	 "::1/128",    "fd80::/64"};

	for (size_t i = 0; i < ROWS(sorted); i++) {
		for (size_t j = 0; j < ROWS(sorted); j++) {
			struct cidr a = cidr_of(sorted[i]), b = cidr_of(sorted[j]);
			int result = cidr_compare(&a, &b);

			assert_int_equal((result > 0) - (result < 0), (i > j) - (i < j));
		}
	}
}

static void addition(void **state)
{
	static const struct {
		const char *addr;
		uint64_t n;
		const char *sum;
	} rows[] = {
		{"10.0.0.255", 1, "10.0.1.0"},
		{"10.0.0.0", 0, "10.0.0.0"},
		{"255.255.255.255", 1, "0.0.0.0"},
		{"0.0.0.0", 0x1234567890abcdef, "144.171.205.239"},
		{"fd80::ffff:ffff:ffff:ffff", 1, "fd80:0:0:1::"},
		{"fd80::", UINT64_MAX, "fd80::ffff:ffff:ffff:ffff"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2, "::1"},
	};
	char text[ADDR_TEXT];

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct addr addr = addr_of(rows[i].addr), sum = addr_add(&addr, rows[i].n);

		assert_string_equal(addr_format(&sum, text), rows[i].sum);
	}
}

static void unspecified(void **state)
{
	static const char *const zero[] = {"0.0.0.0", "::"}, *const other[] = {"0.0.0.1", "::1", "128.0.0.0"};
	struct addr none = {0};
	char text[ADDR_TEXT];

	for (size_t i = 0; i < ROWS(zero); i++) {
		struct addr addr = addr_of(zero[i]);

		assert_true(addr_is_unspecified(&addr));
	}
	for (size_t i = 0; i < ROWS(other); i++) {
		struct addr addr = addr_of(other[i]);

		assert_false(addr_is_unspecified(&addr));
	}
	assert_string_equal(addr_format(&none, text), "");
}

static void unusable_networks(void **state)
{
	static const struct {
		const char *cidr, *why;
	} rows[] = {
		{"0.0.0.0/0", "no host"},
		{"0.1.0.0/16", "no host"},
		{"10.0.0.0/8", NULL},
		{"100.64.0.0/10", NULL},
		{"127.0.0.0/8", "loopback"},
		{"127.10.0.0/16", "loopback"},
		{"126.0.0.0/8", NULL},
		{"128.0.0.0/8", NULL},
		{"169.254.0.0/16", "link-local"},
		{"169.0.0.0/8", "link-local"},
		{"169.254.1.1", "link-local"},
		{"169.253.0.0/16", NULL},
		{"192.0.2.0/26", NULL},
		{"223.255.255.0/24", NULL},
		{"224.0.0.0/8", "group"},
		{"239.1.0.0/16", "group"},
		{"240.0.0.0/26", "reserved"},
		{"255.255.255.0/24", "reserved"},
		{"128.0.0.0/1", "link-local"},
		{"::/0", "loopback"},
		{"::/64", "loopback"},
		{"::1", "loopback"},
		{"::ffff:10.0.0.0/112", "mapped"},
		{"0:0:0:1::/64", NULL},
		{"64:ff9b::/96", NULL},
		{"fd80::/64", NULL},
		{"fe80::/64", "link-local"},
		{"febf::/122", "link-local"},
		{"fec0::/10", NULL},
		{"ff02::/16", "group"},
		{"f000::/4", "link-local"},
		{"2001:db8::/122", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cidr cidr;
		const char *why;

		assert_int_equal(cidr_parse(rows[i].cidr, &cidr), 0);
		why = cidr_unusable(&cidr);
		if (!why != !rows[i].why || (why && !strstr(why, rows[i].why)))
			fail_msg("%s: %s", rows[i].cidr, why ? why : "usable");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unusable_networks),
		cmocka_unit_test(addresses),
		cmocka_unit_test(networks),
		cmocka_unit_test(network_keys),
		cmocka_unit_test(macs),
		cmocka_unit_test(masks),
		cmocka_unit_test(containment),
		cmocka_unit_test(overlap),
		cmocka_unit_test(order),
		cmocka_unit_test(addition),
		cmocka_unit_test(unspecified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
