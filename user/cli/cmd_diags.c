/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl diags: section 12 of the command line specification. Goes on whatever fails. */
#include "cli/command.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "abi.h"
#include "cli/daemon.h"
#include "cli/run.h"

#define DEFAULT_LOG_DIR "/var/log/calico"
#define WORDS_MAX	8

struct diags {
	struct ctl *ctl;
	const char *directory; /* of the bundle */
	const char *where;     /* directory/diagnostics */
};

struct step {
	const char *progress; /* NULL: goes with the one before */
	const char *words[WORDS_MAX];
};

static const struct step steps[] = {
	{NULL, {"date"}},
	{NULL, {"hostname"}},
	{"Dumping netstat", {"netstat", "--all", "--numeric"}},
	{"Dumping routes (IPv4)", {"ip", "-4", "route"}},
	{"Dumping routes (IPv6)", {"ip", "-6", "route"}},
	{"Dumping interface info (IPv4)", {"ip", "-4", "addr"}},
	{"Dumping interface info (IPv6)", {"ip", "-6", "addr"}},
	{"Dumping iptables (IPv4)", {"iptables-save"}},
	{"Dumping iptables (IPv6)", {"ip6tables-save"}},
	{"Dumping ipsets", {"ipset", "list"}},
	{"Copying journal for calico-node.service",
	 {"journalctl", "-u", "calico-node.service", "--no-pager"}},
	{"Dumping BPF programs and maps", {"bpftool", "prog", "show"}},
	{NULL, {"bpftool", "net", "show"}},
	{NULL, {"bpftool", "link", "show"}},
	{NULL, {"bpftool", "map", "show"}},
};

/* ---- commands ---- */

static size_t count_words(const char *const *words)
{
	size_t count = 0;

	while (words[count])
		count++;
	return count;
}

static const char *command_line(struct ctl *ctl, const char *const *words)
{
	return arena_join(&ctl->out.arena, (char *const *)words, count_words(words), " ");
}

/* Path of a file for a command's output: named by it, but for characters that are awkward in names. */
static const char *file_for(const struct diags *diags, const char *command)
{
	char *name = arena_copy(&diags->ctl->out.arena, command), *to = name;

	for (const char *from = command; *from; from++) {
		if (isalnum((unsigned char)*from) || *from == '-')
			*to++ = *from;
		else if (*from == ' ')
			*to++ = '_';
	}
	*to = '\0';
	return ctl_text(diags->ctl, "%s/%s", diags->where, name);
}

static void show_file(struct ctl *ctl, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[1024];

	while (file && fgets(line, sizeof(line), file))
		out_prose(&ctl->out, "%s", line);
	if (file)
		fclose(file);
}

static void note_in(const char *path, const char *text)
{
	FILE *file = fopen(path, "ae");

	if (!file)
		return;
	fprintf(file, "%s\n", text);
	fclose(file);
}

static void run(const struct diags *diags, const char *const *words)
{
	const char *command = command_line(diags->ctl, words), *path = file_for(diags, command);
	int status = run_into_file(words, path);

	if (status == 0)
		return;
	note_in(path, status < 0 ? strerror(-status)
				 : ctl_text(diags->ctl, "%s: exit status %d", words[0], status));
	out_say(&diags->ctl->out, "Problem running command: %s", command);
	show_file(diags->ctl, path);
}

static void run_steps(const struct diags *diags)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].progress)
			out_say(&diags->ctl->out, "%s", steps[i].progress);
		run(diags, steps[i].words);
	}
}

/* ---- what is ours ---- */

/* Calls back for each regular file of a directory (path and name). false: there is no such directory. */
static bool each_file(struct ctl *ctl, const char *directory,
		      void (*found)(const struct diags *diags, const char *path, const char *name),
		      const struct diags *diags)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const char *path = ctl_text(ctl, "%s/%s", directory, entry->d_name);
		struct stat file;

		if (lstat(path, &file) == 0 && S_ISREG(file.st_mode))
			found(diags, path, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return dir;
}

static void dump_map(const struct diags *diags, const char *path, const char *name)
{
	/* A reader of this one would take events away from the daemon. */
	if (strcmp(name, "events") != 0)
		run(diags, (const char *const[]){"bpftool", "map", "dump", "pinned", path, NULL});
}

static void dump_daemon(const struct diags *diags)
{
	const char *path = ctl_text(diags->ctl, "%s/calico-node_status", diags->where);
	json_t *status;
	struct err err;

	out_say(&diags->ctl->out, "Dumping felix stats");
	if (daemon_status(diags->ctl->config, &status, &err) < 0) {
		note_in(path, err.text);
		return;
	}
	if (json_dump_file(status, path, JSON_INDENT(2)) < 0)
		note_in(path, "cannot be written");
	json_decref(status);
}

static void copy_log(const struct diags *diags, const char *path, const char *name)
{
	if (strcmp(name, "lock") != 0)
		run_into_file((const char *const[]){"cat", path, NULL},
			      ctl_text(diags->ctl, "%s/logs/%s", diags->where, name));
}

static void copy_logs(const struct diags *diags, const char *log_dir)
{
	if (access(log_dir, R_OK) < 0) {
		out_say(&diags->ctl->out, "No logs found in %s; skipping log copying", log_dir);
		return;
	}
	out_say(&diags->ctl->out, "Copying Calico logs");
	mkdir(ctl_text(diags->ctl, "%s/logs", diags->where), 0700);
	each_file(diags->ctl, log_dir, copy_log, diags);
}

