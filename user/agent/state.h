/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The agent's state and how its files call each other. Private to user/agent. */
#ifndef AGENT_STATE_H
#define AGENT_STATE_H

#include <event2/event.h>
#include <uthash.h>

#include "agent/agent.h"
#include "agent/felix.h"
#include "agent/problems.h"
#include "dataplane/dataplane.h"
#include "netlink/netlink.h"
#include "policy/policy.h"
#include "store/keys.h"
#include "util/task.h"

enum agent_phase {
	PHASE_WAITING,	/* for the store, its Ready flag and the parameters; an earlier run's programs are in
			   force */
	PHASE_SNAPSHOT, /* new maps are being filled, nothing of them is in force */
	PHASE_ACTIVE,	/* changes take effect at once */
};

/* What is repaired of an endpoint's interface besides its settings. */
enum repair_thing {
	REPAIR_NAME,
	REPAIR_MASTER,
	REPAIR_MAC,
	REPAIR_MTU,
	REPAIR_ARP,
	REPAIR_NEIGHBOUR,
	REPAIR_ROUTE,
	REPAIR_THINGS,
	REPAIR_ROWS = REPAIR_THINGS + LINK_SETTINGS,
};
#define REPAIR_TOUCHED 64

/* Repairs of one thing that came in a row. */
struct repair_row {
	unsigned int count, look; /* the last look that found one */
	time_t last;		  /* monotonic */
};

struct repair {
	unsigned int mtu; /* 0: not known */
	bool shaped;	  /* it has a queueing discipline */
	char qdisc[16];
	struct repair_row row[REPAIR_ROWS];
	char problem[512];
};

/* An endpoint of this host. Bound while its interface exists: then it has a slot and an entry in the maps. */
struct local_endpoint {
	struct workload_endpoint *model;
	char *text;    /* canonical form, to recognise events that change nothing */
	__u32 slot;    /* 0: not bound */
	int ifindex;   /* 0: not bound */
	__u16 sandbox; /* other than 0: other endpoints of its container have the same */
	bool enforced; /* programs, routes and policy are in place */
	bool down;     /* but somebody has set the interface down since, which takes the routes */
	struct repair repair;
	UT_hash_handle hh;
	char key[];
};

struct host_address {
	struct address_on { /* hashed as bytes: zero the padding */
		int ifindex;
		struct addr addr;
	} on;
	UT_hash_handle hh;
};

struct masquerade_pool {
	UT_hash_handle hh;
	char name[CIDR_TEXT];
};

/* An interface towards other hosts that carries our programs. */
struct agent_uplink {
	int ifindex;
	char name[16];
	enum uplink_xdp screening; /* as the parameter was when it was chosen; 0: not yet */
	bool xdp;
	char why[128];	 /* it is not */
	struct addr nat; /* what flows that leave by it are translated to; family 0: left to the kernel */
	struct agent_uplink *next;
};

/* A host endpoint of this host. */
struct local_host_endpoint {
	struct host_endpoint *model;
	__u32 slot; /* 0: no interface has it */
	bool used;  /* by an interface, found out by the present look */
	char problem[256];
	struct local_host_endpoint *next; /* by key */
	char key[];
};

/* An interface with a host endpoint, as it is in force. */
struct host_link {
	int ifindex;
	struct host_interface entry;
	struct host_link *next;
};

struct sync_waiter {
	struct wait wait;
	struct sync_waiter *next;
};

struct agent {
	const struct config *config;
	struct agent_options options;
	struct store *store;
	struct netlink *netlink;
	struct netlink_watch *netlink_watch;

	enum agent_phase phase;
	struct felix felix;
	struct felix_value *felix_values;
	struct strings bad_parameters; /* their problems */
	struct dataplane *dataplane;
	struct policy_engine *engine;
	struct store_watch *watch, *affinities, *assignments, *bgp_hosts;
	struct node_address *node_addresses;
	bool registered;	       /* this host's start-up keys are written */
	bool syncing;		       /* the task of sync.c runs */
	bool loading;		       /* a thread loads programs */
	bool restoring;		       /* a task writes back what the datastore has lost */
	bool restored;		       /* the datastore was compared with the copy of it */
	struct strings gone_meanwhile; /* keys that were removed while restoring */
	struct strings holders;	       /* keys whose change may free an address that an endpoint waits for */
	struct event *restore_event;   /* a moment after something that may be lost was noticed */
	struct mirror *mirror;
	bool stopping;
	bool connected;
	char contact[512]; /* why not connected, or what the agent waits for */
	struct sync_waiter *waiters, *restored_waiters;

