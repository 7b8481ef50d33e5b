/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * BPF programs and maps of this host. Takes compiled policy (map entries), never model objects.
 *
 * A dataplane object is one generation: programs loaded with new, empty policy maps. Programs of an earlier
 * run keep working with their own maps until dataplane_activate() switches every interface over, each
 * atomically. Flow tables and counters are taken over from the pins when their layout is equal.
 *
 * Pins beneath `bpffs`, all in the directory "v" ABI_VERSION: the maps by name, links/<interface>_in and _out
 * (dots of the name replaced by ':'), programs/<name>.
 */
#ifndef DATAPLANE_DATAPLANE_H
#define DATAPLANE_DATAPLANE_H

#include <stdbool.h>

#include "abi.h"
#include "policy/policy.h"
#include "util/err.h"

struct dataplane;
struct pins;

enum attach_mode { ATTACH_AUTO, ATTACH_TCX, ATTACH_CLSACT };

struct dataplane_config {
	const char *bpffs;	      /* mounted if it is not */
	struct pins *pins;	      /* those of bpffs, to outlive the object; NULL: opened with it */
	const char *interface_prefix; /* "cali" */
	/*
	 * open fills in generation_base, hz, host_mac, the gateways, sizes, sweep_alone_s if it is 0, and the
	 * marks: the three lowest bits of mark_mask, if it has so many.
	 */
	struct settings settings;
	enum attach_mode attach;
	__u32 flow_capacity; /* of IPv4; 0: by the machine's memory */
	__u32 endpoint_capacity;
	__u32 address_capacity;
	__u32 rule_capacity;
};

/*
 * Two daemons that keep house in the same pins would undo each other's work: this makes the directory of
 * pins, if need be with its bpffs, and holds it until the returned descriptor is closed. -EBUSY: another
 * process holds it.
 */
int dataplane_claim(const char *bpffs, struct err *err);
int dataplane_open(const struct dataplane_config *config, struct dataplane **ret, struct err *err);
/* Frees the object; what is pinned and attached stays in force. */
void dataplane_close(struct dataplane *dp);
/* The engine's sink onto this generation's maps. */
const struct policy_sink *dataplane_sink(struct dataplane *dp);
const char *dataplane_policy_map(enum policy_map map); /* its name */

/* Entry of the `endpoint` map and its interface (of a host endpoint: none); NULL clears the slot. */
int dataplane_set_endpoint(struct dataplane *dp, __u32 slot, const struct endpoint *endpoint,
			   struct err *err);
__u32 dataplane_endpoint_capacity(const struct dataplane *dp);

/*
 * Puts both programs on an interface (before it is up), verified by reading back; idempotent. -EBUSY: it
 * carries those of an earlier generation, and this one is not active yet.
 */
int dataplane_attach(struct dataplane *dp, int ifindex, const char *name, struct err *err);
/* Removes ours from it and its pins; the interface may be gone already. */
int dataplane_detach(struct dataplane *dp, int ifindex, const char *name, struct err *err);
bool dataplane_is_attached(struct dataplane *dp, int ifindex, const char *name);
/*
 * The same for an interface towards other hosts (Ethernet, without the interface prefix), through which
 * packets of established flows may then leave past the host's stack; translated ones with the IPv4 address
 * `nat`, if its family is 4. Called again, it changes the address. dataplane_activate() leaves an earlier
 * run's programs there, in force with that run's policy: attach or detach after it.
 */
int dataplane_attach_uplink(struct dataplane *dp, int ifindex, const char *name, const struct addr *nat,
			    struct err *err);
int dataplane_detach_uplink(struct dataplane *dp, int ifindex, const char *name, struct err *err);
bool dataplane_is_uplink(struct dataplane *dp, int ifindex, const char *name);
/* The next packet of every flow asks the routing table; else it takes a quarter of a second to be noticed. */
void dataplane_routing_changed(struct dataplane *dp);
/*
 * Screens what arrives at an attached uplink by XDP in its driver, or (xdp false, and at first) by the TC
 * program. < 0, with the reason: XDP is not possible there, and TC does it.
 */
