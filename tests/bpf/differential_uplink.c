/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The uplink of the differential tests. */
#include "differential_uplink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>

#include "netlink/netlink.h"

/* ---- routes ---- */

static const struct {
	const char *v4, *v6;
	enum uplink_route route;
} routes[] = {
	{"10.65.0.1", "fd65::1", ROUTE_BACK},	  {"10.65.0.2", "fd65::2", ROUTE_BACK},
	{"10.65.0.3", "fd65::3", ROUTE_ASIDE},	  {"10.65.0.6", "fd65::6", ROUTE_ASIDE},
	{"10.65.0.77", "fd65::77", ROUTE_BACK},	  {"10.65.1.1", "fd65:1::1", ROUTE_BACK},
	{"192.0.2.1", "2001:db8::1", ROUTE_BACK},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

enum uplink_route uplink_route(const struct addr *addr)
{
	struct addr listed;

	for (size_t i = 0; i < ROUTES; i++) {
		if (addr_parse(addr->family == 4 ? routes[i].v4 : routes[i].v6, &listed) == 0 &&
		    addr_compare(&listed, addr) == 0)
			return routes[i].route;
	}
	return ROUTE_NONE;
}

static int add_routes(const struct fixture *fixture, struct netlink *nl, struct err *err)
{
	struct addr addr;
	int r = 0;

	for (size_t i = 0; r == 0 && i < 2 * ROUTES; i++) {
		bool back = routes[i / 2].route == ROUTE_BACK;

		addr_parse(i % 2 ? routes[i / 2].v4 : routes[i / 2].v6, &addr);
		r = route_add_host(nl, (int)(back ? fixture->uplink : fixture->ifindex[1]), &addr, err);
	}
	return r;
}

int uplink_prepare(struct stage *stage)
{
	const struct fixture *fixture = stage->fixture;
	int program = progrun_program(fixture->progrun, SCREEN_UPLINK);
	struct netlink *nl = NULL;
	struct err err;
	int r = sysctl_write("ipv4/ip_forward", "1", &err);

	if (r == 0)
		r = sysctl_write("ipv6/conf/all/forwarding", "1", &err);
	if (r == 0)
		r = netlink_open(&nl, &err);
	if (r == 0)
		r = add_routes(fixture, nl, &err);
	netlink_close(nl);
	if (r == 0) {
		r = bpf_xdp_attach((int)fixture->uplink, program, XDP_FLAGS_DRV_MODE, NULL);
		if (r < 0)
			err_set(&err, -r, "no XDP on the uplink: %s", strerror(-r));
	}
	if (r < 0)
		print_message("# %s\n", err.text);
	return r;
}

/* ---- block list and screening ---- */

static void write_screening(struct stage *stage, bool by_tc, bool xdp)
{
	struct screening screening = {.serial = stage->serial, .by_tc = by_tc};
	struct uplink uplink = {.name = "uplink", .xdp = xdp};
	__u32 first = 0;

	progrun_put(stage->fixture->progrun, "screening", &first, &screening);
	progrun_put(stage->fixture->progrun, "uplink", &stage->fixture->uplink, &uplink);
}

static void choose_screener(struct stage *stage, enum screener screener)
{
	if ((int)screener == stage->screener)
		return;
	write_screening(stage, screener == BY_TC, screener == BY_XDP);
	stage->screener = (int)screener;
}

/* As dataplane_block(): first the list, then its number. */
static void write_blocked(struct stage *stage, const char *name, bool blocked)
{
	static const struct blocked entry = {.blocked = 1};
	struct prefix6_key key = {}; /* that of IPv4 is its beginning */
	struct cidr cidr;
	const char *map;

	assert_int_equal(cidr_parse_key(name, &cidr), 0);
	key.prefix_length = cidr.length;
	memcpy(key.address, cidr.addr.bytes, sizeof(key.address));
	map = cidr.addr.family == 4 ? "blocked4" : "blocked6";
	if (blocked)
		progrun_put(stage->fixture->progrun, map, &key, &entry);
	else
		progrun_delete(stage->fixture->progrun, map, &key);
	stage->serial++;
	stage->screener = -1;
}

/* ---- host endpoints ---- */

__u32 uplink_host_slot(const struct world *world, int family)
{
	const struct document *first = world_find(world, HOST_ENDPOINT, family == 4 ? "host/0" : "host/1");
	const struct document *second = world_find(world, HOST_ENDPOINT, family == 4 ? "host/1" : "host/0");

	if (first)
		return first->slot;
	return second ? second->slot : 0;
}

static void write_failsafe(struct stage *stage, enum failsafe direction, __u16 port)
{
	static struct portset ports;
	__u32 key = direction;

	memset(&ports, 0, sizeof(ports));
	ports.word[port / 64] = 1ULL << (port % 64);
	progrun_put(stage->fixture->progrun, "failsafe", &key, &ports);
}

static void write_host_endpoints(struct stage *stage)
{
	struct progrun *progrun = stage->fixture->progrun;
	struct host_interface before = {}, interface = {
						   .endpoint4 = uplink_host_slot(&stage->world, 4),
						   .endpoint6 = uplink_host_slot(&stage->world, 6),
						   .name = "uplink",
					   };

	for (__u32 slot = HOST_SLOT; slot < HOST_SLOT + 2; slot++) {
		struct endpoint endpoint = {.state = ENDPOINT_ACTIVE, .flags = ENDPOINT_HOST, .name = "host"};

		endpoint.generation_slot = policy_generation_slot(stage->engine, slot);
		progrun_put(progrun, "endpoint", &slot, &endpoint);
	}
	progrun_get(progrun, "host_interface", &stage->fixture->uplink, &before);
	progrun_put(progrun, "host_interface", &stage->fixture->uplink, &interface);
	if (memcmp(&before, &interface, sizeof(before)) == 0)
		return;
	if (before.endpoint4)
		assert_int_equal(policy_recheck(stage->engine, before.endpoint4), 0);
	if (before.endpoint6)
		assert_int_equal(policy_recheck(stage->engine, before.endpoint6), 0);
	stage_commit(stage);
}

/* ---- as the stage ---- */

void uplink_clear(struct stage *stage)
{
	stage_clear(stage);
	progrun_clear(stage->fixture->progrun, "blocked4");
	progrun_clear(stage->fixture->progrun, "blocked6");
	stage->serial++;
	stage->screener = -1;
	write_failsafe(stage, FAILSAFE_INBOUND, FAILSAFE_PORT_INBOUND);
	write_failsafe(stage, FAILSAFE_OUTBOUND, FAILSAFE_PORT_OUTBOUND);
}

void uplink_change(struct stage *stage, const struct change *change)
{
	struct change placed = *change;

	if (change->kind == HOST_ENDPOINT && change->text && stage->fixture->settings.host_endpoints)
		placed.slot = HOST_SLOT + (__u32)(strcmp(change->name, "host/1") == 0);
	stage_change(stage, &placed);
	if (change->kind == BLOCKED)
		write_blocked(stage, change->name, change->text);
}

void uplink_commit(struct stage *stage)
{
	stage_commit(stage);
	if (stage->fixture->settings.host_endpoints)
		write_host_endpoints(stage);
}

/* ---- packets ---- */

/* One program's run, after those before it. */
static void run_hook(struct stage *stage, const struct hook *hook, struct observation *ret)
{
	static struct run run;

	progrun_packet(stage->fixture->progrun, hook, &ret->sent, &run);
	run.drops += ret->run.drops;
	run.reason = run.reason ?: ret->run.reason;
	ret->run = run;
}

/* The endpoint that the stack forwards the packet to, or 0. */
static __u32 receiver_of(const struct stage *stage, const struct shot *shot)
{
	__u32 slot;

	if (shot->oddity != USUAL && shot->oddity < CUT)
		return 0;
	reference_flags(&stage->world, &shot->probe.dst, &slot);
	return slot;
}

static void run_tc(struct stage *stage, const struct shot *shot, struct observation *ret)
{
	unsigned int uplink = stage->fixture->uplink;
	__u32 receiver = receiver_of(stage, shot);

	run_hook(stage, &(const struct hook){FROM_UPLINK, uplink, uplink, 0}, ret);
	if (ret->run.action == TC_ACT_OK && receiver)
		run_hook(stage,
			 &(const struct hook){TO_ENDPOINT, stage->fixture->ifindex[receiver], uplink,
					      ret->run.mark},
			 ret);
}

static void start(struct stage *stage, const struct shot *shot, enum screener screener,
		  struct observation *ret)
{
	choose_screener(stage, screener);
	ret->run = (struct run){};
	/* An uplink and an endpoint may have one budget of events. */
	progrun_zero(stage->fixture->progrun, "event_budgets");
	stage_build(stage, shot, ret);
}

void uplink_shoot_xdp(struct stage *stage, const struct shot *shot, struct observation *ret)
{
	unsigned int uplink = stage->fixture->uplink;

	start(stage, shot, BY_XDP, ret);
	run_hook(stage, &(const struct hook){SCREEN_UPLINK, uplink, uplink, 0}, ret);
	ret->early = ret->run.action == TC_ACT_SHOT;
	stage_observe(stage, shot, true, ret);
}

void uplink_shoot_behind_xdp(struct stage *stage, const struct shot *shot, bool keep, struct observation *ret)
{
	start(stage, shot, BY_XDP, ret);
	run_tc(stage, shot, ret);
	stage_observe(stage, shot, keep, ret);
}

void uplink_shoot(struct stage *stage, const struct shot *shot, enum screener screener, bool keep,
		  struct observation *ret)
{
	unsigned int uplink = stage->fixture->uplink;

	start(stage, shot, screener, ret);
	if (shot->way == LEAVING) {
		run_hook(stage, &(const struct hook){TO_UPLINK, uplink, 0, 0}, ret);
	} else {
		if (screener == BY_XDP)
			run_hook(stage, &(const struct hook){SCREEN_UPLINK, uplink, uplink, 0}, ret);
		ret->early = ret->run.action == TC_ACT_SHOT;
		if (!ret->early)
			run_tc(stage, shot, ret);
	}
	stage_observe(stage, shot, keep, ret);
}

static void leave(struct stage *stage, const struct shot *shot, __u32 from, __u32 mark)
{
	static struct observation seen;

	start(stage, shot, BY_XDP, &seen);
	run_hook(stage,
		 &(const struct hook){TO_UPLINK, stage->fixture->uplink, stage->fixture->ifindex[from], mark},
		 &seen);
	stage_observe(stage, shot, true, &seen);
	assert_int_equal(seen.run.action, TC_ACT_OK);
}

void uplink_leave(struct stage *stage, const struct shot *shot)
{
	leave(stage, shot, shot->slot, stage->fixture->settings.mark_approved);
}

void uplink_leave_translated(struct stage *stage, const struct shot *shot)
{
	leave(stage, shot, 1, 0);
}
