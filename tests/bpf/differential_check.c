/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Compares what a packet did with what was expected of it, and says what differs. */
#include "differential_check.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>

/* ---- complaints ---- */

static void print_documents(const struct world *world)
{
	static const char *const kinds[] = {[RULES] = "rules",	     [TAGS] = "tags",
					    [LABELS] = "labels",     [TIER] = "tier",
					    [POLICY] = "policy",     [POOL] = "pool",
					    [ADDRESS] = "address",   [NODE] = "address of a host",
					    [WORKLOAD] = "workload", [HOST_ENDPOINT] = "host endpoint",
					    [BLOCK] = "block",	     [BLOCKED] = "blocked"};

	for (size_t i = 0; i < world->count; i++) {
		const struct document *d = world->documents[i];

		print_message("#   %s %s slot %u: %s\n", kinds[d->kind], d->name, d->slot, d->text);
	}
}

static void print_hits(const struct expectation *expected)
{
	for (size_t i = 0; i < expected->verdicts; i++) {
		for (size_t j = 0; j < expected->verdict[i].hit_count; j++) {
			const struct reference_hit *hit = &expected->verdict[i].hits[j];

			print_message("#   expected: %s %s %zu\n", hit->document->name,
				      hit->inbound ? "inbound" : "outbound", hit->position);
		}
	}
}

void complain(const struct stage *stage, const struct shot *shot, const struct expectation *expected,
	      const struct observation *seen, const char *what)
{
	const struct run wanted = {.reason = expected->reason, .action = (int)expected->fate};
	char text[256], run[128], other[128];

	print_documents(&stage->world);
	print_hits(expected);
	for (size_t i = 0; i < seen->hit_count; i++) {
		const struct rule_info *info = &stage->rules[seen->hits[i].rule_id];

		print_message("#   counted: %s %s %u, %u times\n", info->object, info->direction,
			      info->position, seen->hits[i].times);
	}
	fail_msg("%s: %s; %s; was %s; expected (action is a fate) %s", stage->origin,
		 shot_describe(shot, text), what, run_describe(&seen->run, run),
		 run_describe(&wanted, other));
}

/* ---- comparison ---- */

/* A container sends by another interface than that of its address: what the stack is to have goes by that
 * one. */
static bool is_sent_round(const struct stage *stage, const struct shot *shot, const struct run *run)
{
	__u32 slot;

	if (shot->way != FROM_SLOT || run->action != TC_ACT_REDIRECT)
		return false;
	reference_flags(&stage->world, &shot->probe.src, &slot);
	return slot && slot != shot->slot;
}

static bool fate_matches(const struct stage *stage, const struct shot *shot,
			 const struct expectation *expected, const struct run *run)
{
	const struct settings *settings = &stage->fixture->settings;
	__u32 mark = run->mark & settings->mark_mask;
	bool sent_here = shot->way == FROM_SLOT || shot->way == FROM_STRANGER;
	__u32 passed = shot->way == TO_SLOT_ROUTED ? settings->mark_approved
		       : sent_here		   ? settings->mark_to_host
						   : 0;
	int action = is_sent_round(stage, shot, run) ? TC_ACT_OK : run->action;

	if (run->reason != expected->reason || run->drops != (expected->reason != DROP_NONE))
		return false;
	switch (expected->fate) {
	case DROPPED:
		return run->action == TC_ACT_SHOT;
	case PASSED:
		return action == TC_ACT_OK && mark == passed;
	case TO_PEER:
		return run->action == TC_ACT_REDIRECT;
	case TO_STACK:
		return action == TC_ACT_OK && mark == settings->mark_approved;
	default:
		return action == TC_ACT_OK && mark == (settings->mark_approved | settings->mark_nat_out);
	}
}

static bool is_rule(const struct rule_info *info, const struct reference_hit *hit)
{
	char object[RULE_NAME_LENGTH];

	snprintf(object, sizeof(object), "%s %s", hit->document->kind == RULES ? "profile" : "policy",
		 hit->document->name);
	return info->position == hit->position && strcmp(info->object, object) == 0 &&
	       strcmp(info->direction, hit->inbound ? "inbound" : "outbound") == 0;
}

/* Every rule that should have matched was counted, and no other one. */
static bool hits_match(const struct stage *stage, const struct expectation *expected,
		       const struct observation *seen)
{
	__u32 left[sizeof(seen->hits) / sizeof(seen->hits[0])], total = 0;

	for (size_t i = 0; i < seen->hit_count; i++) {
		left[i] = seen->hits[i].times;
		total += left[i];
	}
	for (size_t i = 0; i < expected->verdicts; i++) {
		for (size_t j = 0; j < expected->verdict[i].hit_count; j++) {
			size_t at = 0;

			while (at < seen->hit_count &&
			       (!left[at] || !is_rule(&stage->rules[seen->hits[at].rule_id],
						      &expected->verdict[i].hits[j])))
				at++;
			if (at == seen->hit_count)
				return false;
			left[at]--;
			total--;
		}
	}
	return total == 0;
}

static bool event_is_of_packet(const struct packet_event *event, const struct shot *shot)
{
	const struct probe *probe = &shot->probe;
	bool is_icmp = probe->protocol == (probe->src.family == 4 ? 1 : 58);
	bool has_ports = shot_has_ports(shot);
	__u16 source = is_icmp ? probe->icmp_type : has_ports ? probe->sport : 0;
	__u16 destination = is_icmp ? probe->icmp_code : has_ports ? probe->dport : 0;

	if (shot->oddity)
		return true;
	if (event->family != probe->src.family ||
	    memcmp(event->source, probe->src.bytes, sizeof(event->source)) != 0 ||
	    memcmp(event->destination, probe->dst.bytes, sizeof(event->destination)) != 0)
		return false;
	/* Of these not every program that drops them has read more. */
	if (shot->part || (shot->way == ARRIVING && shot->extensions))
		return true;
	return event->protocol == probe->protocol && ntohs(event->source_port) == source &&
	       ntohs(event->destination_port) == destination;
}