	struct local_endpoint *endpoints;
	__u8 *slots_used; /* by endpoint slot */
	__u16 last_sandbox;
	struct host_address *host_addresses;
	struct reserved_address *reserved;
	bool gateways_stale; /* routes may have changed since they were looked for */
	struct addr address; /* of this host, as others know it; family 0: not registered yet */
	struct agent_uplink *uplinks;
	struct local_host_endpoint *host_endpoints;
	struct host_link *host_links;
	struct masquerade_pool *masquerade_pools;
	bool netfilter_dirty;
	struct event *commit_event; /* one for all changes of one turn of the event loop */
	struct event *refresh_event;
	struct looks *looks;
	struct pins *pins; /* of all generations */
	struct {
		unsigned int pins, programs, settings;
	} repairs; /* of what somebody else undid, since the start */
	struct event *repair_event;
	int touched[REPAIR_TOUCHED]; /* indexes of interfaces to compare; -1: the host's settings */
	size_t touched_count;
	bool touched_all;
	unsigned int repair_looks;	/* so far */
	bool repair_soon, repair_later; /* a look is due soon; one is due after a pause */
	time_t tables_due;		/* when a refresh compares neighbours and routes, too */
	unsigned int part;		/* of the endpoints, from which the next refresh looks on */
	struct repair_row forwarding[2];
	struct strings unclaimed;      /* interfaces with a reason of their own */
	struct event *unclaimed_event; /* a while after interfaces or endpoints changed */
	struct event *settle_event;    /* when nothing has been done for a while */
	int flows;
	struct table_warning {
		struct err text; /* empty: the table is not nearly full */
		__u32 largest;	 /* the slot that it names */
	} flows_warning[2];	 /* IPv4, IPv6 */
	struct problem *problems;
	struct problem *of_generation; /* about objects, their policy and interfaces: gone with it */
	struct packet_log *packets;    /* NULL: none is loaded */
	struct timespec started;
};

/* flows.c: once in a while. */
void flows_expire(struct agent *agent);

/* look.c: what is in force on the host, and whether it still is. */
int look_start(struct agent *agent, struct err *err);
void look_stop(struct agent *agent);
/* Something was changed on the interface, maybe by somebody else: looks at it soon. 0: at everything. */
void look_at(struct agent *agent, int ifindex);

