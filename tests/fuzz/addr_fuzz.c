/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses, networks, MACs, datastore keys: what is accepted is written so that it is read as the same. */
#include "fuzz.h"
#include "store/keys.h"
#include "util/addr.h"
#include "util/segment.h"

static void address(const char *text)
{
	struct addr addr, again;
	char own[ADDR_TEXT];

	if (addr_parse_loose(text, &addr) < 0) {
		fuzz_check(addr_parse(text, &addr) < 0, text);
		return;
	}
	fuzz_check(addr_parse(addr_format(&addr, own), &again) == 0 && addr_compare(&addr, &again) == 0,
		   text);
}

static void network(const char *text)
{
	struct cidr cidr, again;
	char own[CIDR_TEXT];

	if (cidr_parse_loose(text, &cidr) < 0) {
		fuzz_check(cidr_parse(text, &cidr) < 0, text);
		return;
	}
	fuzz_check(cidr_parse(cidr_format(&cidr, own), &again) == 0 && cidr_compare(&cidr, &again) == 0,
		   text);
	fuzz_check(cidr_parse_key(cidr_format_key(&cidr, own), &again) == 0, text);
	fuzz_check(cidr_compare(&cidr, &again) == 0 && cidr_overlaps(&cidr, &again), text);
	fuzz_check(cidr_contains(&cidr, &again.addr), text);
	cidr_mask(&again);
	fuzz_check(cidr_contains(&cidr, &again.addr), text);
}

static void mac(const char *text)
{
	uint8_t bytes[6], again[6];
	char own[MAC_TEXT];

	if (mac_parse(text, bytes) == 0)
		fuzz_check(mac_parse(mac_format(bytes, own), again) == 0 && memcmp(bytes, again, 6) == 0,
			   text);
}

static void key(const char *text)
{
	struct key_parts parts;
	char own[KEY_MAX];

	key_parse(text, &parts);
	if (parts.kind == KEY_IS_CONFIG && segment_valid(parts.name))
		fuzz_check(strcmp(key_config(own, parts.name), text) == 0, text);
	if (parts.kind == KEY_IS_ENDPOINT) {
		key_endpoint(own, parts.host, parts.orchestrator, parts.workload, parts.name);
		fuzz_check(strcmp(own, text) == 0 || strcmp(own, KEY_NOWHERE) == 0, text);
	}
	key_profile(own, text);
	fuzz_check(strcmp(own, KEY_NOWHERE) == 0 || strcmp(key_last(own), text) == 0, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	address(text);
	network(text);
	mac(text);
	key(text);
	free(text);
	return 0;
}
