/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Waits until no program runs any more that began before: what it may have read can then be reused.
 *
 * Programs at traffic control and XDP hooks run with bottom halves disabled, so nothing else is scheduled on
 * their processor meanwhile (unless the kernel is PREEMPT_RT). A thread that has run on each processor has
 * therefore outlasted them all, as in McKenney's "toy" RCU; that takes some microseconds a processor, where
 * an RCU grace period takes 8 to 30 ms, during which what was revoked would still pass.
 *
 * The kernel's own way is the fallback: after an update of a map of maps it waits for a grace period, in
 * maybe_wait_bpf_programs(), since Linux 4.15 (commit 1ae80cf31938).
 */
#include "dataplane/fence.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

struct fence {
	int outer, inner; /* a map of maps and what is in it; owned; -1: none */
	bool preemptible;
	int cpus; /* possible ones */
	size_t size;
	cpu_set_t *home, *visited; /* `size` bytes each */
};

/* What the kernel was built as is part of its version. */
static bool is_realtime(void)
{
	struct utsname system;

	return uname(&system) < 0 || strstr(system.version, "PREEMPT_RT");
}

int fence_new(struct fence **ret)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	struct fence *fence = calloc(1, sizeof(*fence));
	int r;

	if (!fence)
		return -ENOMEM;
	fence->outer = fence->inner = -1;
	fence->preemptible = is_realtime();
	fence->cpus = libbpf_num_possible_cpus();
	fence->size = CPU_ALLOC_SIZE(fence->cpus > 0 ? fence->cpus : 1);
	fence->home = calloc(1, fence->size);
	fence->visited = calloc(1, fence->size);
	r = fence->home && fence->visited ? 0 : -ENOMEM;
	if (r == 0) {
		fence->inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "fence", 4, 4, 1, NULL);
		opts.inner_map_fd = (__u32)fence->inner;
		fence->outer = fence->inner < 0
				       ? -1
				       : bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "fence", 4, 4, 1, &opts);
		r = fence->outer < 0 ? -errno : 0;
	}
	if (r < 0) {
		fence_free(fence);
		return r;
	}
	*ret = fence;
	return 0;
}

void fence_free(struct fence *fence)
{
	if (!fence)
		return;
	if (fence->outer >= 0)
		close(fence->outer);
	if (fence->inner >= 0)
		close(fence->inner);
	free(fence->home);
	free(fence->visited);
	free(fence);
}

/* False: there is a processor where this thread may not run, or bottom halves do not keep it off. */
static bool visit_processors(struct fence *fence)
{
	/* Programs on one that comes up later see what is there now. */
	int online = get_nprocs(), visits = 0;

	if (fence->preemptible || sched_getaffinity(0, fence->size, fence->home) < 0)
		return false;
	for (int cpu = 0; cpu < fence->cpus && visits < online; cpu++) {
		CPU_ZERO_S(fence->size, fence->visited);
		CPU_SET_S((size_t)cpu, fence->size, fence->visited);
		visits += sched_setaffinity(0, fence->size, fence->visited) == 0;
	}
	sched_setaffinity(0, fence->size, fence->home);
	return visits >= online;
}

int fence_wait(struct fence *fence)
{
	__u32 key = 0, value = (__u32)fence->inner;

	if (visit_processors(fence))
		return 0;
	return bpf_map_update_elem(fence->outer, &key, &value, BPF_ANY) ? -errno : 0;
}
