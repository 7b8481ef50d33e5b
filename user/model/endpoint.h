/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Workload endpoint: one interface of one container, under /calico/v1/host/H/workload/O/W/endpoint/E. */
#ifndef MODEL_ENDPOINT_H
#define MODEL_ENDPOINT_H

#include "model/model.h"

/* Length of what tells the containers beneath one workload apart, with the end of the string. */
#define ENDPOINT_SANDBOX 65

/* A port that the user wants to be published by the host. */
struct endpoint_port {
	uint8_t protocol;
	uint16_t port;
	uint16_t host_first, host_last; /* 0: any */
	struct addr host_addr;		/* family 0: all */
};

/* Protocols that have ports to be published. */
static const struct {
	const char *name;
	uint8_t number;
} endpoint_protocols[] = {{"tcp", 6}, {"udp", 17}, {"sctp", 132}};

struct endpoint_nat {
	struct addr internal, external;
};

struct workload_endpoint {
	bool active;
	char name[16]; /* host side interface */
	bool has_mac;
	uint8_t mac[6];
	struct strings profiles; /* in order */
	struct labels labels;
	char sandbox[ENDPOINT_SANDBOX]; /* which container it is in, if that has several endpoints; else "" */
	struct addr *nets;		/* address parts of ipv4_nets, then of ipv6_nets */
	size_t net_count;
	struct endpoint_nat *nat;
	size_t nat_count;
	struct endpoint_port *ports;
	size_t port_count;
	struct addr gateway4, gateway6; /* family 0: none */
	json_t *raw;			/* the document as read, for workload_endpoint_format() */
};

/*
 * local_prefix: the interface prefix that a local endpoint's name must start with; NULL for endpoints of
 * other hosts. Rules: policy-and-datastore data model, "Workload endpoint".
 */
int workload_endpoint_parse(const char *text, const char *local_prefix, struct workload_endpoint **ret,
			    struct err *err);
void workload_endpoint_free(struct workload_endpoint *endpoint);
/* A new endpoint as the Docker plugin writes it. */
struct workload_endpoint *workload_endpoint_new(const char *name, const uint8_t mac[6]);
/* 0 or -ENOMEM. */
int workload_endpoint_add_port(struct workload_endpoint *endpoint, const struct endpoint_port *port);
/* "tcp"; NULL: it has none to be published. */
const char *endpoint_port_protocol(const struct endpoint_port *port);
/* "192.0.2.1:8080->80/tcp", as Docker writes it; malloc'd, NULL: no memory. */
char *endpoint_port_format(const struct endpoint_port *port);
/* IPv4 stays before IPv6. 0 or -ENOMEM. */
int workload_endpoint_add_net(struct workload_endpoint *endpoint, const struct addr *addr);
/*
 * What this struct has replaces its members in raw; all others stay, NAT among them. Addresses are written as
 * /32 and /128. malloc'd.
 */
char *workload_endpoint_format(const struct workload_endpoint *endpoint);

struct host_endpoint {
	char name[16]; /* "": resolved by address */
	struct strings profiles;
	struct labels labels;
	struct addr *expected; /* expected_ipv4_addrs, then expected_ipv6_addrs */
	size_t expected_count;
};
int host_endpoint_parse(const char *text, struct host_endpoint **ret, struct err *err);
void host_endpoint_free(struct host_endpoint *endpoint);

#endif
