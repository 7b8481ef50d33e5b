/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a kernel lacks: nothing here, everything for somebody without privileges. */
#include "dataplane_env.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/probe.h"

struct told {
	unsigned int vital, masquerade;
	char last[512];
};

static void on_missing(void *arg, enum probe_need need, const char *text)
{
	struct told *told = arg;

	told->vital += need == PROBE_VITAL;
	told->masquerade += need == PROBE_MASQUERADE;
	snprintf(told->last, sizeof(told->last), "%s", text);
}

static ino_t network_namespace(void)
{
	struct stat stat_buffer;

	assert_int_equal(stat("/proc/self/ns/net", &stat_buffer), 0);
	return stat_buffer.st_ino;
}

static void test_this_kernel_has_it_all(void **state)
{
	struct told told = {0};
	ino_t before = network_namespace();

	dataplane_probe(on_missing, &told);
	assert_string_equal(told.last, "");
	assert_int_equal(network_namespace(), before);
	assert_int_equal(link_index(env_netlink, "cali-probe"), -ENODEV);
	/* A second time: nothing of the first is in the way. */
	dataplane_probe(on_missing, &told);
	assert_string_equal(told.last, "");
}

static void test_missing_privileges_are_told(void **state)
{
	pid_t child = fork();
	int status;

	if (!child) {
		struct told told = {0};

		if (setgid(65534) || setuid(65534))
			_exit(2);
		dataplane_probe(on_missing, &told);
		_exit(told.vital && told.last[0] ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, env_enter, env_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_this_kernel_has_it_all),
		TEST(test_missing_privileges_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
