/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The host of fixture.h: interfaces, map entries and policies. */
#include "fixture.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "netlink/netlink.h"

const uint8_t A_MAC[6] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee}; /* PACKET_SENDER_MAC */
const uint8_t B_MAC[6] = {0x02, 0, 0, 0, 0, 0x0b};
const uint8_t C_MAC[6] = {0x02, 0, 0, 0, 0, 0x0c};
const uint8_t HOST_VETH_MAC[6] = {HOST_MAC};

static const char *const interface_names[SLOT_COUNT] = {
	[SLOT_A] = "cali-a", [SLOT_B] = "cali-b", [SLOT_C] = "cali-c", [SLOT_STRANGER] = "cali-x"};

static unsigned int made_ifindex[SLOT_COUNT], made_uplink;

static int make_veth(struct netlink *nl, const char *name, const uint8_t mac[6], unsigned int *ret_ifindex)
{
	struct err err;
	char peer[16];
	snprintf(peer, sizeof(peer), "p%s", name);
	struct veth_spec spec = {.host_name = name, .peer_name = peer};
	memcpy(spec.host_mac, HOST_VETH_MAC, 6);
	memcpy(spec.peer_mac, mac, 6);
	int ifindex, r = link_make_veth(nl, &spec, &ifindex, &err);
	if (r == 0)
		r = link_set_up(nl, ifindex, NULL, &err);
	if (r == 0)
		r = link_set_up(nl, link_index(nl, peer), NULL, &err);
	if (r < 0)
		fprintf(stderr, "# %s\n", err.text);
	*ret_ifindex = ifindex;
	return r;
}

/* Once per process, in a network namespace that ends with it. */
static int make_interfaces(void)
{
	struct netlink *nl;
	struct err err;
	if (made_uplink)
		return 0;
	if (unshare(CLONE_NEWNET) < 0) {
		perror("# cannot make a network namespace");
		return -1;
	}
	if (netlink_open(&nl, &err) < 0) {
		fprintf(stderr, "# %s\n", err.text);
		return -1;
	}
	const uint8_t *macs[] = {NULL, A_MAC, B_MAC, C_MAC, A_MAC};
	int r = 0;
	for (int slot = SLOT_A; r == 0 && slot < SLOT_COUNT; slot++)
		r = make_veth(nl, interface_names[slot], macs[slot], &made_ifindex[slot]);
	if (r == 0)
		r = make_veth(nl, "uplink", C_MAC, &made_uplink);
	netlink_close(nl);
	return r;
}

static void parse4(const char *text, struct address4_key *ret)
{
	assert_int_equal(inet_pton(AF_INET, text, &ret->address), 1);
}

static void parse6(const char *text, struct address6_key *ret)
{
	assert_int_equal(inet_pton(AF_INET6, text, ret->address), 1);
}

void fixture_address4(struct fixture *fixture, const char *text, __u64 sets, const struct address *address)
{
	struct address checked = *address;
	struct address4_key key;
	__be32 words[4] = {0};
	parse4(text, &key);
	memcpy(words, key.address, sizeof(key.address));
	checked.check = address_check(words, address);
	progrun_put(fixture->progrun, "identity", &address->row, &sets);
	progrun_put(fixture->progrun, "address4", &key, &checked);
}

static void write_address6(struct fixture *fixture, const char *text, const struct address *address)
{
	struct address checked = *address;
	struct address6_key key;
	__be32 words[4];
	parse6(text, &key);
	memcpy(words, key.address, sizeof(key.address));
	checked.check = address_check(words, address);
	progrun_put(fixture->progrun, "address6", &key, &checked);
}

static void write_addresses(struct fixture *fixture)
{
	static const struct {
		const char *v4, *v6;
		__u64 sets;
		struct address address;
	} rows[] = {
		{A4, A6, 1 << SET_A, {.endpoint = SLOT_A, .flags = ADDRESS_LOCAL | ADDRESS_IN_POOL}},
		{B4, B6, 1 << SET_B, {.endpoint = SLOT_B, .flags = ADDRESS_LOCAL | ADDRESS_IN_POOL}},
		{C4, C6, 0, {.flags = ADDRESS_REMOTE | ADDRESS_IN_POOL}},
		{REMOTE4, REMOTE6, 1 << SET_REMOTE, {.flags = ADDRESS_REMOTE | ADDRESS_IN_POOL}},
		{HOST4, HOST6, 0, {.flags = ADDRESS_HOST}},
	};
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address = rows[i].address;
		address.row = 100 + i;
		address.words = 1;
		address.generation_slot = GENERATION_FIRST + 1 + i;
		fixture_address4(fixture, rows[i].v4, rows[i].sets, &address);
		write_address6(fixture, rows[i].v6, &address);
	}
	struct address pool = {.flags = ADDRESS_IN_POOL, .generation_slot = GENERATION_FIRST + 20};
	struct prefix4_key pool4 = {.prefix_length = 16};
	struct prefix6_key pool6 = {.prefix_length = 64};
	inet_pton(AF_INET, "10.65.0.0", &pool4.address);
	inet_pton(AF_INET6, "fd65::", pool6.address);
	progrun_put(fixture->progrun, "prefix4", &pool4, &pool);
	progrun_put(fixture->progrun, "prefix6", &pool6, &pool);
}

