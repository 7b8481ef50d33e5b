/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sizes of pinned programs: growth shows here before it shows in time.
 *
 * usage: programs_bench DIRECTORY
 * Prints lines "NAME VERIFIED-INSTRUCTIONS TRANSLATED-BYTES NATIVE-BYTES".
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bench/bench.h"

static void print_program(const char *directory, const char *name)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		bench_fail_errno(errno, path);
	printf("%s %u %u %u\n", name, info.verified_insns, info.xlated_prog_len, info.jited_prog_len);
	close(fd);
}

int main(int argc, char **argv)
{
	DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
	const struct dirent *entry;

	if (!directory)
		bench_fail("usage: programs_bench DIRECTORY");
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] != '.')
			print_program(argv[1], entry->d_name);
	}
	closedir(directory);
	return 0;
}
