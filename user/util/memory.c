/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Giving memory back after work. */
#include "util/memory.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct mapping {
	uintptr_t start, end;
	bool read_only_file; /* private: shared ones may be the kernel's, as the ring of packet events is */
};

static bool parse_header(const char *line, struct mapping *ret)
{
	unsigned long start, end, offset, inode;
	char mode[8], device[16];

	if (sscanf(line, "%lx-%lx %7s %lx %15s %lu", &start, &end, mode, &offset, device, &inode) != 6)
		return false;
	ret->start = start;
	ret->end = end;
	ret->read_only_file = inode && mode[0] == 'r' && mode[1] == '-' && mode[3] == 'p';
	return true;
}

void memory_trim(void)
{
	struct mapping mapping = {0};
	unsigned long anonymous;
	char line[1024];
	FILE *maps;

	malloc_trim(0);
	maps = fopen("/proc/self/smaps", "re");
	if (!maps)
		return;
	while (fgets(line, sizeof(line), maps)) {
		if (parse_header(line, &mapping))
			continue;
		/* Relocated pages are private copies: dropping one would bring back the file's bytes. */
		if (sscanf(line, "Anonymous: %lu kB", &anonymous) == 1 && !anonymous &&
		    mapping.read_only_file)
			madvise((void *)mapping.start, mapping.end - mapping.start, MADV_DONTNEED);
	}
	fclose(maps);
}
