/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Read-only view of the policy that is loaded, through the pins: what the programs decide by, whatever the
 * datastore says, and whether or not a daemon runs.
 */
#ifndef INSPECT_INSPECT_H
#define INSPECT_INSPECT_H

#include <stdbool.h>

#include "abi.h"
#include "util/addr.h"
#include "util/err.h"

struct inspect;

/* -ENOENT: nothing is loaded; -EACCES, -EPERM: not for this user. */
int inspect_open(const char *bpffs, struct inspect **ret, struct err *err);
void inspect_close(struct inspect *inspect);

/*
 * Slot of an endpoint of this host (> 0), by its host side interface or by an address; of a host endpoint, by
 * its id or an interface. -ENOENT
 */
int inspect_find_interface(const struct inspect *inspect, const char *name);
int inspect_find_address(const struct inspect *inspect, const struct addr *addr);
int inspect_endpoint(const struct inspect *inspect, __u32 slot, struct endpoint *ret);

/* One step of a decision: a rule, or where everything that came so far is dropped. */
struct inspect_entry {
	enum step_kind kind; /* STEP_RULES: a rule, and the following is known */
	__u32 rule_id;
	struct rule_info info;
	struct traffic hits; /* of all endpoints that share the rule */
};

struct inspect_policy {
	struct inspect_entry *entries; /* in the order in which they are tried; malloc'd */
	size_t count;		       /* 0: nothing is allowed */
};

/* One direction of an endpoint, as it was at one moment. -EAGAIN: it changes all the time. */
int inspect_policy(const struct inspect *inspect, __u32 slot, bool inbound, struct inspect_policy *ret);

#endif
