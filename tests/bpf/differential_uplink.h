/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The uplink of a differential test's host, with all that a packet meets there until it is delivered or the
 * host's stack has it: XDP, TC, and the hook of an endpoint that the stack forwards it to.
 */
#ifndef TESTS_BPF_DIFFERENTIAL_UPLINK_H
#define TESTS_BPF_DIFFERENTIAL_UPLINK_H

#include "differential_stage.h"

enum screener { BY_XDP, BY_TC, BY_NOBODY, SCREENERS };

#define FAILSAFE_PORT_INBOUND  22
#define FAILSAFE_PORT_OUTBOUND 443

/* Where the host's routing table sends what is not for it or its endpoints. */
enum uplink_route { ROUTE_NONE, ROUTE_BACK /* out of the uplink */, ROUTE_ASIDE /* to another interface */ };
enum uplink_route uplink_route(const struct addr *addr);

/* Slots of the host endpoints "host/0" and "host/1". */
#define HOST_SLOT (SLOTS + 1)
/* Of the one that judges the host's packets of a family at the uplink; 0: none. */
__u32 uplink_host_slot(const struct world *world, int family);

/* Routes and programs that the kernel needs before any packet. 0, or negative after printing why. */
int uplink_prepare(struct stage *stage);
/* As stage_clear(), stage_change() and stage_commit(), for what is at the uplink as well. */
void uplink_clear(struct stage *stage);
void uplink_change(struct stage *stage, const struct change *change);
void uplink_commit(struct stage *stage);

/* Sends a packet that is ARRIVING or LEAVING; its flow is forgotten unless `keep`. */
void uplink_shoot(struct stage *stage, const struct shot *shot, enum screener screener, bool keep,
		  struct observation *ret);
/* The parts of it: XDP alone; and from TC on, after XDP let it pass. */
void uplink_shoot_xdp(struct stage *stage, const struct shot *shot, struct observation *ret);
void uplink_shoot_behind_xdp(struct stage *stage, const struct shot *shot, bool keep,
			     struct observation *ret);
/* Of a flow that an endpoint here has opened: its packet as it leaves, untouched by the host's NAT. */
void uplink_leave(struct stage *stage, const struct shot *shot);
/* The host's NAT has given a packet of an endpoint the host's own address, from which it leaves. */
void uplink_leave_translated(struct stage *stage, const struct shot *shot);

#endif
