/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Engine, maps and reference side by side. */
#include "unit/policy_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t fixture_denials(const struct fixture *fixture)
{
	size_t count = 0;

	for (size_t i = 0; i < fixture->problems.count; i++)
		count += !problem_is_of_documents(fixture->problems.items[i].text);
	return count;
}

void fixture_init(struct fixture *fixture, const __u32 capacity[POLICY_MAP_COUNT])
{
	memset(fixture, 0, sizeof(*fixture));
	maps_init_sizes(&fixture->maps, capacity);
	assert_int_equal(
		policy_engine_new(&fixture->maps.sink, problems_note, &fixture->problems, &fixture->engine),
		0);
}

void fixture_done(struct fixture *fixture)
{
	policy_engine_free(fixture->engine);
	maps_done(&fixture->maps);
	world_done(&fixture->world);
}

bool fixture_set_slot(struct fixture *fixture, enum kind kind, const char *name, const char *text, __u32 slot)
{
	char *json = text ? json_of(text) : NULL;
	bool valid = world_set(&fixture->world, kind, name, json, slot);
	free(json);
	if (!valid)
		return false;
	if (text)
		engine_feed(fixture->engine, world_find(&fixture->world, kind, name));
	else
		engine_remove(fixture->engine, kind, name);
	return true;
}

bool fixture_set(struct fixture *fixture, enum kind kind, const char *name, const char *text)
{
	return fixture_set_slot(fixture, kind, name, text, 0);
}

static void set_endpoint(struct fixture *fixture, const char *name, __u32 slot, const char *profiles,
			 const char *address)
{
	char *text;

	assert_true(
		asprintf(&text,
			 "{'state': 'active', 'name': 'cali%u', 'profile_ids': [%s], 'ipv4_nets': ['%s']}",
			 slot, profiles, address) > 0);
	assert_true(fixture_set_slot(fixture, WORKLOAD, name, text, slot));
	free(text);
}

void fixture_set_local(struct fixture *fixture, __u32 slot, const char *profiles)
{
	char name[32], address[32];

	snprintf(name, sizeof(name), "local%u", slot);
	snprintf(address, sizeof(address), "10.0.0.%u", slot);
	set_endpoint(fixture, name, slot, profiles, address);
}

void fixture_set_member(struct fixture *fixture, unsigned int i, const char *profiles)
{
	char name[32], address[32];

	snprintf(name, sizeof(name), "remote%u", i);
	snprintf(address, sizeof(address), "10.1.%u.%u", i / 256, i % 256);
	set_endpoint(fixture, name, 0, profiles, address);
}

void fixture_commit(struct fixture *fixture)
{
	assert_int_equal(policy_commit(fixture->engine), 0);
}

bool fixture_allows(struct fixture *fixture, __u32 slot, bool inbound, const struct probe *probe)
{
	struct judgement judgement = maps_judge(&fixture->maps, slot, inbound, probe);
	struct reference reference = reference_judge(&fixture->world, slot, inbound, probe);

	if (judgement.allowed != reference.allowed)
		fail_msg("the maps say %d, the specification %d", judgement.allowed, reference.allowed);
	/* Steps that deny for their own reasons may come before a log rule was reached, never after. */
	assert_int_equal(judgement.logs, reference.logs);
	return judgement.allowed;
}

static int protocol_number(const char *name, int family)
{
	if (strcmp(name, "icmp") == 0 && family == 6)
		return 58;
	return protocol_parse(name);
}

struct probe probe_of(const char *text)
{
	char src[64], dst[64], protocol[16];
	unsigned int a = 0, b = 0;
	struct probe probe = {};
	int number;

	assert_true(sscanf(text, "%63s %63s %15s %u %u", src, dst, protocol, &a, &b) >= 3);
	assert_int_equal(addr_parse(src, &probe.src), 0);
	assert_int_equal(addr_parse(dst, &probe.dst), 0);
	number = protocol_number(protocol, probe.src.family);
	assert_true(number > 0);
	probe.protocol = (__u8)number;
	if (number == 1 || number == 58) {
		probe.icmp_type = (__u8)a;
		probe.icmp_code = (__u8)b;
	} else {
		probe.sport = (__u16)a;
		probe.dport = (__u16)b;
	}
	return probe;
}

bool fixture_lets_in(struct fixture *fixture, __u32 slot, const char *packet)
{
	struct probe probe = probe_of(packet);

	return maps_judge(&fixture->maps, slot, true, &probe).allowed;
}
