/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calico-node: the daemon of a host. Parses options, puts the parts together, runs the loop, takes them
 * apart. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <curl/curl.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "agent/agent.h"
#include "agent/control.h"
#include "config/config.h"
#include "dataplane/dataplane.h"
#include "docker/plugin.h"
#include "http/sockets.h"
#include "netlink/netlink.h"
#include "store/store.h"
#include "util/claim.h"
#include "util/log.h"
#include "util/stdio.h"
#include "util/task.h"
#include "util/unix_socket.h"
#include "util/version.h"
#include "util/watchdog.h"

static const char usage[] =
	"Usage: calico-node [OPTION]...\n"
	"Network and policy daemon of this host; runs in the foreground and logs to stderr.\n"
	"\n"
	"  --plugin-socket=PATH  Docker plugin socket (/run/docker/plugins/calico.sock)\n"
	"  --run-dir=DIR         pid file and control socket (/run/calico)\n"
	"  --state-dir=DIR       embedded datastore and journal (/var/lib/calico)\n"
	"  --bpffs=DIR           pinned maps, programs and links (/sys/fs/bpf/calico)\n"
	"  --attach=MODE         auto, tcx or clsact (auto: tcx where the kernel has it)\n"
	"  --teardown            remove every trace of calico-node from the kernel, and exit\n"
	"  --version             print the version, and exit\n"
	"  --help                this text\n"
	"\n"
	"SIGTERM ends the daemon; policy stays in force. Environment and files: see calico-node(8).\n";

struct node {
	struct config *config;
	struct agent_options options;
	bool teardown;
	int claim; /* of the network namespace */
	struct evconnlistener *claimed;
	int pid_file;
	int bpffs; /* claimed */
	struct event_base *base;
	struct event *signals[2];
	struct store *store;
	struct netlink *netlink;
	struct agent *agent;
	struct plugin *plugin;
	struct control control;
	struct server *server; /* of the control socket */
};

/* Requests that are being served have SERVER_ANSWER_MS of it. */
#define END_MS 30000

static int parse_attach(const char *text, enum attach_mode *ret)
{
	static const char *const modes[] = {
		[ATTACH_AUTO] = "auto", [ATTACH_TCX] = "tcx", [ATTACH_CLSACT] = "clsact"};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(text, modes[i])) {
			*ret = (enum attach_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Exit status to end with, or -1 to go on. */
static int parse_options(struct node *node, int argc, char **argv)
{
	enum { PLUGIN_SOCKET = 256, RUN_DIR, STATE_DIR, BPFFS, ATTACH, TEARDOWN, SHOW_VERSION, HELP };
	static const struct option options[] = {
		{"plugin-socket", required_argument, NULL, PLUGIN_SOCKET},
		{"run-dir", required_argument, NULL, RUN_DIR},
		{"state-dir", required_argument, NULL, STATE_DIR},
		{"bpffs", required_argument, NULL, BPFFS},
		{"attach", required_argument, NULL, ATTACH},
		{"teardown", no_argument, NULL, TEARDOWN},
		{"version", no_argument, NULL, SHOW_VERSION},
		{"help", no_argument, NULL, HELP},
		{NULL, 0, NULL, 0},
	};
	struct config *config = node->config;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case PLUGIN_SOCKET:
			config_set(&config->plugin_socket, optarg);
			break;
		case RUN_DIR:
			config_set(&config->run_dir, optarg);
			break;
		case STATE_DIR:
			config_set_state_dir(config, optarg);
			break;
		case BPFFS:
			config_set(&config->bpffs, optarg);
			break;
		case ATTACH:
			if (parse_attach(optarg, &node->options.attach) < 0) {
				fprintf(stderr,
					"calico-node: --attach must be auto, tcx or clsact, not '%s'\n",
					optarg);
				return 1;
			}
			break;
		case TEARDOWN:
			node->teardown = true;
			break;
		case SHOW_VERSION:
			printf("%s\n", version_number);
			return 0;
		case HELP:
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "calico-node: unexpected argument '%s'\n%s", argv[optind], usage);
		return 1;
	}
	return -1;
}

/* The lock, not the file, says that a daemon runs: a file left by a killed one does no harm. */
static int take_pid_file(struct node *node, struct err *err)
{
	char path[512], pid[16];
	int length;

	snprintf(path, sizeof(path), "%s/calico-node.pid", node->config->run_dir);
	node->pid_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (node->pid_file < 0)
		return err_set(err, errno, "cannot open %s: %s", path, strerror(errno));
	if (flock(node->pid_file, LOCK_EX | LOCK_NB) < 0)
		return err_set(
			err, EBUSY,
			"another calico-node holds %s; stop it first (calicoctl node stop), or use another --run-dir",
			path);
	length = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(node->pid_file, 0) < 0 || write(node->pid_file, pid, (size_t)length) != length)
		return err_set(err, errno, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

static void release_pid_file(struct node *node)
{
	char path[512];

	if (node->pid_file < 0)
		return;
	if (flock(node->pid_file, LOCK_EX | LOCK_NB) == 0) {
		snprintf(path, sizeof(path), "%s/calico-node.pid", node->config->run_dir);
		unlink(path);
	}
	close(node->pid_file);
}

static void on_signal(evutil_socket_t signal_number, short events, void *arg)
{
	struct node *node = arg;

	log_info("node", "%s: ending; policy stays in force", strsignal(signal_number));
	event_base_loopbreak(node->base);
}

static int catch_signals(struct node *node, struct err *err)
{
	static const int numbers[] = {SIGTERM, SIGINT};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		node->signals[i] = evsignal_new(node->base, numbers[i], on_signal, node);
		if (!node->signals[i] || event_add(node->signals[i], NULL) < 0)
			return err_set(err, ENOMEM, "cannot watch for signals: out of memory");
	}
	return 0;
}

