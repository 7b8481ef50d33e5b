/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sizes of the programs, as the running kernel tells them, against those recorded in bpf/sizes: whoever makes
 * a program grow has to record that, so that it shows in the change.
 *
 * usage: sizes_test [FILE]	with FILE: writes the record instead of testing
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "progrun.h"

#define RECORD	"bpf/sizes" /* tests run in the root of the tree */
#define PERCENT 10	    /* may be grown unrecorded: compilers differ a little */

struct size {
	char name[32];
	unsigned int verified, translated, native;
};

/* The verifier counts otherwise on each version. */
static void read_kernel(char ret[32])
{
	unsigned int major = 0, minor = 0;
	struct utsname system;

	if (uname(&system) < 0 || sscanf(system.release, "%u.%u", &major, &minor) != 2)
		fail_msg("the kernel does not tell its version");
	snprintf(ret, 32, "%u.%u", major, minor);
}

static struct size size_of(const struct progrun *progrun, enum program program)
{
	struct bpf_prog_info info = {0};
	__u32 length = sizeof(info);
	struct size size = {0};

	assert_int_equal(bpf_obj_get_info_by_fd(progrun_program(progrun, program), &info, &length), 0);
	snprintf(size.name, sizeof(size.name), "%s", info.name);
	size.verified = info.verified_insns;
	size.translated = info.xlated_prog_len;
	size.native = info.jited_prog_len;
	return size;
}

static bool read_record(FILE *file, const char *name, struct size *ret)
{
	char line[160];

	rewind(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%31s %u %u %u", ret->name, &ret->verified, &ret->translated,
			   &ret->native) == 4 &&
		    !strcmp(ret->name, name))
			return true;
	}
	return false;
}

static void check_growth(const char *what, const struct size *now, unsigned int value, unsigned int recorded)
{
	if (value > recorded + recorded * PERCENT / 100)
		fail_msg("%s: %u %s, recorded are %u; if it has to be, record it with `make sizes`",
			 now->name, value, what, recorded);
}

static void test_programs_do_not_grow_unseen(void **state)
{
	struct progrun *progrun = *state;
	FILE *file = fopen(RECORD, "r");
	char kernel[32], recorded[32] = "";

	read_kernel(kernel);
	if (!file || fscanf(file, "# kernel %31[0-9.]", recorded) != 1 || strcmp(kernel, recorded) != 0) {
		if (file)
			fclose(file);
		print_message("%s is not of this kernel, %s\n", RECORD, kernel);
		skip();
	}
	for (enum program program = 0; program < PROGRAM_COUNT; program++) {
		struct size now = size_of(progrun, program), before;

		if (!read_record(file, now.name, &before))
			fail_msg("%s is not in %s; record it with `make sizes`", now.name, RECORD);
		check_growth("instructions verified", &now, now.verified, before.verified);
		check_growth("bytes translated", &now, now.translated, before.translated);
		check_growth("bytes of native code", &now, now.native, before.native);
	}
	fclose(file);
}

static void write_record(const struct progrun *progrun, const char *path)
{
	FILE *file = fopen(path, "w");
	char kernel[32];

	if (!file)
		fail_msg("cannot write %s: %s", path, strerror(errno));
	read_kernel(kernel);
	fprintf(file, "# kernel %s; written by `make sizes`\n# %-16s %10s %10s %10s\n", kernel, "program",
		"verified", "bytes", "native");
	for (enum program program = 0; program < PROGRAM_COUNT; program++) {
		struct size size = size_of(progrun, program);

		fprintf(file, "%-18s %10u %10u %10u\n", size.name, size.verified, size.translated,
			size.native);
	}
	if (fclose(file))
		fail_msg("cannot write %s: %s", path, strerror(errno));
}

static int setup(void **state)
{
	struct settings settings;

	progrun_default_settings(&settings);
	*state = progrun_open(&settings);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	progrun_close(*state);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_programs_do_not_grow_unseen, setup, teardown),
	};
	void *progrun;

	if (argc < 2)
		return cmocka_run_group_tests_name("sizes", tests, NULL, NULL);
	if (setup(&progrun))
		return 1;
	write_record(progrun, argv[1]);
	return teardown(&progrun);
}
