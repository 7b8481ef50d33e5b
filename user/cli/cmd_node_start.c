/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl node: starts the daemon. Section 9.1 of the command line specification, for a process of the
 * host. */
#include "cli/cmd_node.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/run.h"
#include "cli/validate.h"
#include "netlink/netlink.h"
#include "util/unix_socket.h"

#define DEFAULT_LOG_DIR "/var/log/calico"

/* Loading programs takes a second, registration as long as the datastore. */
#define START_TIMEOUT_S	 60
#define POLL_INTERVAL_MS 50
/* Of the daemon's last words when it does not start. */
#define LOG_TAIL 4096

struct start {
	const char *ip, *ip6, *as; /* NULL: not given */
	const char *log_dir;
	bool detach, libnetwork;
	bool only_prepare; /* --runtime=none */
};

static const char *given(const struct args *args, const char *name)
{
	const char *value = args_get(args, name);

	return value && *value ? value : NULL;
}

static bool check_address(struct ctl *ctl, const char *text, uint8_t family, const char *option)
{
	struct addr addr;

	if (!text || (addr_parse(text, &addr) == 0 && addr.family == family))
		return true;
	out_say(&ctl->out, "Invalid IPv%d address specified with %s argument.", family, option);
	return false;
}

static bool check_start_runtime(struct ctl *ctl, const char *runtime)
{
	if (!strcmp(runtime, "docker") || !strcmp(runtime, "rkt") || !strcmp(runtime, "none"))
		return true;
	out_say(&ctl->out, "Runtime must be 'docker', 'rkt' or 'none'.");
	return false;
}

static bool check_detach(struct ctl *ctl, const char *detach, bool libnetwork)
{
	if (strcmp(detach, "true") != 0 && strcmp(detach, "false") != 0)
		out_say(&ctl->out, "Valid values for --detach are 'true' and 'false'");
	else if (!strcmp(detach, "false") && libnetwork)
		out_say(&ctl->out, "The only valid value for --detach is 'true' when using libnetwork");
	else
		return true;
	return false;
}

/* Every check tells what it has to tell. */
static int parse_start(struct ctl *ctl, const struct args *args, struct start *ret)
{
	const char *runtime = given(args, "--runtime"), *detach = given(args, "--detach");
	const char *as = args_get(args, "--as");
	uint32_t number = 0;
	bool ok;

	if (args_has(args, "--libnetwork-image") && !args_has(args, "--libnetwork"))
		return STATUS_USAGE;
	*ret = (struct start){
		.ip = given(args, "--ip"),
		.ip6 = given(args, "--ip6"),
		.log_dir = given(args, "--log-dir"),
		.libnetwork = args_has(args, "--libnetwork"),
	};
	runtime = runtime ? runtime : "docker";
	detach = detach ? detach : "true";
	ok = check_address(ctl, ret->ip, 4, "--ip");
	ok &= check_address(ctl, ret->ip6, 6, "--ip6");
	ok &= !as || check_as(&ctl->out, as, &number);
	ok &= check_detach(ctl, detach, ret->libnetwork);
	ok &= check_start_runtime(ctl, runtime);
	if (!ok)
		return STATUS_FAILED;
	ret->as = as ? ctl_text(ctl, "%u", number) : NULL;
	ret->log_dir = ret->log_dir ? ret->log_dir : DEFAULT_LOG_DIR;
	ret->detach = !strcmp(detach, "true");
	ret->only_prepare = !strcmp(runtime, "none");
	return STATUS_DONE;
}

static void note_ignored(const struct args *args)
{
	static const char *const ignored[] = {"--node-image", "--libnetwork-image", "--no-pull"};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (args_has(args, ignored[i]))
			fprintf(stderr, "Note: %s is ignored, the daemon is a process of this host.\n",
				ignored[i]);
}

/*
 * Steps 1 and 2 of the start. v0.20 also loaded xt_set and ip6_tables and raised nf_conntrack_max: our policy
 * and flows are in BPF maps and need neither.
 */
static int prepare_host(struct ctl *ctl, const struct start *start)
{
	struct err err;

	if (start->ip6 && ipv6_off())
		return ctl_failed(ctl, "ERROR: --ip6 cannot be used: %s.", ipv6_off());
	if (!getenv("CALICO_CTL_CONTAINER")) {
		if (sysctl_write("ipv4/ip_forward", "1", &err) < 0)
			return ctl_failed(ctl, "ERROR: Could not enable ipv4 forwarding.");
		if (access("/proc/sys/net/ipv6", F_OK) == 0 &&
		    sysctl_write("ipv6/conf/all/forwarding", "1", &err) < 0)
			return ctl_failed(ctl, "ERROR: Could not enable ipv6 forwarding.");
	}
	if (!ctl_answers(ctl))
		return ctl_failed(ctl, "ERROR: Could not connect to %s at %s",
				  ctl->config->endpoint_count ? "etcd" : "the embedded datastore",
				  ctl->config->endpoint_count ? ctl->config->endpoints[0]
							      : ctl->config->sqlite_path);
	if (directory_make(start->log_dir, &err) < 0)
		return ctl_failed(ctl, "%s.", err.text);
	return STATUS_DONE;
}