/* repaired.c: what somebody else undid is right again: counts and tells it. */
void repaired_tell(struct agent *agent, unsigned int *count, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* sync.c: from the store to the policy engine. */
int sync_start(struct agent *agent, struct err *err);
void sync_stop(struct agent *agent);
/* One datastore value into the model and the engine; value NULL: gone. */
void sync_apply(struct agent *agent, const char *key, const char *value);

/* waiters.c: tasks that wait for what sync.c and restore.c do. */
void waiters_wake(struct sync_waiter **list);
/* Waits until the agent is active. -EAGAIN with the reason when the task's deadline passes first. */
int wait_active(struct agent *agent, struct err *err);
/* The datastore was compared with the copy of it: addresses may be given out. */
void wait_is_restored(struct agent *agent);
/* Waits for that. -EAGAIN with the reason when the task's deadline passes first. */
int wait_restored(struct agent *agent, struct err *err);

/* commit.c: policy changes so far into the kernel, and what is wrong with that into the problems. */
/* Work was done; memory that it needed is given back once things have settled. */
void commit_is_busy(struct agent *agent);
int commit_start(struct agent *agent, struct err *err);
void commit_stop(struct agent *agent);
void commit_policy(struct agent *agent);
void commit_netfilter(struct agent *agent);
/* In force when this returns; before activation they wait for the snapshot's end. */
void commit_now(struct agent *agent);
void commit_schedule(struct agent *agent);

/* endpoints.c: this host's endpoints, their interfaces, routes and programs. */
/* Takes the model. < 0 only when the endpoint has its interface and could not be put in force. */
int endpoints_set(struct agent *agent, const char *key, struct workload_endpoint *model, struct err *err);
void endpoints_remove(struct agent *agent, const char *key);
/* After activation: everything that waited for it. */
void endpoints_activate(struct agent *agent);
/* Puts back programs and routes that somebody took from an interface of ours. */
void endpoints_refresh(struct agent *agent);
/* The same for one interface; false: it is not one with our prefix. */
bool endpoints_look(struct agent *agent, int ifindex);
/* Tries those again that could not be put in force. */
void endpoints_retry(struct agent *agent);
void endpoints_link_changed(struct agent *agent, const struct link_info *link, bool gone);
/* Whether one that has its interface has the address. */
bool endpoints_have(const struct agent *agent, const struct addr *addr);
void endpoints_free(struct agent *agent);

/* unclaimed.c: a problem for interfaces of containers that no endpoint names; in a moment, or now. */
void unclaimed_look_soon(struct agent *agent);
void unclaimed_tell(struct agent *agent);
/* Why one of them has no endpoint. Told until the interface goes. */
void unclaimed_set_reason(struct agent *agent, const char *interface, const char *text);

/*
 * repair.c: what others change of interfaces of endpoints, and of the host's forwarding, is set back.
 * Interfaces of endpoints that begin: as they are to stay; and that end.
 */
int repair_start(struct agent *agent, struct err *err);
void repair_stop(struct agent *agent);
void repair_begin(struct agent *agent, struct local_endpoint *ep);
void repair_end(struct agent *agent, struct local_endpoint *ep);
void repair_uplink_gone(struct agent *agent, const struct agent_uplink *up);
/* Something of the interface has changed; 0: of any, -1: of the host's settings. Compared in a moment. */
void repair_touched(struct agent *agent, int ifindex);
void repair_refresh(struct agent *agent);

/* A free endpoint slot, or 0; and back. */
__u32 endpoints_slot_take(struct agent *agent);
void endpoints_slot_give(struct agent *agent, __u32 slot);

/* host_endpoints.c: this host's host endpoints and their interfaces. */
/* Takes the model; NULL: gone. */
void host_endpoints_set(struct agent *agent, const char *key, struct host_endpoint *model);
/* Puts policy on what has become an interface of a host endpoint, and off what is none any more. */
void host_endpoints_refresh(struct agent *agent);
void host_endpoints_link_changed(struct agent *agent, const struct link_info *link, bool gone);
/* After parameters were read. */
void host_endpoints_set_failsafe(struct agent *agent);
json_t *host_endpoints_json(const struct agent *agent);
void host_endpoints_free(struct agent *agent); /* programs stay */

/* addresses.c: this host's own addresses. */
int addresses_start(struct agent *agent, struct err *err);
void addresses_changed(struct agent *agent, const struct interface_address *address, bool gone);
void addresses_feed(struct agent *agent); /* all of them into a new engine */
void addresses_free(struct agent *agent);

/* reserved.c: addresses that no container may have; agent_reserved() says which. */
void reserved_start(struct agent *agent);
void reserved_own_changed(struct agent *agent, const struct interface_address *address, bool gone);
/* A host's bird_ip or IpInIpTunnelAddr; value NULL: gone. */
void reserved_host_changed(struct agent *agent, const struct key_parts *parts, const char *value);
/* Between these two a new snapshot says which of them are still there. */
void reserved_hosts_doubtful(struct agent *agent);
void reserved_hosts_complete(struct agent *agent);
/* Unless they are known to be as they were. */
void reserved_update_gateways(struct agent *agent);
/* The endpoint of this host has come, changed, or gone. */
void reserved_review_endpoint(struct agent *agent, const struct workload_endpoint *model);
void reserved_free(struct agent *agent);

/* packets.c: what the programs report of packets, into the log. Policy is enforced without it, too. */
void packets_start(struct agent *agent);
void packets_stop(struct agent *agent);
json_t *packets_json(const struct agent *agent);

/* uplink.c: interfaces towards other hosts. */
/* After activation. */
void uplinks_activate(struct agent *agent);
/* Programs onto what has become an uplink, and off what is none any more. */
void uplinks_refresh(struct agent *agent);
void uplinks_link_changed(struct agent *agent, const struct link_info *link, bool gone);
void uplinks_free(struct agent *agent); /* programs stay */

/* nodes.c: which addresses hosts have, this one and all others. */
int nodes_start(struct agent *agent, struct err *err); /* of a generation */
/* What one key says about a host's address; value NULL: nothing any more. */
void nodes_set(struct agent *agent, const char *key, const char *value, struct err *err);
void nodes_stop(struct agent *agent);

/* screening.c: what uplinks screen by, and where. */
int screening_start(struct agent *agent, struct err *err); /* of a generation */
void screening_stop(struct agent *agent);
/* One entry of the block list; value NULL: gone. */
void screening_set_blocked(struct agent *agent, const char *key, const char *value, struct err *err);
/* Decided once, and again when the parameter changes: drivers may restart for it. */
void screening_choose(struct agent *agent, struct agent_uplink *up, const struct link_info *link);
void screening_forget(struct agent *agent, const struct agent_uplink *up);

/* startup.c: registration of this host in the datastore. May wait. */
int startup_register(struct agent *agent, struct err *err);
/* restore.c: what the datastore has lost, written back from the copy. All may wait. */
/* Before anything of a generation is read; then restored() is called. */
int restore_before_start(struct agent *agent, struct err *err);
/* Whether to believe a snapshot, the first one of a generation or a later one. -EAGAIN: it is to be read
 * again. */
int restore_first(struct agent *agent, const struct store_list *snapshot, struct err *err);
int restore_believe(struct agent *agent, const struct store_list *snapshot, struct err *err);
/* The end of this directory is a loss until restore_believe() agrees. */
bool restore_is_precious(const struct agent *agent, const char *directory);
int restore_start(struct agent *agent); /* 0 or -ENOMEM */
void restore_stop(struct agent *agent);
/* Something that this host needs may be lost: reads a snapshot, and compares. Does not wait. */
void restore_soon(struct agent *agent);
/* Of another host. Does not wait. */
void restore_key_changed(struct agent *agent, const char *key);

/* assignments.c: whether IPAM still has the blocks of the addresses in force here. */
int assignments_start(struct agent *agent, struct err *err); /* of a generation */
void assignments_stop(struct agent *agent);
/* The block, or the key of this host's affinity to it, is gone. */
void assignments_lost(struct agent *agent, const struct cidr *block);

/* mirror.c: the copy in the state directory. */
int mirror_start(struct agent *agent, struct err *err);
void mirror_stop(struct agent *agent);
/* One value of the datastore; NULL: gone. Keeps what belongs into the copy; it is in the file soon. */
void mirror_note(struct agent *agent, const char *key, const char *value);
void mirror_flush(struct agent *agent); /* into the file at once; only in a task */
/* Makes the copy equal to a snapshot that is believed. */
void mirror_replace(struct agent *agent, const struct store_list *snapshot);
int mirror_read(struct agent *agent, struct store_list *ret, struct err *err);
/* Beside the copy: an endpoint that waits for its address to become free; text NULL: no more. */
#define MIRROR_WAITING "/mirror/waiting"
#define MIRROR_KEY_MAX (KEY_MAX + sizeof(MIRROR_WAITING))
void mirror_set_waiting(struct agent *agent, const char *key, const char *text);
const char *mirror_waiting_key(const char *key, char waiting[MIRROR_KEY_MAX]);
/* The endpoint's key, if what was read is such a one; else NULL. */
const char *mirror_waiting(const char *key);
/* -EREMCHG: it is another datastore than that of the copy, or an older state of it. May wait. */
int mirror_compare(struct agent *agent, struct err *err);
/* The present datastore is the one that is believed. May wait. */
int mirror_renew(struct agent *agent, struct err *err);
/* tunnel.c: keeps or takes this host's tunnel address. May wait. */
int tunnel_register(struct agent *agent, struct err *err);

#endif
