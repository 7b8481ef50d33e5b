/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What uplinks screen by: the block list, and the blocks of addresses that IPAM has given to this host, which
 * are beneath another directory of the datastore than everything else. And where they do it.
 */
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/blocklist.h"
#include "store/keys.h"
#include "util/log.h"

/* ---- the block list ---- */

void screening_set_blocked(struct agent *agent, const char *key, const char *value, struct err *err)
{
	char canonical[KEY_MAX];
	struct cidr cidr;
	bool blocked;

	if (cidr_parse_key(key_last(key), &cidr) < 0) {
		if (value)
			err_set(err, EBADMSG, "the key does not name a network");
		return;
	}
	cidr_mask(&cidr);
	/* So that each network has one key, and whoever deletes that unblocks it. */
	if (strcmp(key, key_blocked(canonical, &cidr)) != 0) {
		if (value)
			err_set(err, EBADMSG, "this network's key is %s", canonical);
		return;
	}
	blocked = value && !blocklist_parse(value, &cidr, err);
	dataplane_block(agent->dataplane, &cidr, blocked, blocked ? err : NULL);
}

/* ---- blocks of addresses ---- */

static void on_affinity(void *arg, const char *key, const char *value, uint64_t revision)
{
	struct agent *agent = arg;
	char own[KEY_MAX];
	struct cidr block;

	if (!agent->affinities || cidr_parse_key(key_last(key), &block) < 0 ||
	    strcmp(key, key_affinity(own, agent->config->hostname, &block)) != 0)
		return;
	policy_set_block(agent->engine, &block, value != NULL);
	if (!value)
		assignments_lost(agent, &block);
	commit_schedule(agent);
}

/* Also an empty one: then each block is told to be gone. */
static int on_affinities_snapshot(void *arg, const struct store_list *snapshot, struct err *err)
{
	return 0;
}

static void on_affinities_in_sync(void *arg)
{
}

/* The other watch tells about the datastore. Meanwhile what was known last stays in force. */
static void on_affinities_contact(void *arg, bool connected, const char *why)
{
}

static const struct store_watch_ops affinity_ops = {
	.event = on_affinity,
	.in_sync = on_affinities_in_sync,
	.contact = on_affinities_contact,
	.believe = on_affinities_snapshot,
};

int screening_start(struct agent *agent, struct err *err)
{
	char key[KEY_MAX];

	return store_watch(agent->store, key_ipam_host(key, agent->config->hostname), &affinity_ops, agent,
			   &agent->affinities, err);
}

void screening_stop(struct agent *agent)
{
	store_watch_stop(agent->affinities);
	agent->affinities = NULL;
}

/* ---- by XDP or by TC ---- */

/* Why XDP would cost delivered packets more than it saves; NULL: it would not. */
static const char *objection(const struct link_info *link)
{
	/* Its other end could no longer send super-packets (veth_xdp_set()), and each packet is copied. */
	if (!strcmp(link->kind, "veth"))
		return "XDP would make packets through a veth smaller and copy them";
	/* Drivers stop merging received packets while an XDP program is on the interface. */
	if (link_merges_packets(link->name))
		return "XDP would end the interface's merging of received packets (rx-gro-hw, rx-lro)";
	return NULL;
}

void screening_choose(struct agent *agent, struct agent_uplink *up, const struct link_info *link)
{
	enum uplink_xdp mode = agent->felix.uplink_xdp;
	const char *why = mode == UPLINK_XDP_OFF ? "UplinkXDP is off" : NULL;
	struct err err = {""};
	char object[40];

	if (up->screening == mode)
		return;
	up->screening = mode;
	if (mode == UPLINK_XDP_AUTO)
		why = objection(link);
	up->xdp = !dataplane_screen_uplink(agent->dataplane, up->ifindex, up->name, !why, &err) && !why;
	snprintf(up->why, sizeof(up->why), "%s", why ? why : err.text);
	if (up->xdp)
		log_info("agent", "%s is screened by XDP", up->name);
	else
		log_info("agent", "%s is screened by TC: %s", up->name, up->why);
	snprintf(object, sizeof(object), "UplinkXDP of %s", up->name);
	problem_set(&agent->of_generation, object, mode == UPLINK_XDP_ON && !up->xdp ? up->why : NULL);
}

void screening_forget(struct agent *agent, const struct agent_uplink *up)
{
	char object[40];

	snprintf(object, sizeof(object), "UplinkXDP of %s", up->name);
	problem_set(&agent->of_generation, object, NULL);
}