/* The daemon reads its settings from its environment and options, not from the datastore. */
static void export_settings(struct ctl *ctl, const struct start *start)
{
	setenv("HOSTNAME", ctl->config->hostname, 1);
	if (start->ip)
		setenv("IP", start->ip, 1);
	if (start->ip6)
		setenv("IP6", start->ip6, 1);
	if (start->as)
		setenv("AS", start->as, 1);
}

static char **daemon_arguments(struct ctl *ctl, char *program)
{
	const struct config *config = ctl->config;
	char **argv = arena_alloc(&ctl->out.arena, 6 * sizeof(*argv));

	argv[0] = program;
	argv[1] = ctl_text(ctl, "--plugin-socket=%s", config->plugin_socket);
	argv[2] = ctl_text(ctl, "--run-dir=%s", config->run_dir);
	argv[3] = ctl_text(ctl, "--state-dir=%s", config->state_dir);
	argv[4] = ctl_text(ctl, "--bpffs=%s", config->bpffs);
	return argv;
}

static bool is_ready(struct ctl *ctl)
{
	json_t *status;

	if (daemon_status(ctl->config, &status, NULL) < 0)
		return false;

	bool ready = daemon_status_is_ready(status);

	json_decref(status);
	return ready;
}

/* Until it is ready (0), has ended (-ECHILD), or takes too long (-ETIMEDOUT). */
static int wait_ready(struct ctl *ctl, pid_t pid)
{
	struct pollfd process = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	struct timespec start, now;
	int r = -EINPROGRESS;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (r == -EINPROGRESS) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (poll(&process, 1, POLL_INTERVAL_MS) > 0)
			r = -ECHILD;
		else if (is_ready(ctl))
			r = 0;
		else if (now.tv_sec - start.tv_sec > START_TIMEOUT_S)
			r = -ETIMEDOUT;
	}
	close(process.fd);
	return r;
}

/* What the daemon wrote into its log since it was started, or the end of that. */
static void print_last_words(const char *log, off_t from)
{
	char text[LOG_TAIL];
	int fd = open(log, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	ssize_t length = 0;

	if (end - from > LOG_TAIL)
		from = end - LOG_TAIL;
	if (fd >= 0)
		length = pread(fd, text, sizeof(text), from);
	if (length > 0)
		fwrite(text, 1, (size_t)length, stderr);
	if (fd >= 0)
		close(fd);
}

static off_t file_size(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);

	if (fd >= 0)
		close(fd);
	return size;
}

static int start_detached(struct ctl *ctl, const struct start *start, char **argv)
{
	const char *log = ctl_text(ctl, "%s/" DAEMON_NAME ".log", start->log_dir);
	off_t log_start = file_size(log);
	struct err err;
	pid_t pid = run_start((const char *const *)argv, log, O_APPEND, 0640, POSIX_SPAWN_SETSID);
	int r;

	if (pid < 0)
		return ctl_failed(ctl, "Cannot start %s with its log in %s: %s.", argv[0], log,
				  strerror(-pid));
	out_say(&ctl->out, "Calico node is running with id: %d", (int)pid);
	out_say(&ctl->out, "Waiting for successful startup");
	r = wait_ready(ctl, pid);
	if (r == 0) {
		out_say(&ctl->out, "Calico node started successfully");
		if (start->libnetwork)
			out_say(&ctl->out, "Calico libnetwork driver is running with id: %d", (int)pid);
		return STATUS_DONE;
	}
	print_last_words(log, log_start);
	if (r == -ETIMEDOUT)
		daemon_stop(pid, &err);
	return ctl_failed(ctl, "Calico node failed to start: it %s. Its log is %s.",
			  r == -ETIMEDOUT ? "was not ready in time and has been stopped" : "ended", log);
}

static int start_attached(struct ctl *ctl, char **argv)
{
	fflush(NULL);
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	execv(argv[0], argv);
	return ctl_failed(ctl, "Cannot start %s: %s.", argv[0], strerror(errno));
}

int cmd_node_start(struct ctl *ctl, const struct args *args)
{
	struct start start;
	struct err err;
	pid_t running;
	int status = parse_start(ctl, args, &start);

	if (status != STATUS_DONE)
		return status;
	if (!ctl_is_root(ctl))
		return STATUS_ROOT;
	note_ignored(args);
	status = prepare_host(ctl, &start);
	if (status != STATUS_DONE || start.only_prepare)
		return status;

	char *program = daemon_program();

	if (!program)
		return ctl_failed(ctl,
				  "The program " DAEMON_NAME " is neither beside calicoctl nor in PATH.");

	char **argv = daemon_arguments(ctl, arena_copy(&ctl->out.arena, program));

	free(program);
	if (daemon_find(ctl->config, &running) == 0 && running && daemon_stop(running, &err) < 0)
		return ctl_failed(ctl, "%s.", err.text);
	export_settings(ctl, &start);
	return start.detach ? start_detached(ctl, &start, argv) : start_attached(ctl, argv);
}