/* Each interface of an endpoint takes two for its links. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* A second daemon asks who has the claim; the kernel answers that. */
static void on_visitor(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		       int length, void *arg)
{
	evutil_closesocket(fd);
}

/* Before anything is made or changed. */
static int take_claim(struct node *node, struct err *err)
{
	node->claim = claim_namespace(err);
	if (node->claim < 0)
		return node->claim;
	if (!node->base)
		return 0;
	node->claimed = evconnlistener_new(node->base, on_visitor, node, 0, 0, node->claim);
	return node->claimed ? 0 : err_set(err, ENOMEM, "cannot watch a socket: out of memory");
}

static json_t *status(void *arg)
{
	struct node *node = arg;
	json_t *json = agent_status(node->agent);

	if (json && node->plugin)
		json_object_set_new(json, "plugin", plugin_status(node->plugin));
	return json;
}

static int start(struct node *node, struct err *err)
{
	char control_path[512];
	const char *const control_paths[] = {control_path};
	int r = take_claim(node, err);

	if (!r)
		r = directory_make(node->config->run_dir, err);
	if (!r)
		r = directory_make(node->config->state_dir, err);
	if (!r)
		r = take_pid_file(node, err);
	if (!r) {
		node->bpffs = dataplane_claim(node->config->bpffs, err);
		r = node->bpffs < 0 ? node->bpffs : 0;
	}
	if (!r)
		r = catch_signals(node, err);
	if (!r)
		r = watchdog_start(err);
	if (!r)
		r = store_open(node->config, &node->store, err);
	if (!r)
		r = netlink_open(&node->netlink, err);
	if (!r)
		r = agent_start(node->config, &node->options, node->store, &node->agent, err);
	snprintf(control_path, sizeof(control_path), "%s/calico-node.sock", node->config->run_dir);
	if (!r)
		r = server_start(&control_socket, control_paths, 1, control_routes, &node->control,
				 &node->server, err);
	/* Last: who finds the plugin finds a daemon that answers everything. */
	if (!r)
		r = plugin_start(node->config, node->store, node->agent, node->netlink, &node->plugin, err);
	if (!r)
		log_info("node",
			 "calico-node %s (commit %s, data model of Calico %s) on host %s, datastore %s",
			 version_number, version_commit, VERSION_DATA_MODEL, node->config->hostname,
			 store_where(node->store));
	return r;
}

static void stop(struct node *node)
{
	watchdog_limit_end(END_MS);
	server_stop(node->server);
	plugin_stop(node->plugin);
	agent_stop(node->agent);
	netlink_close(node->netlink);
	store_close(node->store);
	watchdog_stop();
	for (size_t i = 0; i < 2; i++) {
		if (node->signals[i])
			event_free(node->signals[i]);
	}
	if (node->bpffs >= 0)
		close(node->bpffs);
	release_pid_file(node);
	if (node->claimed)
		evconnlistener_free(node->claimed);
	if (node->claim >= 0)
		close(node->claim);
	if (node->base)
		event_base_free(node->base);
	config_free(node->config);
}

static int run(struct node *node, struct err *err)
{
	int r;

	if (node->teardown) {
		r = take_claim(node, err);
		return r < 0 ? r : agent_teardown(node->config, err);
	}
	raise_descriptor_limit();
	curl_global_init(CURL_GLOBAL_DEFAULT);
	node->base = event_base_new();
	if (!node->base)
		return err_set(err, ENOMEM, "cannot create the event loop: out of memory");
	task_init(node->base);
	r = start(node, err);
	if (!r)
		event_base_dispatch(node->base);
	return r;
}

int main(int argc, char **argv)
{
	struct node node = {.claim = -1, .pid_file = -1, .bpffs = -1, .control = {status, &node}};
	struct err err = {""};
	int r;

	stdio_open();
	log_open();
	r = config_load(&node.config, &err);
	if (r < 0) {
		fprintf(stderr, "calico-node: %s\n", err.text);
		return 1;
	}
	log_set_level(node.config->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	r = parse_options(&node, argc, argv);
	if (r >= 0) {
		config_free(node.config);
		return stdio_close("calico-node") < 0 ? 1 : r;
	}
	if (geteuid()) {
		fputs("This command must be run as root.\n", stderr);
		config_free(node.config);
		return 2;
	}
	r = run(&node, &err);
	if (r < 0)
		log_err("node", "%s", err.text);
	stop(&node);
	return r < 0 ? 1 : 0;
}
