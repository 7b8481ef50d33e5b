/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Policy maps as arrays, and their evaluation as include/abi.h says. */
#include "unit/mapeval.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	char key[24];
	char value[];
};

static const struct shape {
	size_t key, value;
	bool hash;
	__u32 capacity;
} shapes[POLICY_MAP_COUNT] = {
	[MAP_IDENTITY] = {4, sizeof(__u64), false, 1 << 20},
	[MAP_ADDRESS4] = {sizeof(struct address4_key), sizeof(struct address), true, 1 << 17},
	[MAP_ADDRESS6] = {sizeof(struct address6_key), sizeof(struct address), true, 1 << 17},
	[MAP_PREFIX4] = {sizeof(struct prefix4_key), sizeof(struct address), true, 1 << 17},
	[MAP_PREFIX6] = {sizeof(struct prefix6_key), sizeof(struct address), true, 1 << 17},
	[MAP_PORTSET] = {4, sizeof(struct portset), false, 512},
	[MAP_RULE] = {4, sizeof(struct policy_rule), false, 1 << 19},
	[MAP_RULE_INFO] = {4, sizeof(struct rule_info), true, 1 << 18},
	[MAP_LOG_PREFIX] = {4, sizeof(struct log_prefix), true, 4096},
	[MAP_STEP] = {4, sizeof(struct policy_step), false, 1 << 19},
	[MAP_LIST] = {4, sizeof(struct policy_list), false, 1 << 15},
	[MAP_ENDPOINT_POLICY] = {4, sizeof(struct endpoint_policy), false, 1 << 14},
	[MAP_GENERATION] = {4, sizeof(__u32), false, 1 << 17},
};

/* ---- the sink ---- */

static bool must_fail(struct maps *maps, enum policy_map map)
{
	if (maps->failing[map])
		return true;
	return maps->fail_after > 0 && --maps->fail_after == 0;
}

/* Counts prefixes by length, so that only lengths in use are looked for. */
static void count_prefix(struct maps *maps, enum policy_map map, const void *key, int difference)
{
	__u32 length;

	if (map != MAP_PREFIX4 && map != MAP_PREFIX6)
		return;
	memcpy(&length, key, sizeof(length));
	maps->lengths[map][length] += (__u32)difference;
}

static int write_hash(struct maps *maps, enum policy_map map, const void *key, const void *value)
{
	struct entry *entry;

	HASH_FIND(hh, maps->hash[map], key, shapes[map].key, entry);
	if (!entry) {
		if (maps->hash_count[map] >= maps->sink.capacity[map])
			return -E2BIG;
		entry = calloc(1, sizeof(*entry) + shapes[map].value);
		assert(entry);
		memcpy(entry->key, key, shapes[map].key);
		HASH_ADD(hh, maps->hash[map], key, shapes[map].key, entry);
		maps->hash_count[map]++;
		count_prefix(maps, map, key, 1);
	}
	memcpy(entry->value, value, shapes[map].value);
	return 0;
}

static int sink_write_entry(void *arg, enum policy_map map, const void *key, const void *value)
{
	struct maps *maps = arg;
	__u32 index;
	int r = 0;

	maps->writes++;
	if (must_fail(maps, map))
		return -EIO;
	if (shapes[map].hash) {
		r = write_hash(maps, map, key, value);
	} else {
		memcpy(&index, key, sizeof(index));
		if (index >= maps->sink.capacity[map])
			return -E2BIG;
		memcpy((char *)maps->array[map] + index * shapes[map].value, value, shapes[map].value);
	}
	if (maps->after)
		maps->after(maps->arg, map, key);
	return r;
}

static int sink_erase_entry(void *arg, enum policy_map map, const void *key)
{
	struct maps *maps = arg;
	struct entry *entry;

	maps->writes++;
	assert(shapes[map].hash);
	if (must_fail(maps, map))
		return -EIO;
	HASH_FIND(hh, maps->hash[map], key, shapes[map].key, entry);
	if (!entry)
		return -ENOENT;
	HASH_DEL(maps->hash[map], entry);
	maps->hash_count[map]--;
	count_prefix(maps, map, key, -1);
	free(entry);
	if (maps->after)
		maps->after(maps->arg, map, key);
	return 0;
}

static int sink_fence(void *arg)
{
	struct maps *maps = arg;

	maps->fences++;
	if (maps->failing_fence)
		return -EIO;
	if (maps->at_fence)
		maps->at_fence(maps->arg);
	return 0;
}

void maps_init_sizes(struct maps *maps, const __u32 capacity[POLICY_MAP_COUNT])
{
	*maps = (struct maps){
		.sink = {.write = sink_write_entry, .erase = sink_erase_entry, .fence = sink_fence},
	};
	maps->sink.arg = maps;
	for (int map = 0; map < POLICY_MAP_COUNT; map++) {
		maps->sink.capacity[map] = capacity && capacity[map] ? capacity[map] : shapes[map].capacity;
		if (shapes[map].hash)
			continue;
		maps->array[map] = calloc(maps->sink.capacity[map], shapes[map].value);
		assert(maps->array[map]);
	}
}

