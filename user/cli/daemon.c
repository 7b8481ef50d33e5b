/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The daemon of this host as the command line sees it. */
#include "cli/daemon.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/http_get.h"

/* As long as Docker gives a container. */
#define STOP_TIMEOUT_MS 10000

/* Where distributions put daemons, for an administrator whose PATH lacks them. */
#define MORE_PLACES "/usr/local/sbin:/usr/sbin:/usr/libexec"

static int read_pid_file(const struct config *config, pid_t *ret)
{
	char path[PATH_MAX];
	long pid = 0;
	FILE *file;

	*ret = 0;
	if (snprintf(path, sizeof(path), "%s/" DAEMON_NAME ".pid", config->run_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (fscanf(file, "%ld", &pid) == 1 && pid > 1 && pid <= INT_MAX)
		*ret = (pid_t)pid;
	fclose(file);
	return 0;
}

/* A pid file outlives a killed daemon, and its number may be another process's by now. */
static int process_is_daemon(pid_t pid)
{
	char link[64], target[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);

	ssize_t length = readlink(link, target, sizeof(target) - 1);

	if (length < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : -errno;
	target[length] = '\0';

	/* " (deleted)" follows when the program was replaced by an update. */
	const char *slash = strrchr(target, '/');
	const char *name = slash ? slash + 1 : target;

	return !strcmp(name, DAEMON_NAME) || !strcmp(name, DAEMON_NAME " (deleted)");
}

int daemon_find(const struct config *config, pid_t *ret_pid)
{
	int r = read_pid_file(config, ret_pid);

	if (r == 0 && *ret_pid)
		r = process_is_daemon(*ret_pid);
	if (r <= 0)
		*ret_pid = 0;
	return r < 0 ? r : 0;
}

long daemon_uptime(pid_t pid)
{
	char path[64], line[1024];
	unsigned long long ticks;
	struct timespec now;
	bool ok = false;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);

	FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	if (fgets(line, sizeof(line), file)) {
		/* The second field is the name in brackets, which may hold anything; the 22nd is the start.
		 */
		const char *rest = strrchr(line, ')');

		ok = rest && sscanf(rest + 1,
				    " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				    "%*s %*s %llu",
				    &ticks) == 1;
	}
	fclose(file);
	clock_gettime(CLOCK_BOOTTIME, &now);
	return ok ? (long)now.tv_sec - (long)(ticks / (unsigned long long)sysconf(_SC_CLK_TCK)) : -EBADMSG;
}

int daemon_status(const struct config *config, json_t **ret, struct err *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/" DAEMON_NAME ".sock", config->run_dir) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "the run directory's path is too long");
	return http_get(path, "/status", ret, err);
}

bool daemon_status_is_ready(const json_t *status)
{
	return json_is_true(json_object_get(status, "ready")) &&
	       !json_is_false(json_object_get(status, "in_sync"));
}

static bool wait_gone(int fd, int timeout_ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	return poll(&poller, 1, timeout_ms) > 0;
}

int daemon_stop(pid_t pid, struct err *err)
{
	int fd = pidfd_open(pid, 0);
	int r = 0;

	if (fd < 0)
		return errno == ESRCH ? 0 : err_set(err, errno, "cannot watch process %d", (int)pid);
	/* Between the look into /proc and this descriptor the process may have become another one. */
	if (process_is_daemon(pid) <= 0)
		goto out;
	if (pidfd_send_signal(fd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		r = err_set(err, errno, "cannot stop " DAEMON_NAME " (process %d): %s", (int)pid,
			    strerror(errno));
	else if (!wait_gone(fd, STOP_TIMEOUT_MS) &&
		 (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0 || !wait_gone(fd, STOP_TIMEOUT_MS)))
		r = err_set(err, ETIMEDOUT, DAEMON_NAME " (process %d) cannot be stopped", (int)pid);
out:
	close(fd);
	return r;
}

static char *program_in(const char *directory, size_t length)
{
	char *path;

	if (!length || asprintf(&path, "%.*s/" DAEMON_NAME, (int)length, directory) < 0)
		return NULL;
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static char *program_on(const char *places)
{
	char *found = NULL;

	for (size_t length; !found && *places; places += length + (places[length] == ':')) {
		length = strcspn(places, ":");
		found = program_in(places, length);
	}
	return found;
}

char *daemon_program(void)
{
	const char *places = getenv("PATH");
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *found = NULL;

	if (length > 0) {
		self[length] = '\0';
		found = program_in(self, (size_t)(strrchr(self, '/') - self));
	}
	if (!found && places)
		found = program_on(places);
	return found ? found : program_on(MORE_PLACES);
}
