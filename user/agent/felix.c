/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Agent parameters: precedence, parsing, defaults. */
#include "agent/felix.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <utlist.h>

#include "model/model.h"
#include "util/log.h"
#include "util/nearest.h"

#define MAP_ENTRIES_MAX (1U << 24)
#define NEW_FLOWS_MAX	10000000
#define NAT_PORTS	"61000-65535" /* above what the kernel gives to sockets, unless told otherwise */

int felix_set(struct felix_value **values, const char *name, bool of_host, const char *value)
{
	struct felix_value *entry;

	LL_FOREACH (*values, entry) {
		if (entry->of_host == of_host && !strcmp(entry->name, name))
			break;
	}
	if (entry) {
		LL_DELETE(*values, entry);
		free(entry->name);
		free(entry->value);
		free(entry);
	}
	if (!value)
		return 0;

	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->name = strdup(name);
	entry->value = strdup(value);
	entry->of_host = of_host;
	if (!entry->name || !entry->value) {
		free(entry->name);
		free(entry->value);
		free(entry);
		return -ENOMEM;
	}
	LL_PREPEND(*values, entry);
	return 0;
}

void felix_values_free(struct felix_value *values)
{
	struct felix_value *entry, *next;

	LL_FOREACH_SAFE (values, entry, next) {
		free(entry->name);
		free(entry->value);
		free(entry);
	}
}

static void to_capitals(const char *name, char capitals[80])
{
	size_t length = 0;

	for (; *name && length < 79; name++)
		capitals[length++] = (char)toupper((unsigned char)*name);
	capitals[length] = '\0';
}

/* Environment, then host, then global; NULL: nobody set it. */
static const char *lookup(const struct felix_value *values, const char *name)
{
	const struct felix_value *entry, *global = NULL;
	char variable[86] = "FELIX_";
	const char *from_environment;

	to_capitals(name, variable + strlen(variable));
	from_environment = getenv(variable);
	if (from_environment && *from_environment)
		return from_environment;

	LL_FOREACH (values, entry) {
		if (strcmp(entry->name, name))
			continue;
		if (entry->of_host)
			return entry->value;
		global = entry;
	}
	return global ? global->value : NULL;
}

struct choice {
	const char *text;
	int value;
};

static const struct choice host_actions[] = {
	{"DROP", HOST_DROP}, {"RETURN", HOST_RETURN}, {"ACCEPT", HOST_ACCEPT}, {NULL, 0}};
static const struct choice drop_actions[] = {{"DROP", DROP_DROP},
					     {"LOG-and-DROP", DROP_LOG_DROP},
					     {"ACCEPT", DROP_ACCEPT},
					     {"LOG-and-ACCEPT", DROP_LOG_ACCEPT},
					     {NULL, 0}};
static const struct choice established[] = {{"revalidate", 0}, {"keep", 1}, {NULL, 0}};
static const struct choice uplink_xdp[] = {
	{"auto", UPLINK_XDP_AUTO}, {"on", UPLINK_XDP_ON}, {"off", UPLINK_XDP_OFF}, {NULL, 0}};
static const struct choice nat_outgoing[] = {{"kernel", 0}, {"bpf", 1}, {NULL, 0}};
static const struct choice severities[] = {{"none", LOG_LEVEL_NONE},	{"debug", LOG_LEVEL_DEBUG},
					   {"info", LOG_LEVEL_INFO},	{"warn", LOG_LEVEL_WARN},
					   {"warning", LOG_LEVEL_WARN}, {"err", LOG_LEVEL_ERR},
					   {"error", LOG_LEVEL_ERR},	{"crit", LOG_LEVEL_ERR},
					   {"critical", LOG_LEVEL_ERR}, {NULL, 0}};

struct resolver {
	const struct felix_value *values;
	void (*report)(void *arg, const char *name, const char *text);
	void *arg;
};

static int choose(const struct resolver *r, const char *name, const struct choice *choices, int fallback)
{
	const char *value = lookup(r->values, name);
	char text[256];

	if (!value)
		return fallback;
	for (const struct choice *c = choices; c->text; c++) {
		/* Severities are written in any case by v0.20's tools; actions are exact (section 3.1). */
		if (choices == severities ? !strcasecmp(value, c->text) : !strcmp(value, c->text))
			return c->value;
	}
	snprintf(text, sizeof(text), "%s has the unknown value '%.80s'; using the default", name, value);
	r->report(r->arg, name, text);
	return fallback;
}