int dataplane_screen_uplink(struct dataplane *dp, int ifindex, const char *name, bool xdp, struct err *err);
/* By XDP, with the program still there. */
bool dataplane_is_screened(struct dataplane *dp, int ifindex, const char *name);
/* Puts a source on this generation's block list, or takes it off; idempotent. */
int dataplane_block(struct dataplane *dp, const struct cidr *source, bool blocked, struct err *err);
__u32 dataplane_blocked(const struct dataplane *dp); /* entries of the list */
/*
 * The same for an interface (with Ethernet headers) that has a host endpoint, an uplink or not: what the host
 * itself receives and sends there is judged by the policies of those slots. Attached once more, it gets other
 * slots; detached, it keeps the programs of an uplink if it is one.
 */
int dataplane_attach_host(struct dataplane *dp, int ifindex, const struct host_interface *host,
			  struct err *err);
int dataplane_detach_host(struct dataplane *dp, int ifindex, const char *name, struct err *err);
bool dataplane_is_host(struct dataplane *dp, int ifindex, const char *name);
/* TCP ports that stay open there; from the start there are none. */
int dataplane_set_failsafe(struct dataplane *dp, enum failsafe direction, const __u16 *ports, size_t count,
			   struct err *err);
/*
 * Switches interfaces that carry an earlier generation's programs to this one's, replaces the pins, and drops
 * what belongs to interfaces that are gone. Before this, attach only works for interfaces without programs of
 * ours.
 */
int dataplane_activate(struct dataplane *dp, struct err *err);
/*
 * Once interfaces carry this generation's programs: removes what a daemon with another ABI_VERSION has left.
 * Returns how many such directories there were.
 */
int dataplane_remove_other_layouts(struct dataplane *dp);
/*
 * How many links are on no interface any more, or carry somebody else's program: the kernel tells nobody when
 * a link is detached. Asks for the next 256 links, which are those of 128 interfaces, at each call.
 */
int dataplane_lost_links(struct dataplane *dp);
/* Of interfaces that are gone. */
void dataplane_forget_links(struct dataplane *dp);
const char *dataplane_attach_mode(const struct dataplane *dp); /* "tcx" or "clsact" */

/* Deletes the flows of an address (before its endpoint goes away). */
int dataplane_purge_flows(struct dataplane *dp, const struct addr *addr);
/* Runs the in-kernel expiry once; called every few seconds. Returns the number of live flows or < 0. */
int dataplane_expire_flows(struct dataplane *dp);

/* A flow table as the last sweep has found it. */
struct flow_usage {
	__u32 flows, capacity;
	__u32 largest;	     /* endpoint slot that has most flows */
	__u32 largest_flows; /* and how many */
	__u32 evicted;	     /* flows that gave way to others, since the table was made */
};
int dataplane_flow_usage(struct dataplane *dp, int family, struct flow_usage *ret);

struct drop_count {
	__u32 ifindex; /* 0: total */
	__u32 reason;
	__u64 packets, bytes;
};
/* malloc'd array, summed over CPUs. */
int dataplane_drops(struct dataplane *dp, struct drop_count **ret, size_t *ret_count);

/*
 * Host side netfilter: masquerade of packets marked for it and, in tables of our own, a guard that drops what
 * an interface of ours brings without a mark of our programs; and acceptance of what they let pass, ahead of
 * Docker's FORWARD policy. From the first call on watched on the event loop of
 * util/task.h, and repaired when somebody removes it.
 */
int netfilter_apply(struct dataplane *dp, bool masquerade, struct err *err);

/* Removes every program, link, pin, rule and table of ours; used by --teardown. Works without an open
 * dataplane. */
int dataplane_teardown(const char *bpffs, const char *interface_prefix, struct err *err);

#endif
