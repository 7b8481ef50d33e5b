/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Puts both programs on interfaces, and switches from one generation of programs to the next. */
#include "dataplane/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

static const char *const hook_text[HOOK_COUNT] = {
	[HOOK_INGRESS] = "ingress",
	[HOOK_EGRESS] = "egress",
};

bool interface_is_ours(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* 1 if the hooks have programs of ours other than this generation's, of whatever kind. */
static int has_earlier(const struct dataplane *dp, enum role role, struct attach_point *point)
{
	__u32 id, other_id;

	for (point->hook = 0; point->hook < HOOK_COUNT; point->hook++) {
		int rc = dp->attach->get(point, &id);

		if (!rc)
			rc = dp->other_attach->get(point, &other_id);
		if (rc)
			return rc;
		if (other_id || (id && id != dp->prog_id[role][point->hook]))
			return 1;
	}
	return 0;
}

static int attach_hook(const struct dataplane *dp, enum role role, const struct attach_point *point,
		       struct err *err)
{
	__u32 id = 0;
	int rc;

	rc = dp->attach->set(point, dp->programs.hook[role][point->hook]);
	if (!rc)
		rc = dp->attach->get(point, &id);
	if (!rc && id != dp->prog_id[role][point->hook])
		rc = -ESTALE;
	/* Only now may the other kind go: meanwhile tcx runs first, and what it decides is final. */
	if (!rc)
		rc = dp->other_attach->remove(point);
	if (rc)
		return err_set(err, -rc, "cannot attach the %s program to %s by %s: %s",
			       hook_text[point->hook], point->name, dp->attach->name, strerror(-rc));
	return 0;
}

static int attach_interface(const struct dataplane *dp, enum role role, struct attach_point *point,
			    struct err *err)
{
	int rc = 0;

	for (point->hook = 0; !rc && point->hook < HOOK_COUNT; point->hook++)
		rc = attach_hook(dp, role, point, err);
	return rc;
}

static int pin_objects(const struct dataplane *dp, struct err *err)
{
	int rc = programs_pin(&dp->programs, dp->pins);

	if (rc)
		return err_set(err, -rc, "cannot pin the maps and programs in %s: %s",
			       pins_directory(dp->pins), strerror(-rc));
	return 0;
}

static int attach_as(struct dataplane *dp, enum role role, int ifindex, const char *name, struct err *err)
{
	struct attach_point point = {.pins = dp->pins, .ifindex = ifindex, .name = name};
	int rc = dp->active ? 0 : has_earlier(dp, role, &point);

	if (rc < 0)
		return err_set(err, -rc, "cannot read which programs are on %s: %s", name, strerror(-rc));
	if (rc > 0)
		return err_set(err, EBUSY,
			       "the programs of the previous run stay on %s until the new policy is complete",
			       name);
	return attach_interface(dp, role, &point, err);
}

int dataplane_attach(struct dataplane *dp, int ifindex, const char *name, struct err *err)
{
	return attach_as(dp, ROLE_ENDPOINT, ifindex, name, err);
}

int dataplane_detach(struct dataplane *dp, int ifindex, const char *name, struct err *err)
{
	int rc = detach_interface(dp->pins, ifindex, name, err);

	counters_forget(dp, ifindex);
	return rc;
}

static bool is_attached_as(struct dataplane *dp, enum role role, int ifindex, const char *name)
{
	struct attach_point point = {.pins = dp->pins, .ifindex = ifindex, .name = name};
	__u32 id;

	for (point.hook = 0; point.hook < HOOK_COUNT; point.hook++) {
		if (dp->attach->get(&point, &id) || id != dp->prog_id[role][point.hook])
			return false;
	}
	return true;
}

bool dataplane_is_attached(struct dataplane *dp, int ifindex, const char *name)
{
	return is_attached_as(dp, ROLE_ENDPOINT, ifindex, name);
}

static enum role role_of(const struct dataplane *dp, int ifindex)
{
	struct host_interface entry;

	return bpf_map_lookup_elem(programs_map(&dp->programs, "host_interface"), &ifindex, &entry)
		       ? ROLE_UPLINK
		       : ROLE_HOST;
}

void dataplane_routing_changed(struct dataplane *dp)
{
	static const __u32 first;

	dp->routing.serial++;
	/* Should it fail, what the programs remember is soon too old anyway. */
	bpf_map_update_elem(programs_map(&dp->programs, "routing"), &first, &dp->routing, BPF_ANY);
}

/* The programs come first: only behind them may flows leave past the host's stack. */
int dataplane_attach_uplink(struct dataplane *dp, int ifindex, const char *name, const struct addr *nat,
			    struct err *err)
{
	static const __u8 nowhere[sizeof(((struct uplink *)0)->address)];
	int map = programs_map(&dp->programs, "uplink"), rc;
	struct uplink entry = {0};

	rc = attach_as(dp, role_of(dp, ifindex), ifindex, name, err);
	if (rc)
		return rc;
	bpf_map_lookup_elem(map, &ifindex, &entry);
	strncpy(entry.name, name, sizeof(entry.name) - 1);
	memcpy(entry.address, nat->family == 4 ? nat->bytes : nowhere, sizeof(entry.address));
	if (bpf_map_update_elem(map, &ifindex, &entry, BPF_ANY))
		return err_set(err, errno, "cannot register the uplink %s: %s", name, strerror(errno));
	screen_choose(dp);
	dataplane_routing_changed(dp);
	return 0;
}

int dataplane_detach_uplink(struct dataplane *dp, int ifindex, const char *name, struct err *err)
{
	struct attach_point xdp = {.pins = dp->pins, .ifindex = ifindex, .name = name, .hook = HOOK_XDP};
	int rc;

	bpf_map_delete_elem(programs_map(&dp->programs, "uplink"), &ifindex);
	screen_choose(dp);
	dataplane_routing_changed(dp);
	if (role_of(dp, ifindex) != ROLE_HOST)
		return dataplane_detach(dp, ifindex, name, err);
	/* The others are the host endpoint's, too. */
	rc = attach_tcx.remove(&xdp);
	return rc ? err_set(err, -rc, "cannot remove the XDP program from %s: %s", name, strerror(-rc)) : 0;
}

bool dataplane_is_uplink(struct dataplane *dp, int ifindex, const char *name)
{
	return is_attached_as(dp, role_of(dp, ifindex), ifindex, name);
}

int dataplane_attach_host(struct dataplane *dp, int ifindex, const struct host_interface *host,
			  struct err *err)
{
	if (bpf_map_update_elem(programs_map(&dp->programs, "host_interface"), &ifindex, host, BPF_ANY))
		return err_set(err, errno, "cannot register the interface %s of a host endpoint: %s",
			       host->name, strerror(errno));
	return attach_as(dp, ROLE_HOST, ifindex, host->name, err);
}

int dataplane_detach_host(struct dataplane *dp, int ifindex, const char *name, struct err *err)
{
	struct uplink entry;

	bpf_map_delete_elem(programs_map(&dp->programs, "host_interface"), &ifindex);
	if (bpf_map_lookup_elem(programs_map(&dp->programs, "uplink"), &ifindex, &entry))
		return dataplane_detach(dp, ifindex, name, err);
	return attach_as(dp, ROLE_UPLINK, ifindex, name, err);
}

bool dataplane_is_host(struct dataplane *dp, int ifindex, const char *name)
{
	return is_attached_as(dp, ROLE_HOST, ifindex, name);
}

/* One interface that cannot be switched keeps its earlier programs and does not hold up the others. */
static int switch_interfaces(struct dataplane *dp, struct err *err)
{
	struct link_info *links;
	size_t count;
	int rc, result = 0;

	rc = link_list(dp->netlink, &links, &count, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++) {
		struct attach_point point = {
			.pins = dp->pins, .ifindex = links[i].ifindex, .name = links[i].name};

		if (!interface_is_ours(links[i].name, dp->interface_prefix) ||
		    !has_earlier(dp, ROLE_ENDPOINT, &point))
			continue;
		rc = attach_interface(dp, ROLE_ENDPOINT, &point, result ? NULL : err);
		result = result ? result : rc;
	}
	free(links);
	return result;
}

int dataplane_activate(struct dataplane *dp, struct err *err)
{
	int rc;

	/* An interface has room for one XDP program: that of another layout would keep ours off. */
	layouts_remove(pins_directory(dp->pins), true);
	rc = switch_interfaces(dp, err);

	if (!rc)
		rc = pin_objects(dp, err);
	if (rc)
		return rc;
	attach_tcx_prune(dp->pins, false);
	flows_carry(dp);
	/* So that the accounts are right from the start; should it fail, the next one is soon. */
	dataplane_expire_flows(dp);
	dp->active = true;
	return 0;
}

static bool is_own_program(void *arg, __u32 prog_id)
{
	const struct dataplane *dp = arg;

	for (int i = 0; i < ROLE_COUNT * HOOK_COUNT; i++) {
		if (prog_id == dp->prog_id[i / HOOK_COUNT][i % HOOK_COUNT])
			return true;
	}
	return prog_id == dp->screen_id;
}

int dataplane_lost_links(struct dataplane *dp)
{
	return attach_tcx_lost(dp->pins, &dp->next_link, is_own_program, dp);
}

void dataplane_forget_links(struct dataplane *dp)
{
	attach_tcx_prune(dp->pins, false);
}