static unsigned int number(const struct resolver *r, const char *name, unsigned int fallback,
			   unsigned int max)
{
	const char *value = lookup(r->values, name);
	char text[256], *end;
	unsigned long n;

	if (!value)
		return fallback;
	errno = 0;
	n = strtoul(value, &end, 0);
	if (!errno && end != value && !*end && n >= 1 && n <= max)
		return (unsigned int)n;
	snprintf(text, sizeof(text), "%s must be a number from 1 to %u, not '%.80s'; using the default", name,
		 max, value);
	r->report(r->arg, name, text);
	return fallback;
}

/* As the kernel takes names (dev_valid_name()); those of uplinks are not ours. */
static bool names_valid(const char *list)
{
	char names[sizeof(((struct felix *)0)->uplinks)], *rest = names, *name;

	if (snprintf(names, sizeof(names), "%s", list) >= (int)sizeof(names))
		return false;
	while ((name = strsep(&rest, ","))) {
		if (!*name || strlen(name) > 15 || strpbrk(name, "/: \t"))
			return false;
	}
	return true;
}

/* Numbers from 1 to 65535 with commas, in the notations of C; what is blank between commas does not count. */
static bool ports_parse(const char *text, struct failsafe_ports *ret)
{
	static const char blanks[] = " \t\r\n";

	ret->count = 0;
	for (;;) {
		char *end = (char *)text + strspn(text, blanks);

		if (*end && *end != ',') {
			/* strtoul() would take a sign. */
			unsigned long port = isdigit((unsigned char)*end) ? strtoul(end, &end, 0) : 0;

			if (!port || port > UINT16_MAX || ret->count == FAILSAFE_PORTS)
				return false;
			ret->port[ret->count++] = (__u16)port;
			end += strspn(end, blanks);
		}
		if (!*end)
			return true;
		if (*end != ',')
			return false;
		text = end + 1;
	}
}

/* A typing error must not lock anybody out: the default stays open. */
static void failsafe(const struct resolver *r, const char *name, const char *fallback,
		     struct failsafe_ports *ret)
{
	const char *value = lookup(r->values, name);
	char text[256];

	if (value && ports_parse(value, ret))
		return;
	ports_parse(fallback, ret);
	if (!value)
		return;
	snprintf(
		text, sizeof(text),
		"%s must be at most %d numbers from 1 to 65535 with commas, not '%.80s'; using the default %s",
		name, FAILSAFE_PORTS, value, fallback);
	r->report(r->arg, name, text);
}

static bool parse_ports(const char *text, uint16_t *ret_first, uint16_t *ret_last)
{
	unsigned int first, last;
	int end = 0;

	if (sscanf(text, "%5u-%5u%n", &first, &last, &end) != 2 || text[end] || first < 1024 ||
	    last > 65535 || first > last)
		return false;
	*ret_first = (uint16_t)first;
	*ret_last = (uint16_t)last;
	return true;
}

static void resolve_nat(const struct resolver *r, struct felix *ret)
{
	const char *ports = lookup(r->values, "NatPorts");

	if (ports && !parse_ports(ports, &ret->nat_first, &ret->nat_last)) {
		r->report(r->arg, "NatPorts",
			  "NatPorts is not a range of ports like " NAT_PORTS ", which is used instead");
		ports = NULL;
	}
	if (!ports)
		parse_ports(NAT_PORTS, &ret->nat_first, &ret->nat_last);
	if (!choose(r, "NatOutgoing", nat_outgoing, 0))
		ret->nat_first = ret->nat_last = 0;
}

/* ---- names ---- */

static const char *const names[] = {
	"DataplaneRefreshSecs",
	"DefaultEndpointToHostAction",
	"DropActionOverride",
	"EstablishedFlows",
	"FailsafeInboundHostPorts",
	"FailsafeOutboundHostPorts",
	"FlowTableSize",
	"InterfacePrefix",
	"LogSeverityScreen",
	"MaxAddresses",
	"MaxEndpoints",
	"MaxRules",
	"NatOutgoing",
	"NatPorts",
	"NewFlowsPerSource",
	"Uplinks",
	"UplinkXDP",
	NULL,
};

/* What other versions and tools call so is no misspelling of one of ours. */
static const char *const others[] = {"InterfaceExclude", "IpInIpTunnelAddr", "LogSeverityFile",
				     "LogSeveritySys",	 "marker",	     NULL};

static bool is_among(const char *const *list, const char *name)
{
	for (; *list; list++) {
		if (!strcmp(*list, name))
			return true;
	}
	return false;
}

/* Values in the datastore; only those that this host reads are kept. */
static void check_keys(const struct resolver *r)
{
	const struct felix_value *entry;
	const char *nearest;
	char text[400];

	LL_FOREACH (r->values, entry) {
		if (is_among(names, entry->name) || is_among(others, entry->name))
			continue;
		nearest = nearest_name(entry->name, names);
		if (!nearest)
			continue;
		snprintf(text, sizeof(text),
			 "there is no parameter %.80s, so its value '%.80s' %s has no effect; did you mean "
			 "%s? Set that, and delete the key",
			 entry->name, entry->value, entry->of_host ? "for this host" : "for all hosts",
			 nearest);
		r->report(r->arg, entry->name, text);
	}
}

