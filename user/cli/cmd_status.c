/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl status: section 10 of the command line specification. What the daemon says is in status_daemon.c.
 */
#include "cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bgp_peers.h"
#include "routing/bird.h"
#include "cli/daemon.h"
#include "cli/duration.h"
#include "cli/status_daemon.h"
#include "cli/validate.h"
#include "store/keys.h"
#include "util/version.h"

static const struct column peer_columns[] = {
	{"Peer address", "address", COLUMN_TEXT},
	{"Peer type", "type", COLUMN_TEXT},
	{"State", "state", COLUMN_TEXT},
	{"Since", "since", COLUMN_TEXT},
	{"Info", "info", COLUMN_TEXT},
};

/* This host's routing identity, as far as the datastore tells. */
struct identity {
	const char *ip[2]; /* IPv4, IPv6; NULL or "": none */
	const char *as;	   /* with " (inherited)" */
};

static bool load_identity(struct ctl *ctl, struct identity *ret)
{
	const char *host = ctl->config->hostname, *as;
	char key[KEY_MAX];

	if (!ctl_read(ctl, key_bgp_host(key, host, "ip_addr_v4"), &ret->ip[0]) ||
	    !ctl_read(ctl, key_bgp_host(key, host, "ip_addr_v6"), &ret->ip[1]) ||
	    !ctl_read(ctl, key_bgp_host(key, host, "as_num"), &as))
		return false;
	if (as) {
		ret->as = as;
		return true;
	}
	if (!bgp_default_as(ctl, &as))
		return false;
	ret->as = ctl_text(ctl, "%s (inherited)", as);
	return true;
}

/* Peers of one family. Returns a status. */
static int show_peers(struct ctl *ctl, unsigned int family)
{
	const char *path = ctl_text(ctl, "%s/bird.ctl", ctl->config->run_dir);
	struct bird_peer *peers;
	struct table table;
	size_t count;
	int r = bird_peers(path, &peers, &count);

	if (r == -EACCES)
		return ctl_is_root(ctl) ? STATUS_FAILED : STATUS_ROOT;
	if (r < 0) {
		out_say(&ctl->out, "Couldn't connect to bird.");
		out_prose(&ctl->out, "\n");
		return STATUS_DONE;
	}
	table_init(&table, peer_columns, 5);
	for (const struct bird_peer *peer = peers; peer < peers + count; peer++) {
		if (peer->family == family)
			table_add(&table, peer->address, peer->type, peer->state, peer->since, peer->info);
	}
	out_table(&ctl->out, family == 6 ? "ipv6_peers" : "ipv4_peers", &table);
	out_prose(&ctl->out, "\n");
	table_done(&table);
	free(peers);
	return STATUS_DONE;
}

static int show_family(struct ctl *ctl, const struct identity *identity, unsigned int family)
{
	const char *ip = identity->ip[family == 6];

	out_prose(&ctl->out, "IPv%u BGP status\n", family);
	if (!ip || !*ip) {
		out_prose(&ctl->out, "No IPv%u address configured.\n\n", family);
		return STATUS_DONE;
	}
	out_prose(&ctl->out, "IP: %s    AS Number: %s\n", ip, identity->as);
	return show_peers(ctl, family);
}

static int show_routing(struct ctl *ctl)
{
	bool answers = ctl_answers(ctl);
	struct identity identity = {.ip = {"unknown", "unknown"}, .as = "unknown"};
	bool registered = true;
	int status;

	if (!answers) {
		out_say(&ctl->out, "Error connecting to %s.",
			ctl->config->endpoint_count ? "etcd.  Ensure ETCD_ENDPOINTS or ETCD_AUTHORITY is set "
						      "properly"
						    : ctl->config->sqlite_path);
	} else {
		if (!load_identity(ctl, &identity))
			return STATUS_FAILED;
		registered = identity.ip[0] || identity.ip[1];
	}
	if (!registered)
		out_para(&ctl->out, "Host %s is not registered in the datastore.", ctl->config->hostname);
	status = show_family(ctl, &identity, 4);
	if (status == STATUS_DONE)
		status = show_family(ctl, &identity, 6);
	if (status == STATUS_DONE && !registered)
		return STATUS_FAILED;
	return status == STATUS_DONE && !answers ? STATUS_UNHEALTHY : status;
}

static int not_running(struct ctl *ctl)
{
	out_say(&ctl->out, "calico-node container not running");
	/* Who reads JSON gets a document in any case. */
	out_document(&ctl->out, "daemon", json_null(), "");
	return STATUS_FAILED;
}

static int status(struct ctl *ctl, const struct args *args)
{
	const char *version, *commit;
	char duration[DURATION_TEXT];
	json_t *daemon = NULL;
	struct err err;
	pid_t pid;
	int routing, answer;
	bool healthy;

	if (!check_runtime(&ctl->out, args))
		return STATUS_FAILED;
	if (daemon_find(ctl->config, &pid) < 0)
		return ctl_is_root(ctl) ? not_running(ctl) : STATUS_ROOT;

	long uptime = pid ? daemon_uptime(pid) : -1;

	if (uptime < 0)
		return not_running(ctl);
	out_prose(&ctl->out, "calico-node container is running. Status: Up %s\n",
		  duration_format(uptime, duration));
	answer = daemon_status(ctl->config, &daemon, &err);
	version = json_string_value(json_object_get(daemon, "version"));
	commit = json_string_value(json_object_get(daemon, "commit"));
	if (version)
		out_prose(&ctl->out, "Running felix version %s (commit %s, data model of Calico %s)\n",
			  version, commit ? commit : "unknown", VERSION_DATA_MODEL);
	out_prose(&ctl->out, "\n");
	routing = show_routing(ctl);
	healthy = answer == 0 && status_is_healthy(daemon);
	if (answer == 0) {
		status_show_daemon(ctl, daemon);
	} else if (routing != STATUS_ROOT) {
		ctl_failed(ctl, "calico-node (process %d) does not say how it is: %s.", (int)pid, err.text);
		out_document(&ctl->out, "daemon", json_null(), "");
	}
	json_decref(daemon);
	if (routing == STATUS_DONE && !healthy)
		routing = answer == 0 ? STATUS_UNHEALTHY : STATUS_FAILED;
	return routing;
}

static const struct form forms[] = {
	{"[--runtime=<RUNTIME>] [-o <FORMAT>]", status},
	{0},
};

static const struct option_spec options[] = {
	{"--runtime=<RUNTIME>",
	 "'docker' (default) or 'rkt'; accepted for scripts, both mean this host's daemon."},
	OPTION_OUTPUT,
	{0},
};

const struct command command_status = {
	.name = "status",
	.summary = "State of this host: routing, policy, problems",
	.description =
		"Shows whether calico-node runs on this host, its BGP sessions, its contact with the\n"
		"datastore, what it cannot do and why, and how many packets it dropped for which reason.\n"
		"\n"
		"Exit status: 0 when all is well; 1 when calico-node does not run or does not answer, or\n"
		"this host is not in the datastore; 2 when it must be run as root; 3 when calico-node runs\n"
		"and something is wrong: no contact with the datastore or not in sync with it, a problem,\n"
		"or an endpoint that is not up. BGP sessions do not count.",
	.forms = forms,
	.options = options,
};
