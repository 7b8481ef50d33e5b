/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Endpoint slots: publishing lists, and denying where old and new must not mix. */
#include <errno.h>

#include "policy/engine.h"

#define NO_ADDRESS "its addresses do not fit into the maps, so it is denied; use fewer endpoints"
#define NOT_OWNED                                                                                            \
	"one of its addresses is that of another endpoint of this host, too, which came later and has it"
#define NOT_WRITTEN "its policy cannot be written; look for errors of the BPF maps"

static __u32 slot_number(const struct policy_engine *engine, const struct slot *slot)
{
	return (__u32)(slot - engine->slots);
}

static bool has_failed_address(const struct member *member)
{
	for (__u32 i = 0; i < member->claim_count; i++) {
		if (member->claims[i].place->failed)
			return true;
	}
	return false;
}

/* The addresses of a host endpoint are the host's, so no slot has them unless a container has one, too. */
static bool has_lost_address(const struct member *member)
{
	__u32 expected = member->host ? 0 : member->slot;

	for (__u32 i = 0; i < member->claim_count; i++) {
		const struct place *place = member->claims[i].place;

		if (place->published && place->value.endpoint != expected)
			return true;
	}
	return false;
}

/* Why the slot must deny whatever its lists say; NULL: it need not. */
static const char *denial(const struct slot *slot)
{
	if (slot->owner->cohort->failure)
		return slot->owner->cohort->failure;
	return has_failed_address(slot->owner) ? NO_ADDRESS : NULL;
}

static struct list *wanted_list(const struct slot *slot, int direction)
{
	if (!slot->owner || !member_is_local(slot->owner) || slot->owner->cohort->closed || denial(slot))
		return NULL;
	return slot->owner->cohort->lists[direction];
}

/* Puts lists in force. What was in force before may still be read: its references go after the fence. */
static int slot_store(struct policy_engine *engine, struct slot *slot, struct list *const lists[2])
{
	struct endpoint_policy value = {
		.inbound = lists[INBOUND] ? lists[INBOUND]->number : 0,
		.outbound = lists[OUTBOUND] ? lists[OUTBOUND]->number : 0,
	};
	__u32 number = slot_number(engine, slot);
	struct list *old[2] = {slot->lists[INBOUND], slot->lists[OUTBOUND]};
	int r = sink_write(engine, MAP_ENDPOINT_POLICY, &number, &value);

	if (r < 0)
		return r;
	/* First of all we must know what is in force. */
	for (int direction = 0; direction < 2; direction++) {
		list_ref(lists[direction]);
		slot->lists[direction] = lists[direction];
	}
	for (int direction = 0; r == 0 && direction < 2; direction++) {
		if (old[direction])
			r = limbo_add(engine, LIMBO_LIST, old[direction], 0);
	}
	return r < 0 ? r : generation_bump(engine, GENERATION_FIRST + number);
}

static bool differs(const struct slot *slot, struct list *const lists[2])
{
	return slot->lists[INBOUND] != lists[INBOUND] || slot->lists[OUTBOUND] != lists[OUTBOUND];
}

/*
 * Would packets meet a mixture of old and new that is neither? That is when a list is replaced and the old
 * one looks at memberships that change as well, and when one list looks at changing memberships of both
 * source and destination, whose entries are written one after the other.
 */
static bool must_hold(struct policy_engine *engine, struct list *list, const struct list *wanted)
{
	if (list == wanted && !list->two_sided)
		return false;
	list_check_changes(engine, list);
	if (list == wanted)
		return list->source_changes && list->destination_changes;
	return !wanted || list->source_changes || list->destination_changes;
}

static int hold(struct policy_engine *engine, struct slot *slot)
{
	struct list *lists[2];

	for (int direction = 0; direction < 2; direction++) {
		lists[direction] = slot->lists[direction];
		if (lists[direction] && must_hold(engine, lists[direction], wanted_list(slot, direction)))
			lists[direction] = NULL;
	}
	if (!differs(slot, lists))
		return 0;
	/* A failure shows again, and is handled, when the slot is published. */
	return slot_store(engine, slot, lists) == -ENOMEM ? -ENOMEM
							  : slot_queue(engine, slot_number(engine, slot));
}

int slots_hold(struct policy_engine *engine)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < engine->queued_slots.count; i++)
		r = hold(engine, engine->queued_slots.items[i]);
	if (!engine->two_sided || engine->changes.size == 0)
		return r;
	for (__u32 i = 0; r == 0 && i < engine->slot_count; i++)
		r = hold(engine, &engine->slots[i]);
	return r;
}

static int publish(struct policy_engine *engine, struct slot *slot)
{
	struct list *nothing[2] = {}, *lists[2] = {wanted_list(slot, INBOUND), wanted_list(slot, OUTBOUND)};
	const char *problem = slot->owner && member_is_local(slot->owner) ? denial(slot) : NULL;
	int r = 0;

	slot->queued = false;
	if (differs(slot, lists))
		r = slot_store(engine, slot, lists);
	if (r == -ENOSPC) {
		problem = NOT_WRITTEN;
		r = slot_store(engine, slot, nothing);
		/* Again in the next pass. */
		if (r == -ENOSPC || r == 0)
			r = slot_queue(engine, slot_number(engine, slot));
	}
	if (slot->owner && !problem && member_is_local(slot->owner) && has_lost_address(slot->owner))
		problem = NOT_OWNED;
	if (slot->owner)
		member_problem(engine, slot->owner, problem);
	return r;
}

int slots_publish(struct policy_engine *engine)
{
	size_t count = engine->queued_slots.count;
	size_t left;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = publish(engine, engine->queued_slots.items[i]);
	left = engine->queued_slots.count - count;
	for (size_t i = 0; i < left; i++)
		engine->queued_slots.items[i] = engine->queued_slots.items[count + i];
	engine->queued_slots.count = left;
	return r;
}

void slots_deny_all(struct policy_engine *engine)
{
	const struct endpoint_policy nothing = {};

	for (__u32 i = 0; i < engine->slot_count; i++) {
		if (engine->slots[i].lists[INBOUND] || engine->slots[i].lists[OUTBOUND])
			sink_write(engine, MAP_ENDPOINT_POLICY, &i, &nothing);
	}
}

int cohort_queue_slots(struct policy_engine *engine, const struct cohort *cohort)
{
	int r = 0;

	/* Local members come first. */
	for (const struct member *member = cohort->members; r == 0 && member; member = member->next) {
		if (!member_is_local(member))
			break;
		r = slot_queue(engine, member->slot);
	}
	return r;
}
