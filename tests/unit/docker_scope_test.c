/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which scope a network has, by what the asking process says on its command line and in its configuration
 * file. The processes are real: this program again, under the name dockerd.
 */
#include "docker_fixture.h"

#include <libgen.h>

static char self[512];

/* Started as "dockerd": says that its arguments are in place, and waits for the end of its input. */
static int play_dockerd(void)
{
	char c;

	if (write(STDOUT_FILENO, "!", 1) != 1)
		return 1;
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}

struct daemon {
	pid_t pid;
	int input;
};

static struct daemon start_daemon(char *const arguments[])
{
	struct daemon daemon;
	int in[2], out[2];
	char c;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	daemon.pid = fork();
	if (!daemon.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		execv(self, arguments);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	assert_int_equal(read(out[0], &c, 1), 1);
	close(out[0]);
	daemon.input = in[1];
	return daemon;
}

static bool is_global_for(struct plugin *plugin, char *const arguments[])
{
	struct daemon daemon = start_daemon(arguments);
	bool global = scope_is_global(plugin, daemon.pid);

	close(daemon.input);
	waitpid(daemon.pid, NULL, 0);
	return global;
}

static const char *write_config(const char *text)
{
	static char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/daemon.json", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static int setup_auto(void **state)
{
	static struct config config;

	setup_plugin(state);
	config = *plugin_of(state)->config;
	config.scope = SCOPE_AUTO;
	plugin_of(state)->config = &config;
	return 0;
}

#define IS_GLOBAL(...) is_global_for(plugin_of(state), (char *const[]){__VA_ARGS__, NULL})

static void test_command_line(void **state)
{
	assert_true(IS_GLOBAL("dockerd", "--cluster-store=etcd://10.0.0.1:2379"));
	assert_true(IS_GLOBAL("/usr/sbin/dockerd", "-D", "--cluster-store", "etcd://10.0.0.1:2379", "-H",
			      "fd://"));
	assert_false(IS_GLOBAL("dockerd", "--config-file=/nonexistent", "--cluster-store="));
	assert_false(IS_GLOBAL("dockerd", "--config-file=/nonexistent", "--cluster-store-opt=x=y"));
	assert_false(IS_GLOBAL("dockerd", "--config-file=/nonexistent", "--cluster-store"));
	assert_false(IS_GLOBAL("dockerd", "--config-file=/nonexistent", "", "", "--live-restore"));
}

static void test_configuration_file(void **state)
{
	const char *path = write_config("{\"cluster-store\": \"etcd://10.0.0.1:2379\"}");
	char option[200];

	snprintf(option, sizeof(option), "--config-file=%s", path);
	assert_true(IS_GLOBAL("dockerd", option));
	assert_true(IS_GLOBAL("dockerd", "--config-file", (char *)path));
	write_config("{\"cluster-store\": \"\", \"debug\": true}");
	assert_false(IS_GLOBAL("dockerd", option));
	write_config("not JSON");
	assert_false(IS_GLOBAL("dockerd", option));
}

/* Another client than dockerd says nothing about the engine. */
static void test_other_processes_are_no_witnesses(void **state)
{
	struct plugin *plugin = plugin_of(state);

	assert_int_equal(engine_has_cluster_store(plugin->engine), -1);
	if (access("/etc/docker/daemon.json", F_OK) == 0)
		skip();
	assert_false(IS_GLOBAL("dockerd-like", "--cluster-store=etcd://10.0.0.1:2379"));
	assert_false(scope_is_global(plugin, 0));
	assert_false(scope_is_global(plugin, -1));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup_auto, teardown_plugin)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_command_line),
		TEST(test_configuration_file),
		TEST(test_other_processes_are_no_witnesses),
	};

	if (!strncmp(basename(argv[0]), "dockerd", 7))
		return play_dockerd();
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	log_set_level(LOG_LEVEL_NONE);
	return cmocka_run_group_tests(tests, setup_directory, teardown_group);
}
