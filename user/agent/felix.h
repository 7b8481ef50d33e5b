/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parameters that v0.20's agent read from its environment (FELIX_NAME) and from the datastore, own host
 * before global (policy and datastore specification, section 3). First source that has a parameter wins, even
 * if its value is invalid: then the default applies and the parameter is reported.
 */
#ifndef AGENT_FELIX_H
#define AGENT_FELIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "util/err.h"

#define FAILSAFE_PORTS 64
struct failsafe_ports {
	__u16 port[FAILSAFE_PORTS];
	size_t count;
};

/* UplinkXDP; 0 is none of them. */
enum uplink_xdp { UPLINK_XDP_AUTO = 1, UPLINK_XDP_ON, UPLINK_XDP_OFF };

struct felix {
	char interface_prefix[16];	 /* InterfacePrefix */
	enum host_action host_action;	 /* DefaultEndpointToHostAction */
	enum drop_action drop_action;	 /* DropActionOverride */
	bool keep_established;		 /* EstablishedFlows: "keep" or "revalidate" */
	int log_severity;		 /* LogSeverityScreen as enum log_level */
	unsigned int refresh_interval_s; /* DataplaneRefreshSecs */
	char uplinks[256];		 /* Uplinks: names with commas; "none"; empty: found by routes */
	/* FailsafeInboundHostPorts, FailsafeOutboundHostPorts: TCP, open whatever a host endpoint's policy is
	 */
	struct failsafe_ports failsafe_inbound, failsafe_outbound;
	enum uplink_xdp uplink_xdp;   /* UplinkXDP: "auto", "on", "off" */
	unsigned int source_limit;    /* NewFlowsPerSource: per second; 0: any number */
	uint16_t nat_first, nat_last; /* NatPorts; 0 unless NatOutgoing is "bpf" */
	/* Sizes of the maps; 0: the dataplane's default */
	unsigned int flow_table_size; /* FlowTableSize: flows of IPv4; IPv6 has half of it */
	unsigned int max_endpoints;   /* MaxEndpoints: of this host */
	unsigned int max_addresses;   /* MaxAddresses: of all endpoints of the cluster */
	unsigned int max_rules;	      /* MaxRules: entries that the rules in use here become */
};

/* Values seen in the datastore; a list because there are few. */
struct felix_value {
	char *name, *value;
	bool of_host;
	struct felix_value *next;
};

/* Remembers (value NULL: forgets) one configuration key. 0 or -ENOMEM. */
int felix_set(struct felix_value **values, const char *name, bool of_host, const char *value);
void felix_values_free(struct felix_value *values);

/* report is called with each parameter that has a value nobody can use, and with each misspelt one. */
void felix_resolve(const struct felix_value *values, struct felix *ret,
		   void (*report)(void *arg, const char *name, const char *text), void *arg);
/* Whether programs must be loaded anew to go from a to b. */
bool felix_needs_reload(const struct felix *a, const struct felix *b);

#endif