static void write_endpoints(struct fixture *fixture)
{
	const uint8_t *macs[] = {NULL, A_MAC, B_MAC, C_MAC};
	for (__u32 slot = SLOT_A; slot <= SLOT_C; slot++) {
		struct endpoint endpoint = {.ifindex = fixture->ifindex[slot],
					    .state = slot == SLOT_C ? ENDPOINT_INACTIVE : ENDPOINT_ACTIVE,
					    .flags = ENDPOINT_CHECK_MAC,
					    .generation_slot = GENERATION_FIRST + slot};
		struct interface interface = {.endpoint = slot};
		memcpy(endpoint.mac, macs[slot], 6);
		memcpy(endpoint.host_mac, HOST_VETH_MAC, 6);
		snprintf(endpoint.name, sizeof(endpoint.name), "%s", interface_names[slot]);
		progrun_put(fixture->progrun, "endpoint", &slot, &endpoint);
		progrun_put(fixture->progrun, "interface", &endpoint.ifindex, &interface);
	}
}

static void clear(struct fixture *fixture, const char *const *maps, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		progrun_clear(fixture->progrun, maps[i]);
}

void fixture_forget(struct fixture *fixture)
{
	static const char *const maps[] = {"flow4", "flow6", "fragment4", "fragment6", "drops"};
	static const struct account none;
	clear(fixture, maps, sizeof(maps) / sizeof(maps[0]));
	for (__u32 slot = 0; slot < SLOT_COUNT; slot++)
		progrun_put(fixture->progrun, "account", &slot, &none);
	progrun_events(fixture->progrun, NULL, 0);
}

void fixture_empty(struct fixture *fixture)
{
	static const char *const maps[] = {"address4", "address6", "prefix4", "prefix6", "interface"};
	clear(fixture, maps, sizeof(maps) / sizeof(maps[0]));
	fixture_forget(fixture);
	progrun_zero(fixture->progrun, "verdict_cache");
	for (int slot = SLOT_A; slot <= SLOT_C; slot++)
		fixture_policy(fixture, slot, 0, 0);
	write_endpoints(fixture);
}

void fixture_reset(struct fixture *fixture)
{
	fixture_empty(fixture);
	fixture->next_rule = fixture->next_step = 0;
	fixture->next_list = 1;
	write_addresses(fixture);
	__u32 allow = fixture_list_allow(fixture);
	for (int slot = SLOT_A; slot <= SLOT_C; slot++)
		fixture_policy(fixture, slot, allow, allow);
}

struct fixture *fixture_new(const struct settings *settings)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	if (!fixture || make_interfaces() < 0) {
		free(fixture);
		return NULL;
	}
	fixture->settings = *settings;
	memcpy(fixture->ifindex, made_ifindex, sizeof(made_ifindex));
	fixture->uplink = made_uplink;
	fixture->progrun = progrun_open(settings);
	if (!fixture->progrun) {
		free(fixture);
		return NULL;
	}
	return fixture;
}

void fixture_free(struct fixture *fixture)
{
	if (!fixture)
		return;
	progrun_close(fixture->progrun);
	free(fixture);
}

__u32 fixture_list(struct fixture *fixture, const struct class_rule *rules, unsigned int count,
		   enum step_kind end)
{
	struct policy_list list = {.serial = fixture->next_list};
	for (int class = 0; class < CLASS_COUNT; class ++) {
		struct policy_step step = {.kind = STEP_RULES, .rule = fixture->next_rule};
		for (unsigned int i = 0; i < count; i++) {
			if (!(rules[i].classes & 1 << class))
				continue;
			progrun_put(fixture->progrun, "rule", &fixture->next_rule, &rules[i].rule);
			fixture->next_rule++;
			step.rules++;
		}
		list.classes[class].first = fixture->next_step;
		step.next = 1;
		progrun_put(fixture->progrun, "step", &fixture->next_step, &step);
		fixture->next_step++;
		if (end) {
			struct policy_step last = {.kind = end};
			progrun_put(fixture->progrun, "step", &fixture->next_step, &last);
			fixture->next_step++;
		}
		list.classes[class].steps = fixture->next_step - list.classes[class].first;
	}
	progrun_put(fixture->progrun, "list", &fixture->next_list, &list);
	return fixture->next_list++;
}

