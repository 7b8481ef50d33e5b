/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of this folder share: the dataplane object and the parts it is made of. */
#ifndef DATAPLANE_INTERNAL_H
#define DATAPLANE_INTERNAL_H

#include <bpf/libbpf.h>

#include "dataplane/attach.h"
#include "dataplane/dataplane.h"
#include "dataplane/fence.h"
#include "dataplane/pins.h"
#include "netlink/netlink.h"

/* ---- maps.c: sizes, sharing and pins of maps ---- */

enum map_kind {
	PLAIN,
	SPARSE, /* hash that is mostly empty: entries are allocated when they are made */
	KEPT,	/* flows and counters: taken over from the pin of the previous generation */
};

struct map_plan {
	const char *name;
	enum map_kind kind;
	__u32 entries;
};
#define MAP_PLANS 32

/* Flows of IPv4 for a machine with so many bytes of memory. */
__u32 maps_default_flows(__u64 memory);
/* Sizes of all maps; see there for the memory that they take. */
void maps_plan(const struct dataplane_config *config, struct map_plan plan[MAP_PLANS]);
__u32 maps_entries(const struct map_plan plan[MAP_PLANS], const char *name);
/* Tells the programs the sizes that they have to know. */
void maps_settings(const struct map_plan plan[MAP_PLANS], struct settings *settings);
/* Before load: sizes; takes over what is pinned and fits. pins NULL: nothing. */
int maps_configure(struct bpf_object *object, const struct map_plan plan[MAP_PLANS], const struct pins *pins);
/* Entries that the map has room for; 0 if it cannot be asked. */
__u32 maps_capacity(int fd);

/* ---- held.c: descriptors of what was loaded ---- */

/*
 * Maps, or programs, of one generation. libbpf's objects end when they are loaded: they are 2 MB of types and
 * copies of programs.
 */
struct held {
	struct {
		char name[32];
		int fd; /* owned */
	} items[48];
	size_t count;
};

/* Duplicates the descriptors of a loaded object; `suffix` becomes a part of the names. */
int held_add_maps(struct held *held, const struct bpf_object *object);
int held_add_programs(struct held *held, const struct bpf_object *object, const char *suffix);
/* -ENOENT when there is none of that name. */
int held_find(const struct held *held, const char *name);
/* Pins all in that folder, see pin_path(). */
int held_pin(const struct held *held, struct pins *pins, const char *folder);
void held_done(struct held *held);

/* ---- load.c: the objects ---- */

/* Which programs an interface carries. */
/* ROLE_HOST: one with a host endpoint, whether it is an uplink or not. */
enum role { ROLE_ENDPOINT, ROLE_UPLINK, ROLE_HOST, ROLE_COUNT };

struct programs {
	struct held maps, programs;
	int hook[ROLE_COUNT][HOOK_COUNT]; /* borrowed descriptors, as all below */
	int screen_uplink, sweep_flows, purge_flows;
};

/* From here on libbpf's messages go to the log, at debug. */
void programs_log_libbpf(void);
int programs_load(struct programs *programs, const struct map_plan plan[MAP_PLANS], const struct pins *pins,
		  const struct settings *settings, struct err *err);
void programs_unload(struct programs *programs);
int programs_pin(const struct programs *programs, struct pins *pins);
/* -ENOENT when there is no map of that name. */
int programs_map(const struct programs *programs, const char *name);

/* ---- sink.c ---- */

struct sink {
	struct policy_sink ops;
	int map[POLICY_MAP_COUNT]; /* borrowed descriptors */
	int rule_hits;		   /* borrowed */
	struct traffic *no_hits;   /* a zero for each CPU */
	struct fence *fence;
};

int sink_init(struct sink *sink, const struct programs *programs);
void sink_done(struct sink *sink);

/* ---- counters.c ---- */

/* Drops of an interface that goes away; its index may be given to another one. */
void counters_forget(struct dataplane *dp, int ifindex);

/* ---- flows.c ---- */

#define FLOW_TABLES 3 /* flow4, flow6, nat4 */

struct flow_tables {
	int earlier[FLOW_TABLES]; /* of the generation before, if they had another size; else -1 */
	__u32 next[2];		  /* of struct flow_table, at the last sweep */
	int live;		  /* flows that it found; < 0: there was none */
};

/* Before anything of this generation is pinned: finds the flows of the one before, and copies them. */
void flows_init(struct dataplane *dp);
/* Copies what has come to those since. */
void flows_carry(struct dataplane *dp);
void flows_done(struct dataplane *dp);

/* ---- netfilter.c ---- */

struct netfilter;
void netfilter_free(struct netfilter *netfilter); /* the rules stay */
int netfilter_remove(const char *interface_prefix, struct err *err);

/* ---- dataplane.c ---- */

struct dataplane {
	char *interface_prefix;
	struct pins *pins;
	bool own_pins;	  /* to be closed with it */
	size_t next_link; /* to be asked by dataplane_lost_links() */
	struct settings settings;
	struct programs programs;
	__u32 prog_id[ROLE_COUNT][HOOK_COUNT], screen_id;
	const struct attach_ops *attach, *other_attach;
	bool active;
	struct netlink *netlink;
	struct sink sink;
	struct netfilter *netfilter;
	__u32 endpoint_capacity;
	struct flow_tables flow_tables;
	struct screening screening;
	struct routing routing;
	__u32 blocked; /* entries of the block list */
};

/* ---- screen.c ---- */

/* Tells the programs what there is at first. */
int screen_init(struct dataplane *dp, struct err *err);
/* Screening by TC starts or ends with the uplinks that have no XDP program. */
void screen_choose(struct dataplane *dp);

/* ---- attach.c, teardown.c ---- */

bool interface_is_ours(const char *name, const char *prefix);
/* Removes our programs of every kind from both hooks; the interface may be gone. */
int detach_interface(struct pins *pins, int ifindex, const char *name, struct err *err);
/* Removes the pins of other layouts beneath bpffs, or their XDP links only; returns how many have gone. */
int layouts_remove(const char *bpffs, bool only_xdp);

#endif