void maps_init(struct maps *maps)
{
	maps_init_sizes(maps, NULL);
}

void maps_done(struct maps *maps)
{
	for (int map = 0; map < POLICY_MAP_COUNT; map++) {
		struct entry *entry, *next;

		HASH_ITER (hh, maps->hash[map], entry, next) {
			HASH_DEL(maps->hash[map], entry);
			free(entry);
		}
		free(maps->array[map]);
	}
}

/* ---- looking things up ---- */

static const void *find(const struct maps *maps, enum policy_map map, const void *key)
{
	struct entry *entry;

	HASH_FIND(hh, maps->hash[map], key, shapes[map].key, entry);
	return entry ? entry->value : NULL;
}

static const void *at(const struct maps *maps, enum policy_map map, __u32 index)
{
	assert(index < maps->sink.capacity[map]);
	return (const char *)maps->array[map] + index * shapes[map].value;
}

static const struct address *find_prefix(const struct maps *maps, const struct addr *addr)
{
	enum policy_map map = addr->family == 6 ? MAP_PREFIX6 : MAP_PREFIX4;

	for (int length = (int)addr_bits(addr); length >= 0; length--) {
		struct cidr net = {.addr = *addr, .length = (uint8_t)length};
		struct prefix6_key key = {.prefix_length = (__u32)length};
		const struct address *found;

		if (!maps->lengths[map][length])
			continue;
		cidr_mask(&net);
		memcpy(key.address, net.addr.bytes, sizeof(key.address));
		found = find(maps, map, &key);
		if (found)
			return found;
	}
	return NULL;
}

struct address maps_address(const struct maps *maps, const struct addr *addr)
{
	const struct address *found =
		find(maps, addr->family == 6 ? MAP_ADDRESS6 : MAP_ADDRESS4, addr->bytes);
	struct address ret = {};
	__be32 words[4];

	memcpy(words, addr->bytes, sizeof(words));
	assert(!found || found->check == address_check(words, found));
	if (!found)
		found = find_prefix(maps, addr);
	if (found)
		ret = *found;
	if (!(ret.flags & (ADDRESS_LOCAL | ADDRESS_HOST | ADDRESS_REMOTE)))
		ret.generation_slot = addr->bytes[addr_bits(addr) / 8 - 1];
	return ret;
}

bool maps_in_set(const struct maps *maps, const struct address *address, __u32 set)
{
	__u32 word = set / 64;
	const __u64 *bits;

	if (word < address->first_word || word >= (__u32)address->first_word + address->words)
		return false;
	bits = at(maps, MAP_IDENTITY, address->row + word - address->first_word);
	return *bits >> (set % 64) & 1;
}

__u32 maps_generation(const struct maps *maps, __u32 slot)
{
	return *(const __u32 *)at(maps, MAP_GENERATION, slot);
}

struct endpoint_policy maps_policy(const struct maps *maps, __u32 slot)
{
	return *(const struct endpoint_policy *)at(maps, MAP_ENDPOINT_POLICY, slot);
}

const struct rule_info *maps_rule_info(const struct maps *maps, __u32 id)
{
	return find(maps, MAP_RULE_INFO, &id);
}

const char *maps_log_prefix(const struct maps *maps, __u32 id)
{
	const struct log_prefix *prefix = find(maps, MAP_LOG_PREFIX, &id);

	return prefix ? prefix->text : NULL;
}

/* ---- judging ---- */

static enum rule_class class_of(const struct probe *probe)
{
	if (probe->protocol == 6)
		return CLASS_TCP;
	if (probe->protocol == 17)
		return CLASS_UDP;
	if (probe->protocol == (probe->src.family == 6 ? 58 : 1))
		return CLASS_ICMP;
	return CLASS_OTHER;
}

static bool has_ports(const struct probe *probe)
{
	static const __u8 with[] = {6, 17, 33, 132, 136};

	return memchr(with, probe->protocol, sizeof(with));
}

static bool ports_match(const struct maps *maps, const struct policy_rule *rule, const struct probe *probe)
{
	const struct portset *src = at(maps, MAP_PORTSET, rule->src_portset);
	const struct portset *dst = at(maps, MAP_PORTSET, rule->dst_portset);

	if (!(rule->flags & (MATCH_SPORT | MATCH_DPORT)) && !rule->src_portset && !rule->dst_portset)
		return true;
	if (!has_ports(probe))
		return false;
	if (rule->flags & MATCH_SPORT &&
	    (probe->sport < rule->sport_first || probe->sport > rule->sport_last))
		return false;
	if (rule->flags & MATCH_DPORT &&
	    (probe->dport < rule->dport_first || probe->dport > rule->dport_last))
		return false;
	if (rule->src_portset && !(src->word[probe->sport / 64] >> (probe->sport % 64) & 1))
		return false;
	return !rule->dst_portset || (dst->word[probe->dport / 64] >> (probe->dport % 64) & 1);
}