/* Directories on the way to `key` that were not on the way to `previous`. */
static void write_directories(FILE *file, const char *key, const char *previous)
{
	for (const char *slash = strchr(key + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int length = (int)(slash - key);

		if (strncmp(key, previous, (size_t)length + 1) != 0)
			fprintf(file, "DIR,  %.*s,\n", length, key);
	}
}

static int dump_keys(struct ctl *ctl, const char *path, struct err *err)
{
	const char *previous = "";
	struct store_list list;
	FILE *file;
	int r = ctl->store ? 0 : store_open(ctl->config, &ctl->store, err);

	if (r == 0)
		r = store_list(ctl->store, "/calico", &list, err);
	if (r < 0)
		return r;
	file = fopen(path, "we");
	if (!file) {
		r = err_set(err, errno, "cannot write %s: %s", path, strerror(errno));
	} else {
		fprintf(file, "dir?, key, value\n");
		for (size_t i = 0; i < list.count; i++) {
			write_directories(file, list.nodes[i].key, previous);
			fprintf(file, "FILE, %s, %s\n", list.nodes[i].key, list.nodes[i].value);
			previous = list.nodes[i].key;
		}
		bool failed = ferror(file);

		if (fclose(file) < 0 || failed)
			r = err_set(err, EIO, "cannot write all of %s", path);
	}
	store_list_done(&list);
	return r;
}

static void dump_datastore(const struct diags *diags)
{
	struct ctl *ctl = diags->ctl;
	const char *path = ctl_text(ctl, "%s/etcd_calico", diags->where);
	struct err err;
	int r;

	out_say(&ctl->out, "Dumping datastore");
	/* Looking at an embedded store that is not there would make one. */
	if (!ctl->config->endpoint_count && access(ctl->config->sqlite_path, F_OK) < 0)
		r = err_set(&err, ENOENT, "there is no %s", ctl->config->sqlite_path);
	else
		r = dump_keys(ctl, path, &err);
	if (r == 0)
		return;
	note_in(path, err.text);
	out_say(&ctl->out, ctl->config->endpoint_count ? "Unable to dump etcd datastore"
						       : "Unable to dump the embedded datastore");
}

/* ---- the bundle ---- */

static int pack(const struct diags *diags)
{
	struct ctl *ctl = diags->ctl;
	time_t now = time(NULL);
	struct tm local;
	char stamp[32];
	const char *name, *path;

	localtime_r(&now, &local);
	strftime(stamp, sizeof(stamp), "%d%m%y_%H%M%S", &local);
	name = ctl_text(ctl, "diags-%s.tar.gz", stamp);
	path = ctl_text(ctl, "%s/%s", diags->directory, name);
	if (run_into_file(
		    (const char *const[]){"tar", "-czf", path, "-C", diags->directory, "diagnostics", NULL},
		    "/dev/null") != 0) {
		out_say(&ctl->out, "Problem running command: tar -czf %s", path);
		return ctl_failed(ctl, "Cannot pack %s; what was collected is there.", diags->where);
	}
	out_say(&ctl->out, "\nDiags saved to %s\n", path);
	out_para(&ctl->out,
		 "Nothing was sent to anybody.  If somebody is to look at the file, it can be uploaded "
		 "to a file sharing service, for example:");
	out_say(&ctl->out, "  curl --upload-file %s https://transfer.sh/%s", path, name);
	return STATUS_DONE;
}

static int diags(struct ctl *ctl, const struct args *args)
{
	const char *log_dir = args_get(args, "--log-dir");
	struct diags diags = {.ctl = ctl};
	char *directory;

	if (!ctl_is_root(ctl))
		return STATUS_ROOT;
	directory = arena_copy(&ctl->out.arena, "/tmp/calico-diags-XXXXXX");
	if (!mkdtemp(directory))
		return ctl_failed(ctl, "Cannot make a temporary directory: %s.", strerror(errno));
	diags.directory = directory;
	diags.where = ctl_text(ctl, "%s/diagnostics", directory);
	mkdir(diags.where, 0700);
	out_say(&ctl->out, "Collecting diagnostics");
	out_say(&ctl->out, "Using temp dir: %s", directory);
	run_steps(&diags);
	each_file(ctl, ctl_text(ctl, "%s/v%d", ctl->config->bpffs, ABI_VERSION), dump_map, &diags);
	dump_daemon(&diags);
	copy_logs(&diags, log_dir ? log_dir : DEFAULT_LOG_DIR);
	dump_datastore(&diags);
	return pack(&diags);
}

static const struct form forms[] = {
	{"[--log-dir=<LOG_DIR>]", diags},
	{0},
};

static const struct option_spec options[] = {
	{"--log-dir=<LOG_DIR>", "Directory of the logs; " DEFAULT_LOG_DIR " if not given."},
	{0},
};

const struct command command_diags = {
	.name = "diags",
	.summary = "Collect the state of this host for support",
	.description =
		"Packs the state of this host's network, of its BPF maps and programs, of the daemon and\n"
		"of the datastore into one file. Nothing is sent to anybody.",
	.forms = forms,
	.options = options,
};