static void check_variable(const struct resolver *r, const char *name)
{
	const char *nearest = nearest_name(name, names);
	char capitals[80], variable[100], text[400];

	if (!nearest)
		return;
	to_capitals(nearest, capitals);
	if (!strcmp(name, capitals))
		return;
	for (const char *const *other = others; *other; other++) {
		if (!strcasecmp(name, *other))
			return;
	}
	snprintf(variable, sizeof(variable), "FELIX_%.80s", name);
	snprintf(text, sizeof(text),
		 "there is no parameter %s, so it has no effect; did you mean FELIX_%s? Correct its name in "
		 "the environment or the settings file, and start the daemon again",
		 variable, capitals);
	r->report(r->arg, variable, text);
}

static void check_environment(const struct resolver *r)
{
	char name[80];

	for (char **variable = environ; *variable; variable++) {
		size_t length = strcspn(*variable, "=");

		if (strncmp(*variable, "FELIX_", 6) != 0 || length < 7 || length - 6 >= sizeof(name))
			continue;
		memcpy(name, *variable + 6, length - 6);
		name[length - 6] = '\0';
		check_variable(r, name);
	}
}

void felix_resolve(const struct felix_value *values, struct felix *ret,
		   void (*report)(void *arg, const char *name, const char *text), void *arg)
{
	const struct resolver r = {values, report, arg};
	const char *prefix = lookup(values, "InterfacePrefix"), *uplinks = lookup(values, "Uplinks");

	memset(ret, 0, sizeof(*ret));
	/* 12 characters leave room for three that tell interfaces apart. */
	if (prefix && (!model_interface_valid(prefix) || strlen(prefix) > 12)) {
		report(arg, "InterfacePrefix",
		       "InterfacePrefix is not the beginning of an interface name; using 'cali'");
		prefix = NULL;
	}
	snprintf(ret->interface_prefix, sizeof(ret->interface_prefix), "%s", prefix ? prefix : "cali");
	ret->host_action =
		(enum host_action)choose(&r, "DefaultEndpointToHostAction", host_actions, HOST_RETURN);
	ret->drop_action = (enum drop_action)choose(&r, "DropActionOverride", drop_actions, DROP_DROP);
	ret->keep_established = choose(&r, "EstablishedFlows", established, 0);
	ret->log_severity = choose(&r, "LogSeverityScreen", severities, LOG_LEVEL_INFO);
	if (uplinks && *uplinks && !names_valid(uplinks)) {
		report(arg, "Uplinks",
		       "Uplinks is not a list of interface names with commas; finding uplinks by routes");
		uplinks = NULL;
	}
	snprintf(ret->uplinks, sizeof(ret->uplinks), "%s", uplinks ? uplinks : "");
	failsafe(&r, "FailsafeInboundHostPorts", "22", &ret->failsafe_inbound);
	failsafe(&r, "FailsafeOutboundHostPorts", "2379,2380,4001,7001", &ret->failsafe_outbound);
	ret->uplink_xdp = (enum uplink_xdp)choose(&r, "UplinkXDP", uplink_xdp, UPLINK_XDP_AUTO);
	ret->source_limit = number(&r, "NewFlowsPerSource", 0, NEW_FLOWS_MAX);
	resolve_nat(&r, ret);
	ret->refresh_interval_s = number(&r, "DataplaneRefreshSecs", 5, 3600);
	ret->flow_table_size = number(&r, "FlowTableSize", 0, MAP_ENTRIES_MAX);
	ret->max_endpoints = number(&r, "MaxEndpoints", 0, 65535);
	ret->max_addresses = number(&r, "MaxAddresses", 0, MAP_ENTRIES_MAX);
	ret->max_rules = number(&r, "MaxRules", 0, MAP_ENTRIES_MAX);
	check_keys(&r);
	check_environment(&r);
}

bool felix_needs_reload(const struct felix *a, const struct felix *b)
{
	return strcmp(a->interface_prefix, b->interface_prefix) || a->host_action != b->host_action ||
	       a->drop_action != b->drop_action || a->keep_established != b->keep_established ||
	       a->nat_first != b->nat_first || a->nat_last != b->nat_last ||
	       a->source_limit != b->source_limit || a->flow_table_size != b->flow_table_size ||
	       a->max_endpoints != b->max_endpoints || a->max_addresses != b->max_addresses ||
	       a->max_rules != b->max_rules;
}