static bool icmp_matches(const struct policy_rule *rule, const struct probe *probe)
{
	if (class_of(probe) != CLASS_ICMP)
		return !(rule->flags & (MATCH_ICMP_TYPE | MATCH_ICMP_CODE | MATCH_ICMP_NOT_TYPE));
	if (rule->flags & MATCH_ICMP_TYPE && probe->icmp_type != rule->icmp_type)
		return false;
	if (rule->flags & MATCH_ICMP_CODE && probe->icmp_code != rule->icmp_code)
		return false;
	if (!(rule->flags & MATCH_ICMP_NOT_TYPE) || probe->icmp_type != rule->not_icmp_type)
		return true;
	return rule->flags & MATCH_ICMP_NOT_CODE && probe->icmp_code != rule->not_icmp_code;
}

static bool protocol_matches(const struct policy_rule *rule, const struct probe *probe)
{
	if (class_of(probe) != CLASS_OTHER)
		return true;
	if (rule->protocol && rule->protocol != probe->protocol)
		return false;
	return !rule->not_protocol || rule->not_protocol != probe->protocol;
}

static bool set_matches(const struct maps *maps, const struct address *address, __u32 set, bool not )
{
	return !set || maps_in_set(maps, address, set) != not ;
}

static bool rule_matches(const struct maps *maps, const struct sight *sight, const struct policy_rule *rule,
			 const struct probe *probe)
{
	if (rule->flags & MATCH_ALWAYS)
		return true;
	if (!(rule->flags & (probe->src.family == 6 ? MATCH_IPV6 : MATCH_IPV4)))
		return false;
	return ports_match(maps, rule, probe) && protocol_matches(rule, probe) && icmp_matches(rule, probe) &&
	       set_matches(maps, &sight->src, rule->src_set, rule->flags & MATCH_SRC_NOT) &&
	       set_matches(maps, &sight->dst, rule->dst_set, rule->flags & MATCH_DST_NOT);
}

static void log_rule(struct judgement *judgement, const struct policy_rule *rule)
{
	if (judgement->logs < 8)
		judgement->log_prefixes[judgement->logs] = rule->log_prefix;
	judgement->logs++;
}

enum outcome { NEXT_STEP, JUMP, DECIDED };

static enum outcome scan(const struct maps *maps, const struct sight *sight, const struct policy_step *step,
			 const struct probe *probe, struct judgement *judgement)
{
	assert(step->rules <= RULES_PER_STEP);
	for (__u32 i = 0; i < step->rules; i++) {
		const struct policy_rule *rule = at(maps, MAP_RULE, step->rule + i);

		if (!rule_matches(maps, sight, rule, probe))
			continue;
		if (rule->action == ACTION_LOG || rule->flags & MATCH_LOG)
			log_rule(judgement, rule);
		if (rule->action == ACTION_LOG)
			continue;
		if (rule->action == ACTION_NEXT)
			return JUMP;
		judgement->allowed = rule->action == ACTION_ALLOW;
		judgement->rule_id = rule->rule_id;
		judgement->step = STEP_RULES;
		return DECIDED;
	}
	return NEXT_STEP;
}

struct sight maps_look(const struct maps *maps, __u32 slot, const struct probe *probe)
{
	return (struct sight){
		.src = maps_address(maps, &probe->src),
		.dst = maps_address(maps, &probe->dst),
		.policy = maps_policy(maps, slot),
	};
}

struct judgement maps_judge_sight(const struct maps *maps, const struct sight *sight, bool inbound,
				  const struct probe *probe)
{
	const struct policy_list *list =
		at(maps, MAP_LIST, inbound ? sight->policy.inbound : sight->policy.outbound);
	enum rule_class class = class_of(probe);
	struct judgement judgement = {};
	__u32 i = 0;

	while (i < list->classes[class].steps) {
		const struct policy_step *step = at(maps, MAP_STEP, list->classes[class].first + i);
		enum outcome outcome = DECIDED;

		judgement.step = step->kind;
		if (step->kind == STEP_RULES)
			outcome = scan(maps, sight, step, probe, &judgement);
		if (outcome == DECIDED)
			return judgement;
		assert(outcome == NEXT_STEP || step->next > i);
		i = outcome == JUMP ? step->next : i + 1;
	}
	judgement.step = 0;
	return judgement;
}

struct judgement maps_judge(const struct maps *maps, __u32 slot, bool inbound, const struct probe *probe)
{
	struct sight sight = maps_look(maps, slot, probe);

	return maps_judge_sight(maps, &sight, inbound, probe);
}