static bool event_has_rule(const struct stage *stage, const struct packet_event *event,
			   const struct reference_hit *hit)
{
	if (!hit)
		return event->rule_id == 0;
	return event->rule_id < stage->rule_ids && is_rule(&stage->rules[event->rule_id], hit);
}

static bool log_matches(const struct stage *stage, const struct packet_event *event,
			const struct reference_hit *hit)
{
	struct log_prefix prefix = {};

	if (event->reason || !event_has_rule(stage, event, hit))
		return false;
	if (event->log_prefix)
		progrun_get(stage->fixture->progrun, "log_prefix", &event->log_prefix, &prefix);
	return strcmp(prefix.text, hit->rule->log_prefix ?: "") == 0;
}

/* The rule that denied the packet, if one did. */
static const struct reference_hit *denying_rule(const struct expectation *expected)
{
	const struct reference *last = &expected->verdict[expected->verdicts - 1];

	if (expected->reason != DROP_REASON_RULE_INBOUND && expected->reason != DROP_REASON_RULE_OUTBOUND)
		return NULL;
	return &last->hits[last->hit_count - 1];
}

static bool drop_matches(const struct stage *stage, const struct packet_event *event,
			 const struct expectation *expected)
{
	const struct fixture *fixture = stage->fixture;
	__u32 blamed = expected->blamed ? fixture->ifindex[expected->blamed] : fixture->uplink;

	return event->reason == expected->reason && event->ifindex == blamed &&
	       event_has_rule(stage, event, denying_rule(expected));
}

/* One event per rule that logs, in order, and then one for the drop. */
static bool events_match(const struct stage *stage, const struct shot *shot,
			 const struct expectation *expected, const struct observation *seen)
{
	size_t at = 0;

	for (size_t i = 0; i < seen->event_count; i++) {
		if (!event_is_of_packet(&seen->events[i], shot))
			return false;
	}
	for (size_t i = 0; i < expected->verdicts; i++) {
		for (size_t j = 0; j < expected->verdict[i].hit_count; j++) {
			const struct reference_hit *hit = &expected->verdict[i].hits[j];

			if (!hit->logged)
				continue;
			if (at >= seen->event_count || !log_matches(stage, &seen->events[at], hit))
				return false;
			at++;
		}
	}
	if (expected->reason && stage->fixture->settings.drop_events &&
	    (at >= seen->event_count || !drop_matches(stage, &seen->events[at++], expected)))
		return false;
	return at == seen->event_count;
}

/* Straight into the receiver's namespace: as a router would have sent it. */
static bool is_forwarded(const struct stage *stage, const struct shot *shot, const struct observation *seen)
{
	size_t hops = shot->probe.src.family == 4 ? 8 : 7;
	const uint8_t *frame = seen->run.packet.data, *mac = PACKET_SENDER_MAC;
	const struct document *receiver;
	__u32 slot;

	reference_flags(&stage->world, &shot->probe.dst, &slot);
	receiver = slot ? world_slot(&stage->world, slot) : NULL;
	if (receiver && receiver->workload->has_mac)
		mac = receiver->workload->mac;
	/* Without a MAC in the document it was learned: from a packet, or when the flow began under an older
	 * document. */
	else if (slot && memcmp(frame, stage->last_mac[slot], MAC_LENGTH) == 0)
		mac = stage->last_mac[slot];
	return memcmp(frame, mac, MAC_LENGTH) == 0 && memcmp(frame + 6, HOST_VETH_MAC, MAC_LENGTH) == 0 &&
	       packet_ip(&seen->run.packet)[hops] == packet_ip(&seen->sent)[hops] - 1 &&
	       packet_checksums_hold(&seen->run.packet);
}

/* As it was, but for the sender's MAC. */
static bool is_round(const struct observation *seen)
{
	const uint8_t *sent = seen->sent.data, *now = seen->run.packet.data;
	const size_t behind = 2 * MAC_LENGTH;

	return seen->run.packet.length == seen->sent.length && memcmp(now, sent, MAC_LENGTH) == 0 &&
	       memcmp(now + behind, sent + behind, seen->sent.length - behind) == 0;
}

bool check_packet(const struct stage *stage, const struct shot *shot, const struct observation *seen)
{
	if (is_sent_round(stage, shot, &seen->run) && is_round(seen))
		return true;
	if (seen->run.action == TC_ACT_REDIRECT)
		return is_forwarded(stage, shot, seen);
	return seen->run.action != TC_ACT_OK ||
	       (seen->run.packet.length == seen->sent.length &&
		memcmp(seen->run.packet.data, seen->sent.data, seen->sent.length) == 0);
}

const char *check_observation(const struct stage *stage, const struct shot *shot,
			      const struct expectation *expected, const struct observation *seen)
{
	if (!fate_matches(stage, shot, expected, &seen->run))
		return "another fate";
	if (!check_packet(stage, shot, seen))
		return "another packet";
	if (!hits_match(stage, expected, seen))
		return "other rules matched";
	if (!events_match(stage, shot, expected, seen))
		return "other events";
	if (seen->early != expected->early)
		return seen->early ? "dropped by XDP" : "not dropped by XDP";
	if (shot->way != TO_SLOT_HOST && seen->flow != expected->opens_flow)
		return seen->flow ? "made a flow" : "made no flow";
	return NULL;
}
