/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Links, addresses, routes, neighbours and interface settings, thin over libnl-route-3. All calls are
 * synchronous on the kernel (microseconds) and idempotent: making what exists and removing what is gone
 * succeed. Only this folder and dataplane/ need CAP_NET_ADMIN.
 */
#ifndef NETLINK_NETLINK_H
#define NETLINK_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "util/addr.h"
#include "util/err.h"

struct netlink;
int netlink_open(struct netlink **ret, struct err *err);
void netlink_close(struct netlink *nl);

struct veth_spec {
	const char *host_name, *peer_name;
	uint8_t host_mac[6], peer_mac[6];
	unsigned int mtu; /* 0: kernel's default */
};
/* One RTM_NEWLINK with both ends; both stay down. -EEXIST when a name is taken. */
int link_make_veth(struct netlink *nl, const struct veth_spec *spec, int *ret_ifindex, struct err *err);
int link_delete(struct netlink *nl, int ifindex, struct err *err); /* absent: 0 */
int link_index(struct netlink *nl, const char *name);		   /* > 0, or -ENODEV */
/* mac NULL: it keeps its own. */
int link_set_up(struct netlink *nl, int ifindex, const uint8_t mac[6], struct err *err);
struct link_info {
	int ifindex;
	char name[16];
	char kind[16]; /* "veth", "" */
	bool up;       /* IFF_UP */
	bool running;  /* operational */
	bool loopback;
	bool ethernet;
	unsigned int mtu;
	bool peer_is_local; /* veth whose other end is in this namespace too */
	int peer_ifindex;
};
int link_get(struct netlink *nl, int ifindex, struct link_info *ret); /* 0 or -ENODEV */
int link_list(struct netlink *nl, struct link_info **ret, size_t *ret_count, struct err *err); /* free() */

/* What others may change of an interface; a setting is -1 where the kernel has none. */
enum link_setting {
	LINK_FORWARDING4,
	LINK_RP_FILTER,
	LINK_PROXY_ARP,
	LINK_ROUTE_LOCALNET,
	LINK_ACCEPT_LOCAL,
	LINK_ACCEPT_REDIRECTS4,
	LINK_ACCEPT_SOURCE_ROUTE4,
	LINK_DISABLE_IPV6, /* before those that need IPv6 */
	LINK_FORWARDING6,
	LINK_ACCEPT_RA,
	LINK_ACCEPT_REDIRECTS6,
	LINK_SETTINGS,
};
struct link_state {
	int ifindex;
	char name[16];
	char qdisc[16]; /* of the root; "noqueue": none */
	uint8_t mac[6];
	bool up;
	bool arp;
	unsigned int mtu;
	int master;	  /* bridge, bond or VRF that has it; 0: none */
	int peer_ifindex; /* the other end of a veth, and the number of its network namespace (-1: this one)
			   */
	int peer_netns;
	int32_t setting[LINK_SETTINGS];
};
int link_state_list(struct netlink *nl, struct link_state **ret, size_t *ret_count,
		    struct err *err);						/* free() */
int link_state_get(struct netlink *nl, int ifindex, struct link_state *ret);	/* 0 or -errno */
unsigned int link_peer_mtu(struct netlink *nl, const struct link_state *state); /* 0: not known */
/* Where sysctl_write() finds the setting. */
#define LINK_SETTING_PATH 64
const char *link_setting_path(char path[LINK_SETTING_PATH], enum link_setting setting, const char *link);

int link_set_mac(struct netlink *nl, int ifindex, const uint8_t mac[6], struct err *err);
int link_set_mtu(struct netlink *nl, int ifindex, unsigned int mtu, struct err *err);
int link_set_arp(struct netlink *nl, int ifindex, struct err *err); /* on */
int link_release(struct netlink *nl, int ifindex, struct err *err); /* from its master */
/* The interface is down afterwards. */
int link_rename(struct netlink *nl, int ifindex, const char *name, struct err *err);

/* The driver makes larger packets out of those it receives ("rx-gro-hw", "rx-lro" of ethtool). */
bool link_merges_packets(const char *name);

struct interface_address {
	int ifindex;
	struct addr addr;
	uint8_t length;
	struct addr broadcast; /* family 0: none */
	char link[16];
	bool global; /* its scope */
};
int address_list(struct netlink *nl, struct interface_address **ret, size_t *ret_count, struct err *err);
int address_add(struct netlink *nl, int ifindex, const struct addr *addr, uint8_t length, struct err *err);

/* Host route <addr>/32 (/128) dev ifindex scope link, in the main table; replaces. */
int route_add_host(struct netlink *nl, int ifindex, const struct addr *addr, struct err *err);
int route_delete_host(struct netlink *nl, int ifindex, const struct addr *addr, struct err *err);
struct host_route {
	int ifindex;
	struct addr addr;
};
/* All host routes through an interface, whoever made them but the kernel; 0: any interface. free() */
int route_list_hosts(struct netlink *nl, int ifindex, struct host_route **ret, size_t *ret_count,
		     struct err *err);
/* Next hops of the routes of all tables, some perhaps more than once. free() */
int route_list_gateways(struct netlink *nl, struct addr **ret, size_t *ret_count, struct err *err);
/* Interface of the default route of the family and its MTU; -ENOENT. */
int route_default_link(struct netlink *nl, uint8_t family, int *ret_ifindex, unsigned int *ret_mtu);

int neighbour_add(struct netlink *nl, int ifindex, const struct addr *addr, const uint8_t mac[6],
		  struct err *err); /* permanent */
struct neighbour {
	int ifindex;
	struct addr addr;
	uint8_t mac[6];
	bool permanent;
};
/* Of one interface; 0: of all. free() */
int neighbour_list(struct netlink *nl, int ifindex, struct neighbour **ret, size_t *ret_count,
		   struct err *err);
int neighbour_delete(struct netlink *nl, int ifindex, const struct addr *addr, struct err *err);

/* /proc/sys/net/<path> = value; path such as "ipv4/conf/cali0/rp_filter". */
int sysctl_write(const char *path, const char *value, struct err *err);
/* Why no interface of this host can have IPv6, and what switches it on. NULL: nothing speaks against it. */
const char *ipv6_off(void);
int sysctl_read(const char *path, char *value, size_t size);
/* Adds to the ports that the kernel gives to no socket by itself; what is reserved already stays so. */
int ports_reserve(uint16_t first, uint16_t last, struct err *err);

/*
 * Notifications of changes after the start, from the event loop (util/task.h's base). None is lost for good:
 * when the kernel had to drop some, the differences follow. The callbacks must not stop the watch.
 */
struct netlink_watch_ops {
	void (*link)(void *arg, const struct link_info *link, bool gone);
	void (*address)(void *arg, const struct interface_address *address, bool gone);
	/* Something that routing depends on: a route or rule, a link, an address, whether packets are
	 * forwarded. */
	void (*routing)(void *arg, bool of_default); /* the default route, maybe */
	/*
	 * Something that the first two do not tell has changed of an interface: a neighbour, a route, a
	 * setting, a queueing discipline or filter. 0: of any; -1: a setting for all.
	 */
	void (*touched)(void *arg, int ifindex);
};
struct netlink_watch;
int netlink_watch_start(const struct netlink_watch_ops *ops, void *arg, struct netlink_watch **ret,
			struct err *err);
void netlink_watch_stop(struct netlink_watch *watch);

#endif