__u32 fixture_list_allow(struct fixture *fixture)
{
	const struct class_rule rule = {
		CLASS_ANY, {.action = ACTION_ALLOW, .flags = MATCH_IPV4 | MATCH_IPV6, .rule_id = 1}};
	return fixture_list(fixture, &rule, 1, 0);
}

void fixture_policy(struct fixture *fixture, enum slot slot, __u32 inbound, __u32 outbound)
{
	__u32 key = slot;
	struct endpoint_policy policy = {.inbound = inbound, .outbound = outbound};
	progrun_put(fixture->progrun, "endpoint_policy", &key, &policy);
	/* Tests write lists and rows under any numbers. */
	progrun_zero(fixture->progrun, "verdict_cache");
}

void fixture_only_a_opens(struct fixture *fixture)
{
	__u32 allow = fixture_list_allow(fixture);
	fixture_policy(fixture, SLOT_A, 0, allow);
	fixture_policy(fixture, SLOT_B, allow, 0);
}

void fixture_bump(struct fixture *fixture, enum slot slot)
{
	__u32 key = GENERATION_FIRST + slot, value = 0;
	progrun_get(fixture->progrun, "generation", &key, &value);
	value++;
	progrun_put(fixture->progrun, "generation", &key, &value);
}

void fixture_run(struct fixture *fixture, const struct hook *hook, const struct frame *frame, struct run *ret)
{
	struct packet packet;
	packet_build(frame, &packet);
	progrun_packet(fixture->progrun, hook, &packet, ret);
}

void fixture_send(struct fixture *fixture, enum slot from, const struct frame *frame, struct run *ret)
{
	static const uint8_t *const macs[SLOT_COUNT] = {NULL, A_MAC, B_MAC, C_MAC, A_MAC};
	unsigned int ifindex = fixture->ifindex[from];
	struct frame sent = *frame;
	sent.source_mac = frame->source_mac ?: macs[from];
	fixture_run(fixture, &(const struct hook){FROM_ENDPOINT, ifindex, ifindex, 0}, &sent, ret);
}

void fixture_deliver(struct fixture *fixture, enum slot to, const struct frame *frame, struct run *ret)
{
	fixture_run(fixture, &(const struct hook){TO_ENDPOINT, fixture->ifindex[to], fixture->uplink, 0},
		    frame, ret);
}

struct frame frame_tcp(const char *source, uint16_t source_port, const char *destination,
		       uint16_t destination_port, uint8_t flags)
{
	return (struct frame){.source = source,
			      .source_port = source_port,
			      .destination = destination,
			      .destination_port = destination_port,
			      .protocol = IPPROTO_TCP,
			      .tcp = flags};
}

struct frame frame_udp(const char *source, uint16_t source_port, const char *destination,
		       uint16_t destination_port)
{
	return (struct frame){.source = source,
			      .source_port = source_port,
			      .destination = destination,
			      .destination_port = destination_port,
			      .protocol = IPPROTO_UDP,
			      .payload_length = 20};
}

struct frame frame_echo(const char *source, const char *destination, bool reply, uint16_t id)
{
	bool is_v6 = strchr(source, ':');
	return (struct frame){.source = source,
			      .destination = destination,
			      .protocol = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			      .icmp_type = is_v6   ? 128 + reply
					   : reply ? 0
						   : 8,
			      .icmp_id = id,
			      .payload_length = 8};
}

bool run_passes(const struct run *run)
{
	return run->action == TC_ACT_REDIRECT || run->action == TC_ACT_OK || run->action == TC_ACT_UNSPEC;
}

const char *run_describe(const struct run *run, char text[128])
{
	static const char *const names[] = {[DROP_NONE] = "none",
#define X(name, meaning) [DROP_REASON_##name] = #name,
					    DROP_REASONS(X)
#undef X
	};
	const char *reason = run->reason < DROP_REASON_COUNT ? names[run->reason] : "unknown";
	snprintf(text, 128, "action %d, mark %#x, reason %s, %u drops counted", run->action, run->mark,
		 reason, run->drops);
	return text;
}

void assert_passes(const struct run *run)
{
	char text[128];
	if (!run_passes(run) || run->drops)
		fail_msg("should pass: %s", run_describe(run, text));
}

void assert_drops(const struct run *run, enum drop_reason reason)
{
	char text[128], wanted[128];
	const struct run expected = {.action = TC_ACT_SHOT, .reason = reason, .drops = 1};
	if (run->action != TC_ACT_SHOT || run->reason != reason || run->drops != 1)
		fail_msg("%s; expected: %s", run_describe(run, text), run_describe(&expected, wanted));
}
