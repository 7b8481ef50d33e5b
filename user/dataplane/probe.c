/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Loads the real programs with small maps, and puts one on a real interface. */
#include "dataplane/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/internal.h"
#include "dataplane/nftables.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"

/* No pins of anybody are there, so that nothing is taken over. */

struct probe {
	void (*missing)(void *arg, enum probe_need need, const char *text);
	void *arg;
};

static void tell(const struct probe *probe, enum probe_need need, const struct err *err)
{
	probe->missing(probe->arg, need, err->text);
}

static bool has_bpffs(void)
{
	FILE *file = fopen("/proc/filesystems", "re");
	char line[128];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = !strcmp(line, "nodev\tbpf\n");
	if (file)
		fclose(file);
	return found;
}

static int try_programs(const struct probe *probe, struct programs *programs)
{
	const struct dataplane_config config = {
		.flow_capacity = 16, .endpoint_capacity = 16, .address_capacity = 16, .rule_capacity = 16};
	const struct settings settings = {0};
	struct map_plan plan[MAP_PLANS];
	struct err err;
	int rc;

	if (access(KERNEL_BTF, R_OK) < 0) {
		rc = err_set(&err, errno, "this kernel has no type information (%s): %s", KERNEL_BTF,
			     strerror(errno));
	} else {
		maps_plan(&config, plan);
		rc = programs_load(programs, plan, NULL, &settings, &err);
	}
	if (rc)
		tell(probe, PROBE_VITAL, &err);
	return rc;
}

static int attach(const struct programs *programs, int ifindex, struct err *err)
{
	const struct attach_point point = {.ifindex = ifindex, .name = "cali-probe", .hook = HOOK_INGRESS};
	int rc;

	/* Links need pins, hence the question; a filter goes with its interface. */
	if (attach_tcx_probe())
		return 0;
	rc = attach_clsact.set(&point, programs->hook[ROLE_ENDPOINT][HOOK_INGRESS]);
	return rc ? err_set(err, -rc,
			    "this kernel has neither tcx links nor clsact filters (modules sch_ingress and "
			    "cls_bpf): %s",
			    strerror(-rc))
		  : 0;
}

static void try_interface(const struct probe *probe, const struct programs *programs)
{
	const struct veth_spec spec = {.host_name = "cali-probe",
				       .peer_name = "probe",
				       .host_mac = {HOST_MAC},
				       .peer_mac = {2, 0, 0, 0, 0, 1}};
	struct netlink *netlink = NULL;
	struct err err;
	int ifindex, rc = netlink_open(&netlink, &err);

	if (!rc)
		rc = link_make_veth(netlink, &spec, &ifindex, &err);
	if (!rc && programs)
		rc = attach(programs, ifindex, &err);
	if (rc)
		tell(probe, PROBE_VITAL, &err);
	netlink_close(netlink);
}

static void try_masquerade(const struct probe *probe)
{
	struct nftables *nft = NULL;
	struct err err;
	int rc = nftables_open("cali", &nft, &err);

	if (!rc)
		rc = nftables_apply_masquerade(nft, 1, &err);
	if (rc < 0)
		tell(probe, PROBE_MASQUERADE, &err);
	nftables_close(nft);
}

static void try_all(const struct probe *probe)
{
	struct programs programs = {0};
	int rc;

	if (!has_bpffs())
		probe->missing(probe->arg, PROBE_VITAL, "this kernel has no bpf file system for pins");
	rc = try_programs(probe, &programs);
	try_interface(probe, rc ? NULL : &programs);
	try_masquerade(probe);
	programs_unload(&programs);
}

void dataplane_probe(void (*missing)(void *arg, enum probe_need need, const char *text), void *arg)
{
	const struct probe probe = {missing, arg};
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct err err;

	if (home < 0 || unshare(CLONE_NEWNET)) {
		err_set(&err, errno, "cannot make a network namespace: %s", strerror(errno));
		tell(&probe, PROBE_VITAL, &err);
	} else {
		try_all(&probe);
		if (setns(home, CLONE_NEWNET)) {
			err_set(&err, errno, "cannot return to the network namespace: %s", strerror(errno));
			tell(&probe, PROBE_VITAL, &err);
		}
	}
	if (home >= 0)
		close(home);
}
